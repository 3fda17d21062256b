"""Right answers to self_attention, each written in another way: none of them may be refused."""

import numpy as np

from ... import gpt, layers


def apart(z, H):
    """(B, T, C) -> (B, H, T, K)"""
    B, T, C = z.shape
    return z.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)


def together(z):
    """(B, H, T, K) -> (B, T, C)"""
    B, H, T, K = z.shape
    return z.transpose(0, 2, 1, 3).reshape(B, T, H * K)


def step_by_step(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """As the library does it, in other words."""
    H = config.n_head
    turn = lambda z: layers.rotary(z, positions=positions) if config.positions == "rotary" else (z, lambda d: d)
    home, heads = {}, {}
    for name in "qkv":
        z, home[name] = gpt.project(x, p, name)
        heads[name] = apart(z, H)
    q, back_q = turn(heads["q"])
    k, back_k = turn(heads["k"])
    found, back_attention = layers.attention(q, k, heads["v"], causal=True, key_padding_mask=key_padding_mask)
    y, back_o = gpt.project(together(found), p, "o")

    def backward(dy):
        d, dp = back_o(dy)
        dq, dk, dv = back_attention(apart(d, H))
        dx = 0
        for name, blame in (("q", back_q(dq)), ("k", back_k(dk)), ("v", dv)):
            more, grads = home[name](together(blame))
            dx = dx + more
            dp.update(grads)
        return dx, dp

    return y, backward


def head_by_head(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """A loop over the heads, each with its own columns of the weights and its own rows of w_o."""
    K = config.width // config.n_head
    y, backs = 0, []
    for h in range(config.n_head):
        part = slice(h * K, (h + 1) * K)
        z, turned_back = {}, {}
        for name in "qkv":
            z[name] = x @ p[f"w_{name}"][:, part] + (p[f"b_{name}"][part] if f"b_{name}" in p else 0)
            z[name], turned_back[name] = z[name][:, None], lambda d: d
            if name != "v" and config.positions == "rotary":
                z[name], turned_back[name] = layers.rotary(z[name], positions=positions)
        found, back = layers.attention(z["q"], z["k"], z["v"], causal=True, key_padding_mask=key_padding_mask)
        y = y + found[:, 0] @ p["w_o"][part]
        backs.append((part, found[:, 0], turned_back, back))
    if "b_o" in p:
        y = y + p["b_o"]

    def backward(dy):
        dp, dx = {name: np.zeros_like(a) for name, a in p.items()}, np.zeros_like(x)
        for part, found, turned_back, back in backs:
            dp["w_o"][part] = np.einsum("btk,btc->kc", found, dy)
            blames = back((dy @ p["w_o"][part].T)[:, None])
            for name, blame in zip("qkv", blames, strict=True):
                d = turned_back[name](blame)[:, 0]
                dp[f"w_{name}"][:, part] = np.einsum("btc,btk->ck", x, d)
                if f"b_{name}" in p:
                    dp[f"b_{name}"][part] = d.sum((0, 1))
                dx += d @ p[f"w_{name}"][:, part].T
        if "b_o" in p:
            dp["b_o"] = dy.sum((0, 1))
        return dx, dp

    return y, backward


def sequence_by_sequence(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """Each sequence of the batch alone; what they share is blamed together."""
    parts = []
    for b in range(len(x)):
        own = None if positions is None else positions if positions.ndim == 1 else positions[b]
        padding = None if key_padding_mask is None else key_padding_mask[b : b + 1]
        parts.append(step_by_step(x[b : b + 1], p, config=config, positions=own, key_padding_mask=padding))

    def backward(dy):
        grads = [back(dy[b : b + 1]) for b, (_, back) in enumerate(parts)]
        dp = {name: sum(more[name] for _, more in grads) for name in p}
        return np.concatenate([dx for dx, _ in grads]), dp

    return np.concatenate([y for y, _ in parts]), backward


def attention_of_its_own(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """Nothing of layers but the turn: products, softmax and masks written out."""
    B, T, _ = x.shape
    H, K = config.n_head, config.width // config.n_head
    rotary = config.positions == "rotary"
    turn = lambda z: layers.rotary(z, positions=positions) if rotary else (z, lambda d: d)
    project = lambda z, name: z @ p[f"w_{name}"] + p.get(f"b_{name}", 0)
    q, back_q = turn(apart(project(x, "q"), H))
    k, back_k = turn(apart(project(x, "k"), H))
    v = apart(project(x, "v"), H)
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / K**0.5
    seen = np.tri(T, dtype=bool)[None, None]
    if key_padding_mask is not None:
        seen = seen & ~key_padding_mask[:, None, None, :]
    e = np.where(seen, np.exp(scores - scores.max(-1, keepdims=True)), 0)
    total = e.sum(-1, keepdims=True)
    weights = e / np.where(total == 0, 1, total)
    merged = together(weights @ v)

    def rows(z):
        return z.reshape(-1, z.shape[-1])

    def backward(dy):
        dh = apart(dy @ p["w_o"].T, H)
        dweights = dh @ v.swapaxes(-1, -2)
        dscores = weights * (dweights - (dweights * weights).sum(-1, keepdims=True)) / K**0.5
        dz = {
            "q": together(back_q(dscores @ k)),
            "k": together(back_k(dscores.swapaxes(-1, -2) @ q)),
            "v": together(weights.swapaxes(-1, -2) @ dh),
        }
        dp = {}
        for name, (into, blame) in {**{n: (x, d) for n, d in dz.items()}, "o": (merged, dy)}.items():
            dp[f"w_{name}"] = rows(into).T @ rows(blame)
            if f"b_{name}" in p:
                dp[f"b_{name}"] = rows(blame).sum(0)
        return [sum(d @ p[f"w_{name}"].T for name, d in dz.items()), dp]

    return project(merged, "o"), backward


ANSWERS = (
    ("step by step", step_by_step),
    ("head by head", head_by_head),
    ("one sequence at a time", sequence_by_sequence),
    ("an attention of its own", attention_of_its_own),
)
