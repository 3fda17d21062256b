"""Wrong answers to ffn that people really write; each has a step that is not the right one."""

import numpy as np

from ... import gpt
from ..blame.steps import mistakes_in


def rows(z):
    """Every position as a row."""
    return z.reshape(-1, z.shape[-1])


def total(z):
    """Over all positions."""
    return rows(z).sum(0)


def activation(v):
    """(h, the way back) of the activation that the config names."""
    return gpt.ACTIVATIONS[v.config.activation](v.u)


# The steps of a right answer; v holds x, p, config, dy and what the steps before have made.
THERE = {
    "u": lambda v: v.x @ v.p["w_up"] + v.p["b_up"],
    "bent": activation,
    "h": lambda v: v.bent[0],
    "y": lambda v: v.h @ v.p["w_down"] + v.p["b_down"],
}
BACK = {
    "dw_down": lambda v: rows(v.h).T @ rows(v.dy),
    "db_down": lambda v: total(v.dy),
    "dh": lambda v: v.dy @ v.p["w_down"].T,
    "du": lambda v: v.bent[1](v.dh),
    "dw_up": lambda v: rows(v.x).T @ rows(v.du),
    "db_up": lambda v: total(v.du),
    "dx": lambda v: v.du @ v.p["w_up"].T,
    "grads": lambda v: (v.dx, {name: getattr(v, f"d{name}") for name in v.p}),
}


wrong = mistakes_in(lambda x, p, *, config: ..., THERE, BACK)


def bent_last(v):
    """The activation at the end, too late; its way back is kept."""
    z = v.u @ v.p["w_down"] + v.p["b_down"]
    y, v.back_last = gpt.ACTIVATIONS[v.config.activation](z)
    return y


def late(v):
    """What an activation at the end makes of dy."""
    v.dz = v.back_last(v.dy)
    return v.dz @ v.p["w_down"].T


def n(v):
    """How many positions there are."""
    return len(rows(v.x))


def in_place(v, name, change):
    """Change an array of v where it lies, and return a copy."""
    array = getattr(v, name)
    array[...] = change(array)
    return np.array(array)


def shifted_in_place(v):
    """y as it should be; x holds something else afterwards."""
    y = v.h @ v.p["w_down"] + v.p["b_down"]
    v.kept = v.x.copy()
    v.x *= 2
    return y


MISTAKES = (
    wrong(
        "no activation",
        "There is no activation between the two maps. Without a bend the two are one linear map, and the wider layer "
        "in the middle is for nothing.",
        bent=lambda v: (v.u, lambda dh: dh),
    ),
    wrong(
        "the activation at the end",
        "The activation comes after the second map here. It belongs between the two.",
        bent=lambda v: (v.u, lambda dh: dh),
        y=bent_last,
        dh=late,
        dw_down=lambda v: rows(v.u).T @ rows(v.back_last(v.dy)),
        db_down=lambda v: total(v.back_last(v.dy)),
    ),
    wrong(
        "one activation for all",
        "config.activation is not looked at: this is GPT-2's GELU, whatever the config says.",
        bent=lambda v: gpt.ACTIVATIONS["gelu_tanh"](v.u),
    ),
    wrong(
        "a ReLU for all",
        "config.activation is not looked at: this is a ReLU, whatever the config says.",
        bent=lambda v: gpt.ACTIVATIONS["relu"](v.u),
    ),
    wrong(
        "b_up forgotten",
        "b_up is not added before the activation.",
        u=lambda v: v.x @ v.p["w_up"],
    ),
    wrong(
        "b_down forgotten",
        "b_down is not added at the end.",
        y=lambda v: v.h @ v.p["w_down"],
    ),
    wrong(
        "b_up after the activation",
        "b_up is added after the activation. It belongs before: it decides where a neuron begins to fire.",
        u=lambda v: v.x @ v.p["w_up"],
        h=lambda v: v.bent[0] + v.p["b_up"],
        db_up=lambda v: total(v.dh),
    ),
    wrong(
        "the way around built in",
        "x is added to y. The way around is the work of residual, which calls this layer; so x would be there twice.",
        y=lambda v: v.x + v.h @ v.p["w_down"] + v.p["b_down"],
        dx=lambda v: v.dy + v.du @ v.p["w_up"].T,
    ),
    wrong(
        "past the activation on the way back",
        "On the way back the activation is passed by: its slope is missing between the two maps.",
        du=lambda v: v.dh,
    ),
    wrong(
        "the slope at the wrong place",
        "The slope of the activation is taken at h, what came out of it. It belongs to u, what went in.",
        du=lambda v: gpt.ACTIVATIONS[v.config.activation](v.h)[1](v.dh),
    ),
    wrong(
        "dw_down from u",
        "The gradient of w_down is made from u. The second map was given h, what comes out of the activation.",
        dw_down=lambda v: rows(v.u).T @ rows(v.dy),
    ),
    wrong(
        "dw_up and db_up before the slope",
        "The gradients of w_up and b_up are made from dh. They come from du, what is left of it after the activation.",
        dw_up=lambda v: rows(v.x).T @ rows(v.dh),
        db_up=lambda v: total(v.dh),
    ),
    wrong(
        "means for sums",
        "The gradients of p are means over the positions. The same p served every position, so their blame adds up.",
        dw_down=lambda v: rows(v.h).T @ rows(v.dy) / n(v),
        db_down=lambda v: total(v.dy) / n(v),
        dw_up=lambda v: rows(v.x).T @ rows(v.du) / n(v),
        db_up=lambda v: total(v.du) / n(v),
    ),
    wrong(
        "db over the batch alone",
        "The gradients of the biases are summed over the first axis alone. A bias served every position of every "
        "sequence: sum over all axes but the last.",
        db_down=lambda v: v.dy.sum(0),
        db_up=lambda v: v.du.sum(0),
    ),
    wrong(
        "dw for every sequence",
        "The gradients of the weights still have an axis for the sequences: all of them used the same weights, so they "
        "are added up.",
        dw_down=lambda v: v.h.swapaxes(-1, -2) @ v.dy,
        dw_up=lambda v: v.x.swapaxes(-1, -2) @ v.du,
    ),
    wrong(
        "no gradients for the biases",
        "There are no gradients for b_up and b_down, so that they never learn.",
        grads=lambda v: (v.dx, {"w_up": v.dw_up, "w_down": v.dw_down}),
    ),
    wrong(
        "dx through w_down alone",
        "dx is what comes out of the second map. It still has to go through the activation and the first one.",
        dx=lambda v: v.dh,
    ),
    wrong(
        "x changed in place",
        "x is written into. It belongs to the stream that flows past this layer.",
        y=shifted_in_place,
        dw_up=lambda v: rows(v.kept).T @ rows(v.du),
    ),
    wrong(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        grads=lambda v: (v.dx, {name: getattr(v, f"d{name}") for name in v.p}, in_place(v, "dy", lambda a: 0 * a))[:2],
    ),
)
