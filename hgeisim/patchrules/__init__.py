"""The rules for a user's own patch, which find mistakes in its source before anything runs."""
