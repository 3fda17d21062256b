"""interval_score: what it is asked, and what each part is worth."""

import numpy as np

from ... import registration
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import interval_score_right, interval_score_wrong


def one_by_one(low, high, level, truth):
    """Case by case: below the interval, above it, or in it."""
    places = np.broadcast(low, high, truth)
    scores = []
    for a, b, y in places:
        price = 2 / (1 - level)
        if y < a:
            scores.append(b - a + price * (a - y))
        elif y > b:
            scores.append(b - a + price * (y - b))
        else:
            scores.append(b - a)
    return np.array(scores, float).reshape(places.shape)


def ask(part, low, high, level, truth):
    """A question; lists become arrays."""
    turn = lambda a: np.array(a, float) if isinstance(a, list) else a
    return Question(part, {"low": turn(low), "high": turn(high), "level": level, "truth": turn(truth)})


def draw(rng):
    """Intervals with the truth in them, below and above; one number, a few, and one interval for many truths."""
    for part, side in (("inside", 0), ("below", -1), ("above", 1), ("inside", 0), ("below", -1), ("above", 1)):
        n = int(rng.integers(2, 6))
        low, width = rng.uniform(1, 3, n), rng.uniform(0.05, 0.8, n)
        away = width * rng.uniform(0.1, 0.9, n) if not side else side * rng.uniform(0.05, 2, n)
        truth = low + away + (width if side > 0 else 0)
        yield ask(part, list(low), list(low + width), float(rng.choice([0.5, 0.8, 0.9, 0.95])), list(truth))
    truths = list(rng.uniform(0.5, 3.5, 6))
    yield ask("arrays", 1.5, 2.0, 0.9, truths)


EXERCISE = Values(
    name="interval_score",
    notebook="18_shot",
    answer=registration.interval_score,
    spec=one_by_one,
    parts=(
        Part("inside", 1, "an interval that holds the truth costs its width"),
        Part("below", 1, "a truth below the interval costs 2 / (1 - level) times the distance as well"),
        Part("above", 1, "and so does a truth above it"),
        Part("arrays", 0.5, "one interval can be scored on many truths"),
        Part("arguments", 0.5, "what was given is left alone", needs=("inside",)),
    ),
    by_hand=(
        ask("inside", 2.0, 3.0, 0.8, 2.5),
        ask("inside", 2.0, 2.0, 0.95, 2.0),
        ask("inside", [1.0, 0.0], [1.5, 8.0], 0.95, [1.4, 1.5]),
        ask("inside", 2.0, 3.0, 0.8, 3.0),
        ask("below", 2.0, 3.0, 0.8, 1.5),
        ask("below", [2.0, 2.0], [4.0, 2.5], 0.5, [1.0, -1.0]),
        ask("above", 2.0, 3.0, 0.8, 3.5),
        ask("above", [2.0, 2.0], [4.0, 2.5], 0.5, [5.0, 5.5]),
        ask("arrays", 2.0, 3.0, 0.8, [1.5, 2.5, 5.0]),
    ),
    draw=draw,
    mistakes=interval_score_wrong.MISTAKES,
    right=interval_score_right.ANSWERS,
    hints=(
        "Two terms: the width, which is always paid, and a fine for what the truth lies outside.",
        "How far a truth lies below the interval is low - truth, and at least 0: np.maximum(low - truth, 0). "
        "Above it is the same, turned around; only one of them is not 0.",
        "The fine is 2 / (1 - level) for each nat: 10 at a level of 80 per cent, 40 at 95 per cent. Who claims more "
        "pays more.",
    ),
    lines=4,
    minutes=15,
    difficulty=2,
)
