"""describe.py: the words say what the figure holds, and the same words on every machine."""

import numpy as np
import pytest

from minillm import plots
from minillm.describe import describe, number


def words(draw, *, log=False, log_x=False):
    """The words of a figure that `draw` has drawn into bare axes, without the heading."""
    figure, ax = plots.canvas()
    if log:
        ax.set_yscale("log")
    if log_x:
        ax.set_xscale("log")
    draw(ax)
    return describe(figure).partition("\n")[2]


@pytest.mark.parametrize(
    "value, said",
    [
        (0.004123, "0.00412"),
        (1.5, "1.5"),
        (-2.0, "-2"),
        (999.9, "1000"),
        (2512.3, "2510"),
        (65504, "65500"),
        (999_499, "999000"),
        (999_501, "1e+06"),
        (3.1123e7, "3.11e+07"),
        (5.96e-8, "5.96e-08"),
        (-0.0, "0"),
        (np.nan, "nan"),
        (-np.inf, "-inf"),
        (np.float32(0.1), "0.1"),
    ],
)
def test_a_number_has_three_digits(value, said):
    assert number(value) == said


@pytest.mark.parametrize("value", [1.125, 1.135, 0.0625, 2.5e-5 * 4.5, 12.45, 12.35, 1 / 8, 2505.0])
def test_a_number_between_two_roundings_goes_one_way_whatever_its_last_bits(value):
    near = [value * (1 + k * 2.0**-52) for k in range(-40, 41)]
    assert {number(v) for v in near} == {number(value)}


def test_what_only_rounding_keeps_from_0_is_0():
    said = words(lambda ax: ax.plot([0, 1, 2], [1e-17, -1e-17, 1], label="a"))
    assert said == "  a: 0 at 0, 0 at 1, 1 at 2; lowest 0 at 0, highest 1 at 2, mean 0.3333 (3 points)."


def test_small_numbers_on_a_logarithmic_axis_are_said_as_they_are():
    said = words(lambda ax: ax.plot([0, 1], [1e-17, 1e-3], label="a"), log=True)
    assert said.startswith("  a: 1e-17 at 0, 0.001 at 1; lowest 1e-17 at 0,") and "geometric mean 1e-10 " in said


def test_the_last_bits_change_no_word(rng):
    for log in (False, True):
        for _ in range(30):
            x, y = np.arange(40), np.round(rng.lognormal(0, 1, 40), 2)  # two decimals: ties of every kind
            y[rng.integers(0, 40, 8)] = y.min()  # and several points that are lowest
            said = words(lambda ax, x=x, y=y: ax.plot(x, y, label="a"), log=log)
            moved = y * (1 + 2e-16 * rng.integers(-20, 21, 40))
            assert words(lambda ax, x=x, y=moved: ax.plot(x, y, label="a"), log=log) == said


def test_a_flat_curve_is_lowest_where_it_begins():
    said = words(lambda ax: ax.plot(range(5), [1, 1, 1 - 1e-15, 1 + 1e-15, 1], label="a"))
    assert "lowest 1 at 0, highest 1 at 0" in said


def test_gaps_are_said():
    nan, inf = np.nan, np.inf
    said = words(lambda ax: ax.plot([0, 5, 10, 15], [2, nan, 3, inf], label="a"))
    assert said.endswith("2 at 0, 3 at 10; lowest 2 at 0, highest 3 at 10, mean 2.5 (4 points, of which 2 not drawn, "
                         "the first at 5).")  # fmt: skip
    assert "nothing drawn, of 2 points" in words(lambda ax: ax.plot([0, 1], [nan, inf], label="a"))
    said = words(lambda ax: ax.plot([0, 1, 2], [0, -1, 10], label="a"), log=True)
    assert said == "  a: 10 at 2 (3 points, of which 2 not drawn, the first at 0)."


def test_positions_that_count_something_are_said_in_full():
    said = words(lambda ax: ax.plot([0, 1250, 123456], [1, 2, 3], label="a"))
    assert "2 at 1250, 3 at 123456" in said
    assert "2 at 0.333," in words(lambda ax: ax.plot([0, 1 / 3, 0.5], [1, 2, 3], label="a"))


def test_the_heading_has_title_axes_and_scales():
    figure, ax = plots.canvas()
    ax.set(title="How it grows", xlabel="layer", ylabel="spread", yscale="log", xscale="log")
    figure.suptitle("Two things")
    assert describe(figure) == "Two things.\nHow it grows. Spread against layer, x logarithmic, y logarithmic."


def test_what_nobody_named_is_said_by_its_kind_and_what_is_hidden_is_not():
    def draw(ax):
        ax.plot([0, 1], [2, 3])
        ax.plot([0, 1], [2, 3], label="_hidden")
        ax.bar([0, 1], [2, 3])
        ax.scatter([0, 1], [2, 3])
        ax.imshow(np.eye(2))
        ax.text(0, 0, "in passing")
        ax.fill_between([0, 1], [2, 3])

    said = words(draw).splitlines()
    assert [line.split()[0] for line in said] == ["curve:", "bars:", "points:", "image", "row", "row"]


def test_bars_have_the_names_of_their_ticks():
    said = words(lambda ax: ax.bar(["the", "a"], [0.25, 0.125], label="probability"))
    assert said == "  probability: 0.25 at the, 0.125 at a; mean 0.1875 (2 bars)."


def test_bars_among_numbers_have_their_middles():
    said = words(lambda ax: ax.bar([0.25, 0.75], [3, 4], width=0.5, label="how many"))
    assert said == "  how many: 3 at 0.25, 4 at 0.75; mean 3.5 (2 bars)."


def test_points_an_image_an_arrow_and_a_text_are_said():
    assert words(lambda ax: ax.scatter([1, 2], [3, 5], label="runs")) == (
        "  runs: (1, 3), (2, 5); mean (1.5, 4) (2 points)."
    )
    assert words(lambda ax: ax.imshow([[0, 0.5, 0.25], [1, 0, 0]], label="weights")) == (
        "  weights of 2 rows and 3 columns: lowest 0 in row 0, column 0, highest 1 in row 1, column 0, mean 0.2917, "
        "root mean square 0.4677.\n    row 0: 0, 0.5, 0.25\n    row 1: 1, 0, 0"
    )
    assert words(lambda ax: ax.annotate("", (4, 6), (1, 2), arrowprops={}, label="step")) == (
        "  arrow step, from (1, 2) to (4, 6), length 5."
    )
    assert words(lambda ax: ax.text(0, 0, "here be dragons", label="note")) == "  here be dragons"


@pytest.mark.parametrize("kind", ["bars", "points", "image", "arrow"])
def test_one_per_cent_more_changes_the_words(kind, rng):
    draw = {
        "bars": lambda ax, a: ax.bar(range(9), a, label="a"),
        "points": lambda ax, a: ax.scatter(range(9), a, label="a"),
        "image": lambda ax, a: ax.imshow(a.reshape(3, 3), label="a"),
        "arrow": lambda ax, a: ax.annotate("", a[:2], (0, 0), arrowprops={}, label="a"),
    }[kind]
    for _ in range(20):
        a = rng.lognormal(0, 2, 9)
        assert words(lambda ax, a=a: draw(ax, 1.01 * a)) != words(lambda ax, a=a: draw(ax, a))


@pytest.mark.parametrize("shape", [(8, 8), (1, 64), (21, 3), (2, 2)])
def test_one_per_cent_more_in_any_cell_of_a_small_image_changes_the_words(shape, rng):
    said = lambda a: words(lambda ax: ax.imshow(a, label="a"))
    for _ in range(3):
        a = rng.normal(size=shape)
        before = said(a)
        for _ in range(8):
            i = tuple(rng.integers(shape))
            for factor in (1.01, 0.99):
                moved = a.copy()
                moved[i] *= factor
                assert said(moved) != before


def test_an_image_of_more_than_64_cells_is_said_in_one_line(rng):
    said = words(lambda ax: ax.imshow(np.arange(65.0).reshape(5, 13), label="a"))
    assert said.count("\n") == 0 and "highest 64 in row 4, column 12, mean 32, root mean square 37.09." in said
    assert words(lambda ax: ax.imshow(np.arange(64.0).reshape(8, 8), label="a")).count("\n") == 8


def test_cells_without_a_number_are_counted_and_the_others_said():
    said = words(lambda ax: ax.imshow([[2e6, np.nan], [1e-8, 4e6]], label="a"))
    assert said == (
        "  a of 2 rows and 2 columns: lowest 0 in row 1, column 0, highest 4e+06 in row 1, column 1, mean 2e+06, "
        "root mean square 2.582e+06 (1 of 4 cells not drawn).\n    row 0: 2e+06, nan\n    row 1: 0, 4e+06"
    )
    assert words(lambda ax: ax.imshow([[np.nan]], label="a")) == "  a of 1 rows and 1 columns: nothing drawn."


def test_rows_and_columns_have_the_names_of_their_ticks():
    def draw(ax):
        ax.imshow([[1, 2, 3]] * 2, label="a")
        ax.set_xticks([0, 2], ["the", "a"])

    assert "lowest 1 in row 0, column 0 (the), highest 3 in row 0, column 2 (a)," in words(draw)


def test_the_heading_of_an_image_says_what_rows_and_columns_are():
    figure, ax = plots.canvas()
    ax.set(title="Attention", xlabel="key", ylabel="query")
    ax.imshow(np.eye(9), label="a")
    assert describe(figure).startswith("Attention. Rows: query. Columns: key.\n  a of 9 rows")


def test_steps_are_said_at_the_middles_of_their_bins():
    said = words(lambda ax: ax.stairs([1, 3, 0], [0, 1, 2, 4], label="share"))
    assert said == "  share: 1 at 0.5, 3 at 1.5, 0 at 3; lowest 0 at 3, highest 3 at 1.5, mean 1.333 (3 points)."


def test_names_on_several_lines_are_said_on_one():
    assert "3 at two lines;" in words(lambda ax: ax.bar(["two\nlines"], [3], label="a"))


def test_points_that_are_not_drawn_are_counted_and_small_ones_on_a_logarithmic_axis_are_said_as_they_are():
    said = words(lambda ax: ax.scatter([1e9, 2e9, -1], [1e-20, 3e-20, 1], label="runs"), log=True, log_x=True)
    assert said == "  runs: (1e+09, 1e-20), (2e+09, 3e-20); mean (1.5e+09, 2e-20) (3 points, of which 1 not drawn)."
    # and one axis does not decide what is nothing on the other
    assert "at (1e+09, 0.0001)" in words(lambda ax: ax.scatter([1e9], [1e-4], label="runs"))
    assert words(lambda ax: ax.scatter([np.nan], [1], label="runs")) == "  runs, at no place."
