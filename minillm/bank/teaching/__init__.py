"""Exercise 09: AdamW, schedules, clipping, and twelve training runs to diagnose."""

NAMES = ("adamw", "schedule", "clip_gradients", "clinic")
