"""A panel: where each head of a layer looks, as a picture, and for one query in numbers.

from minillm.panels import heads
heads.show(weights, text)
"""

import numpy as np

from .. import figures, plots
from ..canvas import ORANGE
from ..describe import number

LONGEST = 17  # characters that have room for their names


def distances(weights):
    """How far back each head looks, on average over all queries and weighted by attention.  (H, T, T) -> (H,)"""
    T = weights.shape[-1]
    back = np.arange(T)[:, None] - np.arange(T)
    return (weights * back).sum((-1, -2)) / T


def draw(weights, text, head, query):
    """The figure of the panel for one head and one query, and a sentence with its numbers."""
    from matplotlib.patches import Rectangle

    row, names = weights[head, query], [*text]
    with plots.style():
        places = [[0.075, 0.17, 0.37, 0.37 * 7.2 / 3.7], [0.62, 0.17, 0.37, 0.37 * 7.2 / 3.7]]
        figure, (left, right) = plots.canvas(1, 2, height=3.7, places=places)
        labels = {"x_label": "key", "y_label": "query", "rows": names, "columns": names, "numbers": False}
        figures.heatmap(weights[head], title=f"Head {head}: all queries", low=0, high=1, ax=left, **labels)
        frame = {"fill": False, "edgecolor": ORANGE, "linewidth": 1.8, "label": "_query"}
        left.add_patch(Rectangle((-0.5, query - 0.5), len(text), 1, **frame))
        shares = {str(i): share for i, share in enumerate(row)}  # a character may come twice
        title = f"Query {query}, {figures.visible(text[query])}"
        figures.bars(shares, title=title, x_label="key", y_label="weight", ax=right)
        right.set_xticks(range(len(text)), [figures.visible(c) for c in text])
        right.set_ylim(0, 1.08)
    best = np.argsort(-row, kind="stable")[:3]
    most = ", ".join(f"{figures.visible(text[i])} at {i} ({row[i]:.0%})" for i in best if row[i] >= 0.005)
    before = "".join(map(figures.visible, text[: query + 1]))
    return figure, (
        f"Head {head}, query {query}, which has read {before}: it looks most at {most}, and on average "
        f"{number(float(row @ (query - np.arange(len(text)))))} positions back. "
        f"Over all queries this head looks {number(distances(weights)[head])} positions back."
    )


def show(weights, text, *, head=0, query=None):
    """A slider for the head and one for the query.

    weights (H, T, T) are a layer's attention weights over one text of T characters: query, key.  query, if not given,
    is the last one.  ValueError if they do not fit, or if the text is too long for the names.
    """
    import ipywidgets

    from ..widgets import panel

    weights = np.asarray(weights, float)
    T = len(text)
    if weights.ndim != 3 or weights.shape[1:] != (T, T) or not 2 <= T <= LONGEST:
        raise ValueError(
            f"heads: weights {weights.shape} must be (heads, T, T) for a text of T characters, from 2 to {LONGEST}; "
            f"this one has {T}."
        )
    panel(
        lambda head, query: draw(weights, text, head, query),
        head=ipywidgets.IntSlider(head, 0, len(weights) - 1),
        query=ipywidgets.IntSlider(T - 1 if query is None else query, 0, T - 1),
    )
