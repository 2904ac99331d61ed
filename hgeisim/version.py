"""The version of hgeisim, which run folders and `--version` have."""

VERSION = "0.1.0"
