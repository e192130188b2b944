"""Synthetic data whose truth is known."""
