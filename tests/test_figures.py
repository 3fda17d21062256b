"""figures.py: each figure shows what the arrays hold, its names never overlap, and its words have its numbers."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from minillm import figures, plots
from minillm.describe import describe

AXES = {"title": "What is seen", "x_label": "x", "y_label": "y"}
CHARACTERS = ["\n", " ", *"!$',-.:;?(", *map(chr, range(65, 91)), *map(chr, range(97, 123))]


def overlaps(boxes):
    return [(i, j) for (i, a), (j, b) in itertools.combinations(enumerate(boxes), 2) if a.overlaps(b)]


def outside(figure, boxes):
    return [box for box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1]


def names_on(axis):
    """The names that are seen on an axis: {text: box}."""
    axis.figure.draw_without_rendering()
    texts = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_visible() and tick.label1.get_text()]
    return [text.get_text() for text in texts], [text.get_window_extent() for text in texts]


def turned_apart(texts, size=9):
    """Whether names that are turned by the same angle stand a line of text apart, across their direction."""
    angle = np.radians(texts[0].get_rotation())
    starts = np.array([text.get_transform().transform(text.get_position()) for text in texts])
    return np.diff(starts[:, 0]).min() * np.sin(angle) >= size * texts[0].figure.dpi / 72


@pytest.mark.parametrize(
    "name, seen",
    [
        (" the", "␣the"),
        ("\n", "↵"),
        ("\t \r", "⇥ \\r"),
        ("  ", "␣␣"),
        ("of the ", "of the␣"),
        ("é", "é"),
        ("漢", "\\u6f22"),
        ("\x00", "\\x00"),
        (b"ab\xe2", "ab\\xe2"),
        (7, "7"),
        ("", ""),
    ],
)
def test_every_character_of_a_name_can_be_seen(name, seen):
    assert figures.visible(name) == seen


def test_a_bar_for_each_name_in_the_order_in_which_they_are_given():
    figure = figures.bars({" the": 0.25, "a": -0.125, "\n": 0}, **AXES)
    ax = figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == [0.25, -0.125, 0]
    assert names_on(ax.xaxis)[0] == ["␣the", "a", "↵"]
    assert (
        describe(figure)
        == "What is seen. Y against x.\n  bars: 0.25 at ␣the, -0.125 at a, 0 at ↵; mean 0.04167 (3 bars)."
    )
    assert [text.get_text() for text in ax.texts] == ["0.25", "-0.125", "0"]


def test_the_height_stands_above_a_bar_or_below_it_and_is_left_out_where_it_would_touch_the_next():
    figure = figures.bars({"up": 2.0, "down": -3.0}, **AXES)
    figure.draw_without_rendering()
    for bar, text in zip(figure.axes[0].patches, figure.axes[0].texts, strict=True):
        box, written = bar.get_window_extent(), text.get_window_extent()
        assert abs((box.x0 + box.x1) / 2 - (written.x0 + written.x1) / 2) < 1 and not box.overlaps(written)
    for n in (10, 20, 30):
        figure = figures.bars(dict.fromkeys(range(n), 1.234e-7), **AXES)
        figure.draw_without_rendering()
        assert overlaps([text.get_window_extent() for text in figure.axes[0].texts]) == []


LONG = "post-norm, learning rate 0.02, {} blocks"


@pytest.mark.parametrize("n", [1, 2, 4, 7, 14, 20, 30, 36])
@pytest.mark.parametrize(
    "name", ["{}", "w{}", "token {}", "a longer name {}", LONG, "abcdefghijklmnopqrstuvwxyzabcd{}"]
)
def test_names_below_the_bars_never_overlap_and_are_inside_the_picture(name, n):
    figure = figures.bars({name.format(i): i + 1 for i in range(n)}, **AXES)
    ax = figure.axes[0]
    names, boxes = names_on(ax.xaxis)
    texts = [tick.label1 for tick in ax.xaxis.get_major_ticks()]
    assert [text.replace("\n", " ") for text in names] == [name.format(i) for i in range(n)]
    assert outside(figure, boxes) == []
    if texts[0].get_rotation() in (0, 90):
        assert overlaps(boxes) == []
    else:
        assert turned_apart(texts)
    assert ax.get_window_extent().height > 200  # however long the names, the bars keep their room


def test_one_bar_is_not_a_wall():
    figure = figures.bars({"alone": 3}, **AXES)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.patches[0].get_window_extent().width < ax.get_window_extent().width / 4


def test_on_a_logarithmic_axis_the_lowest_bar_begins_at_half_its_height():
    ax = figures.bars({"a": 1e-6, "b": 1.0}, log_y=True, **AXES).axes[0]
    assert ax.get_yscale() == "log" and ax.get_ylim()[0] == 5e-7


def test_bars_that_cannot_be_drawn_get_a_sentence():
    with pytest.raises(ValueError, match="from 1 to 36 bars have room for their names, not 37"):
        figures.bars({i: i for i in range(37)}, **AXES)
    with pytest.raises(ValueError, match="from 1 to 36 bars have room for their names, not 0"):
        figures.bars({}, **AXES)
    with pytest.raises(ValueError, match="height of 'b' must be a finite number, not nan"):
        figures.bars({"a": 1, "b": np.nan}, **AXES)
    with pytest.raises(ValueError, match="height of 'b' must be a finite number, not \\(2,\\)"):
        figures.bars({"a": 1, "b": [1, 2]}, **AXES)
    with pytest.raises(ValueError, match="height of 'a' must be a positive number, for a logarithmic axis, not 0"):
        figures.bars({"a": 0}, log_y=True, **AXES)
    with pytest.raises(ValueError, match="may have 40 characters, but 'a+' has 41"):
        figures.bars({"a" * 41: 1}, **AXES)


def image(figure, ax=0):
    return figure.axes[ax].images[0]


def test_a_heatmap_has_row_0_on_top_and_a_colour_that_grows_darker():
    a = np.array([[0.0, 1, 2], [3, 4, 5]])
    figure = figures.heatmap(a, **AXES)
    figure.draw_without_rendering()
    shown, ax = image(figure), figure.axes[0]
    np.testing.assert_array_equal(shown.get_array(), a)
    assert ax.transData.transform((0, 0))[1] > ax.transData.transform((0, 1))[1]
    grey = shown.cmap(shown.norm(np.linspace(0, 5, 20)))[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) < 0).all() and grey[0] - grey[-1] > 0.6
    assert "row 1: 3, 4, 5" in describe(figure) and describe(figure).startswith("What is seen. Rows: y. Columns: x.\n")


def test_what_is_no_number_is_left_to_the_hatching_below_and_the_colours_ignore_it():
    a = np.array([[1.0, np.nan], [-np.inf, 3]])
    figure = figures.heatmap(a, **AXES)
    shown, ax = image(figure), figure.axes[0]
    assert shown.get_array().mask.tolist() == [[False, True], [True, False]] and shown.get_clim() == (1, 3)
    assert ax.patch.get_hatch() and shown.cmap.get_bad()[3] == 0  # seen through
    assert [text.get_text() for text in ax.texts] == ["1", "3"]
    assert "2 of 4 cells not drawn" in describe(figure)


def test_white_is_0_where_numbers_diverge_and_the_cells_below_it_have_a_dash():
    a = np.array([[-1.0, 0.0, 2], [3, -4, -0.01]])
    figure = figures.heatmap(a, diverging=True, numbers=False, **AXES)
    shown, ax = image(figure), figure.axes[0]
    assert shown.get_clim() == (-4, 4) and min(shown.cmap(shown.norm(0.0))[:3]) > 0.95
    assert image(figures.heatmap([[-1, 3]], diverging=True, **AXES)).get_clim() == (-3, 3)
    dashes = [line for line in ax.lines if line.get_label() == "_below"]
    assert sorted((x, y) for line in dashes for x, y in zip(*line.get_data(), strict=True)) == [(0, 0), (1, 1)]
    assert not list(figures.heatmap(a, diverging=True, **AXES).axes[0].lines)  # the numbers have a minus


@pytest.mark.parametrize("ends, expected", [((None, None), (1, 3)), ((0, None), (0, 3)), ((0, 10), (0, 10))])
def test_the_ends_of_the_colours_can_be_given(ends, expected):
    assert image(figures.heatmap([[1, 3]], low=ends[0], high=ends[1], **AXES)).get_clim() == expected


def test_a_matrix_of_one_value_can_be_drawn():
    assert len(plots.png(figures.heatmap(np.zeros((3, 3)), **AXES))) > 1000
    assert len(plots.png(figures.heatmap(np.zeros((3, 3)), diverging=True, **AXES))) > 1000


def contrast(a, b):
    """How much lighter one of two colours is, as WCAG measures it: 1 is no contrast, 21 is black on white."""
    light = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] for c in (a, b)]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("diverging", [False, True])
def test_numbers_stand_in_their_cells_and_can_be_read(diverging):
    from matplotlib.colors import to_rgb

    a = np.linspace(-1, 1, 49).reshape(7, 7)
    figure = figures.heatmap(a, diverging=diverging, **AXES)
    figure.draw_without_rendering()
    ax, shown = figure.axes[0], image(figure)
    assert len(ax.texts) == 49
    for text in ax.texts:
        j, i = text.get_position()
        cell = ax.transData.transform([(j - 0.5, i + 0.5), (j + 0.5, i - 0.5)])
        box = text.get_window_extent()
        assert (cell[0] < box.min).all() and (box.max < cell[1]).all()
        assert contrast(np.array(shown.cmap(shown.norm(a[i, j]))[:3]), np.array(to_rgb(text.get_color()))) > 3


def test_numbers_are_written_where_there_is_room_and_only_then():
    few, many = np.random.default_rng(0).normal(size=(8, 8)), np.random.default_rng(0).normal(size=(30, 30))
    assert len(figures.heatmap(few, **AXES).axes[0].texts) == 64
    assert len(figures.heatmap(few, numbers=False, **AXES).axes[0].texts) == 0
    assert len(figures.heatmap(many, **AXES).axes[0].texts) == 0
    assert len(figures.heatmap(np.ones((60, 4)), **AXES).axes[0].texts) == 0  # wide enough, but too flat
    with pytest.raises(ValueError, match="30 times 30 cells have no room for numbers"):
        figures.heatmap(many, numbers=True, **AXES)


@pytest.mark.parametrize("rows", [1, 4, 12, 64, 100])
@pytest.mark.parametrize("columns", [1, 4, 12, 64, 100])
def test_names_of_rows_and_columns_never_overlap_and_are_inside_the_picture(rows, columns):
    named = lambda n: [CHARACTERS[i % 64] for i in range(n)] if n >= 64 else [f"token number {i}" for i in range(n)]
    figure = figures.heatmap(np.ones((rows, columns)), rows=named(rows), columns=named(columns), numbers=False, **AXES)
    ax = figure.axes[0]
    for axis, n in ((ax.yaxis, rows), (ax.xaxis, columns)):
        names, boxes = names_on(axis)
        assert len(names) >= min(n, 32) and outside(figure, boxes) == []
        turn = axis.get_major_ticks()[0].label1.get_rotation()
        if turn in (0, 90):
            middles = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes])
            apart = np.abs(np.diff(middles[:, 0 if axis is ax.xaxis else 1])).min(initial=99)
            # a letter keeps clear of the next; the box of a line of text is higher than its letters
            assert overlaps(boxes) == [] or apart >= 0.95 * figures.SMALLEST * figure.dpi / 72
        else:
            assert turned_apart([tick.label1 for tick in axis.get_major_ticks()])


def test_a_heatmap_of_the_characters_names_all_64_of_them():
    figure = figures.heatmap(np.eye(64), rows=CHARACTERS[:64], columns=CHARACTERS[:64], **AXES)
    expected = [figures.visible(c) for c in CHARACTERS[:64]]
    assert names_on(figure.axes[0].xaxis)[0] == names_on(figure.axes[0].yaxis)[0] == expected
    assert "lowest 0 in row 0 (↵), column 1 (␣), highest 1 in row 0 (↵), column 0 (↵)" in describe(figure)


def test_rows_and_columns_without_names_are_numbered_by_whole_numbers():
    for shape in ((1, 3), (2, 2), (100, 7)):
        ax = figures.heatmap(np.ones(shape), **AXES).axes[0]
        for axis, n in ((ax.yaxis, shape[0]), (ax.xaxis, shape[1])):
            seen = [float(text.replace("−", "-")) for text in names_on(axis)[0]]
            assert all(place == round(place) for place in seen) and any(0 <= place < n for place in seen)


def test_cells_are_square_unless_the_matrix_is_a_strip():
    for shape, square in (((8, 8), True), ((64, 64), True), ((4, 12), True), ((2, 128), False), ((128, 2), False)):
        figure = figures.heatmap(np.ones(shape), **AXES)
        figure.draw_without_rendering()
        (x0, y0), (x1, y1) = figure.axes[0].transData.transform([(0, 0), (1, 1)])
        assert (abs((x1 - x0) / (y0 - y1) - 1) < 0.01) == square, shape


def test_two_heatmaps_stand_side_by_side_and_stay_in_their_places():
    places = [[0.08, 0.15, 0.32, 0.7], [0.57, 0.15, 0.32, 0.7]]
    figure, axes = plots.canvas(1, 2, height=3.6, places=places)
    for ax in axes:
        assert figures.heatmap(np.eye(8), ax=ax, diverging=True, **AXES) is figure
    figure.draw_without_rendering()
    np.testing.assert_allclose([ax.get_position().bounds for ax in axes], places)
    assert axes[0].child_axes[0].get_tightbbox().x1 < axes[1].get_tightbbox().x0  # the colour bar, too
    assert axes[1].child_axes[0].get_tightbbox().x1 <= figure.bbox.x1
    assert len(figure.axes) == 2 and describe(figure).count("cells of 8 rows") == 2


def test_matrices_that_cannot_be_drawn_get_a_sentence():
    with pytest.raises(ValueError, match=r"a must be \(R, C\) with a finite number in it, not \(3,\)"):
        figures.heatmap([1, 2, 3], **AXES)
    with pytest.raises(ValueError, match=r"not \(0, 3\)"):
        figures.heatmap(np.zeros((0, 3)), **AXES)
    with pytest.raises(ValueError, match="not all nan or inf"):
        figures.heatmap([[np.nan, np.inf]], **AXES)
    with pytest.raises(ValueError, match="a has 2 rows, but there are 3 names for them"):
        figures.heatmap(np.eye(2), rows="abc", **AXES)
    with pytest.raises(ValueError, match="a has 2 columns, but there are 1 names for them"):
        figures.heatmap(np.eye(2), columns=["a"], **AXES)
    with pytest.raises(ValueError, match="low is 3, which is above 1"):
        figures.heatmap(np.eye(2), low=3, **AXES)


def test_points_are_where_the_arrays_say_and_each_group_has_a_colour_and_a_marker():
    groups = {f"group {i}": (np.arange(3) + i, [i, i, 1]) for i in range(6)}
    figure = figures.points(groups, **AXES)
    dots = figure.axes[0].collections
    for some, (name, (x, y)) in zip(dots, groups.items(), strict=True):
        np.testing.assert_array_equal(some.get_offsets(), np.stack([x, y], 1))
        assert some.get_label() == name
    assert len({tuple(some.get_facecolor()[0]) for some in dots}) == 6
    assert len({some.get_paths()[0].vertices.tobytes() for some in dots}) == 6
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == list(groups)
    assert "group 5: (5, 5), (6, 5), (7, 1); mean (6, 3.667) (3 points)." in describe(figure)


def test_numbers_alone_are_one_point():
    assert "run, at (3, 4)." in describe(figures.points({"run": (3, 4)}, **AXES))


def test_points_that_have_no_place_are_left_out_and_counted():
    figure = figures.points({"a": ([1, 0, 10, np.nan], [1, 1, np.inf, 1])}, log_x=True, **AXES)
    assert "a: (1, 1); mean (1, 1) (4 points, of which 3 not drawn)." in describe(figure)


def test_a_logarithmic_axis_of_one_decade_has_plain_numbers_and_one_of_many_has_powers():
    figure = figures.points({"a": ([1e3, 1e8], [2.0, 5.0])}, log_x=True, log_y=True, **AXES)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    seen = [tick.label1.get_text() for tick in ax.yaxis.get_major_ticks() + ax.yaxis.get_minor_ticks()]
    assert {"2", "3", "5"} <= set(seen) and not any("10" in text for text in seen if "$" in text)
    assert any("10^" in text for text in names_on(ax.xaxis)[0])


@pytest.mark.parametrize("draw", ["points", "histogram"])
def test_the_legend_is_between_the_title_and_the_axes_and_inside_the_picture(draw):
    for n in range(1, 7):
        for name in ("a{}", "twelve blocks, {}", "a rather long name of a group of runs, {}"):
            names = [name.format(i) for i in range(n)]
            if draw == "points":
                figure = figures.points(dict.fromkeys(names, (1, 2)), **AXES)
            else:
                figure = figures.histogram({name: [1.5, 2] for name in names}, title="What is seen", x_label="x")
            figure.draw_without_rendering()
            ax = figure.axes[0]
            legend, title = ax.get_legend().get_window_extent(), ax._left_title.get_window_extent()
            assert outside(figure, [legend, title]) == [] and overlaps([legend, title, ax.bbox]) == []
            assert ax.bbox.width > 0.85 * figure.bbox.width  # however long the names


def test_points_that_cannot_be_drawn_get_a_sentence():
    with pytest.raises(ValueError, match="points: from 1 to 6 groups can be told apart, but there are 7"):
        figures.points(dict.fromkeys(range(7), (1, 1)), **AXES)
    with pytest.raises(ValueError, match="but there are 0"):
        figures.points({}, **AXES)
    with pytest.raises(ValueError, match=r"x and y of 'a' must both be \(n,\), not \(2,\) and \(3,\)"):
        figures.points({"a": ([1, 2], [1, 2, 3])}, **AXES)
    with pytest.raises(ValueError, match="of the 2 points of 'a' none can be drawn"):
        figures.points({"a": ([0, -1], [1, 2])}, log_x=True, **AXES)


HISTOGRAM = {"title": "Activations", "x_label": "value"}


def steps(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, StepPatch)]


def test_a_histogram_has_the_share_of_the_values_in_each_bin(rng):
    groups = {"a": rng.normal(size=(50, 4)), "b": rng.normal(size=70) + 2}
    shown = steps(figures.histogram(groups, bins=10, **HISTOGRAM))
    everything = np.concatenate([values.ravel() for values in groups.values()])
    for step, values in zip(shown, groups.values(), strict=True):
        shares, edges, _ = step.get_data()
        counts, expected = np.histogram(values, 10, (everything.min(), everything.max()))
        np.testing.assert_allclose(shares, 100 * counts / values.size)
        np.testing.assert_allclose(edges, expected)
        assert shares.sum() == pytest.approx(100)
    assert shown[0].get_linestyle() != shown[1].get_linestyle()


def test_whole_numbers_have_bins_of_a_whole_width_around_them():
    _, edges, _ = steps(figures.histogram({"a": [0, 3, 5]}, **HISTOGRAM))[0].get_data()
    assert edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    shares, edges, _ = steps(figures.histogram({"a": range(100)}, bins=40, **HISTOGRAM))[0].get_data()
    assert set(np.diff(edges)) == {3} and len(shares) <= 40 and edges[0] == -0.5 and edges[-1] > 99
    assert shares.sum() == pytest.approx(100)


def test_the_edges_can_be_given():
    shares, edges, _ = steps(figures.histogram({"a": [1, 1, 3]}, bins=[0, 2, 4], **HISTOGRAM))[0].get_data()
    assert edges.tolist() == [0, 2, 4] and shares == pytest.approx([200 / 3, 100 / 3])


def test_the_legend_of_a_histogram_has_its_mean_and_its_standard_deviation():
    figure = figures.histogram({"a": [1, 1, 4, np.inf], "b": [2.5, 2.5]}, bins=4, **HISTOGRAM)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "a: 4 values, 1 not finite, mean 2, standard deviation 1.41",
        "b: 2 values, mean 2.5, standard deviation 0",
    ]


def test_a_logarithmic_histogram_shows_the_lowest_share():
    ax = figures.histogram({"a": np.repeat([0.0, 1.0], [1, 9999])}, log_y=True, **HISTOGRAM).axes[0]
    assert ax.get_yscale() == "log" and 0 < ax.get_ylim()[0] < 0.01


def test_one_per_cent_more_changes_the_words_of_a_histogram(rng):
    for _ in range(10):
        values = rng.normal(size=500)
        said = lambda values: describe(figures.histogram({"a": values}, **HISTOGRAM))
        assert said(1.01 * values) != said(values)


def test_histograms_that_cannot_be_drawn_get_a_sentence():
    with pytest.raises(ValueError, match="histogram: from 1 to 6 groups can be told apart, but there are 7"):
        figures.histogram({i: [1] for i in range(7)}, **HISTOGRAM)
    with pytest.raises(ValueError, match="'b' has no finite value"):
        figures.histogram({"a": [1], "b": [np.nan]}, **HISTOGRAM)
    with pytest.raises(ValueError, match="from 1 to 1000 bins, not 0"):
        figures.histogram({"a": [1]}, bins=0, **HISTOGRAM)


def test_every_figure_is_a_picture_for_a_notebook_and_loads_neither_pyplot_nor_matplotlib_before():
    code = (
        "import sys; from minillm import figures; assert 'matplotlib' not in sys.modules; "
        "f = figures.bars({'a': 1}, title='t', y_label='y'); assert 'image/png' in f._repr_mimebundle_()[0]; "
        "figures.heatmap([[1]], title='t', x_label='x', y_label='y'); "
        "figures.points({'a': (1, 1)}, title='t', x_label='x', y_label='y'); "
        "figures.histogram({'a': [1]}, title='t', x_label='x'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_arrays_are_left_alone():
    a = np.array([[1.0, np.inf], [-1, 0]])
    figures.heatmap(a, diverging=True, **AXES)
    figures.histogram({"a": a}, **HISTOGRAM)
    assert a.tolist() == [[1, np.inf], [-1, 0]]
