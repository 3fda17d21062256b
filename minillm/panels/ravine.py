"""A ravine: a loss that is steep across and flat along, and what an optimiser does in it."""

import math

import numpy as np

from .. import optim, plots, widgets
from ..canvas import BLUE, GREY, ORANGE
from ..describe import number

STEEP = 50.0  # how many times as steep across the ravine as along it
START = (-9.0, 1.5)
STEPS = 80
WAYS = "momentum", "Adam", "Adam, uncorrected"
FAR = 1e6  # a path that is further out has left the picture for good


def loss(w):
    """Half of x^2 + STEEP y^2, for w (..., 2)."""
    return 0.5 * (w[..., 0] ** 2 + STEEP * w[..., 1] ** 2)


def gradient(w):
    """Of loss, (2,)."""
    return np.array([w[0], STEEP * w[1]])


def path(optimiser, rate, momentum, steps=STEPS):
    """Where an optimiser comes to, step by step: (steps + 1, 2).

    "momentum" follows m, a running mean of the gradients, and with a momentum of 0 it is gradient descent; "Adam" also
    divides by the root of v, a running mean of their squares; "Adam, uncorrected" forgets that m and v began as zeros.
    A path that leaves for good ends where it was last near.  ValueError for another name.
    """
    if optimiser not in WAYS:
        raise ValueError(f"the optimiser must be one of {', '.join(WAYS)}, not {optimiser!r}.")
    w, m, v = np.array(START), np.zeros(2), np.zeros(2)
    places = [w.copy()]
    for step in range(1, steps + 1):
        dw = gradient(w)
        if optimiser == "Adam":
            optim.adamw(w, dw, m, v, step=step, rate=rate, betas=(momentum, 0.98))
        else:
            m += (1 - momentum) * (dw - m)
            v += (1 - 0.98) * (dw**2 - v)
            w -= rate * m / (1 if optimiser == "momentum" else np.sqrt(v) + 1e-8)
        if abs(w).max() > FAR:
            break
        places.append(w.copy())
    return np.array(places + [places[-1]] * (steps + 1 - len(places)))


def draw(optimiser, rate, momentum):
    """The figure of the panel, and a sentence with its numbers."""
    places = path(optimiser, rate, momentum)
    losses = loss(places)
    with plots.style():
        figure, (left, right) = plots.canvas(
            1, 2, height=3.5, places=[[0.07, 0.14, 0.45, 0.75], [0.61, 0.14, 0.36, 0.75]]
        )
        turn = np.linspace(0, 2 * np.pi, 181)
        for level in (0.5, 4, 16, 40, 80, 160):
            size = math.sqrt(2 * level)
            across = size / math.sqrt(STEEP) * np.sin(turn)
            left.plot(size * np.cos(turn), across, color=GREY, linewidth=0.6, label="_level")
        look = {"color": BLUE, "marker": "o", "markersize": 3, "linewidth": 1.2}
        left.plot(*places.T, label=f"{optimiser}: the path", **look)
        left.plot(0, 0, marker="*", markersize=11, color=ORANGE, linestyle="none", label="the lowest place")
        left.set(xlim=(-11, 6), ylim=(-2.6, 2.6), title="The ravine, from above", xlabel="along", ylabel="across")
        left.grid(False)
        plots.curves(
            np.arange(len(losses)),
            {optimiser: losses},
            title="Loss",
            x_label="step",
            y_label="loss",
            log_y=True,
            y_range=(1e-8, 1e4),
            ax=right,
        )
        for text in right.texts:
            text.set_visible(False)  # one curve needs no name
        for line in right.lines:
            line.set_visible(line.get_label() != "_lead")
    turns = int((np.diff(np.sign(places[:, 1])) != 0).sum())
    return figure, (
        f"{optimiser}, rate {number(rate)}, momentum {number(momentum)}: after {len(losses) - 1} steps the loss is "
        f"{number(losses[-1] / losses[0])} times what it was, and the path has crossed the floor of the ravine {turns} "
        f"times. The first step was {number(float(np.linalg.norm(places[1] - places[0])))} long. "
        + ("It has left the picture for good." if (places[-1] == places[-2]).all() and losses[-1] > losses[0] else "")
    ).strip()


def show():
    """The panel."""
    import ipywidgets

    rate = ipywidgets.FloatLogSlider(0.0387, base=10, min=-3, max=0.4, step=0.02, readout_format=".3f")
    momentum = ipywidgets.FloatSlider(0.0, min=0, max=0.98, step=0.02)
    widgets.panel(draw, optimiser=list(WAYS), rate=rate, momentum=momentum)
