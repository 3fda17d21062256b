"""Right answers to `allocation`, written in other ways than ours."""

import numpy as np


def step_by_step(C, E, A, B, alpha, beta):
    """As it was derived."""
    a = beta / (alpha + beta)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N, D = G * (C / 6) ** a, (C / 6) ** (1 - a) / G
    return N, D, E + A / N**alpha + B / D**beta


def in_logarithms(C, E, A, B, alpha, beta):
    """In logarithms."""
    n = (np.log(alpha * A) - np.log(beta * B) + beta * np.log(C / 6)) / (alpha + beta)
    d = np.log(C / 6) - n
    return np.array([np.exp(n), np.exp(d), E + A * np.exp(-alpha * n) + B * np.exp(-beta * d)])


def by_root(C, E, A, B, alpha, beta):
    """The root of the slope."""
    from scipy.optimize import brentq

    slope = lambda x: np.log(alpha * A) - alpha * x - np.log(beta * B) + beta * (np.log(C / 6) - x)
    N = np.exp(brentq(slope, -100, 200, xtol=1e-13, rtol=1e-14))
    D = C / 6 / N
    return [N, D, E + A / N**alpha + B / D**beta]


ANSWERS = (("as derived", step_by_step), ("in logarithms", in_logarithms), ("the root of the slope", by_root))
