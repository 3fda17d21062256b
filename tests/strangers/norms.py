"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import math
from collections import OrderedDict

import numpy as np

from minillm import layers
from minillm.bank.norms.norm_clinic import FAULTS

# Layer norm.  `usual`, `rows` and `blame` are the parts that most of the wrong answers have right.


def usual(x, eps):
    std = np.sqrt(x.var(-1, keepdims=True) + eps)
    return (x - x.mean(-1, keepdims=True)) / std, std


def rows(z):
    return z.reshape(-1, z.shape[-1]).sum(0)


def blame(dy, g, xhat, std):
    d = dy * g
    dx = (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)) / std
    return dx, rows(dy * xhat), rows(dy)


def over_everything(x, g, b, *, eps=1e-5):
    std = np.sqrt(np.var(x) + eps)
    xhat = (x - np.mean(x)) / std
    return g * xhat + b, lambda dy: blame(dy, g, xhat, std)


def column_by_hand(x, g, b, *, eps=1e-5):
    mu, var = x.mean(-1)[:, None], x.var(-1)[:, None]
    xhat = (x - mu) / np.sqrt(var + eps)
    return g * xhat + b, lambda dy: blame(dy, g, xhat, np.sqrt(var + eps))


def unbiased(x, g, b, *, eps=1e-5):
    std = np.sqrt(x.var(-1, keepdims=True, ddof=1) + eps)
    xhat = (x - x.mean(-1, keepdims=True)) / std
    return g * xhat + b, lambda dy: blame(dy, g, xhat, std)


def own_epsilon(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, 1e-5)
    return g * xhat + b, lambda dy: blame(dy, g, xhat, std)


def one_array(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)
    y = xhat
    y *= g
    y += b
    return y, lambda dy: blame(dy, g, xhat, std)


def views(x, g, b, *, eps=1e-5):
    stds = []
    for row in x.reshape(-1, x.shape[-1]):
        row -= row.mean()
        stds.append(np.sqrt(np.mean(row**2) + eps))
        row /= stds[-1]
    xhat, std = x.copy(), np.reshape(stds, (*x.shape[:-1], 1))
    return g * xhat + b, lambda dy: blame(dy, g, xhat, std)


def gain_at_the_end(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)
    return g * xhat + b, lambda dy: (g * blame(dy, 1, xhat, std)[0], rows(dy * xhat), rows(dy))


def constants(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)
    return xhat * g + b, lambda dy: (dy * g / std, rows(dy * xhat), rows(dy))


def a_lost_two(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)

    def backward(dy):
        dxhat, N = dy * g, x.shape[-1]
        dvar = (dxhat * xhat * std * -0.5 * std**-3).sum(-1, keepdims=True)
        dmu = (-dxhat / std).sum(-1, keepdims=True)
        return dxhat / std + dvar * xhat * std / N + dmu / N, rows(dy * xhat), rows(dy)

    return g * xhat + b, backward


def first_axis_only(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)
    return g * xhat + b, lambda dy: (blame(dy, g, xhat, std)[0], (dy * xhat).sum(0), dy.sum(0))


def raw_x(x, g, b, *, eps=1e-5):
    xhat, std = usual(x, eps)
    return g * xhat + b, lambda dy: (blame(dy, g, xhat, std)[0], rows(dy * x), rows(dy))


def one_memory_for_all(x, g, b, *, eps=1e-5):
    one_memory_for_all.kept = usual(x, eps)
    return g * one_memory_for_all.kept[0] + b, lambda dy: blame(dy, g, *one_memory_for_all.kept)


def position_by_position(x, g, b, *, eps=1e-5):
    y = np.zeros(x.shape)
    for i in np.ndindex(x.shape[:-1]):
        y[i] = g * (x[i] - x[i].mean()) / np.sqrt(x[i].var() + eps) + b

    def backward(dy):
        dx, dg, db = np.zeros(x.shape), np.zeros(g.shape), np.zeros(b.shape)
        for i in np.ndindex(x.shape[:-1]):
            s = np.sqrt(x[i].var() + eps)
            h, dh = (x[i] - x[i].mean()) / s, g * dy[i]
            dx[i] = (dh - dh.mean() - h * np.mean(dh * h)) / s
            dg += dy[i] * h
            db += dy[i]
        return dx, dg, db

    return y, backward


def einsums(x, g, b, *, eps=1e-5):
    C = x.shape[-1]
    centre = np.eye(C) - np.ones((C, C)) / C
    xc = np.einsum("...c,cd->...d", x, centre)
    r = 1 / np.sqrt(np.einsum("...c,...c->...", xc, xc) / C + eps)
    xhat = np.einsum("...c,...->...c", xc, r)

    def backward(dy):
        d = np.einsum("...c,c->...c", dy, g)
        along = np.einsum("...c,...c,...d->...d", d, xhat, xhat) / C
        dx = np.einsum("...,...c->...c", r, np.einsum("...c,cd->...d", d, centre) - along)
        return dx, np.einsum("nc,nc->c", dy.reshape(-1, C), xhat.reshape(-1, C)), np.einsum("nc->c", dy.reshape(-1, C))

    return np.einsum("...c,c->...c", xhat, g) + b, backward


def channels_first(x, g, b, *, eps=1e-5):
    C = x.shape[-1]
    X = x.reshape(-1, C).T
    S = np.sqrt(X.var(axis=0) + eps)
    H = (X - X.mean(axis=0)) / S

    def backward(dy):
        dY = dy.reshape(-1, C).T
        D = g[:, None] * dY
        dX = (D - D.mean(axis=0) - H * (D * H).mean(axis=0)) / S
        return dX.T.reshape(x.shape), (dY * H).sum(axis=1), dY.sum(axis=1)

    return (g[:, None] * H + b[:, None]).T.reshape(x.shape), backward


class Normed:
    def __init__(self, x, g, eps):
        self.g = g
        self.std = np.sqrt(np.var(x, axis=-1, keepdims=True) + eps)
        self.xhat = (x - np.mean(x, axis=-1, keepdims=True)) / self.std

    def __call__(self, dy):
        d = self.g * dy
        d = d - self.xhat * np.mean(d * self.xhat, axis=-1, keepdims=True)
        d = (d - np.mean(d, axis=-1, keepdims=True)) / self.std  # xhat has mean 0, so the order is free
        return d, rows(dy * self.xhat), rows(dy)


def small_class(x, g, b, *, eps=1e-5):
    back = Normed(x, g, eps)
    return g * back.xhat + b, back


def jacobians(x, g, b, *, eps=1e-5):
    C = x.shape[-1]
    std = np.sqrt(x.var(-1) + eps)[..., None]
    xhat = (x - x.mean(-1, keepdims=True)) / std
    J = (np.eye(C) - 1 / C - xhat[..., :, None] * xhat[..., None, :] / C) / std[..., None]

    def backward(dy):
        dx = (J @ (g * dy)[..., None])[..., 0]  # J is symmetric
        return dx, rows(dy * xhat), rows(dy)

    return xhat * g + b, backward


def lists_in_double(x, g, b, *, eps=1e-5):
    n, kind = x.shape[-1], np.result_type(x, g)
    hats, stds = [], []
    for row in x.astype(np.float64).reshape(-1, n).tolist():
        mean = math.fsum(row) / n
        stds.append(math.sqrt(math.fsum((v - mean) ** 2 for v in row) / n + eps))
        hats.append([(v - mean) / stds[-1] for v in row])
    xhat, std = np.array(hats).reshape(-1, n), np.array(stds).reshape(-1, 1)

    def backward(dy):
        D = dy.astype(np.float64).reshape(-1, n)
        E = D * g / std
        dx = E - E.mean(1, keepdims=True) - xhat * (E * xhat).mean(1, keepdims=True)
        return dx.reshape(x.shape).astype(kind), (D * xhat).sum(0).astype(kind), D.sum(0).astype(kind)

    return (xhat * g + b).reshape(x.shape).astype(kind), backward


# Residual.  A wrong answer that has one placement of the norm right has it as in `two_branches`.


def two_branches(layer, x, norm, p, *, config, rng=None, **options):
    if config.norm == "pre":
        h, back_norm = layers.layer_norm(x, norm["g"], norm["b"], eps=config.eps)
        a, back = layer(h, p, config=config, **options)
        y = x + a
    else:
        a, back = layer(x, p, config=config, **options)
        y, back_norm = layers.layer_norm(x + a, norm["g"], norm["b"], eps=config.eps)

    def backward(dy):
        if config.norm == "pre":
            dh, dp = back(dy)
            dx, dg, db = back_norm(dh)
            return dx + dy, {"g": dg, "b": db}, dp
        ds, dg, db = back_norm(dy)
        dx, dp = back(ds)
        return dx + ds, {"g": dg, "b": db}, dp

    return y, backward


def one_path(layer, x, norm, p, *, config, rng=None, **options):
    nothing = lambda z: (z, lambda dz: (dz, 0, 0))
    normalise = lambda z: layers.layer_norm(z, norm["g"], norm["b"], eps=config.eps)
    before, after = (normalise, nothing) if config.norm == "pre" else (nothing, normalise)
    h, back_before = before(x)
    a, back = layer(h, p, config=config, **options)
    y, back_after = after(x + a)

    def backward(dy):
        ds, *late = back_after(dy)
        dh, dp = back(ds)
        dx, *early = back_before(dh)
        return ds + dx, {"g": early[0] + late[0], "b": early[1] + late[1]}, dp

    return y, backward


def collecting(layer, x, norm, p, *, config, rng=None, **options):
    ln = lambda z: layers.layer_norm(z, norm["g"], norm["b"], eps=config.eps)
    post = config.norm == "post"
    h, back_norm = (x, None) if post else ln(x)
    a, back = layer(h, p, config=config, **options)
    y, back_norm = ln(x + a) if post else (x + a, back_norm)

    def backward(dy):
        dx, d = np.zeros(x.shape), dy
        if post:
            d, dg, db = back_norm(d)
        dx += d
        d, dp = back(d)
        if not post:
            d, dg, db = back_norm(d)
        dx += d
        return dx, {"g": dg, "b": db}, dp

    return y, backward


def lambdas(layer, x, norm, p, *, config, rng=None, **options):
    if config.norm == "post":
        a, back = layer(x, p, config=config, **options)
        y, unnorm = layers.layer_norm(x + a, norm["g"], norm["b"], eps=config.eps)
        join = lambda ds, dg, db: (lambda dx, dp: (ds + dx, {"g": dg, "b": db}, dp))(*back(ds))
        return y, lambda dy: join(*unnorm(dy))
    h, unnorm = layers.layer_norm(x, norm["g"], norm["b"], eps=config.eps)
    a, back = layer(h, p, config=config, **options)
    join = lambda dy, dh, dp: (lambda dx, dg, db: (dy + dx, {"g": dg, "b": db}, dp))(*unnorm(dh))
    return x + a, lambda dy: join(dy, *back(dy))


def tape(layer, x, norm, p, *, config, rng=None, **options):
    ln = lambda z: layers.layer_norm(z, norm["g"], norm["b"], eps=config.eps)
    f = lambda z: layer(z, p, config=config, **options)
    add = lambda z: (x + z, None)
    backs, z = [], x
    for step in (ln, f, add) if config.norm == "pre" else (f, add, ln):
        z, back = step(z)
        backs.append(back)

    def backward(d):
        found = []
        for back in reversed(backs):
            if back is None:
                around = d
            else:
                d, *rest = back(d)
                found.append(rest)
        (dp,), (dg, db) = sorted(found, key=len)
        return around + d, {"g": dg, "b": db}, dp

    return z, backward


def forward(layer, x, norm, p, config, options):
    ln = lambda z: layers.layer_norm(z, norm["g"], norm["b"], eps=config.eps)
    if config.norm == "pre":
        h, back_norm = ln(x)
        a, back = layer(h, p, config=config, **options)
        return x + a, back, back_norm, True
    a, back = layer(x, p, config=config, **options)
    y, back_norm = ln(x + a)
    return y, back, back_norm, False


def two_ways(dy, back, back_norm, pre):
    if pre:
        dh, dp = back(dy)
        dx, dg, db = back_norm(dh)
        return dx, dy, {"g": dg, "b": db}, dp
    ds, dg, db = back_norm(dy)
    dx, dp = back(ds)
    return dx, ds, {"g": dg, "b": db}, dp


def two_halves(layer, x, norm, p, *, config, rng=None, **options):
    y, *backs = forward(layer, x, norm, p, config, options)

    def backward(dy):
        through, around, *rest = two_ways(dy, *backs)
        return through + around, *rest

    return y, backward


def one_way_only(layer, x, norm, p, *, config, rng=None, **options):
    y, *backs = forward(layer, x, norm, p, config, options)

    def backward(dy):
        through, _, *rest = two_ways(dy, *backs)
        return through, *rest

    return y, backward


def around_the_norm(layer, x, norm, p, *, config, rng=None, **options):
    y, *backs = forward(layer, x, norm, p, config, options)

    def backward(dy):
        through, _, *rest = two_ways(dy, *backs)
        return dy + through, *rest

    return y, backward


def blame_in_place(layer, x, norm, p, *, config, rng=None, **options):
    y, *backs = forward(layer, x, norm, p, config, options)

    def backward(dy):
        through, around, *rest = two_ways(dy, *backs)
        around += through
        return around, *rest

    return y, backward


def forward_order(layer, x, norm, p, *, config, rng=None, **options):
    y, back, back_norm, pre = forward(layer, x, norm, p, config, options)

    def backward(dy):
        d, dg, db = back_norm(dy)
        dx, dp = back(d)
        return (dy if pre else d) + dx, {"g": dg, "b": db}, dp

    return y, backward


def normed_stream(layer, x, norm, p, *, config, rng=None, **options):
    if config.norm == "post":
        return two_branches(layer, x, norm, p, config=config, **options)
    x, back_norm = layers.layer_norm(x, norm["g"], norm["b"], eps=config.eps)
    a, back = layer(x, p, config=config, **options)

    def backward(dy):
        dx, dp = back(dy)
        dx, dg, db = back_norm(dx + dy)
        return dx, {"g": dg, "b": db}, dp

    return x + a, backward


def normed_branch(layer, x, norm, p, *, config, rng=None, **options):
    if config.norm == "pre":
        return two_branches(layer, x, norm, p, config=config, **options)
    a, back = layer(x, p, config=config, **options)
    n, back_norm = layers.layer_norm(a, norm["g"], norm["b"], eps=config.eps)

    def backward(dy):
        da, dg, db = back_norm(dy)
        dx, dp = back(da)
        return dy + dx, {"g": dg, "b": db}, dp

    return x + n, backward


def in_place(layer, x, norm, p, *, config, rng=None, **options):
    if config.norm == "post":
        return two_branches(layer, x, norm, p, config=config, **options)
    h, back_norm = layers.layer_norm(x, norm["g"], norm["b"], eps=config.eps)
    a, back = layer(h, p, config=config, **options)
    x += a

    def backward(dy):
        dh, dp = back(dy)
        dx, dg, db = back_norm(dh)
        return dx + dy, {"g": dg, "b": db}, dp

    return x, backward


def no_options(layer, x, norm, p, *, config, rng=None, **options):
    return two_branches(layer, x, norm, p, config=config)


def other_order(layer, x, norm, p, *, config, rng=None, **options):
    y, back = two_branches(layer, x, norm, p, config=config, **options)
    return y, lambda dy: tuple(back(dy)[i] for i in (0, 2, 1))


LAYER_NORM = {
    "wrong": [
        ("mean and variance of the whole array, not of each position", over_everything),
        ("[:, None] in place of keepdims, which fits two dimensions only", column_by_hand),
        ("the variance divides by C - 1", unbiased),
        ("an epsilon of its own, 1e-5, whatever eps says", own_epsilon),
        ("y is made in the array that the backward pass keeps as xhat", one_array),
        ("rows of a reshape are views, so x is normalised in place", views),
        ("the gain is multiplied in after the means of the backward pass", gain_at_the_end),
        ("mean and deviation are constants in the backward pass", constants),
        ("the derivative of the square has lost its 2", a_lost_two),
        ("dg and db are collected over the first axis only", first_axis_only),
        ("dg is made of x, not of the normalised x", raw_x),
        ("what is kept for the backward pass is overwritten by the next call", one_memory_for_all),
    ],
    "right": [
        ("a loop over positions, everything recomputed in backward", position_by_position),
        ("einsum and a centring matrix", einsums),
        ("channels first, positions last", channels_first),
        ("a small class with __call__", small_class),
        ("a Jacobian for each position, by matrix products", jacobians),
        ("lists of Python numbers turned into arrays, in double and cast back", lists_in_double),
    ],
}
RESIDUAL = {
    "wrong": [
        ("dx comes through the layer only; the way around is forgotten", one_way_only),
        ("pre-norm adds the branch to the normalised x", normed_stream),
        ("post-norm normalises the branch before the sum, x + norm(layer(x))", normed_branch),
        ("post-norm sends dy around the norm, where ds belongs", around_the_norm),
        ("pre-norm goes back through the norm first, then the layer", forward_order),
        ("pre-norm adds to x in place", in_place),
        ("pre-norm adds to dy in place", blame_in_place),
        ("options are not handed to the layer", no_options),
        ("backward returns dx, dp, dnorm", other_order),
    ],
    "right": [
        ("two branches, like the formulas", two_branches),
        ("one path, with a norm or nothing on either side", one_path),
        ("dx collected in an array of zeros", collecting),
        ("lambdas within lambdas", lambdas),
        ("a list of steps, walked backwards", tape),
        ("two plain functions, one for each direction", two_halves),
    ],
}
DIAGNOSIS = {
    "A": "variance term missing",
    "B": "x changed in place",
    "C": "healthy",
    "D": "epsilon outside the root",
    "E": "statistics over the batch",
}
CLINIC = {
    "right": [
        ("the cell, filled in", DIAGNOSIS),
        ("in the order in which they were found out", {letter: DIAGNOSIS[letter] for letter in "CBEDA"}),
        ("an OrderedDict", OrderedDict(sorted(DIAGNOSIS.items()))),
        ("words taken from FAULTS by number", {"ABCDE"[i]: FAULTS[n] for i, n in enumerate((6, 8, 0, 2, 4))}),
        ("NumPy's strings", dict(zip("ABCDE", np.array(FAULTS)[[6, 8, 0, 2, 4]], strict=True))),
    ],
    "wrong": [
        ("mean and variance term confused", DIAGNOSIS | {"A": "mean term missing"}),
        ("healthy and in place confused", DIAGNOSIS | {"B": "healthy", "C": "x changed in place"}),
        ("no epsilon, where it is outside the root", DIAGNOSIS | {"D": "no epsilon"}),
        ("all healthy", dict.fromkeys("ABCDE", "healthy")),
        ("one letter missing", {letter: DIAGNOSIS[letter] for letter in "ABCD"}),
        ("one question mark left", DIAGNOSIS | {"A": "?"}),
        ("a word misspelt", DIAGNOSIS | {"D": "epsilon outside root"}),
        ("two guesses for one letter", DIAGNOSIS | {"A": ("mean term missing", "variance term missing")}),
        ("words and letters the wrong way round", {fault: letter for letter, fault in DIAGNOSIS.items()}),
        ("a list in place of a dict", list(DIAGNOSIS.values())),
    ],
}
ANSWERS = {"layer_norm": LAYER_NORM, "residual": RESIDUAL, "norm_clinic": CLINIC}
# At the first run it was 8, 7 (one of them by a wrong name) and 4; the others were learnt from.
NAMED = {"layer_norm": 10, "residual": 8, "norm_clinic": 4}
