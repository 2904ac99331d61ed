"""What a run leaves behind: timeline, run folder, manifest, fingerprint."""
