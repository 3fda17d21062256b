"""top_k: the k likeliest tokens; what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import sample
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import top_k_right, top_k_wrong


def in_loops(logits, k):
    """What it means: token after token, the largest that is left, k times."""
    if k < 1:
        raise ValueError(k)
    logits = np.asarray(logits, float)
    y = np.full(logits.shape, -math.inf)
    for row in np.ndindex(logits.shape[:-1]):
        left = list(range(logits.shape[-1]))
        for _ in range(min(k, len(left))):
            best = left[0]
            for i in left:
                if logits[row][i] > logits[row][best]:
                    best = i
            left.remove(best)
            y[row][best] = logits[row][best]
    return y


def ask(part, logits, k, **more):
    """A question about these logits."""
    return Question(part, {"logits": np.array(logits, float), "k": k}, **more)


def draw(rng):
    """Rows with one to three axes: all numbers different; few different numbers; more asked for than there are."""
    for shape in [(6,), (3, 4), (4, 4), (2, 3, 5)] * 2:
        V = shape[-1]
        yield ask("kept", rng.normal(size=shape) * 3, int(rng.integers(1, V)))
        yield ask("ties", rng.integers(-1, 2, size=shape), int(rng.integers(1, V)))
        yield ask("limits", rng.normal(size=shape), int(V + rng.integers(0, 3)))


EXERCISE = Values(
    name="top_k",
    notebook="10_writing",
    answer=sample.top_k,
    spec=in_loops,
    parts=(
        Part("kept", 1.5, "the k largest logits of each row stay as they are, the others are -inf"),
        Part("ties", 1, "exactly k stay; of equal logits the one with the lower id goes first"),
        Part("limits", 0.5, "a k above V keeps all, and a k below 1 is refused", needs=("kept",)),
        Part("arguments", 0.5, "logits are left alone, and the result is new", needs=("kept",)),
    ),
    by_hand=(
        ask("kept", [1, 3, 2], 1),
        ask("kept", [1, 3, -2, 2], 2),
        ask("kept", [[1, 3], [4, 2]], 1),
        ask("kept", [[1, 2, 3], [6, 5, 4]], 2),
        ask("ties", [2, 1, 2, 2], 2),
        ask("ties", [0, 0, 0], 1),
        ask("ties", [1, 0, 0, 0], 2),
        ask("limits", [1, 2], 5),
        ask("limits", [1, 2], 0, raises=ValueError),
    ),
    draw=draw,
    mistakes=top_k_wrong.MISTAKES,
    right=top_k_right.ANSWERS,
    hints=(
        "Do not look for a smallest logit that is still good enough: where several are equal, more than k would pass. "
        "Look for the ids of the k tokens. np.argsort gives ids in order; which order does it give, and which do you "
        "want?",
        "np.argsort(-logits, axis=-1, kind='stable') has the likeliest id first in every row, and a stable sort leaves "
        "equal ones in the order of their ids. Its first k columns are what stays. Start from an array full of -np.inf "
        "and put the logits of these ids into it.",
        "np.take_along_axis(logits, ids, -1) reads from each row the numbers at its own ids; np.put_along_axis(y, ids, "
        "numbers, -1) writes them into y at the same places. ids[..., :k] does no harm when k is larger than V.",
    ),
    lines=7,
    minutes=15,
    difficulty=2,
)
