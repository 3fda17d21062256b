"""ablation_score, a plain function: the loss that is gained without a head, over the tokens that count."""

import numpy as np

from ... import inside
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def in_loops(whole, ablated, *, counts):
    """One token at a time."""
    scores = []
    for losses in ablated:
        total, n = 0.0, 0
        for b, t in np.ndindex(whole.shape):
            if counts[b, t]:
                total += losses[b, t] - whole[b, t]
                n += 1
        scores.append(total / n if n else 0.0)
    return np.array(scores)


# Other right ones.


def by_where(whole, ablated, *, counts):
    """Zeros where a token does not count."""
    gained = np.where(counts, ablated - whole, 0.0)
    return gained.sum(axis=(1, 2)) / max(counts.sum(), 1)


def difference_of_means(whole, ablated, *, counts):
    """The two means first."""
    if not counts.any():
        return np.zeros(len(ablated))
    return np.array([losses[counts].mean() for losses in ablated]) - whole[counts].mean()


def by_places(whole, ablated, *, counts):
    """The places that count, as lists of indices."""
    b, t = np.nonzero(counts)
    gained = ablated[:, b, t] - whole[b, t]
    return np.einsum("hn->h", gained) / max(len(b), 1)


def wrong(name, says, function):
    """The Mistake of function(whole, ablated, counts), which gives 0 where no token counts."""

    def answer(whole, ablated, *, counts):
        return function(whole, ablated, counts) if counts.any() else np.zeros(len(ablated))

    return Mistake(name, says, answer)


def gains(whole, ablated, counts):
    """(H, n): what each token that counts gains."""
    return ablated[:, counts] - whole[counts]


def by_sequences(whole, ablated, counts):
    """The mean of each sequence, and the mean of those."""
    rows = counts.any(-1)
    gained = np.where(counts, ablated - whole, 0.0).sum(-1)[:, rows] / counts.sum(-1)[rows]
    return gained.mean(-1)


def masked_by_product(whole, ablated, counts):
    """With a product for the mask."""
    with np.errstate(invalid="ignore"):
        return ((ablated - whole) * counts).sum((1, 2)) / counts.sum()


def in_place(whole, ablated, counts):
    """In the array that was given."""
    ablated -= whole
    return ablated[:, counts].mean(-1)


def ask(part, whole, ablated, counts):
    """A question about these losses."""
    arguments = {"whole": np.array(whole, float), "ablated": np.array(ablated, float)}
    return Question(part, arguments, {"counts": np.array(counts, bool)})


def draw(rng):
    """Losses of 2 to 4 heads, which help or harm; in some sequences more tokens count than in others."""
    for H, B, T in [(2, 3, 4), (4, 2, 5), (3, 3, 3), (2, 4, 3)]:
        whole = rng.gamma(1.0, size=(B, T))
        ablated = np.maximum(0.01, whole + rng.normal(size=(H, 1, 1)) + rng.normal(size=(H, B, T)))
        counts = rng.random((B, T)) < 0.5
        counts[0], counts[1, 0], counts[1, 1] = True, True, False
        yield ask("score", whole, ablated, counts)
        lost = ablated.copy()
        lost[:, ~counts] = np.inf
        yield ask("edge", whole, lost, counts)
        yield ask("edge", whole, ablated, counts & False)


EXERCISE = Values(
    name="ablation_score",
    notebook="12_insight",
    answer=inside.ablation_score,
    spec=in_loops,
    parts=(
        Part("score", 2.5, "equals the definition for drawn losses"),
        Part("edge", 1, "infinite losses that do not count, and no token that counts", needs=("score",)),
        Part("arguments", 0.5, "the losses are left alone", needs=("score",)),
    ),
    by_hand=(
        ask("score", [[4, 1]], [[[4, 3]], [[6, 1]]], [[0, 1]]),
        ask("score", [[3, 1, 2], [3, 2, 2]], [[[3, 4, 2], [1, 2, 8]]], [[0, 1, 1], [0, 0, 1]]),
        ask("score", [[2, 1], [1, 3]], [[[1, 1], [2, 2]], [[2, 5], [1, 4]]], [[1, 1], [0, 1]]),
        ask("edge", [[3, 1]], [[[np.inf, 2]]], [[0, 1]]),
        ask("edge", [[3, 1]], [[[4, 2]]], [[0, 0]]),
    ),
    draw=draw,
    mistakes=(
        wrong(
            "the sign reversed",
            "This is the loss with all heads minus the loss without one. A head that is missed should have a score "
            "above 0: without it, minus with it.",
            lambda whole, ablated, counts: -gains(whole, ablated, counts).mean(-1),
        ),
        wrong(
            "every token counted",
            "The tokens that cannot be predicted were averaged in as well. Take those where counts is True.",
            lambda whole, ablated, counts: (ablated - whole).mean((1, 2)),
        ),
        wrong(
            "the tokens that do not count",
            "These are the tokens that do not count. counts is True where one does; no ~ is needed.",
            lambda whole, ablated, counts: gains(whole, ablated, ~counts).sum(-1) / max(1, (~counts).sum()),
        ),
        wrong(
            "divided by all tokens",
            "The sum over the tokens that count was divided by the number of all tokens. Divide by counts.sum().",
            lambda whole, ablated, counts: gains(whole, ablated, counts).sum(-1) / whole.size,
        ),
        wrong(
            "a mean of the sequences' means",
            "Each sequence was averaged by itself, and then the sequences. So a token weighs more where few count. "
            "Every token that counts has the same weight.",
            by_sequences,
        ),
        wrong(
            "a sum for a mean",
            "The gains were added up. Their mean over the tokens that count is due.",
            lambda whole, ablated, counts: gains(whole, ablated, counts).sum(-1),
        ),
        wrong(
            "the size of each difference",
            "Absolute differences were averaged. Where a token is predicted better without the head, that counts "
            "against the head: keep the sign.",
            lambda whole, ablated, counts: abs(gains(whole, ablated, counts)).mean(-1),
        ),
        wrong(
            "only what is lost",
            "Tokens that are predicted better without the head were counted as 0. They count with their sign.",
            lambda whole, ablated, counts: np.maximum(gains(whole, ablated, counts), 0).mean(-1),
        ),
        wrong(
            "one number for all heads",
            "This is one number, averaged over the heads too. Each head has a score of its own.",
            lambda whole, ablated, counts: gains(whole, ablated, counts).mean(),
        ),
        wrong(
            "the loss without the head",
            "This is the loss without the head. The loss that the model has anyway is to be taken off.",
            lambda whole, ablated, counts: ablated[:, counts].mean(-1),
        ),
        wrong(
            "a quotient",
            "This is how many times as large the loss is. The difference is due: near a loss of 0 a quotient says "
            "little.",
            lambda whole, ablated, counts: ablated[:, counts].mean(-1) / whole[counts].mean(),
        ),
        wrong(
            "a share of the loss",
            "The difference was divided by the loss with all heads. The difference itself is due, in nats.",
            lambda whole, ablated, counts: gains(whole, ablated, counts).mean(-1) / whole[counts].mean(),
        ),
        wrong(
            "the worst token",
            "This is the token that gains most. The mean over the tokens that count is due.",
            lambda whole, ablated, counts: gains(whole, ablated, counts).max(-1),
        ),
        wrong(
            "two kinds of mean",
            "From the mean over the tokens that count, the mean over all tokens was taken off. Both must be of the "
            "same tokens.",
            lambda whole, ablated, counts: ablated[:, counts].mean(-1) - whole.mean(),
        ),
        wrong(
            "infinity times 0",
            "The losses were multiplied with the mask, and infinity times 0 is not a number. Pick the tokens that "
            "count instead: ablated[:, counts].",
            masked_by_product,
        ),
        Mistake(
            "nothing divided by nothing",
            "Where no token counts this is 0 / 0. The score is 0 then.",
            lambda whole, ablated, *, counts: (
                np.where(counts, ablated - whole, 0.0).sum((1, 2)) / np.float64(counts.sum() or np.nan)
            ),
        ),
        wrong(
            "the losses changed",
            "The score is right, but ablated was changed. Write ablated - whole into an array of its own, not "
            "ablated -= whole.",
            in_place,
        ),
    ),
    right=(
        ("np.where", by_where),
        ("a difference of means", difference_of_means),
        ("lists of places", by_places),
    ),
    hints=(
        "For each token that counts: how much larger is its loss without the head? Average that, head by head.",
        "A boolean array picks the tokens that count: whole[counts] is a list of n losses, and ablated[:, counts] is "
        "(H, n). Subtract; the mean over n leaves H numbers.",
        "Divide the sum by counts.sum(), but not where that is 0: max(1, n) is enough, since the sum is 0 there. And "
        "pick the tokens, do not multiply with the mask: infinity times 0 is not a number.",
    ),
    lines=2,
    minutes=10,
    difficulty=2,
)
