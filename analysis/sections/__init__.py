"""The parts of a report, one file each: numbers, figures and words that belong together."""
