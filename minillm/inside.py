"""A look inside a GPT: where its heads look, what it would say after each block, and what is lost without a head."""

from dataclasses import dataclass

import numpy as np

from . import gpt, layers
from .check import saved, using


@dataclass(frozen=True)
class Record:
    """What went on inside while a model read some sequences."""

    logits: np.ndarray  # (B, T, V)
    weights: np.ndarray  # (L, B, H, T, T): attention of each head of each layer, from query to key
    stream: np.ndarray  # (L + 1, B, T, C): the residual stream before the first block and after each one


def record(params, *, ids, config, change=None):
    """Let the model read ids (B, T), and write down what goes on inside.  Returns a Record.

    change(layer, y, weights, v) may put something else in place of y (B, H, T, K), which the heads of a layer bring
    home: their weights (B, H, T, T) times the values v (B, H, T, K).  The definitions run, not their fast versions.
    """
    attention, block = layers.attention, gpt.block
    weights, stream = [], []

    def watched_attention(q, k, v, **options):
        y, backward = attention(q, k, v, **options)
        weights.append(saved(backward)["weights"])
        return (y if change is None else change(len(weights) - 1, y, weights[-1], v)), backward

    def watched_block(x, p, **options):
        y, backward = block(x, p, **options)
        stream.extend([y] if stream else [x, y])
        return y, backward

    with using(layers, attention=watched_attention), using(gpt, block=watched_block):
        logits, _ = gpt.gpt(params, ids=ids, config=config)
    return Record(logits, np.stack(weights), np.stack(stream))


def ablate_head(y, *, head, fill="mean"):
    """Switch a head off: what it brings home tells nothing any more about the text.

    y (B, H, T, K) -> the same, in an array of its own, but for one head.  fill="zero": zeros stand there;
    fill="mean": the mean of what this head brings home, over all sequences and positions.  ValueError for another word.
    """
    if fill not in ("zero", "mean"):
        raise ValueError(f'ablate_head: fill must be "zero" or "mean", not {fill!r}.')
    ablated = y.copy()
    ablated[:, head] = y[:, head].mean((0, 1)) if fill == "mean" else 0
    return ablated


def without(heads, fill="mean"):
    """A change for record() that switches off some heads, each given as (layer, head)."""

    def change(layer, y, weights, v):
        for where, head in heads:
            if where == layer:
                y = ablate_head(y, head=head, fill=fill)
        return y

    return change


def surprise(logits, targets):
    """The loss of each token on its own, -log softmax(logits)[target], in nats.

    logits (..., V), targets (...) integers -> (...)
    """
    z = logits - logits.max(-1, keepdims=True)
    wanted = np.take_along_axis(z, targets[..., None], -1)[..., 0]
    return np.log(np.exp(z).sum(-1)) - wanted


def ablation_score(whole, ablated, *, counts):
    """How much worse the model is without a head: the loss it gains, on average over the tokens that count.

    whole (B, T) is the loss of each token with all heads, ablated (H, B, T) without one of them, and counts (B, T) is
    True where a token counts -> (H,), in nats.  Above 0: the head is missed.  All 0 if no token counts.
    """
    gained = ablated[:, counts] - whole[counts]  # (H, n)
    return gained.sum(-1) / max(1, counts.sum())


def induction_score(weights, *, period):
    """How much a head looks from a token that it has seen before to the token that came after it.

    In sequences whose tokens come again after `period`, the token of position t stood at t - period, and what came
    after it at t - period + 1.  weights (..., T, T), from query to key -> (...): the mean weight there, over all
    positions t from `period` on.  ValueError if no token comes a second time.
    """
    T = weights.shape[-1]
    if not 1 <= period < T:
        raise ValueError(f"induction_score: a period must be from 1 to {T - 1} in {T} tokens, but it is {period}.")
    t = np.arange(period, T)
    return weights[..., t, t - period + 1].mean(-1)


def previous_score(weights):
    """How much a head looks at the token just before.  weights (..., T, T) -> (...), a mean over all but the first."""
    return np.diagonal(weights, -1, -2, -1).mean(-1)


def logit_lens(x, g, b, table, *, eps=1e-5):
    """What a model would say if it stopped here: the stream is normed and read out as if the last block were done.

    logits = layer_norm(x) table^T        x (..., C), g and b (C,) of the last norm, table (V, C) -> (..., V)
    For pre-norm models; nostalgebraist (2020), "interpreting GPT: the logit lens".
    """
    xhat, _ = layers.layer_norm(x, g, b, eps=eps)
    return xhat @ table.T
