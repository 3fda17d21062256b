"""Exercise 02: byte pair encoding."""

NAMES = ()
