"""Fast versions for NumPy.

Four things make most of them fast. Rows are worked on in blocks that stay in a core's cache. An array is changed in
place where nobody else looks. Sums along an axis are products with a vector of ones, which BLAS does several times
faster than NumPy's sum. And causal attention leaves out the scores of the blocks of keys that are hidden as a whole.
A backward pass keeps no array that it needs only the shape of.
"""

import math

import numpy as np

from .one_token import block as block
from .one_token import hands

BLOCK = 65_536  # numbers of a block: a few such arrays fit a core's cache together
QUERIES = 64  # queries of a block of attention
TINY, HUGE = 1e-12, 1e12  # between them, a sum of exponentials has lost nothing, and dividing by it loses nothing


def row_blocks(rows, width):
    """Slices that cut so many rows of that width into blocks of about BLOCK numbers."""
    n = max(1, BLOCK // max(1, width))
    return [slice(i, min(i + n, rows)) for i in range(0, rows, n)]


def one_dtype(x, *others):
    """Whether all are floating-point arrays of one precision."""
    return x.dtype.kind == "f" and all(a.dtype == x.dtype for a in others)


def layer_norm(x, g, b, *, eps=1e-5):
    """layers.layer_norm, block by block."""
    shape, C = x.shape, x.shape[-1]
    if g.shape != (C,) or b.shape != (C,) or x.size == 0 or not one_dtype(x, g, b):
        return None
    rows = x.reshape(-1, C)
    N, ones = len(rows), np.ones(C, x.dtype)
    xhat, y, rstd = np.empty_like(rows), np.empty_like(rows), np.empty((N, 1), x.dtype)
    for i in row_blocks(N, C):
        h, r = xhat[i], rstd[i]
        mean = rows[i] @ ones
        mean *= 1 / C
        np.subtract(rows[i], mean[:, None], out=h)
        np.vecdot(h, h, out=r[:, 0])
        r *= 1 / C
        r += eps
        np.sqrt(r, out=r)
        np.divide(1, r, out=r)
        h *= r
        np.multiply(h, g, out=y[i])
        y[i] += b

    def backward(dy):
        # As in layers.py. What dy g has along 1 and along xhat are two products with the vector g / C.
        dy_rows, share = dy.reshape(-1, C), g * (1 / C)
        dx, dg, db = np.empty_like(xhat), np.zeros_like(g), np.zeros_like(g)
        scratch = np.empty_like(xhat[row_blocks(N, C)[0]])
        for i in row_blocks(N, C):
            d, dyi, h, t = dx[i], dy_rows[i], xhat[i], scratch[: len(xhat[i])]
            each = np.ones(len(h), h.dtype)
            np.multiply(dyi, h, out=t)
            dg += each @ t
            db += each @ dyi
            along = t @ share
            np.multiply(dyi, g, out=d)
            d -= (dyi @ share)[:, None]
            np.multiply(h, along[:, None], out=t)
            d -= t
            d *= rstd[i]
        return dx.reshape(shape), dg, db

    return y.reshape(shape), backward


def rotary(x, *, positions, base=10_000):
    """layers.rotary with the heads side by side, (B, T, H K), so that what NumPy loops over is long."""
    if x.ndim != 4 or x.dtype.kind != "f" or x.shape[-1] % 2 or x.size == 0:
        return None
    B, H, T, K = x.shape
    if positions.shape not in ((T,), (B, T)):
        return None
    half = K // 2
    cos, sin = (np.tile(a, H) for a in hands(positions, K, x.dtype, base))  # (T, H K) or (B, T, H K)

    def turn(x, sin):
        side_by_side = x.swapaxes(1, 2).reshape(B, T, H * K)
        y = np.empty((B, T, H * K), x.dtype)
        halves, exchanged = side_by_side.reshape(B, T, H, 2, half), y.reshape(B, T, H, 2, half)
        exchanged[..., 0, :] = halves[..., 1, :]
        exchanged[..., 1, :] = halves[..., 0, :]
        y *= sin
        y += side_by_side * cos
        return y.reshape(B, T, H, K).swapaxes(1, 2)

    return turn(x, sin), lambda dy: turn(dy, -sin)


def attention(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """layers.attention for a causal model that learns: T queries, T keys, nothing else hidden, nothing dropped.

    Block by block of queries, each against the keys that it may see. Weights stay undivided, e^score, and what is
    divided by their sums is the output: fewer numbers. A block whose sums are too small or too large for that, or NaN,
    is computed again with the row's maximum taken off, as in layers.softmax.
    """
    fits = q.ndim == k.ndim == v.ndim == 4 and q.shape == k.shape and k.shape[:3] == v.shape[:3]
    if not (fits and causal and mask is None and key_padding_mask is None and not dropout and one_dtype(q, k, v)):
        return None
    if q.shape[2] < 2 or q.size == 0 or v.size == 0:  # one query is quicker done plainly
        return None
    B, H, T, K = q.shape
    scale = 1 / math.sqrt(K)
    blocks = [(start, min(start + QUERIES, T)) for start in range(0, T, QUERIES)]
    corner = np.triu(np.full((QUERIES, QUERIES), -math.inf, q.dtype), 1)  # within a block, the future
    lowest = np.finfo(q.dtype).min
    scaled, y, total = heads_like(q), heads_like(v), np.empty((B, H, T, 1), q.dtype)
    np.multiply(q, scale, out=scaled)
    k_columns = np.ascontiguousarray(k.swapaxes(-1, -2))  # BLAS is twice as fast on rows that lie side by side
    ones = np.ones((T, 1), q.dtype)

    def exponentials(start, stop, safe):
        scores = scaled[:, :, start:stop] @ k_columns[..., :stop]
        scores[..., start:] += corner[: stop - start, : stop - start]
        if safe:
            scores -= np.maximum(scores.max(-1, keepdims=True), lowest)
        np.exp(scores, out=scores)
        np.matmul(scores, ones[:stop], out=total[:, :, start:stop])
        return scores

    weights = []
    with np.errstate(over="ignore", invalid="ignore"):
        for start, stop in blocks:
            w, z = exponentials(start, stop, safe=False), total[:, :, start:stop]
            if not (TINY < z.min() and z.max() < HUGE):  # also false for NaN
                w = exponentials(start, stop, safe=True)
                z += z == 0  # a row of nothing but -inf has nothing to share
            np.matmul(w, v[:, :, :stop], out=y[:, :, start:stop])
            weights.append(w)
    y /= total

    def backward(dy):
        # dv = w^T (dy / total).  dscores = w * (dy / total v^T - sum of dy y / total), as softmax has it.
        share = dy / total
        offset = np.vecdot(share, y)[..., None]
        v_columns = np.ascontiguousarray(v.swapaxes(-1, -2))
        dq, dk, dv = heads_like(scaled), heads_like(k), heads_like(v)
        for (start, stop), w in zip(reversed(blocks), reversed(weights), strict=True):
            here, seen = np.s_[:, :, start:stop], np.s_[:, :, :stop]
            dscores = share[here] @ v_columns[..., :stop]
            dscores -= offset[here]
            dscores *= w
            np.matmul(dscores, k[seen], out=dq[here])
            if stop == T:  # the last block of queries sees all keys, and comes first
                np.matmul(dscores.swapaxes(-1, -2), scaled[here], out=dk)
                np.matmul(w.swapaxes(-1, -2), share[here], out=dv)
            else:
                dk[seen] += dscores.swapaxes(-1, -2) @ scaled[here]
                dv[seen] += w.swapaxes(-1, -2) @ share[here]
        dq *= scale
        return dq, dk, dv

    def whole():
        shown = np.zeros((B, H, T, T), total.dtype)
        for (start, stop), w in zip(blocks, weights, strict=True):
            np.divide(w, total[:, :, start:stop], out=shown[:, :, start:stop, :stop])
        return shown

    backward.kept = {"weights": whole}  # for check.saved, which shows what layers.attention keeps
    return y, backward


def heads_like(x):
    """An empty array of x's shape (B, H, T, K), laid out as (B, T, H, K): merging the heads will cost no copy."""
    B, H, T, K = x.shape
    return np.empty((B, T, H, K), x.dtype).swapaxes(1, 2)


def cross_entropy(logits, *, targets, ignore=None, label_smoothing=0.0):
    """layers.cross_entropy where every target counts in full: one array, changed in place."""
    V = logits.shape[-1]
    if ignore is not None or label_smoothing or logits.size == 0:
        return None
    if targets.shape != logits.shape[:-1] or targets.dtype.kind not in "iu":
        return None
    flat = targets.reshape(-1)
    n, share = np.arange(len(flat)), 1 / len(flat)
    rows = logits.reshape(-1, V)
    powers = rows - rows.max(-1, keepdims=True)
    wanted = powers[n, flat]
    np.exp(powers, out=powers)
    total = powers @ np.ones(V, logits.dtype)
    loss = (np.log(total) - wanted).sum() * share

    def backward(dloss=1.0):
        dlosses = share * dloss
        factor = 1 / total
        factor *= dlosses
        dlogits = powers * factor[:, None]
        dlogits[n, flat] -= dlosses
        return dlogits.reshape(*targets.shape, V)

    return loss, backward


def ffn(x, p, *, config):
    """gpt.ffn with GPT-2's activation: bias, activation and its slope in one visit to each block."""
    if config.activation != "gelu_tanh" or x.size == 0:
        return None
    (C, F), D = p["w_up"].shape, p["w_down"].shape[-1]
    shapes = {"w_up": (C, F), "b_up": (F,), "w_down": (F, D), "b_down": (D,)}
    if x.shape[-1] != C or any(a.shape != shapes[name] for name, a in p.items()) or not one_dtype(x, *p.values()):
        return None
    shape, rows = x.shape, x.reshape(-1, C)
    h = rows @ p["w_up"]
    slope = gelu(h, p.get("b_up"))
    y = h @ p["w_down"]
    if "b_down" in p:
        y += p["b_down"]

    def backward(dy):
        dy_rows, ones = dy.reshape(-1, D), np.ones(len(rows), h.dtype)
        du = dy_rows @ p["w_down"].T
        du *= slope
        dp = {"w_up": rows.T @ du, "w_down": h.T @ dy_rows}
        dp |= {name: ones @ d for name, d in (("b_up", du), ("b_down", dy_rows)) if name in p}
        return (du @ p["w_up"].T).reshape(shape), dp

    return y.reshape(*shape[:-1], D), backward


def gelu(u, b):
    """Put gelu(u + b) in the place of u (N, F), in layers.gelu's approximation by tanh; returns its slope there."""
    c, a = math.sqrt(2 / math.pi), 0.044715
    N, F = u.shape
    slope = np.empty_like(u)
    cdf_block, square_block = (np.empty_like(u[row_blocks(N, F)[0]]) for _ in range(2))
    for i in row_blocks(N, F):
        x, s = u[i], slope[i]
        cdf, square = cdf_block[: len(x)], square_block[: len(x)]
        if b is not None:
            x += b
        np.multiply(x, x, out=square)
        np.multiply(square, c * a, out=cdf)
        cdf += c
        cdf *= x
        np.tanh(cdf, out=cdf)
        cdf *= 0.5
        cdf += 0.5
        square *= 6 * c * a
        square += 2 * c
        x *= cdf  # from here on x is the result, x cdf
        np.subtract(1, cdf, out=s)
        s *= square
        s *= x
        s += cdf  # cdf + 2 x cdf (1 - cdf) c (1 + 3 a x^2)
    return slope
