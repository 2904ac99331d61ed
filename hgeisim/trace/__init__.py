"""Traces of a real kernel: ftrace text in, the same run folder out as a simulation leaves."""
