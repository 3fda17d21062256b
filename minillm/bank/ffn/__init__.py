"""Exercise 07: GELU, and the feed-forward layer."""

NAMES = ("gelu", "ffn")
