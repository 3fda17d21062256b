"""panels/temperature.py: the bigram of the counts, the softmax at a temperature, and a panel that shows both."""

import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from minillm import corpus, plots, sample, widgets
from minillm.panels import temperature
from minillm.panels.temperature import LETTERS, SHOWN, draw, entropy, probabilities, written

TEXT = "to be, or not to be:\nthat is the question; whether 'tis nobler in the mind to suffer, quoth he.\n" * 3


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A text that needs no download."""
    text = corpus.Text("a speech", TEXT, TEXT[:40], "", "".join(sorted({*TEXT, *"XYZ"})))
    monkeypatch.setattr(corpus, "load", lambda name: text)
    temperature.bigram.cache_clear()
    yield text
    temperature.bigram.cache_clear()


def test_the_scores_are_the_logarithms_of_the_counts_and_one():
    tok, scores = temperature.bigram()
    counts = Counter(pairwise(TEXT))
    for i, a in enumerate(tok.alphabet):
        for j, x in enumerate(tok.alphabet):
            assert scores[i, j] == math.log(counts[a, x] + 1)


@pytest.mark.parametrize("T", [0.125, 0.7, 1.0, 8.0])
def test_probabilities_are_powers_of_those_at_1_divided_by_their_sum(T, rng):
    scores = rng.normal(size=(3, 5))
    powers = np.exp(scores) ** (1 / T)
    assert probabilities(scores, T) == pytest.approx(powers / powers.sum(-1, keepdims=True), rel=1e-12)
    assert np.isfinite(probabilities(scores * 1e4, T)).all()


def test_the_entropy_is_that_of_a_fair_choice_and_0_for_a_certain_one():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(math.log(8)) and entropy(np.eye(3)[1]) == 0


def test_what_is_written_is_drawn_as_choose_draws():
    tok, scores = temperature.bigram()
    rng, ids = np.random.default_rng(3), [int(tok.encode("q")[0])]
    for _ in range(50):
        ids.append(int(sample.choose(sample.temperature(scores[ids[-1]], 0.8), rng)))
    assert written(tok, scores, 0.8, "q", 50, seed=3) == tok.decode(ids)


def test_cold_it_writes_the_likeliest_and_hot_it_writes_anything():
    tok, scores = temperature.bigram()
    cold, hot = (written(tok, scores, T, "q", 400) for T in (0.01, 100))
    assert all(scores[a, x] == scores[a].max() for a, x in pairwise(tok.encode(cold)))
    assert len(set(hot)) > 0.9 * tok.vocab_size


@pytest.mark.parametrize("after", LETTERS)
@pytest.mark.parametrize("T", [0.125, 1.0, 8.0])
def test_the_picture_shows_the_probabilities_beside_those_at_1(after, T):
    tok, scores = temperature.bigram()
    row = scores[tok.encode(after)[0]]
    figure, text = draw(T, after)
    (ax,) = figure.axes
    bars, (dashes,) = ax.containers[0], [line for line in ax.lines if not line.get_label().startswith("_")]
    order = np.argsort(-row, kind="stable")[:SHOWN]
    np.testing.assert_allclose([bar.get_height() for bar in bars], 100 * probabilities(row, T)[order])
    np.testing.assert_allclose(dashes.get_ydata(), 100 * probabilities(row, 1)[order])
    p = probabilities(row, T)
    said = [float(number) for number in re.findall(r"([\d.e+-]+) (?:%|nats|letters)", text)]
    np.testing.assert_allclose(said, [100 * p.max(), entropy(p), math.exp(entropy(p))], rtol=0.006)


def test_nothing_but_the_bars_and_dashes_moves_and_all_of_it_is_inside():
    looks = set()
    for after in LETTERS:
        for T in (0.125, 8.0):
            figure, _ = draw(T, after)
            plots.png(figure)
            (ax,) = figure.axes
            looks.add(str((ax.get_position().bounds, ax.get_xlim(), ax.get_ylim())))
            texts = [text for text in ax.texts if text.get_visible()]
            boxes = [text.get_window_extent() for text in [ax.title, ax.xaxis.label, ax.yaxis.label, *texts]]
            assert min(box.x0 for box in boxes) >= 0 and min(box.y0 for box in boxes) >= 0
            assert max(box.x1 for box in boxes) <= 792 and max(box.y1 for box in boxes) <= figure.bbox.height
    assert len(looks) == 1


def test_every_control_changes_the_picture_and_the_text():
    frames = [draw(T, after) for T, after in ((0.5, "t"), (1.0, "t"), (0.5, "h"))]
    assert len({text for _, text in frames}) == len({plots.describe(figure) for figure, _ in frames}) == 3


def test_the_panel_begins_where_something_is_to_be_seen(monkeypatch):
    shown = {}
    monkeypatch.setattr(widgets, "panel", lambda draw, **controls: shown.update(controls, draw=draw))
    temperature.show()
    knob, after = shown["temperature"], shown["after"]
    assert shown["draw"] is draw
    assert (knob.value, knob.base**knob.min, knob.base**knob.max) == (0.5, 0.125, 8)
    assert after.value == "t" and [value for _, value in after.options] == [*LETTERS]
    assert [name for name, _ in after.options] == ["t", "h", "q", "␣", "↵"]
