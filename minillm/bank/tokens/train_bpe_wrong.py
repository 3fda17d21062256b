"""Wrong answers to train_bpe that people really write; each has a step that is not the right one."""

import collections
import itertools
import types

from ... import bpe
from ...grader.exercise import Mistake
from . import merge_pair as steps_of_merging
from .merge_pair import merge_pair
from .words_wrong import CUTS


def pairs_of(words):
    """How often each pair of neighbours occurs."""
    return collections.Counter(pair for word in words for pair in itertools.pairwise(word))


def commonest(counts, tokens):
    """The pair that is merged next."""
    return max(counts, key=lambda pair: (counts[pair], tokens[pair[0]], tokens[pair[1]]))


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    words=lambda text: bpe.split(text),
    ids=lambda word: list(word.encode()),
    count=pairs_of,
    choose=commonest,
    merge=merge_pair,
    n=lambda n_merges: n_merges,
    over=lambda counts: not counts,
    result=lambda merges, tokens: merges,
    first=256,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def train_bpe(text, n_merges):
        words = [do.ids(word) for word in do.words(text)]
        tokens = [bytes([byte]) for byte in range(256)] + [b""] * (do.first - 256)
        merges = []
        while len(merges) < do.n(n_merges):
            counts = do.count(words)
            if do.over(counts):
                break
            a, b = do.choose(counts, tokens)
            new = do.first + len(merges)
            words = [do.merge(word, (a, b), new) for word in words]
            tokens.append(tokens[a] + tokens[b])
            merges.append((a, b))
        return do.result(merges, tokens)

    return Mistake(name, says, train_bpe)


def without_overlap(words):
    """In "aaa" the pair ("a", "a") once."""
    counts = collections.Counter()
    for word in words:
        last = None
        for i, pair in enumerate(itertools.pairwise(word)):
            if last == (i - 1, pair):
                last = None
                continue
            counts[pair] += 1
            last = i, pair
    return counts


def code_points(word):
    """Characters, each as the number that Unicode gives it."""
    return [ord(character) for character in word]


def with_characters():
    """An answer that never heard of bytes."""

    def train_bpe(text, n_merges):
        words, merges = [code_points(word) for word in bpe.split(text)], []
        names = collections.defaultdict(bytes, {ord(c): c.encode() for c in text})
        while len(merges) < n_merges and (counts := pairs_of(words)):
            a, b = commonest(counts, names)
            names[256 + len(merges)] = names[a] + names[b]
            words = [merge_pair(word, (a, b), 256 + len(merges)) for word in words]
            merges.append((a, b))
        return merges

    return train_bpe


def counted_once():
    """An answer that counts before its loop."""

    def train_bpe(text, n_merges):
        tokens = [bytes([byte]) for byte in range(256)]
        counts = pairs_of([list(word.encode()) for word in bpe.split(text)])
        key = lambda pair: (counts[pair], tokens[pair[0]], tokens[pair[1]])
        return sorted(counts, key=key, reverse=True)[:n_merges]

    return train_bpe


def longest_word_first(counts, tokens):
    """Of equally common pairs, the one that makes the longest token."""
    size = lambda pair: len(tokens[pair[0]] + tokens[pair[1]])
    return max(counts, key=lambda pair: (counts[pair], size(pair), tokens[pair[0]], tokens[pair[1]]))


MISTAKES = (
    wrong(
        "ties to the pair seen first",
        "Of equally common pairs this takes the one that it met first, as max() and most_common() do. Take the pair "
        "whose two byte strings are greatest, so that the order of the text does not matter.",
        choose=lambda counts, tokens: max(counts, key=counts.get),
    ),
    wrong(
        "ties to the least pair",
        "Of equally common pairs this takes the least. Hugging Face settles ties so; ours go to the greatest pair of "
        "byte strings.",
        choose=lambda counts, tokens: min(counts, key=lambda p: (-counts[p], tokens[p[0]], tokens[p[1]])),
    ),
    wrong(
        "ties to the least numbers",
        "Of equally common pairs this takes the one with the least bytes, compared with a minus before each number. "
        "Ours go to the greatest pair of byte strings.",
        choose=lambda counts, tokens: max(counts, key=lambda p: (counts[p], *([-x for x in tokens[i]] for i in p))),
    ),
    wrong(
        "ties to the right string first",
        "Ties are settled by the right one of the two byte strings. Compare the left ones first, then the right ones.",
        choose=lambda counts, tokens: max(counts, key=lambda p: (counts[p], tokens[p[1]], tokens[p[0]])),
    ),
    wrong(
        "ties by ids",
        "Ties are settled by comparing ids. From 256 on an id says when a token was made, not what is in it: compare "
        "the bytes of the tokens.",
        choose=lambda counts, tokens: max(counts, key=lambda pair: (counts[pair], pair)),
    ),
    wrong(
        "ties by the joined bytes",
        "Ties are settled by the bytes of the two tokens joined together. Compare the left ones first, then the right "
        "ones.",
        choose=lambda counts, tokens: max(counts, key=lambda p: (counts[p], tokens[p[0]] + tokens[p[1]], p)),
    ),
    wrong(
        "ties to the longest",
        "Of equally common pairs this takes the one that makes the longest token. Only the bytes decide, not the "
        "length.",
        choose=longest_word_first,
    ),
    wrong(
        "overlapping pairs counted once",
        "In aaa the pair (a, a) stands at two places, and both count, although only one of them can be merged.",
        count=without_overlap,
    ),
    wrong(
        "merged from the right",
        "Merging goes from right to left: aaa becomes a, aa. Go from the left: aa, a.",
        merge=steps_of_merging.from_the_right,
    ),
    wrong(
        "overlapping pairs merged",
        "In aaa the middle letter was merged twice. A token that was merged is used up.",
        merge=steps_of_merging.overlapping,
    ),
    wrong(
        "digits of another id",
        "The pair was searched for in a string of digits, and 32 97 is found in 132 97 too. Compare whole ids.",
        merge=steps_of_merging.as_digits,
    ),
    wrong(
        "one merge a word",
        "In each word only the first occurrence of the pair was merged. Merge all of them.",
        merge=steps_of_merging.first_only,
    ),
    wrong(
        "across words",
        "Pairs are counted across the edges of words, so that tokens such as b'o n' arise. Cut the text with bpe.split "
        "first, and count within each word.",
        words=lambda text: [text],
    ),
    wrong(
        "spaces thrown away",
        "str.split() cuts at the spaces and throws them away, so that no token ever begins with one, and the text "
        "cannot be put together again. bpe.split keeps each space with the word after it.",
        words=str.split,
    ),
    wrong(
        "space at the start lost",
        "The white space at the two ends of the text is gone, as after strip(). It is part of the text.",
        words=lambda text: bpe.split(text.strip()),
    ),
    *(wrong(name, says, words=words) for name, (says, words) in CUTS.items()),
    wrong(
        "each word counted once",
        "Each different word was counted once, however often it occurs. A pair is as common as it is in the text.",
        words=lambda text: dict.fromkeys(bpe.split(text)),
    ),
    Mistake(
        "characters for bytes",
        "The ids are code points of characters, ord(c). Ids below 256 are bytes: word.encode().",
        with_characters(),
    ),
    wrong(
        "what is not ASCII left out",
        "Characters beyond ASCII are gone. Every text has UTF-8 bytes: word.encode() with no further arguments.",
        ids=lambda word: list(word.encode("ascii", "ignore")),
    ),
    Mistake(
        "counted once",
        "The pairs were counted once, before the first merge. Each merge makes new pairs and takes old ones away: "
        "count again.",
        counted_once(),
    ),
    wrong(
        "one id too high",
        "The first new token is 257 here. The bytes are 0 to 255, so the first merge makes token 256.",
        first=257,
    ),
    wrong(
        "one merge too few",
        "The list has one merge less than was asked for.",
        n=lambda n_merges: n_merges - 1,
    ),
    wrong(
        "n_merges taken for the size of the vocabulary",
        "n_merges counts the merges alone, without the 256 bytes.",
        n=lambda n_merges: n_merges - 256,
    ),
    wrong(
        "pairs that occur once refused",
        "It stops when the commonest pair occurs only once. Such a pair is merged too, until none is left.",
        over=lambda counts: max(counts.values(), default=0) < 2,
    ),
    wrong(
        "no end",
        "When each word is a single token there is no pair left, and max() of nothing raises an error. Stop there, and "
        "return the merges so far.",
        over=lambda counts: False,
    ),
    wrong(
        "byte strings for ids",
        "The pairs are byte strings here. They must be ids, so that later merges can name the tokens of earlier ones.",
        result=lambda merges, tokens: [(tokens[a], tokens[b]) for a, b in merges],
    ),
    wrong(
        "new ids for pairs",
        "The list holds the ids of the new tokens. It must hold the pairs that they are made of.",
        result=lambda merges, tokens: [256 + i for i in range(len(merges))],
    ),
)
