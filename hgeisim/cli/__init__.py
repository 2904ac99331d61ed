"""The `hgeisim` command: one file for each subcommand, and the only place that prints."""
