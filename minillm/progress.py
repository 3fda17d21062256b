"""What was reached so far: a small file on this machine."""


def record(name, got, points):
    """Keep the best score."""
