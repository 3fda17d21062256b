"""induction_score, a plain function: how much a head looks to what came after the earlier occurrence of its token."""

import numpy as np

from ... import inside
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def in_loops(weights, *, period):
    """One query at a time."""
    T = weights.shape[-1]
    heads = weights.reshape(-1, T, T)
    scores = np.zeros(len(heads))
    for i, head in enumerate(heads):
        for t in range(period, T):
            scores[i] += head[t, t - period + 1] / (T - period)
    return scores.reshape(weights.shape[:-2])


# Other right ones.


def a_diagonal(weights, *, period):
    """The diagonal of what is left when the first queries and the first key are cut off."""
    return np.diagonal(weights[..., period:, 1:], axis1=-2, axis2=-1).mean(-1)


def a_mask(weights, *, period):
    """A table of ones where an induction head looks."""
    T = weights.shape[-1]
    wanted = np.eye(T, k=1 - period)
    wanted[:period] = 0
    return np.einsum("...ts,ts->...", weights, wanted) / (T - period)


def one_number_after_the_other(weights, *, period):
    """A list of arrays, and their mean."""
    return np.mean([weights[..., t, t + 1 - period] for t in range(period, weights.shape[-1])], axis=0)


def places(weights, period, first=None):
    """The queries of the second time, or from `first` on, and how many positions there are."""
    T = weights.shape[-1]
    return np.arange(period if first is None else first, T), T


def wrong(name, says, function):
    """The Mistake of function(weights, period, t, T), with t the queries that count."""
    return Mistake(name, says, lambda weights, *, period: function(weights, period, *places(weights, period)))


def all_rows(weights, period, t, T):
    """Every query, those of the first time too, whose key has a negative index."""
    every = np.arange(T)
    return weights[..., every, every - period + 1].mean(-1)


def zeros_in_place(weights, period, t, T):
    """Right, but the rows of the first time are wiped out where they stand."""
    weights[..., :period, :] = 0
    return weights[..., t, t - period + 1].sum(-1) / len(t)


def most_looked_at(weights, period, t, T):
    """How often the largest weight of a row stands there."""
    return (weights[..., t, :].argmax(-1) == t - period + 1).mean(-1)


def attention(rng, *shape):
    """Weights as a causal head has them: each row adds up to 1, and nothing looks ahead."""
    weights = np.tril(rng.gamma(0.6, size=shape) + 0.001)
    return weights / weights.sum(-1, keepdims=True)


def ask(part, weights, period):
    """A question about these weights."""
    return Question(part, {"weights": np.array(weights, float)}, {"period": period})


def draw(rng):
    """Of 4 to 12 positions, once and a bit, twice, or more than twice the period; of one head and of many."""
    for T, period in [(5, 3), (6, 3), (7, 4), (9, 4), (11, 3), (12, 5)]:
        yield ask("score", attention(rng, 2, T, T), period)
    for shape, period in [((6, 6), 3), ((2, 3, 7, 7), 4), ((2, 1, 2, 8, 8), 3), ((3, 4, 4), 3), ((2, 5, 5), 4)]:
        yield ask("axes", attention(rng, *shape), period)


EXERCISE = Values(
    name="induction_score",
    notebook="12_insight",
    answer=inside.induction_score,
    spec=in_loops,
    parts=(
        Part("score", 3, "equals the definition for {drawn} drawn tables of weights"),
        Part("axes", 1, "one head, or heads of many sequences and layers", needs=("score",)),
        Part("arguments", 1, "the weights are left alone", needs=("score",)),
    ),
    by_hand=(
        ask("score", [[[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.1, 0.7, 0.2, 0], [0, 0.3, 0.6, 0.1]]], 2),
        ask("score", [[[1, 0, 0, 0], [0.2, 0.8, 0, 0], [0.5, 0.3, 0.2, 0], [0.25, 0.4, 0.15, 0.2]]], 3),
        ask("score", attention(np.random.default_rng(0), 1, 5, 5).round(1), 2),
        ask("axes", attention(np.random.default_rng(1), 2, 2, 4, 4).round(1), 2),
    ),
    draw=draw,
    mistakes=(
        wrong(
            "the earlier token itself",
            "This is the weight on the same token a period earlier, t - period. An induction head looks one further, "
            "to the token that came after it: t - period + 1.",
            lambda weights, period, t, T: weights[..., t, t - period].mean(-1),
        ),
        wrong(
            "the token before the earlier one",
            "This is the weight on t - period - 1, the token before the earlier occurrence. The one after it is due.",
            lambda weights, period, t, T: weights[..., t, t - period - 1].mean(-1),
        ),
        wrong(
            "two after the earlier one",
            "This is the weight on t - period + 2, two after the earlier occurrence. The next one is wanted: + 1.",
            lambda weights, period, t, T: weights[..., t, np.minimum(t - period + 2, T - 1)].mean(-1),
        ),
        wrong(
            "from key to query",
            "The two indices are swapped: rows are queries, columns are keys. Row t looks at column t - period + 1.",
            lambda weights, period, t, T: weights[..., t - period + 1, t].mean(-1),
        ),
        wrong(
            "the mean over all queries",
            "The sum was divided by all T queries. Those of the first time can have no earlier occurrence: divide by "
            "the T - period others.",
            lambda weights, period, t, T: weights[..., t, t - period + 1].sum(-1) / T,
        ),
        wrong(
            "the queries of the first time too",
            "All T queries were taken. For those below period the index t - period + 1 is negative, or points at "
            "nothing that came before; NumPy then counts from the end, and says nothing.",
            all_rows,
        ),
        wrong(
            "begun one query early",
            "The mean begins at t = period - 1. The token there comes for the first time: begin at period.",
            lambda weights, period, t, T: (
                (weights[..., t, t - period + 1].sum(-1) + weights[..., period - 1, 0]) / (len(t) + 1)
            ),
        ),
        wrong(
            "begun one query late",
            "The mean begins at t = period + 1. The token at position period has come before, at position 0.",
            lambda weights, period, t, T: weights[..., t, t - period + 1][..., 1:].sum(-1) / max(1, len(t) - 1),
        ),
        wrong(
            "the last query alone",
            "This is the weight of the last query alone. The score is a mean over all queries from period on.",
            lambda weights, period, t, T: weights[..., -1, T - period],
        ),
        wrong(
            "the sum of the weights",
            "The weights were added up. Their mean over the queries is due, a number between 0 and 1.",
            lambda weights, period, t, T: weights[..., t, t - period + 1].sum(-1),
        ),
        wrong(
            "the largest weight",
            "This is the largest of the weights. One query is enough for that: take the mean over the queries.",
            lambda weights, period, t, T: weights[..., t, t - period + 1].max(-1),
        ),
        wrong(
            "every query with every key",
            "A whole block of weights was averaged: each query with all those keys. Each query has one key. "
            "weights[..., t, s] with two lists of the same length pairs them.",
            lambda weights, period, t, T: weights[..., period:, 1 : T - period + 1].mean((-1, -2)),
        ),
        wrong(
            "how often the largest stands there",
            "This is how often the largest weight of a query stands on that key. The score is the mean of the weights "
            "themselves.",
            most_looked_at,
        ),
        wrong(
            "one number for all heads",
            "This is one number, the mean over the heads too. Each head has a score of its own: average the queries "
            "alone.",
            lambda weights, period, t, T: weights[..., t, t - period + 1].mean(),
        ),
        wrong(
            "the weights wiped out",
            "The score is right, but the first rows of the weights were set to zero, and whoever gave them still needs "
            "them. Take the rows that count instead.",
            zeros_in_place,
        ),
    ),
    right=(
        ("a diagonal", a_diagonal),
        ("a table of ones", a_mask),
        ("one number after the other", one_number_after_the_other),
    ),
    hints=(
        "Write the tokens of a b c d a b c d under their positions 0 to 7. At position 5 stands the second b. Where "
        "did it stand before, and what came after it? Which queries have no earlier occurrence?",
        "Query t looks at key t - period + 1, and t goes from period to T - 1. So it is a diagonal of the table, and "
        "not all of that: its first place does not count.",
        "t = np.arange(period, weights.shape[-1]); then weights[..., t, s] with another list s of the same length "
        "gives one weight for each t. The mean over the last axis leaves the heads.",
    ),
    lines=2,
    minutes=15,
    difficulty=2,
)
