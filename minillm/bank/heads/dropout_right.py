"""Right answers to dropout, each drawing its mask in another way: none of them may be refused."""

import numpy as np


def check(rate):
    """ValueError for a rate that is none."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate {rate}")


def one_array(x, *, rate, rng):
    """What the numbers are multiplied by, in one array."""
    check(rate)
    if rate == 0:
        return x, lambda dy: dy
    mask = (rng.random(x.shape) >= rate) / (1 - rate)
    return x * mask, lambda dy: dy * mask


def with_where(x, *, rate, rng):
    """np.where there and back; copies where nothing is dropped."""
    check(rate)
    dropped = np.zeros(x.shape, bool) if rate == 0 else rng.uniform(size=x.shape) < rate
    return np.where(dropped, 0, x / (1 - rate)), lambda dy: (np.where(dropped, 0, dy / (1 - rate)),)


def with_choice(x, *, rate, rng):
    """Booleans drawn with their probabilities."""
    check(rate)
    if rate == 0:
        return np.array(x), lambda dy: np.array(dy)
    keep = rng.choice([False, True], size=x.shape, p=[rate, 1 - rate])

    def only_kept(z):
        y = np.zeros_like(z)
        y[keep] = z[keep] / (1 - rate)
        return y

    return only_kept(x), only_kept


def with_binomial(x, *, rate, rng):
    """A coin for each number."""
    check(rate)
    coins = 1 if rate == 0 else rng.binomial(1, 1 - rate, size=x.shape)
    return coins * x / (1 - rate), lambda dy: coins * dy / (1 - rate)


def number_by_number(x, *, rate, rng):
    """A loop."""
    check(rate)
    if not rate:
        return 1 * x, lambda dy: 1 * dy
    mask = np.array([0.0 if rng.random() < rate else 1 / (1 - rate) for _ in range(x.size)]).reshape(x.shape)
    return mask * x, lambda dy: mask * dy


ANSWERS = (
    ("one array of factors", one_array),
    ("np.where", with_where),
    ("rng.choice", with_choice),
    ("rng.binomial", with_binomial),
    ("number by number", number_by_number),
)
