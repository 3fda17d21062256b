"""A panel: how far numbers spread through 24 layers, and the gradients on their way back.

from minillm.panels import spread
spread.show()
"""

import math

import numpy as np

from .. import layers, plots, widgets
from ..canvas import GREY
from ..describe import number

FLOAT16 = 2.0**-24, 65504.0  # the smallest positive number that it holds, and the largest
WIRINGS = "plain", "residual", "pre-norm", "post-norm"


def spread_through_layers(wiring, scale, *, n_layer=24, C=64, T=32, seed=0):
    """The spread of activations on the way up through a stack of linear layers, and of gradients on the way down.

    The weights are normal / sqrt(C) * scale; T positions of C standard normal channels go in, and the gradient that
    comes from above is standard normal too.  wiring says what a layer does: "plain" x = L(x), "residual" x = x + L(x),
    "pre-norm" x = x + L(norm(x)), "post-norm" x = norm(x + L(x)).  Returns (activations, gradients), (n_layer + 1,)
    each: the standard deviation over the channels, averaged over the positions, at the input of layer 0, 1, ... and at
    the top.  ValueError for any other wiring.
    """
    if wiring not in WIRINGS:
        raise ValueError(f"the wiring must be one of {', '.join(WIRINGS)}, not {wiring!r}.")
    rng = np.random.default_rng(seed)
    x, dx = rng.standard_normal((2, T, C))
    weights = rng.standard_normal((n_layer, C, C)) / math.sqrt(C) * scale
    activations, gradients, backwards = [spread(x)], [spread(dx)], []
    for w in weights:
        x, backward = _layer(x, w, wiring)
        activations.append(spread(x))
        backwards.append(backward)
    for backward in reversed(backwards):
        dx = backward(dx)
        gradients.append(spread(dx))
    return np.array(activations), np.array(gradients[::-1])


def spread(x):
    """The standard deviation over the channels, averaged over the positions.  x (T, C) -> float"""
    return float(x.std(-1).mean())


def _layer(x, w, wiring):
    """One linear layer and what is wired around it: what comes out, and the function from its gradient to dx."""
    norm = lambda x: layers.layer_norm(x, np.ones(x.shape[-1]), np.zeros(x.shape[-1]))
    if wiring == "pre-norm":
        h, norm_backward = norm(x)
        y, backward = layers.linear(h, w)
        return x + y, lambda dy: dy + norm_backward(backward(dy)[0])[0]
    y, backward = layers.linear(x, w)
    if wiring == "plain":
        return y, lambda dy: backward(dy)[0]
    if wiring == "residual":
        return x + y, lambda dy: dy + backward(dy)[0]
    h, norm_backward = norm(x + y)

    def post_norm_backward(dh):
        dsum = norm_backward(dh)[0]
        return dsum + backward(dsum)[0]

    return h, post_norm_backward


def draw(wiring, scale):
    """The figure of the panel for one wiring and one scale of the weights, and a sentence with its numbers."""
    up, down = spread_through_layers(wiring, scale)
    plain_up, plain_down = spread_through_layers("plain", scale)
    layer, n = np.arange(len(up)), len(up) - 1
    look = {"x_label": "layer", "y_label": "spread", "log_y": True, "y_range": (1e-16, 1e16)}
    look["beside"] = () if wiring == "plain" else ("plain",)
    with plots.style():
        places = [[x, 0.14, 0.285, 0.75] for x in (0.095, 0.595)]
        figure, (left, right) = plots.canvas(1, 2, height=3.5, places=places)
        ways = {"plain": plain_up} | {wiring: up}, {"plain": plain_down[::-1]} | {wiring: down[::-1]}
        plots.curves(layer, ways[0], title="Activations, on the way up", ax=left, **look)
        plots.curves(layer[::-1], ways[1], title="Gradients, on the way down", ax=right, **look)
        for ax, start in ((left, 0), (right, n)):
            ax.axhspan(*FLOAT16, color="#F0F0F0", zorder=0, label="_float16")
            ax.text(start, 2 * FLOAT16[0], "float16", fontsize=8.5, color=GREY)
    return figure, (
        f"{wiring}, weights times {number(scale)}: after {n} layers the spread is {number(up[-1] / up[0])} times that "
        f"of the input, and the gradient that reaches layer 0 is {number(down[0] / down[-1])} times the one at the "
        f"top. The band is what float16 can hold, from {number(FLOAT16[0])} to {FLOAT16[1]:.0f}."
    )


def show():
    """A slider for the scale of the weights, and a choice of the wiring, which begins with what runs away."""
    import ipywidgets

    scale = ipywidgets.FloatLogSlider(1, base=2, min=-2, max=2, step=0.125, readout_format=".2f")
    wiring = ipywidgets.ToggleButtons(options=WIRINGS, value="residual", style={"button_width": "auto"})
    widgets.panel(draw, scale=scale, wiring=wiring)
