"""Exercise 05: many heads, positions and dropout."""

NAMES = ("split_heads", "merge_heads", "rotary", "dropout", "self_attention")
