"""Wrong answers to check_gradients that people really write; each has one step that is not the right one."""

import numpy as np

from ...grader.exercise import Mistake


def central(loss, array, i, h):
    """The change from one step below to one step above, over both steps."""
    return (loss(moved(array, i, h)) - loss(moved(array, i, -h))) / (2 * h)


def moved(array, i, step):
    """A copy in which one number is moved; or all of them, where i is ... ."""
    other = array.copy()
    other[i] += step
    return other


def in_a_tuple(grads):
    """A layer with one array gives its gradient alone."""
    return grads if isinstance(grads, tuple) else (grads,)


def weighed(y, dy):
    """What a change of y does to the loss."""
    return np.sum(y * dy)


def wrong(name, says, *, large=False, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    steps = {"slope": central, "gaps": np.abs, "most": np.max, "tuple_of": in_a_tuple, "weigh": weighed} | steps

    def check_gradients(layer, *arrays, dy, h=1e-6):
        asked = steps.get("dy", lambda dy: dy)(dy)
        grads = steps["tuple_of"](layer(*arrays)[1](asked))
        found = []
        for n, (array, grad) in enumerate(zip(arrays, grads, strict=True)):

            def loss(other, n=n):
                return steps["weigh"](layer(*arrays[:n], other, *arrays[n + 1 :])[0], dy)

            h = steps.get("h", lambda h: h)(h)
            slopes = np.array([steps["slope"](loss, array, i, h) for i in np.ndindex(array.shape)])
            found.append(float(steps["most"](steps["gaps"](slopes - grad.reshape(-1)))))
        return steps.get("all", lambda found: found)(found)

    return Mistake(name, says, check_gradients, large)


def by_the_way_it_came(loss, array, i, h):
    """Each number is moved in the array itself, and put back by the way it came."""
    array[i] += h
    up = loss(array)
    array[i] -= 2 * h
    down = loss(array)
    array[i] += h
    return (up - down) / (2 * h)


def staying(layer, *arrays, dy, h=1e-6):
    """One copy for all numbers, and none of them is put back."""
    grads = in_a_tuple(layer(*arrays)[1](dy))
    found = []
    for n, (array, grad) in enumerate(zip(arrays, grads, strict=True)):
        other, largest = array.copy(), 0.0
        for i in np.ndindex(array.shape):
            other[i] += h
            up = weighed(layer(*arrays[:n], other, *arrays[n + 1 :])[0], dy)
            other[i] -= 2 * h
            down = weighed(layer(*arrays[:n], other, *arrays[n + 1 :])[0], dy)
            largest = max(largest, abs((up - down) / (2 * h) - grad[i]))
        found.append(float(largest))
    return found


def never_put_back(layer, *arrays, dy, h=1e-6):
    """Each number is moved in the array itself, and stays there, for the arrays that follow too."""
    grads = in_a_tuple(layer(*arrays)[1](dy))
    found = []
    for array, grad in zip(arrays, grads, strict=True):
        largest = 0.0
        for i in np.ndindex(array.shape):
            array[i] += h
            up = weighed(layer(*arrays)[0], dy)
            array[i] -= 2 * h
            down = weighed(layer(*arrays)[0], dy)
            largest = max(largest, abs((up - down) / (2 * h) - grad[i]))
        found.append(float(largest))
    return found


def walked_through(layer, *arrays, dy, h=1e-6):
    """A single gradient is gone through as if it were a tuple, and its first row taken for the gradient."""
    found = []
    for n, (array, grad) in enumerate(zip(arrays, layer(*arrays)[1](dy), strict=False)):
        loss = lambda other, n=n: weighed(layer(*arrays[:n], other, *arrays[n + 1 :])[0], dy)
        gaps = [abs(central(loss, array, i, h) - grad[i]) for i in np.ndindex(array.shape)]
        found.append(float(max(gaps)))
    return found


def kept_as_y(layer, *arrays, dy, h=1e-6):
    """Moved in one copy, with y kept before and after; a layer may return its argument itself."""
    grads = in_a_tuple(layer(*arrays)[1](dy))
    found = []
    for n, (array, grad) in enumerate(zip(arrays, grads, strict=True)):
        other, largest = array.copy(), 0.0
        for i in np.ndindex(array.shape):
            other[i] = array[i] + h
            up = layer(*arrays[:n], other, *arrays[n + 1 :])[0]
            other[i] = array[i] - h
            down = layer(*arrays[:n], other, *arrays[n + 1 :])[0]
            largest = max(largest, abs(np.sum((up - down) / (2 * h) * dy) - grad[i]))
            other[i] = array[i]
        found.append(float(largest))
    return found


MISTAKES = (
    wrong(
        "one step up alone",
        "This is a one-sided difference, (up - here) / h. It is off by about h times half of the second derivative; "
        "from both sides, (up - down) / (2 h), that error cancels.",
        slope=lambda loss, a, i, h: (loss(moved(a, i, h)) - loss(a)) / h,
    ),
    wrong(
        "divided by h",
        "From x - h to x + h it is 2 h, but the change is divided by h here.",
        slope=lambda loss, a, i, h: 2 * central(loss, a, i, h),
    ),
    wrong(
        "down minus up",
        "The change has the wrong sign: it is what comes out after a step up, less what comes out after a step down.",
        slope=lambda loss, a, i, h: -central(loss, a, i, h),
    ),
    wrong(
        "dy not used",
        "The changes of y are added up as they are. Each counts as much as dy says: np.sum(y * dy).",
        weigh=lambda y, dy: np.sum(y),
    ),
    wrong(
        "ones for dy",
        "backward was asked with ones in the place of dy. Both sides need the same dy.",
        dy=np.ones_like,
    ),
    wrong(
        "all numbers moved at once",
        "All numbers of the array are moved together here, so that their slopes are added up. Move one at a time.",
        slope=lambda loss, a, i, h: central(loss, a, ..., h),
    ),
    wrong(
        "an h of its own",
        "The h that is handed in is not used: the step has a size of its own here.",
        h=lambda h: 1e-6,
    ),
    wrong(
        "a sign in the gap",
        "The gap has a sign here, so that a gradient that is too large never counts: abs() is missing.",
        gaps=lambda gaps: gaps,
    ),
    wrong(
        "mean of the gaps",
        "This is the mean of the gaps. One number of a thousand may be wrong and hardly change it: take the largest.",
        most=np.mean,
    ),
    wrong(
        "sum of the gaps",
        "This is the sum of the gaps. The largest one is asked for.",
        most=np.sum,
    ),
    wrong(
        "one gap for all",
        "This is the largest gap of all arrays. Each array has its own, so that one sees which gradient is wrong.",
        all=max,
    ),
    wrong(
        "a single gradient taken apart",
        "A layer with one array gives its gradient alone, not in a tuple. Here it was taken apart, row by row.",
        tuple_of=lambda grads: grads if isinstance(grads, tuple) else tuple(np.atleast_1d(grads)),
    ),
    Mistake(
        "not put back",
        "Each number stays where the step down has left it, while the next one is moved. Move one number at a time, "
        "and start from the array as it was given.",
        staying,
    ),
    Mistake(
        "never put back",
        "Each number stays where the step down has left it, and the arrays that follow are tried beside moved ones. "
        "Move one number at a time, in a copy, and start from the arrays as they were given.",
        never_put_back,
    ),
    Mistake(
        "a single gradient taken for a tuple",
        "A layer with one array gives its gradient alone, not in a tuple. Here its first row was taken for the whole.",
        walked_through,
    ),
    Mistake(
        "two names for one array",
        "The layer may return its argument itself. If the same array is moved up and then down, y after the step up "
        "has moved too: weigh it with dy, or copy it, before the next step.",
        kept_as_y,
    ),
    wrong(
        "put back by the way it came",
        "The array itself was moved, up, down and up again. In floating point x + h - 2 h + h is not always x: move a "
        "copy.",
        slope=by_the_way_it_came,
    ),
)
