"""Lock-order violations: as data with stable ids, and as text."""
