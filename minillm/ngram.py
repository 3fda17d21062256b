"""n-grams: models that count, the ladder that every trained model is placed on."""

import math
from typing import NamedTuple

import numpy as np

NAMES = ("uniform", "unigram", "bigram", "trigram")


class Rung(NamedTuple):
    """One model on the ladder: its name, its loss in nats per token, and in bits per byte of text."""

    name: str
    nats: float
    bits_per_byte: float


class Table(NamedTuple):
    """Counts of the n-grams of one order: what followed each context, and how often.

    A context (the n - 1 tokens before) and an n-gram are numbers written in base V.  All arrays are sorted by them.
    """

    grams: np.ndarray  # (G,) the n-grams that occurred
    counts: np.ndarray  # (G,) how often
    contexts: np.ndarray  # (D,) the contexts that occurred
    totals: np.ndarray  # (D,) how often anything followed
    kinds: np.ndarray  # (D,) how many different tokens did


def fit(ids, vocab_size, order):
    """Count the n-grams of ids (N,) up to an order; returns an NGram.

    ValueError if an id is outside the vocabulary, or if the n-grams of this order do not fit in 63 bits.
    """
    ids = _checked(ids, vocab_size)
    highest = max(n for n in range(1, 64) if vocab_size**n < 2**63)
    if not 1 <= order <= highest:
        raise ValueError(
            f"order is {order}, but with a vocabulary of {vocab_size} the orders 1 to {highest} can be counted "
            "(an n-gram is one 64-bit number)."
        )
    if len(ids) < order:
        raise ValueError(f"the text has {len(ids)} tokens, too few to count n-grams of order {order}.")
    grams, counts = np.unique(_keys(ids, vocab_size, order), return_counts=True)
    tables = []
    for n in range(order, 0, -1):
        heads = grams // vocab_size  # sorted, since the n-grams are
        first = np.flatnonzero(np.concatenate(([True], heads[1:] != heads[:-1])))
        totals = np.add.reduceat(counts, first)
        contexts, kinds = heads[first], np.diff(np.append(first, len(heads)))
        tables.insert(0, Table(grams, counts, contexts, totals, kinds))
        # The contexts are the (n-1)-grams of the text, all but the last one, which nothing follows.
        if n > 1:
            (last,) = _keys(ids[len(ids) - n + 1 :], vocab_size, n - 1)
            grams, counts = _one_more(contexts, totals, last)
    return NGram(vocab_size, tables)


class NGram:
    """Interpolated n-grams, after Witten and Bell.

    P(w | context) = (n(context w) + kinds(context) P(w | shorter context)) / (n(context) + kinds(context))

    where kinds(context) is how many different tokens followed it, the shorter context has lost its first token, and
    below the empty context stands P = 1/V.  A context that never occurred leaves the shorter one's P as it is.
    Source: Witten and Bell 1991, method C; Chen and Goodman 1999, section 2.5.
    """

    def __init__(self, vocab_size, tables):
        self.vocab_size, self.tables = vocab_size, tables

    @property
    def order(self):
        return len(self.tables)

    def probabilities(self, context=()):
        """P(next token | context) for every token, (V,); only the last order - 1 tokens of the context count."""
        context = _checked(context, self.vocab_size) if len(context) else np.zeros(0, np.int64)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for n, table in enumerate(self.tables[: len(context) + 1], start=1):
            key = 0
            for token in context[len(context) - n + 1 :].tolist():
                key = key * self.vocab_size + token
            i = np.searchsorted(table.contexts, key)
            if i == len(table.contexts) or table.contexts[i] != key:
                break  # a context that never occurred: no longer one did either
            a, b = np.searchsorted(table.grams, (key * self.vocab_size, (key + 1) * self.vocab_size))
            p *= table.kinds[i]
            p[table.grams[a:b] - key * self.vocab_size] += table.counts[a:b]
            p /= table.totals[i] + table.kinds[i]
        return p

    def losses(self, ids):
        """Mean loss over ids (N,), in nats per token, of each order from 0 (uniform) to this model's: (order + 1,).

        The first tokens are predicted from the shorter contexts that they have.
        """
        ids = _checked(ids, self.vocab_size)
        p = np.full(len(ids), 1 / self.vocab_size)
        losses = [math.log(self.vocab_size)]
        for n, table in enumerate(self.tables, start=1):
            if n <= len(ids):
                grams, places = np.unique(_keys(ids, self.vocab_size, n), return_inverse=True)
                (counts,) = _look_up(table.grams, grams, table.counts)
                totals, kinds = _look_up(table.contexts, grams // self.vocab_size, table.totals, table.kinds)
                seen = totals > 0
                scale = 1 / np.where(seen, totals + kinds, 1)
                rest, found = np.where(seen, kinds * scale, 1), counts * scale
                p[n - 1 :] = found[places] + rest[places] * p[n - 1 :]
            losses.append(float(-np.log(p).mean()))
        return np.array(losses)

    def loss(self, ids):
        """Mean loss of this model over ids (N,), in nats per token."""
        return float(self.losses(ids)[-1])

    def sample(self, n, rng, context=()):
        """n tokens drawn one after another from P(next | what stands before), (n,) of int64."""
        ids = [int(i) for i in context]
        for u in rng.random(n):
            steps = np.cumsum(self.probabilities(ids[max(0, len(ids) - self.order + 1) :]))
            ids.append(int(np.searchsorted(steps, u * steps[-1], side="right")))
        return np.array(ids[len(context) :], np.int64)


def ladder(train_ids, validation_ids, vocab_size, orders=(1, 2, 3, 4, 5, 6), *, n_bytes=None):
    """Rungs from uniform to the highest order: a list of (name, nats per token, bits per byte) on the validation ids.

    n_bytes is the length of the validation text in bytes; without it a token counts as one byte, as in plain English
    cut into characters.  Orders that do not fit in 64 bits are a ValueError, as in fit().
    """
    losses = fit(train_ids, vocab_size, max(orders)).losses(validation_ids)
    n_bytes = len(validation_ids) if n_bytes is None else n_bytes
    return [
        Rung(name_of(n), float(losses[n]), bits_per_byte(float(losses[n]), len(validation_ids), n_bytes))
        for n in (0, *sorted(orders))
    ]


def name_of(order):
    """What the model of an order is called: "uniform" for 0, "trigram" for 3, "5-gram" for 5."""
    return NAMES[order] if order < len(NAMES) else f"{order}-gram"


def bits_per_byte(nats, n_tokens, n_bytes):
    """A loss in nats per token, as bits per byte of the text: nats / ln 2, times tokens per byte."""
    return nats / math.log(2) * n_tokens / n_bytes


def _keys(ids, vocab_size, n):
    """Every run of n ids (N,), as one number in base V: (N - n + 1,)."""
    keys = np.zeros(len(ids) - n + 1, np.int64)
    for i in range(n):
        keys = keys * vocab_size + ids[i : len(ids) - n + 1 + i]
    return keys


def _one_more(keys, counts, key):
    """Sorted keys and their counts, with one more occurrence of a key."""
    i = int(np.searchsorted(keys, key))
    if i == len(keys) or keys[i] != key:
        return np.insert(keys, i, key), np.insert(counts, i, 1)
    counts = counts.copy()
    counts[i] += 1
    return keys, counts


def _look_up(keys, wanted, *columns):
    """The entries of each column at the keys that are wanted, 0 where there is none."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = keys[places] == wanted
    return [np.where(found, column[places], 0) for column in columns]


def _checked(ids, vocab_size):
    """ids as int64.  ValueError if there are none, or if one is outside the vocabulary."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or not len(ids):
        raise ValueError(f"n-grams are counted over one row of at least one id, but these have the shape {ids.shape}.")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"ids run from 0 to {vocab_size - 1}, but these run from {ids.min()} to {ids.max()}.")
    return ids.astype(np.int64)
