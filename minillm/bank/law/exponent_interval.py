"""exponent_interval: what it is asked, and what each part is worth."""

import math

import numpy as np

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import exponent_interval_right, exponent_interval_wrong


def exponent_interval(x, reducible, runs, draws, level=0.95):
    """The interval of alpha in reducible = A / x^alpha, by the bootstrap over runs.

    x, reducible, runs (rows,): rows of one run share its number.  draws (replicates, n): each row names the runs that
    were drawn with replacement for one replicate.  In each replicate a straight line is fitted to (ln x, ln reducible)
    of all rows of the drawn runs, as often as they were drawn; alpha is its slope with the sign turned.  Returns
    (low, high), between which the middle `level` of the alphas lies, as np.quantile has it.  Efron 1979.
    """
    x, y, runs = np.log(np.asarray(x, float)), np.log(np.asarray(reducible, float)), np.asarray(runs)
    alphas = []
    for drawn in np.asarray(draws):
        rows = np.concatenate([np.flatnonzero(runs == run) for run in drawn])
        away = x[rows] - x[rows].mean()
        alphas.append(-(away * y[rows]).sum() / (away * away).sum())
    low, high = np.quantile(alphas, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def with_weights(x, reducible, runs, draws, level=0.95):
    """The same by weights: how often each row counts, and the moments of the weighted rows, in loops."""
    alphas = []
    for drawn in draws:
        drawn = [int(run) for run in drawn]
        w = [drawn.count(int(run)) for run in runs]
        u, v = [math.log(a) for a in x], [math.log(a) for a in reducible]
        n = sum(w)
        mu, mv = (sum(a * b for a, b in zip(w, z, strict=True)) / n for z in (u, v))
        top = sum(a * (b - mu) * (c - mv) for a, b, c in zip(w, u, v, strict=True))
        alphas.append(-top / sum(a * (b - mu) ** 2 for a, b in zip(w, u, strict=True)))
    alphas.sort()
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        place = share * (len(alphas) - 1)
        i = min(int(place), len(alphas) - 2) if len(alphas) > 1 else 0
        after = alphas[i + 1] if len(alphas) > 1 else alphas[0]
        ends.append(alphas[i] + (place - i) * (after - alphas[i]))
    return tuple(ends)


def ask(part, x, reducible, runs, draws, **options):
    """A question about these rows and draws."""
    arrays = {"x": np.array(x, float), "reducible": np.array(reducible, float)}
    return Question(part, arrays | {"runs": np.array(runs), "draws": np.array(draws)}, options)


def draw(rng):
    """A few runs with several rows each, and replicates of them; and runs of one row."""
    for part in ("slope", "runs", "level", "runs"):
        n, each = int(rng.integers(4, 7)), 1 if part == "slope" else int(rng.integers(2, 4))
        runs = rng.permutation(np.repeat(np.arange(n) + int(rng.integers(0, 9)), each))
        x = 2.0 ** rng.uniform(10, 20, n * each)
        reducible = 40 * x**-0.4 * np.exp(0.2 * rng.standard_normal(n * each))
        draws = rng.choice(np.unique(runs), (int(rng.integers(20, 40)), n))
        draws = draws[[len(set(row)) > 2 for row in draws.tolist()]]
        if part == "slope":
            draws = np.tile(np.unique(runs), (3, 1))
        elif part == "runs":
            draws = np.tile(draws[:1], (3, 1))  # one alpha: where the ends lie is another part
        yield ask(part, x, reducible, runs, draws, **({"level": 0.8} if part == "level" else {}))


X, Y, RUNS = [1, math.e, 1, math.e**2], [8, 4, 6, 1], [0, 0, 1, 1]
EXERCISE = Values(
    name="exponent_interval",
    notebook="17_law",
    answer=exponent_interval,
    spec=with_weights,
    parts=(
        Part("slope", 1, "alpha is the slope in logarithms, with its sign turned"),
        Part("runs", 2, "whole runs are drawn, as often as they were drawn"),
        Part("level", 1, "the middle part of the alphas lies between the ends"),
        Part("arguments", 0.5, "what was given is left alone", needs=("slope",)),
    ),
    by_hand=(
        ask("slope", [1, math.e], [math.e, 1], [0, 1], [[0, 1]]),
        ask("slope", [1, math.e, math.e**2], [9, 4, 1], [0, 1, 2], [[0, 1, 2], [2, 0, 1]]),
        ask("slope", [1, math.e], [1, math.e], [0, 1], [[0, 1]]),
        ask("runs", X, Y, RUNS, [[0, 0], [0, 0]]),
        ask("runs", X, Y, RUNS, [[0, 1], [0, 1]]),
        ask("runs", X, Y, RUNS, [[0, 0, 1], [0, 0, 1]]),
        ask("runs", [1, math.e, math.e**2], [9, 4, 1], [5, 6, 7], [[5, 6, 6], [5, 6, 6]]),
        ask("level", [1, math.e, math.e**2], [9, 4, 1], [5, 6, 7], [[5, 6, 6], [5, 7, 7], [6, 7, 7]], level=0.5),
        ask("level", X, Y, RUNS, [[0, 0], [0, 1], [1, 1]]),
    ),
    draw=draw,
    mistakes=exponent_interval_wrong.MISTAKES,
    right=exponent_interval_right.ANSWERS,
    hints=(
        "One loop over the replicates. In it: which rows belong to the runs that were drawn? Then a straight line "
        "through them, and its slope.",
        "A run that was drawn twice brings its rows twice: np.concatenate([np.flatnonzero(runs == run) for run in "
        "drawn]). np.polyfit(u, v, 1)[0] is a slope.",
        "The ends are np.quantile(alphas, [(1 - level) / 2, (1 + level) / 2]): for 0.95 that leaves 2.5 per cent on "
        "either side.",
    ),
    lines=7,
    minutes=25,
    difficulty=3,
)
