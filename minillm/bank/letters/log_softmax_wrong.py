"""Wrong answers to log_softmax that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def along(a, fold):
    """A fold along the last axis."""
    return fold(a, axis=-1, keepdims=True)


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    scores=lambda logits, t: logits / t,
    top=lambda s: along(s, np.max),
    shift=lambda s, top: s - top,
    total=lambda e: along(e, np.sum),
    log=np.log,
    result=lambda s, log_total: s - log_total,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def log_softmax(logits, *, temperature=1.0):
        scores = do.scores(logits, temperature)
        shifted = do.shift(scores, do.top(scores))
        return do.result(shifted, do.log(do.total(np.exp(shifted))))

    return Mistake(name, says, log_softmax)


def divided_at_the_end(logits, *, temperature=1.0):
    """The logarithms for a temperature of 1, divided by the temperature."""
    shifted = logits - along(logits, np.max)
    return (shifted - np.log(along(np.exp(shifted), np.sum))) / temperature


def not_put_back(logits, *, temperature=1.0):
    """The largest score is taken off inside the exponential, and nowhere else."""
    scores = logits / temperature
    return scores - np.log(along(np.exp(scores - along(scores, np.max)), np.sum))


def without_keepdims(logits, *, temperature=1.0):
    """Sums that have lost their axis."""
    scores = logits / temperature
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1))


def in_place(logits, *, temperature=1.0):
    """The scores of whoever asked are written over."""
    logits /= temperature
    logits -= along(logits, np.max)
    return logits - np.log(along(np.exp(logits), np.sum))


def clipped(logits, *, temperature=1.0):
    """Scores that are cut off so that exp does not overflow."""
    scores = np.clip(logits / temperature, -500, 500)
    return scores - np.log(along(np.exp(scores), np.sum))


def nothing_taken_off(logits, *, temperature=1.0):
    """The softmax as it is written, and then its logarithm."""
    e = np.exp(logits / temperature)
    return np.log(e / along(e, np.sum))


def top_of_other_scores(logits, *, temperature=1.0):
    """The largest score is taken off, but not as it is after the division."""
    shifted = logits / temperature - along(logits, np.max)
    return shifted - np.log(along(np.exp(shifted), np.sum))


def missing_in_the_sum(logits, *, temperature=1.0):
    """The scores are divided by the temperature, but not those in the exponentials."""
    shifted = logits - along(logits, np.max)
    return shifted / temperature - np.log(along(np.exp(shifted), np.sum))


def in_pairs(logits, *, temperature=1.0):
    """1 / p is the sum of exp(s_y - s_x) over all y."""
    scores = logits / temperature
    return -np.log(np.exp(scores[..., None, :] - scores[..., :, None]).sum(-1))


def no_exponential(logits, *, temperature=1.0):
    """Scores as shares of their sum."""
    scores = logits / temperature
    return np.log(scores / along(scores, np.sum))


MISTAKES = (
    wrong(
        "the largest score left in",
        "exp overflows from about 710 on, and infinity minus infinity is no number. Take the largest score of each row "
        "off all its scores first: no probability changes.",
        top=lambda s: 0,
    ),
    Mistake(
        "softmax first, and nothing taken off",
        "This is the softmax and then its logarithm, and both can fail: exp overflows from about 710 on, and a "
        "probability may be 0. Take the largest score of each row off, and write ln(exp(s) / sum) as s - ln(sum).",
        nothing_taken_off,
    ),
    wrong(
        "the logarithm of a softmax",
        "Here the probability is computed first. Where it is too small for a float it is 0, and its logarithm minus "
        "infinity. ln(exp(s) / sum) is s - ln(sum): no exponential of s is needed.",
        result=lambda s, log_total: np.log(np.exp(s) / along(np.exp(s), np.sum)),
    ),
    wrong(
        "1e-9 added before the logarithm",
        "1e-9 was added to the probability, so that its logarithm is finite. It is also wrong: below about 1e-9 all "
        "are alike. ln(exp(s) / sum) is s - ln(sum), exactly.",
        result=lambda s, log_total: np.log(np.exp(s) / along(np.exp(s), np.sum) + 1e-9),
    ),
    wrong(
        "over everything",
        "The sum runs over all rows. Each row is a distribution of its own: sum along the last axis.",
        top=lambda s: s.max(),
        total=lambda e: e.sum(),
    ),
    wrong(
        "the sum over everything",
        "The largest score is each row's own, but the sum runs over all rows. Each row is a distribution of its own: "
        "sum along the last axis, with keepdims=True.",
        total=lambda e: e.sum(),
    ),
    wrong(
        "over the first axis",
        "The sum runs over the first axis. The scores of one distribution lie along the last one.",
        top=lambda s: s.max(0),
        total=lambda e: e.sum(0),
    ),
    wrong(
        "one largest score for all rows",
        "The largest score of all rows was taken off. In a row far below it every exponential is 0, and so is their "
        "sum: each row needs its own largest.",
        top=lambda s: s.max(),
    ),
    wrong(
        "the smallest score taken off",
        "The smallest score was taken off. Then the largest exponential can still overflow: take the largest off.",
        top=lambda s: along(s, np.min),
    ),
    wrong(
        "the sum forgotten",
        "These are scores less the largest one. They are not normalised yet: take ln of the sum of their exponentials "
        "off.",
        result=lambda s, log_total: s,
    ),
    wrong(
        "the mean for the sum",
        "The mean of the exponentials was taken, where their sum is due. So the probabilities add up to V.",
        total=lambda e: along(e, np.mean),
    ),
    wrong(
        "probabilities",
        "These are the probabilities. Their logarithms are due.",
        result=lambda s, log_total: np.exp(s - log_total),
    ),
    wrong(
        "losses",
        "These are the losses, -ln p. The logarithms themselves are due, and none of them is above 0.",
        result=lambda s, log_total: log_total - s,
    ),
    wrong(
        "logarithms to base 2",
        "These are bits. The natural logarithm is due, np.log.",
        result=lambda s, log_total: (s - log_total) / np.log(2),
    ),
    wrong(
        "base 2 in one place",
        "The sum's logarithm was taken to base 2, and exp is to base e. The two must match: np.log.",
        log=np.log2,
    ),
    wrong(
        "multiplied by the temperature",
        "The scores are multiplied by the temperature. Divide: the higher the temperature, the closer together they "
        "come.",
        scores=lambda logits, t: logits * t,
    ),
    wrong(
        "no temperature",
        "The temperature is not looked at. The scores are divided by it, before all else.",
        scores=lambda logits, t: logits * 1.0,
    ),
    Mistake(
        "the temperature at the end",
        "The logarithms were divided by the temperature at the end. Then the probabilities no longer add up to 1: "
        "divide the scores, and normalise after that.",
        divided_at_the_end,
    ),
    Mistake(
        "the temperature missing in the sum",
        "The score in front was divided by the temperature, and those in the exponentials were not. Divide once, and "
        "use the divided scores in both places.",
        missing_in_the_sum,
    ),
    Mistake(
        "the largest of other scores",
        "The scores were divided by the temperature, and the largest that was taken off was not. Take the largest of "
        "the divided scores, or exp overflows where it is cold.",
        top_of_other_scores,
    ),
    Mistake(
        "each score against all others",
        "exp(s_y - s_x) overflows where two scores lie more than about 709 apart. Take the same number off all scores "
        "of a row, the largest: no difference to that is above 0.",
        in_pairs,
    ),
    Mistake(
        "the largest not put back",
        "Inside the exponential the largest score was taken off, and in front of the logarithm it was not. Take it off "
        "the scores once and use those in both places, or put it back: ln sum exp(s) is top + ln sum exp(s - top).",
        not_put_back,
    ),
    Mistake(
        "keepdims forgotten",
        "The sums have lost their axis. NumPy lines axes up from the right, so on a square array row i is corrected by "
        "the sum of the wrong row: keepdims=True.",
        without_keepdims,
    ),
    Mistake(
        "logits changed in place",
        "Something like logits -= top, and whoever gave the logits still needs them.",
        in_place,
    ),
    Mistake(
        "scores cut off",
        "Scores beyond some bound were cut off, so that exp does not overflow. That changes the answer. Taking the "
        "largest score off does not.",
        clipped,
    ),
    Mistake(
        "no exponential",
        "The scores were divided by their sum. Scores may be negative; probabilities are what their exponentials are "
        "shares of.",
        no_exponential,
    ),
)
