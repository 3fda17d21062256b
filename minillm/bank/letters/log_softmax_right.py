"""Right answers to log_softmax, each written in another way: none of them may be refused."""

import math

import numpy as np


def row_by_row(logits, *, temperature=1.0):
    """A function for one row, and the other axes around it."""

    def one(row):
        top = row.max()
        return row - top - math.log(sum(math.exp(score - top) for score in row))

    return np.apply_along_axis(one, -1, logits / temperature)


def with_logaddexp(logits, *, temperature=1.0):
    """NumPy's own sum of two exponentials, in logarithms."""
    scores = np.divide(logits, temperature)
    return scores - np.logaddexp.reduce(scores, axis=-1)[..., None]


def the_top_put_back(logits, *, temperature=1.0):
    """The log-sum-exp of the scores themselves: the largest is taken off inside, and put back outside."""
    top = np.sort(logits, axis=-1)[..., -1:]
    lse = top / temperature + np.log(np.sum(np.exp((logits - top) / temperature), axis=-1, keepdims=True))
    return np.subtract(logits / temperature, lse)


def with_scipy(logits, *, temperature=1.0):
    """SciPy's."""
    from scipy.special import log_softmax

    return log_softmax(logits * (1 / temperature), axis=-1)


ANSWERS = (
    ("row by row", row_by_row),
    ("logaddexp", with_logaddexp),
    ("the largest put back", the_top_put_back),
    ("SciPy's log_softmax", with_scipy),
)
