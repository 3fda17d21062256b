"""Where an answer and the truth differ: found with a tolerance, and shown on one line that can be followed by hand."""

import re

import numpy as np

from .trees import leaves

# The share of the largest number by which a right answer may miss.  Answers of the bank that are right, but computed in
# another order, miss by less than a hundredth of this; wrong ones by more than a hundredfold: a test holds both.
TOLERANCE = {"float32": 1e-4, "float64": 1e-7}
SMALL = 8  # numbers; an array with more is not printed whole


def tolerance(*arrays):
    """The share by which two results may differ that are equal up to rounding, at the coarsest dtype among them."""
    return TOLERANCE["float32" if any(a.dtype.itemsize < 8 for a in arrays) else "float64"]


def differing(got, want, tol):
    """Which numbers of two arrays of one shape are not the same: a mask.  NaN and infinity are equal to themselves."""
    size = np.abs(want[np.isfinite(want)])
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - want) <= tol * max(1.0, size.max(initial=0.0))
    return ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))


def equal(a, b, tol=0.0):
    """Whether two dicts of arrays have the same keys, the same shapes and, up to rounding, the same numbers."""
    if a.keys() != b.keys() or any(a[key].shape != b[key].shape for key in a):
        return False
    return not any(differing(a[key], b[key], max(tol, tolerance(a[key], b[key]))).any() for key in a)


def first_fault(got, want, tol):
    """(leaf, sentence) for the first array of a dict that is not what it should be, or None if all are."""
    for leaf, w in want.items():
        g = got[leaf]
        if g.shape != w.shape:
            return leaf, f"{leaf} has shape {g.shape}, but it must be {w.shape}"
        wrong = differing(g, w, max(tol, tolerance(g)))
        if wrong.any():
            return leaf, values(leaf, g, w, wrong)
    return None


def values(leaf, got, want, wrong):
    """expected ... yours ...: whole if it is small, else at the place where it is worst."""
    if want.size <= SMALL:
        return f"expected {show(want, got)}  yours {show(got, want)}"
    with np.errstate(invalid="ignore"):
        miss = np.where(np.isfinite(got), np.abs(got - want), np.inf)
    at = np.unravel_index(np.argmax(np.where(wrong, miss, -1)), got.shape)
    w, g = want[at], got[at]
    where = f"{leaf}[{', '.join(map(str, at))}]" if at else leaf
    share = f" ({wrong.sum()} of {wrong.size} numbers are off)"
    return f"{where}: expected {show(w, g)}, yours {show(g, w)}{share}"


def show(array, beside=None):
    """An array on one line, with 4 digits, or with as many as it takes to see that it differs from the one beside."""
    array = np.asarray(array, float)
    beside = array if beside is None or np.shape(beside) != array.shape else np.asarray(beside, float)
    same = np.array_equal(array, beside, equal_nan=True)
    for digits in (4, 6, 9, 17):
        one, other = (rounded(a, digits, array, beside) for a in (array, beside))
        if same or one != other:
            break
    return one


def rounded(array, digits, *scale):
    """The text of an array with so many significant digits; what is tiny beside the rest is 0."""
    sizes = np.concatenate([np.abs(a[np.isfinite(a)]).ravel() for a in scale])
    tiny = sizes.max(initial=0.0) * 10.0**-digits
    with np.errstate(invalid="ignore"):
        array = np.where(np.abs(array) < tiny, 0.0, array) + 0.0  # + 0.0: no -0
    array = np.array([float(f"{v:.{digits}g}") for v in array.ravel()]).reshape(array.shape)
    text = np.array2string(array, precision=17, floatmode="unique", threshold=100, max_line_width=10**6)
    return re.sub(r"\s+(?=\])|(?<=\[)\s+", "", re.sub(r"\s+", " ", text))


def inputs(probe, names):
    """What went in, on one line: x = [[1. 3.]]  dy = [[1. 0.]]; only shapes if it is not small."""
    given = {**probe.arrays, **{k: v for k, v in probe.options.items() if isinstance(v, (int, float))}, "dy": probe.dy}
    shown = [(path, a) for name in names if name in given for path, a in leaves(given[name], name)]
    whole = sum(np.size(a) for _, a in shown) <= 3 * SMALL and all(np.size(a) <= SMALL for _, a in shown)
    words = [f"{path} = {show(a)}" if whole or np.ndim(a) == 0 else f"{path} {a.shape}" for path, a in shown]
    return "  ".join(([f"{probe.label}:"] if probe.label else []) + words)
