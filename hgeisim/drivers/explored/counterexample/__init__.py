"""A schedule that shows a finding: replayed, explained, made shorter, and written as a token."""
