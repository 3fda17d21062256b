"""A panel: where one head looks from one token of a text that comes twice, token by token.

from minillm.panels import gaze
gaze.show(weights, text)
"""

import numpy as np

from .. import figures, inside, plots
from ..canvas import ORANGE
from ..describe import number

LONGEST = 16  # tokens in one half that have room for their numbers
ENOUGH = 0.5  # a head with half of its weight there, on average, is called by that name


def kind(weights):
    """What a head (T, T) does, in words, by its mean weights over a text of T tokens that comes twice."""
    T = len(weights)
    shares = {
        "looks to what came next the first time": inside.induction_score(weights, period=T // 2),
        "looks at the token before": inside.previous_score(weights),
        "looks at the token itself": np.diagonal(weights).mean(),
    }
    best = max(shares, key=shares.get)
    return best if shares[best] >= ENOUGH else "spreads its weight"


def draw(weights, text, layer, head, token):
    """The figure of the panel for one head and one token, and what the head does in words and numbers."""
    from matplotlib.patches import Rectangle

    own, half = weights[layer, head], len(text) // 2
    row = np.where(np.arange(2 * half) <= token, own[token], np.nan)  # what comes later cannot be seen
    with plots.style():
        figure, ax = plots.canvas(height=2.0, places=[[0.13, 0.27, 0.78, 0.52]])
        ax = np.atleast_1d(ax)[0]
        names = [figures.visible(c) for c in text[:half]]
        title = f"Layer {layer}, head {head}, from token {token}, {figures.visible(text[token])}"
        labels = {"x_label": "token", "y_label": "", "rows": ["first time", "second time"], "columns": names}
        figures.heatmap(row.reshape(2, half), title=title, low=0, high=1, ax=ax, **labels)
        frame = {"fill": False, "edgecolor": ORANGE, "linewidth": 2.2, "label": "_query"}
        ax.add_patch(Rectangle((token % half - 0.5, token // half - 0.5), 1, 1, **frame))
    return figure, f"{_seen(own[token], text, token)} {_over_all(own, layer, head)}"


def _seen(row, text, token):
    """Where this token looks, in words."""
    best = [i for i in np.argsort(-row, kind="stable")[:3] if row[i] >= 0.05]
    most = ", ".join(f"{figures.visible(text[i])} at {i} ({row[i]:.0%})" for i in best) or "nothing in particular"
    half = len(text) // 2
    said = f"Token {token} is {figures.visible(text[token])}. The head looks at {most}."
    if token >= half:
        after = token - half + 1
        said += f" The first time, {figures.visible(text[after])} at {after} came next."
    return said


def _over_all(weights, layer, head):
    """What the head does over the whole text."""
    scores = inside.induction_score(weights, period=len(weights) // 2), inside.previous_score(weights)
    induction, previous = (number(round(float(score), 2)) for score in scores)
    return (
        f"Over the whole text, head {head} of layer {layer} {kind(weights)}: "
        f"induction score {induction}, previous-token score {previous}."
    )


def show(weights, text, *, layer=1, head=0, token=None):
    """A choice of layer and head, and a slider for the token.

    weights (L, H, T, T) are those of all heads over one text of T characters, whose second half repeats the first.
    token, if not given, is in the middle of the second half.  ValueError if they do not fit.
    """
    import ipywidgets

    from ..widgets import panel

    weights = np.asarray(weights, float)
    T = len(text)
    if weights.ndim != 4 or weights.shape[2:] != (T, T) or T % 2 or text[: T // 2] != text[T // 2 :]:
        raise ValueError(
            f"gaze: weights {weights.shape} must be (layers, heads, T, T), for a text of T characters whose second "
            f"half repeats the first; this one has {T}."
        )
    if not 2 <= T // 2 <= LONGEST:
        raise ValueError(f"gaze: from 2 to {LONGEST} tokens have room in a half, not {T // 2}.")
    panel(
        lambda layer, head, token: draw(weights, text, layer, head, token),
        layer=ipywidgets.IntSlider(layer, 0, len(weights) - 1),
        head=ipywidgets.IntSlider(head, 0, weights.shape[1] - 1),
        token=ipywidgets.IntSlider(T * 3 // 4 if token is None else token, 0, T - 1),
    )
