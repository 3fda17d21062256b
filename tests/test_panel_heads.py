"""panels/heads.py: how far heads look back is counted rightly, and the panel shows the head and the query."""

import numpy as np
import pytest

from minillm.describe import describe
from minillm.panels import heads

# one head that looks at the token itself, one at the one before, one at all alike
ITSELF = np.eye(4)
BEFORE = np.eye(4, k=-1) + np.diag([1.0, 0, 0, 0])
ALL = np.tril(np.ones((4, 4))) / np.arange(1.0, 5)[:, None]
WEIGHTS = np.stack([ITSELF, BEFORE, ALL])


def test_how_far_a_head_looks_back_is_an_average_over_queries():
    np.testing.assert_allclose(heads.distances(WEIGHTS), [0, 3 / 4, (0 + 0.5 + 1 + 1.5) / 4])


def test_the_panel_shows_the_weights_of_the_head_and_of_the_query():
    figure, text = heads.draw(WEIGHTS, "to t", 1, 3)
    assert "bars: 0 at t, 0 at o, 1 at ␣, 0 at t" in describe(figure)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), BEFORE)
    assert "which has read to␣t: it looks most at ␣ at 2 (100%), and on average 1 positions back" in text
    assert text.endswith("this head looks 0.75 positions back.")


def test_each_control_changes_the_picture_and_the_text():
    frames = [heads.draw(WEIGHTS, "to t", *place) for place in [(2, 3), (1, 3), (2, 2)]]
    assert len({describe(figure) for figure, _ in frames}) == len({text for _, text in frames}) == 3


def test_at_every_end_of_the_sliders_there_is_a_picture():
    long = np.tril(np.ones((2, heads.LONGEST, heads.LONGEST)))
    long /= long.sum(-1, keepdims=True)
    for head in (0, 1):
        for query in (0, heads.LONGEST - 1):
            figure, _ = heads.draw(long, "a" * heads.LONGEST, head, query)
            assert f"({heads.LONGEST} bars)" in describe(figure)


@pytest.mark.parametrize("weights, text", [(WEIGHTS, "too long"), (WEIGHTS[0], "to t"), (np.ones((1, 1, 1)), "t")])
def test_what_does_not_fit_is_said(weights, text):
    with pytest.raises(ValueError, match="must be \\(heads, T, T\\)"):
        heads.show(weights, text)
