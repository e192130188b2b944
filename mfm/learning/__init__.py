"""Losses, the optimiser and the networks trained beside the model."""
