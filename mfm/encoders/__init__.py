"""Multimodal encoders Q(Z_y | X), one file each."""
