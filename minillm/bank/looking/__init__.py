"""Exercise 04: attention."""

NAMES = ()
