"""The gamma test: it finds a bend that is there, and none where there is none."""

import numpy as np
import pytest
from test_scaling import square

from minillm import gamma, scaling


def bent(g, sigma=0.0, seed=0, k=8):
    N, D, _ = square(k)
    loss = 1.69 + ((406.4 / N**0.34) ** (1 / g) + (410.7 / D**0.28) ** (1 / g)) ** g
    return N, D, loss * np.exp(sigma * np.random.default_rng(seed).standard_normal(k * k))


@pytest.mark.parametrize("g", [0.6, 1.0, 1.5])
def test_without_noise_gamma_is_found(g):
    found = gamma.gamma_test(*bent(g), replicates=5)
    assert found.gamma == pytest.approx(g, abs=2e-3)
    assert found.law.alpha == pytest.approx(0.34, abs=1e-3) and found.law.beta == pytest.approx(0.28, abs=1e-3)
    N, D, loss = bent(g)
    assert np.allclose(found.loss(N, D), loss, rtol=1e-4)


@pytest.mark.parametrize("g, misspecified", [(0.6, True), (1.0, False), (1.5, True)])
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_hides_no_bend_and_makes_none(g, misspecified, seed):
    found = gamma.gamma_test(*bent(g, 0.003, seed), replicates=60)
    assert found.misspecified == misspecified
    assert found.interval[0] < found.gamma < found.interval[1] and len(found.replicates) == 60


def test_the_objective_at_gamma_one_is_that_of_the_additive_fit_and_never_the_lower_one():
    N, D, loss = bent(0.8, 0.003)
    found = gamma.gamma_test(N, D, loss, replicates=5)
    assert found.objective_additive == pytest.approx(scaling.fit(N, D, loss).objective, rel=1e-9)
    assert found.objective < found.objective_additive


def test_scipy_finds_nothing_lower_on_the_law_as_it_is_written():
    from scipy.optimize import least_squares

    N, D, loss = bent(0.7, 0.003)
    found = gamma.gamma_test(N, D, loss, replicates=2, estimator="ols")

    def residuals(x):
        E, a, b, alpha, beta, log = x
        g = np.exp(log)
        law = E + (np.exp((a - alpha * np.log(N)) / g) + np.exp((b - beta * np.log(D)) / g)) ** g
        return np.log(loss) - np.log(law)

    start = [1.69, np.log(406.4), np.log(410.7), 0.34, 0.28, np.log(0.7)]
    best = least_squares(residuals, start, x_scale=np.abs(start), ftol=1e-15, xtol=1e-15, gtol=1e-15)
    assert found.objective == pytest.approx(best.cost, rel=1e-5)
    assert found.gamma == pytest.approx(np.exp(best.x[-1]), abs=2e-3)


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(ValueError, match='not "lad"'):
        gamma.gamma_test(*bent(1.0, k=4), estimator="lad")
    with pytest.raises(ValueError, match="5 runs for 6 parameters"):
        gamma.gamma_test(*(a[[0, 3, 6, 9, 11]] for a in bent(1.0, k=4)))
