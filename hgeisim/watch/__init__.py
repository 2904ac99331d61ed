"""Watchers of a running kernel: the recorder, latencies, owners, checks, lock order."""
