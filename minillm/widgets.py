"""Panels: a figure that follows sliders and choices.  What a panel shows is computed by plain functions."""

import math
import textwrap

import numpy as np

from . import layers, plots
from .canvas import GREY
from .describe import number

FLOAT16 = 2.0**-24, 65504.0  # the smallest positive number that it holds, and the largest
WIRINGS = "plain", "residual", "pre-norm", "post-norm"


def panel(draw, **controls):
    """Show controls, and below them what `draw` makes of their values; it is drawn anew whenever one is moved.

    draw(**values) returns (figure, text).  controls are ipywidgets, or ranges in their short form: (low, high) or
    (low, high, step) is a slider, a list is a choice.  Where drawing takes longer than half a second, give a slider
    with continuous_update=False: it is drawn when the slider is let go.

    The first frame is ordinary output, which stays in a stored notebook; later ones take its place.  If `draw` fails
    then, the frame says so in a sentence; if it fails at first, the cell fails.  Returns None.
    """
    from IPython.display import display

    knobs = _knobs(controls)
    picture, text = _frame(draw, knobs)  # before anything is shown
    display(_box(knobs), raw=True)
    above = display(picture["data"], metadata=picture["metadata"], raw=True, display_id=True)
    below = display({"text/plain": text}, raw=True, display_id=True)

    def redraw(change):
        try:
            picture, text = _frame(draw, knobs)
        except Exception as error:
            said = textwrap.fill(f"This cannot be drawn: {type(error).__name__}: {error}", 96)
            picture, text = {"data": {"text/plain": said}, "metadata": {}}, ""
        above.update(picture["data"], metadata=picture["metadata"], raw=True)
        below.update({"text/plain": text}, raw=True)

    for knob in knobs.values():
        knob.observe(redraw, names="value")


def _frame(draw, knobs):
    """What draw() makes of the values that the knobs have now: the picture as IPython takes it, and the text."""
    figure, text = draw(**{name: knob.value for name, knob in knobs.items()})
    data, metadata = figure._repr_mimebundle_()
    return {"data": data, "metadata": metadata}, "\n".join(textwrap.fill(line, 96) for line in text.splitlines())


def _knobs(controls):
    """The controls as widgets, with names of one width, and sliders long enough to be set with care."""
    import ipywidgets

    knobs = {}
    for name, control in controls.items():
        if isinstance(control, list):
            # not a Dropdown: JupyterLab takes the arrow keys, and moves on to the next cell
            control = ipywidgets.ToggleButtons(options=control, style={"button_width": "auto"})
        knob = ipywidgets.interactive.widget_from_abbrev(control)
        if not isinstance(knob, ipywidgets.ValueWidget):
            raise ValueError(f"panel: {name} must be a widget, a range or a list, not {control!r}.")
        knob.description = knob.tooltip = knob.description or name
        knobs[name] = knob
    width = f"{1 + max((len(knob.description) for knob in knobs.values()), default=0)}ch"
    for knob in knobs.values():
        knob.style.description_width = width
        if isinstance(knob, ipywidgets.ToggleButtons):
            knob.add_class("widget-inline-hbox")  # its name beside it, as the others have
        elif "Slider" in type(knob).__name__:
            knob.layout.width = "min(100%, 36em)"
    return knobs


def _box(knobs):
    """The knobs, one below the other; where widgets do not load, a sentence with their values."""
    import ipywidgets

    said = ", ".join(f"{knob.description} {_value(knob)}" for knob in knobs.values())
    box = ipywidgets.VBox(list(knobs.values()))
    return {**box._repr_mimebundle_(), "text/plain": f"Run this cell in JupyterLab to move: {said}."}


def _value(knob):
    return number(knob.value) if isinstance(knob.value, (int, float)) else knob.value


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


def draw_spread(wiring, scale):
    """The figure of the panel for the spread through 24 layers, and a sentence with its numbers."""
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


def spread_panel():
    """A panel: how far the numbers spread through 24 layers, and the gradients on their way back."""
    import ipywidgets

    scale = ipywidgets.FloatLogSlider(1, base=2, min=-2, max=2, step=0.125, readout_format=".2f")
    panel(draw_spread, scale=scale, wiring=list(WIRINGS))
