"""tied_logits, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import tied_logits_right, tied_logits_wrong


def tied_logits(stack, tokens, p, *, ids):
    """A model that uses its table of tokens at both ends: to look up what goes in, and to read out what comes next.

    logits = stack(tokens[ids], p) tokens^T          tokens (V, C), ids (B, T) -> (B, T, V)
    stack keeps the promise: h, back = stack(x, p) and dx, dp = back(dh).  backward gives dtokens, dp.
    """
    x, back_tokens = layers.embedding(tokens, ids=ids)
    h, back_stack = stack(x, p)
    logits, back_readout = layers.linear(h, tokens.T)

    def backward(dlogits):
        dh, dreadout = back_readout(dlogits)
        dx, dp = back_stack(dh)
        return back_tokens(dx) + dreadout.T, dp  # used twice, blamed twice

    return logits, backward


def square(x, p):
    """A stack for pencil and paper: w * x * x, each channel by itself."""

    def back(dh):
        return 2 * p["w"] * x * dh, {"w": (x * x * dh).reshape(-1, x.shape[-1]).sum(0)}

    return p["w"] * x * x, back


def running(x, p):
    """A stack that mixes the channels, and lets each position see those before it: tanh of the sum so far, times w."""
    so_far = x.cumsum(1)
    t = np.tanh(so_far @ p["w"])

    def back(dh):
        dz = dh * (1 - t * t)
        rows = lambda a: a.reshape(-1, a.shape[-1])
        return (dz @ p["w"].T)[:, ::-1].cumsum(1)[:, ::-1], {"w": rows(so_far).T @ rows(dz)}

    return t, back


def meaning(stack, tokens, p, *, ids):
    """What it is, in loops."""
    B, T = ids.shape
    V, C = tokens.shape
    x = np.array([[[tokens[ids[b, t], c] for c in range(C)] for t in range(T)] for b in range(B)])
    h = stack(x, p)[0]
    logits = np.empty((B, T, V))
    for b, t, i in np.ndindex(B, T, V):
        logits[b, t, i] = sum(h[b, t, c] * tokens[i, c] for c in range(C))
    return logits


def probe(stack, label, tokens, w, ids, dlogits):
    """What is asked with this stack."""
    arrays = {"tokens": np.array(tokens, float), "p": {"w": np.array(w, float)}}
    said = f"ids = {np.array(ids).tolist()}, " if np.size(ids) <= 8 else ""
    said += f"stack(x) = {label}:"
    return Probe(arrays, np.array(dlogits, float), {"ids": np.array(ids)}, (stack,), said, back="dlogits")


def by_hand(tokens, w, ids, dlogits):
    """A probe that can be followed on paper."""
    return probe(square, "w * x * x", tokens, w, ids, dlogits)


def draw(rng):
    """Texts in which tokens come again and some never come, through a stack that looks back."""
    for i, (B, T, V, C) in enumerate([(2, 3, 5, 4), (1, 6, 3, 2), (3, 2, 4, 3), (2, 5, 7, 2)] * 3):
        tokens, w = rng.normal(size=(V, C)), rng.normal(size=(C, C))
        ids, dlogits = rng.integers(0, V - 1, (B, T)), rng.normal(size=(B, T, V))
        ids[0, :2] = i % (V - 1)
        yield probe(running, "tanh(x.cumsum(1) @ w)", tokens, w, ids, dlogits)


GIVEN = ("tokens", "p")

EXERCISE = ThereAndBack(
    name="tied_logits",
    notebook="08_gpt",
    answer=tied_logits,
    spec=meaning,
    parts=(
        Part("y", 1, "equals the definition for {drawn} random texts", shows=GIVEN),
        Part("dtokens", 3, "agrees with finite differences", shows=(*GIVEN, "dlogits")),
        Part("dp", 1, "agrees with finite differences", shows=(*GIVEN, "dlogits")),
        Part("arguments", 1, "are left alone, and all results are new", needs=("dtokens", "dp")),
    ),
    by_hand=(
        # one channel and two tokens, of which one is read: the logits are w t0^3 and w t0^2 t1
        by_hand([[2], [3]], [1], [[0]], [[[1, 0]]]),
        by_hand([[2], [3]], [1], [[0]], [[[0, 1]]]),
        # read twice, and used twice
        by_hand([[1], [3]], [1], [[0, 0]], [[[0, 1], [0, 1]]]),
        by_hand([[1], [2]], [1], [[0], [1]], [[[1, 0]], [[0, 1]]]),
        by_hand([[1, 2], [3, 1], [0, 1]], [1, 2], [[0, 1]], [[[0, 0, 1], [0, 1, 0]]]),
    ),
    draw=draw,
    mistakes=tied_logits_wrong.MISTAKES,
    right=tied_logits_right.ANSWERS,
    hints=(
        "The table is used in two places. Give them two names in your head, a table at the bottom and one at the top, "
        "and find the gradient of each. What is the gradient if both are the same array?",
        "At the top, logits = h tokens^T is a linear map with the weights tokens^T: its backward gives dh, and the "
        "gradient of tokens^T, which lies on its side. At the bottom back_tokens(dx) fills the rows of the ids.",
        "dh, dreadout = back_readout(dlogits); dx, dp = back_stack(dh); dtokens is back_tokens(dx) plus dreadout.T.",
    ),
    lines=9,
    minutes=25,
    difficulty=3,
)
