"""Fast versions for CuPy."""
