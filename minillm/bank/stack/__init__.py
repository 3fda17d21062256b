"""Exercise 08: parameters and FLOPs counted, and the gradient of a table that is used twice."""

NAMES = ("count_parameters", "flops_per_token", "tied_logits")
