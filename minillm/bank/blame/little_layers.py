"""Layers small enough for pencil and paper, some with a wrong gradient: what check_gradients is tried on."""

import numpy as np


def forgets_a_factor(x):
    """y = x * x, with half of its gradient."""
    return x * x, lambda dy: x * dy


def cube(x):
    """y = x * x * x, with the right gradient."""
    return x * x * x, lambda dy: 3 * x * x * dy


def identity(x):
    """y is x itself, as from a dropout with a rate of 0."""
    return x, lambda dy: dy


def one_bare(x):
    """y = 2 x, with a gradient that is too large."""
    return 2 * x, lambda dy: 3 * dy


def running_sum(x):
    """Each number of y has all those of x before it in it; the gradient says that it has one."""
    return np.cumsum(x), lambda dy: dy


def mean_square(x):
    """A single number, as a loss is; the gradient lacks the 2 and the division."""
    return np.mean(x * x), lambda dy: x * dy


def product(x0, x1):
    """y = x0 * x1, with x1 where x0 belongs in the gradient of x1."""
    return x0 * x1, lambda dy: (x1 * dy, x1 * dy)


def mix(x, w, b):
    """y = x w + b, with a dw that is 1 too large."""
    return x @ w + b, lambda dy: (dy @ w.T, x.T @ dy + 1, dy.sum(0))


def bend(x, w):
    """y = tanh(x w), with the right gradients."""
    y = np.tanh(x @ w)

    def backward(dy):
        dz = dy * (1 - y * y)
        return dz @ w.T, x.T @ dz

    return y, backward
