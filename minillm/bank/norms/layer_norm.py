"""layer_norm, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import layer_norm_right, layer_norm_wrong


def draw(rng):
    """Numbers of several sizes in one to four axes, with the usual eps and with others; one row of them all alike."""
    shapes = [(2, 3, 5), (4, 7), (3,), (2, 1, 3, 4), (5, 2), (1, 6, 3), (2, 2, 9), (3, 1)]
    for i, shape in enumerate(shapes * 2):
        x = (1.0, 0.01, 10.0)[i % 3] * (rng.normal(size=shape) + rng.normal())
        if i == 1:
            x[0] = 2.0
        g, b = rng.normal(size=(2, shape[-1]))
        options = {"eps": float(rng.uniform(0.01, 2))} if i % 2 else {}
        yield Probe({"x": x, "g": g, "b": b}, rng.normal(size=shape), options)


def by_hand(x, dy, g=(1, 1), b=(0, 0), **options):
    """A probe that can be followed on paper."""
    arrays = {"x": np.array(x, float), "g": np.array(g, float), "b": np.array(b, float)}
    return Probe(arrays, np.array(dy, float), options)


EXERCISE = ThereAndBack(
    name="layer_norm",
    notebook="06_layer_norm",
    answer=layers.layer_norm,
    spec=specs.layer_norm,
    parts=(
        Part("y", 1, "equals the definition on {drawn} random arrays", shows=("x", "g", "b", "eps")),
        Part("dx", 2, "agrees with finite differences", shows=("x", "g", "dy", "eps")),
        Part("dg", 0.5, "agrees with finite differences", shows=("x", "dy", "eps")),
        Part("db", 0.5, "agrees with finite differences", shows=("dy",)),
        Part("arguments", 1, "x, g, b and dy are left alone, and all results are new", needs=("dx", "dg", "db")),
    ),
    by_hand=(
        by_hand([[1, 3]], [[1, 0]]),
        by_hand([[1, 3]], [[1, 0]], eps=3.0),  # the variance is 1, so that the root is 2
        by_hand([[5, 5]], [[1, 0]]),
        by_hand([[0, 3, 0]], [[1, 0, 0]], (1, 2, 3), (0, 0, 1), eps=2.0),  # the variance is 2
        by_hand([[1, 3], [7, 5]], [[1, 0], [0, 2]], (1, 2), (0, 1), eps=3.0),
    ),
    draw=draw,
    strain=(
        (
            by_hand([[1e6 + 0.1, 1e6 + 0.2, 1e6 + 0.4]], [[1, 0, 0]], (1, 1, 1), (0, 0, 0)),
            "For numbers far from 0, such as 1000000.1, y is off: a small difference of large numbers has lost its "
            "digits. mean(x**2) - mean(x)**2 is one; mean((x - mean)**2) is none. It costs no points.",
        ),
    ),
    mistakes=layer_norm_wrong.MISTAKES,
    right=layer_norm_right.ANSWERS,
    hints=(
        "xhat cannot change freely: whatever x does, each row of xhat keeps its mean of 0 and, but for eps, its "
        "variance of 1. So what would change one of the two comes to nothing, and is taken out of the gradient.",
        "Begin with dxhat, what y = g * xhat + b makes of dy. dx is rstd times dxhat, less two terms: one is the same "
        "for all channels of a row, the other points along xhat. g and b served every position: sum.",
        "Both terms are means over the channels: the mean of dxhat, and xhat times the mean of dxhat * xhat. dg is the "
        "sum of dy * xhat over all axes but the last, db the sum of dy.",
    ),
    lines=8,
    minutes=30,
    difficulty=3,
)
