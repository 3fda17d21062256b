"""The exercise `adamw`: one step of Adam with decoupled weight decay, in place."""

import math

import numpy as np

from ... import optim
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import adamw_right, adamw_wrong

WRITES = ("m", "v", "w")  # in the order in which they are compared: what is wrong with m spoils the others


def number_by_number(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """What a step of AdamW means, for one number after the other."""
    if step < 1:
        raise ValueError("steps count from 1")
    b1, b2 = betas
    for i in np.ndindex(w.shape):
        m[i] = b1 * m[i] + (1 - b1) * dw[i]
        v[i] = b2 * v[i] + (1 - b2) * dw[i] ** 2
        mean, square = m[i] / (1 - b1**step), v[i] / (1 - b2**step)
        w[i] = w[i] - rate * mean / (math.sqrt(square) + eps) - rate * decay * w[i]


def question(part, w, dw, m, v, **options):
    """A Question about four arrays, or lists of numbers."""
    arrays = {name: np.array(a, float) for name, a in {"w": w, "dw": dw, "m": m, "v": v}.items()}
    return Question(part, arrays, options, writes=WRITES, raises=ValueError if options["step"] < 1 else None)


def draw(rng):
    """Arrays of several shapes, in the middle of a run and at its beginning."""
    for shape in ((7,), (3, 5), (2, 3, 4)):
        for part, step, decay in (("first step", 1, 0.0), ("later steps", 12, 0.0), ("decay", 5, 0.3)):
            w, dw, m = rng.normal(size=(3, *shape))
            v = rng.uniform(0.1, 2, size=shape)
            if step == 1:
                m, v = 0 * m, 0 * v
            options = {"step": step, "rate": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "decay": decay}
            yield question(part, w, dw, m, v, **options)


EXERCISE = Values(
    name="adamw",
    notebook="09_training",
    answer=optim.adamw,
    spec=number_by_number,
    parts=(
        Part("first step", 1.5, "w, m and v after step 1 are right"),
        Part("later steps", 1, "and after later steps, from any m and v"),
        Part("decay", 1, "decay pulls the weights, and not the gradient"),
        Part("arguments", 0.5, "dw is left alone", needs=("first step", "later steps")),
    ),
    by_hand=(
        question("first step", [1, 1], [0.5, -4], [0, 0], [0, 0], step=1, rate=0.1, betas=(0.5, 0.75), eps=0.0),
        question("first step", [1, 1], [0, 0], [0, 0], [0, 0], step=1, rate=0.1, betas=(0.5, 0.75)),
        question("first step", [1], [3], [0], [0], step=1, rate=1.0, betas=(0.75, 0.5), eps=1.0),
        question("later steps", [1], [4], [2], [8], step=2, rate=1.0, betas=(0.5, 0.75), eps=0.0),
        question("later steps", [1], [4], [2], [8], step=0, rate=1.0),
        question("decay", [10], [2], [0], [0], step=1, rate=0.5, betas=(0.5, 0.75), decay=0.1),
    ),
    draw=draw,
    mistakes=adamw_wrong.MISTAKES,
    right=adamw_right.ANSWERS,
    hints=(
        "The first two lines of the equation keep memories: m and v, in place. The other two use them: first what the "
        "zeros at the start have taken away is given back, then w moves.",
        "m[...] = b1 * m + (1 - b1) * dw changes the array that was given; m = ... only gives the name to another. At "
        "step 1, with m = 0, m is (1 - b1) dw, and dividing by 1 - b1**1 gives dw back.",
        "step_of_adam = (m / (1 - b1**step)) / (np.sqrt(v / (1 - b2**step)) + eps); then w -= rate * (step_of_adam + "
        "decay * w), where decay meets the w from before the step.",
    ),
    lines=8,
    minutes=20,
    difficulty=2,
)
