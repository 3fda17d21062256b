"""The panel of a model as a graph: its shapes come from a run, and its words from the same arrays."""

import numpy as np
import pytest

from minillm import layers
from minillm.describe import describe
from minillm.panels import graph


def test_the_gradients_are_those_of_the_loss():
    """A step against all gradients lowers the loss by as much as they say."""
    arrays, loss = graph.run(3, 4, 5, 7)
    rate = 0.01

    def after(name):
        return arrays[name] - rate * arrays[f"d{name}"]

    vectors, _ = layers.embedding(after("table"), ids=arrays["ids"])
    logits, _ = layers.linear(vectors, after("w"), after("b"))
    lower, _ = layers.cross_entropy(logits, targets=arrays["targets"])
    foreseen = rate * sum((arrays[f"d{name}"] ** 2).sum() for name in ("table", "w", "b"))
    assert loss - lower == pytest.approx(foreseen, rel=0.05)


def test_every_shape_in_the_figure_is_that_of_an_array_of_the_run():
    sizes = {"batch": 3, "length": 2, "width": 5, "vocabulary": 7}
    arrays, _ = graph.run(**sizes)
    words = describe(graph.draw(**sizes)[0])
    for name, array in arrays.items():
        assert f"{name} {array.shape}" in words
        if name not in ("ids", "targets") and not name.startswith("d"):
            assert arrays[f"d{name}"].shape == array.shape
    assert "loss, a number" in words and "dloss, a number" in words


@pytest.mark.parametrize("name", ["batch", "length", "width", "vocabulary"])
def test_every_slider_changes_the_figure_and_the_text(name):
    sizes = {"batch": 3, "length": 2, "width": 5, "vocabulary": 7}
    figure, text = graph.draw(**sizes)
    other_figure, other_text = graph.draw(**{**sizes, name: sizes[name] + 1})
    assert describe(figure) != describe(other_figure) and text != other_text


def test_the_text_counts_the_rows_that_are_blamed():
    """With two rows and 32 positions both are used many times; with one position, one is used once."""
    assert "Rows of the table: 2. Blamed: 2, for more than one position: 2." in graph.draw(4, 8, 3, 2)[1]
    text = graph.draw(1, 1, 3, 9)[1]
    assert "Rows of the table: 9. Blamed: 1, for more than one position: 0." in text
    assert "Parameters: 63." in text  # 9 * 3 + 3 * 9 + 9


def test_the_largest_array_is_named():
    assert "way: logits, 600 numbers" in graph.draw(2, 5, 16, 60)[1]
    assert "way: vectors, 160 numbers" in graph.draw(2, 5, 16, 4)[1]


def test_no_name_leaves_the_figure_or_touches_another_at_the_widest():
    figure, _ = graph.draw(32, 32, 64, 256)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    inside = figure.bbox
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 and box.y0 >= inside.y0 for box in boxes)
    assert not any(np.any([a.overlaps(b) for b in boxes[n + 1 :]]) for n, a in enumerate(boxes))
