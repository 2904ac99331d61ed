"""The inner loop of a search in C, for where it was built; Python's own loop is the reference."""
