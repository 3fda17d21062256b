"""Exercise 12: ablation and induction."""

NAMES = ()
