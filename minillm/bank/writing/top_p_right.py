"""Right answers to top_p, each written in another way: none of them may be refused."""

import numpy as np


def softmax(scores):
    """Probabilities along the last axis, by way of their logarithms."""
    return np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))


def row_by_row(logits, p):
    """A walk down each row until p is reached."""
    if p <= 0 or p > 1:
        raise ValueError("p")

    def one(row):
        if p == 1:
            return row.copy()
        probs, y, total = softmax(row), np.full(len(row), -np.inf), 0.0
        for i in np.argsort(-row, kind="stable"):
            y[i] = row[i]
            total += probs[i]
            if total >= p:
                break
        return y

    return np.apply_along_axis(one, -1, logits)


def by_a_count(logits, p):
    """How many are needed is one more than how many running sums are short of p; a token's rank decides."""
    if not 0 < p <= 1:
        raise ValueError(f"p is {p}")
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1, kind="stable")
    sums = np.cumsum(-np.sort(-softmax(logits), axis=-1), axis=-1)
    needed = logits.shape[-1] if p == 1 else 1 + (sums < p).sum(-1, keepdims=True)
    return np.where(rank < needed, logits, -np.inf)


def shifted_sums(logits, p):
    """The running sums, moved by one place; undone by the inverse of the order."""
    if p == 1:
        return np.array(logits)
    if not 0 < p < 1:
        raise ValueError
    order = np.argsort(-logits, axis=-1, kind="stable")
    sums = softmax(np.take_along_axis(logits, order, axis=-1)).cumsum(axis=-1)
    before = np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], axis=-1)
    inverse = np.argsort(order, axis=-1)
    return np.where(np.take_along_axis(before < p, inverse, axis=-1), logits, -np.inf)


ANSWERS = (
    ("row by row", row_by_row),
    ("by a count and ranks", by_a_count),
    ("running sums moved by one place", shifted_sums),
)
