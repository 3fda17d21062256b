"""The cone: what is drawn is what the bootstrap says, and the star stands where the run came out."""

import numpy as np
import pytest

from minillm import bootstrap, cone, scaling
from minillm.describe import describe

LAW = scaling.Law(2.27, 30.0, 60.0, 0.5, 0.45)
N, D = (a.ravel() for a in np.meshgrid([6600.0, 14400.0, 24896.0], 2.0 ** np.arange(17, 21)))
LOSS = LAW.loss(N, D) * np.exp(0.003 * np.random.default_rng(0).standard_normal(N.size))
MADE = bootstrap.bootstrap(N, D, LOSS, floor=2.27, replicates=60)
SHOT = 98944.0, 2.0**21


def line(figure, name):
    """The curve of this name, (x, y)."""
    (found,) = [each for each in figure.axes[1].lines if each.get_label() == name]
    return np.asarray(found.get_data(), float)


def stars(figure):
    """Where the run stands, (n, 2)."""
    return [d.get_offsets() for d in figure.axes[1].collections if d.get_label() == "the run itself"]


def test_the_path_goes_from_the_largest_run_to_the_shot_in_equal_factors():
    sizes, tokens = cone.path(MADE, *SHOT)
    assert (sizes[0], tokens[0]) == pytest.approx((24896, 2**20)) and (sizes[-1], tokens[-1]) == pytest.approx(SHOT)
    np.testing.assert_allclose(sizes[1:] / sizes[:-1], sizes[1] / sizes[0])


def test_the_cone_ends_at_the_prediction_and_the_star_at_the_truth():
    figure = cone.cone(MADE, *SHOT, truth=2.41, title="t")
    for level in (0.80, 0.95):
        ends = [line(figure, f"{100 * level:.0f} % interval, {name} end") for name in ("low", "high")]
        told = MADE.prediction(*SHOT, level=level)
        np.testing.assert_allclose([y[-1] for _, y in ends], told, rtol=2e-3)  # other draws of the noise
        assert ends[0][0][-1] == pytest.approx(6 * SHOT[0] * SHOT[1])
        assert (ends[0][1] < line(figure, "median")[1]).all() and (line(figure, "median")[1] < ends[1][1]).all()
    np.testing.assert_allclose(stars(figure), [[[6 * SHOT[0] * SHOT[1], 2.41]]])
    assert stars(cone.cone(MADE, *SHOT, title="t")) == []


def test_no_run_of_the_law_lies_below_its_frontier():
    x, y = line(cone.cone(MADE, *SHOT, title="t"), "law's frontier")
    law = MADE.fit.law
    assert (np.interp(np.log(6 * N * D), np.log(x), y) < law.loss(N, D) + 1e-3).all()
    sizes = np.geomspace(1e3, 1e7, 4001)
    assert y[-1] == pytest.approx(law.loss(sizes, x[-1] / (6 * sizes)).min(), abs=1e-6)


def test_the_floor_is_drawn_where_it_was_known_and_nowhere_else():
    free = bootstrap.bootstrap(N, D, LOSS, replicates=20)
    assert "levels: floor 2.27" in describe(cone.cone(MADE, *SHOT, title="t"))
    assert "floor" not in describe(cone.cone(free, *SHOT, title="t"))


def test_a_cone_towards_a_smaller_run_is_a_sentence():
    with pytest.raises(ValueError, match="towards a larger run"):
        cone.cone(MADE, 6600.0, 2.0**17, title="t")
