"""What looks on while a kernel runs: the recorder, latencies, owners, checks, lock order."""
