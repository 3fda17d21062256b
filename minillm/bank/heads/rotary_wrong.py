"""Wrong answers to rotary that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def aligned(v):
    """The angles with as many axes as x, where each sequence has positions of its own."""
    angles = v.p[..., None] * v.speeds
    return angles.reshape(len(v.p), *(1,) * (v.x.ndim - 3), *angles.shape[1:]) if v.p.ndim == 2 else angles


def halves(v, z):
    """Pairs of channels i and i + K/2."""
    return z[..., : v.K // 2], z[..., v.K // 2 :]


def joined(v, one, two):
    """And back."""
    return np.concatenate([one, two], axis=-1)


def turned(v, one, two, sin):
    """Points that turn."""
    return one * v.cos - two * sin, two * v.cos + one * sin


# The steps of a right answer; v holds the arguments and what the steps before have made.
STEPS = {
    "p": lambda v: v.positions,
    "speeds": lambda v: float(v.base) ** (-2 * np.arange(v.K // 2) / v.K),
    "angles": aligned,
    "cos": lambda v: np.cos(v.angles),
    "sin": lambda v: np.sin(v.angles),
    "apart": lambda v: halves,
    "together": lambda v: joined,
    "y": lambda v: v.together(v, *turned(v, *v.apart(v, v.x), v.sin)),
}


def turned_back(v, dy):
    """The way back of a right answer."""
    return v.together(v, *turned(v, *v.apart(v, dy), -v.sin))


def wrong(name, says, back=turned_back, large=False, **steps):
    """The Mistake of an answer in which these steps are written differently."""

    def rotary(x, *, positions, base=10_000):
        v = types.SimpleNamespace(x=x, positions=positions, base=base, K=x.shape[-1])
        for step, right in STEPS.items():
            setattr(v, step, steps.get(step, right)(v))
        return v.y, lambda dy: back(v, dy)

    return Mistake(name, says, rotary, large)


def neighbours(v, z):
    """Pairs of channels 2 i and 2 i + 1."""
    return z[..., ::2], z[..., 1::2]


def interleaved(v, one, two):
    """And back."""
    return np.stack([one, two], axis=-1).reshape(*one.shape[:-1], v.K)


def overwritten(v):
    """The left half is turned, and the right half is computed from the new left half."""
    one, two = halves(v, v.x)
    one = one * v.cos - two * v.sin
    return joined(v, one, two * v.cos + one * v.sin)


def written_into(array, new):
    """new, written into an array, as a copy of it."""
    array[...] = new
    return np.array(array)


def turned_inside(array, new):
    """The array itself, which now holds new."""
    array[...] = new
    return array


def doubled(v):
    """Each angle twice in a row."""
    return np.repeat(v.angles, 2, axis=-1)


def half_turned(v, z):
    """Each point, turned by a quarter."""
    one, two = halves(v, z)
    return joined(v, -two, one)


MISTAKES = (
    wrong(
        "neighbours paired",
        "Channels 0 and 1 are a pair here, then 2 and 3. That is the pairing of the paper; ours is that of Llama, "
        "where channel i goes with channel i + K/2.",
        apart=lambda v: neighbours,
        together=lambda v: interleaved,
    ),
    wrong(
        "turned the other way",
        "The points turn clockwise here: the signs of sin are exchanged. (a, b) goes to (a cos - b sin, b cos + a "
        "sin).",
        sin=lambda v: -np.sin(v.angles),
    ),
    wrong(
        "all pairs at one speed",
        "All pairs turn equally fast here. Pair i turns at the speed base ** (-2 i / K): the first quickly, the last "
        "slowly.",
        speeds=lambda v: np.ones(v.K // 2),
    ),
    wrong(
        "speeds of base ** (-i / K)",
        "The speeds are base ** (-i / K) here: the 2 is missing. Pair i turns at base ** (-2 i / K).",
        speeds=lambda v: float(v.base) ** (-np.arange(v.K // 2) / v.K),
    ),
    wrong(
        "K/2 for K in the exponent",
        "The exponent is -2 i / (K/2) here. Pair i turns at base ** (-2 i / K), where K is the number of channels, not "
        "of pairs.",
        speeds=lambda v: float(v.base) ** (-4 * np.arange(v.K // 2) / v.K),
    ),
    wrong(
        "pairs counted from 1",
        "The pairs are counted from 1 here. Pair 0 is the fastest, with the speed 1.",
        speeds=lambda v: float(v.base) ** (-2 * np.arange(1, v.K // 2 + 1) / v.K),
    ),
    wrong(
        "// in the exponent",
        "The exponent is rounded down by //. It is a fraction: -2 i / K.",
        speeds=lambda v: float(v.base) ** (-2 * np.arange(v.K // 2) // v.K),
    ),
    wrong(
        "angles repeated for neighbours",
        "Channel i goes with channel i + K/2 here, and the angles are laid out for neighbours, each twice in a row. "
        "They must come as the pairs do: all K/2 of them, and then all again.",
        y=lambda v: v.x * np.cos(doubled(v)) + half_turned(v, v.x) * np.sin(doubled(v)),
        back=lambda v, dy: dy * np.cos(doubled(v)) - half_turned(v, dy * np.sin(doubled(v))),
    ),
    wrong(
        "speeds that grow",
        "The speeds are base ** (+2 i / K) here. They fall from 1: the exponent is negative.",
        speeds=lambda v: float(v.base) ** (2 * np.arange(v.K // 2) / v.K),
    ),
    wrong(
        "the slow pair first",
        "The speeds come in reverse order: pair 0 is the fastest, with the speed 1.",
        speeds=lambda v: (float(v.base) ** (-2 * np.arange(v.K // 2) / v.K))[::-1],
    ),
    wrong(
        "a base of its own",
        "The base that is handed in is not used: 10,000 is written into the code.",
        speeds=lambda v: 10_000.0 ** (-2 * np.arange(v.K // 2) / v.K),
    ),
    wrong(
        "positions counted anew",
        "The positions that are handed in are not used: this counts 0, 1, 2, ... itself. When a model writes with a "
        "cache, or a prompt is padded, a sequence does not begin at 0.",
        p=lambda v: np.arange(v.x.shape[-2]),
    ),
    wrong(
        "positions from 1",
        "Every position is one too large. Scores between queries and keys do not notice, since only differences count; "
        "but position 0 does not turn.",
        p=lambda v: v.positions + 1,
    ),
    wrong(
        "positions from the first one on",
        "The first position is taken off all of them, so that every sequence begins at 0. Take the positions as they "
        "are.",
        p=lambda v: v.positions - v.positions[..., :1],
    ),
    wrong(
        "positions of the first sequence for all",
        "Where each sequence has its own positions, (B, T), those of the first serve all of them here.",
        p=lambda v: v.positions if v.positions.ndim == 1 else v.positions[0],
    ),
    wrong(
        "angles along the wrong axis",
        "With positions of (B, T) the angles are (B, T, K/2), and x is (B, H, T, K): NumPy lines the axes up from the "
        "right, so that B meets the heads. Axes of length 1 must go between B and T.",
        angles=lambda v: v.p[..., None] * v.speeds,
        large=True,
    ),
    wrong(
        "one axis more whatever x has",
        "Positions of (B, T) get one axis more, whatever x has. It needs one for (B, H, T, K), and none for (B, T, K).",
        angles=lambda v: (v.p[:, None] if v.p.ndim == 2 else v.p)[..., None] * v.speeds,
    ),
    wrong(
        "degrees",
        "The angles are taken as degrees here. They are radians already: np.cos takes them as they are.",
        cos=lambda v: np.cos(np.deg2rad(v.angles)),
        sin=lambda v: np.sin(np.deg2rad(v.angles)),
    ),
    wrong(
        "the new left half for the right one",
        "The right half is computed from the left half that has turned already. Both need the halves as they came.",
        y=overwritten,
    ),
    wrong(
        "stretched, not turned",
        "Both halves get the same sign: a cos + b sin, b cos + a sin. That is no turn, and lengths change; one of the "
        "two needs a minus.",
        y=lambda v: (lambda one, two: joined(v, one * v.cos + two * v.sin, two * v.cos + one * v.sin))(*halves(v, v.x)),
        back=lambda v, dy: (lambda one, two: joined(v, one * v.cos + two * v.sin, two * v.cos + one * v.sin))(
            *halves(v, dy)
        ),
    ),
    wrong(
        "turned further on the way back",
        "On the way back the gradient is turned by the same angle, in the same direction. A turn is undone by turning "
        "back: by the opposite angle.",
        back=lambda v, dy: joined(v, *turned(v, *halves(v, dy), v.sin)),
    ),
    wrong(
        "not turned on the way back",
        "dx is dy here, as if nothing had turned.",
        back=lambda v, dy: np.array(dy),
    ),
    wrong(
        "cos alone on the way back",
        "On the way back each number is multiplied by cos alone. Each channel also went, times sin, into the other "
        "channel of its pair, and is blamed there too.",
        back=lambda v, dy: joined(v, *(half * v.cos for half in halves(v, dy))),
    ),
    wrong(
        "y for dy on the way back",
        "dx is made from y here. What is turned back is the gradient dy.",
        back=lambda v, dy: turned_back(v, v.y),
    ),
    wrong(
        "x changed in place",
        "x is written into. It belongs to whoever gave it.",
        y=lambda v: written_into(v.x, v.together(v, *turned(v, *v.apart(v, v.x), v.sin))),
    ),
    wrong(
        "x turned in place and returned",
        "x is written into, and returned as y. It belongs to whoever gave it: make a new array.",
        y=lambda v: turned_inside(v.x, v.together(v, *turned(v, *v.apart(v, v.x), v.sin))),
    ),
    wrong(
        "dy turned in place and returned",
        "dy is written into, and returned as dx. Whoever gave it still needs it: make a new array.",
        back=lambda v, dy: turned_inside(dy, turned_back(v, dy)),
    ),
    wrong(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        back=lambda v, dy: written_into(dy, turned_back(v, dy)),
    ),
)
