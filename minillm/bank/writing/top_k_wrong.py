"""Wrong answers to top_k that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def best_first(logits):
    """The ids of each row, the likeliest first, and of equals the lower id."""
    return np.argsort(-logits, axis=-1, kind="stable")


def refuse(k):
    """A k that keeps nothing."""
    if k < 1:
        raise ValueError(k)


def put(logits, ids, rest):
    """The logits at these ids, and `rest` everywhere else."""
    y = np.full(logits.shape, rest, float)
    np.put_along_axis(y, ids, np.take_along_axis(logits, ids, -1), -1)
    return y


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    refuse=refuse,
    order=best_first,
    first=lambda order, k: order[..., :k],
    put=lambda logits, ids: put(logits, ids, -np.inf),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def top_k(logits, k):
        do.refuse(k)
        return do.put(logits, do.first(do.order(logits), k))

    return Mistake(name, says, top_k)


def by_threshold(logits, k):
    """All that are as large as the k-th."""
    refuse(k)
    threshold = np.sort(logits, axis=-1)[..., ::-1][..., :k][..., -1:]
    return np.where(logits >= threshold, logits, -np.inf)


def above_threshold(logits, k):
    """All that are larger than the k-th."""
    refuse(k)
    threshold = np.sort(logits, axis=-1)[..., ::-1][..., :k][..., -1:]
    return np.where(logits > threshold, logits, -np.inf)


def by_partition(logits, k):
    """np.partition, which cannot look further than V."""
    refuse(k)
    ids = np.argsort(-logits, axis=-1, kind="stable")
    np.partition(logits, logits.shape[-1] - k, axis=-1)
    return put(logits, ids[..., :k], -np.inf)


def over_everything(logits, k):
    """The k largest of all rows together."""
    refuse(k)
    y = np.full(logits.size, -np.inf)
    ids = best_first(logits.ravel())[:k]
    y[ids] = logits.ravel()[ids]
    return y.reshape(logits.shape)


def over_the_first_axis(logits, k):
    """The k largest of each column."""
    refuse(k)
    y = np.full(logits.shape, -np.inf)
    ids = np.argsort(-logits, axis=0, kind="stable")[:k]
    np.put_along_axis(y, ids, np.take_along_axis(logits, ids, 0), 0)
    return y


def ids_of_the_first_row(logits, k):
    """The first row's ids for all rows."""
    refuse(k)
    ids = best_first(logits.reshape(-1, logits.shape[-1])[0])[:k]
    y = np.full(logits.shape, -np.inf)
    y[..., ids] = logits[..., ids]
    return y


def in_place(logits, k):
    """The logits of whoever asked are written over."""
    refuse(k)
    np.put_along_axis(logits, best_first(logits)[..., k:], -np.inf, -1)
    return logits


def shares(logits, ids):
    """The softmax of those that stay."""
    kept = put(logits, ids, -np.inf)
    e = np.exp(kept - kept.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_shares(logits, ids):
    """The logarithms of the softmax of those that stay."""
    kept = put(logits, ids, -np.inf)
    top = kept.max(-1, keepdims=True)
    return kept - top - np.log(np.exp(kept - top).sum(-1, keepdims=True))


def sorted_first(logits, ids):
    """The logits that stay, in order, at the places 0 to k - 1."""
    y = np.full(logits.shape, -np.inf)
    y[..., : ids.shape[-1]] = np.take_along_axis(logits, ids, -1)
    return y


def order_for_ranks(logits, k):
    """The ids in order are compared with k, as if they were ranks."""
    refuse(k)
    return np.where(best_first(logits) < k, logits, -np.inf)


MISTAKES = (
    Mistake(
        "all that equal the k-th",
        "Everything that is at least as large as the k-th logit was kept. Where several are equal to it, those are "
        "more than k. Choose k ids instead, the lower id first.",
        by_threshold,
    ),
    Mistake(
        "only those above the k-th",
        "Only what is larger than the k-th logit was kept. The k-th itself belongs to the k.",
        above_threshold,
    ),
    wrong(
        "the higher id first",
        "Of equal logits the one with the higher id was kept. That happens when an ascending order is read from its "
        "end. Sort -logits instead, with kind='stable'.",
        order=lambda logits: np.argsort(logits, axis=-1, kind="stable")[..., ::-1],
    ),
    wrong(
        "the least likely",
        "The k smallest logits were kept: np.argsort puts the smallest first.",
        order=lambda logits: np.argsort(logits, axis=-1, kind="stable"),
    ),
    wrong(
        "one too many",
        "One token more than k was kept.",
        first=lambda order, k: order[..., : k + 1],
    ),
    wrong(
        "one too few",
        "One token less than k was kept.",
        first=lambda order, k: order[..., : k - 1],
    ),
    wrong(
        "only the k-th",
        "One token was kept, the one in place k. All in the places before it stay as well.",
        first=lambda order, k: order[..., :k][..., -1:],
    ),
    wrong(
        "zero for the others",
        "The others were set to 0. A logit of 0 is no probability of 0: exp(0) is 1. Only -inf is never drawn.",
        put=lambda logits, ids: put(logits, ids, 0.0),
    ),
    wrong(
        "a large negative number for the others",
        "The others were set to -1e9. At a high temperature, or after a sum, that is a number like others. -inf is "
        "what it should be.",
        put=lambda logits, ids: put(logits, ids, -1e9),
    ),
    wrong(
        "only the k numbers",
        "What came back are k numbers a row. Then nobody knows whose they are: the result has the shape of logits.",
        put=lambda logits, ids: np.take_along_axis(logits, ids, -1),
    ),
    wrong(
        "left in sorted order",
        "The logits that stay were put into the first k places. Then nobody knows whose they are: each belongs at its "
        "token's place.",
        put=sorted_first,
    ),
    Mistake(
        "an order for ranks",
        "np.argsort(-logits) says which id comes first, second, third. It was compared with k as if it said which "
        "rank each id has. Sort it once more for that, or use its first k ids.",
        order_for_ranks,
    ),
    wrong(
        "ids",
        "What came back are the ids. Logits are due, -inf for the tokens that are left out.",
        put=lambda logits, ids: ids,
    ),
    wrong(
        "a mask",
        "What came back says which tokens stay. The logits themselves are due, -inf for the others.",
        put=lambda logits, ids: put(logits, ids, -np.inf) > -np.inf,
    ),
    wrong(
        "probabilities",
        "What came back are probabilities. The logits that stay keep their values: whoever draws takes the softmax.",
        put=shares,
    ),
    wrong(
        "normalised at once",
        "The logits that stay were normalised. They keep their values here: whoever draws takes the softmax, and that "
        "makes what is left add up to 1.",
        put=log_shares,
    ),
    Mistake(
        "over all rows",
        "The k largest of all rows together were kept. Each row is a distribution of its own, so each keeps k.",
        over_everything,
    ),
    Mistake(
        "over the first axis",
        "The k largest were looked for along the first axis. The tokens of one distribution lie along the last one.",
        over_the_first_axis,
    ),
    Mistake(
        "the ids of the first row",
        "The ids of the first row were kept in all rows. np.take_along_axis and np.put_along_axis give each row its "
        "own.",
        ids_of_the_first_row,
    ),
    Mistake(
        "k above V not allowed",
        "A k above V raises an error here. If fewer tokens exist than may stay, all stay.",
        by_partition,
    ),
    wrong(
        "k below 1 not refused",
        "A k of 0 would leave nothing to draw from. A ValueError is due.",
        refuse=lambda k: None,
    ),
    Mistake(
        "logits changed in place",
        "The logits themselves were written over, and whoever gave them still needs them: start from a new array.",
        in_place,
    ),
)
