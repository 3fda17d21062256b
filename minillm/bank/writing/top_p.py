"""top_p: the smallest set of likeliest tokens that reaches p; what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import sample
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import top_p_right, top_p_wrong


def in_loops(logits, p):
    """What it means: take the likeliest, the next, the next, until what was taken has a probability of p or more."""
    if not 0 < p <= 1:
        raise ValueError(p)
    logits = np.asarray(logits, float)
    y = np.full(logits.shape, -math.inf)
    for row in np.ndindex(logits.shape[:-1]):
        scores = [float(score) for score in logits[row]]
        total = math.fsum(math.exp(score - max(scores)) for score in scores)
        taken = 0.0
        for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
            if taken < p or p == 1:
                y[row][i] = scores[i]
            taken += math.exp(scores[i] - max(scores)) / total
    return y


def ask(part, logits, p, label="", **more):
    """A question about these logits."""
    return Question(part, {"logits": np.array(logits, float), "p": p}, label=label, **more)


def of(part, probabilities, p):
    """A question about logits that stand for these probabilities."""
    probabilities = np.array(probabilities)
    return ask(part, np.log(probabilities), p, label=f"probabilities {probabilities.tolist()}:")


def clear(logits, p):
    """Whether no running sum of probabilities comes so near to p that rounding would decide."""
    ordered = -np.sort(-np.asarray(logits, float), axis=-1)
    shares = np.exp(ordered - ordered[..., :1])
    sums = shares.cumsum(-1) / shares.sum(-1, keepdims=True)
    return np.abs(sums - p).min() > 1e-6


def draw(rng):
    """Flat rows and steep ones, with one to three axes; rows with few different logits; p = 1."""
    for i, shape in enumerate([(6,), (3, 5), (4, 4), (2, 3, 5)] * 2):
        logits, p = rng.normal(size=shape) * (1, 3)[i % 2], float(rng.uniform(0.15, 0.97))
        while not clear(logits, p):
            p = float(rng.uniform(0.15, 0.97))
        yield ask("kept", logits, p)
        equal, p = rng.integers(0, 2, size=shape), float(rng.uniform(0.15, 0.9))
        while not clear(equal, p):
            p = float(rng.uniform(0.15, 0.9))
        yield ask("ties", equal, p)
        yield ask("limits", rng.normal(size=shape) * 30, 1)


EXERCISE = Values(
    name="top_p",
    notebook="10_writing",
    answer=sample.top_p,
    spec=in_loops,
    parts=(
        Part("kept", 2.5, "equals the definition on {drawn} random arrays"),
        Part("ties", 0.5, "of equal logits the one with the lower id goes first, and no more stay than p needs"),
        Part("limits", 1, "p = 1 keeps all, p outside (0, 1] is refused, large logits do no harm", needs=("kept",)),
        Part("arguments", 0.5, "logits are left alone, and the result is new", needs=("kept",)),
    ),
    by_hand=(
        of("kept", [0.2, 0.7, 0.1], 0.6),
        of("kept", [0.2, 0.7, 0.1], 0.8),
        of("kept", [0.1, 0.4, 0.2, 0.3], 0.6),
        of("kept", [0.1, 0.4, 0.2, 0.3], 0.95),
        of("kept", [[0.1, 0.9], [0.6, 0.4]], 0.7),
        of("kept", [[0.2, 0.2, 0.6], [0.55, 0.35, 0.1], [0.3, 0.3, 0.4]], 0.5),
        of("ties", [0.25, 0.25, 0.25, 0.25], 0.4),
        ask("ties", [0, 0], 0.5),
        ask("limits", [0, -80], 1),
        ask("limits", [1000, 999, 0], 0.8),
        ask("limits", [1, 2], 0, raises=ValueError),
        ask("limits", [1, 2], 1.5, raises=ValueError),
    ),
    draw=draw,
    mistakes=top_p_wrong.MISTAKES,
    right=top_p_right.ANSWERS,
    hints=(
        "Sort each row, the likeliest first, and take a running sum of the probabilities. A token is needed if those "
        "before it do not reach p yet. What do those before it add up to?",
        "In sorted order: probs.cumsum(-1) - probs is what stands before each token. It is 0 for the first, so the "
        "first always stays; and the token that crosses p stays, because before it the sum was still short of p.",
        "order = np.argsort(-logits, axis=-1, kind='stable'), sorted logits by np.take_along_axis, their softmax. Set "
        "the sorted logits to -np.inf where what is before has reached p, and write them back to their places: "
        "np.put_along_axis(y, order, kept, -1). For p = 1, where rounding could drop a token, return a copy.",
    ),
    lines=11,
    minutes=25,
    difficulty=3,
)
