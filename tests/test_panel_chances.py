"""panels/chances.py: the bars are what the filters leave of what the model expects, and the sentence counts them."""

import re

import numpy as np
import pytest

from minillm import gpt, plots, sample, stored, widgets
from minillm.panels import chances
from minillm.panels.chances import SHOWN, TEXTS, draw, expected, left, written

SETTINGS = [(1.0, 78, 0.9), (0.5, 5, 1.0), (2.0, 78, 0.5), (0.125, 1, 0.05)]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_expected_is_what_the_stored_model_gives(text):
    params, config, tok, _ = stored.load()
    logits, _ = gpt.gpt(params, ids=tok.encode("x" + text)[None, 1:], config=config)
    np.testing.assert_array_equal(expected(text), logits[0, -1])


@pytest.mark.parametrize("temperature, top_k, top_p", SETTINGS)
def test_what_is_left_is_what_choose_draws_from(temperature, top_k, top_p, rng):
    logits = 3 * rng.normal(size=30)
    p = left(logits, temperature, top_k, top_p)
    filtered = sample.top_p(sample.top_k(sample.temperature(logits, temperature), top_k), top_p)
    drawn = sample.choose(np.broadcast_to(filtered, (20_000, 30)), rng)
    np.testing.assert_allclose(np.bincount(drawn, minlength=30) / 20_000, p, atol=0.02)
    assert (p > 0).sum() <= top_k and p.sum() == pytest.approx(1)


@pytest.mark.parametrize("temperature, top_k, top_p", SETTINGS)
def test_the_picture_and_the_sentence_say_what_is_left(temperature, top_k, top_p):
    logits = expected(TEXTS[0])
    figure, text = draw(temperature, top_k, top_p, TEXTS[0])
    (ax,) = figure.axes
    p, at_1 = left(logits, temperature, top_k, top_p), left(logits, 1.0, 78, 1.0)
    order = np.argsort(-logits, kind="stable")[:SHOWN]
    np.testing.assert_allclose([bar.get_height() for bar in ax.containers[0]], 100 * p[order])
    (dashes,) = [line for line in ax.lines if not line.get_label().startswith("_")]
    np.testing.assert_allclose(dashes.get_ydata(), 100 * at_1[order])
    n, share = re.search(r"(\d+) of 78 letters .* gave them ([\d.]+) %", text).groups()
    assert int(n) == (p > 0).sum() and float(share) == pytest.approx(100 * at_1[p > 0].sum(), rel=0.006)


def test_it_writes_what_the_library_writes_and_cold_the_likeliest():
    cold = written("ROMEO.\n", 0.125, 1, 1.0)
    params, config, tok, _ = stored.load()
    ids = sample.generate(
        params,
        tok.encode("ROMEO.\n"),
        config=config,
        rng=np.random.default_rng(9),
        max_tokens=len(cold),
        temperature=0,
    )
    assert cold == tok.decode([*ids]) and written("ROMEO.\n", 4.0, 78, 1.0) != cold


def test_all_of_the_picture_is_inside_and_nothing_but_bars_and_dashes_moves():
    looks = set()
    for after in TEXTS:
        for settings in (SETTINGS[0], SETTINGS[3]):
            figure, _ = draw(*settings, after)
            plots.png(figure)
            (ax,) = figure.axes
            looks.add(str((ax.get_position().bounds, ax.get_xlim(), ax.get_ylim())))
            boxes = [text.get_window_extent() for text in [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]]
            assert min(box.x0 for box in boxes) >= 0 and min(box.y0 for box in boxes) >= 0
            assert max(box.x1 for box in boxes) <= 792 and max(box.y1 for box in boxes) <= figure.bbox.height
    assert len(looks) == 1


def test_every_control_changes_the_picture_and_the_text():
    first = 1.0, 78, 0.9, TEXTS[0]
    others = (0.5, *first[1:]), (1.0, 3, *first[2:]), (1.0, 78, 0.5, TEXTS[0]), (1.0, 78, 0.9, TEXTS[1])
    frames = [draw(*values) for values in (first, *others)]
    assert len({text for _, text in frames}) == len({plots.describe(figure) for figure, _ in frames}) == 5


def test_a_picture_in_which_one_letter_is_left_still_says_how_it_was_set():
    for first, other in (((0.18, 78, 0.7), (0.18, 77, 0.7)), ((0.18, 78, 0.7), (0.18, 78, 0.65))):
        one, two = (plots.png(draw(*settings, TEXTS[0])[0]) for settings in (first, other))
        assert one != two


def test_the_panel_begins_where_something_is_to_be_seen(monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "panel", lambda draw, **controls: shown.update(controls, draw=draw))
    chances.show()
    assert shown["draw"] is draw
    assert (shown["temperature"].value, shown["top_k"].value, shown["top_p"].value) == (1.0, 78, 0.7)
    assert shown["top_k"].max == len(expected(TEXTS[0])) and shown["after"].value == TEXTS[0]
