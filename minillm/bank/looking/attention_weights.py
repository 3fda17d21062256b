"""attention_weights, with all masks: what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import specs
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import attention_weights_right, attention_weights_wrong


def attention_weights(q, k, *, causal=False, mask=None, key_padding_mask=None):
    """How much each query looks at each key: softmax(q k^T / sqrt(K) + mask), over the keys.

    q (B, H, T, K), k (B, H, S, K) -> (B, H, T, S).  causal: query t sees the keys 0 to S - T + t.
    mask, broadcastable to (B, H, T, S): booleans, True = may attend, or numbers, which are added to the scores.
    key_padding_mask (B, S): True = padding, which nobody sees.  A query that sees nothing has weights of 0.
    """
    T, K = q.shape[2:]
    S = k.shape[2]
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(K)  # (B, H, T, S)
    if causal:
        scores = np.where(np.tri(T, S, S - T, dtype=bool), scores, -math.inf)
    if mask is not None:
        scores = np.where(mask, scores, -math.inf) if mask.dtype == bool else scores + mask
    if key_padding_mask is not None:
        scores = np.where(key_padding_mask[:, None, None, :], -math.inf, scores)
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(top == -math.inf, 0, top))  # no row of -inf less -inf
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


def meaning(q, k, **options):
    """The weights are what attention gives if value s has a 1 in place s and 0 elsewhere."""
    B, H, S, _ = k.shape
    return specs.attention(q, k, np.broadcast_to(np.eye(S), (B, H, S, S)), **options)


def question(part, q, k, **options):
    """What is asked of one sequence and one head; q (T, K), k (S, K)."""
    array = lambda a: np.array(a, float)[None, None]
    return Question(part, {"q": array(q), "k": array(k)}, options)


def draw(rng):
    """Each part on several shapes; nothing to see comes from a mask, and from a sequence that is all padding."""
    for i, (B, H, T, S, K) in enumerate(
        [(2, 1, 3, 5, 4), (1, 2, 4, 4, 9), (3, 2, 2, 6, 2), (2, 3, 5, 5, 3), (3, 1, 1, 4, 5)]
    ):
        q, k = (2 * rng.normal(size=(B, H, n, K)) for n in (T, S))
        ask = lambda part, q=q, k=k, **options: Question(part, {"q": q, "k": k}, options)
        yield ask("weights")
        yield ask("causal", causal=True)
        broadcast = [(T, S), (B, 1, T, S), (1, S), (B, H, T, S)][i % 4]
        seen = rng.random(broadcast) < 0.6
        seen[..., -1] = True
        yield ask("mask", mask=seen)
        yield ask("mask", mask=rng.normal(size=broadcast) * 2, causal=bool(i % 2))
        past = seen.copy()
        past[..., 0] = True
        yield ask("mask", mask=past, causal=True)
        pad = np.arange(S) >= rng.integers(1, S + 1, size=(B, 1))
        yield ask("padding", key_padding_mask=pad)
        yield ask("padding", key_padding_mask=pad, causal=T == S)
        pad = pad.copy()
        pad[0] = True
        yield ask("nothing", key_padding_mask=pad)
        nobody = rng.random((T, S)) < 0.5
        nobody[i % T] = False
        yield ask("nothing", mask=nobody)
        yield ask("nothing", mask=np.where(nobody, rng.normal(size=(T, S)), -math.inf))
        yield ask("nothing", mask=nobody, key_padding_mask=pad, causal=True)


TWO = [[2, 0, 0, 0]], [[1, 0, 0, 0], [0, 1, 0, 0]]  # the root of 4 is 2, so the scores are 1 and 0
SQUARE = [[2, 0], [1, 1]], [[1, 0], [1, 2]]  # two queries, two keys
THREE = [[2, 0], [1, 1]], [[1, 0], [1, 2], [0, 1]]  # two queries, three keys
YES_NO = np.array([[False, True], [True, True]])  # not the causal mask
SELF = np.where(np.tri(2, k=-1, dtype=bool), 0.0, -math.inf)  # the first query sees nothing

EXERCISE = Values(
    name="attention_weights",
    notebook="04_attention",
    answer=attention_weights,
    spec=meaning,
    parts=(
        Part("weights", 1, "equal the definition, without a mask"),
        Part("causal", 1, "nobody sees the future"),
        Part("mask", 1.5, "booleans choose, numbers are added"),
        Part("padding", 1, "nobody sees padding"),
        Part("nothing", 1, "who sees nothing has weights of 0"),
        Part("arguments", 0.5, "are left alone", needs=("weights",)),
    ),
    by_hand=(
        question("weights", *TWO),
        question("weights", *SQUARE),
        question("weights", [[2000, 0, 0, 0]], TWO[1]),
        question("weights", [[2000, 0, 0, 0], [2, 0, 0, 0]], TWO[1]),  # the largest score of each row, not of all
        question("weights", [[2000, 0, 0, 0]], [[1, 0, 0, 0], [0.999, 0, 0, 0]]),  # 1000 and 999
        question("causal", *SQUARE, causal=True),
        question("causal", [[1, 1]], SQUARE[1], causal=True),
        question("mask", *SQUARE, mask=YES_NO),
        question("mask", *TWO, mask=np.array([[0.0, 1.0]])),
        question("mask", *TWO, mask=np.array([[0.0, -math.inf]])),
        question("mask", *SQUARE, causal=True, mask=np.array([[0.0, 0.0], [1.0, 0.0]])),
        question("mask", *SQUARE, causal=True, mask=np.array([[True, True], [False, True]])),
        question("padding", *SQUARE, key_padding_mask=np.array([[False, True]])),
        Question(
            "padding",
            {"q": np.array([[[[1.0]]], [[[2.0]]]]), "k": np.array([[[[1.0], [0.0]]], [[[1.0], [0.0]]]])},
            {"key_padding_mask": np.array([[False, False], [False, True]])},
            label="two sequences:",
        ),
        question("padding", *THREE, causal=True, key_padding_mask=np.array([[True, False, False]])),
        question("nothing", *TWO, mask=np.array([[False, False]])),
        question("nothing", *SQUARE, mask=SELF),
        question("nothing", *SQUARE, mask=~YES_NO[::-1], key_padding_mask=np.array([[False, True]])),
    ),
    draw=draw,
    mistakes=attention_weights_wrong.MISTAKES,
    right=attention_weights_right.ANSWERS,
    hints=(
        "Every mask comes to the same: something is added to the scores before the softmax, 0 where a query may look "
        "and -inf where it may not. Scale first, then add, then share out over the last axis.",
        "For causal, np.tri(T, S, S - T, dtype=bool) is True where query t may see key s. key_padding_mask is (B, S), "
        "and the scores are (B, H, T, S): it needs two new axes in the middle.",
        "In a row of nothing but -inf the largest score is -inf, and -inf less -inf is nan. Take 0 off there instead, "
        "so that every exponential is 0; and where the sum is 0, divide by 1.",
    ),
    lines=14,
    minutes=25,
    difficulty=3,
)
