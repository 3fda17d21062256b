"""Right answers to schedule, each written in another way: none of them may be refused."""

import math

import numpy as np


def share_by_share(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    """The share of the fall that lies behind."""
    if kind not in ("cosine", "linear", "constant"):
        raise ValueError(f"unknown kind {kind}")
    if warmup and step <= warmup:
        return rate * step / warmup
    begins = max(warmup, steps - round(cooldown * steps)) if kind == "constant" else max(warmup, 1)
    behind = min(1, max(0, (step - begins) / (steps + 1 - begins)))
    if kind == "cosine":
        behind = 0.5 - 0.5 * math.cos(math.pi * behind)
    return (1 - behind) * rate + behind * final


def by_interpolation(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    """np.interp between the corners of the curve."""
    if kind not in {"cosine", "linear", "constant"}:
        raise ValueError(kind)
    if step < warmup:
        return float(np.interp(step, [0, warmup], [0, rate]))
    top = max(1, warmup)
    if kind == "constant":
        top = max(warmup, steps - round(steps * cooldown))
    if kind != "cosine":
        return float(np.interp(step, [top, steps + 1], [rate, final]))
    angle = np.interp(step, [top, steps + 1], [0, np.pi])
    return final + (rate - final) * (1 + np.cos(angle)) / 2


ANSWERS = (
    ("the share that lies behind", share_by_share),
    ("with np.interp", by_interpolation),
)
