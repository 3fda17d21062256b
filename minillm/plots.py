"""Every figure, from arrays, never from models: one style, and words for those who cannot see it."""

import base64
import functools
import io

import numpy as np

# Okabe and Ito's colours, which colour-blind readers can tell apart (jfly.uni-koeln.de/color); each curve also differs
# in form, for print in grey.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#666666"
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


def style():
    """A context in which Matplotlib draws in the style of the course; earlier settings neither count nor change."""
    import matplotlib.style

    return matplotlib.style.context(["default", STYLE])


def canvas(n_rows=1, n_columns=1):
    """A Figure in the style of the course, and its axes.  What a notebook shows of it is a picture and its words."""
    with style():
        figure = _figure()(layout="constrained")
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


def describe(figure, n_points=8):
    """The figure in words, for a screen reader and for tests: axes, levels, and some points of each curve."""
    said = []
    for ax in figure.axes:
        x, y = ax.get_xlabel() or "x", ax.get_ylabel() or "y"
        said.append(f"{ax.get_title('left') or ax.get_title() or 'Figure'}. {_upper(y)} against {x}.")
        levels = [line for line in ax.lines if str(line.get_label()).endswith(" (level)")]
        for line in ax.lines:
            if not str(line.get_label()).startswith("_") and line not in levels and len(line.get_xdata()):
                said.append(_curve(line, n_points))
        if levels:
            names = [f"{line.get_label().removesuffix(' (level)')} {line.get_ydata()[0]:.2f}" for line in levels]
            said.append(f"  levels: {', '.join(names)}.")
    return "\n".join(said)


def _curve(line, n_points):
    x, y = np.asarray(line.get_data(), float)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    i = np.unique(np.linspace(0, len(x) - 1, min(n_points, len(x))).round().astype(int))
    points = ", ".join(f"{y[j]:.2f} at {x[j]:.3g}" for j in i)
    best = int(np.argmin(y))
    lowest = f"; lowest {y[best]:.2f} at {x[best]:.3g}" if len(x) > 1 else ""
    return f"  {line.get_label()}: {points}{lowest} ({len(x)} point{'s' * (len(x) != 1)})."


def _unit(largest):
    """What to divide by so that numbers are easy to read, and what a label then adds."""
    units = (1e9, " (billions)"), (1e6, " (millions)"), (1e3, " (thousands)"), (1, "")
    return next(unit for unit in units if largest >= unit[0] or unit[0] == 1)


def _upper(text):
    return text[:1].upper() + text[1:]
