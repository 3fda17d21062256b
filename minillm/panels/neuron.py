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


def explained_by_character(firing, ids, vocab_size):
    """For each neuron, the part of its variance that the character at hand explains: (F,), from 0 to 1.

    1 is a neuron that fires alike wherever the same character stands; what is missing to 1 is what it makes of the
    characters before.  firing (N, F), ids (N,).  A neuron that never changes has 0.
    """
    means = by_character(firing, ids, vocab_size)[ids]
    return means.var(0) / np.maximum(firing.var(0), 1e-12)


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
