"""What the search runs say of the hyperparameters."""
