"""The command line: `python -m analysis`, installed as `analysis`."""
