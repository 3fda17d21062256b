"""The layers of a transformer, each with its backward pass.

Every function here keeps one promise:

    y, backward = layer(x, w, ..., *, options)      # arrays first, options by keyword
    dx, dw, ... = backward(dy)                      # one gradient for each array, in the same order

`dy` is short for dLoss/dy and has the shape of y; `dx` has the shape of x. A backward pass never
changes `dy`, and may be thrown away unused (`y, _ = layer(...)`) when we only predict.

    B  sequences in the batch      C  channels (width of the residual stream)
    T  positions in a sequence     F  hidden width of the feed-forward network
    S  positions attended to       H  heads;  K  channels per head;  V  vocabulary size

specs.py says what each of them means, one number at a time.  What is written here is the definition.  Above a
function, @fused says that for float32 arrays a faster version of the same name may answer (kernels/), equal up to
rounding; inside `with plain():` none does.
"""
import math

from .backend import array_module, fused


@fused
def linear(x, w, b=None):
    """Every output channel is a weighted sum of the input channels, plus a shift of its own.

    y = x w + b          x (..., C), w (C, F), b (F,) -> (..., F).  b may be left out.
    ValueError if the shapes do not fit.
    """
    C, F = w.shape
    if x.shape[-1] != C or (b is not None and b.shape != (F,)):
        raise ValueError(f"linear: x {x.shape}, w {w.shape} and b {b if b is None else b.shape} do not fit; "
                         f"w must be (channels of x, channels of y) and b (channels of y,).")
    rows = x.reshape(-1, C)                                        # every position is one row
    y = rows @ w
    if b is not None:
        y += b

    def backward(dy):
        dy_rows = dy.reshape(-1, F)
        dx = (dy_rows @ w.T).reshape(x.shape)
        dw = rows.T @ dy_rows                                      # every row used w, so every row is blamed
        return (dx, dw) if b is None else (dx, dw, dy_rows.sum(0))
    return y.reshape(*x.shape[:-1], F), backward


@fused
def embedding(table, *, ids):
    """Each token is looked up: its row of the table is its vector.

    y = table[ids]       table (V, C), ids (...) integers from 0 to V - 1 -> (..., C).
    ValueError if ids are not integers. (Whether they lie within the vocabulary is checked once, in gpt.)
    """
    if ids.dtype.kind not in "iu":
        raise ValueError(f"embedding: ids must be integers, but they are {ids.dtype}.")
    xp = array_module(table)
    V, C = table.shape

    def backward(dy):
        flat_ids, dy_rows = ids.reshape(-1, 1), dy.reshape(-1, C)
        dtable = xp.zeros_like(table)
        n = max(1, 2**22 // V)                                     # so many tokens at once, to bound the memory
        for i in range(0, len(flat_ids), n):
            used = (flat_ids[i:i + n] == xp.arange(V)).astype(dy.dtype)      # (n, V), a single 1 in every row
            dtable += used.T @ dy_rows[i:i + n]                    # a row used twice is blamed twice
        return dtable
    return table[ids], backward


@fused
def layer_norm(x, g, b, *, eps=1e-5):
    """Each position is brought to mean 0 and variance 1 over its channels, then stretched and shifted.

    y = g * (x - mean) / sqrt(var + eps) + b          x (..., C), g and b (C,) -> (..., C)
    var is the mean of the squared deviations (not n - 1).  ValueError if g or b is not (C,).  arXiv:1607.06450
    """
    C = x.shape[-1]
    if g.shape != (C,) or b.shape != (C,):
        raise ValueError(f"layer_norm: x has {C} channels, so g and b must be ({C},), not {g.shape} and {b.shape}.")
    xp = array_module(x)
    xhat = x - x.mean(-1, keepdims=True)
    rstd = 1 / xp.sqrt((xhat * xhat).mean(-1, keepdims=True) + eps)
    xhat *= rstd                                                   # now mean 0, variance 1
    y = g * xhat
    y += b

    def backward(dy):
        # xhat can change in neither its mean nor its variance; so we remove what dxhat has along each.
        dxhat = dy * g
        along = (dxhat * xhat).mean(-1, keepdims=True)
        dx = dxhat - dxhat.mean(-1, keepdims=True)
        dx -= xhat * along
        dx *= rstd
        return (dx,
                (dy * xhat).reshape(-1, C).sum(0),                 # dg
                dy.reshape(-1, C).sum(0))                          # db
    return y, backward


def gelu(x, *, approximate="tanh"):
    """Each number is kept as far as it is large: multiplied by the share of a bell curve that lies below it.

    y = x * cdf(x), with the cdf of the standard normal distribution.          x (...) -> (...)
    approximate="none" has it exactly, (1 + erf(x / sqrt 2)) / 2;
    approximate="tanh" is GPT-2's, (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
    ValueError for any other word, or if x are integers.  arXiv:1606.08415, section 2
    """
    check_floats("gelu", x)
    xp = array_module(x)
    if approximate == "tanh":
        c, a = math.sqrt(2 / math.pi), 0.044715
        cdf = x * x
        cdf *= c * a
        cdf += c
        cdf *= x                                                   # c (x + a x^3), without the slow x ** 3
        xp.tanh(cdf, out=cdf)
    elif approximate == "none":
        cdf = erf(x * math.sqrt(0.5))
    else:
        raise ValueError(f'gelu: approximate must be "tanh" or "none", not {approximate!r}.')
    cdf += 1
    cdf *= 0.5

    def backward(dy):
        if approximate == "tanh":
            pdf = x * x
            pdf *= 6 * c * a
            pdf += 2 * c
            pdf *= cdf
            pdf *= 1 - cdf                                         # 2 cdf (1 - cdf) c (1 + 3 a x^2)
        else:
            pdf = xp.exp(x * x * -0.5)
            pdf *= 1 / math.sqrt(2 * math.pi)
        pdf *= x
        pdf += cdf                                                 # the slope: cdf + x pdf, by the product rule
        pdf *= dy
        return pdf
    return x * cdf, backward


def erf(x):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x; NumPy has none of its own."""
    if array_module(x).__name__ == "numpy":
        from scipy import special
    else:
        from cupyx.scipy import special
    return special.erf(x)


def relu(x):
    """Negative numbers become 0.

    y = max(x, 0)        x (...) -> (...);  the slope at 0 is taken as 0.
    """
    xp = array_module(x)

    def backward(dy):
        return dy * (x > 0)
    return xp.maximum(x, 0), backward


def dropout(x, *, rate, rng):
    """Each number is set to 0 with probability `rate`; the rest grow, so that the expected value stays.

    y = x * mask / (1 - rate)        x (...) -> (...);  the same mask on the way back.
    rng is a NumPy Generator; it gives one seed, and the mask is drawn where x lives.
    rate 0 is the identity.  ValueError unless 0 <= rate < 1.  JMLR 15 (2014) 1929
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate must be at least 0 and below 1, but it is {rate}.")
    if rate == 0:
        return x, lambda dy: dy
    if rng is None:
        raise ValueError(f"dropout: a rate of {rate} needs rng=, a source of random numbers.")
    xp = array_module(x)
    draw = xp.random.default_rng(int(rng.integers(2**63)))
    mask = (draw.random(x.shape, dtype=xp.float32) >= rate).astype(x.dtype)
    mask *= 1 / (1 - rate)

    def backward(dy):
        return dy * mask
    return x * mask, backward


def softmax(x, *, axis=-1):
    """Scores become shares: positive, summing to 1, and each e times larger for a score larger by 1.

    y = exp(x) / sum(exp(x)) along the axis        x (...) -> (...).  A row of nothing but -inf becomes zeros.
    ValueError if x are integers.
    """
    check_floats("softmax", x)
    xp = array_module(x)
    top = xp.maximum(x.max(axis, keepdims=True), xp.finfo(x.dtype).min)
    y = x - top                                                    # changes no share, and nothing can overflow
    xp.exp(y, out=y)
    total = y.sum(axis, keepdims=True)
    total += total == 0                                            # a row with nothing to share keeps nothing
    y /= total

    def backward(dy):
        dx = dy * y
        dx -= y * dx.sum(axis, keepdims=True)                      # shares sum to 1: what one gains the others lose
        return dx
    return y, backward


@fused
def rotary(x, *, positions, base=10_000):
    """Each pair of channels turns like the hand of a clock: the later the position, the further.

    Channels i and i + K/2 turn by positions * base^(-2i/K), so that q . k depends on distance alone.
    x (B, ..., T, K), positions (T,) or (B, T), one for each place along axis -2 -> (B, ..., T, K).
    ValueError if K is odd, positions do not fit, or x are integers.
    arXiv:2104.09864, section 3.4.2, with channels paired as in Llama
    """
    xp = array_module(x)
    T, K = x.shape[-2:]
    check_floats("rotary", x)
    if K % 2:
        raise ValueError(f"rotary: channels turn in pairs, but there are {K} of them, an odd number.")
    if positions.shape != (T,) and not (x.ndim > 2 and positions.shape == (len(x), T)):
        raise ValueError(f"rotary: x {x.shape} needs positions ({T},) or ({len(x)}, {T}), not {positions.shape}.")
    half = K // 2
    speeds = xp.exp(xp.arange(half, dtype=x.dtype) * (-math.log(base) / half))
    angles = positions.astype(x.dtype)[..., None] * speeds         # (T, K/2) or (B, T, K/2)
    if positions.ndim == 2:
        angles = angles.reshape(len(positions), *[1] * (x.ndim - 3), T, half)
    cos, sin = xp.cos(angles), xp.sin(angles)

    def turn(x, sin):
        left, right = x[..., :half], x[..., half:]
        y = xp.empty_like(x)
        y[..., :half] = left * cos - right * sin
        y[..., half:] = right * cos + left * sin
        return y

    def backward(dy):
        return turn(dy, -sin)                                      # a rotation is undone by turning back
    return turn(x, sin), backward


@fused
def attention(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """Each query averages the values it may see, weighted by how well their keys match.

    y = softmax(q k^T / sqrt(K) + mask) v        q (B, H, T, K), k and v (B, H, S, K) -> (B, H, T, K)
    causal            query t sees keys 0 to S - T + t: the T queries are the last T of the S positions
    mask              broadcastable to (B, H, T, S): boolean, True = may attend, or floats that are added
    key_padding_mask  (B, S), True = padding, which nobody may attend to
    dropout, rng      weights are dropped at this rate
    A query with nothing to attend to yields zeros.  saved(backward)["weights"] is (B, H, T, S).
    ValueError if shapes do not fit, q are integers, or a mask is neither boolean nor float.
    arXiv:1706.03762, section 3.2.1
    """
    if not (q.ndim == k.ndim == v.ndim == 4 and q.shape[:2] == k.shape[:2] == v.shape[:2]
            and k.shape[2] == v.shape[2] and q.shape[3] == k.shape[3]):
        raise ValueError(f"attention: q {q.shape}, k {k.shape} and v {v.shape} do not fit; they must be "
                         f"(batch, heads, queries, K), (batch, heads, keys, K) and (batch, heads, keys, channels).")
    check_floats("attention", q)
    K = q.shape[-1]
    scale = 1 / math.sqrt(K)
    scores = q @ k.swapaxes(-1, -2)                                # (B, H, T, S)
    scores *= scale
    for added in hidden(scores, causal, mask, key_padding_mask):
        scores += added                                            # -inf where a query may not look
    shares, back_softmax = softmax(scores)
    weights, back_dropout = drop(shares, dropout, rng)
    y = weights @ v

    def backward(dy):
        dweights = dy @ v.swapaxes(-1, -2)
        dscores = back_softmax(back_dropout(dweights))
        dq = dscores @ k
        dq *= scale
        dk = dscores.swapaxes(-1, -2) @ q
        dk *= scale
        dv = weights.swapaxes(-1, -2) @ dy
        return dq, dk, dv
    return y, backward


def hidden(scores, causal, mask, key_padding_mask):
    """Attention's masks as numbers to add to the scores: 0 where a query may attend, -inf where it may not."""
    xp = array_module(scores)
    B, H, T, S = scores.shape
    zero, never = scores.dtype.type(0), scores.dtype.type(-math.inf)
    if causal:
        yield xp.triu(xp.full((T, S), never, scores.dtype), S - T + 1)
    if mask is not None:
        axes = scores.shape[4 - min(4, mask.ndim):]
        fits = mask.ndim <= 4 and all(m in (1, n) for m, n in zip(mask.shape, axes, strict=True))
        if not fits or mask.dtype.kind not in "bf":
            raise ValueError(f"attention: mask must be boolean (True = may attend) or float and broadcastable to "
                             f"{scores.shape}, but it is {mask.dtype} {mask.shape}.")
        yield xp.where(mask, zero, never) if mask.dtype.kind == "b" else mask
    if key_padding_mask is not None:
        if key_padding_mask.shape != (B, S) or key_padding_mask.dtype.kind != "b":
            raise ValueError(f"attention: key_padding_mask must be boolean (True = padding) and {(B, S)}, "
                             f"but it is {key_padding_mask.dtype} {key_padding_mask.shape}.")
        yield xp.where(key_padding_mask, never, zero)[:, None, None, :]


def drop(x, rate, rng):
    """dropout, under a name that attention's option `dropout` does not hide."""
    return dropout(x, rate=rate, rng=rng)


@fused
def cross_entropy(logits, *, targets, ignore=None, label_smoothing=0.0):
    """How surprised we are, on average, by what came next, in nats per token.

    loss = mean of -log softmax(logits)[target] over the targets that are not `ignore`; 0 if there are none.
    logits (..., V), targets (...) integers -> a number.  backward(dloss=1) gives dlogits.
    label_smoothing e mixes the target with the uniform distribution: (1 - e) one-hot + e / V.
    ValueError if shapes do not fit, targets are not integers, or e is not between 0 and 1. (Whether targets lie
    within the vocabulary is checked once, in gpt.loss.)  Smoothing: arXiv:1512.00567, section 7
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie between 0 and 1, but it is {label_smoothing}.")
    xp = array_module(logits)
    V = logits.shape[-1]
    if targets.shape != logits.shape[:-1] or targets.dtype.kind not in "iu":
        raise ValueError(f"cross_entropy: logits {logits.shape} need integer targets {logits.shape[:-1]}, "
                         f"but they are {targets.dtype} {targets.shape}.")
    flat = targets.reshape(-1)
    n = xp.arange(len(flat))
    share = 1 / max(1, len(flat))                                  # each counted target has the same share of the mean
    if ignore is not None:
        counts = flat != ignore
        share = counts.astype(logits.dtype) / xp.maximum(counts.sum(), 1).astype(logits.dtype)
        flat = xp.where(counts, flat, 0)
    z = logits.reshape(-1, V)
    z = z - z.max(-1, keepdims=True)                               # changes no probability, and nothing can overflow
    wanted = z[n, flat]
    if label_smoothing:
        wanted = (1 - label_smoothing) * wanted + label_smoothing * z.mean(-1)
    probs = xp.exp(z, out=z)
    total = probs.sum(-1)
    probs /= total[:, None]
    loss = ((xp.log(total) - wanted) * share).sum()

    def backward(dloss=1.0):
        dlosses = share * dloss                                    # a number, or one for each target
        dlogits = probs - label_smoothing / V                      # what we said ...
        dlogits[n, flat] -= 1 - label_smoothing                    # ... minus what happened
        dlogits *= dlosses if ignore is None else dlosses[:, None]
        return dlogits.reshape(*targets.shape, V)
    return loss, backward


def check_floats(layer, x):
    """ValueError for integers, which would be cut off after every step."""
    if x.dtype.kind != "f":
        raise ValueError(f"{layer} needs floating-point numbers, but was given {x.dtype}; try x.astype(float).")
