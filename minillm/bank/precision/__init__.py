"""Exercise 11: numbers in 16 bits, loss scaling and hidden copies."""

NAMES = ("to_bfloat16", "unscale", "hidden_copies")
