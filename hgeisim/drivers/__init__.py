"""Who decides what happens next: time (timed) or a strategy (explored)."""
