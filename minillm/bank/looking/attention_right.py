"""Right answers to attention, each written in another way: none of them may be refused."""

import numpy as np

from .attention_weights_right import in_float32 as weights_in_float32
from .attention_weights_right import in_loops as weights_in_loops
from .attention_weights_right import with_einsum as weights_with_einsum


def in_loops(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """One query at a time; the slopes of its softmax one pair of keys at a time."""
    B, H, T, K = q.shape
    S = k.shape[2]
    weights = weights_in_loops(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    y = np.zeros(q.shape)
    for b, h, t, s in np.ndindex(B, H, T, S):
        y[b, h, t] += weights[b, h, t, s] * v[b, h, s]

    def backward(dy):
        dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
        for b, h, t in np.ndindex(B, H, T):
            w = weights[b, h, t]
            for s in range(S):
                dv[b, h, s] += w[s] * dy[b, h, t]
                slope = sum(w[r] * ((r == s) - w[s]) * float(dy[b, h, t] @ v[b, h, r]) for r in range(S)) / K**0.5
                dq[b, h, t] += slope * k[b, h, s]
                dk[b, h, s] += slope * q[b, h, t]
        return dq, dk, dv

    return y, backward


def with_einsum(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """Every sum spelled out in letters; the row's sum from y, as dy . y; the results in lists."""
    w = weights_with_einsum(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    y = np.einsum("bhts,bhsk->bhtk", w, v)

    def backward(dy):
        along = np.einsum("bhtk,bhtk->bht", dy, y)[..., None]
        d = w * (np.einsum("bhtk,bhsk->bhts", dy, v) - along) / np.sqrt(q.shape[-1])
        return [
            np.einsum("bhts,bhsk->bhtk", d, k),
            np.einsum("bhts,bhtk->bhsk", d, q),
            np.einsum("bhts,bhtk->bhsk", w, dy),
        ]

    return [y, backward]


def in_float32(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """Everything in float32, whatever comes in."""
    q, k, v = (a.astype(np.float32) for a in (q, k, v))
    w = weights_in_float32(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)

    def backward(dy):
        dy = dy.astype(np.float32)
        dw = dy @ v.swapaxes(2, 3)
        d = (w * dw - w * (w * dw).sum(-1, keepdims=True)) * np.float32(q.shape[-1] ** -0.5)
        return d @ k, d.swapaxes(2, 3) @ q, w.swapaxes(2, 3) @ dy

    return w @ v, backward


def with_a_jacobian(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """The slopes of each row's softmax as a matrix, diag(w) - w w^T; q carries the scale."""
    w = weights_with_einsum(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    small_q = q / np.sqrt(q.shape[-1])

    def backward(dy):
        jacobian = w[..., None] * np.eye(w.shape[-1]) - w[..., :, None] * w[..., None, :]  # (B, H, T, S, S)
        d = (jacobian @ (dy @ np.moveaxis(v, -1, -2))[..., None])[..., 0]
        dq = (d @ k) / np.sqrt(q.shape[-1])
        return dq, np.moveaxis(d, -1, -2) @ small_q, np.moveaxis(w, -1, -2) @ dy

    return np.matmul(w, v), backward


ANSWERS = (
    ("loops over single numbers", in_loops),
    ("einsum, and the row's sum from y", with_einsum),
    ("float32 inside and out", in_float32),
    ("the Jacobian of each row as a matrix", with_a_jacobian),
)
