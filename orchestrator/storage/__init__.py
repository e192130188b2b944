"""The results folder, on disk or on object storage."""
