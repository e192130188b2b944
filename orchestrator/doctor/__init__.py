"""Whether a cluster is well, and what to do where it is not: `python -m orchestrator doctor`."""
