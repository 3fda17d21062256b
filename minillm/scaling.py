"""Scaling laws: the loss as a floor and what falls with the size of the model and with the tokens it is trained on."""

import math
from dataclasses import dataclass, field

import numpy as np

from . import runs, surface
from .surface import Surface

FLAGS = {
    "one N": "unidentified: all runs have one N, so A and alpha cannot be told from the floor",
    "one D": "unidentified: all runs have one D, so B and beta cannot be told from the floor",
    "one x": "unidentified: all runs have one x, so the term cannot be told from the floor",
    "ray": "unidentified: N and D grow in step in all runs, so the two terms can trade places",
    "floor": "unidentified: the floor E has run into its boundary, zero or the lowest loss",
    "constant": "unidentified: the loss is the same in all runs, so nothing falls",
    "few": "unidentified: no more distinct runs than parameters, so no residual can tell how good the law is",
    "ridge": "unidentified: other constants fit almost as well, since the parameters trade against each other",
    "minima": "several minima within 1 % of the best objective, with other constants",
    "rising": "an exponent is not above zero: the loss does not fall along that axis",
    "unconverged": "not converged: the search stopped while the objective could still fall",
    "methods": "not converged: L-BFGS and variable projection end at different objectives",
}
RIDGE = 1e3  # condition of the problem above which its constants are not to be believed
NOTHING = 1e-16  # an objective below this, for each run, is that of residuals of 1e-8: rounding


@dataclass(frozen=True)
class Law:
    """L = E + A / N^alpha + B / D^beta, in nats per token.  arXiv:2203.15556, equation 2."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def reducible(self, N, D):
        """What more parameters and more tokens can still take away: A / N^alpha + B / D^beta."""
        return self.A * _float(N) ** -self.alpha + self.B * _float(D) ** -self.beta

    def loss(self, N, D):
        """Loss of N parameters trained on D tokens; arrays broadcast."""
        return self.E + self.reducible(N, D)

    @property
    def exponent(self):
        """a in N* ~ C^a: beta / (alpha + beta)."""
        return self.beta / (self.alpha + self.beta)

    def allocation(self, C):
        """The best use of C FLOPs, where C = 6 N D:  (N*, D*, loss).

        N* = G (C/6)^a, D* = (C/6)^b / G, with a = beta / (alpha + beta), b = 1 - a and
        G = (alpha A / (beta B))^(1 / (alpha + beta)).  Its reducible loss falls as C^(-alpha beta / (alpha + beta)).
        Both terms must be there: A or B of 0, or too large for a float, gives 0, inf and NaN, or a ZeroDivisionError.
        """
        G = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        N = G * (_float(C) / 6) ** self.exponent
        D = (_float(C) / 6) ** (1 - self.exponent) / G
        return N, D, self.loss(N, D)


@dataclass(frozen=True)
class Power:
    """L = E + A / x^alpha: the loss against one quantity, where nothing else limits.  arXiv:2001.08361, section 1.2."""

    E: float
    A: float
    alpha: float

    def reducible(self, x):
        """A / x^alpha."""
        return self.A * _float(x) ** -self.alpha

    def loss(self, x):
        """Loss at x; arrays broadcast."""
        return self.E + self.reducible(x)


@dataclass(frozen=True)
class Fit:
    """What a fit found, and how far it can be trusted.

    objective    the sum (not the mean) over runs of Huber's rho, of half the squares, or of the absolute values
    residuals    log of the measured loss less log of the law's, (rows,)
    converged    one more step would change nothing, and L-BFGS ends at the same objective
    minima       how many different sets of constants come within 1 % of the best objective
    condition    of the Jacobian, each column scaled to length 1: large if the constants trade against each other
    flags        sentences, see FLAGS; those that begin with "unidentified" say which constants mean nothing
    disagreement how far L-BFGS ends from here, as a share of the objective; None if it was not asked
    """

    law: Law | Power
    objective: float
    estimator: str
    delta: float
    converged: bool
    flags: tuple
    minima: int
    condition: float
    residuals: np.ndarray
    floor_fixed: bool
    disagreement: float | None
    surface: Surface = field(repr=False)
    theta: np.ndarray = field(repr=False)  # the constants in the coordinates of the surface, (p,)

    @property
    def scatter(self):
        """Typical residual of a run that was not fitted, in log loss: sqrt(sum r^2 / (rows - parameters))."""
        spare = len(self.residuals) - self.surface.n_parameters
        return math.sqrt((self.residuals**2).sum() / spare) if spare > 0 else math.nan


def fit(N, D, loss, *, floor=None, estimator="huber", delta=1e-3, scale=1.0, second=True):
    """The law of these runs: N parameters, D tokens, loss in nats per token, each (rows,).

    Minimises the sum over runs of rho(log loss - log(E + A / N^alpha + B / D^beta)).  estimator is "huber" (squares up
    to delta, straight lines beyond, as in arXiv:2203.15556, appendix D.3), "ols" (squares) or "lad" (absolute values).
    delta is in log loss; 1.35 times seed_noise(...) if that is known.  floor fixes E; 0 leaves it out.  scale
    multiplies the objective, and changes nothing else.  second=False saves the time of L-BFGS, the second method.
    ValueError, in one sentence, for what cannot be fitted; what cannot be trusted is in the flags.
    """
    N, D, loss = runs.columns(N=N, D=D, loss=loss)
    return _fit(np.log([N, D]), loss, ("N", "D"), Law, floor, estimator, delta, scale, second)


def fit_power(x, loss, *, floor=None, estimator="huber", delta=1e-3, scale=1.0, second=True):
    """The law of one quantity, L = E + A / x^alpha: options and refusals as in fit."""
    x, loss = runs.columns(x=x, loss=loss)
    return _fit(np.log([x]), loss, ("x",), Power, floor, estimator, delta, scale, second)


def seed_noise(N, D, loss):
    """Spread of the log loss between runs that differ in their seed alone, or NaN if there are none such.

    The pooled standard deviation over all groups of equal N and D: sqrt(sum (r - mean)^2 / sum (runs - 1)).
    """
    N, D, loss = runs.columns(N=N, D=D, loss=loss)
    squares = spare = 0
    for group in {pair: np.log(loss[(N == pair[0]) & (pair[1] == D)]) for pair in zip(N, D, strict=True)}.values():
        squares += ((group - group.mean()) ** 2).sum()
        spare += len(group) - 1
    return math.sqrt(squares / spare) if spare else math.nan


def make_surface(logs, loss, floor, estimator, delta):
    """The Surface of these rows, after the refusals that fit and bootstrap share."""
    if estimator not in surface.ESTIMATORS:
        raise ValueError(f"the estimator is {estimator!r}, but must be one of {', '.join(surface.ESTIMATORS)}.")
    if not (isinstance(delta, (int, float)) and 0 < delta < math.inf):
        raise ValueError(f"delta is {delta}, but must be a number above 0, in log loss, such as 1e-3.")
    if floor is not None:
        if not 0 <= floor < math.inf:
            raise ValueError(f"the floor is {floor}, but must be a number, 0 or more, in nats per token.")
        if floor >= loss.min():
            raise ValueError(f"the floor is {floor:.6g}, but a run has loss {loss.min():.6g}: no loss lies below it.")
    made = Surface(logs, np.log(loss), None if floor is None else float(floor))
    if len(loss) < made.n_parameters:
        raise ValueError(
            f"there are {len(loss)} runs for {made.n_parameters} parameters; add runs, or fix the floor if it is known."
        )
    return made


def _fit(logs, loss, names, Kind, floor, estimator, delta, scale, second):
    if not 0 < scale < math.inf:
        raise ValueError(f"scale is {scale}, but must be a number above 0.")
    here = make_surface(logs, loss, floor, estimator, delta)
    weights = np.full(len(loss), float(scale))
    thetas, values, good = surface.search(here, estimator, delta, weights)
    nothing = len(loss) * scale * NOTHING
    theta, converged = thetas[0], bool(good[0] or values[0] < nothing)
    residuals = here.y - here.predict(theta[None], logs)[0]
    objective = scale * surface.total(residuals, estimator, delta)
    disagreement = None
    if second:
        other, _ = surface.lbfgs(here, estimator, delta, weights)
        disagreement = abs(other - values[0]) / max(values[0], nothing)
    minima = _distinct(thetas[values <= 1.01 * values[0] + 1e-4 * nothing])
    condition = _condition(here, theta)
    E, coefficients, exponents = here.constants(theta)
    found = _flags(here, names, loss, E, exponents, residuals)
    found |= {"minima"} if minima > 1 and not found & {"one N", "one D", "one x", "constant"} else set()
    found |= {"ridge"} if not condition < RIDGE else set()
    found |= {"unconverged"} if not converged else set()
    found |= {"methods"} if second and disagreement > (1e-4 if values[0] > nothing else 1) else set()
    return Fit(
        law=Kind(*(float(value) for value in (E, *coefficients, *exponents))),
        objective=float(objective),
        estimator=estimator,
        delta=delta,
        converged=converged and "methods" not in found,
        flags=tuple(sentence for key, sentence in FLAGS.items() if key in found),
        minima=minima,
        condition=condition,
        residuals=residuals,
        floor_fixed=floor is not None,
        disagreement=disagreement,
        surface=here,
        theta=theta,
    )


def _distinct(thetas):
    """How many of these minima differ by more than a hundredth in some parameter: thetas (S, p), the best first."""
    kept = []
    for theta in np.maximum(thetas, -12.0):  # a term of exp(-12) of the loss is none, however small it is
        if all(abs(theta - other).max() > 1e-2 for other in kept):
            kept.append(theta)
    return len(kept)


def _condition(here, theta):
    """Largest over smallest singular value of the Jacobian, each column scaled to length 1; inf if one is nothing."""
    J = here.jacobian(theta)
    lengths = np.linalg.norm(J, axis=0)
    if lengths.min() < 1e-12:
        return math.inf
    values = np.linalg.svd(J / lengths, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 1e-15 else math.inf


def _flags(here, names, loss, E, exponents, residuals):
    """The keys of FLAGS that the runs and the constants found earn."""
    logs, found = here.logs, set()
    found |= {f"one {name}" for name, row in zip(names, logs, strict=True) if np.ptp(row) < 1e-9}
    if len(logs) == 2 and not found:
        z = logs - here.means[:, None]
        if 1 - abs(np.corrcoef(z)[0, 1]) < 1e-9:
            found.add("ray")
    if np.ptp(here.y) < 1e-9:
        found.add("constant")
    if len(np.unique(np.round(logs, 12), axis=1).T) <= here.n_parameters:
        found.add("few")
    if here.floor is None and not 0.01 * loss.min() < E < (1 - 1e-6) * loss.min() * math.exp(abs(residuals).max()):
        found.add("floor")
    if exponents.min() <= 1e-6:
        found.add("rising")
    return found


def _float(x):
    """As float64: 6 N D of large integers would overflow int64."""
    return np.asarray(x, float)
