"""Runs that were made elsewhere, read from what other tools wrote, as the results of a study."""
