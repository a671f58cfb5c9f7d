"""Events: as values, as lines, as a file."""
