"""Attention in steps, each of which may be written differently: what the wrong answers of this chapter are made of."""

import math

import numpy as np

from ... import layers
from ...grader.exercise import Mistake
from ..blame.steps import follow, mistakes_in

NEVER = -math.inf


def swapped(a):
    """A matrix for each sequence and head, turned on its side."""
    return a.swapaxes(-1, -2)


def softmax(scores, axis=-1):
    """The shares of the scores along an axis; a row with nothing to share keeps nothing."""
    return layers.softmax(scores, axis=axis)[0]


def sees(v, shift=0):
    """Which keys each query sees if nobody sees the future: (T, S) booleans."""
    T, S = v.q.shape[2], v.k.shape[2]
    return np.tri(T, S, S - T + shift, dtype=bool)


def added(allowed, never=NEVER):
    """Booleans as numbers to add: 0 where a query may look."""
    return np.where(allowed, 0.0, never)


def row_sum(z):
    """The sum of each row, kept as a column."""
    return z.sum(-1, keepdims=True)


# The steps of a right answer; v holds the arguments and what the steps before have made.
WEIGHTS = {
    "raw": lambda v: v.q @ swapped(v.k),
    "scale": lambda v: 1 / math.sqrt(v.q.shape[-1]),
    "scores": lambda v: v.raw * v.scale,
    "never": lambda v: NEVER,
    "future": lambda v: added(sees(v), v.never) if v.causal else 0.0,
    "choice": lambda v: 0.0 if v.mask is None else added(v.mask, v.never) if v.mask.dtype == bool else v.mask,
    "empty": lambda v: 0.0 if v.key_padding_mask is None else added(~v.key_padding_mask, v.never)[:, None, None, :],
    "total": lambda v: v.scores + v.future + v.choice + v.empty,
    "weights": lambda v: softmax(v.total),
}
THERE = WEIGHTS | {"y": lambda v: v.weights @ v.v}
BACK = {
    "dweights": lambda v: v.dy @ swapped(v.v),
    "dscores": lambda v: v.weights * (v.dweights - row_sum(v.dweights * v.weights)),
    "dq": lambda v: v.dscores @ v.k * v.scale,
    "dk": lambda v: swapped(v.dscores) @ v.q * v.scale,
    "dv": lambda v: swapped(v.weights) @ v.dy,
    "grads": lambda v: (v.dq, v.dk, v.dv),
}


def takes(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """The arguments of attention."""


wrong_attention = mistakes_in(takes, THERE, BACK)


def wrong_weights(name, says, **steps):
    """The Mistake of an attention_weights in which these steps are written differently."""

    def attention_weights(q, k, *, causal=False, mask=None, key_padding_mask=None):
        v = Given(q=q, k=k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
        with np.errstate(all="ignore"):
            return follow(WEIGHTS, steps, v).weights

    return Mistake(name, says, attention_weights)


class Given:
    """The arguments of a call, and what the steps make."""

    def __init__(self, **given):
        vars(self).update(given)


def exponentials(v, total=None):
    """The exponentials as they are, and each row divided by its sum."""
    e = np.exp(v.total if total is None else total)
    return e / row_sum(e)


def everywhere(v):
    """Shares of one whole for all queries together."""
    e = np.exp(v.total - v.total.max((-1, -2), keepdims=True))
    return e / e.sum((-1, -2), keepdims=True)


def kept(v):
    """1 where a query may look and 0 where it may not."""
    return np.isfinite(v.future + v.choice + v.empty) * 1.0


def mask_of(v, yes):
    """A boolean mask read with another meaning; numbers as they should be."""
    return 0.0 if v.mask is None else yes(v.mask) if v.mask.dtype == bool else v.mask


def padding(v, read):
    """The padding, if there is any, read with another meaning."""
    return 0.0 if v.key_padding_mask is None else read(v.key_padding_mask)


def quietly(f):
    """f without NumPy's warnings about what is not a number."""

    def step(v):
        with np.errstate(all="ignore"):
            return f(v)

    return step
