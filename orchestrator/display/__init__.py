"""Live progress."""
