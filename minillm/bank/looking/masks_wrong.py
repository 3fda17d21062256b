"""How the way to the weights goes wrong: (name, what is wrong with it, the steps that are written differently)."""

import math

import numpy as np

from .attention_steps import (
    NEVER,
    WEIGHTS,
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


def guarded(e):
    """The exponentials, each row divided by its sum if that is not 0."""
    total = row_sum(e)
    return e / np.where(total == 0, 1, total)


def booleans(v):
    """Whether the mask is one of booleans."""
    return v.mask is not None and v.mask.dtype == bool


def unhidden(v):
    """Which queries see something, as far as booleans say."""
    hidden = v.future + (v.choice if booleans(v) else 0.0) + v.empty
    return np.broadcast_to(np.isfinite(hidden), v.scores.shape).any(-1, keepdims=True)


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
        "one maximum for all rows",
        "The largest of all scores is taken off, and not that of the row. In a row far below it every exponential is "
        "0, and nothing is left to share out.",
        {"weights": quietly(lambda v: guarded(np.exp(v.total - max(v.total.max(), -1e300))))},
    ),
    (
        "scores clipped",
        "The scores are clipped before exp, so that those beyond the limit become equal. Take the largest score of "
        "each row off instead: then nothing overflows.",
        {"scores": lambda v: np.clip(v.raw * v.scale, -50, 50)},
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
        "no mask at all",
        "None of the masks is looked at: not causal, not mask, not key_padding_mask.",
        {"future": lambda v: 0.0, "choice": lambda v: 0.0, "empty": lambda v: 0.0},
    ),
    (
        "neither mask nor padding looked at",
        "mask and key_padding_mask are not looked at.",
        {"choice": lambda v: 0.0, "empty": lambda v: 0.0},
    ),
    (
        "always causal",
        "The future is hidden whatever causal says. Without causal=True every query sees every key.",
        {"future": lambda v: added(sees(v))},
    ),
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


def where_nan(v, instead):
    """The softmax as it is without care, and in the place of nan something else."""
    weights = exponentials(v, v.total - v.total.max(-1, keepdims=True))
    return np.where(np.isnan(weights), instead, weights)


def number_for_score(v):
    """The scores with a large negative number in the place of those that booleans hide."""
    hidden = v.future + (v.choice if booleans(v) else 0.0) + v.empty
    bias = v.mask if numbers_given(v) else 0.0
    return np.where(np.broadcast_to(np.isfinite(hidden), v.scores.shape), v.scores + bias, -1e9)


def careless(v, total=None):
    """The softmax as it is without care."""
    total = v.total if total is None else total
    return exponentials(v, total - total.max(-1, keepdims=True))


def overwritten(v):
    """The scores where booleans hide what the last of them hides; numbers are added."""
    hidden, bias = v.future, 0.0
    if v.mask is not None:
        hidden, bias = (added(v.mask), 0.0) if v.mask.dtype == bool else (hidden, v.mask)
    return v.scores + bias + (hidden if v.key_padding_mask is None else v.empty)


def numbers_given(v):
    """Whether the mask is one of numbers."""
    return v.mask is not None and v.mask.dtype != bool


def pads(v):
    """The padding with the axes that it came with."""
    return False if v.key_padding_mask is None else v.key_padding_mask


def unless(step, given):
    """A step that makes 0 where another mask is given."""
    return lambda v: 0.0 if given(v) else WEIGHTS[step](v)


# These are told in attention_weights alone.
MORE = (
    (
        "one mask at a time",
        "Only one of the masks counts, as with elif. All of them may be given at once: if, and if, and if.",
        {
            "choice": unless("choice", lambda v: v.causal),
            "empty": unless("empty", lambda v: v.causal or v.mask is not None),
        },
    ),
    (
        "each mask in the place of the one before",
        "Given together, the last mask takes the place of those before it. What any of them hides stays hidden.",
        {"total": overwritten},
    ),
    (
        "a mask of numbers alone",
        "With a mask of numbers the others are not looked at. All of them may be given at once.",
        {"future": unless("future", numbers_given), "empty": unless("empty", numbers_given)},
    ),
    (
        "causal lost beside another mask",
        "Given together with another mask, causal is lost.",
        {"future": unless("future", lambda v: v.mask is not None or v.key_padding_mask is not None)},
    ),
    (
        "padding lost beside a mask",
        "Given together with mask, key_padding_mask is lost. All of them may be given at once.",
        {"empty": unless("empty", lambda v: v.mask is not None)},
    ),
    (
        "0 for False",
        "Where a boolean mask is False the score is set to 0. exp(0) is 1, so such a key gets its share. It must be "
        "-inf.",
        {
            "total": lambda v: (
                np.where(v.mask if booleans(v) else True, v.scores + v.future, 0.0)
                + (0.0 if booleans(v) else v.choice)
                + v.empty
            )
        },
    ),
    (
        "padding on the last queries",
        "The padding hides queries, along axis -2. It is about keys: along axis -1, the same for every query.",
        {"empty": lambda v: padding(v, lambda pad: added(~pad[:, -v.q.shape[2] :])[:, None, :, None])},
    ),
    (
        "padding left to broadcasting",
        "key_padding_mask is used as it is, and NumPy lays (B, S) along the queries and keys (T, S). The scores are "
        "(B, H, T, S), so it needs two new axes: key_padding_mask[:, None, None, :].",
        {"total": lambda v: np.where(pads(v), NEVER, v.scores + v.future + v.choice)},
    ),
    (
        "the padding of the first sequence",
        "The padding of the first sequence serves all of them. Each has its own row of key_padding_mask.",
        {"empty": lambda v: padding(v, lambda pad: added(~pad[0]))},
    ),
    (
        "a large number in the place of the score",
        "A large negative number takes the place of a score that is hidden. Where a query sees nothing, all its "
        "scores are equal then, and it averages everything. Its weights must be 0.",
        {"total": number_for_score},
    ),
    (
        "a large number in the place of the score, and nan",
        "A large negative number takes the place of a score that is hidden: a query that sees nothing averages "
        "everything. And where a mask of numbers has a row of -inf, nan comes out. Both must be weights of 0.",
        {"weights": quietly(lambda v: careless(v, number_for_score(v)))},
    ),
    (
        "a large number added, and nan",
        "A large negative number is added where a key is hidden: a query that sees nothing averages what it should "
        "not see. And where a mask of numbers has a row of -inf, nan comes out. Both must be weights of 0.",
        {"never": lambda v: -1e9, "weights": quietly(careless)},
    ),
    (
        "equal weights for nothing",
        "A query that sees nothing gets equal weights. They must be 0.",
        {"weights": quietly(lambda v: where_nan(v, 1 / v.k.shape[2]))},
    ),
    (
        "one empty row and all weights 0",
        "If one query sees nothing, the weights of all queries are set to 0. Only its own row is.",
        {"weights": quietly(lambda v: (lambda w: 0 * v.scores if np.isnan(w).any() else w)(careless(v)))},
    ),
    (
        "-inf in a mask of numbers not taken for nothing",
        "A row of a mask of numbers that is -inf throughout leaves a query nothing to see, too, and its weights come "
        "out as nan. Ask the scores, when all masks are in them, and not the masks.",
        {"weights": quietly(lambda v: np.where(unhidden(v), careless(v), 0.0))},
    ),
    (
        "only mask asked for what is empty",
        "Only a boolean mask is asked whether a query sees nothing, and -inf or padding leave it nothing, too. Ask the "
        "scores, when all masks are in them.",
        {
            "weights": quietly(
                lambda v: np.where(v.mask.any(-1, keepdims=True), careless(v), 0.0) if booleans(v) else careless(v)
            )
        },
    ),
    (
        "one maximum for all rows, and nan",
        "The largest of all scores is taken off, and not that of the row. In a row far below it every exponential is "
        "0, and 0 by 0 is not a number.",
        {"weights": quietly(lambda v: exponentials(v, v.total - v.total.max()))},
    ),
    (
        "softmax over the heads",
        "The softmax runs over the heads, axis 1. Each query shares out its own attention: over the keys, axis -1.",
        {"weights": lambda v: softmax(v.total, axis=1)},
    ),
    (
        "keys turned by reshape",
        "The keys are brought to (B, H, K, S) by reshape, which mixes their numbers. Swap the last two axes: "
        "k.swapaxes(-1, -2).",
        {"raw": lambda v: v.q @ v.k.reshape(*v.k.shape[:2], v.k.shape[3], v.k.shape[2])},
    ),
    (
        "k.T",
        ".T turns all four axes around. Turn the last two only: k.swapaxes(-1, -2).",
        {"raw": lambda v: v.q @ v.k.T},
    ),
)
ALL = SCALE + SHARES + MASKS
