"""self_attention, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import gpt, specs
from ...config import Config
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import self_attention_right, self_attention_wrong


def meaning(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """What self-attention is, one head after the other, with rotary and attention in loops."""
    project = lambda x, name: x @ p[f"w_{name}"] + p.get(f"b_{name}", 0)
    K = config.width // config.n_head
    q, k, v = (project(x, name) for name in "qkv")
    found = []
    for h in range(config.n_head):
        mine = slice(h * K, (h + 1) * K)
        one, two, three = (z[:, None, :, mine] for z in (q, k, v))
        if config.positions == "rotary":
            one, two = (specs.rotary(z, positions=positions) for z in (one, two))
        found.append(specs.attention(one, two, three, causal=True, key_padding_mask=key_padding_mask)[:, 0])
    return project(np.concatenate(found, axis=-1), "o")


def probe(x, p, dy, n_head, positions="none", places=None, padding=None, weights=""):
    """What is asked with these arrays; `places` are the positions, `padding` the key padding mask.

    `weights` says what p is, where all its matrices are too many numbers to be shown.
    """
    arrays = {"x": np.array(x, float), "p": {name: np.array(a, float) for name, a in p.items()}}
    C = arrays["x"].shape[-1]
    config = Config(width=C, n_head=n_head, n_layer=1, positions=positions, bias="b_q" in p)
    options = {"config": config, "positions": np.arange(np.shape(x)[1]) if places is None else np.array(places)}
    said = [f"{n_head} head{'s' * (n_head > 1)}"] + [weights] * bool(weights)
    if positions == "rotary":
        said.append(f"rotary, positions = {options['positions'].tolist()}")
    if padding is not None:
        options["key_padding_mask"] = np.array(padding)
        said.append(f"key_padding_mask = {options['key_padding_mask'].astype(int).tolist()}")
    return Probe(arrays, np.array(dy, float), options, label=", ".join(said) + ":")


def by_hand(x, dy, n_head, q, k, v, o, **more):
    """Weights that are diagonals: each channel by itself."""
    p = {f"w_{name}": np.diag(w) for name, w in zip("qkvo", (q, k, v, o), strict=True)}
    weights = ", ".join(
        f"w_{name} = diag({', '.join(map(str, w))})" for name, w in zip("qkvo", (q, k, v, o), strict=True)
    )
    return probe([x], p, [dy], n_head, weights=weights, **more)


def draw(rng):
    """With and without biases, with each kind of position, with positions and padding of each sequence's own."""
    for i, (B, T, K, H) in enumerate([(2, 2, 2, 2), (1, 3, 4, 2), (2, 4, 2, 1), (1, 3, 2, 3)]):
        C = H * K
        p = {f"w_{name}": rng.normal(size=(C, C)) / np.sqrt(C) for name in "qkvo"}
        if i % 2 == 0:
            p |= {f"b_{name}": rng.normal(size=C) for name in "qkvo"}
        places = rng.integers(0, 9, size=T) if i % 3 else rng.integers(0, 9, size=(B, T))
        padding = np.arange(T) < rng.integers(0, T, size=(B, 1)) if i < 2 else None
        x, dy = rng.normal(size=(2, B, T, C))
        yield probe(x, p, dy, H, ("rotary", "learned", "none", "rotary")[i], places, padding)


BIASED = {f"w_{name}": [[1.0]] for name in "qkvo"} | {f"b_{name}": [i] for i, name in enumerate("qkvo")}

EXERCISE = ThereAndBack(
    name="self_attention",
    notebook="05_heads",
    answer=gpt.self_attention,
    spec=meaning,
    parts=(
        Part("y", 2, "equals the definition for {drawn} random arrays", shows=("x",)),
        Part("dx", 1.5, "agrees with finite differences", shows=("x", "dy")),
        Part("dp", 1.5, "agrees with finite differences", shows=("x", "dy")),
        Part("arguments", 1, "are left alone, and all results are new", needs=("dx", "dp")),
    ),
    by_hand=(
        # one position: it attends to itself alone, so y = 3 * 2 * x
        by_hand([[1]], [[1]], 1, [1], [1], [3], [2]),
        # two positions and one channel, with a score of 0: the second one averages the two
        by_hand([[2], [0]], [[1], [1]], 1, [1], [1], [3], [2]),
        by_hand([[1], [2]], [[1], [1]], 1, [1], [1], [1], [1]),
        # two heads of one channel: each has an average of its own
        by_hand([[1, 2], [2, 0]], [[1, 0], [0, 1]], 2, [1, 1], [1, 1], [1, 2], [1, 1]),
        by_hand([[1, 2], [2, 1], [0, 3]], [[1, 0], [0, 1], [1, 1]], 2, [1, 2], [1, 0.5], [1, 2], [1, 3]),
        # rotary: the same vectors at different positions
        by_hand(
            [[1, 0], [1, 1]], [[1, 0], [0, 1]], 1, [1, 1], [1, 1], [1, 2], [1, 1], positions="rotary", places=[0, 3]
        ),
        by_hand([[1], [2]], [[1], [1]], 1, [1], [1], [3], [1], padding=[[True, False]]),
        probe([[[1], [2]]], BIASED, [[[1], [1]]], 1, weights="all w = 1, b_q = 0, b_k = 1, b_v = 2, b_o = 3"),
    ),
    draw=draw,
    mistakes=self_attention_wrong.MISTAKES,
    right=self_attention_right.ANSWERS,
    hints=(
        "On the way there: three projections, split, turn q and k if the model is rotary, attention with causal=True, "
        "merge, the last projection. Every one of them keeps the promise, so collect the ways back and walk them from "
        "the end. Split and merge undo each other, so each is the other's way back.",
        "dy comes to the output projection first and leaves it as dh, (B, T, C); attention's way back wants (B, H, T, "
        "K). It gives dq, dk, dv, and each goes home on its own: turned back (not dv), merged, through its projection. "
        "x went three ways, so three blames meet in dx.",
        "project(x, p, name) is gpt.project: y, back, and back(dy) gives dx and a dict with w_name and b_name. Then dx "
        "= dx_q + dx_k + dx_v, and dp = dp_q | dp_k | dp_v | dp_o.",
    ),
    lines=24,
    minutes=35,
    difficulty=4,
)
