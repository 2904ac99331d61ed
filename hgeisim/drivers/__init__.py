"""The drivers, which decide what happens next: time (timed), a strategy (explored) or a recording
(traced)."""
