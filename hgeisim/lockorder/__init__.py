"""Lock order: what lockdep checks, by an observer that never switches itself off."""
