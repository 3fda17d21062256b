"""minillm: large language models from first principles, in plain arrays, every gradient by hand."""

__version__ = "0.1.0"
