"""Where a trained model stands: its loss on text it has never seen, its place among models that count, its writing."""

import math

import numpy as np

from . import batches, gpt, ngram, sample, tokenizer
from .backend import array_module, to_cpu

TOKENS_AT_ONCE = 2048  # in one forward pass of evaluate()
SAMPLE_LENGTH = 400  # tokens that write() writes


def evaluate(params, tokens, *, config, limit=None):
    """The loss on token ids (N,), in nats per token, read in windows of n_ctx that do not overlap.

    limit: about so many tokens, in windows spread evenly over the text; None for all.  Each window starts with an
    empty context, so a token sees between 1 and n_ctx tokens.  ValueError if the text is too short for one window.
    """
    T, xp = config.n_ctx, array_module(params["tokens"])
    ids, targets = batches.windows(tokens, T, limit=None if limit is None else max(1, limit // T))
    rows = max(1, TOKENS_AT_ONCE // T)
    parts = [(ids[i : i + rows], targets[i : i + rows]) for i in range(0, len(ids), rows)]
    rest = np.asarray(tokens[(len(tokens) - 1) // T * T :], np.int64)[None]
    if limit is None and rest.shape[1] > 1:
        parts.append((rest[:, :-1], rest[:, 1:]))  # the last window is shorter
    total = 0.0
    for x, y in parts:
        value, _ = gpt.loss(params, ids=xp.asarray(x), targets=xp.asarray(y), config=config)
        total += float(to_cpu(xp.asarray(value))) * y.size
    return total / sum(y.size for _, y in parts)


def ladder(tok, train_tokens, validation_tokens, n_bytes):
    """The n-gram models of orders 0 to 6 as a list of ngram.Rung, nats per token of `tok`, whatever they count.

    They count characters if tok does, and bytes otherwise.  n_bytes is the size of the validation text.
    """
    n_tokens, V = len(validation_tokens), tok.vocab_size
    parts = [train_tokens, validation_tokens]
    if isinstance(tok, tokenizer.BPE):
        V, parts = 256, [tokenizer.Bytes().encode(tok.decode(np.asarray(ids))) for ids in parts]
    orders = [n for n in range(1, 7) if V**n < 2**63]
    rungs = ngram.ladder(*parts, V, orders, n_bytes=n_bytes)
    return [rung._replace(nats=rung.bits_per_byte * math.log(2) * n_bytes / n_tokens) for rung in rungs]


def place(rungs, ours):
    """The ladder with our rung in its place, as lines of a table, and a sentence that says where it is."""
    table = [f"{'':>12}  nats per token  bits per byte"]
    for rung in sorted([*rungs, ours], key=lambda rung: -rung.nats):
        mark = "->" if rung is ours else "  "
        table.append(f"{mark} {rung.name:>9}  {rung.nats:>14.4f}  {rung.bits_per_byte:>13.4f}")
    below = [rung for rung in rungs if rung.nats <= ours.nats]
    beaten = [rung for rung in rungs if rung.nats > ours.nats]
    if not below:
        best = min(rungs, key=lambda rung: rung.nats)
        table.append(f"Our model is better than every one that counts; the best of them is the {best.name}.")
    elif not beaten:
        table.append("Our model is no better than any that counts: it has not learned yet.")
    else:
        best, next_up = min(beaten, key=lambda rung: rung.nats), max(below, key=lambda rung: rung.nats)
        table.append(f"Our model is better than the {best.name} and not as good as the {next_up.name}.")
    return table


def opening(prompt, tok):
    """What a sample begins with: the prompt, or token 0 where tok cannot encode it or it is empty."""
    try:
        return prompt if len(tok.encode(prompt)) else tok.decode([0])
    except ValueError:
        return tok.decode([0])


def write(params, prompt, *, config, tok, seed):
    """A sample of the model's writing that begins with the prompt, or with token 0 if tok cannot encode that."""
    prompt = opening(prompt, tok)
    rng = np.random.default_rng(seed)
    options = {"config": config, "rng": rng, "max_tokens": SAMPLE_LENGTH, "temperature": 0.8}
    return prompt + "".join(sample.write(params, prompt, tokenizer=tok, **options))
