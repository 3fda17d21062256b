"""Numbers in 16 bits, emulated on any machine: what a format holds and how it rounds, and the scale of the loss.

A floating-point number is a sign, an exponent and a fraction:  +-(1 + fraction / 2^f) 2^(exponent - bias),
or, where all bits of the exponent are 0, +-(fraction / 2^f) 2^(1 - bias), which is called subnormal.  IEEE 754-2019
"""

import contextlib
import dataclasses

import numpy as np

from . import layers
from .check import using
from .trees import leaves


@dataclasses.dataclass(frozen=True)
class Format:
    """A way to write numbers, by the bits that its exponent and its fraction have; one more is the sign."""

    name: str
    exponent: int
    fraction: int

    @property
    def bias(self):
        """What is taken off the exponent that is stored."""
        return 2 ** (self.exponent - 1) - 1

    @property
    def largest(self):
        """The largest number that is not infinite."""
        return (2 - 2.0**-self.fraction) * 2.0**self.bias

    @property
    def normal(self):
        """The smallest positive number with all bits of its fraction.  Below it, the gaps grow no smaller."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest(self):
        """The smallest positive number.  What is at most half of it becomes 0."""
        return self.normal * 2.0**-self.fraction

    def round(self, x):
        """The nearest number of this format to each of x, as float32; of two that are equally near, the even one.

        What lies beyond the largest number by half a gap or more becomes infinite.  Returns a new array, float32.
        """
        x = np.asarray(x, np.float32)
        bits = x.view(np.uint32)
        cut = 23 - self.fraction  # bits of float32's fraction that there is no room for
        if not cut:
            return x.copy()
        half = np.uint32(2 ** (cut - 1) - 1)
        even = (bits >> np.uint32(cut)) & np.uint32(1)
        y = ((bits + (half + even)) & np.uint32(2**32 - 2**cut)).view(np.float32)
        if self.exponent < 8:
            size = np.abs(x)
            coarse = np.float32(1.5 * 2**23 * self.smallest)  # beside it, float32 has the gaps of our subnormals
            y = np.where(size < self.normal, np.copysign((size + coarse) - coarse, x), y)
            y = np.where(np.abs(y) > self.largest, np.copysign(np.float32(np.inf), x), y)
        return np.where(np.isnan(x), x, y)


# By the names that a recipe's `precision` has; NumPy knows fp32 and fp16.
FORMATS = {
    name: Format(name, exponent, fraction)
    for name, exponent, fraction in (("fp32", 8, 23), ("tf32", 8, 10), ("bf16", 8, 7), ("fp16", 5, 10))
}


def to_bfloat16(x):
    """The 16 bits of the bfloat16 that is nearest to each float32 of x; of two that are equally near, the even one.

    They are the upper half of float32's bits: 1 of sign, 8 of exponent, 7 of fraction.  A NaN becomes 0x7FC0.
    x (...) float32 -> (...) uint16, since NumPy has no bfloat16.
    """
    bits = x.view(np.uint32)
    even = (bits >> np.uint32(16)) & np.uint32(1)  # a tie goes up from an odd pattern, and down to an even one
    rounded = (bits + (np.uint32(0x7FFF) + even)) >> np.uint32(16)  # what overflows the fraction moves the exponent on
    return np.where(np.isnan(x), 0x7FC0, rounded).astype(np.uint16)


def from_bfloat16(bits):
    """The float32 that each bfloat16 is.  bits (...) uint16 -> (...) float32"""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def unscale(grads, state, *, patience=1000):
    """Turn the gradients of scale * loss into those of the loss, in place, and look after the scale.

    state = {"scale": ..., "good": ...}: the scale, and how many steps were good since it last changed.  In place, too:
        all numbers of grads finite   grads = grads / scale, one more good step; after `patience` of them in a row the
                                      scale is doubled, and they are counted from 0
        infinite or NaN somewhere     the scale is halved, and good steps are counted from 0
    Returns whether the step may be taken: True in the first case, and False in the second, where it is to be skipped.
    arXiv:1710.03740, section 3.2; the rule is that of PyTorch's GradScaler, which doubles after 2,000.
    """
    arrays = [a for _, a in leaves(grads)]
    if not all(np.isfinite(a).all() for a in arrays):
        state["scale"] /= 2
        state["good"] = 0
        return False
    for a in arrays:
        a /= state["scale"]
    state["good"] += 1
    if state["good"] == patience:
        state["scale"] *= 2
        state["good"] = 0
    return True


ROUNDED = "linear embedding layer_norm gelu relu dropout softmax rotary attention".split()


@contextlib.contextmanager
def emulated(name):
    """Let every layer work in one of FORMATS:  with emulated("fp16"): loss, backward = gpt.loss(...)

    What goes into a layer and what comes out of it is rounded, on the way up and on the way down; inside, sums are
    float32's, as in a tensor core.  The residual stream and the loss are float32.  The numbers stay float32 arrays.
    """
    r = FORMATS[name].round
    with using(layers, **{layer: _rounded(getattr(layers, layer), r) for layer in ROUNDED}):
        with np.errstate(over="ignore", invalid="ignore"):
            yield


def _rounded(layer, r):
    """The same layer, with its arguments, its result and its gradients rounded by r."""

    def narrow(*arrays, **options):
        y, back = layer(*map(r, arrays), **options)

        def backward(dy):
            grads = back(r(dy))
            return tuple(map(r, grads)) if isinstance(grads, tuple) else r(grads)

        return r(y), backward

    return narrow
