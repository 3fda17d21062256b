"""Batches: windows cut from one long array of token ids that stays on disk."""

import pathlib

import numpy as np

from . import atomic


def write_tokens(ids, path):
    """Write token ids (N,) to a .npy file, as uint16 if they fit and as uint32 if not; returns its path.

    The file is complete or absent: see atomic.py.  ValueError if the ids are not
    integers from 0 to 2**32 - 1 in one dimension.
    """
    ids, path = np.asarray(ids), pathlib.Path(path)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"token ids are one row of integers, but these are {ids.dtype} of shape {ids.shape}.")
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    if low < 0 or high >= 2**32:
        raise ValueError(f"token ids run from 0 to {2**32 - 1}, but these run from {low} to {high}.")
    with atomic.writing(path) as f:
        np.save(f, ids.astype(np.uint16 if high < 2**16 else np.uint32, copy=False))
    return path


def read_tokens(path):
    """The token ids in a file of write_tokens, as an array (N,) that stays on disk until it is looked at.

    ValueError if the file is cut short or is something else; OSError if it is not there.
    """
    try:
        tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} cannot be read: it is cut short, or holds no token ids ({error}).") from error
    if not isinstance(tokens, np.ndarray) or tokens.ndim != 1 or tokens.dtype not in (np.uint16, np.uint32):
        raise ValueError(f"{path} holds no token ids: they are one row of uint16 or uint32; write them again.")
    return tokens


class Batches:
    """Batches of windows in a fixed order: batch(step) depends on the tokens, the seed and the step, and nothing else.

    Training goes through the text in epochs.  Each epoch draws, from (seed, epoch), an offset below n_ctx and an order.
    It cuts the text from the offset on into `per_epoch` windows of n_ctx tokens that do not overlap, and visits each
    once, in that order.  The offset gives a token another place in its window in each epoch; at most 2 n_ctx - 1
    tokens, at the two ends, are left out of one.  Step s takes the windows number s B to s B + B - 1 of all epochs in a
    row, so a batch may end one epoch and begin the next.  Targets are the same tokens, one place later.

    ValueError if the text is too short for one window.
    """

    def __init__(self, tokens, *, batch_size, n_ctx, seed):
        if batch_size < 1 or n_ctx < 1:
            raise ValueError(f"batch_size is {batch_size} and n_ctx is {n_ctx}, but both must be at least 1.")
        _long_enough(tokens, n_ctx)
        self.tokens = np.asarray(tokens)  # a plain view: indexing a memory map makes an object each time
        self.batch_size, self.n_ctx, self.seed = batch_size, n_ctx, seed
        self.per_epoch = max(1, len(tokens) // n_ctx - 1)
        self.room = min(n_ctx, len(tokens) - self.per_epoch * n_ctx)  # how many offsets leave a target for each token
        self.reach = np.arange(n_ctx + 1)
        self.epochs = {}  # the two in use: epoch -> where its windows start, in its order

    def batch(self, step):
        """The ids and the targets of a step, each (B, T) of int64."""
        first = step * self.batch_size
        epoch, place = divmod(first, self.per_epoch)
        starts = self._starts(epoch)[place : place + self.batch_size]
        while len(starts) < self.batch_size:
            epoch += 1
            starts = np.concatenate((starts, self._starts(epoch)[: self.batch_size - len(starts)]))
        windows = self.tokens[starts[:, None] + self.reach]  # (B, T + 1)
        return windows[:, :-1].astype(np.int64), windows[:, 1:].astype(np.int64)

    def _starts(self, epoch):
        """Where the windows of an epoch start, in the epoch's order."""
        if epoch not in self.epochs:
            rng = np.random.default_rng((self.seed, epoch))
            offset = rng.integers(self.room)
            if len(self.epochs) > 1:
                self.epochs.clear()
            self.epochs[epoch] = offset + self.n_ctx * rng.permutation(self.per_epoch)
        return self.epochs[epoch]


def windows(tokens, n_ctx, *, limit=None):
    """The ids and the targets, each (W, T) of int64, of a text cut into windows, in order and without overlap.

    Fewer than n_ctx tokens at the end are left out.  With a limit, about that many windows, evenly spread over the
    text.  ValueError if the text is too short for one window.
    """
    _long_enough(tokens, n_ctx)
    starts = np.arange((len(tokens) - 1) // n_ctx) * n_ctx
    if limit is not None and limit < len(starts):
        starts = starts[np.arange(limit) * len(starts) // limit]
    cut = np.asarray(tokens)[starts[:, None] + np.arange(n_ctx + 1)]
    return cut[:, :-1].astype(np.int64), cut[:, 1:].astype(np.int64)


def _long_enough(tokens, n_ctx):
    if len(tokens) < n_ctx + 1:
        raise ValueError(
            f"the text has {len(tokens)} tokens, but one window of n_ctx {n_ctx} and its targets need {n_ctx + 1}: "
            "take a longer text or a smaller n_ctx."
        )
