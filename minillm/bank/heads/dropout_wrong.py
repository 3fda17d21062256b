"""Wrong answers to dropout that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def check(v):
    """A rate that is none."""
    if not 0 <= v.rate < 1:
        raise ValueError(f"rate {v.rate}")


# The steps of a right answer; v holds x, rate, rng, dy and what the steps before have made.
STEPS = {
    "check": check,
    "nothing": lambda v: v.rate == 0,
    "keep": lambda v: v.rng.random(v.x.shape) >= v.rate,
    "scale": lambda v: 1 / (1 - v.rate),
    "y": lambda v: v.x * (v.keep * v.scale),
}


def same_mask(v):
    """The way back of a right answer."""
    return v.dy * (v.keep * v.scale)


def wrong(name, says, dx=same_mask, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = STEPS | steps

    def dropout(x, *, rate, rng):
        v = types.SimpleNamespace(x=x, rate=rate, rng=rng)
        do["check"](v)
        if do["nothing"](v):
            return np.array(x), lambda dy: np.array(dy)
        for name in ("keep", "scale", "y"):
            setattr(v, name, do[name](v))

        def backward(dy):
            v.dy = dy
            return dx(v)

        return v.y, backward

    return Mistake(name, says, dropout)


def written_into(array, new):
    """new, written into an array, as a copy of it."""
    array[...] = new
    return np.array(array)


LAST = {}


def remembered(v):
    """A mask that is kept in one place for all calls."""
    LAST["keep"] = v.rng.random(v.x.shape) >= v.rate
    return LAST["keep"]


# A source of chance that is not the one which was handed in.
own = np.random.default_rng(12345)


def exactly(v):
    """A mask that drops a number of places that is no chance."""
    keep = np.ones(v.x.size, bool)
    keep[v.rng.permutation(v.x.size)[: round(v.rate * v.x.size)]] = False
    return keep.reshape(v.x.shape)


def quotient(v):
    """y by a mask that is divided as an array, so that a rate of 1 raises nothing."""
    with np.errstate(all="ignore"):
        return v.x * (v.keep / (1 - v.rate))


def asserted(v):
    """The rate, checked in a way that raises another exception."""
    if not 0 <= v.rate < 1:
        raise AssertionError


MISTAKES = (
    wrong(
        "not rescaled",
        "What is kept stays as it is, so that the expected value shrinks by the factor 1 - rate, and later, without "
        "dropout, everything is larger than in training. What is kept must grow: divide by 1 - rate.",
        scale=lambda v: 1.0,
    ),
    wrong(
        "rescaled by the rate",
        "What is kept is divided by the rate. It is divided by the share that is kept, 1 - rate.",
        scale=lambda v: 1 / v.rate,
    ),
    wrong(
        "shrunk, not grown",
        "What is kept is multiplied by 1 - rate. That shrinks it a second time; it is divided by 1 - rate.",
        scale=lambda v: 1 - v.rate,
    ),
    wrong(
        "rate taken for the share that is kept",
        "The rate is taken for the probability of being kept here. It is the probability of being dropped.",
        keep=lambda v: v.rng.random(v.x.shape) < v.rate,
        scale=lambda v: 1 / v.rate,
    ),
    wrong(
        "the kept and the dropped exchanged",
        "The comparison is the wrong way round: a part as large as the rate is kept, and the rest dropped.",
        keep=lambda v: v.rng.random(v.x.shape) < v.rate,
    ),
    wrong(
        "normal numbers for the mask",
        "The mask is drawn with rng.normal or rng.standard_normal, and then compared with the rate: not the right part "
        "of those lies below it. rng.random gives numbers from 0 to 1, all equally likely.",
        keep=lambda v: v.rng.standard_normal(v.x.shape) >= v.rate,
    ),
    wrong(
        "a new mask on the way back",
        "The way back draws a mask of its own. Blame must go where the numbers went: use the mask of the way there.",
        dx=lambda v: v.dy * (v.rng.random(v.x.shape) >= v.rate) * v.scale,
    ),
    wrong(
        "no mask on the way back",
        "dx is dy here. What was dropped had no part in y, so it gets no blame, and what was kept was multiplied.",
        dx=lambda v: np.array(v.dy),
    ),
    wrong(
        "not rescaled on the way back",
        "On the way back the mask is there, and the factor 1 / (1 - rate) is not. y = factor * x, so dx = factor * dy.",
        dx=lambda v: v.dy * v.keep,
    ),
    wrong(
        "rescaled and not masked on the way back",
        "On the way back everything is multiplied by 1 / (1 - rate), and nothing is dropped. What was dropped gets no "
        "blame.",
        dx=lambda v: v.dy * v.scale,
    ),
    wrong(
        "dx for the dropped",
        "On the way back the mask is the wrong way round: what was dropped is blamed, and what was kept is not.",
        dx=lambda v: v.dy * (~v.keep * v.scale),
    ),
    wrong(
        "rescaled twice on the way back",
        "On the way back the factor 1 / (1 - rate) is there twice. Once is right.",
        dx=lambda v: v.dy * (v.keep * v.scale**2),
    ),
    wrong(
        "one mask for every row",
        "The mask has the size of the last axis, and NumPy lays it over every row: all positions lose the same "
        "channels. Each number has a chance of its own: draw x.shape of them.",
        keep=lambda v: np.broadcast_to(v.rng.random(v.x.shape[-1]) >= v.rate, v.x.shape),
    ),
    wrong(
        "whole rows",
        "Whole rows are dropped or kept here. Each number has a chance of its own: draw x.shape of them.",
        keep=lambda v: np.broadcast_to(
            v.rng.random((*v.x.shape[:-1], 1) if v.x.ndim > 1 else v.x.shape) >= v.rate, v.x.shape
        ),
    ),
    wrong(
        "one draw for each row",
        "There is one draw for each row here, which is dropped or kept whole. Each number has a chance of its own: "
        "draw x.shape of them.",
        keep=lambda v: np.broadcast_to(v.rng.random((*v.x.shape[:-1], 1)) >= v.rate, v.x.shape),
    ),
    wrong(
        "one draw for all",
        "There is one draw here, and all numbers are dropped or kept together. Each has a chance of its own: draw "
        "x.shape of them.",
        keep=lambda v: np.full(v.x.shape, v.rng.random() >= v.rate),
    ),
    wrong(
        "half of them whatever the rate",
        "Half of the numbers are dropped, whatever the rate is.",
        keep=lambda v: v.rng.integers(0, 2, v.x.shape) == 1,
    ),
    wrong(
        "an exact number",
        "Exactly so many numbers are dropped as the rate says. Each has a chance of its own, so that their number is "
        "chance, too.",
        keep=exactly,
    ),
    wrong(
        "the mask read off y",
        "The way back reads the mask off y. Where x is 0 y is 0, too, though it may have been kept. Keep the mask.",
        dx=lambda v: v.dy * (v.y != 0) * v.scale,
    ),
    wrong(
        "a seed of its own",
        "The mask is drawn from a generator that is made here with a fixed seed, so that every call drops the same. "
        "Draw from rng.",
        keep=lambda v: np.random.default_rng(0).random(v.x.shape) >= v.rate,
    ),
    wrong(
        "chance from elsewhere",
        "The mask is drawn from np.random, or from another generator than rng: the same seed does not give the same "
        "run again. Draw from rng.",
        keep=lambda v: own.random(v.x.shape) >= v.rate,
    ),
    wrong(
        "the mask of the last call",
        "The mask is kept where every call writes its own. If the layer is called again before backward runs, as in a "
        "model of several layers, the way back finds the wrong one.",
        keep=remembered,
        dx=lambda v: v.dy * (LAST["keep"] * v.scale),
    ),
    wrong(
        "any rate",
        "A rate of 1 or more, or below 0, is taken as it is. It must be a ValueError: nothing can make up for dropping "
        "everything.",
        check=lambda v: None,
    ),
    wrong(
        "any rate and nan",
        "A rate of 1 or more, or below 0, is taken as it is, and at 1 nan comes out. It must be a ValueError.",
        check=lambda v: None,
        scale=lambda v: 1.0,
        y=quotient,
        dx=lambda v: v.dy * (v.keep / (1 - v.rate)),
    ),
    wrong(
        "any rate and zeros",
        "A rate of 1 or more, or below 0, is taken as it is, and at 1 everything is dropped. It must be a ValueError.",
        check=lambda v: None,
        scale=lambda v: 1 / (1 - v.rate) if v.rate != 1 else 0.0,
    ),
    wrong(
        "a rate of 1",
        "A rate of 1 is taken as it is, and everything is dropped. It must be a ValueError, like a rate below 0.",
        check=lambda v: check(v) if v.rate != 1 else None,
        scale=lambda v: 1 / (1 - v.rate) if v.rate != 1 else 0.0,
    ),
    wrong(
        "an assertion",
        "The rate is checked by assert, which raises an AssertionError, and does not run under python -O. Raise a "
        "ValueError.",
        check=asserted,
    ),
    wrong(
        "rng needed at rate 0",
        "At rate 0 something is drawn all the same, and rng may be None there: without dropout nobody needs chance.",
        nothing=lambda v: False,
    ),
    wrong(
        "dropped when they are small",
        "What is small is dropped here, or what is first. It is chance that decides, and not what a number is.",
        keep=lambda v: v.x >= np.quantile(v.x, v.rate),
    ),
    wrong(
        "x changed in place",
        "x is written into. It belongs to whoever gave it, and may flow on past this layer.",
        y=lambda v: written_into(v.x, v.x * (v.keep * v.scale)),
    ),
    wrong(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        dx=lambda v: written_into(v.dy, same_mask(v)),
    ),
)
