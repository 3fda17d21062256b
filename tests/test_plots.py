"""plots.py: what a figure shows is what the arrays hold, and nothing outside it changes."""

import io
import subprocess
import sys
import threading

import numpy as np
import pytest

from minillm import plots
from minillm.describe import sampled

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
    assert "_" not in words and "curve" not in words  # nothing that has no name


def test_a_notebook_gets_the_picture_and_the_words(log):
    import base64

    bundle, metadata = plots.training(log)._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"].startswith("tiny: the loss")
    assert metadata == {"image/png": {"alt": bundle["text/plain"], "width": 792, "height": 462}}


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


def test_axes_that_have_places_stay_there():
    figure, axes = plots.canvas(1, 2, height=3, places=[[0.1, 0.2, 0.3, 0.7], [0.6, 0.2, 0.3, 0.7]])
    axes[0].set_ylabel("a name\non two lines")
    figure.draw_without_rendering()
    np.testing.assert_allclose([ax.get_position().bounds for ax in axes], [[0.1, 0.2, 0.3, 0.7], [0.6, 0.2, 0.3, 0.7]])
    assert figure.get_size_inches().tolist() == [7.2, 3]
    assert figure.get_layout_engine() is None  # which would draw it twice


def test_threads_take_turns_with_matplotlibs_settings():
    """Two threads that leave the style in the wrong order would leave it behind as everybody's setting."""
    import matplotlib

    before, inside, leave = dict(matplotlib.rcParams), threading.Event(), threading.Event()

    def first():
        with plots.style():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    threading.Timer(0.3, leave.set).start()
    with plots.style():
        assert leave.is_set()  # this thread had to wait for the other
    thread.join()
    assert dict(matplotlib.rcParams) == before


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
    assert plots.smooth([0, 0, 0, 0, 0, 0, 9, 0, 0], 4).tolist() == [0, 0, 0, 0, 0, 3, 3, 3, 3]
    assert plots.smooth(np.arange(20.0) % 2, 2)[10:18].tolist() == [0.4, 0.6] * 4
    assert plots.smooth([3.0], 5).tolist() == [3]
    assert plots.smooth([], 5).tolist() == []


def test_the_end_of_a_smoothed_curve_is_as_smooth_as_its_middle_and_follows_a_slope(rng):
    noise = np.array([plots.smooth(rng.normal(size=200), 10) for _ in range(200)])
    middle = slice(100, 180)
    assert noise[:, -1].std() < 1.6 * noise[:, middle].std()
    steps, bends = np.diff(noise), np.diff(noise, n=2)
    assert steps[:, -10:].std() < steps[:, middle].std()
    assert np.abs(bends[:, -12:]).max() < np.abs(bends[:, middle]).max()
    falling = 5 - 0.01 * np.arange(200) + noise[0]
    assert plots.smooth(falling, 10)[-1] == pytest.approx(3, abs=0.3)


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


LABELS = {"title": "Spread through the layers", "x_label": "layer", "y_label": "spread"}


def drawn(figure, ax=0):
    """{name: line} of the curves that have a name."""
    return {line.get_label(): line for line in figure.axes[ax].lines if not line.get_label().startswith("_")}


def test_curves_are_what_the_arrays_hold_and_gaps_where_they_hold_no_number():
    x = np.arange(4)
    figure = plots.curves(x, {"a": [1, 2, np.nan, 4], "b": [np.inf, 3, 2, 1]}, **LABELS)
    lines = drawn(figure)
    np.testing.assert_array_equal(lines["a"].get_ydata(), [1, 2, np.nan, 4])
    np.testing.assert_array_equal(lines["b"].get_ydata(), [np.nan, 3, 2, 1])
    assert all(line.get_xdata().tolist() == x.tolist() for line in lines.values())
    assert plots.describe(figure).startswith("Spread through the layers. Spread against layer.\n  a: 1 at 0, 2 at 1, 4")
    assert "(4 points, of which 1 not drawn, the first at 0)" in plots.describe(figure)


def test_each_curve_differs_from_each_other_in_colour_dashes_and_marker():
    lines = list(drawn(plots.curves([1, 2], {name: [1, 2] for name in "abcdef"}, **LABELS)).values())
    for look in ("get_color", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 6
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 6


def overlaps(boxes):
    return [(i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes[:i]) if a.overlaps(b)]


@pytest.mark.parametrize("log_y", [False, True])
def test_names_stand_at_the_ends_of_their_curves_and_never_overlap(rng, log_y):
    for spreading in (0, 0.01, 0.3):  # all end at one place, close together, apart
        ends = np.exp(spreading * rng.normal(size=5))
        ys = {f"curve {i}": np.linspace(1, end, 9) for i, end in enumerate(ends)}
        figure = plots.curves(np.arange(9), ys, log_y=log_y, **LABELS)
        figure.draw_without_rendering()
        ax = figure.axes[0]
        boxes = [text.get_window_extent() for text in ax.texts]
        assert [text.get_text() for text in ax.texts] == list(ys) and ax.get_legend() is None
        assert overlaps(boxes) == []
        assert all(box.x0 > ax.bbox.x1 and box.x1 <= figure.bbox.x1 for box in boxes)
        for line, text in zip(drawn(figure).values(), ax.texts, strict=True):
            end = ax.transData.transform((8, line.get_ydata()[-1]))[1]
            middle = (text.get_window_extent().y0 + text.get_window_extent().y1) / 2
            assert abs(middle - end) < (3 if spreading == 0.3 and overlaps(boxes) else 45)


def test_a_curve_that_ends_early_gets_its_name_from_a_legend():
    ys = {"diverges": [1, 9, np.inf, np.nan, np.nan], "learns": [5, 4, 3, 2, 1]}
    ax = plots.curves(np.arange(5), ys, **LABELS).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["diverges", "learns"]
    assert len(ax.texts) == 0


def test_x_is_drawn_from_left_to_right_as_it_is_given():
    figure, axes = plots.canvas(1, 2)
    assert plots.curves([0, 1, 2], {"a": [1, 2, 3]}, ax=axes[0], **LABELS) is figure
    plots.curves([2, 1, 0], {"a": [1, 2, 3]}, ax=axes[1], **LABELS)
    assert not axes[0].xaxis_inverted() and axes[1].xaxis_inverted()
    assert "a: 1 at 0, 2 at 1, 3 at 2" in plots.describe(figure) and "a: 1 at 2, 2 at 1, 3 at 0" in plots.describe(
        figure
    )


def test_names_of_one_of_two_axes_do_not_reach_the_other():
    figure, axes = plots.canvas(1, 2, height=3.4)
    for ax in axes:
        plots.curves([0, 1], {"pre-norm": [1, 2], "post-norm": [1, 1]}, ax=ax, **LABELS)
    figure.draw_without_rendering()
    left = max(text.get_window_extent().x1 for text in axes[0].texts)
    assert left < axes[1].yaxis.get_tightbbox().x0 and axes[1].texts[0].get_window_extent().x1 <= figure.bbox.x1


def test_what_is_there_for_comparison_is_grey_and_leaves_the_colours_to_the_others():
    lines = drawn(plots.curves([0, 1], {"old": [1, 2], "new": [2, 1]}, beside=("old",), **LABELS))
    alone = drawn(plots.curves([0, 1], {"new": [2, 1]}, **LABELS))
    assert lines["old"].get_color() == "#666666" and lines["new"].get_color() == alone["new"].get_color()


def test_the_range_is_kept_whatever_is_drawn():
    for top in (2, 1e9):
        ax = plots.curves([0, 1], {"a": [1, top]}, log_y=True, y_range=(1e-3, 1e3), **LABELS).axes[0]
        assert ax.get_ylim() == (1e-3, 1e3) and ax.get_yscale() == "log"


def test_curves_that_do_not_fit_get_a_sentence():
    with pytest.raises(ValueError, match=r"x is \(3,\) and 'b' is \(2,\)"):
        plots.curves([1, 2, 3], {"a": [1, 2, 3], "b": [1, 2]}, **LABELS)
    with pytest.raises(ValueError, match="from 1 to 6 curves can be told apart, but there are 7"):
        plots.curves([1, 2], {name: [1, 2] for name in "abcdefg"}, **LABELS)
    with pytest.raises(ValueError, match="but there are 0"):
        plots.curves([1, 2], {"a": [1, 2]}, beside=("a",), **LABELS)
    with pytest.raises(ValueError, match="n at least 1"):
        plots.curves([], {"a": []}, **LABELS)


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize("points", [3, 25, 400])
def test_one_per_cent_in_all_points_of_a_curve_or_in_one_that_is_said_changes_the_words(rng, log_y, points):
    x = np.arange(points)
    said = lambda y: plots.describe(plots.curves(x, {"a": y}, log_y=log_y, **LABELS))
    for _ in range(5):
        y = rng.lognormal(0, 4, points)
        before = said(y)
        for factor in (1.01, 0.99):
            assert said(factor * y) != before
            one = y.copy()
            one[rng.choice(sampled(points))] *= factor
            assert said(one) != before


def test_a_change_between_the_points_that_are_said_changes_the_words():
    x, y = np.arange(25), np.linspace(1, 3, 25)
    said = lambda y: plots.describe(plots.curves(x, {"a": y}, **LABELS))
    between = next(i for i in range(25) if i not in sampled(25))
    assert said(y + 0.1 * (x == between)) != said(y)


def test_one_per_cent_changes_the_words_of_a_training_run(log):
    before = plots.describe(plots.training(log))
    for key in ("loss", "validation"):
        assert plots.describe(plots.training(Log(log, **{key: 1.01 * log[key]}))) != before


def normalised(angle):
    """Three numbers with mean 0 and variance 1: every point of the circle has an angle."""
    return np.sqrt(2) * np.cos(angle + np.array([0, 2, 4]) * np.pi / 3)


def arrows(figure):
    """{name: (tail, head)} of what the circle's picture shows."""
    texts = [text for text in figure.axes[0].texts if text.arrow_patch]
    return {text.get_label().split(",")[0]: (np.array(text.xyann), np.array(text.xy)) for text in texts}


def test_the_tangent_of_the_circle_is_what_layer_norm_sends_back(rng):
    from minillm import layers

    x, dy = rng.normal(size=(2, 3))
    xhat, backward = layers.layer_norm(x, np.ones(3), np.zeros(3), eps=0.0)
    tail, head = arrows(plots.circle(xhat, dy))["tangent"]
    dx = backward(dy)[0]
    plane = np.array([[0, 1, -1], [2, -1, -1]]) / np.sqrt([[2], [6]])
    np.testing.assert_allclose((head - tail) @ plane, dx * x.std(), atol=1e-12)
    np.testing.assert_allclose(tail @ plane, xhat, atol=1e-12)


def test_the_two_parts_of_the_arrow_add_up_and_stand_at_a_right_angle(rng):
    for _ in range(10):
        shown = arrows(plots.circle(normalised(rng.uniform(0, 6)), rng.normal(size=3)))
        radial, tangent, dxhat = (shown[name][1] - shown[name][0] for name in ("radial", "tangent", "dxhat"))
        np.testing.assert_allclose(radial + tangent, dxhat, atol=1e-12)
        assert abs(radial @ tangent) < 1e-12 and abs(tangent @ shown["radial"][0]) < 1e-12


def test_the_circle_says_its_numbers():
    said = plots.describe(plots.circle(normalised(0), [1.5, 0.25, -0.25]))
    assert "xhat, free to move along the circle: (1.41, -0.707, -0.707), at (0, 1.73)." in said
    assert "out of this plane, does nothing: 0.5 times (1, 1, 1), at (0, 0)." in said
    assert (
        "arrow radial, leaves the circle, does nothing: 0.707 times xhat, from (0, 1.73) to (0, 2.96), length" in said
    )
    assert "arrow tangent, what is left of dxhat: (0, 0.25, -0.25), from (0, 1.73) to (0.354, 1.73), length 0" in said
    assert plots.describe(plots.circle(normalised(0), [1.515, 0.2525, -0.2525])) != said


@pytest.mark.parametrize("length", [0.01, 0.4, 1.2, 6])
def test_no_two_names_of_the_circle_overlap_and_all_are_in_the_picture(length):
    for angle, turn in [(1.1 * k, 2.4 * k + 1e-6) for k in range(24)]:  # dxhat first points outwards, nearly
        outwards, along = normalised(angle), normalised(angle + np.pi / 2)
        figure = plots.circle(outwards, length * (np.cos(turn) * outwards + np.sin(turn) * along + 0.3) / np.sqrt(3))
        names = [text for text in figure.axes[0].texts if text.get_text()]
        assert sorted(text.get_text() for text in names) == ["dxhat", "radial", "tangent", "xhat"]
        boxes = [text.get_window_extent() for text in names]
        boxes += [figure.axes[0].get_legend().get_window_extent(), figure._suptitle.get_window_extent()]
        assert overlaps(boxes) == [], (angle, turn)
        assert all(0 <= box.x0 and box.x1 <= 792 and 0 <= box.y0 and box.y1 <= 462 for box in boxes), (angle, turn)


@pytest.mark.parametrize("dxhat, left", [((2, 2, 2), []), (normalised(1), ["dxhat", "radial"]), ((0, 0, 0), [])])
def test_an_arrow_of_no_length_is_not_drawn_and_its_numbers_are_0(dxhat, left):
    figure = plots.circle(normalised(1), dxhat)
    assert list(arrows(figure)) == left
    assert [text.get_text() for text in figure.axes[0].texts if text.get_text() not in ("", "xhat")] == left
    key = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "tangent, what is left of dxhat:\n(0, 0, 0)" in key
    assert not any("e-" in said for said in key)


def test_the_circle_wants_three_normalised_numbers():
    with pytest.raises(ValueError, match="mean 0 and variance 1, not 2 and 0.667"):
        plots.circle([1, 2, 3], [0, 0, 1])
    with pytest.raises(ValueError, match="not 0.1 and 1"):
        plots.circle(normalised(0) + 0.1, [0, 0, 1])
    with pytest.raises(ValueError, match=r"must be \(3,\), not \(4,\) and \(3,\)"):
        plots.circle([1, -1, 1, -1], [0, 0, 1])
    with pytest.raises(ValueError, match="not nan and nan"):
        plots.circle([1, np.nan, 0], [0, 0, 1])
    with pytest.raises(ValueError, match="three finite numbers"):
        plots.circle(normalised(0), [0, np.inf, 1])
