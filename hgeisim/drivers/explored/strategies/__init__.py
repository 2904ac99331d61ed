"""Searches over all states (`exhaustive`, `levels`), and strategies that make single schedules."""
