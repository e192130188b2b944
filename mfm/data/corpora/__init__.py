"""The corpora of the paper."""
