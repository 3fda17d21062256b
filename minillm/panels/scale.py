"""A panel: why attention divides its scores by the root of d.

from minillm.panels import scale
scale.show()
"""

import functools
import math

import numpy as np

from .. import layers, plots, widgets
from ..canvas import GREY
from ..describe import number

DIVISORS = {"1": lambda d: 1.0, "√d": math.sqrt, "d": float}
SIZES = tuple(2**i for i in range(10))  # 1, 2, 4, ... 512
KEYS = 16


def attend(d, divisor, *, queries=200, keys=KEYS, seed=0):
    """What random queries and keys of d channels make of attention, if q . k is divided by "1", "√d" or "d".

    All channels are standard normal, and so is the gradient that reaches the weights.  Returns a dict: "spread", the
    standard deviation of the scores; "entropy", of a query's weights, in nats, averaged over the queries; "largest",
    the largest weight of a query, averaged; "gradient", the length of the gradient that a query sends to a key, for
    the median pair of the two.  ValueError for any other divisor.
    """
    if divisor not in DIVISORS:
        raise ValueError(f"the divisor must be one of {', '.join(DIVISORS)}, not {divisor!r}.")
    rng = np.random.default_rng(seed)
    dweights = rng.standard_normal((queries, keys))
    q, k = rng.standard_normal((queries, d)), rng.standard_normal((queries, keys, d))  # each query has keys of its own
    factor = 1 / DIVISORS[divisor](d)
    scores = np.einsum("td,tsd->ts", q, k) * factor
    weights, back_softmax = layers.softmax(scores)
    lengths = abs(back_softmax(dweights)) * factor * np.sqrt((q**2).sum(-1, keepdims=True))  # dk = dscore * factor * q
    return {
        "spread": float(scores.std()),
        "entropy": float(entropy(weights).mean()),
        "largest": float(weights.max(-1).mean()),
        "gradient": float(np.median(lengths)),
    }


def entropy(weights):
    """How evenly weights are shared out, in nats: 0 if one has all, the logarithm of their number if all are equal.

    weights (..., S), each row summing to 1 -> (...).  A weight of 0 adds nothing.
    """
    return -(weights * np.log(np.where(weights > 0, weights, 1))).sum(-1)


@functools.cache
def found():
    """{(divisor, d): what attend gives}, for all that the panel can show."""
    return {(divisor, d): attend(d, divisor) for divisor in DIVISORS for d in SIZES}


def draw(d, divisor):
    """The figure of the panel for one d and one divisor, and a sentence with its numbers."""
    names = {f"divided by {other}": other for other in DIVISORS}
    beside = [name for name, other in names.items() if other != divisor]
    curve = lambda what: {name: [found()[other, n][what] for n in SIZES] for name, other in names.items()}
    look = {"x_label": "d, channels of a query", "log_x": True, "beside": beside}
    with plots.style():
        places = [[x, 0.14, 0.265, 0.72] for x in (0.085, 0.6)]
        figure, (left, right) = plots.canvas(1, 2, height=3.5, places=places)
        title = "Entropy of the weights"
        plots.curves(SIZES, curve("entropy"), title=title, y_label="nats", y_range=(0, 3), ax=left, **look)
        look |= {"log_y": True, "y_range": (1e-20, 10)}
        plots.curves(
            SIZES, curve("gradient"), title="Gradient of a typical key", y_label="length of dk", ax=right, **look
        )
        for ax in (left, right):
            ax.set_xticks([1, 8, 64, 512], ["1", "8", "64", "512"])
            ax.minorticks_off()
            ax.axvline(d, color=GREY, linewidth=1, zorder=0, label="_d")
    now, even = found()[divisor, d], math.log(KEYS)
    words = {"1": "as they are", "√d": "divided by √d", "d": "divided by d"}[divisor]
    return figure, (
        f"d = {d}, scores {words}: their spread is {number(now['spread'])}. Of {KEYS} keys the first gets "
        f"{now['largest']:.0%} of the attention; the entropy of the weights is {number(now['entropy'])} of at most "
        f"{number(even)} nats; "
        f"and the gradient that reaches a typical key has length {number(now['gradient'])}."
    )


def show():
    """A slider for d, and a choice of what the scores are divided by, which begins with nothing."""
    import ipywidgets

    d = ipywidgets.SelectionSlider(options=SIZES, value=64)
    divisor = ipywidgets.ToggleButtons(options=[*DIVISORS], value="1", style={"button_width": "auto"})
    widgets.panel(draw, d=d, divisor=divisor)
