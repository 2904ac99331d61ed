"""Measurements: ratios in one run, medians, never a bar in a test."""
