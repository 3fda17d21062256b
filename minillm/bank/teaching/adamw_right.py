"""Right answers to adamw, each written in another way: none of them may be refused."""

import numpy as np


def in_four_lines(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """The equation as it stands."""
    if step < 1:
        raise ValueError(f"step is {step}, but steps count from 1")
    b1, b2 = betas
    m[...] = b1 * m + (1 - b1) * dw
    v[...] = b2 * v + (1 - b2) * dw**2
    mhat, vhat = m / (1 - b1**step), v / (1 - b2**step)
    w[...] = w - rate * mhat / (np.sqrt(vhat) + eps) - rate * decay * w


def piece_by_piece(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """Each array changed a little at a time; the weights shrink first."""
    if step < 1:
        raise ValueError("the first step is step 1")
    m *= betas[0]
    m += (1 - betas[0]) * dw
    v *= betas[1]
    v += (1 - betas[1]) * np.square(dw)
    w *= 1 - rate * decay
    root = np.sqrt(v) / np.sqrt(1 - betas[1] ** step)
    w -= rate / (1 - betas[0] ** step) * m / (root + eps)


def in_a_flat_loop(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """One number after the other."""
    if step <= 0:
        raise ValueError("step must be at least 1")
    b1, b2 = betas
    for i, g in np.ndenumerate(dw):
        m[i] += (1 - b1) * (g - m[i])
        v[i] += (1 - b2) * (g * g - v[i])
        move = m[i] / (1 - b1**step) / ((v[i] / (1 - b2**step)) ** 0.5 + eps)
        w[i] -= rate * (move + decay * w[i])


ANSWERS = (
    ("the equation in four lines", in_four_lines),
    ("piece by piece, the decay first", piece_by_piece),
    ("one number after the other", in_a_flat_loop),
)
