"""Exercise 01: letters: softmax, n-grams and entropy."""

NAMES = ()
