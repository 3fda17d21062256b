"""log_softmax at a temperature: what it is asked, and what each part is worth."""

import math

import numpy as np

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import log_softmax_right, log_softmax_wrong


def log_softmax(logits, *, temperature=1.0):
    """The logarithms of the probabilities that scores stand for, at a temperature.  logits (..., V) -> (..., V)

    ln p = s - ln sum exp(s), with s = logits / temperature.  The largest score is taken off first: that changes nothing
    in p, and no exponential overflows.
    """
    scores = logits / temperature
    scores = scores - scores.max(-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def in_loops(logits, *, temperature=1.0):
    """What it means, one number at a time."""
    logits = np.asarray(logits, float)
    y = np.zeros(logits.shape)
    for row in np.ndindex(logits.shape[:-1]):
        scores = [float(score) / temperature for score in logits[row]]
        top = max(scores)
        log_of_sum = top + math.log(math.fsum(math.exp(score - top) for score in scores))
        y[row] = [score - log_of_sum for score in scores]
    return y


def ask(part, logits, **options):
    """A question about these scores."""
    return Question(part, {"logits": np.array(logits, float)}, options)


def draw(rng):
    """Rows of scores, small and large, cold and hot, with one to three axes."""
    for i, shape in enumerate([(5,), (3, 4), (4, 4), (2, 3, 6)] * 2):
        yield ask("logs", rng.normal(size=shape) * (1, 4)[i % 2])
        yield ask("temperature", rng.normal(size=shape), temperature=float(rng.choice([0.25, 0.7, 1.5, 3.0])))
        yield ask("large", rng.normal(size=shape) * 10 ** rng.uniform(3, 6) + rng.normal() * 1e4)


LN3 = math.log(3)

EXERCISE = Values(
    name="log_softmax",
    notebook="01_letters",
    answer=log_softmax,
    spec=in_loops,
    parts=(
        Part("logs", 2, "equals the definition on {drawn} random arrays"),
        Part("temperature", 1, "cold and hot"),
        Part("large", 1.5, "scores far from 0 do no harm"),
        Part("arguments", 0.5, "logits are left alone, and the result is new", needs=("logs",)),
    ),
    by_hand=(
        ask("logs", [0, 0]),
        ask("logs", [0, LN3]),
        ask("logs", [[0, LN3], [1, 1]]),
        ask("logs", [[1, 2, 3], [1, 1, 1]]),
        ask("logs", [0, -20]),
        ask("temperature", [0, 2 * LN3], temperature=2.0),
        ask("temperature", [[0, LN3], [1, 1]], temperature=0.5),
        ask("large", [1000, 1000]),
        ask("large", [0, -1000]),
        ask("large", [0, -720]),
        ask("large", [1000, 1000], temperature=0.5),
        ask("large", [[2000, 0], [-2000, -2000]]),
    ),
    draw=draw,
    mistakes=log_softmax_wrong.MISTAKES,
    right=log_softmax_right.ANSWERS,
    hints=(
        "ln(exp(s) / sum) is a difference: s minus the logarithm of the sum. Written like that, no probability is "
        "ever computed, so none can become 0 before its logarithm is taken.",
        "Adding the same number to all scores of a row leaves every p as it is. Which number would make the largest "
        "exponential exactly 1? It is the row's own, so max wants an axis, and keepdims=True to fit the row again.",
        "scores = logits / temperature; then a new array, scores less their largest along the last axis; from that, "
        "take the logarithm of the sum of its exponentials along the last axis.",
    ),
    lines=3,
    minutes=15,
    difficulty=2,
)
