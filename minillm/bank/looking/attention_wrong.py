"""Wrong answers to attention that people really write; each has one step that is not the right one."""

import math

import numpy as np

from .attention_steps import row_sum, softmax, swapped, wrong_attention
from .masks_wrong import ALL


def in_place(v, name, change):
    """Change an array of v where it lies, and return it."""
    array = getattr(v, name)
    array[...] = change(array)
    return array


def weights_lost(v):
    """y, for which the weights are written over with their square roots."""
    y = v.weights @ v.v
    in_place(v, "weights", np.sqrt)
    return y


def unmasked(v):
    """dweights, after the weights have been made anew, without any mask."""
    v.weights = softmax(v.scores)
    return v.dy @ swapped(v.v)


MISTAKES = (
    *[wrong_attention(name, says, **steps) for name, says, steps in ALL],
    wrong_attention(
        "divided by the root of the width",
        "The scores are divided by the root of the channels of all heads together. The sum q . k runs over the "
        "channels of one head, q.shape[-1].",
        large=True,
        scale=lambda v: 1 / math.sqrt(v.q.shape[1] * v.q.shape[-1]),
    ),
    wrong_attention(
        "keys for values",
        "y averages the keys. The keys say where to look; what is averaged are the values.",
        y=lambda v: v.weights @ v.k,
    ),
    wrong_attention(
        "the scores for the weights",
        "y is made of the scores as they are. Without the softmax they are no shares, and the average is none.",
        y=lambda v: np.where(np.isfinite(v.total), v.total, 0) @ v.v,
    ),
    wrong_attention(
        "y with the query added",
        "q is added to y. The way around is not the work of attention.",
        y=lambda v: v.q + v.weights @ v.v,
    ),
    wrong_attention(
        "row-sum term missing",
        "The softmax was passed as if each weight depended on its own score alone. The weights of a row add up to 1: "
        "from dweights the row's sum of weights * dweights must be taken off first.",
        dscores=lambda v: v.weights * v.dweights,
    ),
    wrong_attention(
        "each weight by itself",
        "The slope of the softmax is w (1 - w) for a score's own weight, and there is one from it to every other "
        "weight of the row, too. That is what the row's sum brings.",
        dscores=lambda v: v.weights * (1 - v.weights) * v.dweights,
    ),
    wrong_attention(
        "one sum for all rows",
        "What is taken off dweights is one sum over everything. Every query has its own: axis=-1, keepdims=True.",
        dscores=lambda v: v.weights * (v.dweights - (v.weights * v.dweights).sum()),
    ),
    wrong_attention(
        ".T on the way back",
        ".T turns all four axes around. Turn the last two only: swapaxes(-1, -2).",
        dweights=lambda v: v.dy @ v.v.T,
        dk=lambda v: v.dscores.T @ v.q * v.scale,
        dv=lambda v: v.weights.T @ v.dy,
    ),
    wrong_attention(
        "weights made anew without the masks",
        "The way back makes the weights anew, and without the masks. Keep those of the way there.",
        dweights=unmasked,
    ),
    wrong_attention(
        "a plain mean in the row-sum term",
        "What is taken off dweights is its plain mean over the row. It is the mean weighted by the weights.",
        dscores=lambda v: v.weights * (v.dweights - v.dweights.mean(-1, keepdims=True)),
    ),
    wrong_attention(
        "row-sum without the weights",
        "The row's sum is one of dweights alone. It is the sum of weights * dweights.",
        dscores=lambda v: v.weights * (v.dweights - row_sum(v.dweights)),
    ),
    wrong_attention(
        "row-sum term outside the bracket",
        "The row's sum is taken off after the multiplication by the weights. It belongs inside: "
        "weights * (dweights - sum).",
        dscores=lambda v: v.weights * v.dweights - row_sum(v.weights * v.dweights),
    ),
    wrong_attention(
        "row-sum term added",
        "The row's sum has the wrong sign: it is taken off.",
        dscores=lambda v: v.weights * (v.dweights + row_sum(v.weights * v.dweights)),
    ),
    wrong_attention(
        "the sum over the queries on the way back",
        "On the way back the sum runs over the queries, axis -2. It runs where the softmax ran: over the keys, "
        "axis -1.",
        dscores=lambda v: v.weights * (v.dweights - (v.weights * v.dweights).sum(-2, keepdims=True)),
    ),
    wrong_attention(
        "the softmax forgotten on the way back",
        "dscores is dweights as it is: the softmax lies between the two.",
        dscores=lambda v: v.dweights,
    ),
    wrong_attention(
        "scale forgotten on the way back",
        "On the way back 1/sqrt(K) is missing: the scores were multiplied by it, so dq and dk are, too.",
        dq=lambda v: v.dscores @ v.k,
        dk=lambda v: swapped(v.dscores) @ v.q,
    ),
    wrong_attention(
        "scale forgotten in dq",
        "1/sqrt(K) is in dk, but not in dq. The product q . k was scaled, and that concerns both.",
        dq=lambda v: v.dscores @ v.k,
    ),
    wrong_attention(
        "scale forgotten in dk",
        "1/sqrt(K) is in dq, but not in dk. The product q . k was scaled, and that concerns both.",
        dk=lambda v: swapped(v.dscores) @ v.q,
    ),
    wrong_attention(
        "scale twice on the way back",
        "1/sqrt(K) is multiplied twice into dq and dk. Once is right.",
        dq=lambda v: v.dscores @ v.k * v.scale**2,
        dk=lambda v: swapped(v.dscores) @ v.q * v.scale**2,
    ),
    wrong_attention(
        "scale in dv",
        "1/sqrt(K) is in dv. The values were never scaled.",
        dv=lambda v: swapped(v.weights) @ v.dy * v.scale,
    ),
    wrong_attention(
        "dk not turned",
        "In dk the gradient of the scores is not turned on its side. Key s collects from all queries: down a column.",
        dk=lambda v: v.dscores @ v.q * v.scale,
    ),
    wrong_attention(
        "dv not turned",
        "In dv the weights are not turned on their side. Value s collects from all queries that looked at it: down a "
        "column.",
        dv=lambda v: v.weights @ v.dy,
    ),
    wrong_attention(
        "dv from the scores",
        "dv is made of the scores. y = weights @ v: what multiplied the values were the weights.",
        dv=lambda v: swapped(np.where(np.isfinite(v.total), v.total, 0)) @ v.dy,
    ),
    wrong_attention(
        "keys for values on the way back",
        "dweights is made with the keys. The weights multiplied the values.",
        dweights=lambda v: v.dy @ swapped(v.k),
    ),
    wrong_attention(
        "dv is dy",
        "dv is dy, shared out equally. Each value gets its blame in proportion to the weight that it had.",
        dv=lambda v: v.dy.mean(-2, keepdims=True) + 0 * v.v,
    ),
    wrong_attention(
        "dq and dk exchanged",
        "dq and dk stand in each other's place: gradients come back in the order of the arguments, dq, dk, dv.",
        grads=lambda v: (v.dk, v.dq, v.dv),
    ),
    wrong_attention(
        "dv returned first",
        "The gradients are all there, but not in the order of the arguments: dq, dk, dv.",
        grads=lambda v: (v.dv, v.dq, v.dk),
    ),
    wrong_attention(
        "q changed in place",
        "q is written into: in a model others still need it as it was.",
        scores=lambda v: in_place(v, "q", lambda q: q * v.scale) @ swapped(v.k),
        dk=lambda v: swapped(v.dscores) @ v.q,
    ),
    wrong_attention(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        grads=lambda v: (v.dq, v.dk, v.dv, in_place(v, "dy", lambda dy: 0 * dy))[:3],
    ),
    wrong_attention(
        "weights overwritten",
        "The weights were changed in place after y was made of them, and the way back still needs them.",
        y=weights_lost,
    ),
)
