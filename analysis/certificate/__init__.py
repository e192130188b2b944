"""A small file from which the verdicts of a study can be computed again, elsewhere and without its results."""
