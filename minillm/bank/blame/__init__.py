"""Exercise 03: gradients: the promise and its checks."""

NAMES = ()
