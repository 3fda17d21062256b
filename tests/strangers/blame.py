"""Answers by somebody who had not seen the bank of mistakes: checks of gradients, and layers there and back."""

import copy
import itertools
import math

import numpy as np
from scipy import sparse, special

# The check of gradients.  `tupled` and `slope` are the parts that most of the wrong answers have right.


def tupled(grads):
    return grads if isinstance(grads, tuple) else (grads,)


def slope(layer, arrays, k, i, dy, h):
    sums = []
    for step in (h, -h):
        moved = [a.copy() for a in arrays]
        moved[k][i] += step
        sums.append(np.sum(dy * layer(*moved)[0]))
    return (sums[0] - sums[1]) / (2 * h)


def gaps_of(layer, arrays, dy, h, slope=slope):
    grads = tupled(layer(*arrays)[1](dy))
    return [
        [slope(layer, arrays, k, i, dy, h) - grads[k][i] for i in np.ndindex(a.shape)] for k, a in enumerate(arrays)
    ]


def one_sided(layer, *arrays, dy, h=1e-6):
    def forward(layer, arrays, k, i, dy, h):
        moved = [a.copy() for a in arrays]
        moved[k][i] += h
        return (np.sum(dy * layer(*moved)[0]) - np.sum(dy * layer(*arrays)[0])) / h

    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, forward)]


def divided_by_h(layer, *arrays, dy, h=1e-6):
    double = lambda *facts: 2 * slope(*facts)
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, double)]


def with_its_sign(layer, *arrays, dy, h=1e-6):
    return [max(gaps) for gaps in gaps_of(layer, arrays, dy, h)]


def mean_gap(layer, *arrays, dy, h=1e-6):
    return [float(np.mean(np.abs(gaps))) for gaps in gaps_of(layer, arrays, dy, h)]


def last_gap(layer, *arrays, dy, h=1e-6):
    found = []
    for gaps in gaps_of(layer, arrays, dy, h):
        for gap in gaps:
            largest = abs(gap)
        found.append(largest)
    return found


def not_weighed(layer, *arrays, dy, h=1e-6):
    plain = lambda layer, arrays, k, i, dy, h: slope(layer, arrays, k, i, 1.0, h)
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, plain)]


def a_blame_of_ones(layer, *arrays, dy, h=1e-6):
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, np.ones_like(layer(*arrays)[0]), h)]


def always_a_tuple(layer, *arrays, dy, h=1e-6):
    y, backward = layer(*arrays)
    found = []
    for k, (a, da) in enumerate(zip(arrays, backward(dy), strict=False)):
        found.append(max(abs(slope(layer, arrays, k, i, dy, h) - da[i]) for i in np.ndindex(a.shape)))
    return found


def number_by_number(layer, *arrays, dy, h=1e-6):
    def same_place(layer, arrays, k, i, dy, h):
        up, down = [a.copy() for a in arrays], [a.copy() for a in arrays]
        up[k][i] += h
        down[k][i] -= h
        return dy[i] * (layer(*up)[0][i] - layer(*down)[0][i]) / (2 * h)

    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, same_place)]


def a_random_direction(layer, *arrays, dy, h=1e-6):
    rng, found = np.random.default_rng(0), []
    grads = tupled(layer(*arrays)[1](dy))
    for k, a in enumerate(arrays):
        v = rng.normal(size=a.shape)
        up = layer(*arrays[:k], a + h * v, *arrays[k + 1 :])[0]
        down = layer(*arrays[:k], a - h * v, *arrays[k + 1 :])[0]
        found.append(abs(np.sum(dy * (up - down)) / (2 * h) - np.sum(grads[k] * v)))
    return found


def one_for_all(layer, *arrays, dy, h=1e-6):
    return [max(abs(gap) for gaps in gaps_of(layer, arrays, dy, h) for gap in gaps)]


def all_the_gaps(layer, *arrays, dy, h=1e-6):
    return [np.abs(gaps).reshape(a.shape) for a, gaps in zip(arrays, gaps_of(layer, arrays, dy, h), strict=True)]


def a_step_of_its_own(layer, *arrays, dy, h=1e-6):
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, 1e-5)]


def relative(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    found = []
    for k, a in enumerate(arrays):
        numeric = np.array([slope(layer, arrays, k, i, dy, h) for i in np.ndindex(a.shape)]).reshape(a.shape)
        found.append(np.max(np.abs(numeric - grads[k]) / (np.abs(numeric) + np.abs(grads[k]) + 1e-12)))
    return found


def never_put_back(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    arrays = [a.copy() for a in arrays]
    found = []
    for a, da in zip(arrays, grads, strict=True):
        gap = 0.0
        for i in np.ndindex(a.shape):
            a[i] += h
            up = np.sum(dy * layer(*arrays)[0])
            a[i] -= 2 * h
            down = np.sum(dy * layer(*arrays)[0])
            gap = max(gap, abs((up - down) / (2 * h) - da[i]))
        found.append(gap)
    return found


def up_down_and_up(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    found = []
    for a, da in zip(arrays, grads, strict=True):
        gap = 0.0
        for i in np.ndindex(a.shape):
            a[i] += h
            up = np.sum(dy * layer(*arrays)[0])
            a[i] -= 2 * h
            down = np.sum(dy * layer(*arrays)[0])
            a[i] += h
            gap = max(gap, abs((up - down) / (2 * h) - da[i]))
        found.append(gap)
    return found


def up_is_down(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    found = []
    for k, a in enumerate(arrays):
        moved = [b.copy() for b in arrays]
        numeric = np.zeros(a.shape)
        for i in np.ndindex(a.shape):
            moved[k][i] = a[i] + h
            up, _ = layer(*moved)
            moved[k][i] = a[i] - h
            down, _ = layer(*moved)
            moved[k][i] = a[i]
            numeric[i] = np.sum(dy * (up - down)) / (2 * h)
        found.append(np.abs(numeric - grads[k]).max())
    return found


def backward_of_the_last_step(layer, *arrays, dy, h=1e-6):
    found = []
    for k, a in enumerate(arrays):
        gap = 0.0
        for i in np.ndindex(a.shape):
            sums = []
            for step in (h, -h):
                moved = [b.copy() for b in arrays]
                moved[k][i] += step
                y, backward = layer(*moved)
                sums.append(np.sum(dy * y))
            gap = max(gap, abs((sums[0] - sums[1]) / (2 * h) - tupled(backward(dy))[k][i]))
        found.append(gap)
    return found


def a_list_is_no_copy(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    found = []
    for k, a in enumerate(arrays):
        gap = 0.0
        for i in np.ndindex(a.shape):
            up, down = list(arrays), list(arrays)
            up[k][i] += h
            down[k][i] -= h
            gap = max(gap, abs((np.sum(dy * layer(*up)[0]) - np.sum(dy * layer(*down)[0])) / (2 * h) - grads[k][i]))
        found.append(gap)
    return found


def in_single_precision(layer, *arrays, dy, h=1e-6):
    arrays = [a.astype(np.float32) for a in arrays]
    return [float(max(map(abs, gaps))) for gaps in gaps_of(layer, arrays, dy.astype(np.float32), h)]


def whole_rows(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    return [
        max(float(np.max(np.abs(slope(layer, arrays, k, i, dy, h) - grads[k][i]))) for i in range(len(a)))
        for k, a in enumerate(arrays)
    ]


def mean_of_outputs(layer, *arrays, dy, h=1e-6):
    mean = lambda layer, arrays, k, i, dy, h: slope(layer, arrays, k, i, dy, h) / np.size(dy)
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, mean)]


def sums_apart(layer, *arrays, dy, h=1e-6):
    apart = lambda layer, arrays, k, i, dy, h: np.sum(dy) * slope(layer, arrays, k, i, 1.0, h)
    return [max(map(abs, gaps)) for gaps in gaps_of(layer, arrays, dy, h, apart)]


def all_arrays_at_once(layer, *arrays, dy, h=1e-6):
    grads = tupled(layer(*arrays)[1](dy))
    up = np.sum(dy * layer(*[a + h for a in arrays])[0])
    down = np.sum(dy * layer(*[a - h for a in arrays])[0])
    return [float(abs((up - down) / (2 * h) - np.sum(da))) for da in grads]


def ravelled_copies(layer, *arrays, dy, h=1e-6):
    grads = layer(*arrays)[1](dy)
    if len(arrays) == 1:
        grads = [grads]
    weighed = lambda k, flat: np.vdot(dy, layer(*arrays[:k], flat.reshape(arrays[k].shape), *arrays[k + 1 :])[0])
    found = []
    for k, a in enumerate(arrays):
        gaps = []
        for n in range(a.size):
            up, down = a.flatten(), a.flatten()
            up[n] += h
            down[n] -= h
            gaps.append(abs((weighed(k, up) - weighed(k, down)) / (2 * h) - np.ravel(grads[k])[n]))
        found.append(max(gaps))
    return found


def unit_steps(layer, *arrays, dy, h=1e-6):
    out, backward = layer(*arrays)
    grads = backward(dy)
    grads = (grads,) if not isinstance(grads, (tuple, list)) else grads
    gaps = []
    for k in range(len(arrays)):
        numeric = np.empty(arrays[k].size)
        for n, e in enumerate(np.eye(arrays[k].size)):
            e = h * e.reshape(arrays[k].shape)
            plus = [a + e if j == k else a + 0 for j, a in enumerate(arrays)]
            minus = [a - e if j == k else a + 0 for j, a in enumerate(arrays)]
            numeric[n] = np.sum((layer(*plus)[0] - layer(*minus)[0]) * dy) / (2 * h)
        gaps.append(np.abs(numeric - np.reshape(grads[k], -1)).max())
    return gaps


def kept_and_put_back(layer, *arrays, dy, h=1e-6):
    y, backward = layer(*arrays)
    grads = tupled(backward(dy))
    gaps = []
    for x, dx in zip(arrays, grads, strict=True):
        gap = 0
        for i in np.ndindex(x.shape):
            keep = x[i]
            x[i] = keep + h
            up = np.sum(dy * layer(*arrays)[0])
            x[i] = keep - h
            down = np.sum(dy * layer(*arrays)[0])
            x[i] = keep
            gap = max(gap, abs((up - down) / (2 * h) - dx[i]))
        gaps.append(gap)
    return gaps


def deep_copies(layer, *arrays, dy, h=1e-6):
    def total(k, i, step):
        mine = copy.deepcopy(arrays)
        mine[k].flat[i] += step
        return math.fsum(np.ravel(dy * layer(*mine)[0]).tolist())

    grads = tupled(layer(*copy.deepcopy(arrays))[1](np.array(dy)))
    return [
        max(abs((total(k, i, h) - total(k, i, -h)) / 2 / h - np.asarray(g).flat[i].item()) for i in range(g.size))
        for k, g in enumerate(grads)
    ]


def whole_gradient_first(layer, *arrays, dy, h=1e-6):
    numeric = [np.zeros_like(a) for a in arrays]
    for sign in (1, -1):
        for k, a in enumerate(arrays):
            it = np.nditer(a, flags=["multi_index"])
            for value in it:
                moved = a.copy()
                moved[it.multi_index] = value + sign * h
                args = [moved if b is a and j == k else b for j, b in enumerate(arrays)]
                numeric[k][it.multi_index] += sign * (dy * layer(*args)[0]).sum() / (2 * h)
    grads = layer(*arrays)[1](dy)
    if isinstance(grads, np.ndarray) or np.isscalar(grads):
        grads = (grads,)
    return [float(np.linalg.norm(np.ravel(n - g), np.inf)) for n, g in zip(numeric, grads, strict=True)]


def rows_of_a_jacobian(layer, *arrays, dy, h=1e-6):
    grads, found = tupled(layer(*arrays)[1](dy)), []
    for k, a in enumerate(arrays):
        columns = []
        for place in itertools.product(*map(range, a.shape)):
            ys = []
            for step in (-h, h):
                moved = np.array(a)
                moved[place] += step
                ys.append(np.array(layer(*[moved if j == k else b for j, b in enumerate(arrays)])[0]))
            columns.append((ys[1] - ys[0]).ravel() / (2 * h))
        found.append(np.max(np.abs(np.array(columns) @ np.ravel(dy) - np.ravel(grads[k]))))
    return found


# Linear.  `rows` makes every position a row.


def rows(z):
    return z.reshape(-1, z.shape[-1])


def transposed(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, x.T @ dy, dy.sum(0))


def shift_over_first_axis(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), dy.sum(0))


def three_axes(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, np.einsum("btc,btf->cf", x, dy), dy.sum((0, 1)))


def means_of_blame(x, w, b=None):
    def backward(dy):
        n = dy.size // dy.shape[-1]
        return dy @ w.T, rows(x).T @ rows(dy) / n, rows(dy).mean(0)

    return x @ w + b, backward


def divided_by_batch(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy) / len(x), rows(dy).sum(0) / len(x))


def w_as_it_is(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w, rows(x).T @ rows(dy), rows(dy).sum(0))


def shift_blamed_everywhere(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), dy)


def forgotten_shift(x, w, b=None):
    return x @ w, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), rows(dy).sum(0))


def other_order(x, w, b=None):
    return x @ w + b, lambda dy: (rows(x).T @ rows(dy), rows(dy).sum(0), dy @ w.T)


def outputs_first(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(dy).T @ rows(x), rows(dy).sum(0))


def rows_remain(x, w, b=None):
    return x @ w + b, lambda dy: (rows(dy) @ w.T, rows(x).T @ rows(dy), rows(dy).sum(0))


def shift_of_the_last_axis(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), dy.sum(-1))


def one_memory(x, w, b=None):
    one_memory.x, one_memory.w = x, w

    def backward(dy):
        return dy @ one_memory.w.T, rows(one_memory.x).T @ rows(dy), rows(dy).sum(0)

    return x @ w + b, backward


def blame_of_y(x, w, b=None):
    y = x @ w + b
    return y, lambda dy: (dy @ w.T, rows(x).T @ rows(y), rows(dy).sum(0))


def last_position_only(x, w, b=None):
    def backward(dy):
        for row, d in zip(rows(x), rows(dy), strict=True):
            dw, db = np.outer(row, d), d.copy()
        return dy @ w.T, dw, db

    return x @ w + b, backward


def shift_times_its_blame(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), rows(dy * b).sum(0))


def product_of_sums(x, w, b=None):
    def backward(dy):
        db = rows(dy).sum(0)
        return dy @ w.T, np.outer(rows(x).sum(0), db), db

    return x @ w + b, backward


def one_number_for_the_shift(x, w, b=None):
    return x @ w + b, lambda dy: (dy @ w.T, rows(x).T @ rows(dy), dy.sum())


def dx_collected_too(x, w, b=None):
    return x @ w + b, lambda dy: (rows(dy @ w.T).sum(0), rows(x).T @ rows(dy), rows(dy).sum(0))


def a_slope_of_w(x, w, b=None):
    return x @ w + b, lambda dy: (np.ones_like(x) * w.sum(1), rows(x).T @ np.ones_like(rows(dy)), np.ones_like(b))


def a_lot_of_outer_products(x, w, b=None):
    y = np.zeros((*x.shape[:-1], len(b)), np.result_type(x, w, b))
    for i in np.ndindex(x.shape[:-1]):
        y[i] = b
        for c in range(len(w)):
            y[i] += x[i][c] * w[c]

    def backward(dy):
        dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
        for i in np.ndindex(x.shape[:-1]):
            dx[i] = w @ dy[i]
            dw[:] += np.outer(x[i], dy[i])
            db[:] += dy[i]
        return dx, dw, db

    return y, backward


def einsums(x, w, b=None):
    def backward(dy):
        dw = np.einsum("nc,nf->cf", rows(x), rows(dy))
        return np.einsum("...f,cf->...c", dy, w), dw, np.einsum("nf->f", rows(dy))

    return np.einsum("...c,cf->...f", x, w) + b, backward


def tensordots(x, w, b=None):
    places = list(range(x.ndim - 1))

    def backward(dy):
        dw = np.tensordot(x, dy, axes=(places, places))
        return np.tensordot(dy, w, axes=(-1, 1)), dw, np.sum(dy, axis=tuple(places))

    return np.tensordot(x, w, axes=1) + b, backward


def a_channel_of_ones(x, w, b=None):
    ones = np.ones((*x.shape[:-1], 1), x.dtype)
    x1, w1 = np.concatenate([x, ones], -1), np.vstack([w, b])

    def backward(dy):
        dx1, dw1 = dy @ w1.T, rows(x1).T @ rows(dy)
        return dx1[..., :-1].copy(), dw1[:-1].copy(), dw1[-1].copy()

    return x1 @ w1, backward


def positions_last(x, w, b=None):
    X = x.reshape(-1, x.shape[-1]).T

    def backward(dy):
        D = dy.reshape(-1, dy.shape[-1]).T
        return (w @ D).T.reshape(x.shape), (D @ X.T).T, D.sum(axis=1)

    return (w.T @ X + b.reshape(-1, 1)).T.reshape(*x.shape[:-1], -1), backward


def lists(x, w, b=None):
    kind, F = np.result_type(x, w), range(w.shape[1])
    W, X = w.tolist(), rows(x).tolist()
    y = [[math.fsum([*(v * W[c][f] for c, v in enumerate(row)), b[f].item()]) for f in F] for row in X]

    def backward(dy):
        D = rows(dy).tolist()
        dx = [[math.fsum(d * v for d, v in zip(ds, ws, strict=True)) for ws in W] for ds in D]
        dw = [[math.fsum(row[c] * ds[f] for row, ds in zip(X, D, strict=True)) for f in F] for c in range(len(W))]
        db = [math.fsum(column) for column in zip(*D, strict=True)]
        return np.array(dx, kind).reshape(x.shape), np.array(dw, kind), np.array(db, kind)

    return np.array(y, kind).reshape(*x.shape[:-1], -1), backward


def sequence_by_sequence(x, w, b=None):
    def backward(dy):
        if x.ndim == 1:
            return w @ dy, np.outer(x, dy), dy.copy()
        each = np.swapaxes(x, -1, -2) @ dy
        return dy @ np.transpose(w), each.reshape(-1, *w.shape).sum(0), dy.reshape(-1, w.shape[1]).sum(0)

    return np.add(np.matmul(x, w), b), backward


# Cross-entropy.  `counted` and `shares` are the parts that most of the wrong answers have right.


def counted(targets, ignore):
    keep = np.ones(targets.shape, bool) if ignore is None else targets != ignore
    return keep, np.where(keep, targets, 0), max(int(keep.sum()), 1)


def shares(logits):
    """log-probabilities and probabilities."""
    z = logits - logits.max(-1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return logp, np.exp(logp)


def hot(t, V):
    return (t[..., None] == np.arange(V)).astype(float)


def finish(logp, p, keep, t, n):
    """Loss and backward, as they should be."""
    loss = -(logp * hot(t, p.shape[-1])).sum(-1)[keep].sum() / n
    return loss, lambda dloss: dloss / n * (p - hot(t, p.shape[-1])) * keep[..., None]


def ignores_nothing(logits, *, targets, ignore=None, label_smoothing=0.0):
    return finish(*shares(logits), *counted(targets, None))


def divides_by_all(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep, t, n = counted(targets, ignore)
    return finish(*shares(logits), keep, t, targets.size)


def ignored_rows_are_blamed(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    loss, _ = finish(logp, p, keep, t, n)
    return loss, lambda dloss: dloss / n * (p - hot(t, p.shape[-1]))


def no_shift(logits, *, targets, ignore=None, label_smoothing=0.0):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        p = e / e.sum(-1, keepdims=True)
        return finish(logits - np.log(e.sum(-1, keepdims=True)), p, *counted(targets, ignore))


def log_of_a_share(logits, *, targets, ignore=None, label_smoothing=0.0):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    keep, t, n = counted(targets, ignore)
    with np.errstate(divide="ignore"):
        losses = -np.log(np.take_along_axis(p, t[..., None], -1))[..., 0]
    return (losses * keep).sum() / n, lambda dloss: dloss / n * (p - hot(t, p.shape[-1])) * keep[..., None]


def a_little_inside_the_log(logits, *, targets, ignore=None, label_smoothing=0.0):
    _, p = shares(logits)
    return finish(np.log(p + 1e-9), p, *counted(targets, ignore))


def clipped_shares(logits, *, targets, ignore=None, label_smoothing=0.0):
    _, p = shares(logits)
    return finish(np.log(np.clip(p, 1e-12, 1)), p, *counted(targets, ignore))


def one_largest_score(logits, *, targets, ignore=None, label_smoothing=0.0):
    with np.errstate(all="ignore"):
        z = logits - logits.max()
        total = np.exp(z).sum(-1, keepdims=True)
        return finish(z - np.log(total), np.exp(z) / total, *counted(targets, ignore))


def a_sum_of_losses(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep, t, n = counted(targets, ignore)
    return finish(*shares(logits), keep, t, 1)


def gradient_of_the_sum(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    loss, _ = finish(logp, p, keep, t, n)
    return loss, lambda dloss: dloss * (p - hot(t, p.shape[-1])) * keep[..., None]


def per_sequence(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep, t, n = counted(targets, ignore)
    return finish(*shares(logits), keep, t, len(logits))


def mean_of_means(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    losses = -np.take_along_axis(logp, t[..., None], -1)[..., 0] * keep
    each = np.maximum(keep.sum(-1, keepdims=True), 1)
    alive = max(int(keep.any(-1).sum()), 1)

    def backward(dloss):
        return dloss / alive / each[..., None] * (p - hot(t, p.shape[-1])) * keep[..., None]

    return (losses / each).sum() / alive, backward


def forgets_dloss(logits, *, targets, ignore=None, label_smoothing=0.0):
    loss, backward = finish(*shares(logits), *counted(targets, ignore))
    return loss, lambda dloss: backward(1.0)


def happened_minus_said(logits, *, targets, ignore=None, label_smoothing=0.0):
    loss, backward = finish(*shares(logits), *counted(targets, ignore))
    return loss, lambda dloss: -backward(dloss)


def shifts_in_place(logits, *, targets, ignore=None, label_smoothing=0.0):
    logits -= logits.max(-1, keepdims=True)
    return finish(*shares(logits), *counted(targets, ignore))


def targets_in_place(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep, t, n = counted(targets, ignore)
    targets[~keep] = 0
    return finish(*shares(logits), keep, targets, n)


def none_counts_none_divides(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep, t, _ = counted(targets, ignore)
    with np.errstate(all="ignore"):
        return finish(*shares(logits), keep, t, keep.sum())


def if_ignore(logits, *, targets, ignore=None, label_smoothing=0.0):
    return finish(*shares(logits), *counted(targets, ignore if ignore else None))


def negative_is_ignored(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep = targets >= 0
    return finish(*shares(logits), keep, np.where(keep, targets, 0), max(int(keep.sum()), 1))


def ignored_id_as_an_index(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = map(rows, shares(logits))
    keep, _, n = counted(targets.ravel(), ignore)
    places = np.arange(len(p)), targets.ravel()

    def backward(dloss):
        d = p.copy()
        d[places] -= 1
        return (d * keep[:, None] * dloss / n).reshape(logits.shape)

    return -(logp[places] * keep).sum() / n, backward


def in_bits(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    return finish(logp / np.log(2), p, *counted(targets, ignore))


def softmax_down_the_column(logits, *, targets, ignore=None, label_smoothing=0.0):
    z = logits - logits.max(0, keepdims=True)
    logp = z - np.log(np.exp(z).sum(0, keepdims=True))
    return finish(logp, np.exp(logp), *counted(targets, ignore))


def second_axis(logits, *, targets, ignore=None, label_smoothing=0.0):
    z = logits - logits.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    return finish(logp, np.exp(logp), *counted(targets, ignore))


def clipped_scores(logits, *, targets, ignore=None, label_smoothing=0.0):
    return finish(*shares(np.clip(logits, -50, 50)), *counted(targets, ignore))


def flat_blame(logits, *, targets, ignore=None, label_smoothing=0.0):
    loss, backward = finish(*shares(logits), *counted(targets, ignore))
    return loss, lambda dloss: rows(backward(dloss))


def only_the_target(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    loss, _ = finish(logp, p, keep, t, n)
    return loss, lambda dloss: dloss / n * (p - 1) * hot(t, p.shape[-1]) * keep[..., None]


def largest_not_added_back(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    return finish(logp + logits.max(-1, keepdims=True), p, *counted(targets, ignore))


def ignored_become_token_0(logits, *, targets, ignore=None, label_smoothing=0.0):
    t = targets if ignore is None else np.where(targets == ignore, 0, targets)
    return finish(*shares(logits), *counted(t, None))


def log_of_the_share_itself(logits, *, targets, ignore=None, label_smoothing=0.0):
    loss, backward = finish(*shares(logits), *counted(targets, ignore))
    return -loss, backward


def blame_by_the_vocabulary(logits, *, targets, ignore=None, label_smoothing=0.0):
    loss, backward = finish(*shares(logits), *counted(targets, ignore))
    return loss, lambda dloss: backward(dloss) / logits.shape[-1]


def every_target_off_every_row(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    flat, d = rows(p).copy(), t.ravel()
    for v in d:
        flat[:, v] -= 1
    loss, _ = finish(logp, p, keep, t, n)
    return loss, lambda dloss: dloss / n * flat.reshape(p.shape) * keep[..., None]


def losses_one_by_one(logits, *, targets, ignore=None, label_smoothing=0.0):
    logp, p = shares(logits)
    keep, t, n = counted(targets, ignore)
    _, backward = finish(logp, p, keep, t, n)
    return -np.take_along_axis(logp, t[..., None], -1)[..., 0] * keep, backward


def as_in_the_formula(logits, *, targets, ignore=None, label_smoothing=0.0):
    return finish(*shares(logits), *counted(targets, ignore))


def scipys(logits, *, targets, ignore=None, label_smoothing=0.0):
    keep = np.full(targets.shape, True) if ignore is None else ~np.equal(targets, ignore)
    n = np.count_nonzero(keep)
    safe = np.expand_dims(targets * keep, -1)
    losses = special.logsumexp(logits, axis=-1) - np.take_along_axis(logits, safe, axis=-1).squeeze(-1)

    def backward(dloss):
        p = special.softmax(logits, axis=-1)
        np.put_along_axis(p, safe, np.take_along_axis(p, safe, -1) - 1, -1)
        p[~keep] = 0
        return p if n == 0 else p * (dloss / n)

    return np.mean(losses, where=keep) if n else 0.0, backward


def pairs_of_logs(logits, *, targets, ignore=None, label_smoothing=0.0):
    flat, goal = rows(logits), targets.reshape(-1)
    which = np.flatnonzero(goal != ignore) if ignore is not None else np.arange(goal.size)
    few, t = flat[which], goal[which]
    lse = np.logaddexp.reduce(few, axis=1)
    loss = (lse - few[np.arange(len(t)), t]).sum() / max(len(t), 1)

    def backward(dloss):
        d = np.zeros(flat.shape, flat.dtype)
        d[which] = np.exp(few - lse[:, None])
        d[which, t] -= 1
        d *= dloss / max(len(t), 1)
        return d.reshape(logits.shape)

    return loss, backward


def token_by_token(logits, *, targets, ignore=None, label_smoothing=0.0):
    total, places = 0.0, [i for i in np.ndindex(targets.shape) if ignore is None or targets[i] != ignore]
    grad = np.zeros(logits.shape)
    for i in places:
        z = [float(s) for s in logits[i]]
        top = max(z)
        lse = top + math.log(math.fsum(math.exp(s - top) for s in z))
        total += lse - z[targets[i]]
        for v, s in enumerate(z):
            grad[i][v] = math.exp(s - lse) - (v == targets[i])
    n = len(places) or 1
    return total / n, lambda dloss: float(dloss) * grad / n


def double_inside(logits, *, targets, ignore=None, label_smoothing=0.0):
    z = logits.astype(np.float64)
    z -= z.max(axis=-1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=-1)
    V = z.shape[-1]
    weight = np.ones(targets.shape) if ignore is None else (targets != ignore).astype(float)
    weight /= max(weight.sum(), 1)
    onehot = np.eye(V)[np.where(weight > 0, targets, 0)]
    loss = np.vdot(weight, np.log(total) - np.einsum("...v,...v->...", onehot, z))

    def backward(dloss):
        d = np.einsum("...,...v->...v", weight * dloss, e / total[..., None] - onehot)
        return d.astype(logits.dtype)

    return logits.dtype.type(loss), backward


class Judge:
    def __init__(self, logits, targets, ignore):
        self.shape, self.kind = logits.shape, logits.dtype
        mask = np.zeros(targets.shape, bool) if ignore is None else targets == ignore
        self.z = np.ma.masked_array(logits, np.broadcast_to(mask[..., None], logits.shape))
        self.mask, self.t, self.n = mask, np.where(mask, 0, targets), (~mask).sum()

    def loss(self):
        z = self.z.data - self.z.data.max(-1, keepdims=True)
        self.p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
        picked = np.choose(0, [np.take_along_axis(z, self.t[..., None], -1)[..., 0]])
        losses = np.ma.masked_array(np.log(np.exp(z).sum(-1)) - picked, self.mask)
        return float(losses.mean()) if self.n else 0.0

    def __call__(self, dloss):
        d = np.ma.masked_array(self.p - (np.arange(self.shape[-1]) == self.t[..., None]), self.z.mask)
        return (d.filled(0) * (dloss / max(1, self.n))).astype(self.kind)


def a_class_with_masks(logits, *, targets, ignore=None, label_smoothing=0.0):
    judge = Judge(logits, targets, ignore)
    return judge.loss(), judge


def gradient_on_the_way_there(logits, *, targets, ignore=None, label_smoothing=0.0):
    V = logits.shape[-1]
    z, t = logits.reshape(-1, V), targets.reshape(-1)
    n = sum(1 for goal in t.tolist() if goal != ignore)
    grad, loss = np.zeros_like(z), 0.0
    for row, goal, g in zip(z, t, grad, strict=True):
        if ignore is not None and goal == ignore:
            continue
        e = np.exp(row - row.max())
        g[:] = e / e.sum()
        g[goal] -= 1
        g /= n
        loss += (np.log(e.sum()) + row.max() - row[goal]) / n
    return loss, lambda dloss: grad.reshape(logits.shape) * dloss


# Embedding.


def overwritten(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        dtable[ids] += dy
        return dtable

    return table[ids], backward


def put_there(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        dtable[ids] = dy
        return dtable

    return table[ids], backward


def loop_over_first_axis(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        for row, d in zip(ids, dy, strict=True):
            dtable[row] += d
        return dtable

    return table[ids], backward


def shared_fairly(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return dtable / np.maximum(np.bincount(ids.ravel(), minlength=len(table)), 1)[:, None]

    return table[ids], backward


def into_the_table(table, *, ids):
    def backward(dy):
        np.add.at(table, ids, dy)
        return table

    return table[ids], backward


def as_long_as_the_largest_id(table, *, ids):
    def backward(dy):
        dtable = np.zeros((ids.max() + 1, table.shape[1]), table.dtype)
        np.add.at(dtable, ids, dy)
        return dtable

    return table[ids], backward


def in_a_tuple(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return dtable, None

    return table[ids], backward


def channels_run_together(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        for v in range(len(table)):
            dtable[v] = dy[ids == v].sum()
        return dtable

    return table[ids], backward


def how_often(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, 1)
        return dtable

    return table[ids], backward


def only_the_rows_used(table, *, ids):
    def backward(dy):
        used, place = np.unique(ids, return_inverse=True)
        dtable = np.zeros((len(used), table.shape[1]), table.dtype)
        np.add.at(dtable, place.ravel(), rows(dy))
        return dtable

    return table[ids], backward


def blame_goes_back_to_the_places(table, *, ids):
    return table[ids], lambda dy: dy


def looks_up_blame(table, *, ids):
    return table[ids], lambda dy: rows(dy)[ids]


def last_ids_of_all(table, *, ids):
    last_ids_of_all.ids = ids

    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, last_ids_of_all.ids, dy)
        return dtable

    return table[ids], backward


def a_long_list(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return dtable

    return table[ids.ravel()], backward


def columns_looked_up(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return dtable

    return table[:, ids], backward


def first_come(table, *, ids):
    def backward(dy):
        dtable, seen = np.zeros_like(table), set()
        for v, d in zip(ids.ravel().tolist(), rows(dy), strict=True):
            if v not in seen:
                dtable[v] = d
                seen.add(v)
        return dtable

    return table[ids], backward


def blame_times_the_row(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy * table[ids])
        return dtable

    return table[ids], backward


def the_row_and_its_blame(table, *, ids):
    def backward(dy):
        dtable = table.copy()
        np.add.at(dtable, ids, dy)
        return dtable

    return table[ids], backward


def first_sequence_only(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        for i, d in zip(ids.reshape(-1, ids.shape[-1])[0], dy.reshape(-1, *dy.shape[-2:])[0], strict=True):
            dtable[i] += d
        return dtable

    return table[ids], backward


def scatter_add(table, *, ids):
    def backward(dy):
        dtable = np.zeros_like(table)
        np.add.at(dtable, ids, dy)
        return dtable

    return table[ids], backward


def a_product_with_one_hot(table, *, ids):
    onehot = np.eye(len(table), dtype=table.dtype)[ids.reshape(-1)]
    y = (onehot @ table).reshape(ids.shape + table.shape[1:])
    return y, lambda dy: onehot.T @ dy.reshape(-1, table.shape[1])


def place_by_place(table, *, ids):
    y = np.empty((*ids.shape, table.shape[1]), table.dtype)
    for i in np.ndindex(ids.shape):
        y[i] = table[ids[i]]

    def backward(dy):
        dtable = np.zeros(table.shape, table.dtype)
        for i in np.ndindex(ids.shape):
            dtable[ids[i]] += dy[i]
        return dtable

    return y, backward


def bincounts(table, *, ids):
    V, C = table.shape

    def backward(dy):
        channels = [np.bincount(ids.ravel(), weights=dy[..., c].ravel(), minlength=V) for c in range(C)]
        return np.stack(channels, axis=1).astype(table.dtype)

    return np.take(table, ids, axis=0), backward


def sorted_and_cut(table, *, ids):
    def backward(dy):
        order = np.argsort(ids, axis=None, kind="stable")
        used, start = np.unique(ids.ravel()[order], return_index=True)
        dtable = np.zeros_like(table)
        dtable[used] = np.add.reduceat(rows(dy)[order], start, axis=0)
        return dtable

    return table[ids, :], backward


def a_sparse_matrix(table, *, ids):
    n = ids.size
    look = sparse.csr_matrix((np.ones(n, table.dtype), (np.arange(n), ids.ravel())), shape=(n, len(table)))
    return (look @ table).reshape(*ids.shape, -1), lambda dy: np.asarray(look.T @ rows(dy))


def token_by_token_of_the_table(table, *, ids):
    def backward(dy):
        return np.array([dy[ids == v].sum(axis=0) for v in range(len(table))], table.dtype)

    return table.take(ids, axis=0), backward


def lists_of_rows(table, *, ids):
    book = table.tolist()
    y = np.array([book[v] for v in ids.ravel().tolist()], table.dtype).reshape(*ids.shape, table.shape[1])

    def backward(dy):
        blame = {v: [0.0] * table.shape[1] for v in range(len(book))}
        for v, d in zip(ids.ravel().tolist(), rows(dy).tolist(), strict=True):
            blame[v] = [old + new for old, new in zip(blame[v], d, strict=True)]
        return np.array(list(blame.values()), table.dtype)

    return y, backward


CHECK_GRADIENTS = {
    "wrong": [
        ("from x to x + h only", one_sided),
        ("divides by h, where 2 h was walked", divided_by_h),
        ("no absolute value, so a gap downwards is none", with_its_sign),
        ("the mean gap, not the largest", mean_gap),
        ("the gap of the last number overwrites all others", last_gap),
        ("the outputs are summed without dy", not_weighed),
        ("a blame of ones in place of dy, on both sides", a_blame_of_ones),
        ("the gradient of a single array is walked through as if it were a tuple", always_a_tuple),
        ("only the output at the same place is looked at", number_by_number),
        ("one random direction, as in the notebook", a_random_direction),
        ("the largest gap of all arrays together", one_for_all),
        ("all gaps of each array, not the largest", all_the_gaps),
        ("a step of its own, whatever h says", a_step_of_its_own),
        ("the gap is relative to the size of the gradients", relative),
        ("numbers stay moved down when the next one is tried", never_put_back),
        ("moved up, down and up again, which rounds", up_down_and_up),
        ("y of the step up is not copied, and may be the moved array itself", up_is_down),
        ("the backward of the last step down, not of x", backward_of_the_last_step),
        ("list(arrays) copies no array, so up and down cancel", a_list_is_no_copy),
        ("all in float32", in_single_precision),
        ("range(len(x)), so that a whole row is moved", whole_rows),
        ("the mean of dy y, not the sum", mean_of_outputs),
        ("the sum of dy times the sum of y", sums_apart),
        ("all numbers are moved at once, and the gradient summed", all_arrays_at_once),
    ],
    "right": [
        ("flat copies, weighed by a scalar product", ravelled_copies),
        ("steps from an identity matrix, added to the array", unit_steps),
        ("moved in place, and the number that was kept put back", kept_and_put_back),
        ("deep copies, and sums without rounding", deep_copies),
        ("the whole numeric gradient first, nditer, the maximum norm", whole_gradient_first),
        ("a Jacobian, times dy", rows_of_a_jacobian),
    ],
}
LINEAR = {
    "wrong": [
        ("x.T @ dy, which fits two axes only", transposed),
        ("db is collected over the first axis only", shift_over_first_axis),
        ("batch and time are summed over, and no other axis", three_axes),
        ("dw and db are means over the positions", means_of_blame),
        ("dw and db are divided by the number of sequences", divided_by_batch),
        ("dx is dy @ w, not transposed", w_as_it_is),
        ("db is dy, not summed", shift_blamed_everywhere),
        ("b is not added", forgotten_shift),
        ("backward returns dw, db, dx", other_order),
        ("dw is (F, C)", outputs_first),
        ("dx is left as rows", rows_remain),
        ("db is summed over the channels", shift_of_the_last_axis),
        ("what backward needs is overwritten by the next call", one_memory),
        ("dw is made of y, not of dy", blame_of_y),
        ("a loop that sets dw and db, and does not add", last_position_only),
        ("db is the sum of b * dy, as dw is that of x * dy", shift_times_its_blame),
        ("the sum of x times the sum of dy", product_of_sums),
        ("db is a single number", one_number_for_the_shift),
        ("dx is summed over positions like dw", dx_collected_too),
        ("dy is not used at all", a_slope_of_w),
    ],
    "right": [
        ("loops over positions, outer products", a_lot_of_outer_products),
        ("einsum", einsums),
        ("tensordot over all axes but the last", tensordots),
        ("b is one more row of w, for a channel of ones", a_channel_of_ones),
        ("positions last", positions_last),
        ("lists of Python numbers turned into arrays", lists),
        ("a product for each sequence, then the sum", sequence_by_sequence),
    ],
}
CROSS_ENTROPY = {
    "wrong": [
        ("ignore is not looked at", ignores_nothing),
        ("the mean is over all targets, ignored ones too", divides_by_all),
        ("the rows of ignored targets get a gradient", ignored_rows_are_blamed),
        ("the largest score is not taken off", no_shift),
        ("the log of a share, which may be 0", log_of_a_share),
        ("log(p + 1e-9)", a_little_inside_the_log),
        ("shares are clipped to 1e-12 before the log", clipped_shares),
        ("the largest score of all is taken off, not that of each row", one_largest_score),
        ("a sum of losses, not their mean", a_sum_of_losses),
        ("the loss is a mean, the gradient that of the sum", gradient_of_the_sum),
        ("divided by the number of sequences", per_sequence),
        ("the mean over sequences of the means of their targets", mean_of_means),
        ("backward does not use dloss", forgets_dloss),
        ("what happened minus what was said", happened_minus_said),
        ("the largest score is taken off in place", shifts_in_place),
        ("ignored targets are set to 0 in place", targets_in_place),
        ("if no target counts, 0 / 0", none_counts_none_divides),
        ("`if ignore`, which is false for token 0", if_ignore),
        ("negative targets are ignored, whatever ignore says", negative_is_ignored),
        ("the ignored target is used as an index, and -100 is none", ignored_id_as_an_index),
        ("the loss in bits", in_bits),
        ("softmax over the first axis", softmax_down_the_column),
        ("softmax over axis 1, not the last", second_axis),
        ("scores are clipped to 50", clipped_scores),
        ("dlogits is left as rows", flat_blame),
        ("only the score of the target is blamed", only_the_target),
        ("the largest score is taken off the sum, and not off the target's score", largest_not_added_back),
        ("ignored targets become token 0, and count", ignored_become_token_0),
        ("the mean of log p, without a minus", log_of_the_share_itself),
        ("the gradient is divided by the size of the vocabulary too", blame_by_the_vocabulary),
        ("each target is taken off every row", every_target_off_every_row),
        ("the losses of all positions, no mean", losses_one_by_one),
    ],
    "right": [
        ("as in the formula, with a one-hot array", as_in_the_formula),
        ("logsumexp and softmax of scipy, put_along_axis", scipys),
        ("the targets that count are picked out first; logaddexp", pairs_of_logs),
        ("loops, and Python's math", token_by_token),
        ("double inside and cast back, einsum with weights", double_inside),
        ("a class with masked arrays", a_class_with_masks),
        ("the gradient is made on the way there", gradient_on_the_way_there),
    ],
}
EMBEDDING = {
    "wrong": [
        ("dtable[ids] += dy", overwritten),
        ("dtable[ids] = dy", put_there),
        ("a loop over the first axis, += within", loop_over_first_axis),
        ("the mean of the blames, not their sum", shared_fairly),
        ("the blame is added to the table itself", into_the_table),
        ("dtable ends at the largest id", as_long_as_the_largest_id),
        ("backward returns dtable and None, for the ids", in_a_tuple),
        ("the sum over places is a sum over channels too", channels_run_together),
        ("dtable counts how often a row was used", how_often),
        ("dtable has the rows that were used, and no others", only_the_rows_used),
        ("dy comes back as it is", blame_goes_back_to_the_places),
        ("dy is looked up by the ids", looks_up_blame),
        ("the ids are overwritten by the next call", last_ids_of_all),
        ("y is one long list of vectors", a_long_list),
        ("columns are looked up, not rows", columns_looked_up),
        ("the first of several equal ids gets the blame", first_come),
        ("dy times the row, as in a product", blame_times_the_row),
        ("begins with the table, not with zeros", the_row_and_its_blame),
        ("only the first sequence is gone through", first_sequence_only),
    ],
    "right": [
        ("np.add.at", scatter_add),
        ("a product with one-hot rows", a_product_with_one_hot),
        ("a loop over places", place_by_place),
        ("bincount with weights, for each channel", bincounts),
        ("sorted, then reduceat", sorted_and_cut),
        ("a sparse matrix of scipy", a_sparse_matrix),
        ("a mask for each token", token_by_token_of_the_table),
        ("lists and a dict", lists_of_rows),
    ],
}
ANSWERS = {
    "check_gradients": CHECK_GRADIENTS,
    "linear": LINEAR,
    "cross_entropy": CROSS_ENTROPY,
    "embedding": EMBEDDING,
}
# As it comes out; the sentences that a first run gave to the wrong answers have been mended since.
NAMED = {"check_gradients": 10, "linear": 14, "cross_entropy": 24, "embedding": 11}
