"""Passes through the model: the loss and the gradient of a batch, some of its sequences at a time."""

import numpy as np

from . import gpt
from .backend import array_module

# On a CPU, more sequences at once take more memory, and no less time once each product is large.  Measured with 4
# blocks of width 128 and 16 x 128 tokens: 171 ms and 39 MB a step with these limits, 172 ms and 97 MB without; with 6
# blocks of width 384 and 8 x 256 tokens: 1,672 ms and 113 MB with them, 1,677 ms and 351 MB without.
NUMBERS = 3 * 2**17  # tokens x width x blocks of one pass
TOKENS = 768  # but at least so many, or what whole sequences have of them


def rows_at_once(n, config):
    """How many of n sequences are best taken at a time on a CPU, so that the parts are of nearly one size."""
    most = max(TOKENS, NUMBERS // (config.width * config.n_layer)) // config.n_ctx
    parts = -(-n // max(1, most))
    return -(-n // max(1, parts))


def learn(params, ids, targets, add, *, config, recipe, step, worker=0, share=1.0, rows=None):
    """Call add(gradient) for each pass; the gradients add up to that of share * the mean loss, which is returned (0-d).

    ids and targets (B, T) in the computer's memory, `rows` sequences in one pass, all if None.  Dropout is a pure
    function of the recipe's seed, step, pass and worker: cut into the same passes, a resumed run drops out what it
    would have dropped out.
    """
    xp, total, B = array_module(params["tokens"]), 0.0, len(ids)
    for part, first in enumerate(range(0, B, rows or max(1, B))):
        some = slice(first, first + (rows or B))
        key = (step, part, worker) if worker else (step, part)
        rng = np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=key))
        value, backward = gpt.loss(
            params,
            ids=xp.asarray(ids[some]),
            targets=xp.asarray(targets[some]),
            config=config,
            label_smoothing=recipe.label_smoothing,
            rng=rng,
        )
        weight = share * len(ids[some]) / B
        add(backward(weight))
        total = total + weight * value
    return total
