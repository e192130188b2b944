"""Connecting to Ray, and what it has."""
