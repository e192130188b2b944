"""What a results folder declares and holds, as values."""
