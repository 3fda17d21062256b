"""Exercise 17: the objective of a fit, the best use of a budget, the bootstrap, and what is wrong with a ladder."""

NAMES = ("objective", "allocation", "exponent_interval", "confounder")
