"""Data races: plain accesses of two contexts at once."""
