"""The lock order of a kernel as data: recorded, compared, declared, and exported."""
