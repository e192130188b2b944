"""A judge for a stream of changes: keep, discard, or so many seeds more; with one error rate for the whole stream."""
