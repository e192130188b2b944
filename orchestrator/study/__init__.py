"""The values of a study, and the seam to a model."""
