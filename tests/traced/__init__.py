"""Tests of the traced driver."""
