"""Right answers to check_gradients, each written in another way: none of them may be refused."""

import numpy as np


def moved_and_put_back(layer, *arrays, dy, h=1e-6):
    """Each number is moved where it lies, in arrays of our own, and put back as it was."""
    arrays = [np.array(a) for a in arrays]
    grads = layer(*[a.copy() for a in arrays])[1](np.copy(dy))
    if not isinstance(grads, tuple):
        grads = (grads,)
    worst = np.zeros(len(arrays))
    for n, (a, g) in enumerate(zip(arrays, grads, strict=True)):
        flat, blame = a.reshape(-1), np.asarray(g).reshape(-1)
        for i in range(flat.size):
            was = flat[i]
            flat[i] = was + h
            up = np.sum(dy * layer(*arrays)[0])
            flat[i] = was - h
            down = np.sum(dy * layer(*arrays)[0])
            flat[i] = was
            worst[n] = max(worst[n], abs((up - down) / (2 * h) - blame[i]))
    return worst


def whole_gradients(layer, *arrays, dy, h=1e-6):
    """All slopes are collected in an array like the gradient, and then compared; the gaps in a tuple."""
    _, backward = layer(*arrays)
    grads = backward(dy)
    if not isinstance(grads, (tuple, list)):
        grads = [grads]
    numeric = []
    for n in range(len(arrays)):
        slopes = np.empty_like(arrays[n])
        it = np.nditer(arrays[n], flags=["multi_index"])
        for _ in it:
            change = 0
            for sign in (1, -1):
                mine = [np.array(a) for a in arrays]
                mine[n][it.multi_index] += sign * h
                change = change + sign * layer(*mine)[0]
            slopes[it.multi_index] = np.vdot(change / (2 * h), dy)
        numeric.append(slopes)
    return tuple(float(abs(a - b).max()) for a, b in zip(numeric, grads, strict=True))


ANSWERS = (
    ("moved and put back, in copies", moved_and_put_back),
    ("all slopes first, in nditer's order", whole_gradients),
)
