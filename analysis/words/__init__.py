"""What a study found and how it was made, in sentences that are made from its tables."""
