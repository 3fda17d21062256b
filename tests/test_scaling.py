"""Fits of scaling laws: they find what is there, however it is written down, and say what is not."""

import math

import numpy as np
import pytest

from minillm import scaling, surface
from minillm.scaling import FLAGS, Law, Power

TRUE = Law(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
ESTIMATORS = ("huber", "ols", "lad")


def square(k, sigma=0.0, seed=0, law=TRUE):
    """k x k runs over three decades of N and of D, with lognormal noise."""
    N, D = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, k), np.geomspace(1e9, 1e12, k)))
    noise = sigma * np.random.default_rng(seed).standard_normal(len(N))
    return N, D, law.loss(N, D) * np.exp(noise)


def exponents(fit):
    return np.array([fit.law.alpha, fit.law.beta])


# --- the law itself


def test_the_law_is_its_formula_in_loops():
    for N, D in ((3, 7), (1e6, 2e7)):
        assert TRUE.loss(N, D) == pytest.approx(1.69 + 406.4 / N**0.34 + 410.7 / D**0.28, rel=1e-14)
        assert TRUE.reducible(N, D) == pytest.approx(TRUE.loss(N, D) - 1.69, rel=1e-12)
    assert TRUE.loss(np.ones((2, 1)), np.ones(3)).shape == (2, 3)
    assert Power(1.0, 8.0, 0.5).loss(4) == 5.0


def test_the_allocation_is_the_lowest_loss_that_the_compute_can_buy():
    C = 2.21e19
    N, D, loss = TRUE.allocation(C)
    assert 6 * N * D == pytest.approx(C, rel=1e-12)
    tried = N * np.geomspace(1 / 20, 20, 100_001)
    losses = TRUE.loss(tried, C / 6 / tried)
    assert tried[losses.argmin()] == pytest.approx(N, rel=1e-3) and loss <= losses.min() + 1e-15
    many = TRUE.allocation(np.array([C, 10 * C]))
    assert many[0][1] / many[0][0] == pytest.approx(10**TRUE.exponent)
    power = -TRUE.alpha * TRUE.beta / (TRUE.alpha + TRUE.beta)
    assert (many[2][1] - 1.69) / (many[2][0] - 1.69) == pytest.approx(10**power, rel=1e-12)


def test_two_decimals_of_an_exponent_move_the_best_model_by_a_fifth():
    rounded = Law(1.69, 406.4, 410.7, 0.34, 0.28).allocation(2.21e19)[0]
    source = Law(1.69, 406.401018, 410.722827, 0.33917084, 0.2849083).allocation(2.21e19)[0]
    assert rounded == pytest.approx(326e6, abs=0.5e6) and source == pytest.approx(389e6, abs=0.5e6)


# --- what is there is found


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("floor", [None, 1.69])
def test_a_surface_without_noise_gives_its_constants_back(estimator, floor):
    found = scaling.fit(*square(9), estimator=estimator, floor=floor)
    assert found.converged and found.flags == () and found.minima == 1
    assert np.allclose(exponents(found), (0.34, 0.28), rtol=0, atol=1e-6)
    assert found.law.E == pytest.approx(1.69, abs=1e-6) and found.law.A == pytest.approx(406.4, rel=1e-6)
    assert found.floor_fixed == (floor is not None)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("law", [Power(2.0, 50.0, 0.4), Power(0.7, 9.0, 0.095)])
def test_a_curve_without_noise_gives_its_constants_back(estimator, law):
    x = np.geomspace(1e5, 1e9, 12)
    for floor in (None, law.E):
        found = scaling.fit_power(x, law.loss(x), estimator=estimator, floor=floor).law
        assert found.alpha == pytest.approx(law.alpha, abs=1e-6) and found.E == pytest.approx(law.E, abs=1e-5)


def test_a_law_without_a_floor_is_a_straight_line_in_logarithms(rng):
    x = np.geomspace(1e5, 1e9, 30)
    loss = 9 * x**-0.1 * np.exp(0.01 * rng.standard_normal(30))
    slope, _ = np.polyfit(np.log(x), np.log(loss), 1)
    found = scaling.fit_power(x, loss, floor=0, estimator="ols")
    assert found.law.alpha == pytest.approx(-slope, abs=1e-9) and found.law.E == 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_objective_is_the_sum_over_runs_in_a_loop(estimator):
    N, D, loss = square(6, 0.01)
    found = scaling.fit(N, D, loss, estimator=estimator, delta=2e-3)
    total = 0.0
    for n, d, l in zip(N, D, loss, strict=True):
        r = math.log(l) - math.log(found.law.E + found.law.A / n**found.law.alpha + found.law.B / d**found.law.beta)
        huber = r * r / 2 if abs(r) <= 2e-3 else 2e-3 * (abs(r) - 1e-3)
        total += {"huber": huber, "ols": r * r / 2, "lad": abs(r)}[estimator]
    assert found.objective == pytest.approx(total, rel=1e-9)
    twice = scaling.fit(np.tile(N, 2), np.tile(D, 2), np.tile(loss, 2), estimator=estimator, delta=2e-3)
    assert twice.objective == pytest.approx(2 * total, rel=1e-6)  # a mean would stay what it is


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("floor", [None, 1.69])
@pytest.mark.parametrize("seed", [0, 1])
def test_another_optimizer_on_the_written_law_finds_nothing_lower(estimator, floor, seed):
    from scipy.optimize import minimize

    N, D, loss = square(5, 0.01, seed)
    found = scaling.fit(N, D, loss, estimator=estimator, floor=floor)
    scales = np.array([1.69, 406.4, 410.7, 0.34, 0.28])
    place = np.array([*vars(found.law).values()]) / scales
    free = slice(0 if floor is None else 1, 5)

    def objective(x):
        law = Law(*(np.concatenate([place[: free.start], x]) * scales))
        f = law.loss(N, D)
        return surface.total(np.log(loss) - np.log(np.maximum(f, 1e-9)), estimator, 1e-3)

    for start in (place[free], np.ones(5)[free]):
        for _ in range(4):
            options = {"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000, "maxfev": 4000}
            start = minimize(objective, start, method="Nelder-Mead", options=options).x
        assert objective(start) >= found.objective * (1 - 1e-5)
    assert objective(start) == pytest.approx(found.objective, rel=0.05)  # and it comes near


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("floor", [None, 1.69])
@pytest.mark.parametrize("seed", range(3))
def test_the_two_methods_agree(estimator, floor, seed):
    found = scaling.fit(*square(6, 0.01, seed), estimator=estimator, floor=floor)
    assert found.converged and found.disagreement < 1e-6


def test_a_method_that_stops_early_is_told(monkeypatch):
    honest = surface.lbfgs
    monkeypatch.setattr(surface, "lbfgs", lambda *a: (honest(*a)[0] * 1.01, None))
    found = scaling.fit(*square(6, 0.01))
    assert not found.converged and FLAGS["methods"] in found.flags
    assert scaling.fit(*square(6, 0.01), second=False).converged
    monkeypatch.undo()
    search = surface.search
    monkeypatch.setattr(surface, "search", lambda *a: (*search(*a)[:2], np.zeros(36, bool)))
    found = scaling.fit(*square(6, 0.01))
    assert not found.converged and FLAGS["unconverged"] in found.flags


# --- what must change nothing


@pytest.fixture(scope="module", params=ESTIMATORS)
def noisy(request):
    N, D, loss = square(7, 0.005)
    return request.param, N, D, loss, scaling.fit(N, D, loss, estimator=request.param)


@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_the_scale_of_the_objective_changes_nothing_else(noisy, scale):
    estimator, N, D, loss, found = noisy
    other = scaling.fit(N, D, loss, estimator=estimator, scale=scale)
    assert np.allclose(exponents(other), exponents(found), rtol=1e-5)
    assert other.objective == pytest.approx(scale * found.objective, rel=1e-9)
    assert other.converged and other.flags == found.flags


def test_the_order_of_the_runs_changes_nothing(noisy):
    estimator, N, D, loss, found = noisy
    order = np.random.default_rng(3).permutation(len(N))
    other = scaling.fit(N[order], D[order], loss[order], estimator=estimator)
    assert np.allclose(exponents(other), exponents(found), rtol=1e-5)
    assert np.allclose(other.residuals, found.residuals[order], rtol=0, atol=1e-6)


@pytest.mark.parametrize("unit_N, unit_D", [(1e6, 1e9), (1e9, 1e6), (1e-9, 1e-9)])
def test_units_change_no_exponent(noisy, unit_N, unit_D):
    estimator, N, D, loss, found = noisy
    other = scaling.fit(N / unit_N, D / unit_D, loss, estimator=estimator)
    assert np.allclose(exponents(other), exponents(found), rtol=1e-5)
    assert other.law.E == pytest.approx(found.law.E, rel=1e-5)
    assert other.law.A * unit_N**other.law.alpha == pytest.approx(found.law.A, rel=1e-3)
    bits = scaling.fit(N, D, loss / math.log(2), estimator=estimator)
    assert np.allclose(exponents(bits), exponents(found), rtol=1e-5)


def test_integers_near_the_end_of_int64_do_not_overflow():
    N, D, loss = square(7, 0.002)
    whole = lambda a, unit: (a * unit).astype(np.int64)
    found = scaling.fit(whole(N, 1e8), whole(D, 9e6), loss)  # up to 1e18 and 9e18
    assert whole(D, 9e6).max() > 0.97 * np.iinfo(np.int64).max
    assert np.allclose(exponents(found), exponents(scaling.fit(N, D, loss)), rtol=1e-5)
    huge = TRUE.loss([10**25], [10**25])  # more than int64 holds
    assert huge.dtype == np.float64 and huge == TRUE.loss(1e25, 1e25)
    assert TRUE.allocation(10**30)[0] == TRUE.allocation(1e30)[0]
    assert scaling.fit([10**25, *range(2, 9)], np.arange(2, 10), loss[:8], floor=0) is not None


def test_the_callers_arrays_stay_as_they_are():
    N, D, loss = square(4, 0.01)
    before = [a.copy() for a in (N, D, loss)]
    scaling.fit(N, D, loss)
    assert all((a == b).all() for a, b in zip((N, D, loss), before, strict=True))


# --- robustness, and the noise of seeds


def test_an_outlier_moves_squares_more_than_huber_or_absolute_deviations():
    N, D, loss = square(7, 0.002)
    moved = {}
    for estimator in ESTIMATORS:
        clean = scaling.fit(N, D, loss, estimator=estimator)
        spoiled = scaling.fit(N, D, np.where(np.arange(49) == 48, 1.3 * loss, loss), estimator=estimator)
        moved[estimator] = abs(spoiled.law.loss(1e11, 1e13) / clean.law.loss(1e11, 1e13) - 1)
    assert moved["ols"] > 10 * max(moved["huber"], moved["lad"])


def test_the_noise_of_seeds_is_the_spread_within_equal_runs():
    N, D, loss = (np.repeat(a, 200) for a in square(3))
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(N))
    assert scaling.seed_noise(N, D, loss * np.exp(noise)) == pytest.approx(0.01, rel=0.05)
    assert math.isnan(scaling.seed_noise(*square(3)))
    assert scaling.seed_noise([1, 1, 2], [1, 1, 1], [1, math.e, 5]) == pytest.approx(math.sqrt(0.5))


def test_the_scatter_is_the_noise_that_was_put_in():
    assert scaling.fit(*square(16, 0.01), second=False).scatter == pytest.approx(0.01, rel=0.1)


# --- what is not there is told


def flags(*arrays, **options):
    found = scaling.fit(*arrays, **options)
    return {key for key, sentence in FLAGS.items() if sentence in found.flags}


def test_a_sound_plan_has_no_flags():
    assert flags(*square(4, 0.003)) == set()


def test_runs_of_one_size_or_one_length_leave_their_term_unidentified():
    N, D, loss = square(9, 0.003)
    assert "one N" in flags(N[::9], D[::9], loss[::9])  # meshgrid's first axis is D
    assert "one D" in flags(N[:9], D[:9], loss[:9])
    assert "one N" not in flags(N[:9], D[:9], loss[:9])
    x = scaling.fit_power(np.full(5, 7.0), np.linspace(2, 3, 5))
    assert FLAGS["one x"] in x.flags


def test_runs_on_a_ray_are_told_even_where_they_fit_perfectly():
    N = np.geomspace(1e7, 1e10, 12)
    assert "ray" in flags(N, 20 * N, TRUE.loss(N, 20 * N))
    assert "ray" in flags(N, 3 * N**0.7, TRUE.loss(N, 3 * N**0.7))
    assert "ray" not in flags(N, 20 * N * np.exp(np.sin(np.arange(12.0))), TRUE.loss(N, 20 * N))
    assert "unidentified" in FLAGS["ray"]


def test_a_floor_that_runs_to_zero_or_a_loss_that_never_falls_is_told():
    N, D, _ = square(6)
    found = scaling.fit(*square(6, 0.01, 2, Law(0, 20, 30, 0.1, 0.1)))
    assert FLAGS["floor"] in found.flags and found.law.E < 1e-6 and found.minima == 1
    assert "constant" in flags(N, D, np.full(36, 2.0))
    assert "rising" in flags(N, D, 1 + 1e-3 * N**0.1 + 30 / D**0.1)


def test_as_many_runs_as_parameters_fit_and_prove_nothing():
    N, D, loss = (a[[0, 3, 6, 7, 10]] for a in square(4, 0.003))
    assert "few" in flags(N, D, loss)
    assert "few" in flags(np.tile(N, 3), np.tile(D, 3), np.tile(loss, 3))
    assert "few" not in flags(*(a[[0, 3, 6, 7, 10, 12]] for a in square(4, 0.003)))


def test_a_range_too_short_for_its_constants_has_a_large_condition():
    wide = scaling.fit(*square(5, 0.001))
    N, D = (np.exp(np.log(a).mean() + 0.03 * (np.log(a) - np.log(a).mean())) for a in square(5)[:2])
    short = scaling.fit(N, D, TRUE.loss(N, D), second=False)
    assert wide.condition < 50 < scaling.RIDGE < short.condition and FLAGS["ridge"] in short.flags


def test_minima_are_counted_by_their_constants():
    thetas = np.array([[0.0, 1.0], [1e-4, 1.0], [0.0, 1.5], [0.0, 1.501]])
    assert scaling._distinct(thetas) == 2
    N = np.geomspace(1e7, 1e10, 12)
    noise = np.exp(0.01 * np.sin(np.arange(12.0) ** 2))
    found = scaling.fit(N, 20 * N, TRUE.loss(N, 20 * N) * noise)  # the two terms can trade places
    assert found.minima >= 2 and FLAGS["minima"] in found.flags


# --- what cannot be fitted is refused


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda N, D, L: (N[:4], D[:4], L[:4]), "there are 4 runs for 5 parameters"),
        (lambda N, D, L: (N[:0], D[:0], L[:0]), "there are 0 runs for 5 parameters"),
        (lambda N, D, L: (N, D[:-1], L), "16 of N, 15 of D, 16 of loss"),
        (lambda N, D, L: (np.where(N == N[3], np.nan, N), D, L), "N of run 3 is nan"),
        (lambda N, D, L: (N, np.where(D == D[0], np.inf, D), L), "D of run 0 is inf"),
        (lambda N, D, L: (N, D, L - 100), "loss of run 0 is -9"),
        (lambda N, D, L: (N * 0, D, L), "N of run 0 is 0.0"),
        (lambda N, D, L: (N, -D, L), "D of run 0 is -"),
        (lambda N, D, L: (N.astype(str), D, L), "N holds text"),
        (lambda N, D, L: (N, D, [*map(float, L[:-1]), "2.0"]), "loss holds text"),
        (lambda N, D, L: (N, D, [*map(float, L[:-1]), None]), "loss of run 15 is nan"),
        (lambda N, D, L: (N, D, [*map(float, L[:-1]), {}]), "loss holds something that is no number"),
        (lambda N, D, L: (N, D, L + 1j), "loss holds complex numbers"),
        (lambda N, D, L: (N, D, L > 0), "loss holds text or truth values"),
    ],
)
def test_what_is_no_table_of_runs_is_refused_with_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        scaling.fit(*change(*square(4, 0.003)))
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"floor": 9.0}, "the floor is 9, but a run has loss"),
        ({"floor": -1.0}, "the floor is -1.0"),
        ({"floor": math.nan}, "the floor is nan"),
        ({"estimator": "mean"}, "must be one of huber, ols, lad"),
        ({"delta": 0}, "delta is 0"),
        ({"delta": math.inf}, "delta is inf"),
        ({"scale": 0}, "scale is 0"),
    ],
)
def test_what_is_no_option_is_refused_with_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        scaling.fit(*square(4, 0.003), **options)


def test_a_fixed_floor_needs_one_run_less():
    N, D, loss = (a[[0, 3, 6, 9]] for a in square(4, 0.003))
    assert scaling.fit(N, D, loss, floor=1.69).law.E == 1.69
    with pytest.raises(ValueError, match="2 runs for 3 parameters"):
        scaling.fit_power([1, 2], [2, 1])
