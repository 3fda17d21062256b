"""rotary, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import rotary_right, rotary_wrong


def by_hand(x, dy, positions, **options):
    """A probe that can be followed on paper; with base 1 all pairs turn equally fast."""
    positions = np.array(positions)
    label = f"positions = {positions.tolist()}"
    return Probe({"x": np.array(x, float)}, np.array(dy, float), {"positions": positions, **options}, label=label)


def draw(rng):
    """Two to four axes, positions for all sequences or for each, in order and not, with the usual base and others."""
    shapes = [(2, 3, 5, 6), (1, 2, 4, 2), (3, 4, 8), (5, 4), (2, 2, 3, 10), (2, 1, 6, 4)]
    for i, shape in enumerate(shapes * 2):
        own = len(shape) > 2 and i % 2 == 1
        positions = rng.integers(0, 40, size=(shape[0], shape[-2]) if own else shape[-2])
        options = {"base": float(rng.uniform(2, 500))} if i % 3 else {}
        x, dy = rng.normal(size=(2, *shape))
        yield Probe({"x": x}, dy, {"positions": positions, **options}, label=f"positions {positions.shape}")


EXERCISE = ThereAndBack(
    name="rotary",
    notebook="05_heads",
    answer=layers.rotary,
    spec=specs.rotary,
    parts=(
        Part("y", 1.5, "equals the definition for {drawn} random arrays", shows=("x", "base")),
        Part("dx", 1.5, "agrees with finite differences", shows=("x", "dy", "base")),
        Part("arguments", 1, "are left alone, and all results are new", needs=("dx",)),
    ),
    by_hand=(
        by_hand([[[1, 0]]], [[[1, 0]]], [1]),  # one pair: it turns by one radian
        by_hand([[[0, 1]]], [[[0, 1]]], [2]),
        by_hand([[[1, 0], [1, 0]]], [[[1, 0], [0, 1]]], [0, 3]),
        by_hand([[[1, 2, 0, 0]]], [[[1, 1, 0, 0]]], [2], base=4.0),  # pair 0 by 2 radians, pair 1 by 1
        by_hand([[[1, 0, 0, 0]]], [[[1, 1, 0, 0]]], [1], base=4.0),
        by_hand([[[1, 0]], [[1, 0]]], [[[1, 0]], [[1, 0]]], [[1], [2]]),
        by_hand([[[1, 0], [1, 0]]] * 2, [[[1, 0], [0, 1]]] * 2, [[0, 1], [2, 3]]),
    ),
    draw=draw,
    mistakes=rotary_wrong.MISTAKES,
    right=rotary_right.ANSWERS,
    hints=(
        "Cut the channels in two halves, left and right. Number i of the left half and number i of the right half are "
        "a pair, a point in the plane; a point (a, b) that turns by an angle goes to (a cos - b sin, b cos + a sin).",
        "The angles are positions times speeds, and speeds is an array of K/2 numbers, base ** (-2 i / K). With "
        "positions[..., None] the product is (T, K/2) or (B, T, K/2); for the latter, axes of length 1 must go between "
        "B and T until it has as many axes as x. On the way back the same points turn by the opposite angle.",
        "cos, sin = np.cos(angles), np.sin(angles); y is np.concatenate([left * cos - right * sin, right * cos + left "
        "* sin], -1). dx is the same with dy in the place of x and -sin in the place of sin.",
    ),
    lines=14,
    minutes=25,
    difficulty=3,
)
