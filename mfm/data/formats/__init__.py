"""Readers of the files that people bring."""
