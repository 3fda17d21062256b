"""staircase.py: every step and the floor stand where the numbers say, and are said in words."""

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from minillm import plots
from minillm.staircase import staircase

TEXT = [4.357, 3.328, 2.517, 2.049, 1.756, 1.639, 1.637]
MADE_UP = [2.773, 2.482, 2.026, 2.035, 2.08, 2.203]
LADDERS = {"Shakespeare": (TEXT, None), "a made-up language": (np.array(MADE_UP), 2.0244)}


def steps(ax):
    """The heights of the flight of stairs that has a name, and where its steps begin and end."""
    (flight,) = [p for p in ax.patches if isinstance(p, StepPatch) and not p.get_label().startswith("_")]
    heights, edges, _ = flight.get_data()
    return list(heights), list(edges)


def test_each_model_is_a_step_as_high_as_its_loss():
    figure = staircase(LADDERS)
    for ax, losses in zip(figure.axes, (TEXT, MADE_UP), strict=True):
        heights, edges = steps(ax)
        assert heights == losses and edges == [n - 0.5 for n in range(len(losses) + 1)]
        names = [tick.get_text() for tick in ax.get_xticklabels()]
        assert names[:4] == ["uniform", "unigram", "bigram", "trigram"] and names[4] == "4-gram"
        assert len(names) == len(losses)


def test_the_floor_is_a_line_where_it_is_known_and_a_word_where_it_is_not():
    unknown, known = staircase(LADDERS).axes
    assert not unknown.lines and "the floor: unknown" in [text.get_text() for text in unknown.texts]
    assert [line.get_ydata()[0] for line in known.lines] == [2.0244]
    assert "the floor, 2.024" in [text.get_text() for text in known.texts]


def test_close_to_a_floor_losses_are_written_with_one_digit_more():
    unknown, known = staircase(LADDERS).axes
    assert [text.get_text() for text in unknown.texts][2] == "2.52"
    assert [text.get_text() for text in known.texts][2:4] == ["2.026", "2.035"]


def test_all_flights_have_one_scale():
    left, right = staircase(LADDERS).axes
    assert left.get_ylim() == right.get_ylim() and left.get_ylim()[0] == 0 and left.get_ylim()[1] > 4.357


def test_nothing_overlaps_and_nothing_is_cut():
    figure = staircase(LADDERS, title="Two ladders")
    plots.png(figure)
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        for i, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[i + 1 :])
        assert all(0 <= box.x0 and box.x1 <= 792 for box in boxes)


def test_its_words_have_every_step_and_the_floor():
    said = plots.describe(staircase(LADDERS, title="Two ladders"))
    assert said.startswith("Two ladders.\nShakespeare. Loss (nats per letter) against model.")
    assert "loss: 4.36 at 0, 3.33 at 1, 2.52 at 2, 2.05 at 3, 1.76 at 4, 1.64 at 5, 1.64 at 6;" in said
    assert "levels: floor 2.02." in said and "_" not in said


@pytest.mark.parametrize(
    "ladders, says",
    [
        ({}, "from 1 to 3 ladders fit"),
        ({str(i): ([1.0], None) for i in range(4)}, "not 4"),
        ({"a": ([1.0, np.inf], None)}, "'a' must be"),
        ({"a": ([], None)}, "'a' must be"),
        ({"a": ([[1.0]], None)}, "one for each order"),
    ],
)
def test_what_cannot_be_drawn_gets_a_sentence(ladders, says):
    with pytest.raises(ValueError, match=says):
        staircase(ladders)
