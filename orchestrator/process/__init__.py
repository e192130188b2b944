"""Of this process: signals, cores, its commit and its command line."""
