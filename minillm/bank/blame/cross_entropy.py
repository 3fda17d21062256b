"""cross_entropy, there and back: what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import cross_entropy_right, cross_entropy_wrong

LN3 = math.log(3)  # a score of ln 3 is a probability three times that of a score of 0


def probe(logits, targets, dloss=1.0, **options):
    """What is asked about these targets; a few of them are shown."""
    targets = np.array(targets)
    shown = f"targets = {targets.tolist()}" if targets.size <= 8 else f"targets {targets.shape}"
    options = {"targets": targets, **options}
    return Probe({"logits": np.array(logits, float)}, np.array(dloss, float), options, label=shown, back="dloss")


def draw(rng):
    """One to three axes of targets, with some that are ignored, and with scores of several sizes."""
    for i, (*n, V) in enumerate([(3, 5, 7), (4, 6), (2, 2), (2, 3, 2, 5), (5, 3), (1, 4, 9)] * 2):
        logits = (1.0, 5.0, 0.1)[i % 3] * rng.normal(size=(*n, V)) + rng.normal()
        targets, dloss = rng.integers(0, V, n), 1.0 if i % 3 == 0 else float(rng.normal())
        options = {"ignore": (-1, -100, 0)[i % 3]} if i % 2 else {}
        if options:
            targets.reshape(-1)[0] = options["ignore"]
            targets.reshape(-1)[-1] = V - 1  # and one is counted
        yield probe(logits, targets, dloss, **options)


def meaning(logits, **options):
    """The definition in loops; its loss as an array of no axes, as y is."""
    return np.array(specs.cross_entropy(logits, **options))


GIVEN = ("logits", "ignore")

EXERCISE = ThereAndBack(
    name="cross_entropy",
    notebook="03_gradients",
    answer=layers.cross_entropy,
    spec=meaning,
    parts=(
        Part("y", 2, "the loss equals the definition on {drawn} random arrays", shows=GIVEN),
        Part("dlogits", 2, "agrees with finite differences", shows=(*GIVEN, "dloss")),
        Part("arguments", 1, "logits and targets are left alone, and all results are new", needs=("dlogits",)),
    ),
    by_hand=(
        probe([[0, LN3]], [1]),  # the probabilities are 1/4 and 3/4
        probe([[0, LN3], [LN3, 0]], [1, 1]),
        probe([[0, LN3], [LN3, 0]], [1, 1], 2.0),
        probe([[0, LN3], [LN3, 0]], [1, -1], ignore=-1),
        probe([[0, LN3]], [-1], ignore=-1),
        probe([[[0, 0, math.log(2)]], [[0, 0, math.log(2)]]], [[2], [0]]),
        probe([[1000, 0]], [0]),
        probe([[1000, 0]], [1]),
        probe([[1000, 999], [0, 1]], [0, 1]),  # a row of small scores beside one of large ones
    ),
    draw=draw,
    mistakes=cross_entropy_wrong.MISTAKES,
    right=cross_entropy_right.ANSWERS,
    hints=(
        "The loss of one position is log(sum(exp(z))) - z[target]. How does each of the two terms change when one of "
        "the scores does? The first gives the probabilities, the second a 1 at the "
        "target.",
        "Take the largest score off each row first; it changes no probability. Then keep log(sum(exp(z))) as it is, "
        "instead of the log of a probability that may have become 0. On the way back: probabilities, less 1 at the "
        "target, divided by the number of targets that count, times dloss.",
        "flat = targets.reshape(-1); p[np.arange(len(flat)), flat] picks one probability in each row. With ignore, "
        "counts = flat != ignore; put any valid token where it is False, multiply the losses and the rows of dlogits "
        "by counts, and divide by max(1, counts.sum()).",
    ),
    lines=18,
    minutes=30,
    difficulty=3,
)
