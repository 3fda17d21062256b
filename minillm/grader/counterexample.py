"""Where an answer and the truth differ: found with a tolerance, and shown in lines that can be followed by hand."""

import numpy as np

from ..trees import leaves

# By what share of the largest number a right answer may be off.  Whatever its order of steps, rounding stays far below
# that, and the mistakes of the bank are hundreds of times above: a test holds both ends.
TOLERANCE = {"float32": 1e-3, "float64": 1e-7}
SMALL = 8  # numbers; an array that has more is not printed whole


def tolerance(*arrays):
    """The share by which results may differ that are equal up to rounding, at the coarsest dtype among the arrays."""
    return TOLERANCE["float32" if any(a.dtype.itemsize < 8 and a.dtype.kind == "f" for a in arrays) else "float64"]


def differing(got, want, share):
    """Which numbers of two arrays of one shape are not the same: a mask.  NaN and infinity are equal to themselves."""
    size = np.abs(want[np.isfinite(want)]).max(initial=1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        near = distance(got, want) <= share * size
    return ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))


def distance(got, want):
    """How far each number of two arrays is from the other; True is 1 here."""
    return np.abs(got - want.astype(float))


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
            return shapes(name, g, w)
        wrong = differing(g, w, tolerance(g, probe.dy))
        if wrong.any():
            return in_numbers(name, g, w, wrong, tree=len(want) > 1)
    return None


def shapes(name, got, want):
    """One line about an array that is not of the shape that it should have."""
    if want.ndim == 0:
        return f"{name} has shape {got.shape}, but it must be one number"
    if got.ndim == 0:
        return f"{name} is one number, but it must have shape {want.shape}"
    return f"{name} has shape {got.shape}, but it must be {want.shape}"


def in_numbers(name, got, want, wrong, tree):
    """expected ... yours ...: the whole array if it is small, else where it is worst."""
    if want.size <= SMALL:
        return f"{f'{name}: ' * tree}expected {show(want, got)}  yours {show(got, want)}"
    with np.errstate(invalid="ignore"):
        miss = np.where(np.isfinite(got), distance(got, want), np.inf)
    at = np.unravel_index(np.argmax(np.where(wrong, miss, -1.0)), got.shape)
    where = f"{name}[{', '.join(map(str, at))}]"
    return (
        f"{where}: expected {show(want[at], got[at])}  yours {show(got[at], want[at])}  "
        f"({wrong.sum()} of {wrong.size} numbers are off)"
    )


def inputs(probe, names, label=True):
    """What went in, on one line:  x = [[1. 3.]]  dy = [[1. 0.]]  Only shapes where that would be long."""
    options = {name: value for name, value in probe.options.items() if isinstance(value, (int, float))}
    given = {**probe.arrays, **options, probe.back: probe.dy}
    shown = [pair for name in names if name in given for pair in leaves(given[name], name)]
    whole = all(np.size(a) <= SMALL for _, a in shown) and sum(np.size(a) for _, a in shown) <= 2 * SMALL
    words = []
    for path, a in shown:
        words.append(
            f"{path} = {a if isinstance(a, bool) else in_digits(a)}"
            if np.ndim(a) == 0
            else f"{path} = {show(a)}"
            if whole
            else f"{path} {a.shape}"
        )
    return "  ".join([probe.label] * bool(label and probe.label) + words)


def show(array, beside=None):
    """An array on one line, with 4 digits, or with as many as show that it is not the same as the one beside it.

    Beside another, what is tiny is 0, and -0 is too; alone, every number is what it is.  Integers have all their
    digits and no dot, unless what is beside them has one.  True and False are these words.
    """
    alone, array = beside is None, np.asarray(array)
    beside = array if alone else np.asarray(beside)
    if array.dtype.kind == "b" or all(a.dtype.kind in "biu" or not a.size for a in (array, beside)):
        return str(array.tolist()).replace(",", "")
    array, beside = (np.asarray(a, float) for a in (array, beside if beside.shape == array.shape else array))
    size = min(1.0, largest(array, beside))
    same = np.array_equal(array, beside, equal_nan=True)
    for digits in (4, 6, 9, 17):
        mine, other = (rounded(a, digits, None if alone else size * 10.0**-digits) for a in (array, beside))
        if same or mine != other:
            break
    return mine


def rounded(array, digits, noise):
    """The text of an array, each number with so many significant digits, or whole.

    What is less than `noise` is 0, and -0 is too, unless it is None.
    """
    if array.ndim:
        return f"[{' '.join(rounded(a, digits, noise) for a in array)}]"
    whole = array == np.round(array) and abs(array) < 1e7
    number = float(f"{array:.{max(digits, 7) if whole else digits}g}")
    if noise is not None and (number == 0 or abs(array) < noise):
        number = 0.0
    usual = number == 0 or 1e-4 <= abs(number) < 1e7
    return np.format_float_positional(number, trim=".") if usual else f"{number:.{digits}g}"


def in_digits(number):
    """The text of one number: with all its digits if these are seven at most, else with 4."""
    whole = f"{number:.7g}"
    return whole if float(whole) == number else f"{number:.4g}"


def largest(*arrays):
    """The largest finite size among the numbers of some arrays."""
    return max(np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays)
