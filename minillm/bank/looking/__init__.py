"""Exercise 04: the weights of attention with all masks, and attention there and back."""

NAMES = ("attention_weights", "attention")
