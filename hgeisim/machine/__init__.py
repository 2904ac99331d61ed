"""The hardware below the kernel: HARTs, interrupt state, locks, operations and shared memory."""
