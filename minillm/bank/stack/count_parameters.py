"""count_parameters: what it is asked, and what each part is worth."""

import numpy as np

from ... import gpt, trees
from ...counts import count_parameters
from ...grader.exercise import Part
from ...grader.values import Values
from . import count_parameters_right, count_parameters_wrong
from .models import asked, drawn


def meaning(config):
    """The arrays of a model that is really made, one by one."""
    sizes = dict.fromkeys(("embedding", "projections", "ffn", "norms", "output"), 0)
    for path, a in trees.leaves(gpt.init(config, np.random.default_rng(0))):
        part = "projections" if ".attn." in path else "ffn" if ".ffn." in path else "norms" if "norm" in path else None
        sizes[part or ("output" if path == "unembed" else "embedding")] += a.size
    return sizes | {"total": sum(sizes.values())}


def draw(rng):
    """Models as GPT-2 is one, of other sizes, and then of every kind."""
    yield from (asked("as GPT-2", **drawn(rng, usual=True)) for _ in range(6))
    yield from (asked("variants", **drawn(rng, usual=False)) for _ in range(14))


EXERCISE = Values(
    name="count_parameters",
    notebook="08_gpt",
    answer=count_parameters,
    spec=meaning,
    parts=(
        Part("as GPT-2", 3, "every part of every model built as GPT-2 is"),
        Part("variants", 2, "other positions, norms, read-outs, no biases: {drawn} models in all"),
    ),
    by_hand=(
        asked("as GPT-2"),
        asked("as GPT-2", n_layer=2, n_head=2),
        asked("variants", width=4, positions="rotary"),
        asked("variants", width=3, positions="none"),
        asked("variants", width=3, norm="post"),
        asked("variants", width=3, tied=False),
        asked("variants", width=3, bias=False),
    ),
    draw=draw,
    mistakes=count_parameters_wrong.MISTAKES,
    right=count_parameters_right.ANSWERS,
    hints=(
        "Count the smallest model first, on paper: one block, width 2. Write down the shape of every array that it "
        "has, and multiply.",
        "A block has four square maps of attention, two maps of the feed-forward layer, and two norms. With bias, each "
        "map has as many shifts as channels come out of it. A norm has a gain and a shift for every channel.",
        "projections: L * (4 * C * C + 4 * C).  ffn: L * (2 * C * F + F + C).  norms: L * 4 * C, and 2 * C more for "
        "the last norm of a pre-norm model. Where does bias come in, and where does it not?",
    ),
    lines=12,
    minutes=20,
    difficulty=2,
)
