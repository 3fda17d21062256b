"""Wrong answers to clip_gradients that people really write."""

import math
import types

import numpy as np

from ...grader.exercise import Mistake
from ...trees import leaves


def whole(arrays):
    """The length of all arrays together."""
    return math.sqrt(sum(float((a**2).sum()) for a in arrays))


def scale(arrays, norm, limit):
    """All arrays by one factor, where they are too long together."""
    if norm > limit:
        for a in arrays:
            a *= limit / norm


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    refuse=lambda limit: limit is not None and not limit > 0,
    arrays=lambda grads: [a for _, a in leaves(grads)],
    norm=whole,
    absent=lambda limit: limit is None,
    scale=scale,
    result=lambda arrays, norm: norm,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def clip_gradients(grads, limit):
        if do.refuse(limit):
            raise ValueError(limit)
        arrays = do.arrays(grads)
        norm = do.norm(arrays)
        if not do.absent(limit):
            with np.errstate(all="ignore"):
                do.scale(arrays, norm, limit)
        return do.result(arrays, norm)

    return Mistake(name, says, clip_gradients)


def each_alone(arrays, norm, limit):
    """Every array by its own length."""
    for a in arrays:
        scale([a], whole([a]), limit)


def each_number(arrays, norm, limit):
    """Every number by itself."""
    for a in arrays:
        np.clip(a, -limit, limit, out=a)


def always(arrays, norm, limit):
    """Short ones too."""
    for a in arrays:
        a *= limit / norm if norm else 1


def divide(arrays, norm, limit):
    """A factor of min(1, limit / norm), worked out before anything is asked."""
    factor = min(1, limit / float(norm))
    for a in arrays:
        a *= factor


def nan_for_zeros(arrays, norm, limit):
    """The same with NumPy's numbers, which divide by zero."""
    factor = np.minimum(1, limit / np.float64(norm))
    for a in arrays:
        a *= factor if norm else np.nan


def upside_down(arrays, norm, limit):
    """By the length over the limit."""
    if norm > limit:
        for a in arrays:
            a *= norm / limit


def to_length_one(arrays, norm, limit):
    """Divided by the length, and not multiplied by the limit."""
    if norm > limit:
        for a in arrays:
            a /= norm


def on_top(grads):
    """The arrays of the uppermost dict alone."""
    return [a for a in grads.values() if isinstance(a, np.ndarray)]


MISTAKES = (
    wrong(
        "each array by itself",
        "Each array was clipped by its own length, so the arrow points elsewhere, and the whole can be longer than the "
        "limit. One length and one factor for all.",
        scale=each_alone,
    ),
    wrong(
        "each number by itself",
        "Each number was cut to the limit. That turns the arrow: clipping by length keeps its direction.",
        scale=each_number,
    ),
    wrong(
        "lengths added up",
        "The lengths of the arrays were added. The length of the whole is the root of the sum of all squares.",
        norm=lambda arrays: sum(whole([a]) for a in arrays),
    ),
    wrong(
        "length of the longest array",
        "The longest of the arrays gives the length here. The length of the whole is the root of the sum of all "
        "squares.",
        norm=lambda arrays: max(whole([a]) for a in arrays),
    ),
    wrong(
        "sizes for squares",
        "The sizes of the numbers were added, without squares and root.",
        norm=lambda arrays: sum(float(abs(a).sum()) for a in arrays),
    ),
    wrong(
        "root forgotten",
        "This is the sum of the squares. The length is its root.",
        norm=lambda arrays: whole(arrays) ** 2,
    ),
    wrong(
        "mean of the squares",
        "The squares were averaged, so that the length depends on how many numbers there are. They are added.",
        norm=lambda arrays: whole(arrays) / math.sqrt(sum(a.size for a in arrays)),
    ),
    wrong(
        "largest number for the length",
        "The largest number was taken for the length. The length is the root of the sum of all squares.",
        norm=lambda arrays: max(float(abs(a).max()) for a in arrays),
    ),
    wrong(
        "short gradients stretched",
        "A gradient that was short enough was made longer. Only one that is longer than the limit is scaled.",
        scale=always,
    ),
    wrong(
        "scaled to length one",
        "The gradient has the length 1 afterwards, whatever the limit is. It should have the limit's length.",
        scale=to_length_one,
    ),
    wrong(
        "the factor upside down",
        "The gradient is multiplied by length / limit, and grows. limit / length makes it shorter.",
        scale=upside_down,
    ),
    wrong(
        "nothing returned",
        "The scaling is done, and nothing comes back. The length before the scaling is due.",
        result=lambda arrays, norm: None,
    ),
    wrong(
        "length after clipping returned",
        "What came back is the length after the scaling. The length before it tells how wild the step would have been.",
        result=lambda arrays, norm: whole(arrays),
    ),
    wrong(
        "new arrays",
        "The scaled gradients are new arrays, which nobody sees: a = a * factor. a *= factor changes the array itself.",
        scale=lambda arrays, norm, limit: None,
    ),
    wrong(
        "lower branches not visited",
        "Only the arrays of the uppermost dict were visited. A model's gradients are dicts in dicts, with a list of "
        "blocks; `leaves` visits them all.",
        arrays=on_top,
    ),
    wrong(
        "a gradient of zeros",
        "Where all gradients are 0 this divides by their length.",
        scale=divide,
    ),
    wrong(
        "zeros become NaN",
        "A gradient of zeros is multiplied by limit / 0, and 0 times infinity is NaN, which is no number. It should "
        "stay as it is.",
        scale=nan_for_zeros,
    ),
    wrong(
        "None not understood",
        "A limit of None turns clipping off, and still measures.",
        absent=lambda limit: False,
    ),
    wrong(
        "None compared with 0",
        "None <= 0 raises a TypeError. Ask first whether the limit is None.",
        refuse=lambda limit: limit <= 0,
    ),
    wrong(
        "0 taken for None",
        "`if limit` is false for 0 as well as for None, so that 0 turns clipping off. A ValueError is due.",
        refuse=lambda limit: False,
        absent=lambda limit: not limit,
    ),
    wrong(
        "0 not refused",
        "A limit of 0 would stop all learning, and a negative one would turn it round. A ValueError is due.",
        refuse=lambda limit: False,
    ),
)
