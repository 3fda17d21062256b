"""Right answers to residual, each written in another way: none of them may be refused."""

import numpy as np

from ... import layers


def sequence_by_sequence(layer, x, norm, p, *, config, rng=None, **options):
    """Each sequence of the batch alone; the blame for what they share is added up."""
    g, b = norm["g"], norm["b"]
    results, backs = [], []
    for row in x:
        row = row[None]
        if config.norm == "pre":
            h, back_norm = layers.layer_norm(row, g, b, eps=config.eps)
            a, back_layer = layer(h, p, config=config, **options)
            results.append(row + a)
        else:
            a, back_layer = layer(row, p, config=config, **options)
            y, back_norm = layers.layer_norm(row + a, g, b, eps=config.eps)
            results.append(y)
        backs.append((back_norm, back_layer))

    def backward(dy):
        dx, dnorm, dp = [], {"g": 0, "b": 0}, dict.fromkeys(p, 0)
        for blame, (back_norm, back_layer) in zip(dy, backs, strict=True):
            blame = blame[None]
            if config.norm == "pre":
                dh, more = back_layer(blame)
                d, dg, db = back_norm(dh)
            else:
                blame, dg, db = back_norm(blame)
                d, more = back_layer(blame)
            dx.append(blame + d)
            dnorm = {"g": dnorm["g"] + dg, "b": dnorm["b"] + db}
            dp = {name: dp[name] + more[name] for name in p}
        return np.concatenate(dx), dnorm, dp

    return np.concatenate(results), backward


def computed_again(layer, x, norm, p, *, config, rng=None, **options):
    """Nothing is kept but the arguments: the way back walks the way there once more."""

    def there():
        if config.norm == "pre":
            h, back_norm = layers.layer_norm(x, norm["g"], norm["b"], eps=config.eps)
            a, back_layer = layer(h, p, config=config, **options)
            return x + a, back_norm, back_layer
        a, back_layer = layer(x, p, config=config, **options)
        y, back_norm = layers.layer_norm(a + x, norm["g"], norm["b"], eps=config.eps)
        return y, back_norm, back_layer

    def backward(dy):
        _, back_norm, back_layer = there()
        if config.norm == "pre":
            dh, dp = back_layer(dy)
            dx, *dgb = back_norm(dh)
            return dx + dy, dict(zip("gb", dgb, strict=True)), dp
        ds, *dgb = back_norm(dy)
        dx, dp = back_layer(ds)
        return np.add(dx, ds), dict(zip("gb", dgb, strict=True)), dp

    return there()[0], backward


def with_its_own_norm(layer, x, norm, p, *, config, rng=None, **options):
    """The layer norm written out; one order of steps for both, with identities where nothing happens."""

    def normalise(z):
        centred = z - z.mean(-1, keepdims=True)
        std = np.sqrt(centred.var(-1, keepdims=True) + config.eps)
        xhat = centred / std

        def back(dy):
            d = dy * norm["g"]
            dz = (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)) / std
            rows = tuple(range(z.ndim - 1))
            return dz, {"g": (dy * xhat).sum(rows), "b": dy.sum(rows)}

        return norm["g"] * xhat + norm["b"], back

    nothing = lambda z: (z, lambda d: (d, {}))
    before, after = (normalise, nothing) if config.norm == "pre" else (nothing, normalise)
    h, back_before = before(x)
    a, back_layer = layer(h, p, config=config, **options)
    y, back_after = after(x + a)

    def backward(dy):
        ds, dnorm_after = back_after(dy)
        dh, dp = back_layer(ds)
        dx, dnorm_before = back_before(dh)
        return ds + dx, dnorm_before | dnorm_after, dp

    return y, backward


ANSWERS = (
    ("one sequence at a time", sequence_by_sequence),
    ("the way there walked twice", computed_again),
    ("a layer norm of its own, before or after", with_its_own_norm),
)
