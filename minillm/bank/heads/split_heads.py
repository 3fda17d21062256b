"""split_heads, a plain function: the channels of each position are dealt out to the heads."""

import numpy as np

from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def split_heads(z, n_head):
    """The channels of each position in n_head groups of neighbours, one for each head.

    z (B, T, C) -> (B, H, T, K), with K = C / H: head h gets the channels h K to (h + 1) K - 1.
    """
    B, T, C = z.shape
    return z.reshape(B, T, n_head, C // n_head).swapaxes(1, 2)


def in_loops(z, n_head):
    """One number at a time."""
    B, T, C = z.shape
    K = C // n_head
    y = np.zeros((B, n_head, T, K))
    for b, h, t, k in np.ndindex(y.shape):
        y[b, h, t, k] = z[b, t, h * K + k]
    return y


# Other right ones.


def slices(z, n_head):
    """The channels of each head cut out, and stacked."""
    K = z.shape[-1] // n_head
    return np.stack([z[..., h * K : (h + 1) * K] for h in range(n_head)], axis=1)


def np_split(z, n_head):
    """NumPy's own split."""
    return np.array(np.split(z, n_head, axis=2)).transpose(1, 0, 2, 3)


def einsum(z, n_head):
    """The axes named by letters."""
    return np.einsum("bthk->bhtk", z.reshape(*z.shape[:2], n_head, -1))


def shape(z, n_head):
    """B, T, H and K."""
    B, T, C = z.shape
    return B, T, n_head, C // n_head


def wrong(name, says, function):
    """The Mistake of function(z, B, T, H, K)."""
    return Mistake(name, says, lambda z, n_head: function(z, *shape(z, n_head)))


def probe(B, T, C, H, rng=None):
    """Numbers that say where they stand: position and channel by hand, or drawn."""
    z = 10.0 * np.arange(1, T + 1)[:, None] + np.arange(1, C + 1) + 100 * np.arange(B)[:, None, None]
    return Question("heads", {"z": z if rng is None else rng.normal(size=(B, T, C)), "n_head": H})


def draw(rng):
    """Sizes of which hardly two are alike, and some that are, so that a wrong order fits by its shape."""
    for B, T, K, H in [(2, 3, 5, 4), (1, 4, 3, 2), (3, 2, 4, 3), (2, 4, 2, 4), (1, 5, 6, 1), (2, 6, 1, 3)]:
        yield probe(B, T, K * H, H, rng)


EXERCISE = Values(
    name="split_heads",
    notebook="05_heads",
    answer=split_heads,
    spec=in_loops,
    parts=(Part("heads", 1.5, "equals the definition for {drawn} random arrays"),),
    by_hand=(probe(1, 2, 4, 2), probe(1, 3, 4, 2), probe(1, 1, 6, 2), probe(2, 1, 4, 2)),
    draw=draw,
    mistakes=(
        wrong(
            "reshape without swapping the axes",
            "This is reshape alone. The shape is right, and the numbers are dealt out wrongly: a head gets all "
            "channels of some positions, where it should get some channels of all positions. Give the heads an axis of "
            "their own first, (B, T, H, K), and then swap.",
            lambda z, B, T, H, K: z.reshape(B, H, T, K),
        ),
        wrong(
            "the axes not swapped",
            "The shape is (B, T, H, K) here. Attention wants the heads before the positions: (B, H, T, K).",
            lambda z, B, T, H, K: z.reshape(B, T, H, K),
        ),
        wrong(
            "every H-th channel",
            "Head h gets the channels h, h + H, h + 2 H, ... here. It should get K neighbours: h K to (h + 1) K - 1.",
            lambda z, B, T, H, K: z.reshape(B, T, K, H).transpose(0, 3, 1, 2),
        ),
        wrong(
            "channels before positions",
            "The last two axes are swapped: this is (B, H, K, T), and (B, H, T, K) is due.",
            lambda z, B, T, H, K: z.reshape(B, T, H, K).transpose(0, 2, 3, 1),
        ),
        wrong(
            "heads before the batch",
            "The heads come first here, (H, B, T, K). The batch does: (B, H, T, K).",
            lambda z, B, T, H, K: z.reshape(B, T, H, K).transpose(2, 0, 1, 3),
        ),
        wrong(
            "n_head taken for the channels of a head",
            "n_head is taken for the number of channels of a head here. It is the number of heads; each has "
            "C // n_head channels.",
            lambda z, B, T, H, K: z.reshape(B, T, K, H).swapaxes(1, 2),
        ),
        wrong(
            "all channels for every head",
            "Every head gets all C channels here. It gets its own K = C // n_head of them.",
            lambda z, B, T, H, K: np.stack([z] * H, axis=1),
        ),
        wrong(
            "the heads in reverse",
            "The last head got the first channels. Head 0 gets the channels 0 to K - 1, head 1 the next K, and so on.",
            lambda z, B, T, H, K: z.reshape(B, T, H, K).swapaxes(1, 2)[:, ::-1],
        ),
        wrong(
            "positions cut into groups",
            "The positions are turned into channels before they are dealt out: z.swapaxes(1, 2) comes too early. "
            "First (B, T, H, K), then swap.",
            lambda z, B, T, H, K: z.swapaxes(1, 2).reshape(B, H, T, K),
        ),
    ),
    right=(("slices, stacked", slices), ("np.split", np_split), ("einsum", einsum)),
    hints=(
        "The channels of a position stand in a row: first those of head 0, then those of head 1. A reshape of the last "
        "axis alone, C into (H, K), moves no number and gives the heads an axis.",
        "After that reshape the axes are (B, T, H, K). Attention wants (B, H, T, K): two of them must change places, "
        "and that is the work of swapaxes or transpose, not of another reshape.",
        "B, T, C = z.shape; the reshape is to (B, T, n_head, C // n_head), and then axes 1 and 2 are swapped.",
    ),
    lines=2,
    minutes=8,
    difficulty=1,
)
