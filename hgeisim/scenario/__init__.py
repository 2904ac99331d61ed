"""What is simulated: the scenario format, devicetree blobs, workloads and random streams."""
