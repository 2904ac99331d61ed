"""The kernel's own objects as a second source of operations: functions that were not modelled."""
