"""Right answers to gelu, each written in another way: none of them may be refused."""

import math

import numpy as np


def loops(x, *, approximate="tanh"):
    """One number at a time."""
    y, slope = np.zeros(x.shape), np.zeros(x.shape)
    for n in np.ndindex(x.shape):
        z = float(x[n])
        if approximate == "none":
            cdf = 0.5 + math.erf(z / math.sqrt(2)) / 2
            pdf = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        else:
            t = math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))
            cdf, pdf = (1 + t) / 2, (1 - t * t) / 2 * math.sqrt(2 / math.pi) * (1 + 0.134145 * z * z)
        y[n], slope[n] = z * cdf, cdf + z * pdf
    return y, lambda dy: dy * slope


def with_scipy(x, *, approximate="tanh"):
    """The bell curve from SciPy, and tanh written with exp."""
    from scipy.special import expit, ndtr

    if approximate == "none":
        share, bell = ndtr(x), np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    else:
        u = np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)
        share = expit(u)
        bell = share * (1 - share) * np.sqrt(8 / np.pi) * (1 + 0.134145 * x**2)

    def backward(dy):
        return np.multiply(dy, share + x * bell)

    return np.multiply(x, share), backward


def one_division(x, *, approximate="tanh"):
    """y first, and the slope from y: y / x is the share, where x is not 0."""
    s = (
        np.vectorize(math.erf)(x / 2**0.5)
        if approximate == "none"
        else np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
    )
    y = 0.5 * x + 0.5 * x * s

    def backward(dy):
        if approximate == "none":
            ds = 2 * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        else:
            ds = (1 - s**2) * 0.7978845608028654 * (1 + 3 * 0.044715 * x**2)
        return 0.5 * dy + 0.5 * dy * s + 0.5 * x * ds * dy

    return y, backward


ANSWERS = (
    ("loops over single numbers", loops),
    ("SciPy's bell curve, and a logistic curve for tanh", with_scipy),
    ("multiplied out", one_division),
)
