"""Right answers to linear, each written in another way: none of them may be refused."""

import numpy as np


def loops(x, w, b=None):
    """One product at a time, there and back."""
    C, F = w.shape
    y = np.zeros((*x.shape[:-1], F))
    for n in np.ndindex(x.shape[:-1]):
        for f in range(F):
            y[*n, f] = b[f] + sum(x[*n, c] * w[c, f] for c in range(C))

    def backward(dy):
        dx, dw, db = np.zeros(x.shape), np.zeros((C, F)), np.zeros(F)
        for n in np.ndindex(x.shape[:-1]):
            for f in range(F):
                db[f] += dy[*n, f]
                for c in range(C):
                    dx[*n, c] += dy[*n, f] * w[c, f]
                    dw[c, f] += dy[*n, f] * x[*n, c]
        return dx, dw, db

    return y, backward


def with_einsum(x, w, b=None):
    """Every sum spelled out in letters."""
    y = np.einsum("...c,cf->...f", x, w) + b

    def backward(dy):
        return (
            np.einsum("...f,cf->...c", dy, w),
            np.einsum("nc,nf->cf", x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])),
            np.einsum("nf->f", dy.reshape(-1, dy.shape[-1])),
        )

    return y, backward


def with_tensordot(x, w, b=None):
    """All axes but the last are summed over at once; the results in a list."""
    axes = tuple(range(x.ndim - 1))

    def backward(dy):
        return [dy @ w.T, np.tensordot(x, dy, (axes, axes)), dy.sum(axes) + 0]

    return [x @ w + b, backward]


def with_a_one(x, w, b=None):
    """The shift is the weight of a channel that is always 1."""
    C, F = w.shape
    rows = np.hstack([x.reshape(-1, C), np.ones((x.size // C, 1))])
    whole = np.vstack([w, b])

    def backward(dy):
        d = dy.reshape(-1, F)
        dwhole = rows.T @ d
        return (d @ whole.T)[:, :C].reshape(x.shape), dwhole[:C].copy(), dwhole[C].copy()

    return (rows @ whole).reshape(*x.shape[:-1], F), backward


def in_float32(x, w, b=None):
    """Everything in float32, whatever comes in."""
    x, w, b = (a.astype(np.float32) for a in (x, w, b))

    def backward(dy):
        dy = dy.astype(np.float32)
        d = dy.reshape(-1, w.shape[1])
        return dy @ w.T, x.reshape(-1, w.shape[0]).T @ d, d.sum(0)

    return x @ w + b, backward


ANSWERS = (
    ("loops over single numbers", loops),
    ("einsum", with_einsum),
    ("tensordot, in lists", with_tensordot),
    ("the shift as one more weight", with_a_one),
    ("float32 inside and out", in_float32),
)
