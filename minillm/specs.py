"""What each layer means, one number at a time: slow, forward only, in float64. layers.py must agree with it."""

import math

import numpy as np


def linear(x, w, b=None):
    """Each output is a weighted sum of all inputs, plus a shift of its own if b is given.

    y_f = sum_c x_c * w_cf + b_f.   x (..., C), w (C, F), b (F,) -> (..., F).
    """
    C, F = w.shape
    y = np.zeros((*x.shape[:-1], F))
    for *n, f in np.ndindex(y.shape):
        y[*n, f] = sum(x[*n, c] * w[c, f] for c in range(C)) + (0 if b is None else b[f])
    return y


def embedding(table, *, ids):
    """Each id is replaced by its row of the table.   table (V, C), ids (...) integers -> (..., C)."""
    C = table.shape[1]
    y = np.zeros((*ids.shape, C))
    for *n, c in np.ndindex(y.shape):
        y[*n, c] = table[ids[*n], c]
    return y


def layer_norm(x, g, b, *, eps=1e-5):
    """Shift and scale the channels to mean 0 and variance 1, then give each channel a gain and a shift of its own.

    y = g * (x - mean) / sqrt(var + eps) + b, over the channels.   x (..., C), g and b (C,) -> (..., C).
    var is the mean squared distance from the mean: divided by C, not by C - 1.   arXiv:1607.06450
    """
    C = x.shape[-1]
    y = np.zeros(x.shape)
    for n in np.ndindex(x.shape[:-1]):
        mean = sum(x[*n, c] for c in range(C)) / C
        var = sum((x[*n, c] - mean) ** 2 for c in range(C)) / C
        for c in range(C):
            y[*n, c] = g[c] * (x[*n, c] - mean) / math.sqrt(var + eps) + b[c]
    return y


def gelu(x, *, approximate="tanh"):
    """Let each number through in proportion to the chance that a standard normal number lies below it.

    "none": y = x * Phi(x), with Phi(x) = (1 + erf(x / sqrt(2))) / 2.
    "tanh": Phi(x) is nearly (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2.   x (...) -> (...).   arXiv:1606.08415
    """
    y = np.zeros(x.shape)
    for n in np.ndindex(x.shape):
        if approximate == "none":
            s = math.erf(x[n] / math.sqrt(2))
        if approximate == "tanh":
            s = math.tanh(math.sqrt(2 / math.pi) * (x[n] + 0.044715 * x[n] ** 3))
        y[n] = x[n] * (1 + s) / 2
    return y


def relu(x):
    """Let positive numbers through and make the others zero.   x (...) -> (...)."""
    y = np.zeros(x.shape)
    for n in np.ndindex(x.shape):
        y[n] = max(x[n], 0)
    return y


def dropout(x, *, rate, keep):
    """Make some numbers zero and enlarge the others, so that the mean over many draws stays x.

    y = x / (1 - rate) where keep is true, else 0.   x (...), keep (...) booleans, true with chance 1 - rate -> (...).
    Chance is no part of the meaning: whoever draws the mask passes it as keep.   arXiv:1207.0580
    """
    y = np.zeros(x.shape)
    for n in np.ndindex(x.shape):
        y[n] = x[n] / (1 - rate) if keep[n] else 0
    return y


def softmax(x, *, axis=-1):
    """Turn each row of scores into shares that sum to one.   y_i = exp(x_i) / sum_j exp(x_j), along the axis.

    A score of -inf has no share; a row of nothing else is all zeros.   x (...) -> (...).
    """
    x = np.moveaxis(x, axis, -1)
    y = np.zeros(x.shape)
    for n in np.ndindex(x.shape[:-1]):
        y[n] = shares(x[n])
    return np.moveaxis(y, -1, axis)


def shares(scores):
    """The softmax of one row, as a list. Taking the largest score off first changes no share and cannot overflow."""
    top = max(scores, default=-math.inf)
    if top == -math.inf:
        return [0.0 for s in scores]
    e = [math.exp(s - top) for s in scores]
    total = sum(e)
    return [n / total for n in e]


def rotary(x, *, positions, base=10_000):
    """Turn each pair of channels by an angle that grows with the position: quickly for pair 0, slowly for the last.

    Channels i and i + K/2 are a pair; at position p it turns by p * base^(-2i/K) radians.   arXiv:2104.09864
    x (..., T, K), positions (T,) or (B, T) with B the first axis of x -> (..., T, K).
    """
    K = x.shape[-1]
    half = K // 2
    y = np.zeros(x.shape)
    for *n, t, i in np.ndindex(*x.shape[:-1], half):
        p = positions[t] if positions.ndim == 1 else positions[n[0], t]
        angle = p * base ** (-2 * i / K)
        first, second = x[*n, t, i], x[*n, t, i + half]
        y[*n, t, i]        = first * math.cos(angle) - second * math.sin(angle)
        y[*n, t, i + half] = first * math.sin(angle) + second * math.cos(angle)
    return y


def attention(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, keep=None):
    """Each query averages the values it may see, weighted by how well their keys match.

    score_s = q . k_s / sqrt(K), and -inf for a key that this query may not see;   y = sum_s softmax(score)_s * v_s.
    q (B, H, T, K), k (B, H, S, K), v (B, H, S, its own width) -> (B, H, T, v's width).   arXiv:1706.03762

    causal: the queries are the last T of S places, so query t sees keys up to S - T + t.
    mask (broadcast to (B, H, T, S)): booleans, True = may attend; or numbers, added to the scores.
    key_padding_mask (B, S): True = padding, which nobody sees.   A query that sees nothing gets zeros.
    keep (B, H, T, S): the weights that dropout at this rate keeps (None: all of them, and dropout is 0).
    """
    B, H, T, K = q.shape
    S = k.shape[2]
    bias = np.zeros((T, S)) if mask is None else mask
    if bias.dtype == bool:
        bias = np.where(bias, 0.0, -math.inf)
    bias = np.broadcast_to(bias, (B, H, T, S))
    y = np.zeros((B, H, T, v.shape[-1]))
    for b, h, t in np.ndindex(B, H, T):
        scores = []
        for s in range(S):
            score = sum(q[b, h, t, c] * k[b, h, s, c] for c in range(K)) / math.sqrt(K) + bias[b, h, t, s]
            in_the_future = causal and s > S - T + t
            is_padding = key_padding_mask is not None and key_padding_mask[b, s]
            if in_the_future or is_padding:
                score = -math.inf
            scores.append(score)
        weights = shares(scores)
        if keep is not None:
            weights = [weights[s] / (1 - dropout) if keep[b, h, t, s] else 0 for s in range(S)]
        for c in range(v.shape[-1]):
            y[b, h, t, c] = sum(weights[s] * v[b, h, s, c] for s in range(S))
    return y


def cross_entropy(logits, *, targets, ignore=None, label_smoothing=0.0):
    """How surprised the model is by the right answers: the mean of -log(probability), in nats, as one number.

    loss = mean over the counted targets of -sum_v wanted_v * log softmax(logits)_v, where wanted is the
    one-hot target, or with label smoothing e: (1 - e) * one-hot + e / V.   A wanted_v of zero adds nothing.
    logits (..., V), targets (...) integers; targets equal to ignore are not counted, and if none is, the loss is 0.
    """
    V = logits.shape[-1]
    losses = []
    for n in np.ndindex(targets.shape):
        if ignore is not None and targets[n] == ignore:
            continue
        top = max(logits[n])
        log_total = top + math.log(sum(math.exp(logits[*n, v] - top) for v in range(V)))
        loss = 0.0
        for v in range(V):
            wanted = (1 - label_smoothing) * (v == targets[n]) + label_smoothing / V
            if wanted > 0:
                loss -= wanted * (logits[*n, v] - log_total)
        losses.append(loss)
    return sum(losses) / len(losses) if losses else 0.0
