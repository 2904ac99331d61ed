"""Lock classes, their usage bits, and the graph of dependencies between them."""
