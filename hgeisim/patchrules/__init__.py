"""The rules for a user's own patch: mistakes that its source shows before anything runs."""
