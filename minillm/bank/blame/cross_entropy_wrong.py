"""Wrong answers to cross_entropy that people really write; each has one step that is not the right one."""

import numpy as np

from .steps import mistakes_in


def mean(v):
    """Over the targets that count."""
    return (v.losses * v.share).sum()


def blame(v, d):
    """What each position says of its scores, with its share of the mean."""
    return d * (v.share * v.dloss)[..., None]


def log_of_shares(v):
    """The log of a share, which may have become 0."""
    return np.where(v.one_hot > 0, -np.log(np.exp(v.z) / np.exp(v.z).sum(-1, keepdims=True)), 0).sum(-1)


def log_softmax(z, axis=-1):
    """z less the log of the sum of all exp(z)."""
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def one_hot(v):
    """A single 1 in the row of each position, at its target; what is ignored has a target of 0."""
    return (np.where(v.counts, v.targets, 0)[..., None] == np.arange(v.logits.shape[-1])).astype(float)


def in_place(v):
    """The largest score is taken off where the scores lie."""
    v.logits -= v.logits.max(-1, keepdims=True)
    return v.logits


wrong = mistakes_in(
    lambda logits, *, targets, ignore=None, label_smoothing=0.0: None,
    {
        "counts": lambda v: np.ones(v.targets.shape, bool) if v.ignore is None else v.targets != v.ignore,
        "one_hot": one_hot,
        "share": lambda v: v.counts / max(1, v.counts.sum()),
        "z": lambda v: v.logits - v.logits.max(-1, keepdims=True),
        "log_p": lambda v: log_softmax(v.z),
        "losses": lambda v: -(np.where(v.one_hot > 0, v.log_p, 0)).sum(-1),
        "y": mean,
        "p": lambda v: np.exp(v.log_p),
    },
    {
        "dloss": lambda v: v.dy,
        "d": lambda v: v.p - v.one_hot,
        "dlogits": lambda v: blame(v, v.d),
        "grads": lambda v: v.dlogits,
    },
)

MISTAKES = (
    wrong(
        "largest score not taken off",
        "exp() of a large score is infinite. Take the largest score off each row first: it changes no share.",
        z=lambda v: v.logits,
    ),
    wrong(
        "the log of a share that became 0",
        "A very small share is rounded to 0, and its log is minus infinity. Do not divide first: the loss is "
        "log(sum(exp(z))) - z[target].",
        losses=log_of_shares,
    ),
    wrong(
        "a small number inside the log",
        "This is -log(p + 1e-9) or the like. It hides a share that was rounded to 0, and caps the loss. Take "
        "log(sum(exp(z))) - z[target], which needs no such help.",
        losses=lambda v: -np.log((np.exp(v.log_p) * v.one_hot).sum(-1) + 1e-9),
    ),
    wrong(
        "base 2",
        "The loss is in bits here: log2. It is counted in nats, with the natural logarithm.",
        y=lambda v: mean(v) / np.log(2),
    ),
    wrong(
        "sum for mean",
        "The losses are added up, but not divided by their number. The loss is a mean, so that batches of different "
        "sizes can be compared.",
        share=lambda v: v.counts.astype(float),
    ),
    wrong(
        "mean forgotten on the way back",
        "The loss is a mean, but the gradient is that of a sum. Each position moves the mean by one n-th of its own "
        "loss.",
        dlogits=lambda v: v.d * v.counts[..., None] * v.dloss,
    ),
    wrong(
        "divided by all the scores",
        "The gradient is divided by the number of scores, as logits.mean() would. The mean runs over the positions.",
        dlogits=lambda v: blame(v, v.d) / v.logits.shape[-1],
    ),
    wrong(
        "the log of the mean",
        "This is the log of the mean share of the targets. The loss is the mean of the logs: first the log, position "
        "by position.",
        y=lambda v: -np.log(((np.exp(v.log_p) * v.one_hot).sum(-1) * v.share).sum()) if v.counts.any() else 0.0,
    ),
    wrong(
        "a loss for each position",
        "Each position has its own loss here. Return their mean, one number.",
        y=lambda v: v.losses * v.counts,
    ),
    wrong(
        "perplexity for loss",
        "This is the perplexity, exp(loss). The loss itself is due.",
        y=lambda v: np.exp(mean(v)),
    ),
    wrong(
        "softmax over the wrong axis",
        "The shares are taken along the first axis here. Each position shares out its 1 among the tokens, the last "
        "axis.",
        log_p=lambda v: log_softmax(v.z, 0),
    ),
    wrong(
        "softmax over everything",
        "All positions together share out a 1 here. Each position has its own, over the last axis: keepdims=True keeps "
        "the sums apart.",
        log_p=lambda v: log_softmax(v.z, None),
    ),
    wrong(
        "one-hot forgotten",
        "The gradient is the shares alone. The target's score also makes the loss smaller: shares, less 1 at the "
        "target.",
        d=lambda v: v.p,
    ),
    wrong(
        "the wrong sign",
        "The gradient has the wrong sign: it is what we said less what happened, p - onehot. Down the gradient the "
        "target's score must rise.",
        d=lambda v: v.one_hot - v.p,
    ),
    wrong(
        "the target's score alone",
        "Only the target's score has a gradient here. The other scores share in the same 1, so they are blamed too, "
        "each by its share.",
        d=lambda v: (v.p - 1) * v.one_hot,
    ),
    wrong(
        "softmax forgotten on the way back",
        "This is -1/p at the target, the gradient of the shares. It has still to pass the softmax on its way to the "
        "scores.",
        d=lambda v: -v.one_hot / v.p,
    ),
    wrong(
        "dloss forgotten",
        "What comes from above is not used: multiply by dloss. It is 1 where the loss is the end of all, but not "
        "where it is a part of something.",
        dloss=lambda v: 1.0,
    ),
    wrong(
        "ignore not used",
        "The targets that should be ignored are counted like all others.",
        counts=lambda v: np.ones(v.targets.shape, bool),
        one_hot=lambda v: (v.targets[..., None] % v.logits.shape[-1] == np.arange(v.logits.shape[-1])).astype(float),
    ),
    wrong(
        "ignored, but still in the mean",
        "What is ignored adds nothing to the sum, and still the sum is divided by the number of all targets. Divide by "
        "the number of those that count.",
        share=lambda v: v.counts / v.counts.size,
    ),
    wrong(
        "ignored on the way there alone",
        "The loss leaves the ignored targets out, and the gradient does not: their rows of dlogits must be zero.",
        dlogits=lambda v: v.d * v.dloss / max(1, v.counts.sum()),
    ),
    wrong(
        "nothing to count",
        "If all targets are ignored, this divides by zero. The loss is 0 then, and so is the gradient.",
        share=lambda v: v.counts / v.counts.sum(),
    ),
    wrong(
        "logits changed in place",
        "The largest score was taken off with logits -= ..., in the array that was given: z = logits - ... makes a new "
        "one.",
        z=in_place,
    ),
)
