"""The exercise `unscale`: the gradients of scale * loss, the step that is skipped, and the scale that follows."""

import math

import numpy as np

from ... import precision
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import unscale_right, unscale_wrong


def number_by_number(grads, state, *, patience=1000):
    """The same, by walking through every number of the tree twice."""
    if any(math.isnan(float(a[i])) or math.isinf(float(a[i])) for a, i in places(grads)):
        state.update(scale=state["scale"] * 0.5, good=0)
        return False
    for a, i in places(grads):
        a[i] = a[i] / state["scale"]
    count = state["good"] + 1
    state.update(scale=state["scale"] * (2 if count == patience else 1), good=count % patience)
    return True


def places(tree):
    """(array, index) of every number in dicts in dicts and lists."""
    if isinstance(tree, np.ndarray):
        return [(tree, i) for i in np.ndindex(tree.shape)]
    return [place for branch in (tree.values() if isinstance(tree, dict) else tree) for place in places(branch)]


def question(part, grads, scale, good, patience, label=""):
    """A Question; where the step is skipped nobody looks at the gradients again, so they are not judged."""
    writes = ("state",) if part == "skipped" else ("grads", "state")
    arguments = {"grads": grads, "state": {"scale": float(scale), "good": good}}
    return Question(part, arguments, {"patience": patience}, label=label, writes=writes)


def arrays(**lists):
    """Gradients, from lists of numbers."""
    return {name: np.array(numbers, float) for name, numbers in lists.items()}


def tree(rng):
    """The gradients of a model with two blocks."""
    one = lambda *shape: rng.normal(size=shape) * 100
    return {"tokens": one(4, 3), "blocks": [{"w": one(3, 3), "norm": {"g": one(3), "b": one(3)}} for _ in range(2)]}


def draw(rng):
    """Trees; one number of one leaf spoilt; and counts before, at and after the patience."""
    for good in (0, 5):
        yield question("unscaled", tree(rng), 2.0 ** rng.integers(1, 14), good, 9)
    for bad in (np.nan, np.inf, -np.inf):
        grads = tree(rng)
        leaf = grads["blocks"][1]["norm"]["b"] if bad > 0 else grads["blocks"][0]["w"]
        leaf.flat[rng.integers(leaf.size)] = bad
        yield question("skipped", grads, 2.0 ** rng.integers(1, 14), 4, 9)
    yield question("grows", tree(rng), 2.0 ** rng.integers(1, 14), 8, 9)
    yield question("grows", tree(rng), 2.0 ** rng.integers(1, 14), 7, 9)


EXERCISE = Values(
    name="unscale",
    notebook="11_precision",
    answer=precision.unscale,
    spec=number_by_number,
    parts=(
        Part("unscaled", 1.5, "good gradients are divided by the scale, and counted"),
        Part("skipped", 1.5, "bad ones are refused, and the scale is halved"),
        Part("grows", 1, "after so many good steps in a row the scale is doubled"),
    ),
    by_hand=(
        question("unscaled", arrays(w=[8, 16], b=[-4]), 8, 0, 3),
        question("unscaled", arrays(w=[80_000], b=[4]), 8, 1, 9),
        question("unscaled", arrays(w=[1.5e308, 1.5e308], b=[4]), 8, 1, 9, label="finite, though their sum is not"),
        question("unscaled", {"norm": arrays(g=[4.0]), "blocks": [arrays(w=[2.0])]}, 2, 0, 3),
        question("unscaled", arrays(w=[4]), 4, 0, 3, label="the first good step after a bad one"),
        question("skipped", arrays(w=[8, np.inf], b=[-4]), 8, 1, 3),
        question("skipped", arrays(w=[8, 16], b=[np.nan]), 8, 0, 3),
        question("skipped", arrays(w=[-np.inf, 8], b=[1]), 8, 0, 3),
        question("skipped", arrays(w=[np.inf, 8], b=[np.nan]), 8, 1, 3),
        question("skipped", arrays(w=[np.inf]), 1, 0, 3),
        question("skipped", {"norm": arrays(g=[4.0]), "blocks": [arrays(w=[np.inf])]}, 2, 0, 3),
        question("skipped", arrays(w=[np.inf]), 8, 2, 3, label="this would have been the third"),
        question("grows", arrays(w=[8, 16]), 8, 2, 3),
        question("grows", arrays(w=[8]), 4, 0, 1),
    ),
    draw=draw,
    mistakes=unscale_wrong.MISTAKES,
    right=unscale_right.ANSWERS,
    hints=(
        "Look before you divide: is every number of every gradient finite? The answer to that decides all the rest. "
        "np.isfinite is False for NaN and for both infinities.",
        "In the bad case halve the scale, set the count to 0, return False. In the good case divide all leaves in "
        "place first, by the scale that the loss was multiplied with, and let the scale grow only afterwards.",
        'for _, a in leaves(grads): a /= state["scale"]; then state["good"] += 1, and where that has come to patience: '
        'state["scale"] *= 2 and state["good"] = 0; return True.',
    ),
    lines=12,
    minutes=20,
    difficulty=2,
)
