"""Exercise 03: a check of gradients, and three layers there and back: linear, cross-entropy, embedding."""

NAMES = ("check_gradients", "linear", "cross_entropy", "embedding")
