"""The interrupt state of a context, as bits."""

IRQS_ON = 1
"""Hardirqs are enabled on its CPU."""
BH_ON = 2
"""Softirqs may run on its CPU when it is interrupted."""
SOFTIRQ = 4
"""It is in a softirq handler."""
HARDIRQ = 8
"""It is in a hardirq handler."""
THREADED = 16
"""... in one whose handler is a thread on PREEMPT_RT."""

PREEMPT_ON = 32
"""Another task may have its CPU: no preempt_disable() is in force."""

IN_IRQ = SOFTIRQ | HARDIRQ
TASK = IRQS_ON | BH_ON | PREEMPT_ON
