"""Right answers to top_k, each written in another way: none of them may be refused."""

import heapq

import numpy as np


def by_rank(logits, k):
    """The place of each token in the order decides."""
    if k < 1:
        raise ValueError("k")
    logits = np.asarray(logits)
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1, kind="stable")
    return np.where(rank < k, logits, -np.inf)


def row_by_row(logits, k):
    """A heap for each row."""
    if k <= 0:
        raise ValueError("k must be at least 1")

    def one(row):
        y = np.full(len(row), -np.inf)
        best = heapq.nsmallest(k, range(len(row)), key=lambda i: (-row[i], i))
        y[best] = row[best]
        return y

    return np.apply_along_axis(one, -1, logits)


def by_counting(logits, k):
    """A token stays if fewer than k go before it: the larger ones, and the equal ones with a lower id."""
    if not k >= 1:
        raise ValueError(k)
    mine, others = logits[..., :, None], logits[..., None, :]
    earlier = np.tri(logits.shape[-1], k=-1, dtype=bool)
    before = ((others > mine) | ((others == mine) & earlier)).sum(-1)
    y = logits.copy()
    y[before >= k] = -np.inf
    return y


ANSWERS = (("by rank", by_rank), ("a heap for each row", row_by_row), ("by counting", by_counting))
