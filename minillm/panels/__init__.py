"""The panels of the notebooks, a file each: what they show is computed by plain functions."""
