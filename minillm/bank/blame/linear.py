"""linear, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import linear_right, linear_wrong


def draw(rng):
    """One to four axes, and as many channels out as in, or more, or fewer."""
    shapes = [(4, 7, 3), (2, 3, 5, 4), (3, 2), (5, 4, 4), (2, 2, 3, 3), (1, 6, 1), (6, 1, 5), (2, 1, 2, 3, 4)]
    for *n, C, F in shapes * 2:
        x, w, b = rng.normal(size=(*n, C)), rng.normal(size=(C, F)), rng.normal(size=F)
        yield Probe({"x": x, "w": w, "b": b}, rng.normal(size=(*n, F)))


def by_hand(x, w, b, dy):
    """A probe that can be followed on paper."""
    floats = lambda numbers: np.array(numbers, float)
    return Probe({"x": floats(x), "w": floats(w), "b": floats(b)}, floats(dy))


EXERCISE = ThereAndBack(
    name="linear",
    notebook="03_gradients",
    answer=layers.linear,
    spec=specs.linear,
    parts=(
        Part("y", 1, "equals the definition on {drawn} random arrays", shows=("x", "w", "b")),
        Part("dx", 1, "agrees with finite differences", shows=("w", "dy")),
        Part("dw", 1, "agrees with finite differences", shows=("x", "dy")),
        Part("db", 0.5, "agrees with finite differences", shows=("dy",)),
        Part("arguments", 0.5, "x, w, b and dy are left alone, and all results are new", needs=("dx", "dw", "db")),
    ),
    by_hand=(
        by_hand([[1, 2]], [[1, 3], [0, 1]], [10, 20], [[1, 2]]),
        by_hand([[1, 2], [3, 0]], [[1, 3], [0, 1]], [10, 20], [[1, 0], [2, 1]]),
        by_hand([[1, 2]], [[1], [3]], [5], [[2]]),
        by_hand([[[1], [2]], [[3], [4]]], [[2]], [1], [[[1], [0]], [[2], [1]]]),
        by_hand([[[1, 2]], [[3, 4]]], [[2], [1]], [1], [[[1]], [[2]]]),
        by_hand([1, 2], [[1, 3], [0, 1]], [10, 20], [1, 2]),
    ),
    draw=draw,
    mistakes=linear_wrong.MISTAKES,
    right=linear_right.ANSWERS,
    hints=(
        "Ask of each number of x, of w and of b: which numbers of y did it go into, and with what factor? Its gradient "
        "is the sum of dy over those, each times its factor.",
        "Make every position a row: x becomes (N, C) and dy (N, F). Then dx is dy times w turned on its side, and dw "
        "is x turned on its side times dy. The shapes leave no other choice.",
        "dx = (rows of dy) @ w.T, brought back to the shape of x; dw = (rows of x).T @ (rows of dy); db = the sum of "
        "the rows of dy. The rows are those of reshape(-1, C) and reshape(-1, F).",
    ),
    lines=9,
    minutes=20,
    difficulty=2,
)
