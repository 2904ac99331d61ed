"""Pictures of what a run left behind."""
