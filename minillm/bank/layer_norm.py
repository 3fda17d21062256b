"""layer_norm, there and back: its probes, the mistakes that people make in it, and right answers in other styles."""

import numpy as np

from .. import layers, specs
from ..exercise import Mistake, Part, Probe
from ..there_and_back import ThereAndBack


def mean(z):
    """Over the channels."""
    return z.mean(-1, keepdims=True)


def total(z):
    """Over all positions: what one channel's gain or shift has to answer for."""
    return z.reshape(-1, z.shape[-1]).sum(0)


# Each step as it should be.  A mistake below is the layer with one of them written in another way.
STEPS = {
    "mean": lambda x: mean(x),
    "var": lambda deviation: mean(deviation**2),
    "rstd": lambda var, eps: 1 / np.sqrt(var + eps),
    "y": lambda g, xhat, b: g * xhat + b,
    "dxhat": lambda dy, g: dy * g,
    "dx": lambda dxhat, xhat, rstd, dy, x: rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)),
    "dg": lambda dy, xhat, x: total(dy * xhat),
    "db": lambda dy: total(dy),
    "order": lambda dx, dg, db: (dx, dg, db),
}


def wrong(name, says, **steps):
    """The Mistake that has these steps instead of the right ones."""
    do = {**STEPS, **steps}

    def layer_norm(x, g, b, *, eps=1e-5):
        deviation = x - do["mean"](x)
        rstd = do["rstd"](do["var"](deviation), eps)
        xhat = deviation * rstd

        def backward(dy):
            dxhat = do["dxhat"](dy, g)
            dx = do["dx"](dxhat, xhat, rstd, dy, x)
            return do["order"](dx, do["dg"](dy, xhat, x), do["db"](dy))

        return do["y"](g, xhat, b), backward

    return Mistake(name, says, layer_norm)


def shift_in_place(x, g, b, *, eps=1e-5):
    """x -= mean."""
    x -= mean(x)
    rstd = 1 / np.sqrt(mean(x * x) + eps)
    xhat = x * rstd

    def backward(dy):
        dxhat = dy * g
        return rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), total(dy * xhat), total(dy)

    return g * xhat + b, backward


def blame_in_place(x, g, b, *, eps=1e-5):
    """dy *= g."""
    xhat = x - mean(x)
    rstd = 1 / np.sqrt(mean(xhat * xhat) + eps)
    xhat = xhat * rstd

    def backward(dy):
        dg, db = total(dy * xhat), total(dy)
        dy *= g
        return rstd * (dy - mean(dy) - xhat * mean(dy * xhat)), dg, db

    return g * xhat + b, backward


def overwritten(x, g, b, *, eps=1e-5):
    """xhat *= g; xhat += b; and backward still says xhat."""
    xhat = x - mean(x)
    rstd = 1 / np.sqrt(mean(xhat * xhat) + eps)
    xhat *= rstd
    xhat *= g
    xhat += b

    def backward(dy):
        dxhat = dy * g
        return rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), total(dy * xhat), total(dy)

    return xhat, backward


MISTAKES = (
    wrong(
        "eps outside the root",
        "eps belongs inside: sqrt(var + eps), not sqrt(var) + eps.",
        rstd=lambda var, eps: 1 / (np.sqrt(var) + eps),
    ),
    wrong(
        "no eps", "Without eps, numbers that are all alike are divided by 0.", rstd=lambda var, eps: 1 / np.sqrt(var)
    ),
    wrong(
        "variance treated as a constant",
        "This is what comes out when the variance is treated as a constant: x changes rstd too.",
        dx=lambda dxhat, xhat, rstd, dy, x: rstd * (dxhat - mean(dxhat)),
    ),
    Mistake("x changed in place", "x -= mean changes the caller's array.", shift_in_place),
    Mistake("dy changed in place", "dy *= g changes the caller's array.", blame_in_place),
    Mistake("xhat overwritten", "xhat *= g writes over what backward still needs.", overwritten),
)


def draw(rng):
    """Numbers of many sizes, in one to four axes."""
    for i, shape in enumerate([(2, 3, 5), (4, 7), (3,), (2, 1, 3, 4), (5, 2), (1, 6, 3), (2, 2, 9), (3, 1)] * 2):
        C = shape[-1]
        scale = (1.0, 0.01, 10.0)[i % 3]
        x = scale * rng.normal(size=shape) + rng.normal()
        options = {} if i % 2 else {"eps": float(rng.uniform(0.01, 2))}
        yield Probe({"x": x, "g": rng.normal(size=C), "b": rng.normal(size=C)}, rng.normal(size=shape), options)


def by_hand(x, dy, g=(1, 1), b=(0, 0), **options):
    """A probe that can be followed on paper."""
    floats = lambda numbers: np.array(numbers, float)
    return Probe({"x": floats(x), "g": floats(g), "b": floats(b)}, floats(dy), options)


EXERCISE = ThereAndBack(
    name="layer_norm",
    notebook="06_layer_norm",
    answer=layers.layer_norm,
    spec=specs.layer_norm,
    parts=(
        Part("y", 1, "equals the definition on {drawn} random shapes", ("x", "g", "b", "eps")),
        Part("dx", 2, "agrees with finite differences", ("x", "g", "dy", "eps")),
        Part("dg", 0.5, "agrees with finite differences", ("x", "dy", "eps")),
        Part("db", 0.5, "agrees with finite differences", ("dy",)),
        Part("arguments", 1, "are left alone, and what is returned is new", needs=("dx", "dg", "db")),
    ),
    by_hand=(
        by_hand([[1, 3]], [[1, 0]]),
        by_hand([[1, 3]], [[1, 0]], eps=3.0),  # the variance is 1, so the root is 2
        by_hand([[5, 5]], [[1, 0]]),
    ),
    draw=draw,
    mistakes=MISTAKES,
    hints=("", "", ""),
    lines=6,
    minutes=25,
    difficulty=3,
)
