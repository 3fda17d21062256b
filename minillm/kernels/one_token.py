"""One new token for each sequence, as in writing: few numbers, so what counts is how few times NumPy is called."""

import math

import numpy as np


def block(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """gpt.block for x (B, 1, C), a cache, pre-norm and GPT-2's activation; it has no backward, as no cache has."""
    B, T, C = x.shape
    if cache is None or T != 1 or rng is not None or key_padding_mask is not None or x.size == 0:
        return None
    if config.norm != "pre" or config.activation != "gelu_tanh" or x.dtype.kind != "f":
        return None
    attn, H, stream = p["attn"], config.n_head, x.reshape(B, C)
    K = C // H
    h = normalised(stream, p["norm1"], config.eps)
    q, k, v = (projected(h, attn, name).reshape(B, H, 1, K) for name in "qkv")
    if config.positions == "rotary":
        if positions.shape not in ((1,), (B, 1)):
            return None
        cos, sin = (a.reshape(-1, 1, 1, K) for a in hands(positions, K, x.dtype, config.rotary_base))
        q, k = turned(q, cos, sin), turned(k, cos, sin)
    k, v = cache.extend(k, v)
    weights = (k @ q.reshape(B, H, K, 1)).reshape(B, H, -1)  # (B, H, S): the new token sees all that there is
    weights *= 1 / math.sqrt(K)
    weights -= np.maximum.reduce(weights, axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= np.add.reduce(weights, axis=-1, keepdims=True)
    stream = stream + projected((weights[:, :, None] @ v).reshape(B, C), attn, "o")
    h = projected(normalised(stream, p["norm2"], config.eps), p["ffn"], "up")
    stream += projected(gelu(h), p["ffn"], "down")

    def backward(dy):
        raise ValueError("a pass through a cache has no backward: the keys of earlier calls are not its to blame.")

    return stream.reshape(x.shape), backward


def normalised(x, p, eps):
    """layers.layer_norm without its backward, x (B, C)."""
    share = 1 / x.shape[-1]
    y = x - np.add.reduce(x, axis=-1, keepdims=True) * share
    if len(y) == 1:
        y /= math.sqrt(np.dot(y[0], y[0]) * share + eps)  # one number: Python is quicker than NumPy
    else:
        y /= np.sqrt(np.vecdot(y, y) * share + eps)[:, None]
    y *= p["g"]
    y += p["b"]
    return y


def projected(x, p, name):
    """gpt.project without its backward, x (B, C)."""
    y = x @ p["w_" + name]
    if "b_" + name in p:
        y += p["b_" + name]
    return y


def gelu(x):
    """layers.gelu, in the approximation by tanh, put in the place of x."""
    c, a = math.sqrt(2 / math.pi), 0.044715
    cdf = x * x
    cdf *= c * a
    cdf += c
    cdf *= x
    np.tanh(cdf, out=cdf)
    cdf += 1
    x *= 0.5
    x *= cdf
    return x


def hands(positions, K, dtype, base=10_000):
    """What a channel and its partner are multiplied by in layers.rotary, positions (...) -> twice (..., K).

    y = x cos + (x with its halves exchanged) sin, the sine negative for the left half.
    """
    half = K // 2
    speeds = np.exp(np.arange(half, dtype=dtype) * (-math.log(base) / half))
    angles = positions.astype(dtype)[..., None] * speeds
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([cos, cos], -1), np.concatenate([-sin, sin], -1)


def turned(x, cos, sin):
    """layers.rotary of x (B, H, 1, K)."""
    half = x.shape[-1] // 2
    y = np.concatenate([x[..., half:], x[..., :half]], -1)
    y *= sin
    y += x * cos
    return y
