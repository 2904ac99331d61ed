"""What happens next: every state (`exhaustive`), or one schedule after the other (`strategy`)."""
