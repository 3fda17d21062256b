"""Exercise 05: many heads, positions and dropout."""

NAMES = ()
