"""How sure a fitted law is: fitted again and again to runs that are drawn from the runs."""

from dataclasses import dataclass, field

import numpy as np

from . import scaling, surface

BATCH = 250  # replicates that are fitted at once
DRAWS = 40  # new runs imagined for each replicate, by prediction


@dataclass(frozen=True)
class Bootstrap:
    """fit is that of all runs; thetas (replicates, p) holds the constants of each replicate, as fit.theta does.

    converged (replicates,) says which replicates came to rest; redrawn, how many draws were thrown back because they
    held too few different runs to fit a law to.
    """

    fit: scaling.Fit
    thetas: np.ndarray = field(repr=False)
    converged: np.ndarray = field(repr=False)
    redrawn: int
    n_groups: int
    seed: int

    @property
    def laws(self):
        """The law of each replicate, a list."""
        E, coefficients, exponents = self.fit.surface.constants(self.thetas)
        rows = np.concatenate([E[:, None], coefficients, exponents], 1)
        return [type(self.fit.law)(*map(float, row)) for row in rows]

    def constants(self, level=0.95):
        """{"E": (low, high), ...}: the interval of each constant."""
        E, coefficients, exponents = self.fit.surface.constants(self.thetas)
        columns = np.concatenate([E[:, None], coefficients, exponents], 1).T
        names = type(self.fit.law).__dataclass_fields__
        return {name: _interval(column, level) for name, column in zip(names, columns, strict=True)}

    def curves(self, *x):
        """Loss of every replicate's law at x: N and D, or one quantity.  (replicates,) + the shape of x."""
        arrays = np.broadcast_arrays(*(np.asarray(a, float) for a in x))
        logs = np.log(np.array([a.ravel() for a in arrays]))
        return np.exp(self.fit.surface.predict(self.thetas, logs)).reshape(-1, *arrays[0].shape)

    def confidence(self, *x, level=0.95):
        """Where the law's curve lies at x (N and D): (low, high).  It says nothing about a single new run."""
        return _interval(self.curves(*x), level)

    def new_runs(self, *x, seed_noise=0.0):
        """Losses that a new run at x could have: (draws,) + the shape of x.

        Each replicate's curve, times exp(noise): Student's t times fit.scatter, with as many degrees of freedom as
        there are rows beyond the parameters.  The residuals of single runs hold the noise of their seeds; where the
        rows are means over seeds, seed_noise, in log loss, is added to it.
        """
        if not np.isfinite(self.fit.scatter):
            raise ValueError("there are as many runs as parameters, so nothing says how far a new run will scatter.")
        curves = np.repeat(self.curves(*x), DRAWS, axis=0)
        rng = np.random.default_rng([self.seed, 1])
        spare = len(self.fit.residuals) - self.fit.surface.n_parameters
        noise = self.fit.scatter * rng.standard_t(spare, curves.shape)
        return curves * np.exp(noise + seed_noise * rng.standard_normal(curves.shape))

    def prediction(self, *x, level=0.95, seed_noise=0.0):
        """Where a new run at x (N and D) will come out: (low, high).  Wider than the confidence of the curve."""
        return _interval(self.new_runs(*x, seed_noise=seed_noise), level)


def bootstrap(N, D, loss, *, groups=None, replicates=500, seed=0, kind="runs", **options):
    """A Bootstrap of the law of these runs, with the options of scaling.fit.

    groups (rows,) says which rows are drawn together: checkpoints of one run are not independent, so they share a
    number; without it each row is a run of its own.  kind "runs" draws groups with replacement (Efron 1979, Annals of
    Statistics 7).  "signs" keeps all runs, and turns the sign of each group's residuals at random, enlarged by
    sqrt(rows / (rows - parameters)): the wild bootstrap (Wu 1986, Annals of Statistics 14), for plans so small that a
    draw may miss a whole width.
    """
    return resample(scaling.fit(N, D, loss, **options), groups=groups, replicates=replicates, seed=seed, kind=kind)


def resample(fit, *, groups=None, replicates=500, seed=0, kind="runs"):
    """A Bootstrap of a Fit, of one quantity or of two."""
    here, rows = fit.surface, len(fit.residuals)
    redrawn = 0
    rng = np.random.default_rng([seed, 0])
    if kind == "runs":
        weights, redrawn, n_groups = drawn(here, groups, replicates, rng)
        y = np.broadcast_to(here.y - here.centre, weights.shape)
    elif kind == "signs":
        spare = rows - here.n_parameters
        if not spare:
            raise ValueError("there are as many runs as parameters, so no residual is left to turn.")
        groups, n_groups = _numbered(groups, rows, replicates)
        signs = rng.choice([-1.0, 1.0], (replicates, n_groups))[:, groups]
        y = here.y - here.centre - fit.residuals * (1 - signs * (rows / spare) ** 0.5)
        weights = np.ones_like(y)
    else:
        raise ValueError(f'kind is {kind!r}, but must be "runs" or "signs".')
    thetas, converged = np.empty((replicates, here.n_parameters)), np.empty(replicates, bool)
    for i in range(0, replicates, BATCH):
        part = slice(i, i + BATCH)
        start = np.tile(fit.theta, (len(y[part]), 1))
        found = surface.settle(here, start, y[part], weights[part], fit.estimator, fit.delta)
        thetas[part], _, converged[part] = found
    return Bootstrap(fit, thetas, converged, redrawn, n_groups, seed)


def drawn(here, groups, replicates, rng):
    """How often each row was drawn, (replicates, rows), how many draws were thrown back, and the number of groups."""
    groups, n_groups = _numbered(groups, here.logs.shape[1], replicates)
    places = np.unique(np.round(here.logs, 12), axis=1, return_inverse=True)[1].ravel()
    varies = [row for row in here.logs if np.ptp(row) > 1e-9]
    kept, redrawn = [], 0
    needed = min(here.n_parameters, places.max() + 1)
    while len(kept) < replicates:
        weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups))[groups]
        there = weights > 0
        if len(np.unique(places[there])) >= needed and all(np.ptp(row[there]) > 1e-9 for row in varies):
            kept.append(weights)
        else:
            redrawn += 1
            if redrawn > 100 * replicates:
                raise ValueError("hardly any draw of these runs holds enough different ones; add runs, or groups.")
    return np.array(kept, float), redrawn, n_groups


def _numbered(groups, rows, replicates):
    """The groups as numbers from 0, (rows,), and how many there are."""
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}, but must be at least 1.")
    if groups is None:
        return np.arange(rows), rows
    names, numbers = np.unique(np.asarray(groups), return_inverse=True)
    if numbers.size != rows:
        raise ValueError(f"groups has {numbers.size} entries, but there are {rows} runs.")
    return numbers.ravel(), len(names)


def _interval(values, level):
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, but must lie between 0 and 1, as 0.95 does.")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)
