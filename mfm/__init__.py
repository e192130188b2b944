"""MFM in pure PyTorch: one package for the model, its training, its data and its metrics."""
