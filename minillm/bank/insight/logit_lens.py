"""logit_lens, a plain function: the stream is normed and read out as if the model ended here."""

import math

import numpy as np

from ... import inside
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def in_loops(x, g, b, table, *, eps=1e-5):
    """One logit at a time."""
    V, C = table.shape
    rows = x.reshape(-1, C)
    logits = np.zeros((len(rows), V))
    for n, row in enumerate(rows):
        mean = sum(row) / C
        root = math.sqrt(sum((c - mean) ** 2 for c in row) / C + eps)
        normed = [g[c] * (row[c] - mean) / root + b[c] for c in range(C)]
        for v in range(V):
            logits[n, v] = sum(normed[c] * table[v, c] for c in range(C))
    return logits.reshape(*x.shape[:-1], V)


# Other right ones.


def einsum(x, g, b, table, *, eps=1e-5):
    """Axes named by letters."""
    away = x - x.mean(-1, keepdims=True)
    normed = away / np.sqrt((away**2).mean(-1, keepdims=True) + eps)
    return np.einsum("...c,vc->...v", normed, table * g) + table @ b


def as_matrix(x, g, b, table, *, eps=1e-5):
    """All positions as rows of one matrix."""
    V, C = table.shape
    rows = x.reshape(-1, C)
    normed = (rows - rows.mean(1)[:, None]) * (rows.var(1)[:, None] + eps) ** -0.5 * g + b
    return (table @ normed.T).T.reshape(*x.shape[:-1], V).copy()


def normed(x, eps, gain=1.0, shift=0.0, axis=-1, ddof=0):
    """A layer norm with its parts in the open."""
    centred = x - x.mean(axis, keepdims=True)
    n = max(1, x.shape[axis] - ddof) if isinstance(axis, int) else x.size
    return gain * centred / np.sqrt((centred**2).sum(axis, keepdims=True) / n + eps) + shift


def shares(logits):
    """Softmax over the last axis."""
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def wrong(name, says, function):
    """The Mistake of an answer with this function."""
    return Mistake(name, says, lambda x, g, b, table, *, eps=1e-5: function(x, g, b, table, eps))


def right(x, g, b, table, eps):
    """The logits as they should be."""
    return normed(x, eps, g, b) @ table.T


def in_place(x, g, b, table, eps):
    """In the array that was given."""
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return (g * x + b) @ table.T


def last_only(x, g, b, table, eps):
    """At the last position alone."""
    logits = right(x, g, b, table, eps)
    return logits[..., -1, :] if x.ndim > 1 else logits


def ask(x, g, b, table, **options):
    """A question about this stream."""
    arguments = {"x": x, "g": g, "b": b, "table": table}
    return Question("logits", {name: np.array(a, float) for name, a in arguments.items()}, options)


def draw(rng):
    """Streams with one axis to four, some with a tiny spread; as many tokens as channels, more, and fewer."""
    sizes = [((4,), 4, 6), ((2, 5), 5, 5), ((2, 3, 4), 4, 7), ((3, 2, 3, 6), 6, 4), ((2, 4, 3), 3, 5)]
    for i, (shape, C, V) in enumerate(sizes):
        x = rng.normal(1, 1, size=shape) * 10.0 ** rng.integers(-2, 2)
        options = {"eps": 0.01} if i % 2 else {}
        yield ask(x, rng.normal(1, 0.5, size=C), rng.normal(size=C), rng.normal(size=(V, C)), **options)


EXERCISE = Values(
    name="logit_lens",
    notebook="12_insight",
    answer=inside.logit_lens,
    spec=in_loops,
    parts=(
        Part("logits", 3, "equals the definition for streams of one axis to four"),
        Part("arguments", 1, "x, g, b and the table are left alone", needs=("logits",)),
    ),
    by_hand=(
        ask([[1, 3]], [1, 1], [0, 0], [[1, 0], [0, 1], [1, 1]]),
        ask([[1, 3], [6, 2]], [2, 1], [0, 1], [[1, 0], [0, 1], [2, 1]]),
        ask([[0, 1, 5]], [1, 2, 3], [1, 0, -1], [[1, 0, 2], [0, 1, 1]]),
        ask([[0, 0.2]], [1, 2], [0, 1], [[1, 0], [1, 2]], eps=0.03),
    ),
    draw=draw,
    mistakes=(
        wrong(
            "the last norm forgotten",
            "The stream was read out as it is. The read-out was trained on what the last norm makes of it: norm x "
            "first, with g and b.",
            lambda x, g, b, table, eps: x @ table.T,
        ),
        wrong(
            "gain and shift forgotten",
            "The norm has no gain and no shift here. The last norm has learned both: g * xhat + b.",
            lambda x, g, b, table, eps: normed(x, eps) @ table.T,
        ),
        wrong(
            "the gain forgotten",
            "The gain g of the last norm is missing.",
            lambda x, g, b, table, eps: normed(x, eps, shift=b) @ table.T,
        ),
        wrong(
            "the shift forgotten",
            "The shift b of the last norm is missing.",
            lambda x, g, b, table, eps: normed(x, eps, g) @ table.T,
        ),
        wrong(
            "gain and shift without the norm",
            "x was stretched by g and shifted by b, and not brought to mean 0 and variance 1 before.",
            lambda x, g, b, table, eps: (g * x + b) @ table.T,
        ),
        wrong(
            "the norm after the read-out",
            "The logits were normed. The norm comes first, over the channels of the stream; what it gives is read out.",
            lambda x, g, b, table, eps: normed((g * x + b) @ table.T, eps),
        ),
        wrong(
            "normed over everything",
            "Mean and variance were taken over all positions together. Each position has its own, over the last axis.",
            lambda x, g, b, table, eps: normed(x, eps, g, b, axis=tuple(range(x.ndim))) @ table.T,
        ),
        wrong(
            "the mean left in",
            "x was divided by the root of its mean square, and its mean was not taken off.",
            lambda x, g, b, table, eps: (g * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) + b) @ table.T,
        ),
        wrong(
            "epsilon left out",
            "The small eps under the root is missing.",
            lambda x, g, b, table, eps: normed(x, 0, g, b) @ table.T,
        ),
        wrong(
            "always the same epsilon",
            "eps is 0.00001 whatever is asked for here. Hand it on to the norm.",
            lambda x, g, b, table, eps: normed(x, 1e-5, g, b) @ table.T,
        ),
        wrong(
            "normed twice",
            "The norm was applied two times.",
            lambda x, g, b, table, eps: normed(normed(x, eps, g, b), eps, g, b) @ table.T,
        ),
        wrong(
            "probabilities",
            "A softmax was taken. The logits themselves are due.",
            lambda x, g, b, table, eps: shares(right(x, g, b, table, eps)),
        ),
        wrong(
            "the likeliest token",
            "This is the token with the largest logit. All logits are due, one for each token.",
            lambda x, g, b, table, eps: right(x, g, b, table, eps).argmax(-1),
        ),
        wrong(
            "the last position alone",
            "These are the logits of the last position. The lens looks at all of them.",
            last_only,
        ),
        wrong(
            "the table not turned",
            "x was multiplied with the table as it stands. It is (V, C), a row for each token; the product needs "
            "(C, V): table.T.",
            lambda x, g, b, table, eps: normed(x, eps, g, b) @ table,
        ),
        wrong(
            "x changed in place",
            "The logits are right, but the stream was normed where it stands, and the next block still needs it.",
            in_place,
        ),
    ),
    right=(("gain and shift moved into the table", einsum), ("one matrix", as_matrix)),
    hints=(
        "What does a model do with the stream after its last block? The lens does the same with the stream after an "
        "earlier one.",
        "Two steps: the last layer norm, with its g and b and its eps, and then the product with the table, one logit "
        "for each of its V rows.",
        "layers.layer_norm(x, g, b, eps=eps) returns the normed stream and a backward, which you do not need. The "
        "table is (V, C); turn it for the product.",
    ),
    lines=2,
    minutes=10,
    difficulty=1,
)
