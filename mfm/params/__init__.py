"""The hyperparameters of the model, and when each has a meaning."""
