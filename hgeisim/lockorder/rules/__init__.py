"""The rules of lock order: the validator, its contexts, and the checks made on each operation."""
