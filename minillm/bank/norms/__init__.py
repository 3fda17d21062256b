"""Exercise 06: layer norm, the residual connection, and five norms to diagnose."""

NAMES = ("layer_norm", "residual", "norm_clinic")
