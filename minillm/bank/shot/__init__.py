"""Exercise 18: a registration that counts, the interval score, and what a budget pays for."""

NAMES = ("void", "interval_score", "within_budget")
