"""The panel of notebook 17: what it fits, and what it says about it."""

import numpy as np
import pytest

from minillm import scaling
from minillm.panels import fitlab


def test_the_runs_are_those_of_one_language_and_the_choices_take_some_of_them():
    found, floor = fitlab.ladder()
    assert {row["language"]["kind"] for row in found.rows} == {"spectral"} and len(found) == 36
    assert 2.2 < floor < found.loss.min()
    counts = [int(fitlab.chosen(which).sum()) for which in fitlab.CHOICES]
    assert counts == [36, 27, 24, 12]


def test_the_fit_is_the_library_s_with_the_floor_that_was_chosen():
    found, floor = fitlab.ladder()
    _, law, worst, _ = fitlab.fitted("known", "blocks alone", "all", "many")
    assert law == scaling.fit(found.N, found.D, found.loss, floor=floor, second=False).law
    assert worst == pytest.approx(100 * abs(np.log(found.loss / law.loss(found.N, found.D))).max())
    assert fitlab.fitted("left out", "blocks alone", "all", "many")[1].E == 0
    assert fitlab.fitted("free", "all weights", "all", "many")[0][0].min() == min(r["N_all"] for r in found.rows)


def test_one_start_stops_in_a_worse_place():
    _, _, careful, _ = fitlab.fitted("known", "blocks alone", "all", "many")
    _, law, careless, _ = fitlab.fitted("known", "blocks alone", "all", "one")
    assert law.E == fitlab.ladder()[1] and careless > 1.5 * careful


def test_a_law_without_a_floor_promises_what_no_model_can_reach_and_the_panel_says_so():
    figure, words = fitlab.draw("left out", "many", "blocks alone", "all", "linear")
    assert "no model comes below 2.27" in words and "Far out it promises 1." in words
    (beyond,) = [line for line in figure.axes[0].lines if line.get_label() == "the law beyond the runs"]
    assert beyond.get_ydata()[-1] < 2.27 < beyond.get_ydata()[0]
    figure, _ = fitlab.draw("known", "many", "blocks alone", "all", "linear")
    assert all(line.get_ydata().min() >= 2.26 for line in figure.axes[0].lines if "law" in line.get_label())


def test_every_control_changes_the_picture_and_the_words():
    base = ["left out", "many", "blocks alone", "all", "linear"]
    others = ["free", "one", "all weights", "one seed", "logarithmic"]
    _, words = fitlab.draw(*base)
    for i, other in enumerate(others):
        assert fitlab.draw(*base[:i], other, *base[i + 1 :])[1] != words
