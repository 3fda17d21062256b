"""check_gradients, the simple form: what it is asked, and what each part is worth."""

import numpy as np

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import check_gradients_right, check_gradients_wrong
from .little_layers import bend, cube, forgets_a_factor, identity, mean_square, mix, one_bare, product, running_sum


def check_gradients(layer, *arrays, dy, h=1e-6):
    """How far a layer's backward is from the central difference: for each array, the largest gap of any number of it.

    layer keeps the promise, and dy has the shape of its y -> a list of numbers, one for each array.
    """
    _, backward = layer(*arrays)
    grads = backward(dy)
    grads = grads if isinstance(grads, tuple) else (grads,)
    gaps = []
    for place, (array, grad) in enumerate(zip(arrays, grads, strict=True)):
        largest = 0.0
        for i in np.ndindex(array.shape):
            moved = []
            for step in (h, -h):
                other = array.copy()
                other[i] += step
                y, _ = layer(*arrays[:place], other, *arrays[place + 1 :])
                moved.append(np.sum(y * dy))
            slope = (moved[0] - moved[1]) / (2 * h)
            largest = max(largest, abs(slope - grad[i]))
        gaps.append(float(largest))
    return gaps


def along_the_axes(layer, *arrays, dy, h=1e-6):
    """One step along each axis of the space in which all numbers of an array are one point."""
    given = layer(*arrays)[1](dy)
    given = [given] if isinstance(given, np.ndarray) or np.isscalar(given) else list(given)
    loss = lambda n, moved: float((layer(*[moved if m == n else a for m, a in enumerate(arrays)])[0] * dy).sum())
    gaps = []
    for n, array in enumerate(arrays):
        steps = h * np.eye(array.size).reshape(-1, *array.shape)
        slopes = np.array([loss(n, array + step) - loss(n, array - step) for step in steps]) / (2 * h)
        gaps.append(np.max(np.abs(slopes - np.ravel(given[n]))))
    return gaps


def ask(part, layer, label, *arrays, dy, h, **options):
    """What is asked about a layer."""
    floats = [np.array(array, float) for array in arrays]
    names = [f"x{place}" if len(arrays) > 1 else "x" for place in range(len(arrays))]
    given = {"layer": layer, **dict(zip(names, floats, strict=True))}
    return Question(part, given, {"dy": np.array(dy, float), "h": h, **options}, label=f"{label}:")


def draw(rng):
    """Layers with one array and with several, right ones and wrong ones, at steps of several sizes."""
    for h in (0.5, 0.1, 1e-3):
        x = rng.normal(size=(2, 3))
        for layer, says in ((cube, "y = x * x * x"), (forgets_a_factor, "y = x * x, dx = x * dy")):
            yield ask("one array", layer, says, x, dy=rng.normal(size=x.shape), h=h)
        yield ask("one array", running_sum, "y = cumsum(x)", rng.normal(size=4), dy=rng.normal(size=4), h=h)
        w, b = rng.normal(size=(3, 2)), rng.normal(size=2)
        yield ask("several", mix, "y = x w + b, dw 1 too large", x, w, b, dy=rng.normal(size=(2, 2)), h=h)
        yield ask("several", bend, "y = tanh(x w)", x, w, dy=rng.normal(size=(2, 2)), h=h)


EXERCISE = Values(
    name="check_gradients",
    notebook="03_gradients",
    answer=check_gradients,
    spec=along_the_axes,
    parts=(
        Part("one array", 1.5, "the gap of a layer with one array"),
        Part("several", 1.5, "one gap for each array, in order"),
        Part("arguments", 1, "arrays and dy are left alone", needs=("one array", "several")),
    ),
    by_hand=(
        # (x + h)^2 - (x - h)^2 = 4 x h, so the central difference of a square is exact: 2 x
        ask("one array", forgets_a_factor, "y = x * x, dx = x * dy", [3], dy=[2], h=0.5),
        # that of a cube is 3 x^2 + h^2
        ask("one array", cube, "y = x * x * x, dx = 3 * x * x * dy", [2], dy=[1], h=1.0),
        ask("one array", forgets_a_factor, "y = x * x, dx = x * dy", [3, -1], dy=[1, 10], h=0.5),
        ask("one array", identity, "y is x itself, dx = dy", [3, 5], dy=[1, 2], h=0.5),
        ask("one array", cube, "y = x * x * x, dx = 3 * x * x * dy", [0.3, 0.7], dy=[1, -2], h=0.1),
        ask("one array", running_sum, "y = cumsum(x), dx = dy", [1, 2, 3], dy=[1, 10, 100], h=1.0),
        ask("one array", one_bare, "y = 2 * x, dx = 3 * dy", [[1, 2], [3, 4]], dy=[[1, 0], [2, 0]], h=1.0),
        ask("one array", mean_square, "y = mean(x * x), a number, dx = x * dy", [1, 2], dy=1, h=1.0),
        ask("several", product, "y = x0 * x1, dx1 = x1 * dy", [2, 3], [5, 1], dy=[1, 10], h=1.0),
    ),
    draw=draw,
    mistakes=check_gradients_wrong.MISTAKES,
    right=check_gradients_right.ANSWERS,
    hints=(
        "For every number of every array: move it alone, up by h and down by h, and weigh what comes out with dy. How "
        "much it changed, over how far you moved, is what backward should have said.",
        "Take a copy before you move anything: other = array.copy(); other[i] += h. Then call the layer with this copy "
        "in the place of the array: layer(*arrays[:place], other, *arrays[place + 1:]).",
        "np.ndindex(array.shape) goes through all places of an array. (up - down) / (2 * h), where up and down are "
        "np.sum(y * dy); of abs(slope - grad[i]) keep the largest. A single gradient is not in a tuple: make it one.",
    ),
    lines=16,
    minutes=25,
    difficulty=3,
)
