"""The gamma test: does the sum of two power laws have the right shape between them?

L = E + [(A / N^alpha)^(1/gamma) + (B / D^beta)^(1/gamma)]^gamma is the additive law for gamma = 1.  A smaller
gamma bends more sharply from one limit to the other (gamma -> 0: the larger of the two alone).  If the runs ask for
another gamma, the additive law is misspecified, and what it says outside of them is doubtful.  It is a test, and no
better law.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from . import bootstrap, descent, scaling, surface

WIDEST = 8.0  # gamma is sought between 1/8 and 8
GOLDEN = (math.sqrt(5) - 1) / 2
STEPS = 16  # each shortens the bracket by this ratio: in the end to a thousandth of ln gamma


@dataclass(frozen=True)
class GammaTest:
    """gamma of all runs, its interval over the replicates, and the objective of the best law with it and without it."""

    gamma: float
    interval: tuple
    objective: float
    objective_additive: float
    replicates: np.ndarray = field(repr=False)
    law: scaling.Law = field(repr=False)  # E, A, B, alpha, beta at this gamma

    @property
    def misspecified(self):
        """Whether the interval leaves out gamma = 1, the additive law."""
        return not self.interval[0] <= 1 <= self.interval[1]

    def loss(self, N, D):
        """The loss of the generalised law; arrays broadcast."""
        law = self.law
        first, second = law.A * np.asarray(N, float) ** -law.alpha, law.B * np.asarray(D, float) ** -law.beta
        return law.E + (first ** (1 / self.gamma) + second ** (1 / self.gamma)) ** self.gamma


def gamma_test(N, D, loss, *, groups=None, replicates=200, seed=0, level=0.95, **options):
    """The GammaTest of these runs, with the options of scaling.fit; groups as in bootstrap.bootstrap.

    For each replicate gamma is found by golden section on ln gamma, all other constants refitted at each value.
    ValueError for least absolute deviations, whose objective has too many kinks for it, and for too few runs.
    """
    fit = scaling.fit(N, D, loss, **options)
    if fit.estimator == "lad":
        raise ValueError('the gamma test is made with the estimator "huber" or "ols", not "lad".')
    here, rows = fit.surface, len(fit.residuals)
    if rows < here.n_parameters + 1:
        raise ValueError(f"there are {rows} runs for {here.n_parameters + 1} parameters, gamma among them; add runs.")
    weights, _, _ = bootstrap.drawn(here, groups, replicates, np.random.default_rng([seed, 0]))
    grid = np.linspace(-math.log(WIDEST), math.log(WIDEST), 13)
    whole = np.ones((1, rows))
    theta, values, place = _outwards(fit, whole, grid)
    logs, theta, objective = _golden(fit, whole, theta, grid[max(place - 1, 0)], grid[min(place + 1, 12)])
    starts = np.tile(theta, (replicates, 1))
    many, _, _ = _golden(fit, weights, starts, logs[0] - math.log(3), logs[0] + math.log(3))
    E, (A, B), (alpha, beta) = here.constants(theta[0])
    law = scaling.Law(*map(float, (E, A, B, alpha, beta)))
    low, high = np.exp(np.quantile(many, [(1 - level) / 2, (1 + level) / 2]))
    return GammaTest(
        gamma=float(np.exp(logs[0])),
        interval=(float(low), float(high)),
        objective=float(objective[0]),
        objective_additive=float(values[6]),
        replicates=np.exp(many),
        law=law,
    )


def _solve(fit, weights, theta, log):
    """The other constants and the objective where ln gamma is log (S,), downhill from theta (S, p)."""
    here, delta = fit.surface, surface.path(fit.estimator, fit.delta)[-1]
    return descent.minimise(here.model(), theta, here.y - here.centre, weights, delta, np.exp(log))[:2]


def _outwards(fit, weights, grid):
    """From gamma = 1, the middle of the grid, outwards: best theta (1, p), all objectives, place of the best."""
    middle, found = len(grid) // 2, {}
    for side in (range(middle, len(grid)), range(middle - 1, -1, -1)):
        theta = found[middle][0] if found else fit.theta[None]
        for i in side:
            found[i] = theta, _ = _solve(fit, weights, theta, grid[i : i + 1])
    values = [float(found[i][1][0]) for i in range(len(grid))]
    place = int(np.argmin(values))
    return found[place][0], values, place


def _golden(fit, weights, theta, low, high):
    """Golden section between low and high, for all problems at once: ln gamma (S,), theta (S, p), objective (S,)."""
    low, high = np.full(len(theta), low), np.full(len(theta), high)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    (_, at_left), (theta, at_right) = (_solve(fit, weights, theta, at) for at in (left, right))
    for _ in range(STEPS):
        down = at_left < at_right  # the minimum is left of right
        low, high = np.where(down, low, left), np.where(down, right, high)
        fresh = np.where(down, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        theta, at_fresh = _solve(fit, weights, theta, fresh)
        left, right = np.where(down, fresh, right), np.where(down, left, fresh)
        at_left, at_right = np.where(down, at_fresh, at_right), np.where(down, at_left, at_fresh)
    middle = (low + high) / 2
    return middle, *_solve(fit, weights, theta, middle)
