"""ffn, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import gpt, specs
from ...config import Config
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import ffn_right, ffn_wrong


def meaning(x, p, *, config):
    """What the feed-forward layer is, in loops."""
    activation = {
        "gelu_tanh": specs.gelu,
        "gelu": lambda u: specs.gelu(u, approximate="none"),
        "relu": specs.relu,
    }[config.activation]
    return specs.linear(activation(specs.linear(x, p["w_up"], p["b_up"])), p["w_down"], p["b_down"])


def probe(x, w_up, b_up, w_down, b_down, dy, activation):
    """What is asked with these arrays."""
    p = {"w_up": w_up, "b_up": b_up, "w_down": w_down, "b_down": b_down}
    arrays = {"x": np.array(x, float), "p": {name: np.array(a, float) for name, a in p.items()}}
    config = Config(width=arrays["x"].shape[-1], n_head=1, ffn_width=len(b_up), activation=activation)
    return Probe(arrays, np.array(dy, float), {"config": config}, label=f"activation {activation}:")


def draw(rng):
    """All three activations, in sizes of which no two are alike."""
    for i, (B, T, C, F) in enumerate([(2, 3, 4, 7), (1, 5, 2, 3), (3, 2, 5, 4), (2, 4, 3, 8)] * 3):
        normal = lambda *shape: rng.normal(size=shape)
        activation = ("gelu_tanh", "relu", "gelu")[i % 3]
        yield probe(normal(B, T, C), normal(C, F), normal(F), normal(F, C), normal(C), normal(B, T, C), activation)


EYE = ((1, 0), (0, 1))
SHOWN = ("x", "p")

EXERCISE = ThereAndBack(
    name="ffn",
    notebook="07_feed_forward",
    answer=gpt.ffn,
    spec=meaning,
    parts=(
        Part("y", 1, "equals the definition for {drawn} random arrays", shows=SHOWN),
        Part("dx", 1.5, "agrees with finite differences", shows=(*SHOWN, "dy")),
        Part("dp", 1.5, "agrees with finite differences", shows=(*SHOWN, "dy")),
        Part("arguments", 1, "are left alone, and all results are new", needs=("dx", "dp")),
    ),
    by_hand=(
        # one channel, one neuron: y = 3 relu(2 x + 1) - 1, where it fires and where it does not
        probe([[[1]]], [[2]], [1], [[3]], [-1], [[[1]]], "relu"),
        probe([[[-1]]], [[2]], [1], [[3]], [-1], [[[1]]], "relu"),
        # two positions, so that what both used is blamed twice
        probe([[[1], [2]]], [[2]], [1], [[3]], [-9], [[[1], [1]]], "relu"),
        probe([[[1]]], [[1]], [0.5], [[2]], [0], [[[1]]], "gelu"),
        probe([[[1]]], [[1]], [0.5], [[2]], [0], [[[1]]], "gelu_tanh"),
    ),
    draw=draw,
    mistakes=ffn_wrong.MISTAKES,
    right=ffn_right.ANSWERS,
    hints=(
        "There are three steps on the way there, and each keeps the promise: linear, activation, linear. So the way "
        "back is three calls, in reverse order.",
        "layers.linear(x, w, b) gives you y and a function that returns dx, dw, db. Keep the three functions, and let "
        "dy walk through them: down, activation, up. The two linear ones drop off gradients for p on the way.",
        "dh, dw_down, db_down = back_down(dy); du = back_activation(dh); dx, dw_up, db_up = back_up(du); and the "
        "second result is a dict with the keys of p.",
    ),
    lines=10,
    minutes=20,
    difficulty=2,
)
