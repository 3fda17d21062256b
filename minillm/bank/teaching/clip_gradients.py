"""The exercise `clip_gradients`: one limit for the length of the whole gradient, however many arrays it is in."""

import math

import numpy as np

from ...grader.exercise import Part
from ...grader.values import Question, Values
from ...trees import leaves
from . import clip_gradients_right, clip_gradients_wrong


def clip_gradients(grads, limit):
    """Scale a tree of gradients, in place, so that its length is at most limit; returns its length before that.

    The length is that of one vector with all the numbers in it.  limit None only measures.
    ValueError if limit is not above zero.
    """
    if limit is not None and not limit > 0:
        raise ValueError(f"a gradient is clipped to a length above 0, not to {limit}.")
    norm = math.sqrt(sum(float((a**2).sum()) for _, a in leaves(grads)))
    if limit is not None and norm > limit:
        for _, a in leaves(grads):
            a *= limit / norm
    return norm


def as_one_vector(grads, limit):
    """The same, by laying all numbers in a row."""
    if limit is not None and limit <= 0:
        raise ValueError(limit)
    row = np.concatenate([a.ravel() for _, a in leaves(grads)])
    norm = float(np.linalg.norm(row))
    row = row if limit is None or norm <= limit else row / norm * limit
    for _, a in leaves(grads):
        a[...] = row[: a.size].reshape(a.shape)
        row = row[a.size :]
    return norm


def question(part, limit, raises=None, **grads):
    """A Question about a tree of gradients."""
    as_arrays = lambda tree: (
        {key: as_arrays(value) for key, value in tree.items()} if isinstance(tree, dict) else np.array(tree, float)
    )
    return Question(part, {"grads": as_arrays(grads), "limit": limit}, writes=("grads",), raises=raises)


def draw(rng):
    """Trees as a model has them, with a list of blocks, whose length is above the limit or below it."""
    for part, share in (("long", 0.3), ("short", 1.5), ("trees", 0.6), ("trees", 1.2)):
        for _ in range(2):
            grads = {"w": rng.normal(size=(5, 4)), "b": rng.normal(size=4)}
            if part == "trees":
                grads["norm"] = {"g": rng.normal(size=4), "b": rng.normal(size=4)}
                grads["blocks"] = [{"w": rng.normal(size=(4, 4)), "b": 5 * rng.normal(size=4)} for _ in range(2)]
            norm = math.sqrt(sum((a**2).sum() for _, a in leaves(grads)))
            yield Question(part, {"grads": grads, "limit": share * norm}, writes=("grads",))


EXERCISE = Values(
    name="clip_gradients",
    notebook="09_training",
    answer=clip_gradients,
    spec=as_one_vector,
    parts=(
        Part("long", 1, "a gradient that is too long has the limit's length afterwards, and its old direction"),
        Part("short", 0.5, "one that is short enough is left as it is"),
        Part("trees", 1, "dicts in dicts and lists have one length together"),
        Part("limits", 0.5, "None only measures, and 0 is refused", needs=("long", "trees")),
    ),
    by_hand=(
        question("long", 2.5, w=[3.0], b=[4.0]),
        question("short", 10.0, w=[3.0], b=[4.0]),
        question("short", 1.0, w=[0.0], b=[0.0]),
        question("trees", 2.0, norm={"g": [6.0], "b": [0.0]}, w=[8.0]),
        question("limits", None, w=[-1.0, 2.0], b=[2.0, 4.0]),
        question("limits", 0.0, ValueError, w=[3.0], b=[4.0]),
    ),
    draw=draw,
    mistakes=clip_gradients_wrong.MISTAKES,
    right=clip_gradients_right.ANSWERS,
    hints=(
        "The gradient is one arrow, however many arrays it was cut into. How long is an arrow of all these numbers?",
        "First add up the squares of every number in every leaf; the root of that is the length. Only then does one "
        "factor, the same for all leaves, do the scaling. `leaves` from minillm.trees walks through dicts and lists.",
        "norm = math.sqrt(sum((a**2).sum() for _, a in leaves(grads))); where norm is above limit, every leaf: "
        "a *= limit / norm; at the end return norm, the length before.",
    ),
    lines=8,
    minutes=15,
    difficulty=2,
)
