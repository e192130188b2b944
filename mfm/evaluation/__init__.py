"""What a trained model is scored by, and what it has learned."""
