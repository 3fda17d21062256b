"""A panel: a small model as a graph, with the shapes of what flows down it and of the blame that comes back up."""

import math

import numpy as np

from .. import layers
from ..canvas import BLUE, GREY, ORANGE, canvas, style
from ..widgets import panel

CENTRE, HALF = 0.5, 0.09  # where the boxes stand, and half of how wide they are, in parts of the figure
TALL = 0.04  # half of how tall


def run(batch, length, width, vocabulary, *, seed=0):
    """One run of ids -> embedding -> linear -> cross_entropy, there and back, with random numbers.

    Returns ({name: array} of all that went in, flowed and came out, the gradients too, the loss in nats).  ids and
    targets are (batch, length), each token as likely as any other; the weights are normal, as large as GPT-2's.
    """
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.normal(0, 0.02, shape).astype(np.float32)
    ids, targets = rng.integers(vocabulary, size=(2, batch, length))
    table, w, b = normal(vocabulary, width), normal(width, vocabulary), np.zeros(vocabulary, np.float32)
    vectors, back_embedding = layers.embedding(table, ids=ids)
    logits, back_linear = layers.linear(vectors, w, b)
    loss, back_loss = layers.cross_entropy(logits, targets=targets)
    dlogits = back_loss(1.0)
    dvectors, dw, db = back_linear(dlogits)
    dtable = back_embedding(dvectors)
    there = {"ids": ids, "targets": targets, "table": table, "w": w, "b": b, "vectors": vectors, "logits": logits}
    return there | {"dlogits": dlogits, "dvectors": dvectors, "dw": dw, "db": db, "dtable": dtable}, float(loss)


def draw(batch, length, width, vocabulary):
    """The figure of the panel, and what the run behind it counted."""
    arrays, loss = run(batch, length, width, vocabulary)
    with style():
        figure, ax = canvas(height=4.4, places=[[0.01, 0.01, 0.98, 0.9]])
        ax.set(xlim=(0, 1), ylim=(0, 1), title="Down: what is computed. Up: who is to blame")
        ax.set_axis_off()
        heights = {"ids": 0.95, "embedding": 0.73, "linear": 0.5, "cross_entropy": 0.27, "loss": 0.05}
        for name, height in heights.items():
            _box(ax, name, height, layer=name not in ("ids", "loss"))
        flows = {"ids": None, "vectors": "dvectors", "logits": "dlogits", "loss": "dloss"}
        places = [*heights.values()]
        for (name, back), above, below in zip(flows.items(), places, places[1:], strict=False):
            _there(ax, _says(name, arrays), (CENTRE - 0.03, above - TALL), (CENTRE - 0.03, below + TALL))
            if back:
                _back(ax, _says(back, arrays), (CENTRE + 0.03, below + TALL), (CENTRE + 0.03, above - TALL))
        for layer, names in {"embedding": ("table",), "linear": ("w", "b"), "cross_entropy": ("targets",)}.items():
            height = heights[layer]
            given = ", ".join(_says(name, arrays) for name in names)
            _there(ax, given, (CENTRE - HALF - 0.08, height), (CENTRE - HALF, height))
            if layer != "cross_entropy":
                blame = ", ".join(_says(f"d{name}", arrays) for name in names)
                _back(ax, blame, (CENTRE + HALF, height), (CENTRE + HALF + 0.08, height))
    return figure, said(arrays, loss)


def said(arrays, loss):
    """The numbers of a run in a few words."""
    V, used = len(arrays["table"]), np.bincount(arrays["ids"].ravel())
    blamed = int(np.any(arrays["dtable"], -1).sum())
    parameters = sum(arrays[name].size for name in ("table", "w", "b"))
    largest = max(("vectors", "logits"), key=lambda name: arrays[name].size)
    return (
        f"Positions: {arrays['ids'].size:,}. Loss: {loss:.2f} nats, where ln {V} is {math.log(V):.2f}.\n"
        f"Rows of the table: {V}. Blamed: {blamed}, for more than one position: {(used > 1).sum()}.\n"
        f"Parameters: {parameters:,}. Largest array on the way: {largest}, {arrays[largest].size:,} numbers."
    )


def show():
    """The panel: sliders for the batch, the length, the width and the vocabulary."""
    import ipywidgets

    slider = lambda value, low, high: ipywidgets.IntSlider(value, low, high)
    panel(draw, batch=slider(4, 1, 32), length=slider(8, 1, 32), width=slider(16, 1, 64), vocabulary=slider(78, 2, 256))


def _says(name, arrays):
    """A name with its shape; a loss is a single number and has none."""
    return f"{name} {arrays[name].shape}" if name in arrays else f"{name}, a number"


def _box(ax, name, height, layer):
    from matplotlib.patches import FancyBboxPatch

    look = {"boxstyle": "round,pad=0.02", "facecolor": "#F2F2F2" if layer else "white", "edgecolor": GREY}
    low = (CENTRE - HALF + 0.02, height - TALL + 0.02)
    ax.add_patch(FancyBboxPatch(low, 2 * HALF - 0.04, 2 * TALL - 0.04, label="_box", **look))
    ax.text(CENTRE, height, name, ha="center", va="center", fontsize=10, label="_name")


def _arrow(ax, start, end, colour, dashes="-"):
    head = {"arrowstyle": "-|>", "color": colour, "shrinkA": 1, "shrinkB": 1, "linewidth": 1.6, "mutation_scale": 11}
    head["linestyle"] = dashes
    ax.annotate("", end, start, arrowprops=head, label="_arrow")


def _there(ax, text, start, end):
    _arrow(ax, start, end, BLUE)
    x, y = (start[0] - 0.01, start[1]) if start[1] == end[1] else (start[0] - 0.01, (start[1] + end[1]) / 2)
    ax.text(x, y, text, ha="right", va="center", fontsize=10, color=BLUE, label="there")


def _back(ax, text, start, end):
    _arrow(ax, start, end, ORANGE, (0, (4, 2)))
    x, y = (end[0] + 0.01, end[1]) if start[1] == end[1] else (end[0] + 0.01, (start[1] + end[1]) / 2)
    ax.text(x, y, text, ha="left", va="center", fontsize=10, color=ORANGE, label="back")
