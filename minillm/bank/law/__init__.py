"""Exercise 17: the objective of a fit, the best use of a budget, and the bootstrap."""

NAMES = ("objective", "allocation", "exponent_interval")
