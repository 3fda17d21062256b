"""Byte pair encoding: cut text into words, then learn and apply merges within each word."""

import collections
import functools
import heapq
import itertools
import re
import sys
import unicodedata


def split(text):
    """Cut text into words as GPT-2 does: a word keeps the space before it, and the words together are the text.

    A word is a contraction ('s 't 're 've 'm 'll 'd), or a run of letters, of digits, or of other signs, each with
    at most one space before it, or white space.  Merges never cross from one word into the next, so a token such
    as "dog." or "the dog" cannot arise.  Source: the pattern in openai/gpt-2, src/encoder.py.
    """
    if text.isascii():
        return pattern(0x7F).findall(text)
    if BEYOND_16_BITS.search(text):
        return pattern(sys.maxunicode).findall(text)
    return pattern(0xFFFF).findall(text)


BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")


@functools.cache
def pattern(highest):
    r"""GPT-2's pattern, for texts whose characters are not above the code point `highest`.

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

    Python's re has no \p{L} (letters) and \p{N} (numbers), so we list them; and its \s has four control characters
    too many (U+001C to U+001F).  What is a letter is decided by the Unicode table of the running Python.
    Short lists are searched faster: that is why there is a pattern for each `highest`.
    """
    letter = ranges(highest, lambda c: unicodedata.category(c).startswith("L"))
    number = ranges(highest, lambda c: unicodedata.category(c).startswith("N"))
    space = ranges(highest, lambda c: c.isspace() and not "\x1c" <= c <= "\x1f")
    return re.compile(
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letter}]+| ?[{number}]+| ?[^{space}{letter}{number}]+"
        rf"|[{space}]+(?![^{space}])|[{space}]+"
    )


def ranges(highest, kind):
    """The characters for which kind(c) is true, up to `highest`, as the inside of [...] in a regular expression."""
    members = [code for code in range(highest + 1) if kind(chr(code))]
    runs = itertools.groupby(enumerate(members), lambda pair: pair[1] - pair[0])  # constant while codes are adjacent
    runs = [[code for _, code in run] for _, run in runs]
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in runs)


def learn(words, n_merges):
    """Learn merges: the commonest pair of neighbouring tokens becomes a token, n_merges times.

    words: a dict {word as bytes: how often it occurs}.  Tokens 0 to 255 are the bytes; merge i makes token 256 + i.
    Ties: of the pairs with the highest count, the one whose two byte strings are lexicographically greatest.
    Returns a list of pairs of ids, shorter than n_merges if every word has become a single token before.
    Source: arXiv:1508.07909, algorithm 1, with two additions.  An index tells which words hold a pair, so that a merge
    looks at those words only.  A heap finds the commonest pair: a count is highest when its pair first arises
    (later merges only break pairs up), so one entry a pair is enough, corrected when it comes to the top.
    """
    tokens = [bytes([byte]) for byte in range(256)]
    times = list(words.values())
    words = [list(word) for word in words]
    counts = collections.Counter()
    where = collections.defaultdict(set)  # pair -> the words that hold it (or once held it)
    for i, word in enumerate(words):
        for pair in itertools.pairwise(word):
            counts[pair] += times[i]
            where[pair].add(i)

    def entry(pair):  # heapq gives the smallest first; we want the greatest
        a, b = pair
        return -counts[pair], descending(tokens[a]), descending(tokens[b]), pair

    heap = [entry(pair) for pair in counts]
    heapq.heapify(heap)
    merges = []
    while heap and len(merges) < n_merges:
        minus_count, _, _, pair = heapq.heappop(heap)
        if counts[pair] != -minus_count:  # other merges took some of them away
            if counts[pair] > 0:
                heapq.heappush(heap, entry(pair))
            continue
        new = len(tokens)
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        merges.append(pair)
        born = set()
        for i in where.pop(pair):
            words[i], lost, gained = merge(words[i], pair, new)
            for p in lost:
                counts[p] -= times[i]
            for p in gained:
                counts[p] += times[i]
                where[p].add(i)
            born.update(gained)
        del counts[pair]
        for p in born:
            if counts[p] > 0:
                heapq.heappush(heap, entry(p))
    return merges


def descending(token):
    """A key that sorts byte strings from the lexicographically greatest to the least."""
    return *(-byte for byte in token), 1  # the 1 puts b"abc" before b"ab"


def merge(word, pair, new):
    """Replace pair by new, from left to right: in "aaa" the pair ("a", "a") is merged once, and leaves "aa", "a".

    Returns the new word, and the pairs that its neighbours lost and gained, each as often as it happened.
    """
    a, b = pair
    merged, lost, gained = [], [], []
    i, last = 0, len(word) - 1
    while i <= last:
        if i == last or word[i] != a or word[i + 1] != b:
            merged.append(word[i])
            i += 1
            continue
        if merged:
            lost.append((merged[-1], a))
            gained.append((merged[-1], new))
        if i + 1 < last:
            lost.append((b, word[i + 2]))
            gained.append((new, word[i + 2]))
        merged.append(new)
        i += 2
    return merged, lost, gained


def apply(word, made):
    """Merge a word, given as byte ids, as training would have: always the earliest learned merge first, from the left.

    made: a dict {pair of ids: id of the token that the pair becomes}; a smaller id was learned earlier.
    """
    if len(word) > 100:
        return apply_to_long(word, made)
    ids = list(word)
    merged = [made.get(pair, NONE) for pair in itertools.pairwise(ids)]  # merged[i]: what ids[i] and ids[i + 1] become
    while merged:
        new = min(merged)
        if new == NONE:
            break
        i = merged.index(new)
        ids[i : i + 2] = [new]
        del merged[i]
        if i > 0:
            merged[i - 1] = made.get((ids[i - 1], new), NONE)
        if i < len(merged):
            merged[i] = made.get((new, ids[i + 1]), NONE)
    return ids


def apply_to_long(word, made):
    """What apply() returns, in n log n steps for n bytes: a heap holds the places where a merge is possible."""
    ids = list(word)
    after = list(range(1, len(ids) + 1))  # the place of the neighbour to the right
    before = list(range(-1, len(ids) - 1))  # and to the left
    heap = [(made[pair], i) for i, pair in enumerate(itertools.pairwise(ids)) if pair in made]
    heapq.heapify(heap)
    while heap:
        new, i = heapq.heappop(heap)
        j = after[i]
        if j == len(ids) or made.get((ids[i], ids[j])) != new:
            continue  # a neighbour was merged in the meantime
        ids[i], ids[j] = new, NONE
        after[i] = j = after[j]
        if j < len(ids):
            before[j] = i
            if (new, ids[j]) in made:
                heapq.heappush(heap, (made[new, ids[j]], i))
        if i > 0 and (ids[before[i]], new) in made:
            heapq.heappush(heap, (made[ids[before[i]], new], before[i]))
    return [token for token in ids if token != NONE]


NONE = sys.maxsize  # no token; greater than every id
