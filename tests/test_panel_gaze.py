"""panels/gaze.py: the panel says what a head does, and shows the letter that looks and what it sees."""

import numpy as np
import pytest

from minillm.describe import describe
from minillm.panels import gaze

TEXT = "abcabc"


def looking(back):
    """A head that looks `back` positions back, or at the first where there are not so many."""
    weights = np.zeros((6, 6))
    weights[np.arange(6), np.maximum(0, np.arange(6) - back)] = 1
    return weights


ALL = np.tril(np.ones((6, 6))) / np.arange(1.0, 7)[:, None]
WEIGHTS = np.stack([[looking(1), ALL], [looking(2), looking(0)]])  # for a period of 3, two back is what came next


def test_a_head_is_called_by_what_it_does():
    called = [gaze.kind(head) for head in WEIGHTS.reshape(4, 6, 6)]
    before, spread, induction, itself = called
    assert "the token before" in before and "spreads" in spread
    assert "what came next" in induction and "itself" in itself


def test_the_panel_shows_both_halves_one_below_the_other_and_hides_what_comes_later():
    figure, text = gaze.draw(WEIGHTS, TEXT, 1, 0, 4)
    cells = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(cells, np.nan), [[0, 0, 1], [0, 0, np.nan]])
    assert "The head looks at c at 2 (100%). The first time, c at 2 came next." in text
    assert text.endswith("induction score 1, previous-token score 0.2.")
    (frame,) = [patch for patch in figure.axes[0].patches if patch.get_label() == "_query"]
    assert frame.get_xy() == (0.5, 0.5)


def test_in_the_first_half_nothing_is_said_to_have_come_next():
    assert "came next" not in gaze.draw(WEIGHTS, TEXT, 0, 1, 2)[1].partition("Over the whole")[0]


def test_each_control_changes_the_picture_and_the_text():
    frames = [gaze.draw(WEIGHTS, TEXT, *place) for place in [(1, 0, 4), (0, 0, 4), (1, 1, 4), (1, 0, 5)]]
    assert len({describe(figure) for figure, _ in frames}) == len({text for _, text in frames}) == 4


def test_at_every_end_of_the_sliders_there_is_a_picture():
    text = "abcdefghijklmnop" * 2
    weights = np.broadcast_to(np.tril(np.ones((32, 32))) / 32, (2, 2, 32, 32))
    for token in (0, 31):
        assert "2 rows and 16 columns" in describe(gaze.draw(weights, text, 0, 1, token)[0])


@pytest.mark.parametrize("text", ["abcab", "abcdef", "abcabcabc"])
def test_a_text_that_does_not_come_twice_is_refused(text):
    with pytest.raises(ValueError, match="second half repeats|repeats the first"):
        gaze.show(WEIGHTS, text)


def test_a_text_too_long_for_its_names_is_refused():
    long = "abcdefghijklmnopq" * 2
    with pytest.raises(ValueError, match="room"):
        gaze.show(np.zeros((1, 1, 34, 34)), long)
