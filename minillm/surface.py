"""The surface that is fitted: loss against one quantity or two, in coordinates in which all problems look alike.

Each quantity x enters as z = (ln x - mean) / spread, and the loss as y = ln(loss) - mean.  So units, and the base of a
logarithm, cancel before anything is searched.  theta = (e, c_1 .., s_1 ..): the floor is exp(e), a term exp(c - s z).
With a fixed floor there is no e.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from . import descent

ESTIMATORS = ("huber", "ols", "lad")
SHARP = 1e-6  # least absolute deviations are Huber's with a delta that no residual notices
EXPONENTS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # where the search begins, for each quantity


@dataclass(frozen=True)
class Surface:
    """logs (J, rows) of the quantities, y (rows,) of the loss; floor None is free, a number is fixed, 0 is none."""

    logs: np.ndarray
    y: np.ndarray
    floor: float | None = None

    @functools.cached_property
    def centre(self):
        """Mean of the log loss."""
        return float(self.y.mean())

    @functools.cached_property
    def means(self):
        """Mean log of each quantity, (J,)."""
        return self.logs.mean(1)

    @functools.cached_property
    def spreads(self):
        """Spread of the log of each quantity, (J,); 1 where there is none."""
        spread = self.logs.std(1)
        return np.where(spread > 1e-9, spread, 1.0)

    @property
    def n_parameters(self):
        """How many numbers are fitted."""
        return 2 * len(self.logs) + (self.floor is None)

    def model(self, logs=None):
        """The descent.Model of this surface at its own rows, or at others, logs (J, rows)."""
        z = ((self.logs if logs is None else logs) - self.means[:, None]) / self.spreads[:, None]
        J, rows = z.shape
        free = int(self.floor is None)
        terms, offsets = np.zeros((J + 1, rows, self.n_parameters)), np.zeros((J + 1, rows))
        if free:
            terms[0, :, 0] = 1
        else:
            offsets[0] = math.log(self.floor) - self.centre if self.floor > 0 else -np.inf
        for j in range(J):
            terms[j + 1, :, free + j] = 1
            terms[j + 1, :, free + J + j] = -z[j]
        return descent.Model(terms, offsets)

    def constants(self, theta):
        """theta (..., p) -> E (...), coefficients (..., J) and exponents (..., J), in the caller's units."""
        J, free = len(self.logs), int(self.floor is None)
        exponents = theta[..., free + J :] / self.spreads
        with np.errstate(over="ignore"):
            coefficients = np.exp(theta[..., free : free + J] + self.centre + exponents * self.means)
        E = np.exp(theta[..., 0] + self.centre) if free else np.full(theta.shape[:-1], float(self.floor))
        return E, coefficients, exponents

    def predict(self, theta, logs):
        """Log loss at logs (J, rows) for each theta (S, p): (S, rows)."""
        return self.model(logs).logs(theta)[0] + self.centre

    def jacobian(self, theta):
        """d log f / d theta at every row, (rows, p)."""
        model = self.model()
        _, inner, floor = model.logs(theta[None])
        shares = np.concatenate([floor, (1 - floor) * inner[0]])
        return np.einsum("kr,krp->rp", shares, model.terms)

    def starts(self):
        """A start for each choice of exponents: what enters linearly is projected out.

        With the exponents given, E, A and B solve a linear least-squares problem, with errors relative to the loss and
        nothing below zero (Golub and Pereyra 1973, SIAM Journal on Numerical Analysis 10: variable projection).  (S, p)
        """
        from scipy.optimize import nnls

        J, free = len(self.logs), int(self.floor is None)
        z = (self.logs - self.means[:, None]) / self.spreads[:, None]
        loss = np.exp(self.y - self.centre)
        known = self.floor / math.exp(self.centre) if not free else 0.0
        found = []
        for exponents in itertools.product(EXPONENTS, repeat=J):
            s = np.array(exponents) * self.spreads
            columns = np.exp(-s[:, None] * z)
            columns = np.concatenate([np.ones_like(columns[:1]), columns]) if free else columns
            linear, _ = nnls((columns / loss).T, (loss - known) / loss)
            found.append(np.concatenate([np.log(np.maximum(linear, 1e-4)), s]))
        return np.array(found)


def search(surface, estimator, delta, weights):
    """Every start goes downhill: theta (S, p), objective (S,), converged (S,), the lowest first."""
    model, theta, y = surface.model(), surface.starts(), surface.y - surface.centre
    for width in path(estimator, delta):
        theta, value, good = descent.minimise(model, theta, y, weights, width)
    order = np.argsort(value, kind="stable")
    theta, value, good = theta[order], value[order], good[order]
    if not good[0]:
        theta[:1], value[:1], good[:1] = settle(surface, theta[:1], y, weights, estimator, delta)
    return theta, value, good


def settle(surface, theta, y, weights, estimator, delta):
    """The minimum downhill of each start, as from descent.minimise; theta (S, p), y and weights (S, rows) or (rows,).

    What has not converged, where few residuals are below delta and the objective has kinks, comes down once more by
    way of least squares and ever sharper kinks, and keeps the lower end.
    """
    model = surface.model()
    for width in path(estimator, delta):
        theta, value, good = descent.minimise(model, theta, y, weights, width)
    late = np.flatnonzero(~good)
    if len(late) and estimator != "ols":
        y, weights = (np.broadcast_to(a, (len(theta), len(surface.y)))[late] for a in (y, weights))
        again = theta[late]
        for width in (math.inf, *np.geomspace(1e-1, path(estimator, delta)[-1], 12)):
            again, lower, settled = descent.minimise(model, again, y, weights, width)
        better = lower <= value[late] * (1 + 1e-12)
        theta[late[better]], value[late[better]], good[late[better]] = again[better], lower[better], settled[better]
    return theta, value, good


def total(residuals, estimator, delta):
    """The objective of these residuals in log loss: the sum of Huber's rho, of half the squares, or of |r|."""
    if estimator == "lad":
        return abs(residuals).sum(-1)
    return descent.huber(residuals, path(estimator, delta)[-1])[0].sum(-1)


def path(estimator, delta):
    """The deltas of Huber's rho that are gone through: squares first where absolute deviations are wanted."""
    if estimator == "ols":
        return (math.inf,)
    if estimator == "huber":
        return (delta,)
    return (math.inf, *np.geomspace(1e-2, SHARP, 9))


def lbfgs(surface, estimator, delta, weights):
    """The same minimum by another way: SciPy's L-BFGS on all parameters at once, from starts of its own.

    Returns the lowest objective that it finds, and its theta.
    """
    from scipy.optimize import minimize

    z = (surface.logs - surface.means[:, None]) / surface.spreads[:, None]
    y, J, free = surface.y - surface.centre, len(z), int(surface.floor is None)

    def objective(theta, delta, scale):
        c, s = theta[free : free + J], theta[free + J :]
        u = c[:, None] - s[:, None] * z
        if free:
            u = np.concatenate([np.full_like(u[:1], theta[0]), u])
        elif surface.floor > 0:
            u = np.concatenate([np.full_like(u[:1], math.log(surface.floor) - surface.centre), u])
        f = np.logaddexp.reduce(u)
        shares = np.exp(u - f)
        slope = np.clip(y - f, -delta, delta)
        total = weights * slope * ((y - f) - slope / 2)
        pull = shares[-J:] * (weights * slope)
        gradient = np.concatenate([-pull.sum(1), (pull * z).sum(1)])
        if free:
            gradient = np.concatenate([[-(shares[0] * weights * slope).sum()], gradient])
        return total.sum() / scale, gradient / scale

    best, found = math.inf, None
    widths = path(estimator, delta)
    for share, exponent in itertools.product((0.2, 0.7), (0.2, 0.6)):
        theta = np.concatenate([np.full(J, math.log((1 - share) / J)), exponent * surface.spreads])
        theta = np.concatenate([[math.log(share)], theta]) if free else theta
        for width in widths:
            for _ in range(3):  # started again where it stops, with the objective scaled to 1 there
                scale = objective(theta, width, 1.0)[0] + 1e-300
                options = {"maxiter": 3000, "maxfun": 6000, "ftol": 1e-14, "gtol": 1e-10, "maxcor": 30}
                theta = minimize(objective, theta, (width, scale), "L-BFGS-B", jac=True, options=options).x
        value = objective(theta, widths[-1], 1.0)[0]
        if value < best:
            best, found = value, theta
    return best, found
