"""A panel: what a neuron of a feed-forward layer fires on.

from minillm.panels import neuron
neuron.show(firing, ids, tok)
"""

import numpy as np

from .. import describe, figures

NAMED = 12  # characters that the picture shows
SHOWN = 5  # places that the text shows
BEFORE = 24  # characters of each place


def by_character(firing, ids, vocab_size):
    """How strongly each neuron fires, on average, where each character stands.

    firing (N, F), ids (N,) -> (V, F).  A character that does not occur has 0.
    """
    counts = np.bincount(ids, minlength=vocab_size)
    total = np.zeros((vocab_size, firing.shape[1]))
    np.add.at(total, ids, firing)
    return total / np.maximum(counts, 1)[:, None]


def share_of_one(firing, ids, vocab_size):
    """For each neuron, the largest part of all its firing that falls on a single character: (F,), from 0 to 1.

    firing (N, F), ids (N,).  What is below 0 counts as 0; a neuron that never fires has 0.
    """
    counts = np.bincount(ids, minlength=vocab_size)[:, None]
    total = by_character(np.maximum(firing, 0), ids, vocab_size) * counts
    return total.max(0) / np.maximum(total.sum(0), 1e-12)


def strongest(firing, n_ctx, n=SHOWN):
    """The places where a neuron fires most, the strongest first, no two in the same sequence of n_ctx.  (N,) -> (n,)"""
    best = firing.reshape(-1, n_ctx)
    places = best.argmax(1) + np.arange(len(best)) * n_ctx
    return places[np.argsort(-firing[places], kind="stable")[:n]]


def draw(firing, ids, tok, n_ctx, neuron, order):
    """The figure of the panel for one neuron, and where it fires most in words."""
    means = by_character(firing, ids, tok.vocab_size)[:, neuron]
    seen = np.flatnonzero(np.bincount(ids, minlength=tok.vocab_size) >= 10)
    ranked = seen[np.argsort(means[seen], kind="stable")]
    chosen = ranked[::-1][:NAMED] if order == "most" else ranked[:NAMED]
    figure = figures.bars(
        {tok.decode([i]): float(means[i]) for i in chosen},
        title=f"Neuron {neuron}: the characters on which it fires {order}",
        x_label="character that is read",
        y_label="firing, on average",
    )
    lines = [f"Neuron {neuron} fires most on the last character of:"]
    for place in strongest(firing[:, neuron], n_ctx):
        start = max(place - place % n_ctx, place - BEFORE + 1)
        before = "".join(map(figures.visible, tok.decode(ids[start : place + 1])))
        lines.append(f"  {describe.number(float(firing[place, neuron])):>6}   {before}")
    first = ", ".join(figures.visible(tok.decode([i])) for i in chosen[:3])
    return figure, "\n".join([*lines, f"On average it fires {order} on {first}."])


def show(firing, ids, tok, *, n_ctx, first=0):
    """A slider for the neuron, and whether the characters are shown on which it fires most or least.

    firing (N, F) holds what comes out of the activation at each of N positions, ids (N,) what is read there, in
    sequences of n_ctx.  ValueError if they do not fit.
    """
    import ipywidgets

    from ..widgets import panel

    if firing.ndim != 2 or firing.shape[0] != len(ids) or len(ids) % n_ctx:
        raise ValueError(
            f"neuron: firing {firing.shape} and ids {ids.shape} must have the same N, a multiple of {n_ctx}."
        )
    slider = ipywidgets.IntSlider(first, 0, firing.shape[1] - 1)
    panel(lambda neuron, order: draw(firing, ids, tok, n_ctx, neuron, order), neuron=slider, order=["most", "least"])
