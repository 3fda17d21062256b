"""Exercise 11: loss scaling and hidden copies."""

NAMES = ()
