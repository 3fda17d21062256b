"""panels/spread.py: the spread of a stack of layers is what its equations say, and the panel shows it."""

import re

import numpy as np
import pytest

from minillm import layers, plots, widgets
from minillm.check import check_gradients, using
from minillm.panels import spread


def spreads(wiring, scale, **sizes):
    return spread.spread_through_layers(wiring, scale, **sizes)


@pytest.mark.parametrize("wiring", spread.WIRINGS)
def test_the_gradient_of_a_layer_is_right(wiring, rng):
    w = rng.normal(size=(8, 8))
    check_gradients(lambda x: spread._layer(x, w, wiring), rng.normal(size=(3, 8)))


def test_plain_layers_multiply_the_spread_by_the_scale_each_time():
    one, three = spreads("plain", 1), spreads("plain", 3)
    k = np.arange(25.0)
    np.testing.assert_allclose(three[0], one[0] * 3**k, rtol=1e-10)
    np.testing.assert_allclose(three[1], one[1] * 3 ** k[::-1], rtol=1e-10)


@pytest.mark.parametrize(
    "wiring, expected",
    [
        ("plain", lambda scale, k: scale**k),
        ("residual", lambda scale, k: (1 + scale**2) ** (k / 2)),  # the variance of a sum of two unrelated parts
        ("pre-norm", lambda scale, k: np.sqrt(1 + scale**2 * k)),  # each layer adds the same
        ("post-norm", lambda scale, k: np.ones_like(k)),
    ],
)
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_a_wide_stack_spreads_as_variances_add(wiring, expected, scale):
    up, _ = spreads(wiring, scale, n_layer=6, C=400, T=40)
    np.testing.assert_allclose(up, expected(scale, np.arange(7.0)), rtol=0.06)


def test_a_layer_of_any_width_keeps_the_spread_at_scale_1():
    for C in (8, 32):
        stacks = [spreads("plain", 1, n_layer=1, C=C, seed=seed)[0] for seed in range(300)]
        assert np.mean([(up[1] / up[0]) ** 2 for up in stacks]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("wiring", spread.WIRINGS)
@pytest.mark.parametrize("scale", [0.25, 1, 4])
def test_at_every_end_of_the_slider_the_numbers_are_within_the_axes(wiring, scale):
    for curve in spreads(wiring, scale):
        assert curve.shape == (25,) and (curve > 1e-16).all() and (curve < 1e16).all()


def test_every_stack_gets_the_same_input_below_and_the_same_gradient_above():
    stacks = [spreads(wiring, scale) for wiring in spread.WIRINGS for scale in (0.25, 4)]
    assert len({up[0] for up, _ in stacks}) == len({down[-1] for _, down in stacks}) == 1
    assert abs(stacks[0][0][0] - 1) < 0.05 and abs(stacks[0][1][-1] - 1) < 0.05


def test_the_spread_is_over_the_channels_of_each_position():
    assert spread.spread(np.array([[1.0, 3.0], [10.0, 14.0]])) == 1.5


def test_another_seed_draws_other_weights():
    assert spreads("plain", 1, seed=1)[0][-1] != spreads("plain", 1)[0][-1]


def test_an_unknown_wiring_gets_a_sentence():
    with pytest.raises(ValueError, match="must be one of plain, residual, pre-norm, post-norm, not 'norm'"):
        spreads("norm", 1)


def test_the_panel_runs_on_a_learners_own_layer_norm():
    calls = []
    with using(layers, layer_norm=lambda *arrays: calls.append(1) or (arrays[0], lambda dy: (dy, None, None))):
        up, _ = spreads("pre-norm", 1)
    assert len(calls) == 24 and up[-1] > 1000  # a norm that does nothing leaves a residual stack


def shown(figure, side):
    return {line.get_label(): line for line in figure.axes[side].lines if not line.get_label().startswith("_")}


def test_the_figure_shows_both_ways_and_the_plain_stack_beside():
    figure, text = spread.draw("pre-norm", 2.0)
    for side, order in ((0, 1), (1, -1)):
        curves, k = shown(figure, side), np.arange(25)
        assert list(curves) == ["plain", "pre-norm"] and curves["plain"].get_color() == "#666666"
        for name, line in curves.items():
            np.testing.assert_array_equal(line.get_data(), [k[::order], spreads(name, 2.0)[side][::order]])
    assert list(shown(spread.draw("plain", 2.0)[0], 0)) == ["plain"]


def test_nothing_but_the_curves_moves():
    looks = set()
    for wiring in spread.WIRINGS:
        for scale in (0.25, 4):
            figure, _ = spread.draw(wiring, scale)
            plots.png(figure)
            looks.add(str([(ax.get_position().bounds, ax.get_xlim(), ax.get_ylim()) for ax in figure.axes]))
            boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text() != "float16"]
            assert max(box.x1 for box in boxes) < figure.axes[1].yaxis.get_tightbbox().x0
            assert max(text.get_window_extent().x1 for text in figure.axes[1].texts) <= 792
    assert len(looks) == 1


def test_the_sentence_has_the_ratios_from_end_to_end():
    up, down = spreads("residual", 4)
    _, text = spread.draw("residual", 4)
    said = [float(number) for number in re.findall(r"is (\S+) times", text)]
    np.testing.assert_allclose(said, [up[-1] / up[0], down[0] / down[-1]], rtol=0.005)
    assert said[0] > 1e14


def test_the_panel_begins_with_a_residual_stack_whose_weights_are_as_they_are(monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "panel", lambda draw, **controls: shown.update(controls, draw=draw))
    spread.show()
    scale, wiring = shown["scale"], shown["wiring"]
    assert shown["draw"] is spread.draw
    assert (scale.value, scale.base**scale.min, scale.base**scale.max) == (1, 0.25, 4)
    assert wiring.value == "residual" and wiring.options == spread.WIRINGS
    assert spreads(wiring.value, scale.value)[0][-1] > 1000  # so there is something to see
