"""Right answers to layer_norm, each written in another way: none of them may be refused."""

import math

import numpy as np


def loops(x, g, b, *, eps=1e-5):
    """One position, one channel at a time; the gradient from every channel to every other."""
    C = x.shape[-1]
    y, mean, rstd = np.zeros(x.shape), {}, {}
    for n in np.ndindex(x.shape[:-1]):
        mean[n] = sum(x[n]) / C
        rstd[n] = 1 / math.sqrt(sum((v - mean[n]) ** 2 for v in x[n]) / C + eps)
        for c in range(C):
            y[*n, c] = g[c] * (x[*n, c] - mean[n]) * rstd[n] + b[c]

    def backward(dy):
        dx, dg, db = np.zeros(x.shape), np.zeros(C), np.zeros(C)
        for n in rstd:
            xhat = [(v - mean[n]) * rstd[n] for v in x[n]]
            for i in range(C):
                dg[i] += dy[*n, i] * xhat[i]
                db[i] += dy[*n, i]
                for c in range(C):
                    slope = ((i == c) - 1 / C - xhat[i] * xhat[c] / C) * rstd[n]
                    dx[*n, c] += dy[*n, i] * g[i] * slope
        return dx, dg, db

    return y, backward


def with_einsum(x, g, b, *, eps=1e-5):
    """Every sum spelled out in letters."""
    C = x.shape[-1]
    ones = np.ones(C) / C
    deviation = x - np.einsum("...c,c->...", x, ones)[..., None]
    root = np.sqrt(np.einsum("...c,...c->...", deviation, deviation) / C + eps)
    xhat = np.einsum("...c,...->...c", deviation, 1 / root)

    def backward(dy):
        dxhat = np.einsum("...c,c->...c", dy, g)
        mean = np.einsum("...c,c->...", dxhat, ones)
        along = np.einsum("...c,...c->...", dxhat, xhat) / C
        dx = (dxhat - mean[..., None] - np.einsum("...,...c->...c", along, xhat)) / root[..., None]
        rows, rows_xhat = dy.reshape(-1, C), xhat.reshape(-1, C)
        return dx, np.einsum("nc,nc->c", rows, rows_xhat), np.einsum("nc->c", rows)

    return np.einsum("...c,c->...c", xhat, g) + b, backward


def in_float32(x, g, b, *, eps=1e-5):
    """Everything in float32, whatever comes in."""
    x, g, b = (a.astype(np.float32) for a in (x, g, b))
    centred = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt(centred.var(axis=-1, keepdims=True) + np.float32(eps))
    xhat = centred / std

    def backward(dy):
        dy = dy.astype(np.float32)
        d = dy * g
        dx = (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)) / std
        axes = tuple(range(x.ndim - 1))
        return dx, (dy * xhat).sum(axes), dy.sum(axes, dtype=np.float32)

    return xhat * g + b, backward


def with_a_jacobian(x, g, b, *, eps=1e-5):
    """The slopes from every channel to every channel, as a matrix for each row."""
    C = x.shape[-1]
    rows = x.reshape(-1, C)
    rstd = (np.var(rows, axis=1) + eps) ** -0.5
    xhat = (rows - rows.mean(1)[:, None]) * rstd[:, None]
    jacobian = rstd[:, None, None] * (np.eye(C) - 1 / C - xhat[:, :, None] * xhat[:, None, :] / C)

    def backward(dy):
        blame = dy.reshape(-1, 1, C)
        dx = (blame * g) @ jacobian
        return dx.reshape(x.shape), (blame[:, 0] * xhat).sum(0), blame.sum((0, 1))

    return (xhat * g + b).reshape(x.shape), backward


def with_one_division(x, g, b, *, eps=1e-5):
    """The form of many textbooks: (C d - sum d - xhat sum(d xhat)) / (C std); the results in a list."""
    C = x.shape[-1]
    mu = np.mean(x, axis=-1, keepdims=True)
    std = np.sqrt(np.mean(np.square(x - mu), axis=-1, keepdims=True) + eps)
    xhat = (x - mu) / std

    def backward(dy):
        d = dy * g
        one, two = d.sum(-1, keepdims=True), (d * xhat).sum(-1, keepdims=True)
        over = (C * d - one - xhat * two) / (C * std)
        dg, db = dy * xhat, dy
        while db.ndim > 1:
            dg, db = dg.sum(0), db.sum(0)
        return [over, dg, db + 0]

    return [xhat * g + b, backward]


def step_by_step(x, g, b, *, eps=1e-5):
    """The chain rule through every intermediate: no formula at all."""
    mu = x.mean(-1, keepdims=True)
    centred = x - mu
    var = (centred * centred).mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(var + eps)
    xhat = centred * rstd

    def backward(dy):
        C = x.shape[-1]
        dxhat = dy * g
        drstd = (dxhat * centred).sum(-1, keepdims=True)
        dvar = drstd * -0.5 * rstd**3
        dcentred = dxhat * rstd + dvar * 2 * centred / C
        dmu = -dcentred.sum(-1, keepdims=True)
        dx = dcentred + dmu / C
        return dx, (dy * xhat).reshape(-1, C).sum(0), dy.reshape(-1, C).sum(0)

    return xhat * g + b, backward


def in_one_pass(x, g, b, *, eps=1e-5):
    """The variance as mean(x * x) - mean(x) ** 2: right, but not for numbers far from 0."""
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(np.maximum((x * x).mean(-1, keepdims=True) - mean**2, 0) + eps)
    xhat = (x - mean) * rstd

    def backward(dy):
        d = dy * g
        dx = rstd * (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True))
        return dx, (dy * xhat).reshape(-1, len(g)).sum(0), dy.reshape(-1, len(g)).sum(0)

    return g * xhat + b, backward


ANSWERS = (
    ("loops over single numbers", loops),
    ("einsum", with_einsum),
    ("float32 inside and out", in_float32),
    ("the Jacobian as a matrix", with_a_jacobian),
    ("one division at the end, in lists", with_one_division),
    ("the chain rule, step by step", step_by_step),
    ("the variance in one pass", in_one_pass),
)
