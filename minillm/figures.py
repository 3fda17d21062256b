"""Bars, heatmaps, points and histograms: the figures that many notebooks share, beside the curves of plots.py."""

import functools

import numpy as np

from .canvas import BLUE, GREY, STYLE, canvas, style
from .describe import number, settled
from .plots import LOOKS

__all__ = ["bars", "heatmap", "histogram", "points", "visible"]

SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥"}
LONGEST = 40  # characters of a name
NAME, SMALLEST = 9, 6  # the size of names, and how small they may be, in points
DIVERGING = ["#053B66", BLUE, "#8DBFDF", "#F7F7F7", "#F4B183", "#D55E00", "#7A3000"]


def visible(name):
    """A token, or any name, so that all of it can be seen: " the" is ␣the, "\\n" is ↵, and what the font lacks a code.

    Spaces inside are left as they are.  Bytes are read as UTF-8.
    """
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    before, after = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    inside = lambda i, c: c == " " and before <= i < after
    codes = (c if inside(i, c) else SIGNS.get(c, c) for i, c in enumerate(text))
    return "".join(c if c.isprintable() and ord(c) in _glyphs() else ascii(c)[1:-1] for c in codes)


@functools.cache
def _glyphs():
    """The characters that our font has."""
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont(STYLE["font.family"][0])).get_charmap().keys()


def bars(heights, *, title, y_label, x_label="", log_y=False, ax=None):
    """A bar for each name, with its height above it where there is room.

    heights {name: a number}, in the order in which they are given; at most as many as names fit side by side, which is
    36 in a figure of full width.  Long names stand on several lines, or are turned.  Returns the Figure.  ValueError if
    there are none, too many, or a height that cannot be drawn.
    """
    names, heights = [*map(_checked, heights)], {name: np.asarray(height, float) for name, height in heights.items()}
    for name, height in heights.items():
        if height.shape or not np.isfinite(height) or (log_y and height <= 0):
            wanted = "a positive number, for a logarithmic axis" if log_y else "a finite number"
            raise ValueError(f"bars: the height of {name!r} must be {wanted}, not {_short(height)}.")
    with style():
        own, ax = ax is None, canvas()[1] if ax is None else ax
        room = 72 * ax.figure.get_figwidth() * ax.get_position().width  # in points, like all sizes of text
        if not 1 <= len(names) <= room // 11:
            raise ValueError(f"bars: from 1 to {room // 11:.0f} bars have room for their names, not {len(names)}.")
        slot, heights = room / len(names), np.array([*heights.values()])
        ax.bar(range(len(names)), heights, width=min(0.8, 60 / slot), color=BLUE, label="bars")
        _label(ax, title, x_label, y_label, log_y=log_y)
        ax.margins(y=0.08)
        ax.set_xlim(-0.6, len(names) - 0.4)
        if log_y:
            ax.set_ylim(bottom=heights.min() / 2)
        _plain_numbers(ax)
        if heights.min() < 0:
            ax.axhline(0, color=GREY, linewidth=0.8, label="_zero")
        said = [number(height) for height in heights]
        if max(_width(ax, text, 8) for text in said) <= slot - 3:
            for i, (height, text) in enumerate(zip(heights, said, strict=True)):
                look = {"va": "top" if height < 0 else "bottom", "ha": "center", "fontsize": 8, "label": "_height"}
                ax.annotate(text, (i, height), (0, -2 if height < 0 else 2), textcoords="offset points", **look)
        deep = _name_columns(ax, names, slot)
        if own:
            ax.figure.set_figheight(ax.figure.get_figheight() + max(0, deep - 50) / 72)
    return ax.figure


def heatmap(
    a,
    *,
    title,
    x_label,
    y_label,
    rows=None,
    columns=None,
    diverging=False,
    low=None,
    high=None,
    numbers=None,
    ax=None,
):
    """A matrix as cells that are the darker, the larger their number; what is not finite is hatched.

    a (R, C), row 0 on top; rows and columns are R and C names, such as characters or tokens.  diverging is for numbers
    on both sides of 0: white is 0, orange is above and blue below, where cells also have a dash, for print in grey.
    low and high are the ends of the colours; if not given, the lowest and highest number of a.  numbers writes each
    number into its cell; if None, where there is room.  Returns the Figure.  ValueError if a is no matrix, nothing of
    it can be drawn, or names or numbers do not fit.
    """
    a = np.asarray(a, float)
    if a.ndim != 2 or not np.isfinite(a).any():
        raise ValueError(f"heatmap: a must be (R, C) with a finite number in it, not {_short(a)}.")
    for what, names, n in (("rows", rows, a.shape[0]), ("columns", columns, a.shape[1])):
        if names is not None and len(names) != n:
            raise ValueError(f"heatmap: a has {n} {what}, but there are {len(names)} names for them.")
    low, high = _ends(a, low, high, diverging)
    rows, columns = (None if names is None else [*map(_checked, names)] for names in (rows, columns))
    from matplotlib.ticker import MaxNLocator

    with style():
        own, (ax, (wide, tall)) = ax is None, _cells(a, rows, ax)
        look = {"cmap": _colours(diverging), "vmin": low, "vmax": high, "interpolation": "nearest", "zorder": 1}
        look["aspect"] = "equal" if wide == tall else "auto"
        image = ax.imshow(np.where(np.isfinite(a), a, np.nan), label="cells", **look)
        ax.patch.set(hatch="//////", edgecolor="#BBBBBB", linewidth=0)  # seen where there is no cell
        _label(ax, title, x_label, y_label)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.set_anchor("NW")
        across = 10 / (wide * a.shape[1])  # 10 points, in widths of the axes
        bar = ax.figure.colorbar(image, cax=ax.inset_axes([1 + across, 0, across, 1]))
        bar.outline.set_visible(False)
        bar.ax.grid(False)
        bar.ax.yaxis.set_major_formatter(lambda value, _: number(value))
        written = _write_numbers(ax, image, a, wide, tall, numbers)
        if diverging and not written:
            _dash(ax, image, a, 0.45 * min(wide, tall, 18))
            below = np.linspace(low, 0, 9)[1::2][:, None]
            _dash(bar.ax, image, below, 4, places=below[:, 0])
        if rows:
            _name_rows(ax, rows, tall)
        deep = _name_columns(ax, columns, wide) if columns else 0
        for axis, names in ((ax.yaxis, rows), (ax.xaxis, columns)):
            if not names:
                axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        if own:
            ax.figure.set_figheight((tall * a.shape[0] + 75 + max(12, deep)) / 72)
    return ax.figure


def points(groups, *, title, x_label, y_label, log_x=False, log_y=False, ax=None):
    """Points in the plane, in up to six groups, told apart by colour and marker.

    groups {name: (x (n,), y (n,))}; numbers alone are one point.  What is not finite, or not positive on a logarithmic
    axis, is left out.  Returns the Figure.  ValueError if x and y differ in length, if there are none or too many
    groups to be told apart, or if nothing of a group can be drawn.
    """
    _few("points", "groups", groups)
    clean = {}
    for name, (x, y) in groups.items():
        x, y = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"points: x and y of {name!r} must both be (n,), not {x.shape} and {y.shape}.")
        x, y = (np.where(np.isfinite(z) & ((z > 0) | (not log)), z, np.nan) for z, log in ((x, log_x), (y, log_y)))
        if not np.isfinite(x + y).any():
            raise ValueError(f"points: of the {len(x)} points of {name!r} none can be drawn.")
        clean[name] = x, y
    most = max(len(x) for x, _ in clean.values())
    look = {"edgecolor": "white", "linewidth": 0.5, "zorder": 2}
    look |= {"linewidth": 0, "alpha": 0.7} if most > 200 else {}
    with style():
        ax = canvas()[1] if ax is None else ax
        _label(ax, title, x_label, y_label, log_x=log_x, log_y=log_y)
        ax.grid(True, axis="both")
        for (name, (x, y)), (colour, _, marker) in zip(clean.items(), LOOKS, strict=False):
            size = max(10, min(44, 4000 / most))
            ax.scatter(x, y, s=size, color=colour, marker=marker, label=str(name), plotnonfinite=False, **look)
        _plain_numbers(ax)
        _legend(ax, ax.collections, [str(name) for name in clean])
    return ax.figure


def histogram(groups, *, title, x_label, bins=40, log_y=False, ax=None):
    """How numbers are distributed: for each bin, the share of the values that lie in it, in per cent.

    groups {name: values, an array of any shape}, at most six.  All have the same bins, which is how many, or their
    edges; whole numbers get bins of a whole width.  The legend has how many values there are, their mean and
    standard deviation; what is not finite is left out, and counted there.  Returns the Figure.  ValueError if there are
    none or too many groups, or no value in one of them.
    """
    _few("histogram", "groups", groups)
    groups = {name: np.asarray(values, float).ravel() for name, values in groups.items()}
    finite = {name: values[np.isfinite(values)] for name, values in groups.items()}
    for name, values in finite.items():
        if not len(values):
            raise ValueError(f"histogram: {name!r} has no finite value.")
    edges = _edges(np.concatenate([*finite.values()]), bins)
    names = [_summary(name, values, len(groups[name])) for name, values in finite.items()]
    with style():
        ax = canvas()[1] if ax is None else ax
        _label(ax, title, x_label, "share of the values (%)", log_y=log_y)
        shares = [100 * np.histogram(values, edges)[0] / len(values) for values in finite.values()]
        looks = [{"color": colour, "linestyle": dashes, "linewidth": 1.6} for colour, dashes, _ in LOOKS]
        if len(shares) == 1:
            looks = [{"facecolor": BLUE, "edgecolor": "white", "linewidth": 0.4, "fill": True}]
        rows = zip(shares, names, looks, strict=False)
        steps = [ax.stairs(share, edges, label=name, **look) for share, name, look in rows]
        if log_y:
            ax.set_ylim(bottom=min(share[share > 0].min() for share in shares) / 2)
        ax.margins(x=0.02)
        _plain_numbers(ax)
        _legend(ax, steps, names, n_columns=1)
    return ax.figure


def _checked(name):
    """A name as it is shown.  ValueError if it is too long to stand on an axis."""
    text = visible(name)
    if len(text) > LONGEST:
        raise ValueError(f"a name on an axis may have {LONGEST} characters, but {text!r} has {len(text)}.")
    return text


def _few(function, what, groups):
    if not 1 <= len(groups) <= len(LOOKS):
        raise ValueError(f"{function}: from 1 to {len(LOOKS)} {what} can be told apart, but there are {len(groups)}.")


def _short(a):
    return number(float(a)) if not a.shape else f"{a.shape}" if not a.size or np.isfinite(a).any() else "all nan or inf"


def _label(ax, title, x_label, y_label, *, log_x=False, log_y=False):
    scales = {"xscale": "log" if log_x else "linear", "yscale": "log" if log_y else "linear"}
    ax.set(title=title, xlabel=x_label, ylabel=y_label, **scales)


def _plain_numbers(ax):
    """Numbers without powers of ten on a logarithmic axis that spans less than two of them."""
    from matplotlib.ticker import LogLocator

    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log" and high < 100 * low:
            axis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
            axis.set_major_formatter(lambda value, _: number(value))
            axis.set_minor_formatter(lambda value, _: number(value))


def _width(ax, text, size):
    """How wide a text is, in points."""
    measured = ax.text(0, 0, text, fontsize=size, transform=ax.transAxes, parse_math=False)
    width = measured.get_window_extent().width * 72 / ax.figure.dpi
    measured.remove()
    return width


def _name_columns(ax, names, slot):
    """A name below each of the places 0, 1, ..., which are `slot` points apart.  Returns how far down they reach.

    They stand side by side, if need be on up to three lines; or else they are turned; or else each second is left out.
    """
    size = max(SMALLEST, min(NAME, 0.9 * slot))
    lines = [_wrap(ax, name, size, slot - 4) for name in names]
    widest = max(_width(ax, name, size) for name in names)
    if slot < 12 and max(_width(ax, name, size) for name in names) <= slot:  # characters, side by side
        lines = names
    if all(lines):
        ax.set_xticks(range(len(names)), lines, fontsize=size, parse_math=False)
        deep = 1.3 * size * (1 + max(name.count("\n") for name in lines))
    elif slot >= 20 and widest <= 110:
        turn = {"rotation": 40, "ha": "right", "va": "top", "rotation_mode": "anchor"}
        ax.set_xticks(range(len(names)), names, fontsize=size, parse_math=False, **turn)
        deep = 0.65 * widest + size
    else:
        ax.set_xticks(range(len(names)), names, fontsize=size, parse_math=False, rotation=90)
        deep = widest
    ax.tick_params(axis="x", length=0)
    _thin(ax.xaxis, slot, size)
    return deep


def _name_rows(ax, names, slot):
    size = max(SMALLEST, min(NAME, 0.9 * slot))
    ax.set_yticks(range(len(names)), names, fontsize=size, parse_math=False)
    ax.tick_params(axis="y", length=0)
    _thin(ax.yaxis, slot, size)


def _thin(axis, slot, size):
    """Where names would touch, only every second is seen, or every third ...; the words of the figure keep them all."""
    step = int(np.ceil(size / slot))
    for i, tick in enumerate(axis.get_major_ticks()):
        tick.label1.set_visible(i % step == 0)


def _wrap(ax, name, size, room):
    """The name on up to three lines that are no wider than the room, or None."""
    lines = [""]
    for word in name.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if _width(ax, longer, size) <= room:
            lines[-1] = longer
        elif _width(ax, word, size) > room or len(lines) == 3:
            return None
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)


def _ends(a, low, high, diverging):
    """Which numbers the two ends of the colours stand for."""
    seen = a[np.isfinite(a)]
    low, high = float(seen.min() if low is None else low), float(seen.max() if high is None else high)
    if diverging:
        high = max(abs(low), abs(high))
        low = -high
    if low > high:
        raise ValueError(f"heatmap: low is {number(low)}, which is above {number(high)}.")
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _cells(a, rows, ax):
    """The axes for a matrix, and how many points wide and tall a cell of it is."""
    R, C = a.shape
    if ax is not None:
        wide, tall = 72 * ax.figure.get_size_inches() * ax.get_position().size / (C, R)
        return ax, (wide, tall)
    figure, ax = canvas()
    names = max((_width(ax, name, NAME) for name in rows), default=0) if rows else 25
    room = 72 * figure.get_figwidth() - 110 - names  # beside the colour bar and the names
    wide = tall = min(room / C, 390 / R, max(36, 190 / R))
    if wide * C < 0.3 * room or tall * R < 60:  # a long strip: cells that are not square
        wide, tall = room / C, min(390 / R, 36)
    if rows:
        tall = max(tall, min(390 / R, 1.3 * NAME))  # so that each name can be read
    return ax, (wide, tall)


@functools.cache
def _colours(diverging):
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("diverging", DIVERGING) if diverging else matplotlib.colormaps["Blues"]


def _ink(image, values):
    """White on what is dark, and nearly black on what is light."""
    colours = image.cmap(image.norm(np.nan_to_num(values, posinf=0, neginf=0)))
    return np.where(colours[..., :3] @ [0.299, 0.587, 0.114] < 0.5, "white", "#222222")


def _write_numbers(ax, image, a, wide, tall, wanted):
    """Write each number into its cell, if that is wanted, or if nothing is said and there is room.  True if it did."""
    if wanted is False or (a.size > 400 and wanted is None):
        return False
    texts = {number(value) for value in a[np.isfinite(a)]}
    widest = max(_width(ax, text, NAME) for text in texts) if a.size <= 400 else np.inf
    size = min(NAME, NAME * (wide - 4) / widest, 0.8 * tall)
    if size < SMALLEST + 0.5:
        if wanted:
            raise ValueError(f"heatmap: {a.shape[0]} times {a.shape[1]} cells have no room for numbers.")
        return False
    inks = _ink(image, a)
    for i, j in np.argwhere(np.isfinite(a)):
        look = {"ha": "center", "va": "center", "fontsize": size, "color": inks[i, j], "label": "_number"}
        ax.text(j, i, number(a[i, j]), **look)
    return True


def _dash(ax, image, a, size, places=None):
    """A dash on each cell that is clearly below 0."""
    inks, below = _ink(image, a), np.nan_to_num(a) < image.norm.vmin / 20
    for ink in ("white", "#222222"):
        i, j = np.nonzero(below & (inks == ink))
        x, y = (j, i) if places is None else (np.full(len(i), 0.5), places[i])
        look = {"color": ink, "markersize": size, "markeredgewidth": min(1, 0.2 * size), "label": "_below"}
        ax.plot(x, y, "_", zorder=2, **look)


def _legend(ax, handles, names, n_columns=None):
    """The names above the axes, in as many columns as fit."""
    room = 72 * ax.figure.get_figwidth() * ax.get_position().width
    columns = n_columns or int(np.clip(room // (40 + max(_width(ax, name, NAME) for name in names)), 1, 4))
    ax.set_title(ax.get_title("left"), pad=12 + 12.5 * -(-len(names) // columns))
    look = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderpad": 0, "borderaxespad": 0.4, "fontsize": NAME}
    ax.legend(handles, names, ncols=columns, labelspacing=0.3, **look)


def _edges(values, bins):
    """The edges of the bins, n + 1 of them: of whole width and around whole numbers where all values are whole."""
    if np.ndim(bins):
        return np.asarray(bins, float)
    if not 1 <= bins <= 1000:
        raise ValueError(f"histogram: there must be from 1 to 1000 bins, not {bins}.")
    low, high = values.min(), values.max()
    if (values == np.round(values)).all() and high - low < 1e9:
        width = max(1, np.ceil((high - low + 1) / bins))
        return np.arange(low, high + width + 0.5, width) - 0.5
    return np.histogram_bin_edges(values, bins)


def _summary(name, values, n):
    mean, left_out = settled(values.mean(keepdims=True))[0], f", {n - len(values)} not finite"
    said = f"{name}: {n} values{left_out if len(values) < n else ''}"
    return f"{said}, mean {number(mean)}, standard deviation {number(values.std())}"
