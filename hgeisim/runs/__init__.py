"""A run at rest: its folder and manifest, timeline, tables, figures and fingerprint."""
