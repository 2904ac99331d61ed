"""A schedule that shows a finding: replayed, told apart from others, made shorter, as a token."""
