"""Tests, intervals, variances and verdicts."""
