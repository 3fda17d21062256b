"""Wrong answers to residual that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ... import layers
from ...grader.exercise import Mistake


class Path:
    """What the steps below speak of: x, dy, and the two layers, there and back, which keep dnorm and dp as they go."""

    def __init__(self, layer, x, norm, p, eps, config, options):
        self.x, self.layer_of, self.parameters = x, layer, (norm, p)
        self.eps, self.config, self.options = eps, config, options
        self.dnorm, self.dp = {"g": 0 * norm["g"], "b": 0 * norm["b"]}, {name: 0 * w for name, w in p.items()}

    def norm(self, z):
        """layer norm, there."""
        g, b = self.parameters[0]["g"], self.parameters[0]["b"]
        y, self.norm_backward = layers.layer_norm(z, g, b, eps=self.eps)
        return y

    def layer(self, z):
        """The layer, there."""
        y, self.layer_backward = self.layer_of(z, self.parameters[1], config=self.config, **self.options)
        return y

    def back_norm(self, dy):
        """layer norm, back."""
        dx, dg, db = self.norm_backward(dy)
        self.dnorm = {"g": dg, "b": db}
        return dx

    def back_layer(self, dy):
        """The layer, back."""
        dx, self.dp = self.layer_backward(dy)
        return dx


def both_back(v):
    """Post-norm's way back."""
    ds = v.back_norm(v.dy)
    return ds + v.back_layer(ds)


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    order=lambda config: config.norm,
    eps=lambda config: config.eps,
    options=lambda options: options,
    pre=lambda v: v.x + v.layer(v.norm(v.x)),
    post=lambda v: v.norm(v.x + v.layer(v.x)),
    back_pre=lambda v: v.dy + v.back_norm(v.back_layer(v.dy)),
    back_post=both_back,
    grads=lambda v: (v.dx, v.dnorm, v.dp),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def residual(layer, x, norm, p, *, config, rng=None, **options):
        v = Path(layer, x, norm, p, do.eps(config), config, do.options(options))
        pre = do.order(config) == "pre"
        y = do.pre(v) if pre else do.post(v)

        def backward(dy):
            v.dy = dy
            v.dx = do.back_pre(v) if pre else do.back_post(v)
            return do.grads(v)

        return y, backward

    return Mistake(name, says, residual)


def added_in_place(stream, more):
    """stream += more, and the stream."""
    stream += more
    return stream


def past(step, d):
    """d as it is, although the step is taken."""
    step(d)
    return d


MISTAKES = (
    wrong(
        "skip path forgotten",
        "Only the branch is left: the stream itself must flow past it, x + layer(...).",
        pre=lambda v: v.layer(v.norm(v.x)),
        post=lambda v: v.norm(v.layer(v.x)),
        back_pre=lambda v: v.back_norm(v.back_layer(v.dy)),
        back_post=lambda v: v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "skip path forgotten on the way back",
        "Only the branch's blame comes back. x also went around it, so what arrived at the sum is added: dy + ...",
        back_pre=lambda v: v.back_norm(v.back_layer(v.dy)),
        back_post=lambda v: v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "skip path forgotten on the way back of pre-norm",
        "With pre-norm only the branch's blame comes back. x also went around it: dy + ...",
        back_pre=lambda v: v.back_norm(v.back_layer(v.dy)),
    ),
    wrong(
        "skip path forgotten on the way back of post-norm",
        "With post-norm only the branch's blame comes back. x also went around it, so what back_norm makes of dy is "
        "added.",
        back_post=lambda v: v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "skip path forgotten in pre-norm",
        "With pre-norm only the branch is left: the stream itself must flow past it, x + layer(norm(x)).",
        pre=lambda v: v.layer(v.norm(v.x)),
        back_pre=lambda v: v.back_norm(v.back_layer(v.dy)),
    ),
    wrong(
        "skip path forgotten in post-norm",
        "With post-norm only the branch is left: the stream itself must flow past it, norm(x + layer(x)).",
        post=lambda v: v.norm(v.layer(v.x)),
        back_post=lambda v: v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "branch walked forwards on the way back",
        "The way back of pre-norm goes through the norm first. It is the way there, walked backwards: back_layer, then "
        "back_norm.",
        back_pre=lambda v: v.dy + v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "branch forgotten on the way back",
        "Only the blame that went around comes back. x also went into the branch, and what comes out of that is added.",
        back_pre=lambda v: v.dy + 0 * v.back_norm(v.back_layer(v.dy)),
        back_post=lambda v: past(v.back_layer, v.back_norm(v.dy)),
    ),
    wrong(
        "skip path counted twice on the way back",
        "What went around the branch is added twice here. It went around once.",
        back_pre=lambda v: v.dy + v.dy + v.back_norm(v.back_layer(v.dy)),
        back_post=lambda v: v.back_norm(v.dy) + both_back(v),
    ),
    wrong(
        "the stream changed in place",
        "Something like x += a, and others still need the stream as it was: the way back of the layer before does.",
        pre=lambda v: added_in_place(v.x, v.layer(v.norm(v.x))),
        post=lambda v: v.norm(added_in_place(v.x, v.layer(v.x))),
    ),
    wrong(
        "dy changed in place",
        "Something like dy += dx, and whoever gave dy still needs it.",
        back_pre=lambda v: added_in_place(v.dy, v.back_norm(v.back_layer(v.dy))),
    ),
    wrong(
        "pre-norm and post-norm exchanged",
        "pre-norm and post-norm stand in each other's place: pre is x + layer(norm(x)), post is norm(x + layer(x)).",
        order=lambda config: "post" if config.norm == "pre" else "pre",
    ),
    wrong(
        "always pre-norm",
        'With config.norm = "post" this went the way of pre-norm. Its values are "pre" and "post", and "post" wants '
        "norm(x + layer(x)).",
        order=lambda config: "pre",
    ),
    wrong(
        "always post-norm",
        'With config.norm = "pre" this went the way of post-norm. Its values are "pre" and "post", and "pre" wants '
        "x + layer(norm(x)).",
        order=lambda config: "post",
    ),
    wrong(
        "norm on the skip path",
        "With pre-norm the branch alone is normalised. Here the stream is too, norm(x) + layer(norm(x)), so that each "
        "block loses the stream of those before it.",
        pre=lambda v: (lambda h: h + v.layer(h))(v.norm(v.x)),
        back_pre=lambda v: v.back_norm(v.dy + v.back_layer(v.dy)),
    ),
    wrong(
        "norm after the layer",
        "With pre-norm the norm comes before the layer. Here it comes after: x + norm(layer(x)).",
        pre=lambda v: v.x + v.norm(v.layer(v.x)),
        back_pre=lambda v: v.dy + v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "norm inside the branch of post-norm",
        "With post-norm the sum is normalised, norm(x + layer(x)). Here the branch alone is: x + norm(layer(x)).",
        post=lambda v: v.x + v.norm(v.layer(v.x)),
        back_post=lambda v: v.dy + v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "norm left out of pre-norm",
        "The layer is given x itself. With pre-norm it is given norm(x).",
        pre=lambda v: v.x + v.layer(v.x),
        back_pre=lambda v: v.dy + v.back_layer(v.dy),
    ),
    wrong(
        "norm left out of post-norm",
        "The sum is not normalised. With post-norm y is norm(x + layer(x)).",
        post=lambda v: v.x + v.layer(v.x),
        back_post=lambda v: v.dy + v.back_layer(v.dy),
    ),
    wrong(
        "past back_norm",
        "The blame goes past the norm: with pre-norm dx comes out of back_norm, with post-norm the sum is blamed with "
        "what comes out of it.",
        back_pre=lambda v: v.dy + past(v.back_norm, v.back_layer(v.dy)),
        back_post=lambda v: (lambda dy: dy + v.back_layer(dy))(past(v.back_norm, v.dy)),
    ),
    wrong(
        "dy around the branch of post-norm",
        "With post-norm the skip path ends inside the norm: not dy goes around, but what back_norm makes of it.",
        back_post=lambda v: v.dy + v.back_layer(v.back_norm(v.dy)),
    ),
    wrong(
        "dy into the branch of post-norm",
        "With post-norm the branch ends inside the norm: back_layer is given not dy, but what back_norm makes of it.",
        back_post=lambda v: v.back_norm(v.dy) + v.back_layer(v.dy),
    ),
    wrong(
        "an eps of its own",
        "config.eps is not handed to the layer norm, which then uses its usual one.",
        eps=lambda config: 1e-5,
    ),
    wrong(
        "options not passed on",
        "The layer does not get the options that were meant for it: layer(h, p, config=config, **options).",
        options=lambda options: {},
    ),
    wrong(
        "dnorm and dp exchanged",
        "dnorm and dp stand in each other's place: gradients come in the order of the arguments, dx, dnorm, dp.",
        grads=lambda v: (v.dx, v.dp, v.dnorm),
    ),
    wrong(
        "dnorm as a pair",
        'dnorm is a pair here. It has the keys of norm: {"g": dg, "b": db}.',
        grads=lambda v: (v.dx, (v.dnorm["g"], v.dnorm["b"]), v.dp),
    ),
    wrong(
        "dg and db exchanged in dnorm",
        'dg and db stand in each other\'s place: back_norm gives dx, dg, db, and dnorm is {"g": dg, "b": db}.',
        grads=lambda v: (v.dx, {"g": v.dnorm["b"], "b": v.dnorm["g"]}, v.dp),
    ),
    wrong(
        "no gradient for the norm",
        "The gradients of the norm's gain and shift are zeros here. back_norm gives them, beside dx.",
        grads=lambda v: (v.dx, {name: np.zeros_like(d) for name, d in v.dnorm.items()}, v.dp),
    ),
)
