"""Right answers to attention_weights, each written in another way: none of them may be refused."""

import math

import numpy as np


def in_loops(q, k, *, causal=False, mask=None, key_padding_mask=None):
    """One query and one key at a time."""
    B, H, T, K = q.shape
    S = k.shape[2]
    weights = np.zeros((B, H, T, S))
    for b, h, t in np.ndindex(B, H, T):
        found = {}
        for s in range(S):
            if causal and s > S - T + t:
                continue
            if key_padding_mask is not None and key_padding_mask[b, s]:
                continue
            score = sum(q[b, h, t, c] * k[b, h, s, c] for c in range(K)) / math.sqrt(K)
            if mask is not None:
                m = np.broadcast_to(mask, (B, H, T, S))[b, h, t, s]
                if mask.dtype == bool and not m:
                    continue
                score += 0 if mask.dtype == bool else m
            if score > -math.inf:
                found[s] = score
        top = max(found.values(), default=0)
        total = sum(math.exp(score - top) for score in found.values())
        for s, score in found.items():
            weights[b, h, t, s] = math.exp(score - top) / total
    return weights


def with_einsum(q, k, *, causal=False, mask=None, key_padding_mask=None):
    """The query is scaled, not the scores; one boolean mask for all that is hidden."""
    scores = np.einsum("bhtk,bhsk->bhts", q / np.sqrt(q.shape[-1]), k)
    T, S = scores.shape[-2:]
    seen = np.ones(scores.shape, bool)
    if causal:
        seen &= np.arange(S) <= np.arange(T)[:, None] + S - T
    if mask is not None and mask.dtype == bool:
        seen &= mask
    elif mask is not None:
        scores = scores + mask
    if key_padding_mask is not None:
        seen &= ~key_padding_mask[:, None, None]
    seen &= scores > -np.inf
    top = np.max(scores, axis=-1, keepdims=True, initial=-1e30, where=seen)
    e = np.exp(np.where(seen, scores - top, -np.inf))
    total = e.sum(-1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


def in_float32(q, k, *, causal=False, mask=None, key_padding_mask=None):
    """Everything in float32, and nan_to_num for the rows with nothing to see."""
    scores = (q.astype(np.float32) @ k.astype(np.float32).transpose(0, 1, 3, 2)) * np.float32(q.shape[-1] ** -0.5)
    T, S = scores.shape[-2:]
    if causal:
        scores[..., np.triu(np.ones((T, S), bool), S - T + 1)] = -np.inf
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask.astype(np.float32)
    if key_padding_mask is not None:
        scores = np.where(key_padding_mask[:, None, None, :], -np.inf, scores)
    with np.errstate(invalid="ignore"):
        e = np.exp(scores - scores.max(-1, keepdims=True))
        return np.nan_to_num(e / e.sum(-1, keepdims=True)).astype(np.float32)


ANSWERS = (
    ("loops over single numbers", in_loops),
    ("einsum, and one mask for all", with_einsum),
    ("float32 inside and out", in_float32),
)
