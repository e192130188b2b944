"""Two studies against each other."""
