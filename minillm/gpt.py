"""GPT: embed the tokens, refine them with a stack of blocks, read out the next one."""

import math

import numpy as np

from . import door, layers
from .backend import array_module, fused
from .cache import Cache
from .config import Config

__all__ = ["Cache", "Config", "init", "self_attention", "ffn", "block", "gpt", "loss"]

ACTIVATIONS = {
    "gelu_tanh": lambda x: layers.gelu(x, approximate="tanh"),
    "gelu": lambda x: layers.gelu(x, approximate="none"),
    "relu": lambda x: layers.relu(x),
}


def init(config, rng, dtype=np.float32):
    """Random parameters, in a tree that mirrors the architecture.

    Weights and tables are normal with deviation 0.02, those that write into the residual stream 0.02 / sqrt(2 n_layer);
    gains are 1, shifts 0 (GPT-2, section 2.3).  rng is a NumPy Generator.  Each w is (channels in, channels out).
    """
    V, C, F = config.vocab_size, config.width, config.ffn_width
    deep = 0.02 / math.sqrt(2 * config.n_layer)  # so the residual stream keeps its scale, however many write into it

    def normal(*shape, std=0.02):
        return (std * rng.standard_normal(shape)).astype(dtype)

    def norm():
        return {"g": np.ones(C, dtype), "b": np.zeros(C, dtype)}

    def maps(**weights):
        biases = {name.replace("w_", "b_"): np.zeros(w.shape[1], dtype) for name, w in weights.items()}
        return weights | biases if config.bias else weights

    def block():
        return {
            "norm1": norm(),
            "attn": maps(w_q=normal(C, C), w_k=normal(C, C), w_v=normal(C, C), w_o=normal(C, C, std=deep)),
            "norm2": norm(),
            "ffn": maps(w_up=normal(C, F), w_down=normal(F, C, std=deep)),
        }

    params = {"tokens": normal(V, C)}
    if config.positions == "learned":
        params["positions"] = normal(config.n_ctx, C)
    params["blocks"] = [block() for _ in range(config.n_layer)]
    if config.norm == "pre":
        params["norm"] = norm()  # nothing has normalised the stream before the read-out
    if not config.tied:
        params["unembed"] = normal(V, C)
    return params


def project(x, p, name):
    """linear with the weights w_name, and b_name where the model has it; backward gives dx and both by name."""
    names = [leaf for leaf in (f"w_{name}", f"b_{name}") if leaf in p]
    y, back = layers.linear(x, *(p[leaf] for leaf in names))

    def backward(dy):
        dx, *dp = back(dy)
        return dx, dict(zip(names, dp, strict=True))

    return y, backward


def self_attention(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """Every position asks, answers and gathers: attention with queries, keys and values made from x itself.

    x (B, T, C) -> (B, T, C).  positions (T,) or (B, T) are used by rotary models.  backward gives dx, dp.
    cache, if given, holds the keys and values of earlier positions, and takes those of x.
    arXiv:1706.03762, section 3.2.2
    """
    B, T, C = x.shape
    H = config.n_head

    def split(z):
        return z.reshape(B, T, H, C // H).swapaxes(1, 2)  # (B, T, C) -> (B, H, T, K)

    def merge(z):
        return z.swapaxes(1, 2).reshape(B, T, C)  # and back

    def turn(z):
        if config.positions != "rotary":
            return z, lambda dy: dy
        return layers.rotary(z, positions=positions, base=config.rotary_base)

    xq, back_q = project(x, p, "q")
    xk, back_k = project(x, p, "k")
    xv, back_v = project(x, p, "v")
    q, back_turn_q = turn(split(xq))
    k, back_turn_k = turn(split(xk))
    v = split(xv)
    if cache is not None:
        k, v = cache.extend(k, v)
    rate = config.dropout if rng is not None else 0.0
    h, back_attn = layers.attention(q, k, v, causal=True, key_padding_mask=key_padding_mask, dropout=rate, rng=rng)
    y, back_o = project(merge(h), p, "o")

    def backward(dy):
        if cache is not None:
            raise ValueError("a pass through a cache has no backward: the keys of earlier calls are not its to blame.")
        dh, dp_o = back_o(dy)
        dq, dk, dv = back_attn(split(dh))
        dx_q, dp_q = back_q(merge(back_turn_q(dq)))
        dx_k, dp_k = back_k(merge(back_turn_k(dk)))
        dx_v, dp_v = back_v(merge(dv))
        return dx_q + dx_k + dx_v, dp_q | dp_k | dp_v | dp_o

    return y, backward


@fused
def ffn(x, p, *, config):
    """Each position thinks for itself: up to a wider layer, a bend, and down again.

    y = activation(x w_up + b_up) w_down + b_down          x (B, T, C) -> (B, T, C).  backward gives dx, dp.
    """
    u, back_up = project(x, p, "up")
    h, back_activation = ACTIVATIONS[config.activation](u)
    y, back_down = project(h, p, "down")

    def backward(dy):
        dh, dp_down = back_down(dy)
        dx, dp_up = back_up(back_activation(dh))
        return dx, dp_up | dp_down

    return y, backward


def residual(layer, x, norm, p, *, config, rng=None, **options):
    """A layer adds to the stream that flows past it.

    pre-norm    y = x + layer(norm(x))          GPT-2; the stream itself is never normalised
    post-norm   y = norm(x + layer(x))          arXiv:1706.03762
    x (B, T, C) -> (B, T, C).  backward gives dx, dnorm, dp.
    """
    rate = config.dropout if rng is not None else 0.0

    def normalise(z):
        return layers.layer_norm(z, norm["g"], norm["b"], eps=config.eps)

    if config.norm == "pre":
        h, back_norm = normalise(x)
        a, back_layer = layer(h, p, config=config, **options)
        r, back_dropout = layers.dropout(a, rate=rate, rng=rng)
        y = x + r  # never x += r: someone's backward still needs the old x

        def backward(dy):
            dh, dp = back_layer(back_dropout(dy))
            dx, dg, db = back_norm(dh)
            return dy + dx, {"g": dg, "b": db}, dp  # dy arrives twice: by the branch and around it

    else:
        a, back_layer = layer(x, p, config=config, **options)
        r, back_dropout = layers.dropout(a, rate=rate, rng=rng)
        y, back_norm = normalise(x + r)

        def backward(dy):
            ds, dg, db = back_norm(dy)
            dx, dp = back_layer(back_dropout(ds))
            return ds + dx, {"g": dg, "b": db}, dp

    return y, backward


@fused
def block(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """One layer of a transformer: gather from other positions, then think at each.

    x (B, T, C) -> (B, T, C).  backward gives dx and dp, a tree with the keys of p.
    """
    gather = lambda h, p, **options: self_attention(
        h, p, positions=positions, key_padding_mask=key_padding_mask, cache=cache, rng=rng, **options
    )
    h, back_attn = residual(gather, x, p["norm1"], p["attn"], config=config, rng=rng)
    y, back_ffn = residual(ffn, h, p["norm2"], p["ffn"], config=config, rng=rng)

    def backward(dy):
        dh, dnorm2, dffn = back_ffn(dy)
        dx, dnorm1, dattn = back_attn(dh)
        return dx, {"norm1": dnorm1, "attn": dattn, "norm2": dnorm2, "ffn": dffn}

    return y, backward


def gpt(params, *, ids, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    """For each position, how likely each token is to come next, as logits.

    ids (B, T) integers -> logits (B, T, V).  backward(dlogits) gives a tree with the keys of params.
    positions          (T,) or (B, T), for prompts padded on the left; 0, 1, 2, ... if not given
    key_padding_mask   (B, S), True = padding; S counts the cached positions too
    cache              a Cache: ids continue what it has seen; it is extended; for inference only
    rng                a NumPy Generator: training, with dropout.  None: no dropout
    ValueError, before anything is computed, if ids leave the vocabulary, if there are more than n_ctx positions, or
    if something does not fit together.  GPT-2, section 2.3
    """
    start = cache.length if cache is not None else 0
    door.check_call(params, ids, config, positions, key_padding_mask, cache)
    xp = array_module(params["tokens"])
    T = ids.shape[1]
    if positions is None:
        positions = xp.arange(start, start + T)
    x, back_tokens = layers.embedding(params["tokens"], ids=ids)
    if config.positions == "learned":
        table_rows, back_positions = layers.embedding(params["positions"], ids=positions)
        x = x + table_rows
    x, back_dropout = layers.dropout(x, rate=config.dropout if rng is not None else 0.0, rng=rng)
    back_blocks = []
    for i, p in enumerate(params["blocks"]):
        memory = cache.layer(i) if cache is not None else None
        x, back = block(
            x, p, config=config, positions=positions, key_padding_mask=key_padding_mask, cache=memory, rng=rng
        )
        back_blocks.append(back)
    if config.norm == "pre":
        x, back_norm = layers.layer_norm(x, params["norm"]["g"], params["norm"]["b"], eps=config.eps)
    readout = params["tokens" if config.tied else "unembed"]
    logits, back_readout = layers.linear(x, readout.T)  # (B, T, V)

    def backward(dlogits):
        if len(back_blocks) < config.n_layer:
            raise ValueError("backward runs once: it frees each block's memory as it goes. Call gpt again.")
        grads = {}
        dx, dreadout = back_readout(dlogits)
        if config.norm == "pre":
            dx, dg, db = back_norm(dx)
            grads["norm"] = {"g": dg, "b": db}
        dblocks = []
        while back_blocks:
            dx, dp = back_blocks.pop()(dx)  # pop: this block's activations are free now
            dblocks.append(dp)
        grads["blocks"] = dblocks[::-1]
        dx = back_dropout(dx)
        if config.positions == "learned":
            grads["positions"] = back_positions(dx.sum(0) if positions.ndim == 1 else dx)
        grads["tokens"] = back_tokens(dx)
        if config.tied:
            grads["tokens"] += dreadout.T  # used twice, blamed twice
        else:
            grads["unembed"] = dreadout.T
        return {key: grads[key] for key in params}

    return logits, backward


def loss(
    params,
    *,
    ids,
    targets,
    config,
    ignore=None,
    label_smoothing=0.0,
    positions=None,
    key_padding_mask=None,
    rng=None,
):
    """The training objective, in nats per token, and through backward() its gradient, a tree like params.

    ids and targets (B, T); the other options are those of gpt and of layers.cross_entropy.
    ValueError, as in gpt, for what does not fit.
    """
    door.check_targets(targets, config, ignore)
    logits, back_gpt = gpt(
        params, ids=ids, config=config, positions=positions, key_padding_mask=key_padding_mask, rng=rng
    )
    value, back_loss = layers.cross_entropy(logits, targets=targets, ignore=ignore, label_smoothing=label_smoothing)
    return value, lambda dloss=1.0: back_gpt(back_loss(dloss))
