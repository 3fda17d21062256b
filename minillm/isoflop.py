"""IsoFLOP profiles: models of many sizes at each budget of compute; which is best?  arXiv:2203.15556, 3.2."""

import math
from dataclasses import dataclass

import numpy as np

from . import runs

ENOUGH, WITHIN, CENTRED = 7, 4.0, 1.5
FLAGS = {
    "few": "fewer than seven runs within a factor of four of the minimum",
    "edge": "the minimum lies at or beyond the last run on one side: train models of that size",
    "centre": "the runs are not centred on the minimum, to within a factor of 1.5: the parabola leans",
}


@dataclass(frozen=True)
class Profile:
    """One budget: N and loss at the minimum of the parabola, its d2 loss / d(ln N)2, and flags, see FLAGS."""

    N: float
    loss: float
    curvature: float
    n_runs: int
    flags: tuple


@dataclass(frozen=True)
class Minima:
    """N* = coefficient C^exponent: the straight line through the minima, and the standard error of its slope."""

    coefficient: float
    exponent: float
    error: float

    def N(self, C):
        """The best number of parameters for C FLOPs."""
        return self.coefficient * np.asarray(C, float) ** self.exponent


def profile(N, loss):
    """The Profile of one budget: a parabola through (ln N, loss) by least squares.

    For a law with alpha != beta the true bowl is no parabola: the minimum comes out shifted by a factor, the same at
    every budget if the runs are centred alike: exponents are right then, and coefficients are not.  ValueError if
    there are fewer than three sizes, or if the parabola has no minimum.
    """
    N, loss = runs.columns(N=N, loss=loss)
    sizes = len(np.unique(N))
    if sizes < 3:
        raise ValueError(f"a parabola needs three sizes of model at a budget, but there are {sizes}.")
    x = np.log(N)
    middle = x.mean()
    (c, b, a), *_ = np.linalg.lstsq(np.vander(x - middle, 3, increasing=True), loss, rcond=None)
    if not a > 0:
        raise ValueError("the losses at this budget have no minimum: they do not bend upwards; widen the sizes.")
    place = -b / (2 * a)
    near = (abs(x - middle - place) <= math.log(WITHIN) * (1 + 1e-9)).sum()
    found = {
        "few": near < ENOUGH,
        "edge": not x.min() < middle + place < x.max(),
        "centre": abs((x.min() + x.max()) / 2 - middle - place) > math.log(CENTRED),
    }
    flags = tuple(FLAGS[key] for key, true in found.items() if true)
    return Profile(math.exp(middle + place), float(c - b * b / (4 * a)), float(2 * a), len(N), flags)


def budgets(C, tolerance=0.01):
    """The number of each run's budget, (rows,): runs whose next neighbour is within tolerance share one."""
    (C,) = runs.columns(C=C)
    order = np.argsort(C, kind="stable")
    steps = np.diff(np.log(C[order]), prepend=np.log(C[order[0]])) > math.log1p(tolerance)
    number = np.empty(len(C), int)
    number[order] = np.cumsum(steps)
    return number


def profiles(C, N, loss, tolerance=0.01):
    """The budgets, (budgets,) in FLOPs, and a Profile for each."""
    C, N, loss = runs.columns(C=C, N=N, loss=loss)
    number = budgets(C, tolerance)
    groups = [number == i for i in range(number.max() + 1)]
    return np.array([np.exp(np.log(C[g]).mean()) for g in groups]), [profile(N[g], loss[g]) for g in groups]


def lowest(C, N, loss, tolerance=0.01):
    """The budgets, and the size of the run that came out lowest at each: what a parabola is better than."""
    C, N, loss = runs.columns(C=C, N=N, loss=loss)
    number = budgets(C, tolerance)
    groups = [np.flatnonzero(number == i) for i in range(number.max() + 1)]
    return np.array([np.exp(np.log(C[g]).mean()) for g in groups]), np.array([N[g[loss[g].argmin()]] for g in groups])


def fit_minima(C, N):
    """The Minima of budgets C and the sizes N that were best there: a line through (ln C, ln N) by least squares."""
    C, N = runs.columns(C=C, N=N)
    if len(np.unique(C)) < 2:
        raise ValueError("a line needs two budgets at least, but all minima have the same.")
    x, y = np.log(C) - np.log(C).mean(), np.log(N)
    slope = (x * y).sum() / (x * x).sum()
    residuals = y - y.mean() - slope * x
    error = math.sqrt((residuals**2).sum() / (len(x) - 2) / (x * x).sum()) if len(x) > 2 else math.nan
    return Minima(math.exp(y.mean() - slope * np.log(C).mean()), float(slope), error)


def frontier(C, loss):
    """Which runs are efficient, (rows,) of bool: no other run has a lower loss for as much compute, or less."""
    C, loss = runs.columns(C=C, loss=loss)
    order = np.lexsort((loss, C))
    best = np.minimum.accumulate(loss[order])
    efficient = np.empty(len(C), bool)
    efficient[order] = loss[order] < np.concatenate([[np.inf], best[:-1]])
    return efficient
