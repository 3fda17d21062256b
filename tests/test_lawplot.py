"""Figures of a scaling law: what is drawn is what was measured and what was fitted."""

import numpy as np
import pytest

from minillm import isoflop, lawplot, scaling
from minillm.describe import describe

LAW = scaling.Law(2.27, 30.0, 60.0, 0.5, 0.45)
N, D = (a.ravel() for a in np.meshgrid([6600.0, 14400.0, 24896.0], 2.0 ** np.arange(17, 21)))
LOSS = LAW.loss(N, D) * np.exp(0.003 * np.random.default_rng(0).standard_normal(N.size))


def drawn(ax, name):
    """The points of the scatter of this name, (n, 2)."""
    (found,) = [c for c in ax.collections if c.get_label() == name]
    return np.asarray(found.get_offsets())


def test_runs_stand_above_the_floor_beside_their_law_and_residuals_below():
    above, below = lawplot.fitted(N, D, LOSS, LAW, title="t").axes
    mine = N == 14400
    np.testing.assert_allclose(drawn(above, "N = 14,400"), np.stack([D[mine], LOSS[mine] - 2.27], 1))
    (line,) = [x for x in above.lines if x.get_label() == "law, N = 14,400"]
    np.testing.assert_allclose(line.get_ydata(), 30 / 14400**0.5 + 60 / line.get_xdata() ** 0.45)
    residuals = drawn(below, "residuals, N = 14,400")[:, 1]
    np.testing.assert_allclose(residuals, 100 * np.log(LOSS[mine] / LAW.loss(14400, D[mine])))
    assert above.get_xscale() == above.get_yscale() == below.get_xscale() == "log"
    assert "N = 24,896" in describe(above.figure)


def test_more_sizes_than_can_be_told_apart_are_a_sentence():
    with pytest.raises(ValueError, match="at most 6 sizes"):
        lawplot.fitted(np.arange(1, 8), np.full(7, 2.0), np.full(7, 3.0), LAW, title="t")


def test_a_bowl_for_each_budget_with_its_minimum_and_the_line_through_them():
    C = np.repeat([1e12, 1e13, 1e14], 9)
    sizes = LAW.allocation(C)[0] * np.tile(np.geomspace(0.25, 4, 9), 3)
    losses = LAW.loss(sizes, C / (6 * sizes))
    left, right = lawplot.bowls(C, sizes, losses, title="t").axes
    places, profiles = isoflop.profiles(C, sizes, losses)
    stars = [c.get_offsets()[0] for c in left.collections if c.get_label() == "_"]
    np.testing.assert_allclose(stars, [(bowl.N, bowl.loss) for bowl in profiles])
    for i, line in enumerate(left.lines):  # each parabola passes near its runs, and is lowest at its star
        assert abs(np.interp(sizes[9 * i : 9 * i + 9], *line.get_data()) - losses[9 * i : 9 * i + 9]).max() < 0.02
        assert line.get_ydata().min() == pytest.approx(profiles[i].loss, abs=1e-3)
    slope = isoflop.fit_minima(places, [bowl.N for bowl in profiles]).exponent
    assert right.get_title(loc="left") == f"N* ~ C^{slope:.3f}"


def test_too_many_budgets_are_a_sentence():
    with pytest.raises(ValueError, match="from 2 to 6 budgets"):
        lawplot.bowls([1e12] * 4, [1.0, 2, 3, 4], [3.0, 2, 2, 3], title="t")
