"""The descent: its derivatives, and its minima against SciPy's on the law as it is written."""

import math

import numpy as np
import pytest
from test_scaling import square

from minillm import descent, surface


def problem(k=5, sigma=0.01, floor=None):
    N, D, loss = square(k, sigma)
    here = surface.Surface(np.log([N, D]), np.log(loss), floor)
    return here, here.model(), here.y - here.centre


@pytest.mark.parametrize("delta", [math.inf, 0.3])
@pytest.mark.parametrize("floor", [None, 1.69])
def test_gradient_and_hessian_are_those_of_finite_differences_for_every_gamma(rng, delta, floor):
    here, model, y = problem(floor=floor)
    theta, weights = rng.standard_normal((3, here.n_parameters)) / 3, rng.random((3, 25))
    gamma, h = np.array([0.7, 1.0, 1.4]), 1e-5
    _, gradient, hessian, _ = descent.derivatives(model, theta, y, weights, delta, gamma)
    for j in range(here.n_parameters):
        step = h * (np.arange(here.n_parameters) == j)
        up, down = (descent.derivatives(model, theta + sign * step, y, weights, delta, gamma) for sign in (1, -1))
        assert np.allclose((up[0] - down[0]) / (2 * h), gradient[:, j], rtol=0, atol=1e-8)
        assert np.allclose((up[1] - down[1]) / (2 * h), hessian[:, :, j], rtol=0, atol=1e-8)


def test_the_majorising_parabola_lies_above_the_objective_of_a_line(rng):
    model = descent.Model(np.stack([np.zeros((9, 2)), rng.standard_normal((9, 2))]), np.zeros((2, 9)) - [[np.inf], [0]])
    y, theta, weights = rng.standard_normal(9), rng.standard_normal((1, 2)), rng.random((1, 9))
    value, gradient, _, majoriser = descent.derivatives(model, theta, y, weights, 0.2)
    for step in rng.standard_normal((200, 2)):
        above = value + gradient[0] @ step + step @ majoriser[0] @ step / 2
        assert descent.derivatives(model, theta + step, y, weights, 0.2)[0] <= above + 1e-12


def test_many_problems_at_once_end_where_each_ends_alone(rng):
    here, model, y = problem()
    y = y + 0.01 * rng.standard_normal((6, 25))  # losses of their own, and weights
    weights = rng.multinomial(25, np.full(25, 1 / 25), 6).astype(float)
    start = here.starts()[rng.integers(0, 36, 6)]
    theta, value, good = descent.minimise(model, start, y, weights, 3e-3)
    assert good.all()
    for i in range(6):
        alone = descent.minimise(model, start[i : i + 1], y[i], weights[i], 3e-3)
        assert np.allclose(alone[0], theta[i], rtol=0, atol=1e-9) and alone[1] == pytest.approx(value[i], rel=1e-12)


def test_what_does_not_settle_at_once_comes_down_by_way_of_least_squares(rng):
    here, _, y = problem(6, 0.01)
    weights = rng.multinomial(36, np.full(36, 1 / 36), 300).astype(float)
    start = np.tile(here.starts()[:1], (300, 1))
    alone = descent.minimise(here.model(), start, y, weights, 2e-4)[2]
    theta, value, good = surface.settle(here, start, y, weights, "huber", 2e-4)
    assert alone.mean() < 1 and good.mean() >= 0.99  # kinks everywhere: five residuals or so are below delta
    for i in np.flatnonzero(~alone)[:5]:
        best = surface.settle(here, here.starts(), y, weights[i], "huber", 2e-4)[1].min()
        assert value[i] == pytest.approx(best, rel=1e-3)


def test_a_start_far_away_is_not_held_up_by_a_kink(rng):
    here, model, y = problem()
    y = y + 0.01 * rng.standard_normal((200, 25))
    weights = rng.multinomial(25, np.full(25, 1 / 25), 200).astype(float)
    start = here.starts()[rng.integers(0, 36, 200)]
    assert descent.minimise(model, start, y, weights, 1e-3)[2].mean() >= 0.95


def test_the_second_descent_is_kept_only_where_it_ends_lower(monkeypatch):
    here, _, y = problem()
    start = np.tile(here.starts()[:1], (3, 1))
    values = iter([np.array([5.0, 5, 5]), *[np.array([9.0, 9])] * 12, np.array([4.0, 6])])
    good = iter([np.array([True, False, False]), *[np.ones(2, bool)] * 13])
    marks = iter(range(14))
    fake = lambda model, theta, *rest: (np.full_like(theta, next(marks)), next(values), next(good))
    monkeypatch.setattr(descent, "minimise", fake)
    theta, value, settled = surface.settle(here, start, y, np.ones(25), "huber", 1e-3)
    assert value.tolist() == [5, 4, 5] and settled.tolist() == [True, True, False]
    assert theta[:, 0].tolist() == [0, 13, 0] and next(marks, None) is None


def test_a_row_of_weight_two_counts_as_two_rows(rng):
    here, model, y = problem()
    weights = np.where(np.arange(25) == 7, 2.0, 1.0)
    twice = np.append(np.arange(25), 7)
    double = descent.Model(model.terms[:, twice], model.offsets[:, twice])
    start = here.starts()[:1]
    one = descent.minimise(model, start, y, weights, 1e-3)
    two = descent.minimise(double, start, y[twice], 1.0, 1e-3)
    assert np.allclose(one[0], two[0], rtol=0, atol=1e-8)
    assert not np.allclose(one[0], descent.minimise(model, start, y, 1.0, 1e-3)[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("delta", [1e-3, 1e-2, math.inf])
@pytest.mark.parametrize("floor", [None, 1.69])
def test_scipy_finds_the_same_minimum_on_the_law_as_it_is_written(delta, floor):
    from scipy.optimize import least_squares

    here, model, y = problem(floor=floor)
    theta, value, _ = descent.minimise(model, here.starts()[:1], y, 1.0, delta)
    N, D, loss = square(5, 0.01)

    def residuals(constants):
        *E, A, B, alpha, beta = constants
        return np.log(loss) - np.log((E[0] if E else floor) + A * N**-alpha + B * D**-beta)

    kind = {} if delta == math.inf else {"loss": "huber", "f_scale": delta}
    start = np.array([1.69] * (floor is None) + [406.4, 410.7, 0.34, 0.28])
    tight = {"x_scale": start, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 20000}
    found = least_squares(residuals, start, **kind, **tight)
    assert value[0] <= found.cost * (1 + 1e-9)
    assert value[0] == pytest.approx(found.cost, rel=1e-4)
    assert np.allclose(here.constants(theta[0])[2], found.x[-2:], rtol=2e-3 if delta < 1 else 1e-5)


def test_nothing_overflows_far_from_the_minimum():
    here, model, y = problem()
    start = here.starts()[:2] + np.array([[0, 900, -40, 9, -9], [-50, 0, 30, 0, 20]])
    theta, value, _ = descent.minimise(model, start, y, 1.0, 1e-3)
    assert np.isfinite(theta).all() and np.isfinite(value).all()
