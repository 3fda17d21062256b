"""The bootstrap: replicates are really refitted, intervals hold what they promise, and groups stay together."""

import time

import numpy as np
import pytest
from test_scaling import TRUE, square

from minillm import bootstrap, scaling, surface
from minillm.scaling import Power


@pytest.mark.parametrize("estimator", ["huber", "ols"])
def test_a_replicate_is_the_fit_of_its_rows_in_a_slow_loop(estimator):
    N, D, loss = square(5, 0.01)
    made = bootstrap.bootstrap(N, D, loss, replicates=6, seed=4, estimator=estimator)
    weights, _, _ = bootstrap.drawn(made.fit.surface, None, 6, np.random.default_rng([4, 0]))
    for law, counts in zip(made.laws, weights.astype(int), strict=True):
        rows = np.repeat(np.arange(25), counts)
        alone = scaling.fit(N[rows], D[rows], loss[rows], estimator=estimator).law  # from all starts
        assert law.alpha == pytest.approx(alone.alpha, abs=1e-5) and law.beta == pytest.approx(alone.beta, abs=1e-5)
        assert law.loss(1e11, 1e13) == pytest.approx(alone.loss(1e11, 1e13), rel=1e-6)


def test_every_replicate_converges_and_they_differ():
    made = bootstrap.bootstrap(*square(6, 0.01), replicates=100)
    assert made.converged.all() and made.redrawn == 0
    assert len({law.alpha for law in made.laws}) == 100


@pytest.mark.parametrize("estimator", ["huber", "ols", "lad"])
def test_without_noise_every_replicate_is_the_law_itself(estimator):
    made = bootstrap.bootstrap(*square(6), replicates=20, estimator=estimator)
    low, high = made.constants()["alpha"]
    assert low == pytest.approx(0.34, abs=1e-5) and high == pytest.approx(0.34, abs=1e-5)


def test_the_same_seed_gives_the_same_replicates():
    make = lambda seed: bootstrap.bootstrap(*square(4, 0.01), replicates=10, seed=seed).laws
    assert make(1) == make(1) != make(2)


def test_groups_are_drawn_whole():
    N, D, loss = square(4, 0.01)
    here = scaling.fit(N, D, loss).surface
    groups = np.repeat(["a", "b", "c", "d", "e", "f", "g", "h"], 2)
    weights, _, n = bootstrap.drawn(here, groups, 50, np.random.default_rng(0))
    assert n == 8 and (weights[:, ::2] == weights[:, 1::2]).all() and (weights.sum(1) == 16).all()
    alone, _, n = bootstrap.drawn(here, None, 50, np.random.default_rng(0))
    assert n == 16 and (alone[:, ::2] != alone[:, 1::2]).any()


def test_checkpoints_that_share_their_luck_are_not_as_good_as_runs(rng):
    N, D, _ = square(6)
    N, D, groups = np.repeat(N, 4), np.repeat(D, 4), np.repeat(np.arange(36), 4)
    loss = TRUE.loss(N, D) * np.exp(0.01 * rng.standard_normal(36)[groups])
    width = lambda groups: np.ptp(bootstrap.bootstrap(N, D, loss, groups=groups, replicates=200).confidence(1e11, 1e13))
    assert width(groups) > 1.5 * width(None)


def test_draws_that_miss_an_axis_are_thrown_back():
    N, D, loss = (a[[0, 1, 2, 3, 7, 11]] for a in square(4, 0.01))
    made = bootstrap.bootstrap(N, D, loss, replicates=50, floor=1.69)
    weights, redrawn, _ = bootstrap.drawn(made.fit.surface, None, 50, np.random.default_rng([0, 0]))
    assert made.redrawn == redrawn > 0
    assert all(np.ptp(N[row > 0]) and np.ptp(D[row > 0]) and (row > 0).sum() >= 4 for row in weights)


def test_the_curves_are_those_of_the_laws_in_a_loop():
    made = bootstrap.bootstrap(*square(4, 0.01), replicates=5)
    N, D = np.array([[1e6], [1e8]]), np.array([1e10, 1e11, 1e12])
    curves = made.curves(N, D)
    assert curves.shape == (5, 2, 3)
    for law, curve in zip(made.laws, curves, strict=True):
        assert np.allclose(curve, law.loss(N, D), rtol=1e-10)
    low, high = made.confidence(N, D)
    assert np.allclose(low, np.quantile(curves, 0.025, axis=0)) and (low < high).all()


def test_a_wider_level_gives_a_wider_interval():
    made = bootstrap.bootstrap(*square(4, 0.01), replicates=100)
    for interval in (made.confidence, made.prediction):
        assert np.ptp(interval(1e9, 1e11, level=0.95)) > np.ptp(interval(1e9, 1e11, level=0.8)) > 0
    assert np.ptp(made.prediction(1e9, 1e11, seed_noise=0.05)) > 2 * np.ptp(made.prediction(1e9, 1e11))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["runs", "signs"])
def test_the_curve_lies_in_its_interval_and_a_new_run_in_the_wider_one(kind):
    """Of 60 ladders: a binomial of 0.95 gives fewer than 51 once in a thousand times, of 0.9 more often."""
    curve = run = wrong = 0
    at, truth = (3e9, 3e11), TRUE.loss(3e9, 3e11)
    for seed in range(60):
        N, D, loss = square(7, 0.01, seed)
        fit = scaling.fit(N, D, loss, estimator="ols", second=False)
        made = bootstrap.resample(fit, replicates=150, kind=kind)
        fresh = truth * np.exp(0.01 * np.random.default_rng([seed, 9]).standard_normal())
        (low, high), (least, most) = made.confidence(*at), made.prediction(*at)
        curve += low <= truth <= high
        wrong += low <= fresh <= high
        run += least <= fresh <= most
    assert curve >= 50 and run >= 51
    assert wrong < 35  # the interval of the curve, taken for that of a new run


def test_the_signs_keep_every_run_and_turn_residuals_by_group():
    N, D, loss = square(4, 0.01)
    made = bootstrap.bootstrap(N, D, loss, replicates=200, kind="signs", estimator="ols")
    runs = bootstrap.bootstrap(N, D, loss, replicates=200, estimator="ols")
    widths = [np.ptp(which.confidence(1e9, 1e11)) for which in (made, runs)]
    assert made.redrawn == 0 and 0.5 < widths[0] / widths[1] < 2
    groups = np.arange(16) // 4
    four = bootstrap.bootstrap(N, D, loss, replicates=200, kind="signs", estimator="ols", groups=groups)
    different = lambda made: len({round(law.alpha, 9) for law in made.laws})
    assert 8 <= different(four) <= 16 < different(made)  # four signs make sixteen replicates


def test_a_curve_of_one_quantity_is_resampled_too(rng):
    x = np.geomspace(1e5, 1e9, 20)
    loss = Power(2.0, 50.0, 0.4).loss(x) * np.exp(0.003 * rng.standard_normal(20))
    made = bootstrap.resample(scaling.fit_power(x, loss), replicates=100)
    low, high = made.prediction(1e10)
    assert low < Power(2.0, 50.0, 0.4).loss(1e10) < high and isinstance(made.laws[0], Power)
    assert set(made.constants()) == {"E", "A", "alpha"}


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"groups": [1, 2]}, "groups has 2 entries, but there are 16 runs"),
        ({"replicates": 0}, "replicates is 0"),
        ({"kind": "rows"}, 'must be "runs" or "signs"'),
    ],
)
def test_what_cannot_be_resampled_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        bootstrap.bootstrap(*square(4, 0.01), **{"replicates": 3} | options)


def test_without_spare_runs_nothing_is_said_about_a_new_one():
    N, D, loss = (a[[0, 3, 6, 9]] for a in square(4, 0.01))
    made = bootstrap.bootstrap(N, D, loss, replicates=3, floor=1.69)
    with pytest.raises(ValueError, match="as many runs as parameters"):
        made.prediction(1e9, 1e11)
    with pytest.raises(ValueError, match="no residual is left"):
        bootstrap.bootstrap(N, D, loss, replicates=3, floor=1.69, kind="signs")
    with pytest.raises(ValueError, match="level is 95"):
        made.confidence(1e9, 1e11, level=95)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["huber", "ols"])
def test_a_thousand_replicates_of_240_runs_take_less_than_a_minute(estimator):
    N, D, loss = (a[:240] for a in square(16, 0.01))
    start = time.process_time()  # what one core works, beside whatever else the machine does
    made = bootstrap.bootstrap(N, D, loss, replicates=1000, estimator=estimator)
    assert time.process_time() - start < 60
    assert made.converged.all()


def test_a_new_run_scatters_around_each_curve_as_the_runs_did():
    made = bootstrap.bootstrap(*square(6, 0.02), replicates=200, estimator="ols")
    curves, losses = (np.log(a) for a in (made.curves(1e9, 1e11), made.new_runs(1e9, 1e11)))
    spare = 36 - 5
    apart = losses.reshape(200, -1) - curves[:, None]
    assert apart.std() == pytest.approx(made.fit.scatter * (spare / (spare - 2)) ** 0.5, rel=0.05)  # Student's t


def test_turned_residuals_are_enlarged_by_what_the_fit_took_from_them(monkeypatch):
    seen, settle = [], surface.settle
    monkeypatch.setattr(
        surface, "settle", lambda here, start, y, *rest: seen.append(y) or settle(here, start, y, *rest)
    )
    made = bootstrap.bootstrap(*square(4, 0.01), replicates=20, kind="signs", estimator="ols")
    here, residuals = made.fit.surface, made.fit.residuals
    turned = (seen[-1] - (here.y - here.centre - residuals)) / residuals
    assert turned.shape == (20, 16) and np.abs(turned) == pytest.approx((16 / (16 - 5)) ** 0.5)
    assert {-1, 1} == {*np.sign(turned).ravel()}
