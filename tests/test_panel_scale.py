"""panels/scale.py: what random queries and keys make of attention, for each divisor, and what the panel shows."""

import math

import numpy as np
import pytest

from minillm import plots, widgets
from minillm.panels import scale


def test_the_spread_of_the_scores_is_what_variances_that_add_up_give():
    for d in (1, 16, 256):
        for divisor, expected in (("1", math.sqrt(d)), ("√d", 1), ("d", 1 / math.sqrt(d))):
            found = scale.attend(d, divisor, queries=600)["spread"]
            assert found == pytest.approx(expected, rel=0.08), (d, divisor)


def test_the_entropy_is_that_of_shares():
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(scale.entropy(weights), [math.log(4), 0, math.log(2)], atol=1e-12)


def test_only_the_root_keeps_both_level():
    ends = {divisor: (scale.attend(8, divisor), scale.attend(512, divisor)) for divisor in scale.DIVISORS}
    few, many = ends["√d"]
    assert abs(few["entropy"] - many["entropy"]) < 0.1 and 0.7 < many["gradient"] / few["gradient"] < 1.5
    few, many = ends["1"]
    assert many["entropy"] < few["entropy"] / 4 and many["gradient"] < few["gradient"] / 1e9
    few, many = ends["d"]
    assert many["entropy"] > math.log(16) - 0.01 and many["gradient"] < few["gradient"] / 4


def test_the_gradient_is_the_length_of_what_one_query_sends_to_one_key():
    """By finite differences: one query and its keys, as attend draws them."""
    rng = np.random.default_rng(3)
    dweights, q, k = rng.standard_normal((1, 2)), rng.standard_normal((1, 5)), rng.standard_normal((1, 2, 5))

    def value(k):
        e = np.exp(k[0] @ q[0] / math.sqrt(5))
        return (e / e.sum()) @ dweights[0]

    lengths = []
    for s in range(2):
        moves = 1e-6 * np.eye(5)
        slopes = [
            (value(k + step) - value(k - step)) / 2e-6 for step in ([[m * (i == s) for i in (0, 1)]] for m in moves)
        ]
        lengths.append(np.linalg.norm(slopes))
    found = scale.attend(5, "√d", queries=1, keys=2, seed=3)["gradient"]
    assert found == pytest.approx(np.median(lengths), rel=1e-6)


def test_an_unknown_divisor_gets_a_sentence():
    with pytest.raises(ValueError, match="must be one of 1, √d, d, not '2'"):
        scale.attend(4, "2")


def test_all_that_can_be_shown_is_within_the_axes():
    for found in scale.found().values():
        assert 0 < found["entropy"] < 3 and 1e-20 < found["gradient"] < 10
    assert scale.found().keys() == {(divisor, d) for divisor in scale.DIVISORS for d in scale.SIZES}


def shown(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_the_figure_has_all_curves_the_chosen_one_in_colour_and_a_line_at_d():
    figure, _ = scale.draw(64, "√d")
    for ax, what in zip(figure.axes, ("entropy", "gradient"), strict=True):
        for divisor in scale.DIVISORS:
            line = shown(ax)[f"divided by {divisor}"]
            np.testing.assert_array_equal(line.get_ydata(), [scale.found()[divisor, d][what] for d in scale.SIZES])
            assert (line.get_color() == "#666666") == (divisor != "√d")
        assert [*next(line for line in ax.lines if line.get_label() == "_d").get_xdata()] == [64, 64]


def test_every_control_changes_the_picture_and_the_text():
    frames = [scale.draw(d, divisor) for d, divisor in ((64, "1"), (128, "1"), (64, "d"))]
    assert len({plots.png(figure) for figure, _ in frames}) == len({text for _, text in frames}) == 3


def test_the_sentence_has_the_numbers_of_the_curves():
    _, text = scale.draw(256, "1")
    now = scale.found()["1", 256]
    assert f"{now['largest']:.0%}" in text and f"{now['entropy']:.3g}" in text and f"{now['gradient']:.3g}" in text


def test_no_name_leaves_its_picture():
    for divisor in scale.DIVISORS:
        figure, _ = scale.draw(512, divisor)
        plots.png(figure)
        left, right = figure.axes
        names = [text.get_window_extent().x1 for text in left.texts]
        assert max(names) < right.yaxis.get_tightbbox().x0
        assert max(text.get_window_extent().x1 for text in right.texts) <= 792


def test_the_panel_begins_with_scores_as_they_are(monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "panel", lambda draw, **controls: shown.update(controls, draw=draw))
    scale.show()
    assert shown["draw"] is scale.draw
    assert (shown["d"].value, *shown["d"].options) == (64, *scale.SIZES)
    assert (shown["divisor"].value, *shown["divisor"].options) == ("1", *scale.DIVISORS)
