"""The words of a figure: what it shows, in numbers, for those who cannot see it and for tests that compare."""

import math
import re

import numpy as np


def describe(figure, n_points=8):
    """The figure in words: for each axes its curves, bars, points, images, arrows and levels, with their numbers.

    A curve is said at up to n_points of its points, and by one number over all of them, so that a change of 1 % in any
    point that is named, or in all, changes the words.  An image of up to 64 cells is said whole, row by row, a larger
    one by its lowest and highest cell and two numbers over all.  What differs in the last bits only gives the same
    words.
    Not said: what has a label that begins with an underscore, and texts that have no label.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.container import BarContainer
    from matplotlib.patches import StepPatch

    said = [f"{figure.get_suptitle()}."] if figure.get_suptitle() else []
    for ax in figure.axes:
        said += _heading(ax)
        levels = [line for line in ax.lines if _name(line).endswith(" (level)")]
        curves = [line for line in ax.lines if line not in levels and len(line.get_xdata())]
        said += [_curve(line.get_data(), _name(line), ax, n_points) for line in curves if _name(line)]
        steps = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
        said += [_curve(_middles(patch), _name(patch), ax, n_points) for patch in steps if _name(patch)]
        said += [_bars(bars, ax) for bars in ax.containers if isinstance(bars, BarContainer) and _name(bars)]
        dots = [dots for dots in ax.collections if isinstance(dots, PathCollection)]
        said += [_points(some, ax, n_points) for some in dots if _name(some)]
        said += [_image(image, ax) for image in ax.images if _name(image)]
        said += [
            _arrow(text) if getattr(text, "arrow_patch", None) else _text(text) for text in ax.texts if _name(text)
        ]
        if levels:
            names = [f"{_name(line).removesuffix(' (level)')} {number(line.get_ydata()[0])}" for line in levels]
            said.append(f"  levels: {', '.join(names)}.")
    return "\n".join(said)


def number(value, digits=3):
    """A number in words' form, to three significant digits: 0.00412, 1.5, 2510, 3.11e+07.

    It is first rounded to seven digits, so that a number like 1.125, which lies between two roundings, goes the same
    way on a machine that computes 1.1250000000000002.
    """
    steady = float(f"{value:.7g}")
    if not math.isfinite(steady) or steady == 0:
        return "0" if steady == 0 else str(steady)  # never "-0"
    rounded = f"{steady:.{digits}g}"
    return f"{float(rounded):.0f}" if 1000 <= abs(float(rounded)) < 1e6 else rounded


def _heading(ax):
    title = ax.get_title("left") or ax.get_title()
    if not ax.axison:
        return [f"{title}."] if title else []
    title = title or "Figure"
    x, y = ax.get_xlabel() or "x", ax.get_ylabel() or "y"
    if ax.images:
        return [f"{title}. Rows: {y}. Columns: {x}."]
    scales = {"x": ax.get_xscale(), "y": ax.get_yscale()}
    bent = "".join(f", {name} logarithmic" for name, scale in scales.items() if scale == "log")
    return [f"{title}. {y[:1].upper()}{y[1:]} against {x}{bent}."]


def _name(artist):
    """What an artist is called, or its kind if nobody gave it a name; nothing if it is not to be said."""
    label = str(artist.get_label())
    if re.fullmatch(r"_(child|container|image)\d+", label):  # Matplotlib's own
        kind = type(artist).__name__
        return {"Line2D": "curve", "BarContainer": "bars", "PathCollection": "points"}.get(kind, "image")
    return "" if label.startswith("_") else label


def _curve(xy, name, ax, n_points):
    (x, y), log = np.asarray(xy, float), ax.get_yscale() == "log"
    drawn = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (not log))
    if not drawn.any():
        return f"  {name}: nothing drawn, of {_count(len(x))}."
    places = np.array(_places(x))
    gaps = "" if drawn.all() else f", of which {(~drawn).sum()} not drawn, the first at {places[np.argmin(drawn)]}"
    at, y = places[drawn], y[drawn] if log else settled(y[drawn])
    points = ", ".join(f"{number(y[j])} at {at[j]}" for j in sampled(len(y), n_points))
    if len(y) > 1:
        mean = f"geometric mean {number(math.exp(np.log(y).mean()), 4)}" if log else f"mean {number(y.mean(), 4)}"
        low, high = _first(y.min(), y), _first(y.max(), y)
        points += f"; lowest {number(y[low])} at {at[low]}, highest {number(y[high])} at {at[high]}, {mean}"
    return f"  {name}: {points} ({_count(len(x))}{gaps})."


def _middles(steps):
    """The steps of a histogram as points: the middle of each, and how high it is."""
    heights, edges, _ = steps.get_data()
    return (edges[1:] + edges[:-1]) / 2, heights


def sampled(n, n_points=8):
    """Which of n points are said: the first, the last, and others evenly between."""
    return np.unique(np.linspace(0, n - 1, min(n_points, n)).round().astype(int))


def settled(y):
    """An array in which a number is 0 where only rounding keeps it from that."""
    return np.where(np.abs(y) <= 1e-12 * max(1, np.abs(y[np.isfinite(y)]).max(initial=0)), 0, y)


def _first(value, y):
    """The first place that has this value but for rounding."""
    size = np.abs(y[np.isfinite(y)]).max()
    return int(np.argmax(np.abs(y - value) <= 1e-6 * max(abs(value), 1e-12 * size)))


def _places(x):
    """Positions in full if they are whole numbers, which count something, and otherwise rounded."""
    known = x[np.isfinite(x)]
    whole = (known == np.round(known)).all() and (np.abs(known) < 1e15).all()
    return [f"{place:.0f}" if whole and np.isfinite(place) else number(place) for place in x]


def _count(n):
    return f"{n} point{'s' * (n != 1)}"


def _bars(bars, ax):
    heights = settled(np.array([bar.get_y() + bar.get_height() for bar in bars]))
    centres = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    names = dict(
        zip(ax.get_xticks(), (tick.get_text().replace("\n", " ") for tick in ax.get_xticklabels()), strict=True)
    )
    said = [f"{number(height)} at {names.get(c) or number(c)}" for height, c in zip(heights, centres, strict=True)]
    return f"  {_name(bars)}: {', '.join(said)}; mean {number(heights.mean(), 4)} ({len(heights)} bars)."


def _points(dots, ax, n_points):
    xy = np.ma.filled(np.ma.asarray(dots.get_offsets(), float), np.nan)
    logs = [ax.get_xscale() == "log", ax.get_yscale() == "log"]
    drawn = (np.isfinite(xy) & ((xy > 0) | ~np.array(logs))).all(1)
    gaps = "" if drawn.all() else f", of which {(~drawn).sum()} not drawn"
    xy = np.stack([column if log else settled(column) for column, log in zip(xy[drawn].T, logs, strict=True)], 1)
    said = ", ".join(f"({number(x)}, {number(y)})" for x, y in xy[sampled(len(xy), n_points)])
    if len(drawn) < 2 or not len(xy):
        return f"  {_name(dots)}, at {said or 'no place'}."
    x, y = (mean if log else settled(mean) for mean, log in zip(xy.mean(0), logs, strict=True))
    return f"  {_name(dots)}: {said}; mean ({number(x, 4)}, {number(y, 4)}) ({_count(len(drawn))}{gaps})."


def _image(image, ax):
    a = settled(np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan))
    rows, columns = (_ticks(axis, n) for axis, n in zip((ax.yaxis, ax.xaxis), a.shape, strict=True))
    drawn = a[np.isfinite(a)]
    head = f"  {_name(image)} of {a.shape[0]} rows and {a.shape[1]} columns"
    if not len(drawn):
        return f"{head}: nothing drawn."
    places = (np.unravel_index(_first(value, a.ravel()), a.shape) for value in (drawn.min(), drawn.max()))
    lowest, highest = (f"{number(a[i, j])} in row {rows[i]}, column {columns[j]}" for i, j in places)
    gaps = f" ({a.size - len(drawn)} of {a.size} cells not drawn)" if len(drawn) < a.size else ""
    said = [
        f"{head}: lowest {lowest}, highest {highest}, mean {number(drawn.mean(), 4)}, "
        f"root mean square {number(math.sqrt((drawn * drawn).mean()), 4)}{gaps}."
    ]
    if a.size <= 64:
        said += [f"    row {name}: {', '.join(map(number, row))}" for name, row in zip(rows, a, strict=True)]
    return "\n".join(said)


def _ticks(axis, n):
    """What the n rows or columns of an image are called: their numbers, and the names on the axis where it has them."""
    from matplotlib.ticker import FixedLocator

    names = list(map(str, range(n)))
    if isinstance(axis.get_major_locator(), FixedLocator):
        for place, tick in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
            if place in range(n) and tick.get_text():
                names[int(place)] += f" ({tick.get_text()})"
    return names


def _arrow(text):
    start, end = settled(np.array([text.xyann, text.xy], float))
    places = [f"({number(x)}, {number(y)})" for x, y in (start, end)]
    return f"  arrow {_name(text)}, from {places[0]} to {places[1]}, length {number(math.dist(start, end))}."


def _text(text):
    return f"  {text.get_text()}"
