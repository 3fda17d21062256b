"""Wrong answers to attend_next that people really write; each has a step that is not the right one."""

import math
import types

import numpy as np

from ... import layers
from ...grader.exercise import Mistake


def turned(z, positions):
    """Rows turned to their positions."""
    y, _ = layers.rotary(np.atleast_2d(z), positions=np.atleast_1d(positions))
    return y


def softmax(scores):
    """Shares along the last axis; of nothing, nothing."""
    if not scores.size:
        return scores
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attended(do, q, keys, values, C):
    """y for a query (1, K)."""
    scores = do.hide(do.scale(q @ keys.T, q.shape[-1], C))
    return (do.shares(scores) @ values)[0]


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    position=lambda n: n,
    turn_q=turned,
    turn_k=turned,
    turn_v=lambda z, n: z[None],
    extend=lambda kept, new: np.concatenate([kept, new]),
    seen=lambda old, new: new,  # of the keys and values before and after, those that are attended to
    again=lambda keys: keys,
    scale=lambda scores, K, C: scores / math.sqrt(K),
    hide=lambda scores: scores,
    shares=softmax,
    swap=lambda keys, values: (keys, values),
    result=lambda y, old, new, raw: (y, *new),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def attend_next(x, w_q, w_k, w_v, keys, values):
        old, n = (keys, values), do.position(len(keys))
        raw = x @ w_k
        q, k, v = do.turn_q(x @ w_q, n), do.turn_k(raw, n), do.turn_v(x @ w_v, n)
        new = do.extend(keys, k), do.extend(values, v)
        keys, values = do.swap(*do.seen(old, new))
        y = attended(do, q, do.again(keys), values, len(x))
        return do.result(y, old, new, raw[None])

    return Mistake(name, says, attend_next)


def in_place(x, w_q, w_k, w_v, keys, values):
    """The new token's channels are scaled, where they stand, so that the scores need not be."""
    n, K = keys.shape
    k, v = turned(x @ w_k, n), (x @ w_v)[None]
    x /= math.sqrt(K)
    keys, values = np.concatenate([keys, k]), np.concatenate([values, v])
    return (softmax(turned(x @ w_q, n) @ keys.T) @ values)[0], keys, values


MISTAKES = (
    wrong(
        "the new token missing",
        "The new token attends to those before it and not to itself. Its own key and value belong to what it sees: "
        "append them first.",
        seen=lambda old, new: old,
    ),
    wrong(
        "position 0",
        "The new token was put at position 0, as if it were the first, so neither its query nor its key was turned. n "
        "tokens came before, so its position is n.",
        position=lambda n: 0,
    ),
    wrong(
        "one position too far",
        "The new token was put at position n + 1. The first token is at 0, so after n tokens the next is at n.",
        position=lambda n: n + 1,
    ),
    wrong(
        "one position too near",
        "The new token was put at position n - 1, which is that of the last one before it.",
        position=lambda n: max(0, n - 1),
    ),
    wrong(
        "key not turned",
        "The new key was not turned to its position. The query was: turn both, or the angle between them is wrong.",
        turn_k=lambda z, n: z[None],
    ),
    wrong(
        "query not turned",
        "The query was not turned to its position, and the keys are.",
        turn_q=lambda z, n: z[None],
    ),
    wrong(
        "value turned",
        "The value was turned as well. Only queries and keys are: a position decides who looks where, not what is "
        "brought.",
        turn_v=turned,
    ),
    wrong(
        "kept keys turned again",
        "The keys of the cache were turned once more. They were turned when they were put there.",
        again=lambda keys: turned(keys, np.arange(len(keys))) if len(keys) > 1 else keys,
    ),
    wrong(
        "the key kept unturned",
        "y is right, but the key that is kept was not turned. The next token takes it for one that was.",
        result=lambda y, old, new, raw: (y, np.concatenate([old[0], raw]), new[1]),
    ),
    wrong(
        "the cache not extended",
        "What came back are the keys and values of before. The next token will look for this one, and not find it.",
        result=lambda y, old, new, raw: (y, old[0].copy(), old[1].copy()),
    ),
    wrong(
        "the new one in front",
        "The new key and value were put in front of the others. y is the same, but the order is that of the positions: "
        "the newest is last.",
        extend=lambda kept, new: np.concatenate([new, kept]),
    ),
    wrong(
        "only the new ones returned",
        "What came back are the new key and value alone. All are due, (n + 1, K): what is kept for the next token.",
        result=lambda y, old, new, raw: (y, new[0][-1:], new[1][-1:]),
    ),
    wrong(
        "only the new token seen",
        "The new token attends to itself alone. What was kept is there to be attended to.",
        seen=lambda old, new: tuple(z[-1:] for z in new),
    ),
    wrong(
        "only the first token seen",
        "The new token sees the first token alone. That is a causal mask for a query at place 0, np.tri(1, n + 1): but "
        "this query is the last one. It needs no mask.",
        hide=lambda scores: np.where(np.tri(*scores.shape, dtype=bool), scores, -np.inf),
    ),
    wrong(
        "no 1/sqrt(K)",
        "The scores were not divided by the root of K.",
        scale=lambda scores, K, C: scores,
    ),
    wrong(
        "divided by the root of the width",
        "The scores were divided by the root of the number of channels of x. It is K that counts: how many numbers a "
        "query and a key have.",
        scale=lambda scores, K, C: scores / math.sqrt(C),
    ),
    wrong(
        "no softmax",
        "The scores themselves were used as shares. They should be positive and add up to 1: softmax.",
        shares=lambda scores: scores,
    ),
    wrong(
        "keys averaged",
        "What was averaged are the keys. Their values are what a token brings.",
        swap=lambda keys, values: (keys, keys),
    ),
    wrong(
        "keys and values exchanged",
        "The query was compared with the values, and what it brought are keys.",
        swap=lambda keys, values: (values, keys),
    ),
    wrong(
        "y as a row",
        "y came back as (1, K). One token went in, so one vector comes out, (K,).",
        result=lambda y, old, new, raw: (y[None], *new),
    ),
    Mistake(
        "x changed in place",
        "x itself was changed, and whoever gave it still needs it.",
        in_place,
    ),
)
