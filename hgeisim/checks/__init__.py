"""The laws of the kernel: checks that look on and never interfere."""
