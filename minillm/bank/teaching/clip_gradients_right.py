"""Right answers to clip_gradients, each written in another way: none of them may be refused."""

import numpy as np

from ...trees import flatten, leaves


def walk(tree):
    """Every array of a tree, without help."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return [a for branch in tree for a in walk(branch)]
    return [tree]


def by_its_own_walk(grads, limit):
    """A walk of its own, and a factor that is 1 where nothing is to be done."""
    if limit is not None and limit <= 0:
        raise ValueError("the limit must be above 0")
    arrays = walk(grads)
    norm = np.sqrt(sum(np.vdot(a, a) for a in arrays))
    factor = 1 if limit is None else limit / max(norm, limit)
    for a in arrays:
        np.multiply(a, factor, out=a)
    return norm


def by_flatten(grads, limit):
    """The vector that flatten() makes tells the length."""
    if limit is not None and not limit > 0:
        raise ValueError("limit")
    vector, _ = flatten(grads)
    norm = np.linalg.norm(vector)
    if limit is not None and norm > limit:
        for _, a in leaves(grads):
            a /= norm / limit
    return norm


ANSWERS = (
    ("a walk of its own", by_its_own_walk),
    ("the length of the flattened vector", by_flatten),
)
