"""Wrong answers to `exponent_interval` that people write, and what each of them does."""

import types

import numpy as np

from ...grader.exercise import Mistake


def slope(u, v):
    """The slope of the least-squares line, or 0 where all u are one."""
    away = u - u.mean()
    return float((away * v).sum() / (away * away).sum()) if away.any() else 0.0


def middle(alphas, level):
    """The ends as they should be."""
    return np.quantile(alphas, [(1 - level) / 2, (1 + level) / 2])


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    logs=np.log,
    above=np.log,
    rows=lambda runs, drawn: np.concatenate([np.flatnonzero(runs == run) for run in drawn]),
    alpha=lambda u, v: -slope(u, v),
    ends=middle,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def exponent_interval(x, reducible, runs, draws, level=0.95):
        u, v = do.logs(x), do.above(reducible)
        alphas = []
        for drawn in draws:
            rows = do.rows(runs, drawn)
            alphas.append(do.alpha(u[rows], v[rows]))
        low, high = do.ends(np.array(alphas), level)
        return float(low), float(high)

    return Mistake(name, says, exponent_interval)


def around(alphas, level):
    """1.96 deviations around the mean."""
    return alphas.mean() - 1.96 * alphas.std(), alphas.mean() + 1.96 * alphas.std()


def of_the_mean(alphas, level):
    """The standard error of the mean."""
    error = alphas.std(ddof=1) / len(alphas) ** 0.5 if len(alphas) > 1 else 0.0
    return alphas.mean() - 1.96 * error, alphas.mean() + 1.96 * error


def through_zero(u, v):
    """A line without intercept."""
    return -float((u * v).sum() / (u * u).sum()) if u.any() else 0.0


MISTAKES = (
    wrong(
        "sign kept", "alpha is the slope with its sign turned: the loss falls, and alpha is above zero.", alpha=slope
    ),
    wrong(
        "size of the slope",
        "This is the size of the slope. Where the loss happens to rise, alpha is below zero, and such replicates "
        "belong to the interval too.",
        alpha=lambda u, v: abs(slope(u, v)),
    ),
    wrong(
        "x not in logarithms",
        "x is used as it is. A power law is a straight line in the logarithms of both.",
        logs=lambda x: np.asarray(x, float),
    ),
    wrong(
        "loss not in logarithms",
        "The reducible loss is used as it is. A power law is a straight line in the logarithms of both.",
        above=lambda y: np.asarray(y, float),
    ),
    wrong(
        "axes swapped",
        "This is the slope of ln x over ln of the loss: the axes have changed places.",
        alpha=lambda u, v: -slope(v, u),
    ),
    wrong(
        "through zero",
        "The line is forced through the origin here. It has an intercept, ln A.",
        alpha=through_zero,
    ),
    wrong(
        "rows for runs",
        "The numbers in draws name runs, and are used here as numbers of rows. The rows of one run belong together.",
        rows=lambda runs, drawn: np.asarray(drawn) % len(runs),
    ),
    wrong(
        "each run once",
        "A run that was drawn twice counts twice, and here it counts once.",
        rows=lambda runs, drawn: np.flatnonzero(np.isin(runs, drawn)),
    ),
    wrong(
        "first row of a run",
        "Only the first row of each drawn run is used; all of its rows come with it.",
        rows=lambda runs, drawn: np.array([np.flatnonzero(runs == run)[0] for run in drawn]),
    ),
    wrong(
        "counts for weights",
        "A run that was drawn twice counts four times here. np.polyfit squares its weights: the root of the count is "
        "due, or the rows as often as they were drawn.",
        rows=lambda runs, drawn: np.concatenate([np.flatnonzero(runs == a) for a in drawn for b in drawn if a == b]),
    ),
    wrong(
        "all rows",
        "All rows are fitted every time, so that nothing is drawn.",
        rows=lambda runs, drawn: np.arange(len(runs)),
    ),
    wrong(
        "one side",
        "The ends are the quantiles 1 - level and level: that leaves 5 per cent on either side of a level of 0.95, and "
        "so 90 between them.",
        ends=lambda alphas, level: np.quantile(alphas, [1 - level, level]),
    ),
    wrong(
        "always 95 per cent",
        "The ends are those of a level of 0.95, whatever `level` says.",
        ends=lambda alphas, level: middle(alphas, 0.95),
    ),
    wrong(
        "least and most",
        "These are the least and the largest alpha. The middle `level` of them lies between two quantiles.",
        ends=lambda alphas, level: (alphas.min(), alphas.max()),
    ),
    wrong(
        "mean and spread",
        "This is the mean and 1.96 standard deviations on either side. It asks for neither the level nor the shape; "
        "the quantiles do.",
        ends=around,
    ),
    wrong(
        "error of the mean",
        "This is the error of the mean over replicates, which goes to zero with their number. The spread of the alphas "
        "themselves is the interval.",
        ends=of_the_mean,
    ),
    wrong(
        "high and low", "The ends come in the wrong order: (low, high).", ends=lambda a, level: middle(a, level)[::-1]
    ),
)
