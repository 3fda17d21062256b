"""Many small fits at once: Newton's method on sums of power laws, in logarithms.

The model is  log f = log(exp(e) + [sum_k exp(u_k / gamma)]^gamma),  with e and each u_k affine in the parameters
theta: a power law A N^-alpha is exp(log A - alpha log N).  With gamma = 1 it is the sum of all terms, log-sum-exp,
which cannot overflow.  What is minimised is the sum over rows of weight * rho(log loss - log f), with Huber's
rho(r) = r^2 / 2 where |r| <= delta, and delta (|r| - delta / 2) beyond: squares if delta is inf, nearly |r| if tiny.
Huber 1964, Annals of Mathematical Statistics 35; the same in arXiv:2203.15556, appendix D.3.
"""

from dataclasses import dataclass

import numpy as np

MOST_STEPS = 300
LOWEST = -60.0  # a term this far below the rest, in logarithms, is nothing: parameters go no lower
RELATIVE = 1e-12  # converged: one more step promises less than this share of the objective ...
ABSOLUTE = 1e-26  # ... or less than this, for each row


@dataclass(frozen=True)
class Model:
    """terms (K, rows, p) and offsets (K, rows): u = terms @ theta + offsets.  The first is e; the others are u_k."""

    terms: np.ndarray
    offsets: np.ndarray

    def logs(self, theta, gamma=1.0):
        """log f at every row, and the pieces that its derivatives need.  theta (S, p) -> (S, rows)."""
        u = np.einsum("krp,sp->skr", self.terms, theta) + self.offsets
        return combine(u, np.reshape(gamma, (-1, 1)))


def combine(u, gamma):
    """u (S, K, rows) -> log f (S, rows), shares of the terms u_k in their sum, and the share of e in f."""
    inner = u[:, 1:] / gamma[:, None]
    top = inner.max(1)
    parts = np.exp(inner - top[:, None])
    total = parts.sum(1)
    s = gamma * (top + np.log(total))
    y = np.logaddexp(u[:, 0], s)
    return y, parts / total[:, None], np.exp(u[:, 0] - y)


def huber(r, delta):
    """rho, its slope and its curvature.  delta may be inf, or one for each row of r."""
    slope = np.clip(r, -delta, delta)
    return slope * (r - slope / 2), slope, (abs(r) <= delta).astype(float)


def value(model, theta, y, weights, delta, gamma=1.0):
    """The objective of each problem, (S,)."""
    f, _, _ = model.logs(theta, gamma)
    return (weights * huber(y - f, delta)[0]).sum(-1)


def derivatives(model, theta, y, weights, delta, gamma=1.0):
    """Objective (S,), gradient (S, p), Hessian (S, p, p) and the matrix of the majorising parabola (S, p, p)."""
    gamma = np.broadcast_to(np.asarray(gamma, float), theta.shape[:1])[:, None]
    f, inner, floor = model.logs(theta, gamma)
    rho, slope, curve = huber(y - f, delta)
    shares = np.concatenate([floor[:, None], (1 - floor)[:, None] * inner], 1)  # (S, K, rows), sum 1
    J = np.einsum("skr,krp->srp", shares, model.terms)  # d log f / d theta
    gradient = -np.einsum("sr,srp->sp", weights * slope, J)
    # d2 log f = sum_k shares X X' - J J', less what gamma takes from the terms' own spread
    pull = weights * slope
    outer = np.einsum("krp,krq->krpq", model.terms, model.terms)
    K, R, p, _ = outer.shape
    scaled = shares.copy()
    scaled[:, 1:] /= gamma[:, None]
    second = ((pull[:, None] * scaled).reshape(-1, K * R) @ outer.reshape(K * R, p * p)).reshape(-1, p, p)
    within = np.einsum("skr,krp->srp", inner, model.terms[1:])  # d s / d theta
    extra = pull * (1 - floor) * (1 - 1 / gamma)
    if np.any(gamma != 1):
        second += np.einsum("srp,sr,srq->spq", within, extra, within)
    weigh = lambda w: (J * w[..., None]).swapaxes(1, 2) @ J
    hessian = weigh(weights * curve + pull) - second
    r = y - f
    ratio = np.divide(slope, r, out=np.ones_like(r), where=r != 0)
    return (weights * rho).sum(-1), gradient, hessian, weigh(weights * ratio)


def minimise(model, theta, y, weights, delta, gamma=1.0):
    """The minimum that lies downhill of each start.  theta (S, p) -> (theta, objective, converged), each (S, ...).

    y and weights are (rows,) or (S, rows).  Newton's step where the Hessian is positive; where it is not, or where the
    step does not go down, that of a parabola that lies above the objective (reweighted least squares), shortened until
    it does.  A problem leaves the batch when it has converged, or can go no lower in float64.
    """
    S, p = theta.shape
    y, weights = (np.broadcast_to(np.asarray(a, float), (S, model.terms.shape[1])) for a in (y, weights))
    gamma = np.broadcast_to(np.asarray(gamma, float), (S,))
    theta, best, good = theta.astype(float), np.empty(S), np.zeros(S, bool)
    damping, active = np.tile([1e-4, 1e-9], (S, 1)), np.arange(S)  # of Newton's step, and of the parabola's
    careful = np.zeros(S, int)  # 1 where the last try did not go down: the next takes the parabola
    best[:], gradient, hessian, majoriser = derivatives(model, theta, y, weights, delta, gamma)
    for _ in range(MOST_STEPS):
        step, promise = _step(
            gradient[active], hessian[active], majoriser[active], damping[active, careful[active]], careful[active]
        )
        done = promise <= RELATIVE * best[active] + ABSOLUTE * weights[active].sum(-1)
        good[active[done]] = True
        active, step = active[~done], step[~done]
        if not len(active):
            break
        trial = np.maximum(theta[active] + step, LOWEST)
        there = derivatives(model, trial, y[active], weights[active], delta, gamma[active])
        lower = there[0] < best[active]
        damping[active, careful[active]] *= np.where(lower, 1 / 5, 4)
        careful[active] = ~lower
        moved = active[lower]
        theta[moved] = trial[lower]
        best[moved], gradient[moved], hessian[moved], majoriser[moved] = (a[lower] for a in there)
        active = active[damping[active, 1] < 1e9]
    return theta, best, good


def _step(gradient, hessian, majoriser, damping, careful):
    """A step downhill for each problem, and the decrease that an undamped one promises."""
    scale = np.trace(majoriser, axis1=1, axis2=2)[:, None] + 1e-300
    newton, axes = np.linalg.eigh(hessian)
    positive = (newton[:, 0] > 1e-13 * scale[:, 0]) & (careful == 0)
    if not positive.all():
        newton[~positive], axes[~positive] = np.linalg.eigh(majoriser[~positive])
    curvature = np.maximum(newton, 0) + 1e-15 * scale
    along = np.einsum("spq,sp->sq", axes, gradient)
    promise = (along**2 / curvature).sum(1) / 2
    step = -np.einsum("spq,sq->sp", axes, along / (curvature + damping[:, None] * scale))
    return step, promise
