"""Wrong answers to gelu that people really write; each has a step that is not the right one."""

import math
import types

import numpy as np

from ... import layers
from ...grader.exercise import Mistake

C, A = math.sqrt(2 / math.pi), 0.044715


def exact(x):
    """(cdf, pdf) of the bell curve."""
    return (1 + layers.erf(x / math.sqrt(2))) / 2, np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def through_tanh(x, c=C, bend=lambda x: x + A * x**3, slope=lambda x: 1 + 3 * A * x * x):
    """(cdf, pdf) of GPT-2's form, or of one with another inside."""
    t = np.tanh(c * bend(x))
    return (1 + t) / 2, (1 - t * t) / 2 * c * slope(x)


def either(x, approximate):
    """(cdf, pdf) of the form that is asked for."""
    return exact(x) if approximate == "none" else through_tanh(x)


# The steps of a right answer; v holds x and dy, cdf and pdf.
STEPS = types.SimpleNamespace(
    form=either,
    back_form=None,  # the same as there, unless it is written otherwise
    y=lambda v: v.x * v.cdf,
    slope=lambda v: v.cdf + v.x * v.pdf,
    dx=lambda v: v.dy * v.slope,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def gelu(x, *, approximate="tanh"):
        v = types.SimpleNamespace(x=x)
        v.cdf, v.pdf = do.form(x, approximate)
        y = do.y(v)

        def backward(dy):
            back = types.SimpleNamespace(x=v.x, y=y, dy=dy)
            back.cdf, back.pdf = (do.back_form or do.form)(v.x, approximate)
            back.slope = do.slope(back)
            return do.dx(back)

        return y, backward

    return Mistake(name, says, gelu)


def exact_with(cdf, pdf):
    """The exact form with another cdf and pdf; GPT-2's as it should be."""
    return lambda x, approximate: (cdf(x), pdf(x)) if approximate == "none" else through_tanh(x)


def tanh_with(**inside):
    """GPT-2's form with something else inside; the exact one as it should be."""
    return lambda x, approximate: exact(x) if approximate == "none" else through_tanh(x, **inside)


def two_exponentials(x, approximate):
    """tanh made of exp(u) and exp(-u), both of which leave the range of numbers."""
    if approximate == "none":
        return exact(x)
    u = C * (x + A * x**3)
    t = (np.exp(u) - np.exp(-u)) / (np.exp(u) + np.exp(-u))
    return (1 + t) / 2, (1 - t * t) / 2 * C * (1 + 3 * A * x * x)


def slope_at_y(v):
    """The slope of GPT-2's form where y is."""
    cdf, pdf = through_tanh(v.y)
    return cdf + v.y * pdf


def back_tanh_with(pdf):
    """GPT-2's form with another pdf on the way back; the exact one as it should be."""
    return lambda x, approximate: exact(x) if approximate == "none" else (through_tanh(x)[0], pdf(x))


def scaled_in_place(v):
    """y, written into x."""
    v.x *= v.cdf
    return np.array(v.x)


def blamed_in_place(v):
    """dx, written into dy."""
    v.dy *= v.slope
    return np.array(v.dy)


def sigmoid(x, approximate):
    """A logistic curve for the bell curve's."""
    s = 1 / (1 + np.exp(-1.702 * x))
    return s, 1.702 * s * (1 - s)


MISTAKES = (
    wrong(
        "a ReLU",
        "This is a ReLU: what is negative becomes 0, and the rest stays. GELU multiplies each number by the share of "
        "the bell curve below it.",
        form=lambda x, approximate: ((x > 0) * 1.0, 0 * x),
    ),
    wrong(
        "a sigmoid",
        "This is x * sigmoid(1.702 * x), a third form, which neither of the two names means.",
        form=sigmoid,
    ),
    wrong(
        "the exact form whatever is asked",
        'approximate is not looked at: this is the form with erf, also where "tanh" was asked for.',
        form=lambda x, approximate: exact(x),
    ),
    wrong(
        "the tanh form whatever is asked",
        'approximate is not looked at: this is the form with tanh, also where "none" was asked for.',
        form=lambda x, approximate: through_tanh(x),
    ),
    wrong(
        "erf there, tanh back",
        "On the way there it is the form with erf, and on the way back the slope of the form with tanh. The two differ "
        "in the fourth digit; a gradient belongs to its own forward pass.",
        back_form=lambda x, approximate: through_tanh(x),
    ),
    wrong(
        "tanh there, erf back",
        "On the way there it is the form with tanh, and on the way back the slope of the form with erf. The two differ "
        "in the fourth digit; a gradient belongs to its own forward pass.",
        back_form=lambda x, approximate: exact(x),
    ),
    wrong(
        "the share treated as a constant",
        "The slope is the share alone. But the share changes with x, too: by the product rule there is a second term, "
        "x times the slope of the share.",
        slope=lambda v: v.cdf,
    ),
    wrong(
        "the share's slope not times x",
        "The product rule says cdf + x * pdf. Here the second term is pdf, without x.",
        slope=lambda v: v.cdf + v.pdf,
    ),
    wrong(
        "only the share's slope",
        "The product rule has two terms, and the first is missing: y = x * cdf, so cdf itself is a part of the slope.",
        slope=lambda v: v.x * v.pdf,
    ),
    wrong(
        "y is the share",
        "This gives the share itself. What is due is x times the share.",
        y=lambda v: v.cdf,
        slope=lambda v: v.pdf,
    ),
    wrong(
        "not halved",
        "1 + erf and 1 + tanh run from 0 to 2. A share runs from 0 to 1: divide by 2.",
        y=lambda v: 2 * v.x * v.cdf,
        slope=lambda v: 2 * (v.cdf + v.x * v.pdf),
    ),
    wrong(
        "erf without the root of 2",
        "The share is (1 + erf(x / sqrt(2))) / 2. Here erf gets x itself.",
        form=exact_with(lambda x: (1 + layers.erf(x)) / 2, lambda x: np.exp(-x * x) / math.sqrt(math.pi)),
    ),
    wrong(
        "the bell curve without its factor",
        "The slope of the share is the bell curve, exp(-x * x / 2) divided by sqrt(2 * pi). The division is missing.",
        back_form=exact_with(lambda x: exact(x)[0], lambda x: np.exp(-x * x / 2)),
    ),
    wrong(
        "no cube",
        "The form with tanh is here without 0.044715 * x**3.",
        form=tanh_with(bend=lambda x: x, slope=lambda x: 1),
    ),
    wrong(
        "a square for the cube",
        "Inside of tanh stands x + 0.044715 * x**3. Here it is x**2.",
        form=tanh_with(bend=lambda x: x + A * x**2, slope=lambda x: 1 + 2 * A * x),
    ),
    wrong(
        "2 / pi without the root",
        "Inside of tanh stands sqrt(2 / pi). Here it is 2 / pi.",
        form=tanh_with(c=2 / math.pi),
    ),
    wrong(
        "the cube forgotten on the way back",
        "The slope of what stands inside of tanh is sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x). Here the second term is "
        "missing.",
        back_form=tanh_with(slope=lambda x: 1),
    ),
    wrong(
        "tanh's own slope forgotten",
        "On the way back the chain rule passes tanh, whose slope is 1 - tanh**2. It is missing.",
        back_form=lambda x, approximate: (
            exact(x) if approximate == "none" else (through_tanh(x)[0], C * (1 + 3 * A * x * x) / 2)
        ),
    ),
    wrong(
        "the half forgotten on the way back",
        "The slope of the share is half of (1 - tanh**2) times the slope of what stands inside. The half is missing.",
        back_form=back_tanh_with(lambda x: 2 * through_tanh(x)[1]),
    ),
    wrong(
        "the 3 forgotten",
        "The slope of 0.044715 * x**3 is 3 * 0.044715 * x**2. The 3 is missing.",
        back_form=tanh_with(slope=lambda x: 1 + A * x * x),
    ),
    wrong(
        "sqrt(2 / pi) forgotten on the way back",
        "What stands inside of tanh has the factor sqrt(2 / pi), and so has its slope. It is missing on the way back.",
        back_form=back_tanh_with(lambda x: through_tanh(x)[1] / C),
    ),
    wrong(
        "tanh from two exponentials",
        "exp(u) is too large for any number where x is 30, and inf / inf is not a number. np.tanh knows how to do "
        "without.",
        form=two_exponentials,
    ),
    wrong(
        "the slope at y",
        "The slope is taken at y, what came out. It belongs to x, what went in.",
        slope=slope_at_y,
    ),
    wrong(
        "a ReLU's slope",
        "This is the slope of a ReLU, 0 or 1. The slope of GELU is cdf + x * pdf.",
        slope=lambda v: (v.x > 0) * 1.0,
    ),
    wrong(
        "dy forgotten",
        "This is the slope. The gradient of x is the slope times dy, the gradient that came from above.",
        dx=lambda v: v.slope + 0 * v.dy,
    ),
    wrong(
        "x changed in place",
        "x is written into, and whoever gave it still needs it.",
        y=scaled_in_place,
    ),
    wrong(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        dx=blamed_in_place,
    ),
)
