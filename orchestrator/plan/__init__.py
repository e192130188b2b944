"""What to run next, as a fold over events."""
