"""Writing: from logits to one token, and from one token to the next."""

import codecs

import numpy as np

from . import gpt
from .backend import array_module, to_cpu

# One rule for ties in this file: of two equal logits, the one with the lower id goes first.


def temperature(logits, t):
    """logits / t: below 1 the model is more sure of itself, above 1 less.  (..., V) -> (..., V)

    t = 0, or a t so small that the division overflows, leaves only the likeliest token.  ValueError if t < 0.
    """
    _check_temperature(t)
    logits = np.asarray(logits)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y = logits / float(t) if t else logits * np.inf
    likeliest = np.where(np.arange(logits.shape[-1]) == logits.argmax(-1)[..., None], logits, -np.inf)
    return np.where(np.isfinite(y.max(-1, keepdims=True)), y, likeliest)


def top_k(logits, k):
    """Keep the k likeliest tokens, set the others to -inf.  (..., V) -> (..., V);  ValueError if k < 1."""
    _check_top_k(k)
    logits = np.asarray(logits)
    y = np.full_like(logits, -np.inf)
    likeliest = _order(logits)[..., :k]
    np.put_along_axis(y, likeliest, np.take_along_axis(logits, likeliest, -1), -1)
    return y


def top_p(logits, p):
    """Keep the smallest set of likeliest tokens whose probabilities add up to p or more.  (..., V) -> (..., V)

    The token that crosses p stays in, so at least one is left.  ValueError unless 0 < p <= 1.  arXiv:1904.09751
    """
    _check_top_p(p)
    logits = np.asarray(logits)
    if p == 1:
        return logits.copy()
    order = _order(logits)
    kept = np.take_along_axis(logits, order, -1)
    probs = _softmax(kept)
    likelier = probs.cumsum(-1) - probs  # what stands above a token; where that is short of p, the token is needed
    kept[likelier >= p] = -np.inf
    y = np.empty_like(logits)
    np.put_along_axis(y, order, kept, -1)
    return y


def penalise(logits, ids, penalty):
    """Make the tokens in ids less likely: positive logits / penalty, negative logits * penalty.

    logits (..., V), ids (n,) or (..., n) -> (..., V).  penalty 1 changes nothing, below 1 invites repetition; a token
    pays once, however often it occurs.  ValueError if penalty <= 0.  CTRL, section 4.1, arXiv:1909.05858
    """
    _check_penalty(penalty)
    logits, ids = np.asarray(logits), np.asarray(ids, np.int64)
    seen = np.zeros(logits.shape, bool)
    np.put_along_axis(seen, np.broadcast_to(ids, logits.shape[:-1] + ids.shape[-1:]), True, -1)
    return np.where(seen, np.where(logits > 0, logits / float(penalty), logits * float(penalty)), logits)


def choose(logits, rng):
    """Draw one token with probability softmax(logits).  (..., V) -> (...), integers.

    One number of rng in [0, 1) for each draw, looked up in the running sum of the probabilities (float64), so a seed
    decides the text.  ValueError if a logit is NaN, or if every token is excluded.
    """
    logits = np.asarray(logits)
    top = logits.max(-1)
    if np.isnan(top).any():
        raise ValueError("a logit is NaN, so no token can be drawn: the weights or the ids before it are damaged.")
    if np.isinf(top).any():
        raise ValueError(f"the largest logit is {top.min()}, so no token can be drawn: leave at least one finite.")
    total = _softmax(logits).cumsum(-1)
    u = rng.random(logits.shape[:-1]) * total[..., -1]
    return (total <= np.asarray(u)[..., None]).sum(-1)  # the first running sum above u; never a token of probability 0


def generate(
    params, ids, *, config, rng, max_tokens, temperature=1.0, top_k=None, top_p=None, penalty=1.0, use_cache=True
):
    """Yield max_tokens new token ids, one by one, each drawn from what the model expects after all before it.

    ids (n,) is the prompt; the filters apply in the order penalty (prompt and new tokens), temperature, top_k, top_p.
    The model reads at most n_ctx tokens.  Of a longer prompt it reads the last n_ctx.  When the window is full it keeps
    its last half (n_ctx // 2 tokens), which then start at position 0 again, with a cache built anew: keys that were
    computed from what has been forgotten cannot be reused.  ValueError, before the first token, for bad options.
    """
    ids = np.asarray(ids)
    _check_prompt(ids, config.vocab_size)
    _check_max_tokens(max_tokens)
    options = temperature, top_k, top_p, penalty
    for check, value in zip((_check_temperature, _check_top_k, _check_top_p, _check_penalty), options, strict=True):
        if value is not None:
            check(value)
    return _generate(params, ids.tolist(), config, rng, max_tokens, options, use_cache)


def _generate(params, ids, config, rng, max_tokens, options, use_cache):
    start = max(0, len(ids) - config.n_ctx)
    cache, n_read = gpt.Cache() if use_cache else None, start  # tokens before n_read are in the cache
    for _ in range(max_tokens):
        if len(ids) - start > config.n_ctx:
            start = len(ids) - max(1, config.n_ctx // 2)
            cache, n_read = gpt.Cache() if use_cache else None, start
        new = array_module(params["tokens"]).asarray(np.array([ids[n_read:]], np.int32))  # (1, T)
        logits, _ = gpt.gpt(params, ids=new, config=config, cache=cache)
        n_read = len(ids) if use_cache else start
        ids.append(_next(to_cpu(logits[0, -1]), ids, rng, *options))
        yield ids[-1]


def _next(logits, ids, rng, t, k, p, penalty):
    if penalty is not None and penalty != 1:
        logits = penalise(logits, ids, penalty)
    if t == 0:
        likeliest = int(logits.argmax())
        if np.isfinite(logits[likeliest]):  # the short way to what follows
            return likeliest
    if t is not None and t != 1:
        logits = temperature(logits, t)
    if k is not None:
        logits = top_k(logits, k)
    if p is not None:
        logits = top_p(logits, p)
    return int(choose(logits, rng))


def pad_left(prompts, fill=0):
    """Prompts of unequal length as one batch, padded on the left, so that the last column ends each of them.

    prompts is a list of B rows of token ids, the longest of length T.  Returns ids (B, T), with `fill` for padding;
    positions (B, T), which count the tokens of each prompt from 0, and are 0 for padding; and the key padding mask
    (B, T), True for padding: what gpt.gpt wants.  ValueError if there is no prompt, or an empty one.
    """
    lengths = np.array([len(prompt) for prompt in prompts])
    if not lengths.size or not lengths.all():
        raise ValueError(f"a batch needs at least one prompt and no empty one, but their lengths are {[*lengths]}.")
    positions = np.arange(lengths.max()) - (lengths.max() - lengths)[:, None]  # below 0 for padding
    padding = positions < 0
    ids = np.full(padding.shape, fill, np.int32)
    ids[~padding] = np.concatenate([np.asarray(prompt) for prompt in prompts])
    return ids, np.maximum(positions, 0), padding


def write(params, prompt, *, tokenizer, config, rng, max_tokens, stop=(), **options):
    """Yield the continuation of a text in pieces, each as soon as it is safe to show.

    A character whose bytes come in several tokens waits until it is whole; the beginning of a stop string waits until
    it is clear that it is none.  Writing ends after max_tokens tokens, or at the stop string that is complete first,
    which is not shown (stop strings are looked for in the new text only).  options: see generate().  ValueError for an
    empty prompt, an empty stop string, or a prompt that the tokenizer cannot encode.
    """
    if not prompt:
        raise ValueError("the prompt is empty, but a model continues a text: give it at least one character.")
    stop = [stop] if isinstance(stop, str) else list(stop)
    if "" in stop:
        raise ValueError("a stop string is empty and would stop at once: give at least one character, or leave it out.")
    ids = generate(params, tokenizer.encode(prompt), config=config, rng=rng, max_tokens=max_tokens, **options)
    return cut(characters(ids, tokenizer), stop)


def characters(ids, tokenizer):
    """Yield the text of a stream of token ids; bytes that make no character become U+FFFD."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for i in ids:
        yield decoder.decode(tokenizer.token_bytes(i))
    yield decoder.decode(b"", final=True)


def cut(pieces, stop):
    """Yield the pieces of a text up to the stop string that is complete first, holding back what may become one."""
    held = ""
    for piece in pieces:
        held += piece
        ends = [(held.find(s) + len(s), -len(s)) for s in stop if s in held]
        if ends:
            end, length = min(ends)  # of two that end together, the longer
            if held[: end + length]:
                yield held[: end + length]
            return
        n_safe = len(held) - _n_held(held, stop)
        if n_safe:
            yield held[:n_safe]
        held = held[n_safe:]
    if held:
        yield held


def _n_held(text, stop):
    """The length of the longest end of text that is the beginning of a stop string."""
    longest = min(len(text), max(map(len, stop), default=1) - 1)
    return next((n for n in range(longest, 0, -1) if any(s.startswith(text[-n:]) for s in stop)), 0)


def _order(logits):
    """Token ids from the likeliest to the least likely; a stable sort, so the lower id goes first in a tie."""
    return np.argsort(-logits, axis=-1, kind="stable")


def _softmax(logits):
    probs = np.exp((logits - logits.max(-1, keepdims=True)).astype(np.float64))
    return probs / probs.sum(-1, keepdims=True)


def _check_temperature(t):
    if not 0 <= t < np.inf:
        raise ValueError(f"temperature is {t}, but must be 0 (always the likeliest token) or above; try 0.8.")


def _check_top_k(k):
    if not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"top_k is {k}, but must be a whole number of tokens to keep, 1 or more; or leave it out.")


def _check_top_p(p):
    if not 0 < p <= 1:
        raise ValueError(f"top_p is {p}, but must lie above 0 and not above 1 (1 keeps every token); try 0.9.")


def _check_penalty(penalty):
    if not 0 < penalty < np.inf:
        raise ValueError(f"penalty is {penalty}, but must be above 0; 1 changes nothing, 1.2 is usual.")


def _check_max_tokens(n):
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"max_tokens is {n}, but must be a whole number of tokens to write, 1 or more.")


def _check_prompt(ids, vocab_size):
    if ids.ndim != 1 or not ids.size:
        raise ValueError(f"the prompt must be one row of token ids, at least one, but its shape is {ids.shape}.")
    if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(
            f"the prompt has ids from {ids.min()} to {ids.max()} ({ids.dtype}), but the model knows the whole numbers "
            f"0 to {vocab_size - 1}: was it encoded by this model's tokenizer?"
        )
