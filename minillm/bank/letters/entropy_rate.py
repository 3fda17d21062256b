"""entropy_rate: what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import languages
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import entropy_rate_right, entropy_rate_wrong


def in_loops(table):
    """What it means, one number at a time; how often each token occurs is solved for."""
    V = len(table)
    balance = np.vstack([np.transpose(table) - np.eye(V), np.ones(V)])
    law = np.linalg.lstsq(balance, np.array([0.0] * V + [1.0]), rcond=None)[0]
    rate = 0.0
    for a in range(V):
        for x in range(V):
            p = float(table[a][x])
            if p > 0:
                rate -= law[a] * p * math.log(p)
    return rate


def ask(part, table):
    """A question about this table."""
    return Question(part, {"table": np.array(table, float)})


def draw(rng):
    """Tables without zeros, and with: of 2 to 10 tokens; some tokens are rare, some languages slow to forget."""
    for V in (2, 3, 5):
        table = rng.gamma(0.7, size=(V, V)) + 0.01
        yield ask("rate", table / table.sum(-1, keepdims=True))
        sticky = table / table.sum(-1, keepdims=True) * rng.uniform(0.05, 0.2, size=(V, 1))
        yield ask("rate", sticky + np.eye(V) * (1 - sticky.sum(-1, keepdims=True)))
        table[rng.random((V, V)) < 0.4] = 0
        table[np.arange(V), (np.arange(V) + 1) % V] += 0.3  # a way from each to every other
        yield ask("edge", table / table.sum(-1, keepdims=True))
        ring = np.zeros((2 * V, 2 * V))  # in turn one of the first V and one of the others
        ring[:V, V:], ring[V:, :V] = rng.gamma(1.0, size=(2, V, V)) + 0.01
        yield ask("edge", ring / ring.sum(-1, keepdims=True))
    split, back = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.9)
    yield ask("edge", [[0, split, 1 - split, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]])  # rings of three
    yield ask("edge", [[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [back, 1 - back, 0, 0]])


EXERCISE = Values(
    name="entropy_rate",
    notebook="01_letters",
    answer=languages.entropy_rate,
    spec=in_loops,
    parts=(
        Part("rate", 3, "equals the definition on random tables"),
        Part("edge", 1.5, "with zeros in the table, and where the language goes round in a ring"),
        Part("arguments", 0.5, "the table is left alone", needs=("rate",)),
    ),
    by_hand=(
        ask("rate", [[0.5, 0.5], [0.25, 0.75]]),
        ask("rate", [[0.9, 0.1], [0.2, 0.8]]),
        ask("rate", [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]]),
        ask("edge", [[0.5, 0.5], [1, 0]]),
        ask("edge", [[0, 0.5, 0.5], [1, 0, 0], [1, 0, 0]]),
        ask("edge", [[0, 0.5, 0.5, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]]),
    ),
    draw=draw,
    mistakes=entropy_rate_wrong.MISTAKES,
    right=entropy_rate_right.ANSWERS,
    hints=(
        "Two things are needed: how often each token occurs in a long text, and how uncertain the next one is after "
        "it. The rate is the mean of the second, weighted with the first.",
        "How often: begin with the same share for every token, and ask again and again what the shares are one token "
        "later. That is shares @ table, not table @ shares. If the language goes round in a ring this swings for "
        "ever. So go only half the way at every step: to the mean of before and after.",
        "shares = (shares + shares @ table) / 2, thousands of times. The entropy of a row is -sum p ln p, in which "
        "p = 0 counts as 0: np.log(table, where=table > 0, out=np.zeros_like(table)) leaves 0 where there is no "
        "logarithm.",
    ),
    lines=6,
    minutes=25,
    difficulty=3,
)
