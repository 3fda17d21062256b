"""attend_next: attention of one new token to those whose keys and values were kept; what it is asked."""

import math

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import attend_next_right, attend_next_wrong


def attend_next(x, w_q, w_k, w_v, keys, values):
    """Attention of the next token, with channels x (C,), to the n tokens before it and to itself; one head, rotary.

    w_q, w_k and w_v are (C, K).  keys and values (n, K) are those of the tokens at positions 0 to n - 1, the keys
    turned to their positions.  Returns y (K,), and keys and values (n + 1, K) with those of the new token at the end.
    """
    n, K = keys.shape
    turn = lambda z: layers.rotary(z[None], positions=np.array([n]))[0]  # (K,) -> (1, K)
    q, k, v = turn(x @ w_q), turn(x @ w_k), (x @ w_v)[None]
    keys, values = np.concatenate([keys, k]), np.concatenate([values, v])
    weights, _ = layers.softmax(q @ keys.T / math.sqrt(K))  # (1, n + 1): no mask, all that there is came before
    return (weights @ values)[0], keys, values


def in_loops(x, w_q, w_k, w_v, keys, values):
    """What it means, one number at a time."""
    n, K = np.shape(keys)
    q, k, v = ([sum(x[c] * w[c][j] for c in range(len(x))) for j in range(K)] for w in (w_q, w_k, w_v))
    q, k = (specs.rotary(np.array([z], float), positions=np.array([n]))[0] for z in (q, k))
    keys, values = [*map(list, keys), list(k)], [*map(list, values), v]
    scores = [sum(q[j] * key[j] for j in range(K)) / math.sqrt(K) for key in keys]
    shares = [math.exp(score - max(scores)) for score in scores]
    y = [sum(share * value[j] for share, value in zip(shares, values, strict=True)) / sum(shares) for j in range(K)]
    return np.array(y), np.array(keys), np.array(values)


def ask(part, x, w_q, w_k, w_v, keys=(), values=(), label=""):
    """A question about these arrays."""
    K = np.shape(w_q)[1]
    keys, values = (np.array(z, float).reshape(-1, K) for z in (keys, values))
    arrays = {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v}
    given = {name: np.array(a, float) for name, a in arrays.items()}
    return Question(part, {**given, "keys": keys, "values": values}, label=label)


def by_hand(part, x, q, k, v, keys=(), values=()):
    """Weights that are diagonals: each channel by itself."""
    return ask(part, x, np.diag(q), np.diag(k), np.diag(v), keys, values)


def draw(rng):
    """After no token, after one, and after several."""
    for i, (C, K) in enumerate([(4, 2), (3, 4), (6, 6), (5, 2)] * 2):
        n = 0 if i < 2 else int(rng.integers(1, 9))
        w_q, w_k, w_v = rng.normal(size=(3, C, K))
        keys, values = rng.normal(size=(2, n, K))
        yield ask("next" if n else "first", rng.normal(size=C), w_q, w_k, w_v, keys, values)


EXERCISE = Values(
    name="attend_next",
    notebook="10_writing",
    answer=attend_next,
    spec=in_loops,
    parts=(
        Part("first", 1, "the first token attends to itself, and fills an empty cache"),
        Part("next", 3.5, "y, keys and values equal the definition on {drawn} random arrays"),
        Part("arguments", 0.5, "are left alone, and all results are new", needs=("next",)),
    ),
    by_hand=(
        by_hand("first", [1, 2], [1, 1], [1, 2], [3, 1]),
        # one token before, at position 0; the new one is at position 1, and turns by one radian
        by_hand("next", [1, 0], [1, 1], [1, 1], [1, 2], [[1, 0]], [[0, 4]]),
        by_hand("next", [1, 1], [2, 1], [1, 3], [1, 2], [[1, 0]], [[0, 4]]),
        by_hand("next", [1, 1], [2, 1], [1, 3], [1, 2], [[1, 0], [0, 2]], [[0, 4], [3, 1]]),
        ask("next", [1, 2, 1], [[1, 0]] * 3, [[0, 1]] * 3, [[1, 1]] * 3, [[0, 1], [1, 0]], [[4, 0], [0, 4]]),
    ),
    draw=draw,
    mistakes=attend_next_wrong.MISTAKES,
    right=attend_next_right.ANSWERS,
    hints=(
        "How many tokens came before? The number of rows of `keys` says it, and that is the position of the new one. "
        "What the cache holds was turned when it was put there.",
        "Project x three times. Turn q and k to position n. Put the new key under the others, the new value under the "
        "others: the token may look at itself, too. Then it is attention with a single query, and no mask: all that "
        "there is came before.",
        "layers.rotary wants (..., T, K) and the T positions: layers.rotary(k[None], positions=np.array([n])) gives a "
        "pair whose first is (1, K). np.concatenate([keys, k]) makes a new array. The scores are q @ keys.T / "
        "math.sqrt(K), layers.softmax gives their shares, and these times values is y.",
    ),
    lines=9,
    minutes=25,
    difficulty=3,
)
