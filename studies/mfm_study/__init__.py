"""What the studies of MFM share."""
