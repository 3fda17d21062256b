"""What every test shares: a fixed source of randomness."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)
