"""Every figure, from arrays, never from models: one style, and words for those who cannot see it."""

import base64
import contextlib
import functools
import io
import threading

import numpy as np

from .describe import describe

# Okabe and Ito's colours, which colour-blind readers can tell apart (jfly.uni-koeln.de/color); each curve also differs
# in form, for print in grey.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#666666"
LOOKS = [  # colour, dashes, marker: each of the three tells a curve from the others
    (BLUE, "-", "o"),
    (ORANGE, (0, (6, 2)), "s"),
    (GREEN, (0, (6, 2, 1, 2)), "^"),
    (PURPLE, (0, (1.2, 1.2)), "D"),
    (SKY, (0, (3, 1.5)), "v"),
    ("black", (0, (3, 1.5, 1, 1.5, 1, 1.5)), "P"),
]
_TURN = threading.RLock()
STYLE = {
    "figure.facecolor": "white",
    "figure.figsize": (7.2, 4.2),  # inches: the width of a page of print, and of a notebook
    "figure.dpi": 110,
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib, so a figure is the same on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fancybox": False,
}


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
        if y.shape != x.shape or x.ndim != 1:
            raise ValueError(f"curves: x is {x.shape}, but {name!r} is {y.shape}; both must be (n,).")
    if not 1 <= len(ys) - len(beside) <= len(LOOKS):
        raise ValueError(f"curves: {len(ys) - len(beside)} curves; from 1 to {len(LOOKS)} can be told apart.")
    looks, lines = iter(LOOKS), []
    with style():
        if ax is None:
            _, ax = canvas()
        ax.set(title=title, xlabel=x_label, ylabel=y_label, xscale="log" if log_x else "linear")
        ax.set_yscale("log" if log_y else "linear", **({"nonpositive": "mask"} if log_y else {}))
        for i, (name, y) in enumerate(ys.items()):
            colour, dashes, marker = (GREY, (0, (4, 3)), None) if name in beside else next(looks)
            few = max(1, len(x) // 8)
            dots = {"marker": marker, "markersize": 4.5, "markeredgecolor": "white", "markevery": (i % few, few)}
            width = 1 if name in beside else 1.8
            y = np.where(np.isfinite(y), y, np.nan)
            lines += ax.plot(x, y, label=name, color=colour, linestyle=dashes, linewidth=width, **dots)
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


def circle(xhat, dxhat):
    """What layer norm's backward pass keeps of a gradient, for three channels: the part along the circle of all xhat.

    xhat (3,) has mean 0 and variance 1, so it lies in the plane of all vectors with mean 0, on a circle of radius
    sqrt(3), and a small change of x moves it only along that circle.  dxhat (3,) is drawn within the plane: the arrow,
    its part along xhat, and the tangent, which is all that is left.  The part along (1, 1, 1) stands out of the plane,
    and is said in words.  Returns a Figure.  ValueError if xhat is not normalised.
    """
    xhat, dxhat = np.asarray(xhat, float), np.asarray(dxhat, float)
    if xhat.shape != (3,) or dxhat.shape != (3,):
        raise ValueError(f"circle: xhat and dxhat must be (3,), not {xhat.shape} and {dxhat.shape}.")
    if abs(xhat.mean()) > 1e-3 or abs(xhat.var() - 1) > 1e-3:
        raise ValueError(f"circle: xhat must have mean 0 and variance 1, not {xhat.mean():.3g} and {xhat.var():.3g}.")
    plane = np.array([[0, 1, -1], [2, -1, -1]]) / np.sqrt([[2], [6]])  # seen from (1, 1, 1); the first channel is up
    point, arrow = plane @ xhat, plane @ dxhat
    outwards = point / np.linalg.norm(point)
    radial = outwards * (outwards @ arrow)
    tangent = arrow - radial
    with style():
        figure, ax = canvas()
        _draw_circle(ax, point, radial, tangent)
    return figure


def _draw_circle(ax, point, radial, tangent):
    """The circle through `point` about 0, and from there an arrow's two parts and their sum."""
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title("What is left of a gradient on the circle of normalised vectors")
    turn = np.linspace(0, 2 * np.pi, 361)
    radius = np.linalg.norm(point)
    ax.plot(radius * np.cos(turn), radius * np.sin(turn), color=GREY, linewidth=1, label="_circle")
    ax.plot(*zip((0, 0), point, strict=True), color=GREY, linewidth=0.6, label="_radius")
    ax.plot(0, 0, "+", color=GREY, label="_middle")
    strong, weak = {"color": BLUE, "linewidth": 2.6}, {"color": GREY, "linewidth": 1.4, "linestyle": (0, (4, 2))}
    arrows = {"radial": (radial, weak), "dxhat": (radial + tangent, {"color": ORANGE, "linewidth": 1.6})}
    arrows["tangent"] = tangent, strong
    for name, (arrow, look) in arrows.items():
        look = {"arrowstyle": "-|>", "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0, **look}
        ax.annotate("", point + arrow, point, arrowprops=look, label=name)
    for end in (tangent, radial):  # the two other sides of the rectangle whose diagonal is dxhat
        ax.plot(*zip(point + end, point + radial + tangent, strict=True), ":", color=GREY, linewidth=0.8, label="_side")
    ax.plot(*point, "o", color="black", markersize=6, label="xhat")
    reach = max(np.abs([point + arrow for arrow in (radial, tangent, radial + tangent)]).max(), radius) + 0.9
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach))

    # The names stand at the corners of the rectangle, each pushed out along its own diagonal, so that no two can meet.
    outwards = point / radius
    along = np.array([-outwards[1], outwards[0]])
    if radial @ outwards < 0:
        outwards = -outwards
    if tangent @ along < 0:
        along = -along
    corners = {"xhat": (0, -outwards - along), "radial": (radial, outwards - along)}
    corners |= {"tangent": (tangent, along - outwards), "dxhat": (radial + tangent, outwards + along)}
    for name, (corner, away) in corners.items():
        words = ax.annotate(name, point + corner, (0, 0), textcoords="offset points", ha="center", va="center")
        box = words.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        away = away / np.linalg.norm(away)
        words.xyann = away * (18 + 36 * np.abs(away) @ [box.width, box.height])  # 72 points an inch, and half a box


@contextlib.contextmanager
def style():
    """A context in which Matplotlib draws in the style of the course; earlier settings neither count nor change.

    The settings belong to the whole process, so threads take turns: a panel draws in a thread of its own.
    """
    import matplotlib.style

    with _TURN, matplotlib.style.context(["default", STYLE]):
        yield


def canvas(n_rows=1, n_columns=1, *, height=4.2):
    """A Figure in the style of the course, `height` inches high, and its axes.  A notebook shows picture and words."""
    with style():
        figure = _figure()(figsize=(STYLE["figure.figsize"][0], height), layout="constrained")
        return figure, figure.subplots(n_rows, n_columns)


@functools.cache
def _figure():
    """The class of our figures, made when the first is drawn, so that Matplotlib is not loaded before."""
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A Figure that is saved in the style of the course, and tells a notebook what it shows."""

        def savefig(self, *arguments, **options):
            with style():  # ticks are made as late as this
                super().savefig(*arguments, **options)

        def _repr_mimebundle_(self, include=None, exclude=None):
            return {"image/png": base64.b64encode(png(self)).decode("ascii"), "text/plain": describe(self)}

    return Picture


def png(figure):
    """The figure as the bytes of a PNG file; its description is stored inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Description": describe(figure), "Software": None})
    return buffer.getvalue()


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
        ax.plot([1, 1.03, 1.04], [loss, place, place], color=GREY, linewidth=0.6, transform=across, clip_on=False)
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

    Near the end there are fewer; near the beginning, where a loss falls steeply, a fifth of those that came before.
    """
    y = np.asarray(y, float)
    total = np.concatenate([[0.0], y.cumsum()])
    i = np.arange(len(y))
    reach = np.minimum(width, np.minimum(i // 5, len(y) - 1 - i))
    return (total[i + reach + 1] - total[i - reach]) / (2 * reach + 1)


def _unit(largest):
    """What to divide by so that numbers are easy to read, and what a label then adds."""
    units = (1e9, " (billions)"), (1e6, " (millions)"), (1e3, " (thousands)"), (1, "")
    return next(unit for unit in units if largest >= unit[0] or unit[0] == 1)
