"""How the way to the weights goes wrong: (name, what is wrong with it, the steps that are written differently)."""

import math

import numpy as np

from .attention_steps import (
    NEVER,
    added,
    everywhere,
    exponentials,
    kept,
    mask_of,
    padding,
    quietly,
    row_sum,
    sees,
    softmax,
)

SCALE = (
    (
        "no 1/sqrt(d)",
        "The scores are not divided by the root of the number of channels. They grow with it, and soon one key "
        "takes all.",
        {"scale": lambda v: 1.0},
    ),
    (
        "divided by d",
        "The scores are divided by the number of channels. It is its root that brings their spread back to 1.",
        {"scale": lambda v: 1 / v.q.shape[-1]},
    ),
    (
        "multiplied by the root",
        "The scores are multiplied by the root of the number of channels. They are divided by it.",
        {"scale": lambda v: math.sqrt(v.q.shape[-1])},
    ),
    (
        "divided by the root of the number of keys",
        "The scores are divided by the root of the number of keys. A score is a sum over the channels: theirs is the "
        "number that counts, q.shape[-1].",
        {"scale": lambda v: 1 / math.sqrt(v.k.shape[2])},
    ),
    (
        "masks before the scaling",
        "The mask is added first, and the sum is divided by the root: so the numbers of an additive mask are divided, "
        "too. Scale the scores, and then add.",
        {"total": lambda v: (v.raw + v.future + v.choice + v.empty) * v.scale},
    ),
)
SHARES = (
    (
        "softmax over the queries",
        "The softmax runs over the queries, axis -2. Each query shares out its own attention: over the keys, axis -1.",
        {"weights": lambda v: softmax(v.total, axis=-2)},
    ),
    (
        "softmax over everything",
        "The weights of all queries together add up to 1. Each query has a whole of its own: the softmax runs over the "
        "last axis alone.",
        {"weights": quietly(everywhere)},
    ),
    (
        "softmax without the maximum",
        "exp is taken of the scores as they are, and overflows where they are large. Take the largest score of each "
        "row off first: that changes no share.",
        {"weights": quietly(lambda v: np.where(np.isneginf(v.total).all(-1, keepdims=True), 0, exponentials(v)))},
    ),
    (
        "a sum that is not 1",
        "The exponentials are not divided by their sum, so the weights are no shares.",
        {"weights": quietly(lambda v: np.exp(v.total - np.maximum(v.total.max(-1, keepdims=True), -1e300)))},
    ),
    (
        "no exponential",
        "The scores are divided by their sum. A score may be negative, and their sum 0: the softmax takes exp first.",
        {"weights": quietly(lambda v: np.where(np.isfinite(v.total), v.total, 0) / row_sum(kept(v) * v.scores))},
    ),
)
MASKS = (
    (
        "causal not looked at",
        "causal is not looked at: every query sees the future.",
        {"future": lambda v: 0.0},
    ),
    (
        "the past hidden for the future",
        "With causal=True the past is hidden and the future is seen. The triangle stands on its head.",
        {"future": lambda v: added(sees(v, -1).__invert__()) if v.causal else 0.0},
    ),
    (
        "the diagonal masked",
        "With causal=True a query does not see its own position. It may: what is asked for is the token after it.",
        {"future": lambda v: added(sees(v, -1)) if v.causal else 0.0},
    ),
    (
        "one step into the future",
        "With causal=True a query sees one key too many, the one after its own position.",
        {"future": lambda v: added(sees(v, 1)) if v.causal else 0.0},
    ),
    (
        "the triangle begins at the first key",
        "With fewer queries than keys the triangle begins at the first key. The T queries are the last T of the S "
        "positions, so query t sees the keys 0 to S - T + t.",
        {"future": lambda v: added(np.tri(v.q.shape[2], v.k.shape[2], dtype=bool)) if v.causal else 0.0},
    ),
    (
        "mask not looked at",
        "mask is not looked at.",
        {"choice": lambda v: 0.0},
    ),
    (
        "mask inverted",
        "A boolean mask is read the wrong way round. True means: may attend.",
        {"choice": lambda v: mask_of(v, lambda mask: added(~mask))},
    ),
    (
        "booleans added",
        "A boolean mask is added to the scores, as 1 and 0. False must become -inf, and True 0.",
        {"choice": lambda v: mask_of(v, lambda mask: mask * 1.0)},
    ),
    (
        "numbers read as yes and no",
        "A mask of numbers is read as yes where it is not 0. Numbers are added to the scores as they are.",
        {"choice": lambda v: 0.0 if v.mask is None else added(v.mask.astype(bool))},
    ),
    (
        "numbers subtracted",
        "A mask of numbers is subtracted. It is added.",
        {"choice": lambda v: 0.0 if v.mask is None else added(v.mask) if v.mask.dtype == bool else -v.mask},
    ),
    (
        "padding not looked at",
        "key_padding_mask is not looked at.",
        {"empty": lambda v: 0.0},
    ),
    (
        "padding inverted",
        "key_padding_mask is read the wrong way round. True means: this key is padding, and nobody may see it.",
        {"empty": lambda v: padding(v, lambda pad: added(pad)[:, None, None, :])},
    ),
    (
        "padding on the queries",
        "The padding hides queries, along axis -2. It is about keys: along axis -1, the same for every query.",
        {"empty": lambda v: padding(v, lambda pad: added(~pad)[:, None, :, None])},
    ),
    (
        "padding with an axis missing",
        "key_padding_mask (B, S) has been given one new axis, and NumPy lays its sequences along the heads. The scores "
        "are (B, H, T, S), so it needs two: key_padding_mask[:, None, None, :].",
        {"empty": lambda v: padding(v, lambda pad: added(~pad)[:, None, :])},
    ),
    (
        "0 for -inf",
        "Where a query may not look the score is set to 0. exp(0) is 1, so such a key gets its share. It must be -inf.",
        {
            "total": lambda v: np.where(kept(v) == 1, v.scores + v.future + v.choice + v.empty, 0.0),
        },
    ),
    (
        "a large number for -inf",
        "A large negative number stands in for -inf. Where a query sees nothing, all its scores are nearly the same "
        "again, and it averages what it should not see.",
        {"never": lambda v: -1e9},
    ),
    (
        "0 times infinity",
        "The mask is multiplied by -inf, and 0 times infinity is not a number. Choose with np.where instead.",
        {
            "future": quietly(lambda v: ~sees(v) * NEVER if v.causal else 0.0),
            "choice": quietly(lambda v: mask_of(v, lambda mask: ~mask * NEVER)),
            "empty": quietly(lambda v: padding(v, lambda pad: (pad * NEVER)[:, None, None, :])),
        },
    ),
    (
        "masks after the softmax",
        "The weights are set to 0 after the softmax, so that those of a row no longer add up to 1. What is hidden must "
        "be hidden before the shares are dealt out.",
        {"weights": lambda v: softmax(v.scores + (v.choice if np.isfinite(v.choice).all() else 0.0)) * kept(v)},
    ),
    (
        "nothing to see is not a number",
        "A query with nothing to see has a row of nothing but -inf, and its weights come out as nan. They must be 0.",
        {"weights": quietly(lambda v: exponentials(v, v.total - v.total.max(-1, keepdims=True)))},
    ),
)
ALL = SCALE + SHARES + MASKS
