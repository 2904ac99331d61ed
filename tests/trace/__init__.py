"""Tests of reading, importing, measuring and recording traces."""
