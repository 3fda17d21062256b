"""Every figure, from arrays, never from models: one style, and words for those who cannot see it."""

import numpy as np

from .canvas import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, STYLE, canvas, png, style
from .circle import circle
from .describe import describe

__all__ = [
    "GREY",
    "STYLE",
    "canvas",
    "circle",
    "curves",
    "describe",
    "png",
    "rungs",
    "smooth",
    "spread",
    "style",
    "training",
]

LOOKS = [  # colour, dashes, marker: each of the three tells a curve from the others
    (BLUE, "-", "o"),
    (ORANGE, (0, (6, 2)), "s"),
    (GREEN, (0, (6, 2, 1, 2)), "^"),
    (PURPLE, (0, (1.2, 1.2)), "D"),
    (SKY, (0, (3, 1.5)), "v"),
    ("black", (0, (3, 1.5, 1, 1.5, 1, 1.5)), "P"),
]


def training(log, ladder=None, *, token=None):
    """Loss against tokens learned from: training, validation, and the ladder of n-grams as horizontal lines.

    log["tokens"], log["loss"], log["validation"] (lines,), NaN where nothing was measured, as runlog.read() gives them;
    losses in nats per token.  ladder is a list of (name, nats per token, ...), as ngram.ladder() gives it.  token is
    what the axes call a token; if not given, what log.recipe["tokenizer"] says.  Returns a Matplotlib Figure, made
    without pyplot, which a notebook shows as a picture with describe() beside it.  ValueError if there is no loss yet.
    """
    tokens, loss, validation = (np.asarray(log[key], float) for key in ("tokens", "loss", "validation"))
    if not (np.isfinite(loss).any() or np.isfinite(validation).any()):
        raise ValueError("there is nothing to plot: the log has no loss yet.")
    recipe = getattr(log, "recipe", {})
    token = token or {"characters": "character", "bytes": "byte"}.get(recipe.get("tokenizer"), "token")
    size, word = _unit(np.nanmax(tokens))
    with style():
        figure, ax = canvas()
        measured = np.isfinite(loss)
        x, y = tokens[measured] / size, loss[measured]
        ax.plot(x, y, color=SKY, alpha=0.45, linewidth=0.7, label="_raw")
        ax.plot(x, smooth(y, max(1, len(y) // 40)), color=BLUE, label="training")
        known = np.isfinite(validation)
        dots = {"marker": "o", "markersize": 4.5, "markeredgecolor": "white", "zorder": 3}
        ax.plot(tokens[known] / size, validation[known], color=ORANGE, label="validation", **dots)
        ax.set_xlabel(f"{token}s learned from{word}")
        ax.set_ylabel(f"loss (nats per {token})")
        name = recipe.get("name")
        ax.set_title(f"{name}: the loss while it learns" if name else "The loss while it learns", pad=24)
        ax.margins(x=0.02)
        curves = [line for line in ax.lines[1:] if len(line.get_xdata())]
        ax.legend(handles=curves, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0, borderaxespad=0.4)
        if ladder:
            rungs(ax, [(rung[0], float(rung[1])) for rung in ladder])
    return figure


def curves(x, ys, *, title, x_label, y_label, log_x=False, log_y=False, y_range=None, beside=(), ax=None):
    """Several curves over the same x, each told apart by colour, dashes and marker, with its name at its right end.

    x (n,), drawn from left to right in the order in which it is given; ys {name: y (n,)}, at most six.  What is NaN or
    infinite, or not positive on a logarithmic axis, is a gap.  Curves that are named in `beside` are thin and grey, for
    comparison.  y_range fixes what the axis shows.  With ax, one of canvas(1, 2) say, the curves are drawn there.
    Returns the Figure.  ValueError if a y has another length than x, or if there are too many to be told apart.
    """
    x, ys = np.asarray(x, float), {name: np.asarray(y, float) for name, y in ys.items()}
    for name, y in ys.items():
        if y.shape != x.shape or x.ndim != 1 or not len(x):
            raise ValueError(f"curves: x is {x.shape} and {name!r} is {y.shape}; both must be (n,), with n at least 1.")
    coloured = [name for name in ys if name not in beside]
    if not 1 <= len(coloured) <= len(LOOKS):
        raise ValueError(f"curves: from 1 to {len(LOOKS)} curves can be told apart, but there are {len(coloured)}.")
    looks, lines = dict(zip(coloured, LOOKS, strict=False)), []
    with style():
        if ax is None:
            _, ax = canvas()
        ax.set(title=title, xlabel=x_label, ylabel=y_label, xscale="log" if log_x else "linear")
        ax.set_yscale("log" if log_y else "linear", **({"nonpositive": "mask"} if log_y else {}))
        for i, (name, y) in enumerate(ys.items()):
            colour, dashes, marker = looks.get(name, (GREY, (0, (4, 3)), None))
            few = max(1, len(x) // 8)
            dots = {"marker": marker, "markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6}
            dots["markevery"] = (i % few, few)  # not all at the same places
            dots["linewidth"] = 1.8 if name in looks else 1
            y = np.where(np.isfinite(y), y, np.nan)
            lines += ax.plot(x, y, label=name, color=colour, linestyle=dashes, **dots)
        if not log_x and (x == np.round(x)).all():
            ax.xaxis.get_major_locator().set_params(integer=True)
        if x[0] > x[-1]:
            ax.invert_xaxis()
        if y_range:
            ax.set_ylim(y_range)
        ax.margins(x=0.02)
        _name_curves(ax, lines)
    return ax.figure


def _name_curves(ax, lines):
    """The name of each curve at its right end; if they crowd there, or one ends early, a legend above."""
    ax.get_xlim(), ax.get_ylim()  # the limits are worked out when they are asked for
    ends = {}
    for line in lines:
        x, y = np.asarray(line.get_data())
        drawn = np.flatnonzero(np.isfinite(y) & ((y > 0) | (ax.get_yscale() != "log")))
        if len(drawn):
            ends[line] = (ax.transScale + ax.transLimits).transform((x[drawn[-1]], y[drawn[-1]]))
    gap = 1.5 * 8.5 / (72 * ax.figure.get_figheight() * ax.get_position().height)  # a line of text, in heights of ax
    if len(ends) * gap > 1 or any(across < 0.8 for across, _ in ends.values()):
        ax.set_title(ax.get_title("left"), pad=10 + 14 * -(-len(ends) // 4))
        ax.legend(handles=list(ends), loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderpad=0, borderaxespad=0.4)
        return
    heights = np.clip([height for _, height in ends.values()], 0, 1)
    places = spread(heights, gap, 0, 1) if ends else []
    for (line, (across, _)), height, place in zip(ends.items(), heights, places, strict=True):
        look = {"color": line.get_color(), "linewidth": 0.8, "clip_on": False, "label": "_lead"}
        ax.plot([across, 1.03, 1.04], [height, place, place], transform=ax.transAxes, **look)
        ax.text(1.05, place, line.get_label(), transform=ax.transAxes, va="center", fontsize=8.5, color="#333333")


def rungs(ax, ladder):
    """Horizontal lines at the losses of a ladder, [(name, loss)], named at the right edge, no two names overlapping."""
    ax.grid(False)  # the ladder is the grid
    low, high = ax.get_ylim()
    losses = [loss for _, loss in ladder]
    low, high = min([low, *losses]), max([high, *losses])
    low, high = low - 0.03 * (high - low), high + 0.03 * (high - low)
    ax.set_ylim(low, high)
    places = spread(losses, 0.05 * (high - low), low, high)
    across = ax.get_yaxis_transform()  # x in parts of the axes, y in data
    for (name, loss), place in zip(ladder, places, strict=True):
        ax.axhline(loss, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1, label=f"{name} (level)")
        look = {"color": GREY, "linewidth": 0.6, "clip_on": False, "label": "_lead"}
        ax.plot([1, 1.03, 1.04], [loss, place, place], transform=across, **look)
        ax.text(1.05, place, f"{name} {loss:.2f}", transform=across, va="center", fontsize=8.5, color="#333333")


def spread(places, gap, low, high):
    """Places moved as little as they must so that any two are a gap apart, within low and high where there is room.

    Least squares: after sorting and taking i * gap off the i-th, "a gap apart" means "not decreasing", and the nearest
    such row is found by averaging neighbours that are in the wrong order.
    """
    order = np.argsort(places, kind="stable")
    pools = []  # [mean, how many]
    for i, wanted in enumerate(np.asarray(places, float)[order]):
        pools.append([wanted - i * gap, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, n = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * n) / (pools[-1][1] + n), pools[-1][1] + n]
    room = max(low, high - (len(places) - 1) * gap)
    moved = np.empty(len(places))
    moved[order] = np.clip(np.repeat(*zip(*pools, strict=True)), low, room) + gap * np.arange(len(places))
    return moved


def smooth(y, width):
    """The mean of each value and its neighbours, at most `width` on either side and as many on each.

    Near the beginning, where a loss falls steeply, there are fewer: a fifth of those that came before.  The end, which
    has no neighbours on its right, goes on in a straight line, as steeply as twice as many of the last values rise.
    """
    y = np.asarray(y, float)
    total = np.concatenate([[0.0], y.cumsum()])
    i = np.arange(len(y))
    reach = np.minimum(width, np.minimum(i // 5, len(y) - 1 - i))
    smoothed = (total[i + reach + 1] - total[i - reach]) / (2 * reach + 1)
    r = reach.max(initial=0)  # the last r values are the end
    if r:
        around = np.arange(-2 * r, 2 * r + 1)
        slope = around @ y[-len(around) :] / (around @ around)  # of the line that fits them best
        smoothed[-r:] = smoothed[-r - 1] + slope * np.arange(1, r + 1)
    return smoothed


def _unit(largest):
    """What to divide by so that numbers are easy to read, and what a label then adds."""
    units = (1e9, " (billions)"), (1e6, " (millions)"), (1e3, " (thousands)"), (1, "")
    return next(unit for unit in units if largest >= unit[0] or unit[0] == 1)
