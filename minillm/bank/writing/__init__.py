"""Exercise 10: sampling and the cache."""

NAMES = ()
