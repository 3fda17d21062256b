"""Right answers to encode, each written in another way: none of them may be refused."""

import itertools

import numpy as np

from ... import bpe


def earliest_pair(text, merges):
    """As long as a merge is possible: find the one that was learned earliest, and do it where it stands first."""
    ranks = {tuple(pair): i for i, pair in enumerate(merges)}
    ids = []
    for word in bpe.split(text):
        row = [*word.encode()]
        while found := [(ranks[pair], i) for i, pair in enumerate(itertools.pairwise(row)) if pair in ranks]:
            rank, i = min(found)
            row[i : i + 2] = [256 + rank]
        ids.extend(row)
    return ids


def as_byte_strings(text, merges):
    """Byte strings until the end, and an array of ids."""
    tokens = [bytes([byte]) for byte in range(256)]
    for a, b in merges:
        tokens.append(tokens[a] + tokens[b])
    ids = []
    for word in bpe.split(text):
        row = [bytes([byte]) for byte in word.encode()]
        for a, b in merges:
            new, i = [], 0
            while i < len(row):
                if row[i : i + 2] == [tokens[a], tokens[b]]:
                    new.append(tokens[a] + tokens[b])
                    i += 2
                else:
                    new.append(row[i])
                    i += 1
            row = new
        ids += [tokens.index(token) for token in row]
    return np.array(ids, np.int64)


ANSWERS = (
    ("the earliest pair, again and again", earliest_pair),
    ("byte strings until the end", as_byte_strings),
)
