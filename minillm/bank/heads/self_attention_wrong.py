"""Wrong answers to self_attention that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ... import gpt, layers
from ...grader.exercise import Mistake


def split(v, z):
    """(B, T, C) -> (B, H, T, K)"""
    B, T, C = z.shape
    return z.reshape(B, T, v.H, C // v.H).swapaxes(1, 2)


def merge(v, z):
    """(B, H, T, K) -> (B, T, C)"""
    B, H, T, K = z.shape
    return z.swapaxes(1, 2).reshape(B, T, H * K)


def turn(v, z):
    """(z as it goes on, the way back) for a query or a key."""
    return turned(v, z) if v.config.positions == "rotary" else (z, lambda d: d)


def turned(v, z):
    """z turned by its positions, whatever the config says."""
    return layers.rotary(z, positions=v.positions)


def attend(v, q, k, val, **options):
    """Attention with the masks that it should have."""
    return layers.attention(q, k, val, **{"causal": True, "key_padding_mask": v.padding} | options)


# The steps of a right answer; v holds x, p, config, H, positions, padding, dy and what the steps before have made.
THERE = {
    "split": lambda v: split,
    "merge": lambda v: merge,
    "project": lambda v: {name: gpt.project(v.x, v.p, name) for name in "qkv"},
    "heads": lambda v: {name: v.split(v, z) for name, (z, _) in v.project.items()},
    "q": lambda v: turn(v, v.heads["q"]),
    "k": lambda v: turn(v, v.heads["k"]),
    "v": lambda v: (v.heads["v"], lambda d: d),
    "found": lambda v: attend(v, v.q[0], v.k[0], v.v[0]),
    "out": lambda v: gpt.project(v.merge(v, v.found[0]), v.p, "o"),
    "y": lambda v: v.out[0],
}
BACK = {
    "home": lambda v: v.out[1](v.dy),
    "dh": lambda v: v.split(v, v.home[0]),
    "blames": lambda v: v.found[1](v.dh),
    "dq": lambda v: v.q[1](v.blames[0]),
    "dk": lambda v: v.k[1](v.blames[1]),
    "dv": lambda v: v.v[1](v.blames[2]),
    "ends": lambda v: {n: v.project[n][1](v.merge(v, d)) for n, d in zip("qkv", (v.dq, v.dk, v.dv), strict=True)},
    "dx": lambda v: sum(dx for dx, _ in v.ends.values()),
    "dp": lambda v: v.ends["q"][1] | v.ends["k"][1] | v.ends["v"][1] | v.home[1],
    "grads": lambda v: (v.dx, v.dp),
}


def wrong(name, says, large=False, **steps):
    """The Mistake of an answer in which these steps are written differently."""

    def self_attention(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
        v = types.SimpleNamespace(x=x, p=p, config=config, H=config.n_head, positions=positions)
        v.padding = key_padding_mask
        there = follow(THERE, steps, v)

        def backward(dy):
            return follow(BACK, steps, types.SimpleNamespace(**vars(there), dy=dy)).grads

        return there.y, backward

    return Mistake(name, says, self_attention, large)


def follow(recipe, steps, v):
    """v, with what each step of the recipe makes."""
    for name, step in recipe.items():
        setattr(v, name, steps.get(name, step)(v))
    return v


def written_into(array, new):
    """new, written into an array, as a copy of it."""
    array[...] = new
    return np.array(array)


def before_the_split(v, name):
    """A query or a key that was turned as a whole, all its channels with one set of speeds."""
    z, back = v.project[name][0][:, None], lambda d: d
    if v.config.positions == "rotary":
        z, back = layers.rotary(z, positions=v.positions)
    return v.split(v, z[:, 0]), lambda d: v.split(v, back(v.merge(v, d)[:, None])[:, 0])


def every_other(v, z):
    """Head h gets the channels h, h + H, ..."""
    B, T, C = z.shape
    return z.reshape(B, T, C // v.H, v.H).transpose(0, 3, 1, 2)


def every_other_back(v, z):
    """And back."""
    B, H, T, K = z.shape
    return z.transpose(0, 2, 3, 1).reshape(B, T, H * K)


def zeros(v, *names):
    """dp, with zeros in these places."""
    dp = BACK["dp"](v)
    return {name: np.zeros_like(d) if name in names else d for name, d in dp.items()}


MISTAKES = (
    wrong(
        "the future is seen",
        "There is no causal mask: each position sees those after it. In training that is the answer itself: "
        "causal=True.",
        found=lambda v: attend(v, v.q[0], v.k[0], v.v[0], causal=False),
    ),
    wrong(
        "one head",
        "The channels are not split: there is one head of all C channels, and so one average, whatever n_head is.",
        split=lambda v: lambda v, z: z[:, None],
        merge=lambda v: lambda v, z: z[:, 0],
    ),
    wrong(
        "split by reshape alone",
        "split is a reshape to (B, H, T, K), without swapping axes: the shape is right, and a head gets all channels "
        "of some positions instead of some channels of all. merge undoes it.",
        split=lambda v: lambda v, z: z.reshape(len(z), v.H, z.shape[1], -1),
        merge=lambda v: lambda v, z: z.reshape(len(z), z.shape[2], -1),
    ),
    wrong(
        "split by reshape and merged rightly",
        "split is a reshape to (B, H, T, K), without swapping axes: the shape is right, and a head gets all channels "
        "of some positions instead of some channels of all.",
        split=lambda v: lambda v, z: z.reshape(len(z), v.H, z.shape[1], -1),
    ),
    wrong(
        "merged by reshape there and back",
        "merge is a reshape to (B, T, C), without swapping heads and positions first: the channels of one position "
        "come from several, there and back.",
        merge=lambda v: lambda v, z: z.reshape(len(z), z.shape[2], -1),
    ),
    wrong(
        "merged by reshape alone",
        "merge is a reshape to (B, T, C), without swapping heads and positions first: the channels of one position "
        "come from several.",
        out=lambda v: gpt.project(v.found[0].reshape(v.x.shape), v.p, "o"),
        dh=lambda v: v.home[0].reshape(v.found[0].shape),
    ),
    wrong(
        "every H-th channel",
        "Head h gets the channels h, h + H, h + 2 H, ... here. It gets K neighbours: h K to (h + 1) K - 1.",
        split=lambda v: every_other,
        merge=lambda v: every_other_back,
    ),
    wrong(
        "x added to y",
        "x is added to y. The way around this layer is not its own work.",
        y=lambda v: v.x + v.out[0],
        dx=lambda v: v.dy + sum(dx for dx, _ in v.ends.values()),
    ),
    wrong(
        "values not projected",
        "The values are x itself. They have a projection of their own, w_v, like the queries and the keys.",
        v=lambda v: (v.split(v, v.x), lambda d: d),
        ends=lambda v: (
            {n: v.project[n][1](v.merge(v, d)) for n, d in zip("qk", (v.dq, v.dk), strict=True)}
            | {"v": (v.merge(v, v.dv), {n: np.zeros_like(v.p[n]) for n in ("w_v", "b_v") if n in v.p})}
        ),
    ),
    wrong(
        "no output projection",
        "What the heads found is returned as it is. It goes through one more projection, w_o, which lets every head "
        "write into every channel.",
        y=lambda v: v.merge(v, v.found[0]),
        home=lambda v: (v.dy, {n: np.zeros_like(v.p[n]) for n in ("w_o", "b_o") if n in v.p}),
    ),
    wrong(
        "keys for values",
        "The keys are averaged. They are there to be compared with the queries; it is the values that are averaged.",
        v=lambda v: (v.heads["k"], lambda d: d),
    ),
    wrong(
        "queries and keys exchanged",
        "Queries and keys stand in each other's place: attention(q, k, v), and each position asks with its query.",
        found=lambda v: attend(v, v.k[0], v.q[0], v.v[0]),
        blames=lambda v: (lambda dk, dq, dv: (dq, dk, dv))(*v.found[1](v.dh)),
    ),
    wrong(
        "the padding forgotten",
        "key_padding_mask is not handed on to attention, so that padding is attended to.",
        found=lambda v: attend(v, v.q[0], v.k[0], v.v[0], key_padding_mask=None),
    ),
    wrong(
        "positions forgotten",
        'With config.positions = "rotary" nothing is turned, so that the order of the tokens is lost.',
        q=lambda v: (v.heads["q"], lambda d: d),
        k=lambda v: (v.heads["k"], lambda d: d),
    ),
    wrong(
        "only the queries turned",
        "The queries are turned and the keys are not. Both must be, so that the angle between them is that of their "
        "distance.",
        k=lambda v: (v.heads["k"], lambda d: d),
    ),
    wrong(
        "only the keys turned",
        "The keys are turned and the queries are not. Both must be, so that the angle between them is that of their "
        "distance.",
        q=lambda v: (v.heads["q"], lambda d: d),
    ),
    wrong(
        "values turned",
        "The values are turned too. Positions decide where a query looks; what it finds there is not turned.",
        v=lambda v: turn(v, v.heads["v"]),
    ),
    wrong(
        "always turned",
        'q and k are turned whatever config.positions says. Only "rotary" models turn them.',
        q=lambda v: turned(v, v.heads["q"]),
        k=lambda v: turned(v, v.heads["k"]),
        large=True,
    ),
    wrong(
        "turned before the split",
        "q and k are turned before they are split, so that a pair is two channels of different heads. Each head turns "
        "its own K channels: split, then turn.",
        q=lambda v: before_the_split(v, "q"),
        k=lambda v: before_the_split(v, "k"),
        large=True,
    ),
    wrong(
        "positions counted anew",
        "The positions that are handed in are not used: q and k are turned by 0, 1, 2, ...",
        q=lambda v: (
            layers.rotary(v.heads["q"], positions=np.arange(v.x.shape[1]))
            if v.config.positions == "rotary"
            else (v.heads["q"], lambda d: d)
        ),
        k=lambda v: (
            layers.rotary(v.heads["k"], positions=np.arange(v.x.shape[1]))
            if v.config.positions == "rotary"
            else (v.heads["k"], lambda d: d)
        ),
    ),
    wrong(
        "biases forgotten",
        "The biases b_q, b_k, b_v and b_o are left out, where the model has them: gpt.project(x, p, name) adds them.",
        project=lambda v: {name: unbiased(v, v.x, name) for name in "qkv"},
        out=lambda v: unbiased(v, v.merge(v, v.found[0]), "o"),
    ),
    wrong(
        "dh not split",
        "On the way back dh is reshaped to (B, H, T, K), and not split. The way back of merge is split.",
        dh=lambda v: v.home[0].reshape(v.found[0].shape),
    ),
    wrong(
        "dq, dk and dv not merged",
        "On the way back dq, dk and dv are reshaped to (B, T, C), and not merged. The way back of split is merge.",
        ends=lambda v: {
            n: v.project[n][1](d.reshape(v.x.shape)) for n, d in zip("qkv", (v.dq, v.dk, v.dv), strict=True)
        },
    ),
    wrong(
        "not turned back",
        "dq and dk go home as attention gives them. What was turned on the way there is turned back on the way back.",
        dq=lambda v: v.blames[0],
        dk=lambda v: v.blames[1],
    ),
    wrong(
        "dk not turned back",
        "dq is turned back, and dk is not. Both were turned on the way there.",
        dk=lambda v: v.blames[1],
    ),
    wrong(
        "turned further on the way back",
        "dq and dk are turned by the same angle once more. On the way back they are turned back: call the way back of "
        "rotary.",
        dq=lambda v: turn(v, v.blames[0])[0],
        dk=lambda v: turn(v, v.blames[1])[0],
    ),
    wrong(
        "all home through the values",
        "dq, dk and dv all go home through the projection of the values. A lambda that is made in a loop looks its "
        "names up when it is called, and then the loop is over: keep each way back in a list or a dict.",
        ends=lambda v: {n: v.project["v"][1](v.merge(v, d)) for n, d in zip("qkv", (v.dq, v.dk, v.dv), strict=True)},
    ),
    wrong(
        "the ways of dq and dk exchanged",
        "dq goes home through the projection of the keys, and dk through that of the queries.",
        dq=lambda v: v.k[1](v.blames[1]),
        dk=lambda v: v.q[1](v.blames[0]),
    ),
    wrong(
        "dx through the values alone",
        "dx is what comes home through the values. x also became the queries and the keys: three blames are added.",
        dx=lambda v: v.ends["v"][0],
    ),
    wrong(
        "dx through the queries alone",
        "dx is what comes home through the queries. x also became the keys and the values: three blames are added.",
        dx=lambda v: v.ends["q"][0],
    ),
    wrong(
        "dx without the values",
        "dx is what comes home through queries and keys. x also became the values: three blames are added.",
        dx=lambda v: v.ends["q"][0] + v.ends["k"][0],
    ),
    wrong(
        "dx without the keys",
        "dx is what comes home through queries and values. x also became the keys: three blames are added.",
        dx=lambda v: v.ends["q"][0] + v.ends["v"][0],
    ),
    wrong(
        "dx without the queries",
        "dx is what comes home through keys and values. x also became the queries: three blames are added.",
        dx=lambda v: v.ends["k"][0] + v.ends["v"][0],
    ),
    wrong(
        "past the output projection",
        "On the way back dy goes straight into attention. The output projection comes first: dy w_o^T.",
        dh=lambda v: v.split(v, v.dy),
    ),
    wrong(
        "no gradient for w_o",
        "The gradients of w_o and b_o are zeros, so that the output projection never learns.",
        dp=lambda v: zeros(v, "w_o", "b_o"),
    ),
    wrong(
        "dp without w_o",
        "dp has no gradient of the output projection. It has the keys of p: those of q, k, v and o.",
        dp=lambda v: v.ends["q"][1] | v.ends["k"][1] | v.ends["v"][1],
    ),
    wrong(
        "no gradients of the biases",
        "dp has no gradients of b_q, b_k, b_v and b_o, where the model has them: the way back of gpt.project gives "
        "them.",
        dp=lambda v: {name: d for name, d in BACK["dp"](v).items() if name[0] == "w"},
    ),
    wrong(
        "dp of w_o alone",
        "dp holds the gradients of the output projection alone. It has the keys of p: those of q, k, v and o.",
        dp=lambda v: v.home[1],
    ),
    wrong(
        "one gradient for q, k and v",
        "w_q, w_k and w_v have one gradient, the sum of the three. They are three maps, and each has its own.",
        dp=lambda v: (
            v.home[1]
            | {
                f"{kind}_{n}": sum(v.ends[m][1][f"{kind}_{m}"] for m in "qkv")
                for n in "qkv"
                for kind in "wb"
                if f"{kind}_{n}" in v.p
            }
        ),
    ),
    wrong(
        "x changed in place",
        "x is written into. It belongs to the stream that flows past this layer.",
        y=lambda v: (v.out[0], written_into(v.x, v.x + 1))[0],
        project=lambda v: (lambda x: {name: gpt.project(x, v.p, name) for name in "qkv"})(v.x.copy()),
    ),
    wrong(
        "dy changed in place",
        "dy is written into, and whoever gave it still needs it.",
        grads=lambda v: (v.dx, v.dp, written_into(v.dy, v.dy + 1))[:2],
    ),
)


def unbiased(v, z, name):
    """A projection without its bias; the gradient of the bias is there, as if it had been used."""
    y, back = layers.linear(z, v.p[f"w_{name}"])

    def backward(dy):
        dx, dw = back(dy)
        dp = {f"w_{name}": dw}
        if f"b_{name}" in v.p:
            dp[f"b_{name}"] = dy.reshape(-1, dy.shape[-1]).sum(0)
        return dx, dp

    return y, backward
