"""Right answers to entropy_rate, each written in another way: none of them may be refused."""

import math

import numpy as np


def by_eigenvector(table):
    """How often each token occurs is the eigenvector that the transposed table leaves as it is."""
    values, vectors = np.linalg.eig(table.T)
    law = vectors[:, np.argmin(abs(values - 1))].real
    law = law / law.sum()
    p = np.where(table > 0, table, 1)
    return -np.einsum("a,ax,ax->", law, table, np.log(p))


def joint_less_single(table):
    """The entropy of two tokens in a row, less that of the first."""
    V = len(table)
    law = np.linalg.solve((table.T - np.eye(V) + 1), np.ones(V))  # one more equation, added to each of the others
    entropy = lambda p: -sum(q * math.log(q) for q in np.ravel(p) if q > 0)
    return entropy(law[:, None] * table) - entropy(law)


def in_plain_python(table):
    """Lists and loops, half a step at a time."""
    V = len(table)
    law = [1 / V] * V
    for _ in range(3000):
        after = [sum(law[a] * float(table[a][x]) for a in range(V)) for x in range(V)]
        law = [(one + other) / 2 for one, other in zip(law, after, strict=True)]
    rows = [-sum(float(p) * math.log(p) for p in row if p > 0) for row in table]
    return sum(share * row for share, row in zip(law, rows, strict=True))


def by_squaring(table):
    """A text so long that it does not matter how it began: the table times itself, 2**40 times over."""
    many = (table + np.eye(len(table))) / 2
    for _ in range(40):
        many = many @ many
        many /= many.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(many[0] @ -np.nansum(table * np.log(table), -1))


ANSWERS = (
    ("the eigenvector", by_eigenvector),
    ("pairs less single tokens", joint_less_single),
    ("plain Python", in_plain_python),
    ("the table squared again and again", by_squaring),
)
