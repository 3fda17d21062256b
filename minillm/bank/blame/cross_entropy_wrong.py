"""Wrong answers to cross_entropy that people really write; each has one step that is not the right one."""

import numpy as np

from .steps import mistakes_in

rows = lambda a: a.reshape(-1, a.shape[-1])


def mean(v):
    """Over the targets that count."""
    return (v.losses * v.share).sum()


def blame(v, d):
    """What each position says of its scores, with its share of the mean."""
    return d * (v.share * v.dloss)[..., None]


def log_of_p(v):
    """The log of a probability, which may have become 0."""
    return np.where(v.one_hot > 0, -np.log(np.exp(v.z) / np.exp(v.z).sum(-1, keepdims=True)), 0).sum(-1)


def log_softmax(z, axis=-1):
    """z less the log of the sum of all exp(z)."""
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def one_hot(v):
    """A single 1 in the row of each position, at its target; what is ignored has a target of 0."""
    return (np.where(v.counts, v.targets, 0)[..., None] == np.arange(v.logits.shape[-1])).astype(float)


def picked(v):
    """The log of p at each target, as p[np.arange(n), targets] picks it: -1 is the last token, and -100 is none."""
    return rows(v.log_p)[np.arange(v.targets.size), v.targets.reshape(-1)].reshape(v.targets.shape)


def ratio(v):
    """The log of exp(z) over the sum of all exp(z), which may be infinite over infinite, or 0 over 0."""
    return np.log(np.exp(v.z) / np.exp(v.z).sum(-1, keepdims=True))


def times_one_hot(v):
    """The log of p at the target, as the sum of a product: 0 times infinity is not a number."""
    return -(v.log_p * v.one_hot).sum(-1)


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
        "exp() of a large score is infinite. Take the largest score off each row first: it changes no probability.",
        z=lambda v: v.logits,
    ),
    wrong(
        "infinite over infinite",
        "exp() of a large score is infinite, and infinite over infinite is not a number. Take the largest score off "
        "each row first: it changes no probability.",
        z=lambda v: v.logits,
        log_p=ratio,
    ),
    wrong(
        "infinite times one-hot",
        "exp() of a large score is infinite, and 0 times infinity is not a number. Take the largest score off each row "
        "first: it changes no probability.",
        z=lambda v: v.logits,
        losses=times_one_hot,
        p=lambda v: np.exp(v.z) / np.exp(v.z).sum(-1, keepdims=True),
    ),
    wrong(
        "one maximum for all rows",
        "The largest score of the whole array is taken off here. In a row of much smaller scores every exp() becomes "
        "0: take off the largest of each row, with axis=-1 and keepdims=True.",
        z=lambda v: v.logits - v.logits.max(),
    ),
    wrong(
        "one maximum, and 0 over 0",
        "The largest score of the whole array is taken off here. In a row of much smaller scores every exp() becomes "
        "0, and 0 over 0 is not a number: take off the largest of each row, with axis=-1 and keepdims=True.",
        z=lambda v: v.logits - v.logits.max(),
        log_p=ratio,
    ),
    wrong(
        "one maximum, and 0 times infinity",
        "The largest score of the whole array is taken off here. In a row of much smaller scores every exp() becomes "
        "0, and the log of 0 is infinite: take off the largest of each row, with axis=-1 and keepdims=True.",
        z=lambda v: v.logits - v.logits.max(),
        losses=times_one_hot,
        p=lambda v: np.exp(v.z) / np.exp(v.z).sum(-1, keepdims=True),
    ),
    wrong(
        "the largest score not added back",
        "The largest score was taken off in the logarithm alone, log(sum(exp(z))), but not off the target's score: "
        "use the same z in both terms.",
        losses=lambda v: -(np.where(v.one_hot > 0, v.log_p + v.logits.max(-1, keepdims=True), 0)).sum(-1),
    ),
    wrong(
        "the sign of the loss",
        "The loss has the wrong sign: it is minus the log of the target's probability, log(sum(exp(z))) - z[target].",
        y=lambda v: -mean(v),
    ),
    wrong(
        "the log of a probability that became 0",
        "A very small probability is rounded to 0, and its log is minus infinity. Do not divide first: the loss is "
        "log(sum(exp(z))) - z[target].",
        losses=log_of_p,
    ),
    wrong(
        "a small number inside the log",
        "This is -log(p + 1e-9) or the like. It hides a probability that was rounded to 0, and caps the loss. "
        "Take log(sum(exp(z))) - z[target], which needs no such help.",
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
        "This is the log of the targets' mean probability. The loss is the mean of the logs: first the log, position "
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
        "The probabilities are taken along the first axis here. Those of one position add up to 1, over the tokens, "
        "the last axis.",
        z=lambda v: v.logits - v.logits.max(0),
        log_p=lambda v: log_softmax(v.z, 0),
    ),
    wrong(
        "softmax over axis 1",
        "The probabilities are taken along axis 1 here, which is the last one only where logits has two axes: axis=-1.",
        z=lambda v: v.logits - v.logits.max(1, keepdims=True),
        log_p=lambda v: log_softmax(v.z, 1),
    ),
    wrong(
        "softmax over everything",
        "The probabilities of all positions together add up to 1 here. Each position has its own sum, over the last "
        "axis: axis=-1 and keepdims=True.",
        log_p=lambda v: log_softmax(v.z, None),
    ),
    wrong(
        "one-hot forgotten",
        "The gradient is the probabilities alone. The target's score also makes the loss smaller: p, less 1 at the "
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
        "Only the target's score has a gradient here. The other scores are blamed too, each by its probability.",
        d=lambda v: (v.p - 1) * v.one_hot,
    ),
    wrong(
        "softmax forgotten on the way back",
        "This is -1/p at the target, the gradient of the probabilities. It has still to pass the softmax on its way "
        "to the scores.",
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
        losses=lambda v: -picked(v),
    ),
    wrong(
        "what is ignored, used as an index",
        "The targets pick a score each before those that are ignored have been set aside, and -100 is no index: put "
        "any valid token in their place first.",
        losses=lambda v: -picked(v) * v.counts,
    ),
    wrong(
        "ignore not used, with one-hot",
        "The targets that should be ignored are counted like all others.",
        counts=lambda v: np.ones(v.targets.shape, bool),
        one_hot=lambda v: (v.targets[..., None] == np.arange(v.logits.shape[-1])).astype(float),
    ),
    wrong(
        "ignore = 0 taken for no ignore",
        "With ignore = 0, targets that are 0 are counted here. 0 is a number like others, though `if ignore:` is false "
        "for it: `if ignore is not None`, and then targets != ignore.",
        counts=lambda v: v.targets != v.ignore if v.ignore else np.ones(v.targets.shape, bool),
        one_hot=lambda v: (np.where(v.counts, v.targets, 0)[..., None] == np.arange(v.logits.shape[-1])).astype(float),
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
