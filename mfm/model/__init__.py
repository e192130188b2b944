"""The model: codes, factors and decoders."""
