"""Tests, one file for each thing they hold."""
