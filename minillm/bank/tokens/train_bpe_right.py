"""Right answers to train_bpe, each written in another way: none of them may be refused."""

import collections

import numpy as np

from ... import bpe


def as_byte_strings(text, n_merges):
    """Words as tuples of byte strings, each different word once; ids only at the end."""
    words = collections.Counter(tuple(bytes([byte]) for byte in word.encode()) for word in bpe.split(text))
    ids = {bytes([byte]): byte for byte in range(256)}
    merges = []
    for _ in range(n_merges):
        counts = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:], strict=False):
                counts[pair] += times
        if not counts:
            return merges
        _, left, right = max((times, *pair) for pair, times in counts.items())
        merges.append((ids[left], ids[right]))
        ids[left + right] = 256 + len(merges) - 1
        merged = collections.Counter()
        for word, times in words.items():
            new, rest = (), word
            while rest:
                if rest[:2] == (left, right):
                    new, rest = (*new, left + right), rest[2:]
                else:
                    new, rest = (*new, rest[0]), rest[1:]
            merged[new] += times
        words = merged
    return merges


def one_row_with_gaps(text, n_merges):
    """The whole text as one array of ids, with -1 between the words; ties are settled by sorting."""
    row = np.array([i for word in bpe.split(text) for i in (*word.encode(), -1)], np.int64)
    tokens, merges = [bytes([byte]) for byte in range(256)], []
    for new in range(256, 256 + n_merges):
        pairs = [(a, b) for a, b in zip(row[:-1].tolist(), row[1:].tolist(), strict=True) if a >= 0 and b >= 0]
        if not pairs:
            break
        kinds = sorted(set(pairs), key=lambda pair: (tokens[pair[0]], tokens[pair[1]]))
        a, b = max(reversed(kinds), key=collections.Counter(pairs).__getitem__)
        out, i = [], 0
        while i < len(row):
            together = i + 1 < len(row) and row[i] == a and row[i + 1] == b
            out.append(new if together else int(row[i]))
            i += 1 + together
        row = np.array(out)
        tokens.append(tokens[a] + tokens[b])
        merges.append([a, b])
    return merges


ANSWERS = (
    ("byte strings, each word once", as_byte_strings),
    ("one row with gaps", one_row_with_gaps),
)
