"""Exercise 08: counts, and the tied gradient."""

NAMES = ()
