"""Wrong answers to top_p that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def refuse(p):
    """A p that is no share, or keeps nothing."""
    if not 0 < p <= 1:
        raise ValueError(p)


def softmax(scores):
    """Probabilities along the last axis."""
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def before(probs):
    """What stands before each token in the order."""
    return probs.cumsum(-1) - probs


def one_more(probs, p):
    """Whether the token before is needed: each is kept one place too long."""
    return np.concatenate([np.ones_like(probs[..., :1], bool), (before(probs) < p)[..., :-1]], -1)


def put_back(order, kept, logits):
    """Numbers in sorted order, each at its token's place."""
    y = np.empty_like(kept)
    np.put_along_axis(y, order, kept, -1)
    return y


def log_softmax(kept):
    """Logarithms of probabilities along the last axis."""
    top = kept.max(-1, keepdims=True)
    return kept - top - np.log(np.exp(kept - top).sum(-1, keepdims=True))


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    refuse=refuse,
    whole=lambda logits, p: p == 1,
    order=lambda logits: np.argsort(-logits, axis=-1, kind="stable"),
    probs=softmax,
    needed=lambda probs, p: before(probs) < p,
    rest=-np.inf,
    back=put_back,
    result=lambda y: y,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def top_p(logits, p):
        do.refuse(p)
        if do.whole(logits, p):
            return do.result(logits.copy())
        order = do.order(logits)
        kept = np.take_along_axis(logits, order, -1)
        kept = np.where(do.needed(do.probs(kept), p), kept, do.rest)
        return do.result(do.back(order, kept, logits))

    return Mistake(name, says, top_p)


def unsorted(logits, p):
    """The running sum in the order of the ids."""
    refuse(p)
    return logits.copy() if p == 1 else np.where(before(softmax(logits)) < p, logits, -np.inf)


def mask_not_put_back(logits, p):
    """What holds for the first in the order is done to the first id."""
    refuse(p)
    probs = -np.sort(-softmax(logits), axis=-1)
    return logits.copy() if p == 1 else np.where(before(probs) < p, logits, -np.inf)


def each_by_itself(logits, p):
    """All tokens that have a probability of p by themselves."""
    refuse(p)
    return logits.copy() if p == 1 else np.where(softmax(logits) >= p, logits, -np.inf)


def near_the_likeliest(logits, p):
    """All tokens that are at least p times as likely as the likeliest."""
    refuse(p)
    probs = softmax(logits)
    return logits.copy() if p == 1 else np.where(probs >= p * probs.max(-1, keepdims=True), logits, -np.inf)


def all_that_equal_the_last(logits, p):
    """All tokens that are as likely as the one that crosses p."""
    refuse(p)
    if p == 1:
        return logits.copy()
    ordered = -np.sort(-logits, axis=-1)
    last = np.where(before(softmax(ordered)) < p, ordered, np.inf).min(-1, keepdims=True)
    return np.where(logits >= last, logits, -np.inf)


def share_of_the_tokens(logits, p):
    """So many tokens: p of all there are."""
    refuse(p)
    rank = np.argsort(np.argsort(-logits, axis=-1, kind="stable"), axis=-1)
    return np.where(rank < p * logits.shape[-1], logits, -np.inf)


def over_everything(logits, p):
    """One distribution of all rows."""
    refuse(p)
    if p == 1:
        return logits.copy()
    flat = logits.ravel()
    order = np.argsort(-flat, kind="stable")
    y = np.full(flat.size, -np.inf)
    kept = order[before(softmax(flat)[order]) < p]
    y[kept] = flat[kept]
    return y.reshape(logits.shape)


def in_place(logits, p):
    """The logits of whoever asked are written over."""
    refuse(p)
    if p < 1:
        order = np.argsort(-logits, axis=-1, kind="stable")
        kept = np.take_along_axis(logits, order, -1)
        np.put_along_axis(logits, order, np.where(before(softmax(kept)) < p, kept, -np.inf), -1)
    return logits


def over_the_first_axis(logits, p):
    """Each column as a distribution."""
    refuse(p)
    if p == 1:
        return logits.copy()
    turned = np.moveaxis(logits, 0, -1)
    order = np.argsort(-turned, axis=-1, kind="stable")
    kept = np.take_along_axis(turned, order, -1)
    y = np.empty_like(kept)
    np.put_along_axis(y, order, np.where(before(softmax(kept)) < p, kept, -np.inf), -1)
    return np.moveaxis(y, -1, 0)


MISTAKES = (
    wrong(
        "the token that crosses dropped",
        "The token with which the running sum passes p was dropped. Without it the sum is short of p, and where the "
        "first token alone passes p nothing is left to draw from.",
        needed=lambda probs, p: probs.cumsum(-1) <= p,
    ),
    wrong(
        "the token that crosses dropped, but for the first",
        "The token with which the running sum passes p was dropped, and the likeliest kept in any case. The set should "
        "add up to p or more: the token that crosses belongs to it.",
        needed=lambda probs, p: (probs.cumsum(-1) <= p) | (np.arange(probs.shape[-1]) == 0),
    ),
    wrong(
        "one token too many",
        "One token more was kept than is needed: those before it had reached p already.",
        needed=one_more,
    ),
    wrong(
        "one more where p is met exactly",
        "Where the sum is exactly p one token more was kept. The set is the smallest that reaches p, and that is "
        "reached: a token is needed if those before it are below p, not if they are at most p.",
        needed=lambda probs, p: before(probs) <= p,
    ),
    Mistake(
        "not sorted",
        "The running sum was taken in the order of the ids. The likeliest go first: sort each row before.",
        unsorted,
    ),
    Mistake(
        "not put back",
        "The sum was taken in sorted order, and the tokens were dropped in the order of the ids: so the wrong ones. "
        "What was found for place i of the order belongs to token order[i].",
        mask_not_put_back,
    ),
    wrong(
        "left in sorted order",
        "The logits came back sorted. Then nobody knows whose they are: put each back at its token's place.",
        back=lambda order, kept, logits: kept,
    ),
    wrong(
        "the least likely first",
        "The row was sorted with the least likely first, so the set begins with what should be left out.",
        order=lambda logits: np.argsort(logits, axis=-1, kind="stable"),
    ),
    wrong(
        "logits for probabilities",
        "The running sum is one of logits. p is a share of the probability: take the softmax before the sum.",
        probs=lambda kept: kept,
    ),
    wrong(
        "exponentials for probabilities",
        "The running sum is one of exponentials, which do not add up to 1: divide by their sum.",
        probs=np.exp,
    ),
    wrong(
        "probabilities within what is left out",
        "p was taken for the share that is left out. It is the share that stays.",
        needed=lambda probs, p: before(probs) < 1 - p,
    ),
    Mistake(
        "each token by itself",
        "The tokens that have a probability of p by themselves were kept. Together they should have it.",
        each_by_itself,
    ),
    Mistake(
        "a share of the likeliest",
        "The tokens that are at least p times as likely as the likeliest were kept. That is another rule (min-p). Here "
        "those that stay have a probability of p together.",
        near_the_likeliest,
    ),
    Mistake(
        "all that equal the last",
        "Everything as likely as the token that crosses p was kept. Of equals, the lower ids go first, and no more "
        "stay than p needs.",
        all_that_equal_the_last,
    ),
    wrong(
        "the higher id first",
        "Of equal logits the one with the higher id was kept. Sort -logits, with kind='stable'.",
        order=lambda logits: np.argsort(logits, axis=-1, kind="stable")[..., ::-1],
    ),
    Mistake(
        "a share of the tokens",
        "A share p of all tokens was kept, however probable they are. p is a share of the probability.",
        share_of_the_tokens,
    ),
    Mistake(
        "over all rows",
        "All rows were taken for one distribution. Each row is one of its own: softmax and sum run along the last "
        "axis.",
        over_everything,
    ),
    Mistake(
        "over the first axis",
        "Softmax and sum run along the first axis. The tokens of one distribution lie along the last one.",
        over_the_first_axis,
    ),
    wrong(
        "zero for the others",
        "The others were set to 0. A logit of 0 is no probability of 0: exp(0) is 1. Only -inf is never drawn.",
        rest=0.0,
    ),
    wrong(
        "probabilities",
        "What came back are probabilities. The logits that stay keep their values: whoever draws takes the softmax.",
        result=softmax,
    ),
    wrong(
        "normalised at once",
        "The logits that stay were normalised. They keep their values here: whoever draws takes the softmax, and that "
        "makes what is left add up to 1.",
        result=log_softmax,
    ),
    wrong(
        "p = 1 drops a token",
        "With p = 1 a token was dropped. Beside a probability of nearly 1 a very small one is lost in rounding, and "
        "the sum seems to be 1 before its turn. p = 1 is a case of its own: everything stays.",
        whole=lambda logits, p: False,
    ),
    wrong(
        "large logits overflow",
        "Right for small logits. exp(1000) is infinite, and infinity divided by infinity is no number: take the "
        "largest logit off before exp, or use layers.softmax.",
        probs=lambda scores: np.exp(scores) / np.exp(scores).sum(-1, keepdims=True),
    ),
    wrong(
        "p outside (0, 1] not refused",
        "A p of 0 keeps nothing, and one above 1 is no share. A ValueError is due.",
        refuse=lambda p: None,
    ),
    Mistake(
        "logits changed in place",
        "The logits themselves were written over, and whoever gave them still needs them: start from a new array.",
        in_place,
    ),
)
