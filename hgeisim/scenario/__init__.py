"""Scenarios: the file format, devicetree blobs, workloads and random streams."""
