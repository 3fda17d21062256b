"""residual, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import gpt, specs
from ...config import Config
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import residual_right, residual_wrong


def square(h, p, *, config, scale=1.0):
    """A layer for pencil and paper: scale * w * h * h, each channel by itself."""

    def backward(dy):
        return 2 * scale * p["w"] * h * dy, {"w": (scale * h * h * dy).reshape(-1, h.shape[-1]).sum(0)}

    return scale * p["w"] * h * h, backward


def bend(h, p, *, config, scale=1.0):
    """A layer that mixes the channels: scale * tanh(h w)."""
    t = np.tanh(h @ p["w"])

    def backward(dy):
        dz = (scale * dy * (1 - t * t)).reshape(-1, t.shape[-1])
        return (dz @ p["w"].T).reshape(h.shape), {"w": h.reshape(-1, h.shape[-1]).T @ dz}

    return scale * t, backward


def meaning(layer, x, norm, p, *, config, rng=None, **options):
    """What a residual is, with the layer norm in loops."""
    normalise = lambda z: specs.layer_norm(z, norm["g"], norm["b"], eps=config.eps)
    if config.norm == "pre":
        return x + layer(normalise(x), p, config=config, **options)[0]
    return normalise(x + layer(x, p, config=config, **options)[0])


def probe(layer, label, x, dy, norm, p, *, order, eps=1e-5, **options):
    """What is asked of a residual around this layer; `order` is the config's norm, "pre" or "post"."""
    config = Config(norm=order, eps=eps, width=x.shape[-1], n_head=1, ffn_width=5)
    at = "" if eps == 1e-5 else f" with eps = {eps:g}"
    arrays = {"x": x, "norm": norm, "p": p}
    return Probe(arrays, dy, {"config": config, **options}, (layer,), f"{order}-norm{at}, layer(h) = {label}:")


def by_hand(x, w, g=(1, 1), b=(0, 0), dy=((1, 0),), **options):
    """A probe that can be followed on paper."""
    floats = lambda numbers: np.array(numbers, float)
    norm, p = {"g": floats(g), "b": floats(b)}, {"w": floats(w)}
    label = "scale * w * h * h" if "scale" in options else "w * h * h"
    return probe(square, label, floats([x]), floats([dy]), norm, p, **options)


def draw(rng):
    """Pre-norm and post-norm in turn, around two layers that mix the channels, one of them gpt.ffn."""
    for i, (B, T, C) in enumerate([(2, 3, 5), (1, 4, 2), (3, 1, 4), (1, 2, 3), (2, 2, 6), (1, 1, 3)] * 2):
        x, dy = rng.normal(size=(2, B, T, C))
        g, b = rng.normal(size=(2, C))
        options = {"eps": float(rng.uniform(0.1, 2))} if i % 4 > 1 else {}
        if i % 3 == 0:
            shapes = {"w_up": (C, 5), "b_up": (5,), "w_down": (5, C), "b_down": (C,)}
            layer, label, p = gpt.ffn, "ffn(h)", {name: rng.normal(size=shape) for name, shape in shapes.items()}
        else:
            layer, label, p = bend, "scale * tanh(h w)", {"w": rng.normal(size=(C, C))}
            options |= {"scale": float(rng.uniform(0.5, 2))} if i % 3 == 1 else {}
        yield probe(layer, label, x, dy, {"g": g, "b": b}, p, order=("pre", "post")[i % 2], **options)


GIVEN = ("x", "norm", "p", "scale")

EXERCISE = ThereAndBack(
    name="residual",
    notebook="06_layer_norm",
    answer=gpt.residual,
    spec=meaning,
    parts=(
        Part("y", 1, "equals the definition for {drawn} random arrays, pre-norm and post-norm", shows=GIVEN),
        Part("dx", 2, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("dnorm", 0.5, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("dp", 0.5, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("arguments", 1, "are left alone, and all results are new", needs=("dx", "dnorm", "dp")),
    ),
    by_hand=(
        # the variance is 1, so that the root is 2; then, for post-norm, 0.25, so that it is 1
        by_hand((((1, 3),)), (4, 4), order="pre", eps=3.0),
        by_hand((((1, 3),)), (1, 0), order="post", eps=0.75),
        by_hand((((1, 3),)), (4, 4), order="pre", eps=3.0, scale=2.0),
        by_hand((((1, 3),)), (4, 8), (1, 2), (0, 1), order="pre", eps=3.0),
        by_hand((((1, 3),)), (1, 0), (1, 2), (0, 1), order="post", eps=0.75),
    ),
    draw=draw,
    mistakes=residual_wrong.MISTAKES,
    right=residual_right.ANSWERS,
    hints=(
        "On the way there the stream parts in two, and the two are added. An addition hands its blame to both sides, "
        "unchanged; where the stream parted, the two blames come together again: they are added.",
        "Read the way there upwards. For pre-norm: dy goes through back_layer, then through back_norm, and is added to "
        "the dy that went around. For post-norm the norm comes first on the way back; both sides get what it gives.",
        "pre-norm: dh, dp = back_layer(dy); dx, dg, db = back_norm(dh); return dy + dx, ...   "
        "post-norm: ds, dg, db = back_norm(dy); dx, dp = back_layer(ds); return ds + dx, ...",
    ),
    lines=16,
    minutes=30,
    difficulty=3,
)
