"""Ways to bring a model: a function of one run, a program."""
