"""merge_heads, a plain function: what all heads have found at a position, side by side."""

import numpy as np

from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def merge_heads(h):
    """What the heads have found, side by side: the inverse of split_heads.

    h (B, H, T, K) -> (B, T, C), with C = H K: first the channels of head 0, then those of head 1, and so on.
    """
    B, H, T, K = h.shape
    return h.swapaxes(1, 2).reshape(B, T, H * K)


def in_loops(h):
    """One number at a time."""
    B, H, T, K = h.shape
    y = np.zeros((B, T, H * K))
    for b, i, t, k in np.ndindex(h.shape):
        y[b, t, i * K + k] = h[b, i, t, k]
    return y


# Other right ones.


def concatenated(h):
    """The heads in a row."""
    return np.concatenate([h[:, i] for i in range(h.shape[1])], axis=-1)


def position_by_position(h):
    """All numbers of a position, laid flat."""
    return np.array([[sequence[:, t].ravel() for t in range(h.shape[2])] for sequence in h])


def filled(h):
    """Slices of an empty array, filled."""
    B, H, T, K = h.shape
    y = np.empty((B, T, H * K), h.dtype)
    for i in range(H):
        y[:, :, i * K : (i + 1) * K] = h[:, i]
    return y


def wrong(name, says, function):
    """The Mistake of function(h, B, H, T, K)."""
    return Mistake(name, says, lambda h: function(h, *h.shape))


def probe(B, H, T, K, rng=None):
    """Numbers that say where they stand: position and channel by hand, or drawn."""
    channels = (1 + np.arange(H * K)).reshape(H, 1, K)
    h = 10.0 * np.arange(1, T + 1)[:, None] + channels + 100 * np.arange(B)[:, None, None, None]
    return Question("merged", {"h": h if rng is None else rng.normal(size=(B, H, T, K))})


def draw(rng):
    """Sizes of which hardly two are alike, and some that are, so that a wrong order fits by its shape."""
    for shape in [(2, 4, 3, 5), (1, 2, 4, 3), (3, 3, 2, 4), (2, 4, 4, 2), (1, 1, 5, 6), (2, 3, 6, 1), (2, 2, 2, 2)]:
        yield probe(*shape, rng)


EXERCISE = Values(
    name="merge_heads",
    notebook="05_heads",
    answer=merge_heads,
    spec=in_loops,
    parts=(Part("merged", 1.5, "equals the definition for {drawn} random arrays"),),
    by_hand=(probe(1, 2, 2, 2), probe(1, 2, 3, 2), probe(1, 2, 1, 3), probe(2, 2, 1, 2)),
    draw=draw,
    mistakes=(
        wrong(
            "reshape without swapping the axes",
            "This is reshape alone: the shape is right, and the channels of one position come from several. The heads "
            "and the positions must change places first, so that the heads of a position lie side by side.",
            lambda h, B, H, T, K: h.reshape(B, T, H * K),
        ),
        wrong(
            "channels dealt out in turn",
            "The channels of the heads are mixed like two packs of cards: head 0, head 1, head 0, ... All K channels "
            "of head 0 come first.",
            lambda h, B, H, T, K: h.transpose(0, 2, 3, 1).reshape(B, T, H * K),
        ),
        wrong(
            "the mean of the heads",
            "This is the mean over the heads, and it has K channels. The heads are set side by side, so that nothing "
            "of what they found is lost: H K channels.",
            lambda h, B, H, T, K: h.mean(1),
        ),
        wrong(
            "the sum of the heads",
            "This is the sum over the heads, and it has K channels. The heads are set side by side, so that nothing of "
            "what they found is lost: H K channels.",
            lambda h, B, H, T, K: h.sum(1),
        ),
        wrong(
            "the axes swapped and not merged",
            "Heads and positions have changed places, and there are still four axes. A reshape makes (H, K) one axis "
            "of C.",
            lambda h, B, H, T, K: np.array(h.swapaxes(1, 2)),
        ),
        wrong(
            "the heads in reverse",
            "The channels of the last head come first here. Head 0 comes first.",
            lambda h, B, H, T, K: h[:, ::-1].swapaxes(1, 2).reshape(B, T, H * K),
        ),
        wrong(
            "the wrong axes swapped",
            "The last two axes are swapped, positions and channels. It is the heads, axis 1, and the positions, axis "
            "2, that must change places.",
            lambda h, B, H, T, K: h.swapaxes(2, 3).reshape(B, T, H * K),
        ),
        wrong(
            "batch and positions exchanged",
            "The positions have become the first axis, and the batch the second. The result is (B, T, C).",
            lambda h, B, H, T, K: h.transpose(2, 0, 1, 3).reshape(T, B, H * K),
        ),
        wrong(
            "the positions laid end to end",
            "The positions of a head lie side by side here, as if they were channels: this is (B, H, T K). It is the "
            "heads that do: (B, T, H K).",
            lambda h, B, H, T, K: h.reshape(B, H, T * K),
        ),
    ),
    right=(
        ("concatenate", concatenated),
        ("position by position", position_by_position),
        ("an empty array, filled", filled),
    ),
    hints=(
        "It undoes split_heads, so take its steps in reverse order: what was done last is undone first.",
        "split_heads ended by swapping heads and positions. Swap them back, so that the K channels of all H heads at "
        "one position lie side by side, and then make one axis of the two.",
        "B, H, T, K = h.shape; swap axes 1 and 2, then reshape to (B, T, H * K).",
    ),
    lines=2,
    minutes=7,
    difficulty=1,
)
