"""plots.py: what a figure shows is what the arrays hold, and nothing outside it changes."""

import io
import subprocess
import sys

import numpy as np
import pytest

from minillm import plots

LADDER = [
    ("uniform", 4.36, 6.3),
    ("bigram", 2.48, 3.6),
    ("4-gram", 1.76, 2.5),
    ("5-gram", 1.64, 2.4),
    ("6-gram", 1.64, 2.4),
]


class Log(dict):
    """What runlog.read() returns, as far as a figure is concerned."""

    recipe = {"name": "tiny", "tokenizer": "characters"}


@pytest.fixture
def log(rng):
    n = 400
    tokens = 5120.0 * np.arange(1, n + 1)
    loss = 1.6 + 2.5 * np.exp(-tokens / 60_000) + rng.normal(0, 0.07, n)
    validation = np.full(n, np.nan)
    validation[99::100] = [1.9, 1.8, 1.75, 1.7]
    return Log(tokens=tokens, loss=loss, validation=validation)


def curves(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


def test_the_curves_are_the_log(log):
    shown = curves(plots.training(log))
    np.testing.assert_allclose(shown["_raw"].get_data(), (log["tokens"] / 1e6, log["loss"]))
    x, y = shown["validation"].get_data()
    np.testing.assert_allclose(x, [0.512, 1.024, 1.536, 2.048])
    assert y.tolist() == [1.9, 1.8, 1.75, 1.7]
    assert abs(shown["training"].get_ydata()[200:390] - 1.6).max() < abs(log["loss"][200:390] - 1.6).max() / 3


@pytest.mark.parametrize(
    "tokenizer, token", [("characters", "character"), ("bytes", "byte"), ("bpe:512", "token"), (None, "token")]
)
def test_the_axes_name_their_units(log, tokenizer, token):
    log.recipe = {"tokenizer": tokenizer} if tokenizer else {}
    ax = plots.training(log).axes[0]
    assert ax.get_ylabel() == f"loss (nats per {token})"
    assert ax.get_xlabel() == f"{token}s learned from (millions)"
    assert plots.training(log, token="word").axes[0].get_ylabel() == "loss (nats per word)"


def test_a_plain_dict_of_lists_is_a_log_too():
    figure = plots.training({"tokens": [10, 20], "loss": [4, 3], "validation": [float("nan"), 3.5]})
    assert figure.axes[0].get_xlabel() == "tokens learned from"


def test_every_rung_is_a_line_at_its_loss_with_its_name_and_no_two_names_overlap(log):
    figure = plots.training(log, LADDER)
    ax = figure.axes[0]
    levels = {name: line.get_ydata()[0] for name, line in curves(figure).items() if name.endswith("(level)")}
    assert levels == {f"{name} (level)": loss for name, loss, _ in LADDER}
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == [f"{name} {loss:.2f}" for name, loss, _ in LADDER]
    for i, a in enumerate(boxes):
        assert not any(a.overlaps(b) for b in boxes[:i])
        assert a.x0 >= ax.bbox.x1 and a.x1 <= figure.bbox.x1  # beside the curves, inside the picture
    low, high = ax.get_ylim()
    assert low < min(*log["loss"], 1.64) and high > 4.36


def test_a_log_that_has_only_begun_can_be_plotted(log):
    begun = Log({key: column[:1] for key, column in log.items()})
    assert len(plots.png(plots.training(begun, LADDER))) > 5000


def test_a_log_without_a_loss_gets_a_sentence():
    empty = np.zeros(0)
    with pytest.raises(ValueError, match="nothing to plot"):
        plots.training({"tokens": empty, "loss": empty, "validation": empty})


def test_the_description_has_the_names_the_units_and_the_numbers(log):
    words = plots.describe(plots.training(log, LADDER))
    assert words.startswith("tiny: the loss while it learns. Loss (nats per character) against characters learned from")
    assert (
        "validation: 1.9 at 0.512, 1.8 at 1.02, 1.75 at 1.54, 1.7 at 2.05; lowest 1.7 at 2.05, highest 1.9 at 0.512, "
        "mean 1.788 (4 points)" in words
    )
    assert "levels: uniform 4.36, bigram 2.48, 4-gram 1.76, 5-gram 1.64, 6-gram 1.64." in words
    assert "_" not in words


def test_a_notebook_gets_the_picture_and_the_words(log):
    import base64

    bundle, metadata = plots.training(log)._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"].startswith("tiny: the loss")


def test_one_log_gives_one_picture_and_the_words_are_inside_it(log):
    from PIL import Image

    data = plots.png(plots.training(log, LADDER))
    assert data == plots.png(plots.training(log, LADDER))
    image = Image.open(io.BytesIO(data))
    assert image.size[0] > 700
    assert image.text["Description"] == plots.describe(plots.training(log, LADDER))


def saved(figure):
    """The figure as its own savefig writes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=60)
    return buffer.getvalue()


def test_the_style_does_not_depend_on_matplotlibs_settings_nor_change_them(log):
    import matplotlib

    before = dict(matplotlib.rcParams)
    expected = plots.png(plots.training(log, LADDER)), saved(plots.training(log, LADDER))
    garish = {"figure.facecolor": "black", "font.size": 20, "axes.grid": False, "savefig.dpi": 20, "text.color": "red"}
    garish |= {"xtick.color": "red", "xtick.labelsize": 20, "xtick.major.size": 12, "font.family": "monospace"}
    with matplotlib.rc_context(garish):
        assert plots.png(plots.training(log, LADDER)) == expected[0]
        assert saved(plots.training(log, LADDER)) == expected[1]
    assert dict(matplotlib.rcParams) == before


def test_a_canvas_has_the_style_too():
    figure, axes = plots.canvas(2, 3)
    assert axes.shape == (2, 3) and type(figure) is type(plots.canvas()[0])
    assert not any(ax.spines["top"].get_visible() for ax in axes.flat)
    assert tuple(figure.get_size_inches()) == plots.STYLE["figure.figsize"]


def test_pyplot_is_never_imported_and_matplotlib_only_when_something_is_drawn():
    code = (
        "import sys; from minillm import plots; assert 'matplotlib' not in sys.modules; "
        "plots.training({'tokens': [1, 2], 'loss': [2, 1], 'validation': [2, 1]}); "
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_smoothing_is_a_mean_of_neighbours_that_does_not_lag():
    y = np.array([5.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert plots.smooth(y[1:], 3).tolist() == y[1:].tolist()  # a straight line stays what it is
    assert plots.smooth([0, 0, 0, 0, 0, 0, 9, 0, 0], 4).tolist() == [0, 0, 0, 0, 0, 3, 3, 3, 0]
    assert plots.smooth(np.arange(20.0) % 2, 2)[10:18].tolist() == [0.4, 0.6] * 4
    assert plots.smooth([3.0], 5).tolist() == [3]
    assert plots.smooth([], 5).tolist() == []


def test_spread_moves_places_only_as_far_as_they_must():
    assert plots.spread([1.0, 5.0, 3.0], 1, 0, 10).tolist() == [1, 5, 3]
    assert plots.spread([4.0, 4.0], 1, 0, 10).tolist() == [3.5, 4.5]
    assert plots.spread([4.0, 4.5, 4.0, 9], 1, 0, 10) == pytest.approx([19 / 6, 31 / 6, 25 / 6, 9])
    assert plots.spread([0.1, 0.2], 1, 0, 10).tolist() == [0, 1]
    assert plots.spread([9.9, 9.8], 1, 0, 10).tolist() == [10, 9]
    assert plots.spread([5, 5, 5], 1, 4, 5).tolist() == [4, 5, 6]  # no room: the gap comes first


def test_spread_is_the_nearest_row_with_gaps(rng):
    from scipy.optimize import minimize

    for _ in range(10):
        places = np.sort(rng.uniform(0, 5, 5))
        gaps = [{"type": "ineq", "fun": lambda z, i=i: z[i + 1] - z[i] - 1} for i in range(4)]
        start = places[0] + 1.5 * np.arange(5)
        best = minimize(lambda z, places=places: ((z - places) ** 2).sum(), start, constraints=gaps, tol=1e-12)
        assert plots.spread(places, 1, -50, 50) == pytest.approx(best.x, abs=1e-5)


def test_the_colours_can_be_told_apart_in_grey_too():
    grey = sorted(
        0.299 * r + 0.587 * g + 0.114 * b
        for colour in (plots.BLUE, plots.ORANGE, plots.SKY)
        for r, g, b in [bytes.fromhex(colour[1:])]
    )
    assert min(np.diff(grey)) > 15
