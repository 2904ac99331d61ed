"""Planted faults: planting them in a kernel, and trying each in a process of its own."""
