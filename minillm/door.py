"""The door of the model: what it is asked is checked here, once, so that no layer has to."""

import numpy as np

# On a GPU the numbers themselves are not looked at: that would make it wait.  Shapes and dtypes cost nothing.


def check_call(params, ids, config, positions=None, key_padding_mask=None, cache=None):
    """ValueError, in one sentence, unless gpt(params, ids=ids, config=config, ...) can be answered."""
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise ValueError(f"ids must be integers (batch, positions), but they are {ids.dtype} {ids.shape}.")
    B, T = ids.shape
    start = cache.length if cache is not None else 0
    if start + T > config.n_ctx:
        seen = f"{start} cached and {T} new" if start else f"{T}"
        raise ValueError(f"{seen} tokens are too many: this model reads at most {config.n_ctx} (n_ctx).")
    check_range(ids, config)
    if len(params["blocks"]) != config.n_layer:
        raise ValueError(f"the parameters have {len(params['blocks'])} blocks, but config.n_layer is {config.n_layer}.")
    if positions is not None:
        check_positions(positions, B, T, config)
    if key_padding_mask is not None and key_padding_mask.shape != (B, start + T):
        raise ValueError(
            f"key_padding_mask must be {(B, start + T)}, one for each sequence and each position, cached ones too, "
            f"but it is {key_padding_mask.shape}."
        )
    if start and cache.batch_size != B:
        raise ValueError(f"the cache holds {cache.batch_size} sequences, but ids are {B}.")


def check_range(ids, config):
    """ValueError if one of ids lies outside the vocabulary."""
    if isinstance(ids, np.ndarray) and ids.size and not (0 <= ids.min() and ids.max() < config.vocab_size):
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise ValueError(
            f"token {wrong} is outside the vocabulary, 0 to {config.vocab_size - 1}; was another tokenizer used?"
        )


def check_positions(positions, B, T, config):
    """ValueError unless positions are integers (T,) or (B, T), and where they are learned, rows of the table."""
    if positions.shape not in ((T,), (B, T)) or positions.dtype.kind not in "iu":
        raise ValueError(
            f"positions must be integers {(T,)} or {(B, T)}, but they are {positions.dtype} {positions.shape}."
        )
    if config.positions != "learned" or not isinstance(positions, np.ndarray) or not positions.size:
        return
    if positions.min() < 0 or positions.max() >= config.n_ctx:
        wrong = positions.min() if positions.min() < 0 else positions.max()
        raise ValueError(
            f"position {wrong} has no row in the table of positions, 0 to {config.n_ctx - 1}; give padding any of them."
        )


def check_targets(targets, config, ignore=None):
    """ValueError if a target that counts lies outside the vocabulary."""
    if isinstance(targets, np.ndarray):
        check_range(targets if ignore is None else targets[targets != ignore], config)
