"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import bisect
import heapq
import itertools
import math

import numpy as np
from scipy import special

from minillm import layers

# Top-k.  `ranked` are the ids, the likeliest first; `only` keeps what a mask of logits says.


def ranked(logits):
    return np.argsort(-logits, axis=-1, kind="stable")


def only(logits, keep):
    return np.where(keep, logits, -np.inf).astype(logits.dtype)


def first_k(logits, k):
    return np.argsort(ranked(logits), axis=-1, kind="stable") < k


def refuse(bad):
    if bad:
        raise ValueError("out of range")


def k_threshold(logits, k):
    refuse(k < 1)
    k = min(k, logits.shape[-1])
    return only(logits, logits >= np.sort(logits, axis=-1)[..., -k, None])


def k_above(logits, k):
    refuse(k < 1)
    k = min(k, logits.shape[-1])
    return only(logits, logits > np.sort(logits, axis=-1)[..., -k, None])


def k_zeros(logits, k):
    refuse(k < 1)
    return np.where(first_k(logits, k), logits, 0)


def k_finite(logits, k):
    refuse(k < 1)
    return np.where(first_k(logits, k), logits, -1e9)


def k_from_the_end(logits, k):
    refuse(k < 1)
    out = np.full_like(logits, -np.inf)
    at = np.argsort(logits, axis=-1, kind="stable")[..., -k:]
    np.put_along_axis(out, at, np.take_along_axis(logits, at, -1), -1)
    return out


def k_rows_turned(logits, k):
    refuse(k < 1)
    out = np.full_like(logits, -np.inf)
    at = np.argsort(logits, axis=-1)[::-1][..., :k]
    np.put_along_axis(out, at, np.take_along_axis(logits, at, -1), -1)
    return out


def k_flat(logits, k):
    refuse(k < 1)
    return only(logits, first_k(logits.ravel(), k).reshape(logits.shape))


def k_first_axis(logits, k):
    refuse(k < 1)
    return only(logits, np.argsort(np.argsort(-logits, axis=0, kind="stable"), axis=0) < k)


def k_in_place(logits, k):
    refuse(k < 1)
    logits[~first_k(logits, k)] = -np.inf
    return logits


def k_smallest(logits, k):
    refuse(k < 1)
    return only(logits, np.argsort(np.argsort(logits, axis=-1, kind="stable"), axis=-1) < k)


def k_probabilities(logits, k):
    refuse(k < 1)
    return layers.softmax(only(logits, first_k(logits, k)))[0]


def k_log_probabilities(logits, k):
    refuse(k < 1)
    kept = only(logits, first_k(logits, k))
    return kept - special.logsumexp(kept, axis=-1, keepdims=True)


def k_short(logits, k):
    refuse(k < 1)
    return np.take_along_axis(logits, ranked(logits)[..., :k], -1)


def k_sorted(logits, k):
    refuse(k < 1)
    out = np.full_like(logits, -np.inf)
    out[..., :k] = np.take_along_axis(logits, ranked(logits), -1)[..., :k]
    return out


def k_any(logits, k):
    return only(logits, first_k(logits, k))


def k_refuses_too_many(logits, k):
    refuse(not 1 <= k <= logits.shape[-1])
    return only(logits, first_k(logits, k))


def k_zero_is_off(logits, k):
    return logits.copy() if k == 0 else only(logits, first_k(logits, refuse(k < 0) or k))


def k_argsort_is_no_rank(logits, k):
    refuse(k < 1)
    return only(logits, ranked(logits) < k)


def k_mask_times_infinity(logits, k):
    refuse(k < 1)
    with np.errstate(invalid="ignore"):
        return logits + ~first_k(logits, k) * -np.inf


def k_nudged(logits, k):
    refuse(k < 1)
    nudged = logits - 1e-4 * np.arange(logits.shape[-1])
    return only(nudged, first_k(nudged, k))


def k_different_values(logits, k):
    refuse(k < 1)
    return np.apply_along_axis(lambda row: only(row, np.isin(row, np.unique(row)[-k:])), -1, logits)


def k_returns_the_same(logits, k):
    refuse(k < 1)
    return logits if k >= logits.shape[-1] else only(logits, first_k(logits, k))


def k_heap(logits, k):
    refuse(k < 1)
    out = np.full(logits.shape, -np.inf, logits.dtype)
    for at in np.ndindex(logits.shape[:-1]):
        for i in heapq.nlargest(k, range(logits.shape[-1]), key=lambda i, at=at: (logits[at][i], -i)):
            out[at][i] = logits[at][i]
    return out


def k_ranks(logits, k):
    refuse(k < 1)
    return np.where(ranked(ranked(logits) * -1.0) < k, logits, -np.inf)


def k_put(logits, k):
    refuse(k <= 0)
    out, at = logits.copy(), ranked(logits)
    np.put_along_axis(out, at[..., k:], -np.inf, axis=-1)
    return out


def k_pairs(logits, k):
    refuse(k < 1)
    mine, other = logits[..., :, None], logits[..., None, :]
    ids = np.arange(logits.shape[-1])
    better = (other > mine) | ((other == mine) & (ids < ids[:, None]))
    return np.where(better.sum(-1) < k, logits, -np.inf)


def k_one_after_the_other(logits, k):
    refuse(k < 1)
    left, keep = logits.astype(float), np.zeros(logits.shape, bool)
    for _ in range(min(k, logits.shape[-1])):
        best = left.argmax(-1)[..., None]
        np.put_along_axis(keep, best, True, -1)
        np.put_along_axis(left, best, -np.inf, -1)
    return only(logits, keep)


def k_lists(logits, k):
    refuse(k < 1)
    if logits.ndim > 1:
        return np.array([k_lists(row, k) for row in logits])
    best = set(sorted(range(len(logits)), key=lambda i: -logits[i])[:k])
    return np.array([z if i in best else -math.inf for i, z in enumerate(logits.tolist())], logits.dtype)


def k_log_of_mask(logits, k):
    refuse(k < 1)
    with np.errstate(divide="ignore"):
        return logits + np.log(first_k(logits, k).astype(logits.dtype))


def k_threshold_and_a_count(logits, k):
    refuse(k < 1)
    k = min(k, logits.shape[-1])
    edge = np.partition(logits, -k, axis=-1)[..., -k, None]
    above = logits > edge
    room = k - above.sum(-1, keepdims=True)
    level = logits == edge
    return only(logits, above | (level & (level.cumsum(-1) <= room)))


def k_lexsort(logits, k):
    refuse(k < 1)

    def one(row):
        out = np.full(row.shape, -np.inf, row.dtype)
        at = np.lexsort((np.arange(row.size), -row))[:k]
        out[at] = row[at]
        return out

    return np.apply_along_axis(one, -1, logits)


# Top-p.


def in_order(logits):
    order = ranked(logits)
    z = np.take_along_axis(logits, order, -1)
    q = np.exp((z - z[..., :1]).astype(float))
    return order, z, q / q.sum(-1, keepdims=True)


def put_back(order, z, keep):
    out = np.empty_like(z)
    np.put_along_axis(out, order, only(z, keep), -1)
    return out


def nucleus(logits, p):
    order, z, q = in_order(logits)
    return put_back(order, z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_checked(keep):
    """An answer that is right but for which of the sorted tokens stay."""

    def answer(logits, p):
        refuse(not 0 < p <= 1)
        order, z, q = in_order(logits)
        return logits.copy() if p == 1 else put_back(order, z, keep(q, p))

    return answer


p_drops_the_crossing = p_checked(lambda q, p: np.cumsum(q, -1) <= p)
p_drops_it_strictly = p_checked(lambda q, p: np.cumsum(q, -1) < p)
p_one_too_many = p_checked(lambda q, p: np.cumsum(q, -1) - q <= p)
p_two_at_least = p_checked(lambda q, p: (np.cumsum(q, -1) - q < p) | (np.arange(q.shape[-1]) < 2))
p_each_above_p = p_checked(lambda q, p: q >= p)
p_min_p = p_checked(lambda q, p: q >= (1 - p) * q[..., :1])
p_share_of_tokens = p_checked(lambda q, p: np.arange(q.shape[-1]) < np.ceil(p * q.shape[-1]))
p_flat_sum = p_checked(lambda q, p: np.cumsum(q).reshape(q.shape) - q < p)
p_first_row_decides = p_checked(lambda q, p: np.cumsum(q, -1).reshape(-1, q.shape[-1])[0] - q < p)


def p_shift(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    remove = np.cumsum(q, -1) > p
    remove[..., 1:] = remove[..., :-1].copy()
    remove[..., 0] = False
    return logits.copy() if p == 1 else put_back(order, z, ~remove)


def p_shift_of_rows(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    remove = np.cumsum(q, -1) >= p
    remove[1:] = remove[:-1].copy()
    remove[0] = False
    return logits.copy() if p == 1 else put_back(order, z, ~remove)


def p_left_sorted(logits, p):
    refuse(not 0 < p <= 1)
    _, z, q = in_order(logits)
    return only(z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_order_again(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    keep = (np.cumsum(q, -1) - q < p) | (p == 1)
    return np.take_along_axis(only(z, keep), order, -1)


def p_mask_not_back(logits, p):
    refuse(not 0 < p <= 1)
    _, _, q = in_order(logits)
    return only(logits, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_unsorted(logits, p):
    refuse(not 0 < p <= 1)
    q = layers.softmax(logits)[0]
    return only(logits, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_unlikeliest_first(logits, p):
    refuse(not 0 < p <= 1)
    order = np.argsort(logits, axis=-1, kind="stable")
    z = np.take_along_axis(logits, order, -1)
    q = layers.softmax(z)[0]
    return put_back(order, z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_no_softmax(logits, p):
    refuse(not 0 < p <= 1)
    order, z, _ = in_order(logits)
    return put_back(order, z, (np.cumsum(z, -1) - z < p) | (p == 1))


def p_only_exp(logits, p):
    refuse(not 0 < p <= 1)
    order, z, _ = in_order(logits)
    q = np.exp(z)
    return put_back(order, z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_exp_overflows(logits, p):
    refuse(not 0 < p <= 1)
    order, z, _ = in_order(logits)
    with np.errstate(all="ignore"):
        q = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
        return put_back(order, z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_softmax_of_everything(logits, p):
    refuse(not 0 < p <= 1)
    order, z, _ = in_order(logits)
    q = np.exp(z - z.max())
    q /= q.sum()
    return put_back(order, z, (np.cumsum(q, -1) - q < p) | (p == 1))


def p_rounding(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    return put_back(order, z, np.cumsum(q, -1) - q < p)


def p_any(logits, p):
    return nucleus(logits, p)


def p_refuses_one(logits, p):
    refuse(not 0 < p < 1)
    return nucleus(logits, p)


def p_refuses_zero_only(logits, p):
    refuse(p <= 0)
    return nucleus(logits, min(p, 1))


def p_allows_zero(logits, p):
    refuse(not 0 <= p <= 1)
    return nucleus(logits, p)


def p_equals_stay_too(logits, p):
    refuse(not 0 < p <= 1)
    kept = nucleus(logits, p)
    edge = np.where(np.isfinite(kept), kept, np.inf).min(-1, keepdims=True)
    return only(logits, logits >= edge)


def p_higher_id_first(logits, p):
    refuse(not 0 < p <= 1)
    return nucleus(logits[..., ::-1], p)[..., ::-1]


def p_zeros(logits, p):
    refuse(not 0 < p <= 1)
    kept = nucleus(logits, p)
    return np.where(np.isinf(kept), 0, kept)


def p_probabilities(logits, p):
    refuse(not 0 < p <= 1)
    return layers.softmax(nucleus(logits, p))[0]


def p_in_place(logits, p):
    refuse(not 0 < p <= 1)
    logits[...] = nucleus(logits, p)
    return logits


def p_one_returns_the_same(logits, p):
    refuse(not 0 < p <= 1)
    return logits if p == 1 else nucleus(logits, p)


def p_two_axes(logits, p):
    refuse(not 0 < p <= 1)
    return np.array([nucleus(row, p) for row in np.atleast_2d(logits)])


def p_until(logits, p):
    refuse(not 0 < p <= 1)
    out = np.full_like(logits, -np.inf)
    for at in np.ndindex(logits.shape[:-1]):
        row = logits[at].astype(float)
        q = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        total = 0.0
        for i in sorted(range(len(q)), key=lambda i: -q[i] if p < 1 else -row[i]):
            if total >= p and p < 1:
                break
            out[at][i] = logits[at][i]
            total += q[i]
    return out


def p_searchsorted(logits, p):
    refuse(p <= 0 or p > 1)
    if p == 1:
        return np.array(logits)
    order, z, q = in_order(logits)
    count = np.apply_along_axis(lambda row: np.searchsorted(row, p, side="left") + 1, -1, np.cumsum(q, -1))
    return put_back(order, z, np.arange(z.shape[-1]) < count[..., None])


def p_bisect(logits, p):
    refuse(not 0 < p <= 1)
    if logits.ndim > 1:
        return np.stack([p_bisect(row, p) for row in logits])
    order, z, q = in_order(logits)
    n = len(q) if p == 1 else bisect.bisect_left(list(itertools.accumulate(q.tolist())), p) + 1
    out = np.full(logits.shape, -np.inf)
    out[order[:n]] = z[:n]
    return out


def p_inverse(logits, p):
    refuse(not 0 < p <= 1)
    order = ranked(logits)
    q = np.take_along_axis(special.softmax(logits.astype(float), axis=-1), order, -1)
    before = np.concatenate([np.zeros_like(q[..., :1]), np.cumsum(q, -1)[..., :-1]], -1)
    keep = before < p if p < 1 else np.ones(q.shape, bool)
    return np.where(np.take_along_axis(keep, np.argsort(order, -1), -1), logits, -np.inf)


def p_triangle(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    before = np.einsum("...j,ji->...i", q, np.triu(np.ones((q.shape[-1],) * 2), 1))
    return logits + 0 if p >= 1 else put_back(order, z, before < p)


def p_pairs(logits, p):
    refuse(not 0 < p <= 1)
    mine, other, ids = logits[..., :, None], logits[..., None, :], np.arange(logits.shape[-1])
    earlier = (other > mine) | ((other == mine) & (ids < ids[:, None]))
    before = np.where(earlier, special.softmax(logits.astype(float), axis=-1)[..., None, :], 0).sum(-1)
    return np.where((before < p) | (p == 1), logits, -np.inf)


def p_not_divided(logits, p):
    refuse(not 0 < p <= 1)
    order, z, _ = in_order(logits)
    raw = np.exp((z - z.max(-1, keepdims=True)).astype(float))
    keep = raw.cumsum(-1) - raw < p * raw.sum(-1, keepdims=True)
    return put_back(order, z, keep | (p == 1))


def p_shift_mended(logits, p):
    refuse(not 0 < p <= 1)
    order, z, q = in_order(logits)
    remove = np.roll(np.cumsum(q, -1) >= p, 1, axis=-1)
    remove[..., 0] = False
    return put_back(order, z, ~remove | (p == 1.0))


# One new token with a cache.


def turned(z, n):
    return layers.rotary(z[None], positions=np.array([n]))[0]


def weigh(q, keys, values, scale=None):
    scores = keys @ q / (scale or np.sqrt(keys.shape[-1]))
    w = np.exp(scores - scores.max())
    return w / w.sum() @ values


def cached(q_at=lambda n: n, k_at=lambda n: n, scale=None):
    """An answer that is right but for where q and k stand, or for the scale."""

    def answer(x, w_q, w_k, w_v, keys, values):
        n = len(keys)
        q, k = turned(x @ w_q, q_at(n))[0], turned(x @ w_k, k_at(n))
        keys, values = np.vstack([keys, k]), np.vstack([values, x @ w_v])
        return weigh(q, keys, values, scale and scale(x, w_q)), keys, values

    return answer


a_counts_from_one = cached(lambda n: n + 1, lambda n: n + 1)
a_query_one_later = cached(q_at=lambda n: n + 1)
a_always_zero = cached(lambda n: 0, lambda n: 0)
a_query_at_zero = cached(q_at=lambda n: 0)
a_key_at_zero = cached(k_at=lambda n: 0)
a_last_place = cached(lambda n: max(n - 1, 0), lambda n: max(n - 1, 0))
a_no_scale = cached(scale=lambda x, w: 1)
a_scale_of_C = cached(scale=lambda x, w: np.sqrt(len(x)))
a_scale_without_root = cached(scale=lambda x, w: w.shape[1])
a_plain = cached()


def a_all_turned_again(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    keys, values = np.vstack([keys, x @ w_k]), np.vstack([values, x @ w_v])
    keys = layers.rotary(keys, positions=np.arange(n + 1))[0]
    return weigh(turned(x @ w_q, n)[0], keys, values), keys, values


def a_kept_unturned(x, w_q, w_k, w_v, keys, values):
    n, k = len(keys), x @ w_k
    y = weigh(turned(x @ w_q, n)[0], np.vstack([keys, turned(k, n)]), np.vstack([values, x @ w_v]))
    return y, np.vstack([keys, k]), np.vstack([values, x @ w_v])


def a_value_turned(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    keys, values = np.vstack([keys, turned(x @ w_k, n)]), np.vstack([values, turned(x @ w_v, n)])
    return weigh(turned(x @ w_q, n)[0], keys, values), keys, values


def a_past_only(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    y = weigh(turned(x @ w_q, n)[0], keys, values) if n else x @ w_v
    return y, np.vstack([keys, turned(x @ w_k, n)]), np.vstack([values, x @ w_v])


def a_itself_only(x, w_q, w_k, w_v, keys, values):
    return x @ w_v, np.vstack([keys, turned(x @ w_k, len(keys))]), np.vstack([values, x @ w_v])


def a_newest_first(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    keys, values = np.vstack([turned(x @ w_k, n), keys]), np.vstack([x @ w_v, values])
    return weigh(turned(x @ w_q, n)[0], keys, values), keys, values


def a_new_rows_only(x, w_q, w_k, w_v, keys, values):
    y, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return y, keys[-1:], values[-1:]


def a_matrix_of_one_row(x, w_q, w_k, w_v, keys, values):
    y, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return y[None], keys, values


def a_y_last(x, w_q, w_k, w_v, keys, values):
    y, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return keys, values, y


def a_y_only(x, w_q, w_k, w_v, keys, values):
    return a_plain(x, w_q, w_k, w_v, keys, values)[0]


def a_mean(x, w_q, w_k, w_v, keys, values):
    _, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return values.mean(0), keys, values


def a_hard(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    _, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return values[np.argmax(keys @ turned(x @ w_q, n)[0])], keys, values


def a_no_softmax(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    _, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    return keys @ turned(x @ w_q, n)[0] / np.sqrt(len(w_q[0])) @ values, keys, values


def a_softmax_of_one(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    _, keys, values = a_plain(x, w_q, w_k, w_v, keys, values)
    scores = (keys @ turned(x @ w_q, n)[0] / np.sqrt(len(w_q[0])))[:, None]
    return (layers.softmax(scores)[0] * values).sum(0), keys, values


def a_neighbours_paired(x, w_q, w_k, w_v, keys, values):
    n = len(keys)

    def turn(z):
        angles = n * 10_000.0 ** (-np.arange(0, len(z), 2) / len(z))
        c, s, y = np.cos(angles), np.sin(angles), np.empty_like(z)
        y[::2], y[1::2] = z[::2] * c - z[1::2] * s, z[1::2] * c + z[::2] * s
        return y

    keys, values = np.vstack([keys, turn(x @ w_k)]), np.vstack([values, x @ w_v])
    return weigh(turn(x @ w_q), keys, values), keys, values


def a_turned_before_the_map(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    z = turned(x, n)[0] if len(x) % 2 == 0 else x
    keys, values = np.vstack([keys, z @ w_k]), np.vstack([values, x @ w_v])
    return weigh(z @ w_q, keys, values), keys, values


def a_length_of_a_key(x, w_q, w_k, w_v, keys, values):
    n = keys.shape[1]
    keys, values = np.vstack([keys, turned(x @ w_k, n)]), np.vstack([values, x @ w_v])
    return weigh(turned(x @ w_q, n)[0], keys, values), keys, values


def a_keys_and_values_crossed(x, w_q, w_k, w_v, keys, values):
    n = len(keys)
    keys, values = np.vstack([keys, turned(x @ w_v, n)]), np.vstack([values, x @ w_k])
    return weigh(turned(x @ w_q, n)[0], keys, values), keys, values


def a_flat(x, w_q, w_k, w_v, keys, values):
    y, _, _ = a_plain(x, w_q, w_k, w_v, keys, values)
    return y, np.append(keys, turned(x @ w_k, len(keys))), np.append(values, x @ w_v)


def a_overwrites_the_last(x, w_q, w_k, w_v, keys, values):
    y, longer, values = a_plain(x, w_q, w_k, w_v, keys, values)
    keys *= 0
    return y, longer, values


def a_asks_once_more(x, w_q, w_k, w_v, keys, values):
    x *= 1 / np.sqrt(w_q.shape[1])
    n = len(keys)
    keys, values = np.vstack([keys, turned(x @ w_k, n)]), np.vstack([values, x @ w_v])
    return weigh(turned(x @ w_q, n)[0], keys, values, 1), keys, values


def a_library(x, w_q, w_k, w_v, keys, values):
    place = np.array([len(keys)])
    q, k, v = (x[None] @ w for w in (w_q, w_k, w_v))
    q, k = layers.rotary(q, positions=place)[0], layers.rotary(k, positions=place)[0]
    keys, values = np.concatenate([keys, k]), np.concatenate([values, v])
    y, _ = layers.attention(q[None, None], keys[None, None], values[None, None], causal=False)
    return y[0, 0, 0], keys, values


def a_complex(x, w_q, w_k, w_v, keys, values):
    K, n = w_q.shape[1], len(keys)
    half = K // 2
    spin = np.exp(1j * n * 10_000.0 ** (-np.arange(half) / half))

    def turn(z):
        z = (z[:half] + 1j * z[half:]) * spin
        return np.concatenate([z.real, z.imag]).astype(keys.dtype)

    keys, values = np.r_[keys, turn(x @ w_k)[None]], np.r_[values, (x @ w_v)[None]]
    return special.softmax(keys @ turn(x @ w_q) * K**-0.5) @ values, keys, values


def a_sums(x, w_q, w_k, w_v, keys, values):
    n, K = keys.shape
    places = np.full(1, n)
    q, k, v = (np.array([[sum(x[c] * w[c, i] for c in range(len(x))) for i in range(K)]]) for w in (w_q, w_k, w_v))
    q, k = (layers.rotary(z, positions=places)[0][0] for z in (q, k))
    keys, values = np.array([*keys, k]), np.array([*values, v[0]])
    scores = [math.fsum(float(a) * float(b) for a, b in zip(q, row, strict=True)) / math.sqrt(K) for row in keys]
    top = max(scores)
    shares = [math.exp(s - top) for s in scores]
    y = sum(share * row for share, row in zip(shares, values, strict=True)) / sum(shares)
    return y, keys, values


def a_einsum(x, w_q, w_k, w_v, keys, values):
    n, K = keys.shape
    q, k, v = np.einsum("c,zck->zk", x, np.stack([w_q, w_k, w_v]))
    q, k = layers.rotary(np.stack([q, k])[:, None], positions=np.array([n]))[0][:, 0]
    longer, more = np.empty((n + 1, K), keys.dtype), np.empty((n + 1, K), values.dtype)
    longer[:n], longer[n], more[:n], more[n] = keys, k, values, v
    log_w = np.einsum("k,sk->s", q, longer) / K**0.5
    return np.einsum("s,sk->k", np.exp(log_w - special.logsumexp(log_w)), more), longer, more


def a_turned_back(x, w_q, w_k, w_v, keys, values):
    """Distances instead of positions: the old keys are turned back by n, the new ones stay."""
    n, K = keys.shape
    near = np.append(layers.rotary(keys, positions=np.full(n, -n))[0], (x @ w_k)[None], axis=0)
    values = np.append(values, [x @ w_v], axis=0)
    y = weigh(x @ w_q, near, values)
    return y, np.append(keys, turned(x @ w_k, n), axis=0), values


def a_running(x, w_q, w_k, w_v, keys, values):
    """One key after the other, as the fused kernels do it."""
    n = len(keys)
    q = turned(x @ w_q, n).ravel()
    keys, values = np.concatenate((keys, turned(x @ w_k, n))), np.concatenate((values, (x @ w_v).reshape(1, -1)))
    top, total, y = -np.inf, 0.0, np.zeros(values.shape[1])
    for k, v in zip(keys, values, strict=True):
        score = np.dot(q, k) / np.sqrt(len(q))
        new = max(top, score)
        old, one = np.exp(top - new), np.exp(score - new)
        top, total, y = new, total * old + one, y * old + one * v
    return y / total, keys, values


def a_wide(x, w_q, w_k, w_v, keys, values):
    wide = [z.astype(np.longdouble) for z in (x, w_q, w_k, w_v, keys, values)]
    return tuple(z.astype(x.dtype) for z in a_plain(*wide))


# Prompts of unequal length.


def checked(prompts):
    refuse(not prompts or min(len(prompt) for prompt in prompts) == 0)
    return max(len(prompt) for prompt in prompts)


def left(prompts, fill=0):
    T = checked(prompts)
    ids = np.array([[fill] * (T - len(p)) + list(p) for p in prompts])
    positions = np.array([[0] * (T - len(p)) + list(range(len(p))) for p in prompts])
    mask = np.array([[True] * (T - len(p)) + [False] * len(p) for p in prompts])
    return ids, positions, mask


def l_right(prompts, fill=0):
    T = checked(prompts)
    ids, positions, mask = np.full((len(prompts), T), fill), np.zeros((len(prompts), T), int), np.ones((1, T), bool)
    mask = np.repeat(mask, len(prompts), 0)
    for i, p in enumerate(prompts):
        ids[i, : len(p)], positions[i, : len(p)], mask[i, : len(p)] = p, np.arange(len(p)), False
    return ids, positions, mask


def l_columns(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.tile(np.arange(ids.shape[1]), (len(ids), 1)), mask


def l_columns_masked(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.where(mask, 0, np.arange(ids.shape[1])), mask


def l_minus(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.arange(ids.shape[1]) - mask.sum(1, keepdims=True), mask


def l_minus_one(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.cumsum(~mask, 1) - 1, mask


def l_from_one(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.cumsum(~mask, 1), mask


def l_fill_in_positions(prompts, fill=0):
    ids, positions, mask = left(prompts, fill)
    return ids, np.where(mask, fill, positions), mask


def l_true_for_tokens(prompts, fill=0):
    ids, positions, mask = left(prompts, fill)
    return ids, positions, ~mask


def l_by_fill(prompts, fill=0):
    ids, positions, _ = left(prompts, fill)
    return ids, positions, ids == fill


def l_positions_by_fill(prompts, fill=0):
    ids, _, mask = left(prompts, fill)
    return ids, np.maximum(np.cumsum(ids != fill, 1) - 1, 0), mask


def l_always_zero(prompts, fill=0):
    return left(prompts, 0)


def l_float(prompts, fill=0):
    T = checked(prompts)
    ids, positions, mask = np.zeros((len(prompts), T)) + fill, np.zeros((len(prompts), T)), left(prompts)[2]
    for i, p in enumerate(prompts):
        ids[i, T - len(p) :], positions[i, T - len(p) :] = p, np.arange(len(p))
    return ids, positions, mask


def l_float_ids(prompts, fill=0):
    ids, positions, mask = left(prompts, fill)
    return ids.astype(float), positions, mask


def l_first_is_longest(prompts, fill=0):
    checked(prompts)
    T = len(prompts[0])
    rows = [([fill] * T + list(p))[-T:] for p in prompts]
    lengths = np.array([[min(len(p), T)] for p in prompts])
    place = np.arange(T) - T + lengths
    return np.array(rows), np.maximum(place, 0), place < 0


def l_cut_to_shortest(prompts, fill=0):
    checked(prompts)
    return left([p[-min(map(len, prompts)) :] for p in prompts], fill)


def l_sorted(prompts, fill=0):
    return left(sorted(prompts, key=len, reverse=True), fill)


def l_inserted(prompts, fill=0):
    T, lengths = checked(prompts), [len(p) for p in prompts]
    for p in prompts:
        while len(p) < T:
            p.insert(0, fill)
    place = np.arange(T) - T + np.array(lengths)[:, None]
    return np.array(prompts), np.maximum(place, 0), place < 0


def l_one_column_more(prompts, fill=0):
    ids, positions, mask = left(prompts, fill)
    more = lambda z, value: np.pad(z, ((0, 0), (1, 0)), constant_values=value)
    return more(ids, fill), more(positions, 0), more(mask, True)


def l_ids_only(prompts, fill=0):
    return left(prompts, fill)[0]


def l_mask_second(prompts, fill=0):
    ids, positions, mask = left(prompts, fill)
    return ids, mask, positions


def l_lists(prompts, fill=0):
    return tuple(z.tolist() for z in left(prompts, fill))


def l_takes_empty(prompts, fill=0):
    refuse(not prompts)
    T = max(map(len, prompts))
    place = np.array([np.arange(T) - T + len(p) for p in prompts])
    ids = np.array([[fill] * (T - len(p)) + list(p) for p in prompts])
    return ids, np.maximum(place, 0), place < 0


def l_takes_none(prompts, fill=0):
    if len(prompts) == 0:
        return np.zeros((0, 0), int), np.zeros((0, 0), int), np.zeros((0, 0), bool)
    return left(prompts, fill)


def l_asserts(prompts, fill=0):
    assert len(prompts) > 0 and all(len(p) > 0 for p in prompts)
    return left(prompts, fill)


def l_refuses_fill(prompts, fill=0):
    refuse(any(fill in p for p in prompts))
    return left(prompts, fill)


def l_backwards(prompts, fill=0):
    ids, positions, mask = left([list(p)[::-1] for p in prompts], fill)
    return ids, positions, mask


def l_rows(prompts, fill=0):
    T = checked(prompts)
    ids, positions = np.full((len(prompts), T), fill), np.zeros((len(prompts), T), dtype=int)
    mask = np.ones(ids.shape, dtype=bool)
    for i, prompt in enumerate(prompts):
        ids[i, -len(prompt) :] = prompt
        positions[i, -len(prompt) :] = np.arange(len(prompt))
        mask[i, -len(prompt) :] = False
    return ids, positions, mask


def l_broadcast(prompts, fill=0):
    if not prompts or not all(prompts):
        raise ValueError("an empty prompt")
    lengths = np.fromiter(map(len, prompts), int)[:, None]
    place = np.arange(lengths.max()) - (lengths.max() - lengths)
    ids = np.full(place.shape, fill)
    ids[place >= 0] = np.concatenate(prompts)
    return ids, place.clip(0), place < 0


def l_zipped(prompts, fill=0):
    checked(prompts)
    columns = list(itertools.zip_longest(*(reversed(p) for p in prompts), fillvalue=None))[::-1]
    table = np.array(columns, dtype=object).T
    mask = np.equal(table, None).astype(bool)
    ids = np.where(mask, fill, table).astype(int)
    return ids, np.maximum(np.cumsum(~mask, axis=1) - 1, 0), mask


def l_np_pad(prompts, fill=0):
    T = checked(prompts)
    pad = lambda row, value: np.pad(row, (T - len(row), 0), constant_values=value)
    ids = np.stack([pad(p, fill) for p in prompts])
    positions = np.stack([pad(range(len(p)), 0) for p in prompts])
    return ids, positions, np.vstack([pad([False] * len(p), True) for p in prompts])


def l_cell_by_cell(prompts, fill=0):
    T = checked(prompts)
    shape = len(prompts), T
    ids, positions, mask = np.empty(shape, np.int64), np.empty(shape, np.int32), np.empty(shape, np.bool_)
    for b, t in np.ndindex(shape):
        i = t - (T - len(prompts[b]))
        mask[b, t] = i < 0
        ids[b, t], positions[b, t] = (fill, 0) if i < 0 else (prompts[b][i], i)
    return ids, positions, mask


def l_turned_round(prompts, fill=0):
    ids, _, mask = l_right([list(p)[::-1] for p in prompts], fill)
    ids, mask = ids[:, ::-1], mask[:, ::-1]
    first = mask.sum(1)
    return ids, np.array([[max(t - f, 0) for t in range(ids.shape[1])] for f in first]), mask


def l_a_list(prompts, fill=0):
    return list(l_rows(prompts, fill))


TOP_K = {
    "wrong": [
        ("all that reach the k-th largest, so that equals stay too", k_threshold),
        ("all above the k-th largest", k_above),
        ("0 in place of -inf", k_zeros),
        ("-1e9 in place of -inf", k_finite),
        ("the last k of a stable sort: the higher id first", k_from_the_end),
        ("[::-1] turns the rows, not the order", k_rows_turned),
        ("k of the whole array", k_flat),
        ("k of each column", k_first_axis),
        ("written into logits", k_in_place),
        ("the k smallest", k_smallest),
        ("probabilities are returned", k_probabilities),
        ("normalised log-probabilities are returned", k_log_probabilities),
        ("only the k logits are returned", k_short),
        ("the k logits stand first, sorted", k_sorted),
        ("no k is refused", k_any),
        ("a k above V is refused", k_refuses_too_many),
        ("k = 0 switches the filter off", k_zero_is_off),
        ("the order is taken for the ranks", k_argsort_is_no_rank),
        ("0 times -inf", k_mask_times_infinity),
        ("equals are told apart by a small nudge, which stays", k_nudged),
        ("the k largest different values", k_different_values),
        ("logits themselves are returned when all stay", k_returns_the_same),
    ],
    "right": [
        ("heapq, row by row", k_heap),
        ("ranks, by sorting twice", k_ranks),
        ("the rest is overwritten in a copy", k_put),
        ("how many are better, by pairs", k_pairs),
        ("argmax, k times", k_one_after_the_other),
        ("sorted lists, with recursion", k_lists),
        ("the logarithm of a mask is added", k_log_of_mask),
        ("a threshold, and equals as long as there is room", k_threshold_and_a_count),
        ("lexsort along the axis", k_lexsort),
    ],
}
TOP_P = {
    "wrong": [
        ("the token that crosses p is dropped", p_drops_the_crossing),
        ("the running sum must stay below p", p_drops_it_strictly),
        ("one more when the sum is exactly p", p_one_too_many),
        ("the same, by a mask that is shifted", p_shift),
        ("the mask is shifted along the rows", p_shift_of_rows),
        ("two tokens at least", p_two_at_least),
        ("each token with at least p", p_each_above_p),
        ("min-p", p_min_p),
        ("the share p of the tokens", p_share_of_tokens),
        ("the running sum goes on from row to row", p_flat_sum),
        ("the first row decides for all", p_first_row_decides),
        ("the result stays sorted", p_left_sorted),
        ("the order is applied twice", p_order_again),
        ("the sorted mask on unsorted logits", p_mask_not_back),
        ("not sorted at all", p_unsorted),
        ("the unlikeliest first", p_unlikeliest_first),
        ("the running sum of the logits", p_no_softmax),
        ("exp, and not divided by the sum", p_only_exp),
        ("exp without the largest taken off", p_exp_overflows),
        ("a softmax over the whole array", p_softmax_of_everything),
        ("p = 1 loses tokens by rounding", p_rounding),
        ("no p is refused", p_any),
        ("p = 1 is refused", p_refuses_one),
        ("p above 1 is taken for 1", p_refuses_zero_only),
        ("p = 0 is let through", p_allows_zero),
        ("equals of the last one stay too", p_equals_stay_too),
        ("the higher id first", p_higher_id_first),
        ("0 in place of -inf", p_zeros),
        ("probabilities are returned", p_probabilities),
        ("written into logits", p_in_place),
        ("logits themselves are returned for p = 1", p_one_returns_the_same),
        ("rows of a matrix only", p_two_axes),
    ],
    "right": [
        ("token by token until p is reached", p_until),
        ("searchsorted", p_searchsorted),
        ("bisect and accumulate, with recursion", p_bisect),
        ("the mask is put back by the inverse order", p_inverse),
        ("einsum with a triangle of ones", p_triangle),
        ("what is likelier, by pairs", p_pairs),
        ("p times the sum, nothing divided", p_not_divided),
        ("a shifted mask with >=", p_shift_mended),
    ],
}
ATTEND = {
    "wrong": [
        ("q and k stand at n + 1", a_counts_from_one),
        ("q stands one later than k", a_query_one_later),
        ("q and k stand at 0", a_always_zero),
        ("q stands at 0", a_query_at_zero),
        ("k stands at 0", a_key_at_zero),
        ("q and k stand where the last token stands", a_last_place),
        ("no scale", a_no_scale),
        ("the root of C", a_scale_of_C),
        ("K without its root", a_scale_without_root),
        ("the keys are turned once more", a_all_turned_again),
        ("the new key is kept as it was before the turn", a_kept_unturned),
        ("the value is turned too", a_value_turned),
        ("the token does not see itself", a_past_only),
        ("the token sees itself only", a_itself_only),
        ("the new key and value stand first", a_newest_first),
        ("only the new key and value are returned", a_new_rows_only),
        ("y is a matrix of one row", a_matrix_of_one_row),
        ("keys, values, y", a_y_last),
        ("y only", a_y_only),
        ("the mean of the values", a_mean),
        ("the value of the best key", a_hard),
        ("no softmax", a_no_softmax),
        ("the softmax over an axis of one", a_softmax_of_one),
        ("neighbours are paired in the turn", a_neighbours_paired),
        ("x is turned, not q and k", a_turned_before_the_map),
        ("n is taken from the wrong axis", a_length_of_a_key),
        ("w_k and w_v are confused", a_keys_and_values_crossed),
        ("append without an axis", a_flat),
        ("the old keys are overwritten", a_overwrites_the_last),
        ("the scale goes into x, in place", a_asks_once_more),
    ],
    "right": [
        ("vstack and matrix products", a_plain),
        ("layers.attention", a_library),
        ("complex numbers", a_complex),
        ("sums and lists", a_sums),
        ("einsum, and arrays of the full size", a_einsum),
        ("distances in place of positions", a_turned_back),
        ("one key after the other", a_running),
        ("in long doubles", a_wide),
    ],
}
PAD = {
    "wrong": [
        ("padded on the right", l_right),
        ("positions are columns", l_columns),
        ("positions are columns, and 0 for padding", l_columns_masked),
        ("negative positions for padding", l_minus),
        ("-1 for padding", l_minus_one),
        ("positions from 1", l_from_one),
        ("positions have fill too", l_fill_in_positions),
        ("True for tokens", l_true_for_tokens),
        ("the mask is ids == fill", l_by_fill),
        ("positions count what differs from fill", l_positions_by_fill),
        ("fill is not used", l_always_zero),
        ("np.zeros, so that ids and positions are floats", l_float),
        ("ids are floats", l_float_ids),
        ("the first prompt gives the length", l_first_is_longest),
        ("cut to the shortest", l_cut_to_shortest),
        ("sorted by length", l_sorted),
        ("the padding is put into the prompts themselves", l_inserted),
        ("one column more than needed", l_one_column_more),
        ("ids only", l_ids_only),
        ("ids, mask, positions", l_mask_second),
        ("lists of lists", l_lists),
        ("an empty prompt is a row of padding", l_takes_empty),
        ("no prompt is an empty batch", l_takes_none),
        ("assert in place of ValueError", l_asserts),
        ("prompts that contain fill are refused", l_refuses_fill),
        ("prompts are turned round", l_backwards),
    ],
    "right": [
        ("lists of lists, turned into arrays", left),
        ("row by row, from the end", l_rows),
        ("broadcasting, and one assignment", l_broadcast),
        ("zip_longest over the prompts turned round", l_zipped),
        ("np.pad", l_np_pad),
        ("cell by cell", l_cell_by_cell),
        ("padded on the right, turned round", l_turned_round),
        ("a list of three arrays", l_a_list),
    ],
}
ANSWERS = {"top_k": TOP_K, "top_p": TOP_P, "attend_next": ATTEND, "pad_left": PAD}
NAMED = {"top_k": 15, "top_p": 20, "attend_next": 16, "pad_left": 16}
