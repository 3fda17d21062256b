"""attention, there and back: what it is asked, and what each part is worth."""

import math

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import attention_right, attention_wrong

SHAPES = [(2, 1, 2, 3, 4), (1, 2, 3, 3, 6), (3, 2, 2, 4, 3), (2, 1, 4, 4, 2)] * 2  # B, H, T, S, K


def by_hand(q, k, v, dy, label="", **options):
    """What is asked of one sequence and one head; q and dy (T, K), k and v (S, K)."""
    array = lambda a: np.array(a, float)[None, None]
    return Probe({"q": array(q), "k": array(k), "v": array(v)}, array(dy), options, label=label)


def draw(rng):
    """One head and several, as many queries as keys and fewer; no mask, each mask alone, and masks together."""
    for i, (B, H, T, S, K) in enumerate(SHAPES):
        q, k, v = (rng.normal(size=(B, H, n, K)) for n in (T, S, S))
        seen = rng.random((T, S)) < 0.7
        seen[:, 0] = True
        seen[0] = i % 2 == 0  # or nothing at all
        pad = np.arange(S) >= rng.integers(1, S + 1, size=(B, 1))
        choices = [{}, {"causal": True}, {"mask": seen}, {"mask": rng.normal(size=(B, 1, T, S))}]
        choices += [{"key_padding_mask": pad}, {"causal": True, "key_padding_mask": pad}, {"causal": True}]
        choices += [{"mask": np.where(seen, rng.normal(size=(T, S)), -math.inf), "causal": True}]
        yield Probe({"q": q, "k": k, "v": v}, rng.normal(size=(B, H, T, K)), choices[i], label=" and ".join(choices[i]))


ONE_QUERY = [[2, 0]], [[1, 0], [0, 1]], [[1, 0], [0, 2]]
TWO_QUERIES = [[2, 0], [1, 1]], [[1, 0], [1, 2]], [[1, 0], [3, 1]]
UP, BOTH = [[1, 0]], [[1, 0], [0, 2]]
GIVEN = ("q", "k", "v")

EXERCISE = ThereAndBack(
    name="attention",
    notebook="04_attention",
    answer=layers.attention,
    spec=specs.attention,
    parts=(
        Part("y", 2, "equals the definition on {drawn} random arrays, with masks too", shows=GIVEN),
        Part("dq", 2, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("dk", 1.5, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("dv", 1.5, "agrees with finite differences", shows=(*GIVEN, "dy")),
        Part("arguments", 1, "q, k, v and dy are left alone, and all results are new", needs=("dq", "dk", "dv")),
    ),
    by_hand=(
        by_hand(*ONE_QUERY, UP),
        by_hand(*TWO_QUERIES, BOTH),
        by_hand(*TWO_QUERIES, BOTH, "causal:", causal=True),
        by_hand([[1, 1]], *TWO_QUERIES[1:], UP, "causal, the last query of two:", causal=True),
        by_hand(*TWO_QUERIES, BOTH, "mask = [[yes no] [yes yes]]:", mask=np.array([[True, False], [True, True]])),
        by_hand(*ONE_QUERY, UP, "mask = [[0. 1.]]:", mask=np.array([[0.0, 1.0]])),
        by_hand(*ONE_QUERY, UP, "mask = [[no no]]:", mask=np.array([[False, False]])),
        by_hand(*TWO_QUERIES, BOTH, "key 1 is padding:", key_padding_mask=np.array([[False, True]])),
        Probe(
            {
                "q": np.array([[[[1.0]]], [[[2.0]]]]),
                "k": np.array([[[[1.0], [0.0]]], [[[1.0], [0.0]]]]),
                "v": np.array([[[[2.0], [1.0]]], [[[2.0], [1.0]]]]),
            },
            np.array([[[[1.0]]], [[[1.0]]]]),
            {"key_padding_mask": np.array([[False, False], [False, True]])},
            label="two sequences, the last key is padding:",
        ),
        by_hand([[2000, 0], [2, 0]], *ONE_QUERY[1:], BOTH),
        by_hand([[100, 0]], [[1, 0], [0.98, 0]], ONE_QUERY[2], UP),
    ),
    draw=draw,
    mistakes=attention_wrong.MISTAKES,
    right=attention_right.ANSWERS,
    hints=(
        "y = weights @ v is a product of two matrices, and you know the way back through one: dv and dweights come as "
        "dw and dx did in linear. So do dq and dk, from the gradient of the scores.",
        "Between dweights and dscores lies the softmax. The weights of a row add up to 1, so what all of its dweights "
        "have in common moves nothing: from each, take the mean of the row off, weighted by the weights themselves.",
        "dscores = weights * (dweights - the row's sum of weights * dweights). Then dq is dscores @ k and dk is "
        "dscores, turned on its side, @ q, both times 1/sqrt(K). Masked places have weight 0 and need nothing more.",
    ),
    lines=12,
    minutes=35,
    difficulty=4,
)
