"""Wrong answers to to_bfloat16 that people really write."""

import types

import numpy as np

from ...grader.exercise import Mistake


def to_even(bits):
    """Half a step less a bit, and that bit where the pattern is odd."""
    return bits + 0x7FFF + ((bits >> 16) & 1)


# The steps of a right answer, on 64-bit integers, where nothing wraps round.
STEPS = types.SimpleNamespace(
    bits=lambda x: x.view(np.uint32).astype(np.int64),
    add=to_even,
    cut=lambda bits: bits >> 16,
    mend=lambda x, upper: np.where(np.isnan(x), 0x7FC0, upper),
    result=lambda upper: upper.astype(np.uint16),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def to_bfloat16(x):
        with np.errstate(all="ignore"):
            return do.result(do.mend(x, do.cut(do.add(do.bits(x)))))

    return Mistake(name, says, to_bfloat16)


def from_float16(x):
    """The other format of 16 bits."""
    with np.errstate(all="ignore"):
        return x.astype(np.float16).view(np.uint16)


def in_place(x):
    """Adds to a view."""
    nan = np.isnan(x)
    bits = x.view(np.uint32)
    bits += np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return np.where(nan, 0x7FC0, bits >> np.uint32(16)).astype(np.uint16)


def saturated(x, upper):
    """The largest number in the place of infinity."""
    upper = np.where((upper & 0x7FFF == 0x7F80) & np.isfinite(x), upper - 1, upper)
    return STEPS.mend(x, upper)


def flushed(x, upper):
    """Zero in the place of what is subnormal."""
    return STEPS.mend(x, np.where(upper & 0x7F80 == 0, upper & 0x8000, upper))


MISTAKES = (
    wrong(
        "cut off",
        "The lower 16 bits were cut off, which rounds every number towards zero. Add half a step first.",
        add=lambda bits: bits,
    ),
    wrong(
        "ties away from zero",
        "A number halfway between two always goes up here (0x8000 was added). Ties go to the pattern that is even, so "
        "that they do not all push the same way.",
        add=lambda bits: bits + 0x8000,
    ),
    wrong(
        "ties towards zero",
        "A number halfway between two always goes down here (0x7FFF was added). From an odd pattern it must go up.",
        add=lambda bits: bits + 0x7FFF,
    ),
    wrong(
        "ties to odd",
        "A number halfway between two goes to the odd pattern here. It is the last bit itself that is added to 0x7FFF, "
        "not its opposite.",
        add=lambda bits: bits + 0x8000 - ((bits >> 16) & 1),
    ),
    wrong(
        "always up",
        "Whatever is cut off, the pattern goes up (0xFFFF was added). Only what is more than half a step above does.",
        add=lambda bits: bits + 0xFFFF,
    ),
    wrong(
        "half of what is needed",
        "Only a quarter of a step was added (0x3FFF). Half a step is 0x8000: the highest of the 16 bits that go.",
        add=lambda bits: bits + 0x3FFF + ((bits >> 16) & 1),
    ),
    wrong(
        "lower half kept",
        "These are the lower 16 bits. Sign, exponent and the beginning of the fraction are the upper ones.",
        cut=lambda bits: bits & 0xFFFF,
    ),
    wrong(
        "cut at the wrong bit",
        "It is shifted by 13 bits, which leaves 10 of the fraction, as in float16. bfloat16 has 7: shift by 16.",
        add=lambda bits: bits + 0xFFF + ((bits >> 13) & 1),
        cut=lambda bits: bits >> 13,
        mend=lambda x, upper: np.where(np.isnan(x), 0x7FC0, upper & 0xFFFF),
    ),
    wrong(
        "value in place of bits",
        "The numbers were turned into integers: 1.9 becomes 1. x.view(np.uint32) reads the same bits as an integer.",
        bits=lambda x: np.where(np.isfinite(x), x, 0).astype(np.int64) & 0xFFFFFFFF,
    ),
    wrong(
        "sign lost",
        "The sign was lost: it is the highest of the bits, and comes along when the upper half is kept.",
        bits=lambda x: np.abs(x).view(np.uint32).astype(np.int64),
    ),
    Mistake(
        "float16", "These are the bits of float16: 5 of exponent, 10 of fraction. bfloat16 has 8 and 7.", from_float16
    ),
    wrong(
        "NaN forgotten",
        "A NaN is a fraction that is not 0, below an exponent of ones. When its bits are rounded, its sign stays, "
        "or they even become those of -0. Put 0x7FC0 there.",
        mend=lambda x, upper: upper,
    ),
    wrong(
        "NaN with its sign",
        "A NaN that has a sign keeps it here, as 0xFFC0. Every NaN becomes 0x7FC0.",
        mend=lambda x, upper: np.where(np.isnan(x), np.where(np.signbit(x), 0xFFC0, 0x7FC0), upper),
    ),
    wrong(
        "largest for infinity",
        "What lies beyond the largest number by half a step or more was held at the largest. It becomes infinite: the "
        "carry does that by itself.",
        mend=saturated,
    ),
    wrong(
        "subnormals flushed",
        "Numbers below 2^-126 were set to 0. bfloat16 has subnormal numbers as float32 has, and the same rounding is "
        "right for them.",
        mend=flushed,
    ),
    wrong(
        "float32 returned",
        "These are the rounded numbers. Asked for are their 16 bits, as uint16.",
        result=lambda upper: (upper.astype(np.uint32) << np.uint32(16)).view(np.float32),
    ),
    wrong(
        "not uint16",
        "The result is of another kind. Patterns are stored in 16 bits, as uint16: end with .astype(np.uint16).",
        result=lambda upper: upper,
    ),
    wrong(
        "not shifted",
        "The rounded bits are still in their upper places. Shift them down by 16.",
        cut=lambda bits: bits & 0xFFFF0000,
        mend=lambda x, upper: np.where(np.isnan(x), 0x7FC00000, upper),
        result=lambda upper: upper.astype(np.uint32),
    ),
    Mistake(
        "x changed in place",
        "x.view(np.uint32) is x itself under another name: += on it changes x. Write bits + ..., which is a new array.",
        in_place,
    ),
)
