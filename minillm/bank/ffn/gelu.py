"""gelu, there and back, in both forms: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import gelu_right, gelu_wrong


def probe(x, dy, approximate):
    """What is asked of one form; "tanh" is what comes if nothing is said."""
    options = {} if approximate is None else {"approximate": approximate}
    label = "" if approximate is None else f'approximate="{approximate}":'
    return Probe({"x": np.array(x, float)}, np.array(dy, float), options, label=label)


def draw(rng):
    """Numbers small and large, in one to four axes, in both forms; now and then one that is exactly 0."""
    for i, shape in enumerate([(2, 3, 5), (7,), (4, 2), (1, 2, 3, 2)] * 3):
        x = (1.0, 3.0, 0.1)[i % 3] * rng.normal(size=shape)
        x.flat[0] *= i % 4 > 0
        yield probe(x, rng.normal(size=shape), ("none", "tanh", None)[i % 3])


EXERCISE = ThereAndBack(
    name="gelu",
    notebook="07_feed_forward",
    answer=layers.gelu,
    spec=specs.gelu,
    parts=(
        Part("y", 1, "equals the definition on {drawn} random arrays, in both forms", shows=("x",)),
        Part("dx", 2, "agrees with finite differences", shows=("x", "dy")),
        Part("arguments", 1, "x and dy are left alone, and all results are new", needs=("dx",)),
    ),
    by_hand=(
        probe([0, 1, -1], [1, 1, 1], "none"),
        probe([0, 1, -1], [1, 1, 1], "tanh"),
        probe([0, 2, -2], [1, 2, 1], None),
        probe([2.5, -0.5], [1, 3], "none"),
        probe([30, -30], [1, 1], "tanh"),  # where exp(u) is too large for any number
    ),
    draw=draw,
    mistakes=gelu_wrong.MISTAKES,
    right=gelu_right.ANSWERS,
    hints=(
        "y is a product of two things that both depend on x: x itself, and the share of the bell curve below it. The "
        "product rule gives the slope as a sum of two terms, one for each.",
        "The slope is cdf + x * pdf, where pdf is the slope of cdf. In the exact form pdf is the bell curve itself, "
        "exp(-x * x / 2) / sqrt(2 * pi). In the other form it comes from the chain rule through tanh.",
        "With u = sqrt(2 / pi) * (x + 0.044715 * x**3) and t = tanh(u), the slope of t in u is 1 - t * t, and the "
        "slope of u in x is sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x). pdf is half of their product.",
    ),
    lines=14,
    minutes=25,
    difficulty=2,
)
