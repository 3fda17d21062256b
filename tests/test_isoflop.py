"""IsoFLOP profiles: what a parabola finds, and where it leans."""

import math

import numpy as np
import pytest
from test_scaling import TRUE

from minillm import isoflop
from minillm.isoflop import FLAGS
from minillm.scaling import Law

BUDGETS = np.geomspace(1e18, 1e21, 7)


def ladder(law=TRUE, span=16, sizes=201, centre=lambda C, best: best):
    """Runs at each budget, within a factor of span of centre(C, the best N), without noise: C, N, loss."""
    columns = []
    for C in BUDGETS:
        N = centre(C, law.allocation(C)[0]) * np.geomspace(1 / span, span, sizes)
        columns.append((np.full(sizes, C), N, law.loss(N, C / 6 / N)))
    return [np.concatenate(column) for column in zip(*columns, strict=True)]


def minima(C, N, loss):
    budgets, profiles = isoflop.profiles(C, N, loss)
    return budgets, profiles, isoflop.fit_minima(budgets, [profile.N for profile in profiles])


def test_a_parabola_is_found_exactly():
    N = np.geomspace(1e6, 1e8, 9)
    found = isoflop.profile(N, 2.0 + 0.03 * np.log(N / 3e7) ** 2)
    assert found.N == pytest.approx(3e7) and found.loss == pytest.approx(2.0)
    assert found.curvature == pytest.approx(0.06) and found.n_runs == 9


def test_centred_alike_the_exponent_is_unbiased_and_the_intercept_is_not():
    budgets, profiles, found = minima(*ladder())
    assert found.exponent == pytest.approx(TRUE.exponent, abs=1e-9) and round(TRUE.exponent, 4) == 0.4516
    ratios = [profile.N / TRUE.allocation(C)[0] for C, profile in zip(budgets, profiles, strict=True)]
    assert np.allclose(ratios, 1.0476, rtol=0, atol=1e-4)  # five per cent too large, at every budget
    _, near, _ = minima(*ladder(span=2, sizes=7))
    assert near[0].N / TRUE.allocation(BUDGETS[0])[0] == pytest.approx(1.0037, abs=1e-4)


def test_where_both_exponents_are_equal_the_intercept_is_right_too():
    law = Law(1.7, 400, 400, 0.3, 0.3)
    _, profiles, _ = minima(*ladder(law))
    assert profiles[0].N == pytest.approx(law.allocation(BUDGETS[0])[0], rel=1e-6)


def test_centres_that_drift_bend_the_exponent():
    drift = np.geomspace(1 / 4, 4, 7)  # too small models at the small budgets, too large ones at the large
    _, _, found = minima(*ladder(centre=lambda C, best: best * drift[np.argmin(abs(BUDGETS - C))]))
    assert abs(found.exponent - TRUE.exponent) > 0.005


def test_the_lowest_run_of_each_budget_is_worse_than_the_parabola():
    drift = lambda C, best: best * (C / 1e19) ** 0.04
    C, N, loss = ladder(span=4, sizes=8, centre=drift)
    lowest = isoflop.fit_minima(*isoflop.lowest(C, N, loss)).exponent
    assert abs(lowest - TRUE.exponent) > 10 * abs(minima(C, N, loss)[2].exponent - TRUE.exponent)
    budgets, sizes = isoflop.lowest([1, 1, 1, 2, 2], [1, 2, 3, 4, 5], [3, 2, 4, 8, 7])
    assert np.allclose(budgets, [1, 2]) and sizes.tolist() == [2, 5]


def test_a_line_through_the_minima_is_that_of_polyfit(rng):
    C = np.geomspace(1e18, 1e21, 6)
    N = 0.6 * C**0.45 * np.exp(0.05 * rng.standard_normal(6))
    (slope, intercept), covariance = np.polyfit(np.log(C), np.log(N), 1, cov=True)
    found = isoflop.fit_minima(C, N)
    assert found.exponent == pytest.approx(slope) and found.coefficient == pytest.approx(math.exp(intercept))
    assert found.error == pytest.approx(math.sqrt(covariance[0, 0]))
    assert found.N(1e20) == pytest.approx(math.exp(intercept + slope * math.log(1e20)))


def test_budgets_that_are_nearly_equal_are_one():
    assert isoflop.budgets([1e18, 3e18, 1.004e18, 2.99e18, 9e18]).tolist() == [0, 1, 0, 1, 2]


@pytest.mark.parametrize(
    "N, key",
    [
        (np.geomspace(1 / 4, 4, 6), "few"),
        (np.geomspace(1 / 100, 100, 9), "few"),
        (np.geomspace(1.1, 16, 40), "edge"),
        (np.geomspace(1 / 4, 16, 40), "centre"),
    ],
)
def test_a_profile_that_cannot_be_trusted_says_why(N, key):
    bowl = lambda N: 2 + 0.03 * np.log(N) ** 2
    assert FLAGS[key] in isoflop.profile(N, bowl(N)).flags
    good = np.geomspace(1 / 4, 4, 7)
    assert isoflop.profile(good, bowl(good)).flags == ()


def test_the_frontier_is_what_a_loop_finds(rng):
    C, loss = rng.integers(1, 9, 60).astype(float), rng.integers(1, 30, 60).astype(float)
    efficient = isoflop.frontier(C, loss)
    for i in range(60):
        beaten = any((C[j] <= C[i] and loss[j] < loss[i]) or (C[j] < C[i] and loss[j] <= loss[i]) for j in range(60))
        twin = any(C[j] == C[i] and loss[j] == loss[i] for j in range(i))  # of equals the first
        assert efficient[i] == (not beaten and not twin)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: isoflop.profile([1, 2], [3, 4]), "needs three sizes"),
        (lambda: isoflop.profile([1, 2, 3, 4], [1, 2, 2.3, 2.4]), "do not bend upwards"),
        (lambda: isoflop.profile([1, 2, "3"], [1, 2, 3]), "N holds text"),
        (lambda: isoflop.fit_minima([1e18, 1e18], [1, 2]), "two budgets at least"),
    ],
)
def test_what_is_no_profile_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
