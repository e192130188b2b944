"""Layers for many members at a time."""
