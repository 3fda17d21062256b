"""Exercise 10: filters for what is drawn, the cache, and prompts of unequal length in one batch."""

NAMES = ("top_k", "top_p", "attend_next", "pad_left")
