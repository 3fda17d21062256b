"""Exercise 02: byte pair encoding, and the table of vectors."""

NAMES = ("merge_pair", "train_bpe", "encode", "decode", "look_up")
