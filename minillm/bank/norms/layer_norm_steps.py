"""layer_norm in steps, each of which may be written differently: what its wrong answers are made of."""

import numpy as np

from ..blame.steps import mistakes_in


def mean(z):
    """Over the channels."""
    return z.mean(-1, keepdims=True)


def total(z):
    """Over all positions: one channel's gain or shift served every one of them."""
    return z.reshape(-1, z.shape[-1]).sum(0)


# The steps of a right answer; v holds the arguments and what the steps before have made.
THERE = {
    "mean": lambda v: mean(v.x),
    "deviation": lambda v: v.x - v.mean,
    "var": lambda v: mean(v.deviation**2),
    "rstd": lambda v: 1 / np.sqrt(v.var + v.eps),
    "xhat": lambda v: v.deviation * v.rstd,
    "y": lambda v: v.g * v.xhat + v.b,
}
BACK = {
    "dxhat": lambda v: v.dy * v.g,
    "dx": lambda v: v.rstd * (v.dxhat - mean(v.dxhat) - v.xhat * mean(v.dxhat * v.xhat)),
    "dg": lambda v: total(v.dy * v.xhat),
    "db": lambda v: total(v.dy),
    "grads": lambda v: (v.dx, v.dg, v.db),
}


wrong = mistakes_in(lambda x, g, b, *, eps=1e-5: None, THERE, BACK)


def in_place(v, name, change):
    """Change an array of v where it lies, and return it."""
    array = getattr(v, name)
    array[...] = change(array)
    return array


def everywhere(v, average):
    """dx, with another kind of mean."""
    return v.rstd * (v.dxhat - average(v.dxhat) - v.xhat * average(v.dxhat * v.xhat))


over_all = lambda z: z.mean()
over_batch = lambda z: z.mean(0, keepdims=True)
over_batch_sum = lambda z: z.sum(0)
