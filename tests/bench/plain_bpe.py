"""Byte pair encoding in the plainest Python, as karpathy/minbpe has it: the peer that has our means.

Source: minbpe's regex.py. All words are counted anew for every merge, each as often as it stands in the text.  Ties
go as in minillm's, so that the two can be compared.
"""

import itertools


def train(words, n_merges):
    """The merges, as pairs of ids, for a list of words (as bytes) in the order of the text."""
    words, tokens, merges = [list(word) for word in words], [bytes([byte]) for byte in range(256)], []
    for new in range(256, 256 + n_merges):
        counts = {}
        for word in words:
            count(word, counts)
        highest = max(counts.values())
        best = max((pair for pair in counts if counts[pair] == highest), key=lambda pair: [tokens[i] for i in pair])
        words = [merge(word, best, new) for word in words]
        tokens.append(tokens[best[0]] + tokens[best[1]])
        merges.append(best)
    return merges


def encode(words, merges):
    """The ids of a list of words (as bytes)."""
    made = {pair: 256 + i for i, pair in enumerate(merges)}
    return [token for word in words for token in encode_word(list(word), made)]


def encode_word(ids, made):
    """Always the earliest merge that applies, everywhere in the word."""
    while len(ids) >= 2:
        best = min(count(ids, {}), key=lambda pair: made.get(pair, float("inf")))
        if best not in made:
            break
        ids = merge(ids, best, made[best])
    return ids


def count(ids, counts):
    """Add up how often each pair of neighbours occurs."""
    for pair in itertools.pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge(ids, pair, new):
    """Replace every pair by new, from the left."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == pair[0] and ids[i + 1] == pair[1]:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
