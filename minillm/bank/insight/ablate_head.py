"""ablate_head, a plain function: one head of a layer brings home nothing that depends on the text."""

import numpy as np

from ... import inside
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def in_loops(y, *, head, fill="mean"):
    """One number at a time."""
    B, H, T, K = y.shape
    ablated = np.zeros((B, H, T, K))
    for b, h, t, k in np.ndindex(y.shape):
        if h != head:
            ablated[b, h, t, k] = y[b, h, t, k]
        elif fill == "mean":
            ablated[b, h, t, k] = sum(y[i, h, j, k] for i in range(B) for j in range(T)) / (B * T)
    return ablated


# Other right ones.


def by_where(y, *, head, fill="mean"):
    """A mask over the heads."""
    off = (np.arange(y.shape[1]) == head)[:, None, None]
    return np.where(off, y.mean(axis=(0, 2), keepdims=True) if fill == "mean" else 0.0, y)


def in_pieces(y, *, head, fill="mean"):
    """The heads before, this one, and those after it."""
    mine = y[:, head : head + 1]
    level = np.einsum("bhtk->k", mine) / (len(y) * y.shape[2]) if fill == "mean" else np.zeros(y.shape[-1])
    return np.concatenate([y[:, :head], np.zeros_like(mine) + level, y[:, head + 1 :]], axis=1)


def taken_away(y, *, head, fill="mean"):
    """What the head says beyond its mean, or all it says, is taken away."""
    ablated = np.array(y)
    level = y[:, head].reshape(-1, y.shape[-1]).mean(0) if fill == "mean" else 0
    ablated[:, head, :, :] = level
    return ablated


def filled(y, head, level):
    """y with `level` in place of a head."""
    ablated = y.copy()
    ablated[:, head] = level
    return ablated


def wrong(name, says, mean, zero=lambda y, head: filled(y, head, 0)):
    """The Mistake of an answer that does one thing for fill="mean", another for fill="zero"."""
    return Mistake(name, says, lambda y, *, head, fill="mean": (mean if fill == "mean" else zero)(y, head))


def both(name, says, change):
    """The Mistake of change(y, head, level), with the right level for either word."""
    return Mistake(
        name,
        says,
        lambda y, *, head, fill="mean": change(y, head, y[:, head].mean((0, 1)) if fill == "mean" else 0.0),
    )


def in_place(y, head, level):
    """In the array that was given."""
    y[:, head] = level
    return y


def position(y, head, level):
    """The axis of the positions taken for that of the heads."""
    ablated = y.copy()
    ablated[:, :, min(head, y.shape[2] - 1)] = level
    return ablated


def all_others(y, head, level):
    """All heads but this one."""
    ablated = np.zeros_like(y) + level
    ablated[:, head] = y[:, head]
    return ablated


def one_sequence(y, head, level):
    """In the first sequence alone."""
    ablated = y.copy()
    ablated[0, head] = level
    return ablated


def ask(y, head, fill):
    """A question about this y and head."""
    return Question(fill, {"y": np.array(y, float)}, {"head": head, "fill": fill})


def draw(rng):
    """Sizes of which no two are alike, and heads at both ends."""
    for B, H, T, K in [(2, 3, 4, 5), (3, 2, 5, 4), (1, 4, 3, 2), (4, 3, 2, 3)]:
        for fill in ("zero", "mean"):
            yield ask(rng.normal(1, 1, size=(B, H, T, K)), int(rng.integers(H)), fill)
    yield ask(rng.normal(size=(3, 3, 3, 3)), 1, "mean")


Y = np.array([[[[1, 2], [3, 6]], [[5, 0], [1, 4]]]])  # (1, 2, 2, 2)
Z = np.array([[[[1], [2]], [[3], [5]]], [[[0], [6]], [[7], [1]]]])  # (2, 2, 2, 1)

EXERCISE = Values(
    name="ablate_head",
    notebook="12_insight",
    answer=inside.ablate_head,
    spec=in_loops,
    parts=(
        Part("zero", 1, "zeros for one head, and the others as they were"),
        Part("mean", 2, "what the head says on average, at every position of every sequence"),
        Part("arguments", 1, "y is left alone", needs=("zero", "mean")),
    ),
    by_hand=(ask(Y, 0, "zero"), ask(Y, 1, "mean"), ask(Z, 1, "zero"), ask(Z, 0, "mean")),
    draw=draw,
    mistakes=(
        both(
            "y changed in place",
            "y itself was changed. The next head is to be ablated in a model that still has this one: work on a copy.",
            in_place,
        ),
        both(
            "the others ablated",
            "The head that was to go is the only one left. It is the other way round: all heads stay but this one.",
            all_others,
        ),
        both(
            "a position for a head",
            "A position was switched off, in all heads. The heads are axis 1 of (B, H, T, K), the positions axis 2.",
            position,
        ),
        both(
            "the first sequence alone",
            "The head is switched off in the first sequence only. Axis 0 is the sequences: all of them.",
            one_sequence,
        ),
        both(
            "the head taken out",
            "The head is gone, and the array has one head fewer. The output projection expects H of them: put zeros or "
            "the mean in its place.",
            lambda y, head, level: np.delete(y, head, axis=1),
        ),
        both(
            "the others made larger",
            "The other heads were made larger by H / (H - 1), as dropout would. Nothing was dropped at random here: "
            "they stay as they are.",
            lambda y, head, level: filled(y * (y.shape[1] / (y.shape[1] - 1) if y.shape[1] > 1 else 1), head, level),
        ),
        wrong(
            "zeros whatever is asked",
            'Zeros stand there with fill="mean" too. The mean over sequences and positions is due then.',
            lambda y, head: filled(y, head, 0),
        ),
        wrong(
            "the mean whatever is asked",
            'The mean stands there with fill="zero" too. Zeros are due then.',
            lambda y, head: filled(y, head, y[:, head].mean((0, 1))),
            zero=lambda y, head: filled(y, head, y[:, head].mean((0, 1))),
        ),
        wrong(
            "one mean for all channels",
            "All channels got the same number. Each channel of the head keeps a mean of its own: average over "
            "sequences and positions, and not over the last axis.",
            lambda y, head: filled(y, head, y[:, head].mean()),
        ),
        wrong(
            "the mean over the sequences alone",
            "The mean was taken over the sequences alone. So it still differs from position to position, and the head "
            "goes on saying where in the text it is. Average over the positions too.",
            lambda y, head: filled(y, head, y[:, head].mean(0)),
        ),
        wrong(
            "the mean over the positions alone",
            "The mean was taken in each sequence by itself, so the head still says something about its sequence. "
            "Average over all sequences too.",
            lambda y, head: filled(y, head, y[:, head].mean(1, keepdims=True)),
        ),
        wrong(
            "the mean of all heads",
            "This is what all heads say on average. The mean of this head alone is due.",
            lambda y, head: filled(y, head, y.mean((0, 1, 2))),
        ),
        wrong(
            "the mean of the other heads' work at each place",
            "What all heads say at each place was averaged, so that news from the text comes through. The mean is of "
            "this head, over all places.",
            lambda y, head: filled(y, head, y.mean(1)),
        ),
        wrong(
            "the mean over the channels",
            "At each place its own channels were averaged, and so the head still says something about the place. "
            "Average over sequences and positions, channel by channel.",
            lambda y, head: filled(y, head, y[:, head].mean(-1, keepdims=True)),
        ),
    ),
    right=(("np.where", by_where), ("three pieces", in_pieces), ("rows in one list", taken_away)),
    hints=(
        "y is (B, H, T, K): which axis are the heads? What the head says must be the same for all texts and all "
        "positions, whichever word is asked for.",
        "Make a copy first. copy[:, head] is (B, T, K). For the mean, average that over sequences and positions; K "
        "numbers are left, one for each channel.",
        'level = y[:, head].mean((0, 1)) for "mean", and 0 for "zero". NumPy spreads K numbers over (B, T, K) by '
        "itself when they are assigned.",
    ),
    lines=4,
    minutes=10,
    difficulty=1,
)
