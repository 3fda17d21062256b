"""Wrong answers to encode that people really write; each has a step that is not the right one."""

import itertools
import re
import types

from ... import bpe
from ...grader.exercise import Mistake
from . import merge_pair as steps_of_merging
from .merge_pair import merge_pair
from .words_wrong import CUTS


def in_order(row, merges, merge, first):
    """Every merge in the order in which it was learned."""
    for i, pair in enumerate(merges):
        row = merge(row, pair, first + i)
    return row


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    words=lambda text: bpe.split(text),
    ids=lambda word: list(word.encode()),
    cut=in_order,
    merge=merge_pair,
    first=256,
    rows=lambda rows: [i for row in rows for i in row],
    after=lambda ids, merges: ids,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def encode(text, merges):
        rows = [do.cut(do.ids(word), merges, do.merge, do.first) for word in do.words(text)]
        return do.after(do.rows(rows), merges)

    return Mistake(name, says, encode)


def tokens_of(merges):
    """The bytes of every token."""
    tokens = [bytes([byte]) for byte in range(256)]
    for a, b in merges:
        tokens.append(tokens[a] + tokens[b])
    return tokens


def longest(row, merges, merge, first):
    """The longest token that fits, from the left."""
    ids = {token: i for i, token in reversed([*enumerate(tokens_of(merges))])}
    rest, found = bytes(row), []
    while rest:
        size = next(n for n in range(len(rest), 0, -1) if rest[:n] in ids)
        found.append(ids[rest[:size]])
        rest = rest[size:]
    return found


def leftmost(row, merges, merge, first):
    """Whatever can be merged at the leftmost place."""
    made, row = {tuple(pair): 256 + i for i, pair in enumerate(merges)}, [*row]
    while True:
        places = [i for i, pair in enumerate(itertools.pairwise(row)) if pair in made]
        if not places:
            return row
        i = places[0]
        row[i : i + 2] = [made[row[i], row[i + 1]]]


def latest(row, merges, merge, first):
    """The merges from the last to the first, until nothing changes."""
    while True:
        before = row
        for i, pair in reversed([*enumerate(merges)]):
            row = merge(row, pair, first + i)
        if row == before:
            return row


def backwards(row, merges, merge, first):
    """The merges from the last to the first, each once."""
    for i, pair in reversed([*enumerate(merges)]):
        row = merge(row, pair, first + i)
    return row


def until_one_is_missing(row, merges, merge, first):
    """Ends at the first merge that changes nothing."""
    for i, pair in enumerate(merges):
        before, row = row, merge(row, pair, first + i)
        if row == before:
            break
    return row


def one_round(row, merges, merge, first):
    """One walk through the word; what was merged is not merged again."""
    made, out, i = {tuple(pair): 256 + i for i, pair in enumerate(merges)}, [], 0
    while i < len(row):
        new = made.get(tuple(row[i : i + 2]))
        out.append(row[i] if new is None else new)
        i += 1 if new is None else 2
    return out


def used_up(ids, merges):
    """Empties the list of merges, as popping them one by one would."""
    merges.clear()
    return ids


MISTAKES = (
    wrong(
        "longest match",
        "It takes the longest token that fits. Training did not: merges are made in the order in which they were "
        "learned, and a longer token may never arise.",
        cut=longest,
    ),
    wrong(
        "leftmost first",
        "It merges whatever can be merged farthest to the left. Of all possible merges the one that was learned "
        "earliest comes first, wherever it stands.",
        cut=leftmost,
    ),
    wrong(
        "latest merge first",
        "The merges are tried from the last to the first. Later ones build on earlier ones: go from the first to the "
        "last.",
        cut=latest,
    ),
    wrong(
        "merges backwards",
        "The merges are made from the last to the first. Later ones join what earlier ones have made: go from the "
        "first to the last.",
        cut=backwards,
    ),
    wrong(
        "no further than the first merge that is missing",
        "It stops at the first merge that does not occur in the word. A later one may occur: go on to the last.",
        cut=until_one_is_missing,
    ),
    wrong(
        "one round",
        "What was merged is not merged again, so that no token is longer than two bytes. A later merge may join tokens "
        "that earlier ones have made.",
        cut=one_round,
    ),
    wrong(
        "first pair of a word only",
        "In each word only the first occurrence of a pair was merged. Merge all of them.",
        merge=steps_of_merging.first_only,
    ),
    wrong(
        "merged from the right",
        "Merging goes from right to left: aaa becomes a, aa. Training goes from the left: aa, a.",
        merge=steps_of_merging.from_the_right,
    ),
    wrong(
        "overlapping pairs merged",
        "In aaa the middle letter was merged twice, and decoding would give four letters. A token that was merged is "
        "used up.",
        merge=steps_of_merging.overlapping,
    ),
    wrong(
        "across words",
        "A token here crosses from one word into the next. Cut the text with bpe.split first, and merge within each "
        "word.",
        words=lambda text: [text],
    ),
    wrong(
        "spaces thrown away",
        "The spaces are gone: str.split() throws them away. bpe.split keeps each space with the word after it.",
        words=str.split,
    ),
    wrong(
        "space at the start lost",
        "The white space at the two ends of the text is gone, as after strip(). It is part of the text.",
        words=lambda text: bpe.split(text.strip()),
    ),
    wrong(
        "from space to space",
        "A word here goes from one space to the next, with the full stop that follows it. bpe.split cuts there too.",
        words=lambda text: re.split("(?= )", text),
    ),
    *(wrong(name, says, words=words) for name, (says, words) in CUTS.items()),
    wrong(
        "digits of another id",
        "The pair was searched for in a string of digits, and 32 97 is found in 132 97 too. Compare whole ids.",
        merge=steps_of_merging.as_digits,
    ),
    wrong(
        "a list for each word",
        "Each word has a list of its own here. One list of ids is due for the whole text: ids += row.",
        rows=lambda rows: rows,
    ),
    wrong(
        "characters for bytes",
        "The ids are code points of characters, ord(c). Ids below 256 are bytes: word.encode().",
        ids=lambda word: [ord(c) for c in word],
    ),
    wrong(
        "what is not ASCII left out",
        "Characters beyond ASCII are gone. Every text has UTF-8 bytes: word.encode() with no further arguments.",
        ids=lambda word: list(word.encode("ascii", "ignore")),
    ),
    wrong(
        "one id too high",
        "The first merge makes token 257 here. The bytes are 0 to 255, so it makes 256.",
        first=257,
    ),
    wrong(
        "no merges",
        "These are the bytes of the text, and nothing was merged. merge_pair returns a new list: keep it.",
        cut=lambda row, merges, merge, first: row,
    ),
    wrong(
        "byte strings for ids",
        "These are the tokens as byte strings. A model wants their ids.",
        after=lambda ids, merges: [tokens_of(merges)[i] for i in ids],
    ),
    wrong(
        "merges used up",
        "The list of merges was changed, so that the next text would be cut differently.",
        after=used_up,
    ),
)
