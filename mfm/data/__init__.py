"""Data sets as values, their file formats, and their preparation. Imports no torch."""
