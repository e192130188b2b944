"""What a study knows of itself: events, what they add up to, and what follows from them for every search."""
