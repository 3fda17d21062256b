"""Fits of scaling laws: they find what is there, however it is written down, and say what is not."""

import numpy as np
import pytest

from minillm import scaling
from minillm.scaling import Law

TRUE = Law(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
ESTIMATORS = ("huber", "ols", "lad")


def square(k, sigma=0.0, seed=0, law=TRUE):
    """k x k runs over three decades of N and of D, with lognormal noise."""
    N, D = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, k), np.geomspace(1e9, 1e12, k)))
    noise = sigma * np.random.default_rng(seed).standard_normal(len(N))
    return N, D, law.loss(N, D) * np.exp(noise)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("floor", [None, 1.69])
def test_a_surface_without_noise_gives_its_constants_back(estimator, floor):
    found = scaling.fit(*square(9), estimator=estimator, floor=floor)
    assert found.converged and found.flags == () and found.minima == 1
    assert found.law.alpha == pytest.approx(0.34, abs=1e-6) and found.law.beta == pytest.approx(0.28, abs=1e-6)
    assert found.law.E == pytest.approx(1.69, abs=1e-6) and found.law.A == pytest.approx(406.4, rel=1e-6)


def test_two_decimals_of_an_exponent_move_the_best_model_by_a_fifth():
    rounded = Law(1.69, 406.4, 410.7, 0.34, 0.28).allocation(2.21e19)[0]
    source = Law(1.69, 406.401018, 410.722827, 0.33917084, 0.2849083).allocation(2.21e19)[0]
    assert rounded == pytest.approx(326e6, abs=0.5e6) and source == pytest.approx(389e6, abs=0.5e6)
