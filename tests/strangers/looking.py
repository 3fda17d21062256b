"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import math

import numpy as np
from scipy import special

from minillm import layers

# The weights.  `score`, `may` and `softmax` are the parts that most of the wrong answers have right: the scaled scores,
# who may look where, and a softmax that knows rows with nothing to see.


def score(q, k):
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])


def softmax(z, axis=-1):
    top = z.max(axis, keepdims=True)
    e = np.exp(z - np.where(np.isneginf(top), 0, top))
    total = e.sum(axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


def split_mask(mask):
    """The choice that a mask makes, and the numbers that it adds."""
    if mask is None:
        return True, 0.0
    return (mask, 0.0) if mask.dtype == bool else (True, mask)


def triangle(shape):
    T, S = shape[-2:]
    return np.tri(T, S, S - T, dtype=bool)


def may(shape, causal, choice, padding):
    allowed = np.ones(shape, dtype=bool) & choice
    if causal:
        allowed = allowed & triangle(shape)
    if padding is not None:
        allowed = allowed & ~padding[:, None, None, :]
    return allowed


def masked(s, causal, mask, padding):
    choice, bias = split_mask(mask)
    return np.where(may(s.shape, causal, choice, padding), s + bias, -np.inf)


def usual(q, k, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(score(q, k), causal, mask, key_padding_mask))


def not_scaled(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2), causal, mask, key_padding_mask))


def divided_by_width(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2) / q.shape[-1], causal, mask, key_padding_mask))


def root_of_keys(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(q @ k.swapaxes(-1, -2) / math.sqrt(k.shape[-2]), causal, mask, key_padding_mask))


def mask_then_scale(q, k, *, causal=False, mask=None, key_padding_mask=None):
    scores = masked(q @ k.swapaxes(-1, -2), causal, mask, key_padding_mask)
    return softmax(scores / math.sqrt(q.shape[-1]))


def over_queries(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(score(q, k), causal, mask, key_padding_mask), axis=-2)


def over_heads(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(score(q, k), causal, mask, key_padding_mask), axis=1)


def from_the_first_key(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), False, mask, key_padding_mask)
    if causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=bool), s, -np.inf)
    return softmax(s)


def not_itself(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), False, mask, key_padding_mask)
    if causal:
        T, S = s.shape[-2:]
        s = np.where(np.tri(T, S, S - T - 1, dtype=bool), s, -np.inf)
    return softmax(s)


def one_into_the_future(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), False, mask, key_padding_mask)
    if causal:
        T, S = s.shape[-2:]
        s = s + np.triu(np.full((T, S), -np.inf), k=S - T + 2)
    return softmax(s)


def future_only(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), False, mask, key_padding_mask)
    if causal:
        T, S = s.shape[-2:]
        s = np.where(np.triu(np.ones((T, S), dtype=bool), k=S - T), s, -np.inf)
    return softmax(s)


def booleans_added(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, None, key_padding_mask)
    if mask is not None:
        s = s + mask
    return softmax(s)


def true_hides(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if mask is not None and mask.dtype == bool:
        mask = ~mask
    return usual(q, k, causal, mask, key_padding_mask)


def numbers_as_booleans(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if mask is not None:
        mask = mask.astype(bool)
    return usual(q, k, causal, mask, key_padding_mask)


def zero_hides(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, None, key_padding_mask)
    choice, bias = split_mask(mask)
    return softmax(np.where(choice, s + bias, 0.0))


def multiplied(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    return softmax((s + bias) * may(s.shape, causal, choice, key_padding_mask))


def tokens_not_padding(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if key_padding_mask is not None:
        key_padding_mask = ~key_padding_mask
    return usual(q, k, causal, mask, key_padding_mask)


def padded_queries(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, None)
    if key_padding_mask is not None:
        mine = key_padding_mask[:, -q.shape[2] :]
        s = np.where(mine[:, None, :, None], -np.inf, s)
    return softmax(s)


def padding_on_wrong_axes(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, None)
    if key_padding_mask is not None:
        s = np.where(key_padding_mask, -np.inf, s)  # (B, S) against (T, S)
    return softmax(s)


def first_sequence_for_all(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, None)
    if key_padding_mask is not None:
        s[..., key_padding_mask[0]] = -np.inf
    return softmax(s)


def one_of_them(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if causal:
        return usual(q, k, causal=True)
    elif mask is not None:
        return usual(q, k, mask=mask)
    return usual(q, k, key_padding_mask=key_padding_mask)


def no_choice_with_numbers(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if mask is not None and mask.dtype != bool:
        return softmax(score(q, k) + mask)
    return usual(q, k, causal, mask, key_padding_mask)


def large_number(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    return softmax(np.where(may(s.shape, causal, choice, key_padding_mask), s + bias, -1e9))


def not_large_enough(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    weights = softmax(np.where(may(s.shape, causal, choice, key_padding_mask), s + bias, -10.0))
    return np.where(may(s.shape, causal, choice, key_padding_mask).any(-1, keepdims=True), weights, 0)


def afterwards(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    return softmax(s + bias) * may(s.shape, causal, choice, key_padding_mask)


def careless(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    with np.errstate(invalid="ignore"):
        e = np.exp(s - s.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)


def all_or_none(q, k, *, causal=False, mask=None, key_padding_mask=None):
    weights = careless(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    return np.zeros_like(weights) if np.isnan(weights).any() else weights


def equal_for_nothing(q, k, *, causal=False, mask=None, key_padding_mask=None):
    weights = careless(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    return np.where(np.isnan(weights), 1 / k.shape[2], weights)


def one_top_for_all(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    e = np.exp(s)
    total = e.sum(keepdims=True, axis=(-2, -1))
    return e / np.where(total == 0, 1, total)


def no_top(q, k, *, causal=False, mask=None, key_padding_mask=None):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(masked(score(q, k), causal, mask, key_padding_mask))
        total = e.sum(-1, keepdims=True)
        return e / np.where(total == 0, 1, total)


def one_top(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    e = np.exp(s - max(s.max(), -1e300))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def clipped(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = np.clip(score(q, k), -50, 50)
    return softmax(masked(s, causal, mask, key_padding_mask))


def two_axes_more(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if mask is not None:
        mask = mask[None, None]
    return usual(q, k, causal, mask, key_padding_mask)


def nothing_by_boolean(q, k, *, causal=False, mask=None, key_padding_mask=None):
    weights = careless(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    if mask is not None and mask.dtype == bool:
        weights = np.where(mask.any(-1, keepdims=True), weights, 0)
    return weights


def nothing_by_count(q, k, *, causal=False, mask=None, key_padding_mask=None):
    weights = careless(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    choice, _ = split_mask(mask)
    return np.where(may(weights.shape, causal, choice, key_padding_mask).any(-1, keepdims=True), weights, 0)


def last_mask_wins(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    hide = np.zeros(s.shape, dtype=bool)
    if causal:
        hide[:] = ~triangle(s.shape)
    if mask is not None and mask.dtype == bool:
        hide[:] = ~mask
    if key_padding_mask is not None:
        hide[:] = key_padding_mask[:, None, None, :]
    return softmax(np.where(hide, -np.inf, s + split_mask(mask)[1]))


def scaled_in_place(q, k, *, causal=False, mask=None, key_padding_mask=None):
    q /= math.sqrt(q.shape[-1])
    return softmax(masked(q @ k.swapaxes(-1, -2), causal, mask, key_padding_mask))


def in_the_mask(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if causal and mask is not None:
        hide = ~triangle((q.shape[2], k.shape[2]))
        mask[..., hide] = False if mask.dtype == bool else -np.inf
    return usual(q, k, causal, mask, key_padding_mask)


def truth_of_an_array(q, k, *, causal=False, mask=None, key_padding_mask=None):
    if mask:
        return usual(q, k, causal, mask, key_padding_mask)
    return usual(q, k, causal, None, key_padding_mask)


def transposed(q, k, *, causal=False, mask=None, key_padding_mask=None):
    return softmax(masked(q @ k.T / math.sqrt(q.shape[-1]), causal, mask, key_padding_mask))


def heads_mixed(q, k, *, causal=False, mask=None, key_padding_mask=None):
    B, H, S, K = k.shape
    s = q @ k.reshape(B, H, K, S) / math.sqrt(K)
    return softmax(masked(s, causal, mask, key_padding_mask))


def line_by_line(q, k, *, causal=False, mask=None, key_padding_mask=None):
    T, S = q.shape[2], k.shape[2]
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(T, S, S - T, dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if key_padding_mask is not None:
        scores = np.where(key_padding_mask[:, None, None], -np.inf, scores)
    return layers.softmax(scores)[0]


def five_loops(q, k, *, causal=False, mask=None, key_padding_mask=None):
    (B, H, T, K), S = q.shape, k.shape[2]
    if mask is not None:
        mask = np.broadcast_to(mask, (B, H, T, S))
    out = []
    for b in range(B):
        for h in range(H):
            for t in range(T):
                seen = {}
                for s in range(S):
                    if causal and s > S - T + t:
                        continue
                    if key_padding_mask is not None and key_padding_mask[b, s]:
                        continue
                    z = sum(float(q[b, h, t, c]) * float(k[b, h, s, c]) for c in range(K)) / K**0.5
                    if mask is not None and mask.dtype == bool and not mask[b, h, t, s]:
                        continue
                    if mask is not None and mask.dtype != bool:
                        z += float(mask[b, h, t, s])
                    if z > -math.inf:
                        seen[s] = z
                top = max(seen.values(), default=0)
                e = {s: math.exp(z - top) for s, z in seen.items()}
                total = math.fsum(e.values())
                out.append([e[s] / total if s in e else 0.0 for s in range(S)])
    return np.array(out).reshape(B, H, T, S)


def one_bias(q, k, *, causal=False, mask=None, key_padding_mask=None):
    B, H, T, S = (*q.shape[:3], k.shape[2])
    bias = np.zeros((B, H, T, S))
    if key_padding_mask is not None:
        bias -= np.where(key_padding_mask, np.inf, 0).reshape(B, 1, 1, S)
    if mask is not None:
        bias += np.log(mask, where=mask, out=np.full(mask.shape, -np.inf)) if mask.dtype == bool else mask
    if causal:
        bias += np.triu(np.full((T, S), -np.inf), k=S - T + 1)
    z = np.einsum("bhtc,bhsc->bhts", q, k) * K_ROOT(q) + bias
    total = np.logaddexp.reduce(z, axis=-1, keepdims=True)
    return np.exp(z - np.where(np.isneginf(total), 0, total))


def K_ROOT(q):
    return q.shape[-1] ** -0.5


def scipys(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(special.softmax(s, axis=-1), nan=0.0)


def shares_of_factors(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    allowed = may(s.shape, causal, choice, key_padding_mask)
    top = np.max(s + bias, axis=-1, keepdims=True, where=allowed, initial=-1e30)
    e = np.zeros_like(s)
    np.exp(s + bias - top, where=allowed, out=e)
    return e / np.maximum(e.sum(-1, keepdims=True), np.finfo(e.dtype).tiny)


def large_number_and_zeros(q, k, *, causal=False, mask=None, key_padding_mask=None):
    scores = np.matmul(q, np.moveaxis(k, 2, 3)) / np.sqrt(k.shape[3])
    hide = np.zeros(scores.shape, dtype=bool)
    if causal:
        hide |= np.arange(k.shape[2]) > np.arange(q.shape[2])[:, None] + (k.shape[2] - q.shape[2])
    if key_padding_mask is not None:
        hide |= np.expand_dims(key_padding_mask, (1, 2))
    if mask is not None and mask.dtype == bool:
        hide |= ~mask
    elif mask is not None:
        hide |= np.isneginf(mask)
        scores += np.where(np.isneginf(mask), 0, mask)
    np.putmask(scores, hide, -1e30)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    e *= ~hide
    return np.divide(e, e.sum(-1, keepdims=True), out=np.zeros_like(e), where=~hide)


def masked_arrays(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = score(q, k)
    choice, bias = split_mask(mask)
    hide = ~may(s.shape, causal, choice, key_padding_mask) | np.isneginf(np.broadcast_to(bias, s.shape))
    z = np.ma.array(s + bias, mask=hide)
    e = np.ma.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).filled(0)


def key_by_key(q, k, *, causal=False, mask=None, key_padding_mask=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    top, total = np.full(s.shape[:-1], -np.inf), np.zeros(s.shape[:-1])
    for j in range(s.shape[-1]):  # as new keys come, what was found so far is brought to the new top
        new = np.maximum(top, s[..., j])
        base = np.where(np.isneginf(new), 0, new)
        total = total * np.exp(top - base) + np.exp(s[..., j] - base)
        top = new
    base = np.where(np.isneginf(top), 0, top)[..., None]
    return np.exp(s - base) / np.where(total == 0, 1, total)[..., None]


def one_table_at_a_time(q, k, *, causal=False, mask=None, key_padding_mask=None):
    B, H, T, S = (*q.shape[:3], k.shape[2])
    tables = []
    for i, (Q, M) in enumerate(zip(q.reshape(B * H, T, -1), k.reshape(B * H, S, -1), strict=True)):
        z = (Q / math.sqrt(Q.shape[-1])) @ M.T
        if mask is not None:
            mine = np.broadcast_to(mask, (B, H, T, S)).reshape(B * H, T, S)[i]
            if mine.dtype == bool:
                z[~mine] = -np.inf
            else:
                z += mine
        if key_padding_mask is not None:
            z[:, key_padding_mask[i // H]] = -np.inf
        if causal:
            z[np.arange(S) > np.arange(T)[:, None] + S - T] = -np.inf
        for row in z:  # a view
            if row.max() == -np.inf:
                row[:] = 0
            else:
                row[:] = np.exp(row - row.max())
                row /= row.sum()
        tables.append(z)
    return np.stack(tables).reshape(B, H, T, S)


def identity_for_values(q, k, *, causal=False, mask=None, key_padding_mask=None):
    B, H, S = k.shape[:3]
    eye = np.broadcast_to(np.eye(S), (B, H, S, S))
    return layers.attention(q, k, eye, causal=causal, mask=mask, key_padding_mask=key_padding_mask)[0]


# Attention.  A wrong answer that changes one step of the way back has the others as in `steps`.


def swap(z):
    return z.swapaxes(-1, -2)


def steps(change_ds=None, change=None):
    """An attention whose ds comes from change_ds(w, dw), and whose way back goes through change(dq, dk, dv) last."""

    def attention(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
        w = usual(q, k, causal, mask, key_padding_mask)

        def backward(dy):
            dw = dy @ swap(v)
            ds = change_ds(w, dw) if change_ds else w * (dw - (w * dw).sum(-1, keepdims=True))
            ds = ds * K_ROOT(q)
            grads = ds @ k, swap(ds) @ q, swap(w) @ dy
            return change(q, *grads) if change else grads

        return w @ v, backward

    return attention


no_row_sum = steps(lambda w, dw: w * dw)
one_sum_for_all = steps(lambda w, dw: w * (dw - (w * dw).sum()))
plain_mean = steps(lambda w, dw: w * (dw - dw.mean(-1, keepdims=True)))
sum_of_dw = steps(lambda w, dw: w * (dw - dw.sum(-1, keepdims=True)))
diagonal = steps(lambda w, dw: w * (1 - w) * dw)
softmax_is_linear = steps(lambda w, dw: dw)
over_the_wrong_axis = steps(lambda w, dw: w * (dw - (w * dw).sum(-2, keepdims=True)))
sum_without_w = steps(lambda w, dw: w * dw - (w * dw).sum(-1, keepdims=True))
like_cross_entropy = steps(lambda w, dw: w - dw)
no_root_back = steps(change=lambda q, dq, dk, dv: (dq / K_ROOT(q), dk / K_ROOT(q), dv))
no_root_for_dk = steps(change=lambda q, dq, dk, dv: (dq, dk / K_ROOT(q), dv))
root_twice = steps(change=lambda q, dq, dk, dv: (dq * K_ROOT(q), dk * K_ROOT(q), dv))
root_for_dv = steps(change=lambda q, dq, dk, dv: (dq, dk, dv * K_ROOT(q)))
other_order = steps(change=lambda q, dq, dk, dv: (dk, dq, dv))
heads_added = steps(change=lambda q, dq, dk, dv: (dq, np.zeros_like(dk) + dk.sum(1, keepdims=True), dv))
no_dq = steps(change=lambda q, dq, dk, dv: (dk, dv))


def keys_not_turned(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = usual(q, k, causal, mask, key_padding_mask)

    def backward(dy):
        dw = dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, ds @ q, swap(w) @ dy

    return w @ v, backward


def values_not_turned(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = usual(q, k, causal, mask, key_padding_mask)

    def backward(dy):
        dw = dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, swap(ds) @ q, w @ dy

    return w @ v, backward


def dots_t(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = usual(q, k, causal, mask, key_padding_mask)

    def backward(dy):
        dw = dy @ v.T
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, ds.T @ q, w.T @ dy

    return w @ v, backward


def raw_scores(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    s = masked(score(q, k), causal, mask, key_padding_mask)
    w = softmax(s)

    def backward(dy):
        ds = np.where(np.isneginf(s), 0, s) * (dw := dy @ swap(v))
        ds = (ds - w * (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return w @ v, backward


def masks_forgotten_back(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    def backward(dy):
        w = usual(q, k)
        dw = dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return usual(q, k, causal, mask, key_padding_mask) @ v, backward


def causal_only(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    return steps()(q, k, v, causal=causal)


def always_causal(q, k, v, *, causal=True, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    return steps()(q, k, v, causal=causal, mask=mask, key_padding_mask=key_padding_mask)


def padding_forgotten(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    return steps()(q, k, v, causal=causal, mask=mask)


def dy_scaled_in_place(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = usual(q, k, causal, mask, key_padding_mask)

    def backward(dy):
        dv = swap(w) @ dy
        dy *= K_ROOT(q)
        dw = dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True))
        return ds @ k, swap(ds) @ q, dv

    return w @ v, backward


def weights_used_up(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = usual(q, k, causal, mask, key_padding_mask)
    y = w @ v

    def backward(dy):
        dw = dy @ swap(v)
        dw -= (w * dw).sum(-1, keepdims=True)
        ds = w
        ds *= dw * K_ROOT(q)
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return y, backward


def one_memory_for_all(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    one_memory_for_all.w = usual(q, k, causal, mask, key_padding_mask)

    def backward(dy):
        w, dw = one_memory_for_all.w, dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return one_memory_for_all.w @ v, backward


def nan_on_the_way_back(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = careless(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)

    def backward(dy):
        dw = dy @ swap(v)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) * K_ROOT(q)
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return np.nan_to_num(w) @ v, backward


def merged_at_once(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    y, back = steps()(q, k, v, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    B, H, T, K = y.shape
    return y.swapaxes(1, 2).reshape(B, T, H * K), lambda dy: back(dy.reshape(B, T, H, K).swapaxes(1, 2))


def four_equations(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = line_by_line(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)

    def backward(dy):
        dv = w.swapaxes(-1, -2) @ dy
        dw = dy @ v.swapaxes(-1, -2)
        ds = w * (dw - (w * dw).sum(-1, keepdims=True)) / math.sqrt(q.shape[-1])
        return ds @ k, ds.swapaxes(-1, -2) @ q, dv

    return w @ v, backward


def pair_by_pair(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = five_loops(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    y = np.zeros((*q.shape[:3], v.shape[-1]))
    for b, h, t, s in np.ndindex(w.shape):
        y[b, h, t] += w[b, h, t, s] * v[b, h, s]

    def backward(dy):
        dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
        for b, h, t, s in np.ndindex(w.shape):
            dv[b, h, s] += w[b, h, t, s] * dy[b, h, t]
            ds = w[b, h, t, s] * np.dot(dy[b, h, t], v[b, h, s] - y[b, h, t])
            dq[b, h, t] += ds * k[b, h, s] / math.sqrt(q.shape[3])
            dk[b, h, s] += ds * q[b, h, t] / math.sqrt(q.shape[3])
        return dq, dk, dv

    return y, backward


def einsums(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = one_bias(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)

    def backward(dy):
        dw = np.einsum("bhtc,bhsc->bhts", dy, v)
        ds = np.einsum("bhts,bhts->bhts", w, dw) - np.einsum("bhts,bhtu,bhtu->bhts", w, w, dw)
        ds *= K_ROOT(q)
        dq = np.einsum("bhts,bhsc->bhtc", ds, k)
        return dq, np.einsum("bhts,bhtc->bhsc", ds, q), np.einsum("bhts,bhtc->bhsc", w, dy)

    return np.einsum("bhts,bhsc->bhtc", w, v), backward


def softmax_of_the_library(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    small = q / math.sqrt(q.shape[-1])
    w, back = layers.softmax(masked(small @ swap(k), causal, mask, key_padding_mask))

    def backward(dy):
        ds = back(dy @ swap(v))
        return ds @ k / math.sqrt(q.shape[-1]), swap(ds) @ small, swap(w) @ dy

    return w @ v, backward


def jacobians(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = scipys(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)
    J = w[..., :, None] * np.eye(w.shape[-1]) - w[..., :, None] * w[..., None, :]  # (B, H, T, S, S)

    def backward(dy):
        ds = (J @ (dy @ swap(v))[..., None])[..., 0] / math.sqrt(q.shape[-1])
        return ds @ k, swap(ds) @ q, swap(w) @ dy

    return w @ v, backward


class Looked:
    def __init__(self, q, k, v, options):
        self.arrays, self.options = (q, k, v), options

    def forward(self):
        q, k, v = self.arrays
        self.w = shares_of_factors(q, k, **self.options)
        self.y = self.w @ v
        return self.y

    def __call__(self, dy):
        q, k, v = self.arrays
        common = np.sum(dy * self.y, axis=-1, keepdims=True)  # the sum of w dw, without dw
        ds = self.w * (dy @ swap(v) - common) / np.sqrt(q.shape[-1])
        return [ds @ k, swap(ds) @ q, swap(self.w) @ dy]


def a_class(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    looked = Looked(q, k, v, {"causal": causal, "mask": mask, "key_padding_mask": key_padding_mask})
    return looked.forward(), looked


def query_by_query(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    (B, H, T, K), S = q.shape, k.shape[2]
    full = None if mask is None else np.broadcast_to(mask, (B, H, T, S))

    def row(t):
        seen = S - T + t + 1 if causal else S
        m = None if full is None else full[:, :, t : t + 1, :seen]
        hidden = None if key_padding_mask is None else key_padding_mask[:, :seen]
        return key_by_key(q[:, :, t : t + 1], k[:, :, :seen], mask=m, key_padding_mask=hidden), slice(seen)

    ys = []
    for t in range(T):
        w, seen = row(t)
        ys.append(w @ v[:, :, seen])

    def backward(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for t in reversed(range(T)):
            w, seen = row(t)
            d = dy[:, :, t : t + 1]
            dw = d @ swap(v[:, :, seen])
            ds = (w * dw - w * (w @ swap(dw))) / math.sqrt(K)
            dq[:, :, [t]] = ds @ k[:, :, seen]
            dk[:, :, seen] += swap(ds) * q[:, :, t : t + 1]
            dv[:, :, seen] += swap(w) * d
        return dq, dk, dv

    return np.concatenate(ys, axis=2), backward


def differences(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    w = one_table_at_a_time(q, k, causal=causal, mask=mask, key_padding_mask=key_padding_mask)

    def backward(dy):
        dw = np.matmul(dy, v.transpose(0, 1, 3, 2))
        gaps = dw[..., :, None] - dw[..., None, :]
        ds = (w[..., :, None] * w[..., None, :] * gaps).sum(-1)  # what one key gains, another loses
        ds = ds / q.shape[-1] ** 0.5
        return (
            np.matmul(ds, k),
            np.matmul(q.transpose(0, 1, 3, 2), ds).transpose(0, 1, 3, 2),
            np.matmul(dy.transpose(0, 1, 3, 2), w).transpose(0, 1, 3, 2),
        )

    return np.matmul(w, v), backward


WEIGHTS = {
    "wrong": [
        ("the scores are not scaled", not_scaled),
        ("divided by K, not by its root", divided_by_width),
        ("divided by the root of the number of keys", root_of_keys),
        ("masked first, then scaled", mask_then_scale),
        ("softmax over the queries", over_queries),
        ("softmax over the heads", over_heads),
        ("the sum runs over the whole table, not over a row", one_top_for_all),
        ("the triangle begins at the first key", from_the_first_key),
        ("the diagonal is hidden too", not_itself),
        ("one step of the future is seen", one_into_the_future),
        ("triu for tri: only the future is seen", future_only),
        ("booleans are added as 0 and 1", booleans_added),
        ("True of the mask hides", true_hides),
        ("numbers of the mask are taken for booleans", numbers_as_booleans),
        ("a score of 0 where the mask hides", zero_hides),
        ("scores times the mask", multiplied),
        ("True of the padding mask is taken for a token", tokens_not_padding),
        ("the padding mask hides queries", padded_queries),
        ("the padding mask is left to broadcasting, as (T, S)", padding_on_wrong_axes),
        ("the padding of the first sequence holds for all", first_sequence_for_all),
        ("elif: only one of the masks counts", one_of_them),
        ("a mask of numbers returns early, without the other masks", no_choice_with_numbers),
        ("-1e9 hides, so that a row with nothing to see is even", large_number),
        ("-10 hides", not_large_enough),
        ("hidden after the softmax, so that rows do not add up to 1", afterwards),
        ("nothing to see gives nan", careless),
        ("one row of nan, and all weights are 0", all_or_none),
        ("nothing to see gives equal weights", equal_for_nothing),
        ("the largest is not taken off before exp", no_top),
        ("the largest of all scores is taken off, not that of the row", one_top),
        ("scores are clipped at 50, so that exp does not overflow", clipped),
        ("the mask gets two axes more, however many it has", two_axes_more),
        ("only a boolean mask is asked whether a row sees nothing", nothing_by_boolean),
        ("-inf in a mask of numbers does not count as seeing nothing", nothing_by_count),
        ("each mask overwrites the one before", last_mask_wins),
        ("q is scaled in place", scaled_in_place),
        ("the triangle is written into the mask that was given", in_the_mask),
        ("`if mask:`", truth_of_an_array),
        ("k.T turns all four axes", transposed),
        ("keys are turned by reshape", heads_mixed),
    ],
    "right": [
        ("line by line, with where and the library's softmax", line_by_line),
        ("five loops over lists, fsum, math.exp", five_loops),
        ("one array of numbers to add, einsum, logaddexp", one_bias),
        ("scipy's softmax, nan_to_num", scipys),
        ("who may look, where= in max and exp", shares_of_factors),
        ("-1e30, and zeros at the end", large_number_and_zeros),
        ("masked arrays of NumPy", masked_arrays),
        ("key by key, with a running top and sum", key_by_key),
        ("a table for each head and sequence, q scaled first", one_table_at_a_time),
        ("the library's attention, with the identity for values", identity_for_values),
    ],
}
ATTENTION = {
    "wrong": [
        ("the row-sum term is missing", no_row_sum),
        ("one sum for all rows: keepdims and axis forgotten", one_sum_for_all),
        ("the plain mean of dw is taken off", plain_mean),
        ("the plain sum of dw is taken off", sum_of_dw),
        ("only the diagonal of the Jacobian, w (1 - w)", diagonal),
        ("the softmax is skipped on the way back", softmax_is_linear),
        ("the row sum runs over the queries", over_the_wrong_axis),
        ("w is not multiplied into the row sum", sum_without_w),
        ("w - dw, as with the cross-entropy", like_cross_entropy),
        ("1/sqrt(K) is missing for dq and dk", no_root_back),
        ("1/sqrt(K) is missing for dk", no_root_for_dk),
        ("1/sqrt(K) twice on the way back", root_twice),
        ("1/sqrt(K) for dv too", root_for_dv),
        ("backward returns dk, dq, dv", other_order),
        ("dk is added up over the heads", heads_added),
        ("backward forgets dq", no_dq),
        ("ds is not turned on its side for dk", keys_not_turned),
        ("w is not turned on its side for dv", values_not_turned),
        (".T turns all four axes on the way back", dots_t),
        ("scores where weights belong, on the way back", raw_scores),
        ("the way back makes weights anew, without the masks", masks_forgotten_back),
        ("mask and padding are not handed on", causal_only),
        ("causal by default", always_causal),
        ("key_padding_mask is not handed on", padding_forgotten),
        ("dy is scaled in place", dy_scaled_in_place),
        ("ds is made in the array of the weights", weights_used_up),
        ("the weights are overwritten by the next call", one_memory_for_all),
        ("nan is made good for y, but not on the way back", nan_on_the_way_back),
        ("the heads are merged at once", merged_at_once),
    ],
    "right": [
        ("the four equations", four_equations),
        ("a loop over pairs, dy on v less y", pair_by_pair),
        ("einsum", einsums),
        ("the library's softmax, q scaled first", softmax_of_the_library),
        ("a Jacobian for each query", jacobians),
        ("a class, the row sum from dy and y, a list returned", a_class),
        ("query by query, weights made anew, only keys that are seen", query_by_query),
        ("differences of dw between pairs of keys, matmul and transpose", differences),
    ],
}
ANSWERS = {"attention_weights": WEIGHTS, "attention": ATTENTION}
NAMED = {"attention_weights": 36, "attention": 22}
