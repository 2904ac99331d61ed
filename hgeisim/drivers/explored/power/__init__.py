"""The power of a verdict: which planted faults a search would have noticed."""
