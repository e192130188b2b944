"""What the sections of the page are made of."""
