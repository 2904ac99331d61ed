"""How many planted faults are noticed."""
