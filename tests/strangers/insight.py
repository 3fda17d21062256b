"""Answers by somebody who had not seen the bank of mistakes: the instruments that look inside a model."""

import itertools
import math

import numpy as np
from scipy import linalg, special, stats

from minillm import layers

# The detector.  `found` is the weight at every place that counts, (..., T - period).


def found(weights, period):
    return np.diagonal(weights, 1 - period, -2, -1)[..., 1:]


def own_occurrence(weights, *, period):
    return np.diagonal(weights, -period, -2, -1).mean(-1)


def one_before(weights, *, period):
    return np.diagonal(weights, -period - 1, -2, -1).mean(-1)


def whole_diagonal(weights, *, period):
    return np.diagonal(weights, 1 - period, -2, -1).mean(-1)


def columns_ask(weights, *, period):
    return np.diagonal(weights, period - 1, -2, -1)[..., 1:].mean(-1)


def over_all_rows(weights, *, period):
    return found(weights, period).sum(-1) / weights.shape[-1]


def by_period(weights, *, period):
    return found(weights, period).sum(-1) / period


def only_a_sum(weights, *, period):
    return found(weights, period).sum(-1)


def one_repetition(weights, *, period):
    end = min(2 * period, weights.shape[-1])
    return np.mean([weights[..., t, t - period + 1] for t in range(period, end)], axis=0)


def twice_the_period(weights, *, period):
    return sum(weights[..., t, t - period + 1] for t in range(period, 2 * period)) / period


def last_left_out(weights, *, period):
    return found(weights, period)[..., :-1].mean(-1)


def first_left_out(weights, *, period):
    return found(weights, period)[..., 1:].mean(-1)


def one_number(weights, *, period):
    return found(weights, period).mean()


def first_two_axes(weights, *, period):
    return np.diagonal(weights, 1 - period)[..., 1:].mean(-1)


def heads_only(weights, *, period):
    T = weights.shape[-1]
    return np.array([np.mean([w[t, t - period + 1] for t in range(period, T)]) for w in weights])


def share_of_winners(weights, *, period):
    T = weights.shape[-1]
    t = np.arange(period, T)
    return (weights[..., t, :].argmax(-1) == t - period + 1).mean(-1)


def zeros_elsewhere(weights, *, period):
    T = weights.shape[-1]
    weights *= np.eye(T, k=1 - period) * (np.arange(T) >= period)[:, None]
    return weights.sum((-1, -2)) / (T - period)


def best_place(weights, *, period):
    return found(weights, period).max(-1)


def from_the_end(weights, *, period):
    T = weights.shape[-1]
    return np.mean([weights[..., -i, -period - i + 1] for i in range(1, T - period + 1)], axis=0)


def diagonal_without_its_first(weights, *, period):
    return np.diagonal(weights, offset=-(period - 1), axis1=-2, axis2=-1)[..., 1:].mean(axis=-1)


def step_by_step(weights, *, period):
    T, total = weights.shape[-1], np.zeros(weights.shape[:-2])
    for t in range(period, T):
        total = total + weights[..., t, t - period + 1]
    return total / (T - period)


def pairs_of_places(weights, *, period):
    t = np.arange(period, weights.shape[-1])
    return weights[..., t, t - period + 1].mean(-1)


def einsum_with_mask(weights, *, period):
    T = weights.shape[-1]
    mask = np.eye(T, k=1 - period)
    mask[:period] = 0
    return np.einsum("...qk,qk->...", weights, mask / mask.sum())


def traces(weights, *, period):
    T = weights.shape[-1]
    return np.trace(weights[..., period:, 1:], axis1=-2, axis2=-1) / (T - period)


def taken_along(weights, *, period):
    T = weights.shape[-1]
    rows = weights[..., period:, :]
    where = np.broadcast_to(np.arange(1, T - period + 1)[:, None], (*rows.shape[:-1], 1))
    return np.take_along_axis(rows, where, axis=-1)[..., 0].mean(-1)


def flat_steps(weights, *, period):
    T = weights.shape[-1]
    flat = weights.reshape(-1, T * T)
    return flat[:, period * T + 1 :: T + 1].mean(1).reshape(weights.shape[:-2])


def python_lists(weights, *, period):
    def score(w):
        if isinstance(w[0][0], list):
            return [score(part) for part in w]
        return math.fsum(w[t][t - period + 1] for t in range(period, len(w))) / (len(w) - period)

    return np.array(score(weights.tolist()))


def toeplitz_where(weights, *, period):
    T = weights.shape[-1]
    stripe = linalg.toeplitz(np.arange(T) == period - 1, np.zeros(T, bool)) & (np.arange(T)[:, None] >= period)
    return np.mean(weights, axis=(-2, -1), where=stripe)


def single_precision(weights, *, period):
    return found(weights.astype(np.float32), period).mean(-1, dtype=np.float32)


# The switch.


def in_place(y, *, head, fill="mean"):
    y[:, head] = 0 if fill == "zero" else y[:, head].mean((0, 1))
    return y


def a_view(y, *, head, fill="mean"):
    silent = y[:]
    silent[:, head] = 0.0 if fill == "zero" else y[:, head].mean((0, 1))
    return silent


def one_mean(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y[:, head].mean()
    return y


def mean_of_a_sequence(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y[:, head].mean(1, keepdims=True)
    return y


def mean_of_a_position(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y[:, head].mean(0)
    return y


def mean_of_channels(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y[:, head].mean(-1, keepdims=True)
    return y


def mean_of_the_heads(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y.mean((0, 1, 2))
    return y


def mean_of_the_others(y, *, head, fill="mean"):
    silent = y.copy()
    silent[:, head] = 0 if fill == "zero" else np.delete(y, head, 1).mean(1)
    return silent


def sequence_for_head(y, *, head, fill="mean"):
    y = y.copy()
    y[head] = 0 if fill == "zero" else y[head].mean((0, 1))
    return y


def position_for_head(y, *, head, fill="mean"):
    y = y.copy()
    y[:, :, head] = 0 if fill == "zero" else y[:, :, head].mean((0, 1))
    return y


def always_zero(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0
    return y


def always_mean(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = y[:, head].mean((0, 1))
    return y


def the_fills_swapped(y, *, head, fill="mean"):
    return (always_zero if fill == "mean" else always_mean)(y, head=head)


def mean_of_zeros(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0
    if fill == "mean":
        y[:, head] = y[:, head].mean((0, 1))
    return y


def others_silent(y, *, head, fill="mean"):
    silent = np.zeros_like(y)
    silent[:, head] = y[:, head]
    if fill == "mean":
        silent += y.mean((0, 2), keepdims=True) * (np.arange(y.shape[1]) != head)[:, None, None]
    return silent


def head_removed(y, *, head, fill="mean"):
    return np.delete(y, head, axis=1)


def mean_taken_off(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else y[:, head] - y[:, head].mean((0, 1))
    return y


def medians(y, *, head, fill="mean"):
    y = y.copy()
    y[:, head] = 0 if fill == "zero" else np.median(y[:, head], axis=(0, 1))
    return y


def copied_then_written(y, *, head, fill="mean"):
    out = np.array(y)
    out[:, head] = {"zero": 0.0, "mean": y[:, head].mean(axis=(0, 1))}[fill]
    return out


def chosen_by_mask(y, *, head, fill="mean"):
    here = (np.arange(y.shape[1]) == head)[None, :, None, None]
    mean = y.mean(axis=(0, 2), keepdims=True)
    return np.where(here, mean if fill == "mean" else 0.0, y)


def three_parts(y, *, head, fill="mean"):
    B, _, T, K = y.shape
    middle = np.zeros((B, 1, T, K))
    if fill == "mean":
        middle += y[:, head].reshape(-1, K).mean(0)
    return np.concatenate([y[:, :head], middle, y[:, head + 1 :]], axis=1)


def four_loops(y, *, head, fill="mean"):
    out, (B, H, T, K) = np.empty(y.shape), y.shape
    for k in range(K):
        mean = sum(y[b, head, t, k] for b in range(B) for t in range(T)) / (B * T)
        for b, h, t in itertools.product(range(B), range(H), range(T)):
            out[b, h, t, k] = y[b, h, t, k] if h != head else mean if fill == "mean" else 0
    return out


def einsum_mean(y, *, head, fill="mean"):
    out = y + 0
    out[:, head] = np.einsum("btk->k", y[:, head]) / (y.shape[0] * y.shape[2]) * (fill == "mean")
    return out


def stacked_heads(y, *, head, fill="mean"):
    heads = list(y.swapaxes(0, 1))
    say = np.zeros(y.shape[-1]) if fill == "zero" else np.average(heads[head], axis=(0, 1))
    heads[head] = np.broadcast_to(say, heads[head].shape)
    return np.stack(heads, axis=1)


def difference_taken_off(y, *, head, fill="mean"):
    off = np.zeros_like(y)
    off[:, head] = y[:, head] if fill == "zero" else y[:, head] - y[:, head].mean(0).mean(0)
    return y - off


def heads_first(y, *, head, fill="mean"):
    turned = np.moveaxis(y, 1, 0).copy()
    turned[head] = 0
    if fill == "mean":
        turned[head] += np.moveaxis(y, 1, 0)[head].mean((0, 1))
    return np.moveaxis(turned, 0, 1)


# What a head is worth.


def gains_for_losses(whole, ablated, *, counts):
    return (whole - ablated)[:, counts].sum(1) / max(counts.sum(), 1)


def everything_counts(whole, ablated, *, counts):
    return (ablated - whole).mean((1, 2))


def zeros_count_too(whole, ablated, *, counts):
    return np.where(counts, ablated - whole, 0).mean((1, 2))


def times_the_mask(whole, ablated, *, counts):
    return ((ablated - whole) * counts).sum((1, 2)) / max(counts.sum(), 1)


def nothing_over_nothing(whole, ablated, *, counts):
    return (ablated - whole)[:, counts].mean(1)


def mean_of_means(whole, ablated, *, counts):
    gain = np.where(counts, ablated - whole, 0).sum(-1) / np.maximum(counts.sum(-1), 1)
    return gain.mean(-1)


def first_sequence_counts(whole, ablated, *, counts):
    return np.where(counts, ablated - whole, 0).sum((1, 2)) / max(counts[0].sum() * len(counts), 1)


def number_for_all_heads(whole, ablated, *, counts):
    return np.where(counts, ablated - whole, 0).sum() / max(counts.sum(), 1)


def one_zero(whole, ablated, *, counts):
    if not counts.any():
        return 0.0
    return (ablated - whole)[:, counts].mean(1)


def sizes_only(whole, ablated, *, counts):
    return np.abs(ablated - whole)[:, counts].sum(1) / max(counts.sum(), 1)


def never_below_zero(whole, ablated, *, counts):
    return np.maximum(ablated - whole, 0)[:, counts].sum(1) / max(counts.sum(), 1)


def in_bits(whole, ablated, *, counts):
    return (ablated - whole)[:, counts].sum(1) / max(counts.sum(), 1) / math.log(2)


def perplexities(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(len(ablated))
    return np.exp(ablated[:, counts].mean(1)) - np.exp(whole[counts].mean())


def a_ratio(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(len(ablated))
    return ablated[:, counts].mean(1) / whole[counts].mean() - 1


def totals(whole, ablated, *, counts):
    return (ablated - whole)[:, counts].sum(1)


def mask_as_numbers(whole, ablated, *, counts):
    picked = counts.astype(int)
    return (ablated[:, picked] - whole[picked]).mean((1, 2, 3))


def subtracted_in_place(whole, ablated, *, counts):
    ablated -= whole
    return ablated[:, counts].sum(1) / max(counts.sum(), 1)


def emptied_in_place(whole, ablated, *, counts):
    ablated[:, ~counts] = 0
    return (ablated - whole * counts).sum((1, 2)) / max(counts.sum(), 1)


def half_masked(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(len(ablated))
    return ablated[:, counts].mean(1) - whole.mean()


def without_the_infinite(whole, ablated, *, counts):
    gain = ablated - whole
    good = np.isfinite(gain)
    return np.where(good, gain, 0).sum((1, 2)) / np.maximum(good.sum((1, 2)), 1)


def medians_of_gain(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(len(ablated))
    return np.median((ablated - whole)[:, counts], axis=1)


def picked_and_divided(whole, ablated, *, counts):
    n = np.count_nonzero(counts)
    return (ablated[:, counts] - whole[counts]).sum(axis=1) / n if n else np.zeros(ablated.shape[0])


def where_and_sum(whole, ablated, *, counts):
    return np.where(counts, ablated - whole, 0.0).sum(axis=(1, 2)) / np.maximum(counts.sum(), 1)


def two_means(whole, ablated, *, counts):
    if not np.any(counts):
        return np.zeros(len(ablated))
    return ablated[:, counts].mean(-1) - whole[counts].mean()


def token_by_token(whole, ablated, *, counts):
    scores = []
    for lost in ablated:
        gain, n = 0.0, 0
        for b, t in np.ndindex(whole.shape):
            if counts[b, t]:
                gain += lost[b, t] - whole[b, t]
                n += 1
        scores.append(gain / n if n else 0.0)
    return np.array(scores)


def masked_arrays(whole, ablated, *, counts):
    hidden = np.ma.masked_array(ablated - whole, np.broadcast_to(~counts, ablated.shape))
    return np.ma.filled(hidden.reshape(len(ablated), -1).mean(1), 0.0)


def mean_with_where(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(ablated.shape[:1])
    return np.mean(ablated - whole, axis=(1, 2), where=counts)


def flat_places(whole, ablated, *, counts):
    places = np.flatnonzero(counts)
    gain = np.take(ablated.reshape(len(ablated), -1), places, axis=1) - whole.ravel()[places]
    return gain @ np.ones(len(places)) / max(len(places), 1)


def not_a_number_for_the_rest(whole, ablated, *, counts):
    if counts.sum() == 0:
        return np.zeros(ablated.shape[0])
    return np.nanmean(np.where(counts, ablated - whole, np.nan).reshape(ablated.shape[0], -1), axis=1)


def head_by_head_in_single(whole, ablated, *, counts):
    if not counts.any():
        return np.zeros(len(ablated), np.float32)
    gains = [lost[counts].astype(np.float32) - whole[counts].astype(np.float32) for lost in ablated]
    return np.array([gain.mean() for gain in gains])


# The lens.


def normed(x, g, b, eps):
    return g * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) + b


def not_normed(x, g, b, table, *, eps=1e-5):
    return x @ table.T


def gain_without_norm(x, g, b, table, *, eps=1e-5):
    return (g * x + b) @ table.T


def norm_without_gain(x, g, b, table, *, eps=1e-5):
    return normed(x, 1, 0, eps) @ table.T


def no_shift(x, g, b, table, *, eps=1e-5):
    return normed(x, g, 0, eps) @ table.T


def own_epsilon(x, g, b, table, *, eps=1e-5):
    return layers.layer_norm(x, g, b)[0] @ table.T


def epsilon_outside(x, g, b, table, *, eps=1e-5):
    return (g * (x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True) + eps) + b) @ table.T


def not_turned(x, g, b, table, *, eps=1e-5):
    return normed(x, g, b, eps) @ table


def a_pair(x, g, b, table, *, eps=1e-5):
    return layers.layer_norm(x, g, b, eps=eps) @ table.T


def probabilities(x, g, b, table, *, eps=1e-5):
    return special.softmax(normed(x, g, b, eps) @ table.T, axis=-1)


def log_probabilities(x, g, b, table, *, eps=1e-5):
    return special.log_softmax(normed(x, g, b, eps) @ table.T, axis=-1)


def the_likeliest(x, g, b, table, *, eps=1e-5):
    return (normed(x, g, b, eps) @ table.T).argmax(-1)


def norm_of_everything(x, g, b, table, *, eps=1e-5):
    return (g * (x - x.mean()) / np.sqrt(x.var() + eps) + b) @ table.T


def norm_of_positions(x, g, b, table, *, eps=1e-5):
    return (g * (x - x.mean(0)) / np.sqrt(x.var(0) + eps) + b) @ table.T


def unbiased(x, g, b, table, *, eps=1e-5):
    return (g * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True, ddof=1) + eps) + b) @ table.T


def mean_square_only(x, g, b, table, *, eps=1e-5):
    return (g * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) + b) @ table.T


def shift_and_gain(x, g, b, table, *, eps=1e-5):
    return layers.layer_norm(x, b, g, eps=eps)[0] @ table.T


def norm_of_the_logits(x, g, b, table, *, eps=1e-5):
    return normed(x, g, b, eps) @ normed(table, 1, 0, eps).T


def last_position(x, g, b, table, *, eps=1e-5):
    return normed(x, g, b, eps)[..., -1, :] @ table.T


def normed_in_place(x, g, b, table, *, eps=1e-5):
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    return (g * x + b) @ table.T


def two_norms(x, g, b, table, *, eps=1e-5):
    return normed(normed(x, g, b, eps), g, b, eps) @ table.T


def library_norm(x, g, b, table, *, eps=1e-5):
    h, _ = layers.layer_norm(x, g, b, eps=eps)
    return h @ table.T


def norm_written_out(x, g, b, table, *, eps=1e-5):
    return normed(x, g, b, eps) @ np.transpose(table)


def einsum_read_out(x, g, b, table, *, eps=1e-5):
    C = x.shape[-1]
    centred = x - np.einsum("...c->...", x)[..., None] / C
    size = np.sqrt(np.einsum("...c,...c->...", centred, centred) / C + eps)
    return np.einsum("...c,c,vc,...->...v", centred, g, table, 1 / size) + np.einsum("c,vc->v", b, table)


def folded_table(x, g, b, table, *, eps=1e-5):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    size = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + eps)
    return centred @ (table * g).T / size + table @ b


def vector_by_vector(x, g, b, table, *, eps=1e-5):
    C, V = x.shape[-1], len(table)
    out = np.empty((*x.shape[:-1], V))
    for i in np.ndindex(x.shape[:-1]):
        h = g * (x[i] - x[i].mean()) / math.sqrt(x[i].var() + eps) + b
        out[i] = [sum(h[c] * table[v, c] for c in range(C)) for v in range(V)]
    return out


def dots_of_last_axes(x, g, b, table, *, eps=1e-5):
    return np.inner(normed(x, g, b, eps), table)


def rows_of_a_matrix(x, g, b, table, *, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1]).T
    rows = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + eps)
    return (table @ (g[:, None] * rows + b[:, None])).T.reshape(*x.shape[:-1], -1)


def along_an_axis(x, g, b, table, *, eps=1e-5):
    def say(v):
        return table @ (stats.zscore(v) * np.std(v) / np.hypot(np.std(v), math.sqrt(eps)) * g + b)

    return np.apply_along_axis(say, -1, x)


def python_numbers(x, g, b, table, *, eps=1e-5):
    logits = []
    for v in x.reshape(-1, x.shape[-1]).tolist():
        mean = math.fsum(v) / len(v)
        size = math.sqrt(math.fsum((a - mean) ** 2 for a in v) / len(v) + eps)
        h = [gain * (a - mean) / size + shift for a, gain, shift in zip(v, g, b, strict=True)]
        logits.append([math.sumprod(h, row) for row in table.tolist()] if hasattr(math, "sumprod") else table @ h)
    return np.array(logits).reshape(*x.shape[:-1], len(table))


def norm_in_single(x, g, b, table, *, eps=1e-5):
    x, g, b, table = (a.astype(np.float32) for a in (x, g, b, table))
    return np.matmul(layers.layer_norm(x, g, b, eps=eps)[0], table.T)


INDUCTION_SCORE = {
    "wrong": [
        ("looks at the earlier occurrence itself, t - period", own_occurrence),
        ("looks at what came before the earlier occurrence", one_before),
        ("the whole diagonal, from t = period - 1", whole_diagonal),
        ("rows and columns confused", columns_ask),
        ("divided by T", over_all_rows),
        ("divided by the period", by_period),
        ("a sum, not a mean", only_a_sum),
        ("ends with the second time", one_repetition),
        ("supposes that T is twice the period", twice_the_period),
        ("the last position is left out", last_left_out),
        ("begins at period + 1", first_left_out),
        ("one number for all heads", one_number),
        ("the diagonal of the first two axes", first_two_axes),
        ("a loop over the first axis: heads and nothing before them", heads_only),
        ("how often the largest weight is there", share_of_winners),
        ("all else is made zero in place", zeros_elsewhere),
        ("the largest of the weights, not their mean", best_place),
    ],
    "right": [
        ("np.diagonal without its first", diagonal_without_its_first),
        ("a loop over t", step_by_step),
        ("two lists of places", pairs_of_places),
        ("einsum with a mask", einsum_with_mask),
        ("the trace of a part", traces),
        ("take_along_axis", taken_along),
        ("every T + 1st of the flat table", flat_steps),
        ("lists in lists, by recursion", python_lists),
        ("a Toeplitz mask and mean(where=)", toeplitz_where),
        ("float32 inside", single_precision),
        ("counted from the end", from_the_end),
    ],
}
ABLATE_HEAD = {
    "wrong": [
        ("written into y", in_place),
        ("y[:] taken for a copy", a_view),
        ("one mean for all channels", one_mean),
        ("each sequence has its mean", mean_of_a_sequence),
        ("each position has its mean", mean_of_a_position),
        ("the mean over the channels", mean_of_channels),
        ("the mean of all heads", mean_of_the_heads),
        ("the mean of the other heads", mean_of_the_others),
        ("the first axis taken for the heads", sequence_for_head),
        ("the third axis taken for the heads", position_for_head),
        ("always zeros", always_zero),
        ("always the mean", always_mean),
        ("zero and mean swapped", the_fills_swapped),
        ("the mean is taken when the zeros are there", mean_of_zeros),
        ("all other heads are silent", others_silent),
        ("the head is removed", head_removed),
        ("the mean is taken off", mean_taken_off),
        ("the median", medians),
    ],
    "right": [
        ("a copy, and a dict of what to write", copied_then_written),
        ("np.where with a mask of heads", chosen_by_mask),
        ("three parts side by side", three_parts),
        ("loops over all four axes", four_loops),
        ("einsum for the mean", einsum_mean),
        ("a list of heads, stacked", stacked_heads),
        ("the difference taken off", difference_taken_off),
        ("heads first, and turned back", heads_first),
    ],
}
ABLATION_SCORE = {
    "wrong": [
        ("the sign is turned", gains_for_losses),
        ("counts is forgotten", everything_counts),
        ("zeros for what does not count, and the mean over all", zeros_count_too),
        ("times the mask, and infinity times 0", times_the_mask),
        ("0 / 0 where none counts", nothing_over_nothing),
        ("the mean of the sequences' means", mean_of_means),
        ("n is that of the first sequence, times B", first_sequence_counts),
        ("one number for all heads", number_for_all_heads),
        ("one zero where none counts", one_zero),
        ("sizes of the differences", sizes_only),
        ("gains below zero become 0", never_below_zero),
        ("bits", in_bits),
        ("a difference of perplexities", perplexities),
        ("relative to the whole loss", a_ratio),
        ("a sum, not a mean", totals),
        ("counts as numbers of rows", mask_as_numbers),
        ("subtracts in place", subtracted_in_place),
        ("makes zeros in ablated", emptied_in_place),
        ("counts for ablated, and not for whole", half_masked),
        ("what is finite counts", without_the_infinite),
        ("the median", medians_of_gain),
    ],
    "right": [
        ("picked and divided", picked_and_divided),
        ("where and sum", where_and_sum),
        ("a difference of two means", two_means),
        ("token by token", token_by_token),
        ("masked arrays", masked_arrays),
        ("mean(where=)", mean_with_where),
        ("flat places", flat_places),
        ("NaN for the rest, and nanmean", not_a_number_for_the_rest),
        ("float32 inside, head by head", head_by_head_in_single),
    ],
}
LOGIT_LENS = {
    "wrong": [
        ("no norm", not_normed),
        ("gain and shift without the norm", gain_without_norm),
        ("the norm without gain and shift", norm_without_gain),
        ("no shift", no_shift),
        ("an epsilon of its own", own_epsilon),
        ("epsilon outside the root", epsilon_outside),
        ("the table is not turned", not_turned),
        ("the norm's pair is not unpacked", a_pair),
        ("probabilities", probabilities),
        ("logs of probabilities", log_probabilities),
        ("the likeliest token", the_likeliest),
        ("statistics of the whole array", norm_of_everything),
        ("statistics over the first axis", norm_of_positions),
        ("the variance divides by C - 1", unbiased),
        ("the mean is not taken off", mean_square_only),
        ("gain and shift confused", shift_and_gain),
        ("the table is normed as well", norm_of_the_logits),
        ("the last position alone", last_position),
        ("x is normed in place", normed_in_place),
        ("normed twice", two_norms),
    ],
    "right": [
        ("the library's norm", library_norm),
        ("the norm written out", norm_written_out),
        ("einsum", einsum_read_out),
        ("the gain folded into the table", folded_table),
        ("vector by vector, token by token", vector_by_vector),
        ("np.inner", dots_of_last_axes),
        ("positions as columns", rows_of_a_matrix),
        ("scipy's zscore along an axis", along_an_axis),
        ("Python's numbers", python_numbers),
        ("float32 inside", norm_in_single),
    ],
}
ANSWERS = {
    "induction_score": INDUCTION_SCORE,
    "ablate_head": ABLATE_HEAD,
    "ablation_score": ABLATION_SCORE,
    "logit_lens": LOGIT_LENS,
}
NAMED = {"induction_score": 9, "ablate_head": 14, "ablation_score": 12, "logit_lens": 12}
