"""Where an answer and the truth differ: found with a tolerance, and shown in lines that can be followed by hand."""

import numpy as np

from ..trees import leaves

# By what share of the largest number a right answer may be off.  Whatever its order of steps, rounding stays far below
# that, and the mistakes of the bank are hundreds of times above: a test holds both ends.
TOLERANCE = {"float32": 1e-3, "float64": 1e-7}
SMALL = 8  # numbers; an array that has more is not printed whole


def tolerance(*arrays):
    """The share by which results may differ that are equal up to rounding, at the coarsest dtype among the arrays."""
    return TOLERANCE["float32" if any(a.dtype.itemsize < 8 for a in arrays) else "float64"]


def differing(got, want, share):
    """Which numbers of two arrays of one shape are not the same: a mask.  NaN and infinity are equal to themselves."""
    size = np.abs(want[np.isfinite(want)]).max(initial=1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - want) <= share * size
    return ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))


def equal(one, other):
    """Whether two dicts of arrays have the same keys, the same shapes and, up to rounding, the same numbers."""
    if one.keys() != other.keys() or any(one[key].shape != other[key].shape for key in one):
        return False
    return not any(differing(a, other[key], tolerance(a, other[key])).any() for key, a in one.items())


def plain_to_see(got, want):
    """Whether two dicts of arrays differ by more than a percent, so that the first digits show it."""
    if got.keys() != want.keys() or any(got[key].shape != w.shape for key, w in want.items()):
        return True
    return any(differing(got[key], w, 0.01).any() for key, w in want.items())


def first_fault(got, want, probe):
    """One line about the first array of a dict that is not what it should be, or None if all are."""
    for name, w in want.items():
        g = got[name]
        if g.shape != w.shape:
            return f"{name} has shape {g.shape}, but it must be {w.shape}"
        wrong = differing(g, w, tolerance(g, probe.dy))
        if wrong.any():
            return in_numbers(name, g, w, wrong, tree=len(want) > 1)
    return None


def in_numbers(name, got, want, wrong, tree):
    """expected ... yours ...: the whole array if it is small, else where it is worst."""
    if want.size <= SMALL:
        return f"{f'{name}: ' * tree}expected {show(want, got)}  yours {show(got, want)}"
    with np.errstate(invalid="ignore"):
        miss = np.where(np.isfinite(got), np.abs(got - want), np.inf)
    at = np.unravel_index(np.argmax(np.where(wrong, miss, -1.0)), got.shape)
    where = f"{name}[{', '.join(map(str, at))}]"
    return (
        f"{where}: expected {show(want[at], got[at])}  yours {show(got[at], want[at])}  "
        f"({wrong.sum()} of {wrong.size} numbers are off)"
    )


def inputs(probe, names, label=True):
    """What went in, on one line:  x = [[1. 3.]]  dy = [[1. 0.]]  Only shapes where that would be long."""
    options = {name: value for name, value in probe.options.items() if isinstance(value, (int, float))}
    given = {**probe.arrays, **options, "dy": probe.dy}
    shown = [pair for name in names if name in given for pair in leaves(given[name], name)]
    whole = all(np.size(a) <= SMALL for _, a in shown) and sum(np.size(a) for _, a in shown) <= 2 * SMALL
    words = []
    for path, a in shown:
        words.append(
            f"{path} = {a if isinstance(a, bool) else f'{a:.4g}'}"
            if np.ndim(a) == 0
            else f"{path} = {show(a)}"
            if whole
            else f"{path} {a.shape}"
        )
    return "  ".join([probe.label] * bool(label and probe.label) + words)


def show(array, beside=None):
    """An array on one line, with 4 digits, or with as many as show that it is not the same as the one beside it.

    Integers have all their digits and no dot, unless what is beside them has one.
    """
    if all(np.asarray(a).dtype.kind in "iu" for a in (array, array if beside is None else beside)):
        return str(np.asarray(array).tolist()).replace(",", "")
    array = np.asarray(array, float)
    beside = array if beside is None or np.shape(beside) != array.shape else np.asarray(beside, float)
    same = np.array_equal(array, beside, equal_nan=True)
    for digits in (4, 6, 9, 17):
        mine, other = (rounded(a, digits, largest(array, beside)) for a in (array, beside))
        if same or mine != other:
            break
    return mine


def rounded(array, digits, size):
    """The text of an array with so many significant digits; what is tiny beside `size` is 0."""
    if array.ndim:
        return f"[{' '.join(rounded(a, digits, size) for a in array)}]"
    number = 0.0 if abs(array) < size * 10.0**-digits else float(f"{array:.{digits}g}") + 0.0  # + 0.0: no -0
    usual = number == 0 or 1e-5 < abs(number) < 1e7
    return np.format_float_positional(number, trim=".") if usual else f"{number:.{digits}g}"


def largest(*arrays):
    """The largest finite size among the numbers of some arrays."""
    return max(np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays)
