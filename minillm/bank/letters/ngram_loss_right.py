"""Right answers to ngram_loss, each written in another way: none of them may be refused."""

import math
from collections import Counter, defaultdict

import numpy as np


def a_counter_for_each_context(train, text, *, order, vocab_size, add=1.0):
    """What followed each context, in a Counter of its own."""
    k, followed, total = order - 1, defaultdict(Counter), 0.0
    for i in range(k, len(train)):
        followed[train[i - k : i]][train[i]] += 1
    for i in range(k, len(text)):
        counts = followed[text[i - k : i]]
        total += math.log(counts.total() + add * vocab_size) - math.log(counts[text[i]] + add)
    return total / (len(text) - k)


def slices_zipped(train, text, *, order, vocab_size, add=1.0):
    """Tuples of letters from texts that are shifted against each other."""
    pieces = lambda s: [*zip(*(s[i:] for i in range(order)), strict=False)]
    grams, contexts = Counter(pieces(train)), Counter(piece[:-1] for piece in pieces(train))
    ps = [(grams[piece] + add) / (contexts[piece[:-1]] + add * vocab_size) for piece in pieces(text)]
    return float(-np.log(ps).mean())


def numbers_in_a_base(train, text, *, order, vocab_size, add=1.0):
    """Each piece is one number, and np.unique counts."""

    def keys(s):
        codes = np.array([ord(c) for c in s], np.int64)
        key = np.zeros(len(s) - order + 1, np.int64)
        for i in range(order):
            key = key * 256 + codes[i : len(s) - order + 1 + i]
        return key

    def look_up(found, wanted):
        names, counts = np.unique(found, return_counts=True)
        table = dict(zip(names.tolist(), counts.tolist(), strict=True))
        return np.array([table.get(key, 0) for key in wanted.tolist()])

    seen, asked = keys(train), keys(text)
    p = (look_up(seen, asked) + add) / (look_up(seen // 256, asked // 256) + add * vocab_size)
    return -np.mean(np.log(p))


ANSWERS = (
    ("a Counter for each context", a_counter_for_each_context),
    ("zipped slices", slices_zipped),
    ("numbers in a base", numbers_in_a_base),
)
