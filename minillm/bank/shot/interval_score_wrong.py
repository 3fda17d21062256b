"""Wrong answers to `interval_score` that people write, and what each of them does."""

import types

import numpy as np

from ...grader.exercise import Mistake

# The steps of a right answer.
STEPS = types.SimpleNamespace(
    width=lambda low, high: high - low,
    price=lambda level: 2 / (1 - level),
    below=lambda low, high, truth: np.maximum(low - truth, 0),
    above=lambda low, high, truth: np.maximum(truth - high, 0),
    whole=lambda width, price, below, above: width + price * (below + above),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def interval_score(low, high, level, truth):
        low, high, truth = (np.asarray(a, float) for a in (low, high, truth))
        parts = do.below(low, high, truth), do.above(low, high, truth)
        return do.whole(do.width(low, high), do.price(level), *parts)

    return Mistake(name, says, interval_score)


def nothing(low, high, truth):
    """No fine on this side."""
    return np.zeros(np.broadcast(low, high, truth).shape)


MISTAKES = (
    wrong(
        "level for 1 - level",
        "The fine is 2 / level here, about the same for every level. It is 2 / (1 - level): who claims 95 per cent "
        "pays 40 for each nat outside, and who claims 80 pays 10.",
        price=lambda level: 2 / level,
    ),
    wrong(
        "factor 2 forgotten",
        "The fine is 1 / (1 - level) here. Each end leaves out half of 1 - level, which is where the 2 comes from; "
        "without it too narrow an interval pays.",
        price=lambda level: 1 / (1 - level),
    ),
    wrong(
        "half of 1 - level doubled",
        "The fine is 4 / (1 - level) here: the share on one side, (1 - level) / 2, goes under 1 and not under 2.",
        price=lambda level: 4 / (1 - level),
    ),
    wrong(
        "product for quotient",
        "The fine is 2 (1 - level) here: it grows smaller as more is claimed. Divide.",
        price=lambda level: 2 * (1 - level),
    ),
    wrong("above for free", "A truth above the interval costs nothing here. Both sides are fined.", above=nothing),
    wrong("below for free", "A truth below the interval costs nothing here. Both sides are fined.", below=nothing),
    wrong(
        "signed distance",
        "A truth inside the interval gets something back here: the distances outside are 0 there, never negative.",
        below=lambda low, high, truth: low - truth,
        above=lambda low, high, truth: np.maximum(truth - high, 0),
    ),
    wrong(
        "distance squared",
        "The distance outside is squared here. With squares a near miss costs almost nothing, and the honest interval "
        "is no longer the best.",
        whole=lambda width, price, below, above: width + price * (below**2 + above**2),
    ),
    wrong(
        "width squared",
        "The width is squared here; it counts as it is.",
        whole=lambda width, price, below, above: width**2 + price * (below + above),
    ),
    wrong(
        "width left out",
        "Only the misses are paid here, so an absurdly wide interval is the best of all. Its width is what it costs.",
        whole=lambda width, price, below, above: price * (below + above) + 0 * width,
    ),
    wrong(
        "width or fine",
        "A miss pays its fine here and not the width. The width is always paid.",
        whole=lambda width, price, below, above: np.where(below + above > 0, price * (below + above), width),
    ),
    wrong(
        "from the middle",
        "A miss is measured from the middle of the interval here. It is measured from the end that is nearer.",
        below=lambda low, high, truth: np.where(truth < low, (low + high) / 2 - truth, 0),
        above=lambda low, high, truth: np.where(truth > high, truth - (low + high) / 2, 0),
    ),
    wrong(
        "from the far end",
        "A miss is measured from the far end here: how far a truth above lies outside is truth - high.",
        below=lambda low, high, truth: np.where(truth < low, high - truth, 0),
        above=lambda low, high, truth: np.where(truth > high, truth - low, 0),
    ),
    wrong(
        "a miss is a miss",
        "Every miss costs the same here, near or far. It costs in proportion to how far outside the truth lies.",
        whole=lambda width, price, below, above: width + price * (below + above > 0),
    ),
    wrong(
        "half the width",
        "Half of the width is counted here, and the whole of it is due.",
        width=lambda low, high: (high - low) / 2,
    ),
    wrong(
        "sign turned",
        "The score is a cost, and lower is better: it is never negative.",
        whole=lambda *parts: -STEPS.whole(*parts),
    ),
    wrong(
        "averaged",
        "This is the mean of the scores. Each truth has its own.",
        whole=lambda *parts: float(np.mean(STEPS.whole(*parts))),
    ),
)
