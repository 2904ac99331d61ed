"""Data races: plain accesses of two contexts at the same time."""
