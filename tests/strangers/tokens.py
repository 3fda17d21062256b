"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import codecs
import functools
import itertools
import re
from collections import Counter, defaultdict, deque

import numpy as np

from minillm import bpe, tokenizer

# One merge.  `merged` is what the answers to the other exercises have right.


def merged(ids, pair, new):
    out, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def nothing_skipped(ids, pair, new):
    out = []
    for i in range(len(ids)):
        out.append(new if tuple(ids[i : i + 2]) == pair else ids[i])
    return out


def last_one_lost(ids, pair, new):
    out, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def last_one_kept_for_good(ids, pair, new):
    out, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out + ids[-1:]


def from_the_right(ids, pair, new):
    out, i = [], len(ids) - 1
    while i >= 0:
        if i > 0 and (ids[i - 1], ids[i]) == pair:
            out.append(new)
            i -= 2
        else:
            out.append(ids[i])
            i -= 1
    return out[::-1]


def all_places_at_once(ids, pair, new):
    here = [i for i, both in enumerate(itertools.pairwise(ids)) if both == pair]
    used = {i + 1 for i in here}
    return [new if i in here else x for i, x in enumerate(ids) if i in here or i not in used]


def masks(ids, pair, new):
    row = np.array(ids)
    hit = (row[:-1] == pair[0]) & (row[1:] == pair[1])
    row[:-1][hit] = new
    return np.delete(row, np.flatnonzero(hit) + 1).tolist()


def first_place_only(ids, pair, new):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new, *ids[i + 2 :]]
    return list(ids)


def either_order(ids, pair, new):
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and {ids[i], ids[i + 1]} == set(pair):
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def digits(ids, pair, new):
    row = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new))
    return [int(word) for word in row.split()]


def commas(ids, pair, new):
    row = "," + ",".join(map(str, ids)) + ","
    row = row.replace(f",{pair[0]},{pair[1]},", f",{new},")
    return [int(word) for word in row.split(",") if word]


def as_bytes(ids, pair, new):
    return list(bytes(ids).replace(bytes(pair), bytes([new])))


def deleted_in_place(ids, pair, new):
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i] = new
            del ids[i + 1]
        i += 1
    return ids


def same_list_if_nothing_to_do(ids, pair, new):
    if pair not in itertools.pairwise(ids):
        return ids
    return merged(ids, pair, new)


def the_same_object(ids, pair, new):
    a, b = pair
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] is a and ids[i + 1] is b:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def skipped_by_for(ids, pair, new):
    out = []
    for i in range(len(ids)):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 1
        else:
            out.append(ids[i])
    return out


def a_stack(ids, pair, new):
    out = []
    for x in ids:
        if out and out[-1] == pair[0] and x == pair[1]:
            out[-1] = new
        else:
            out.append(x)
    return out


def letters_of_a_string(ids, pair, new):
    return [ord(x) for x in "".join(map(chr, ids)).replace(chr(pair[0]) + chr(pair[1]), chr(new))]


def regular(ids, pair, new):
    row = re.sub(rf"\b{pair[0]} {pair[1]}\b", f"{new}", " ".join(map(str, ids)))
    return [int(word) for word in row.split(" ")] if ids else []


def queue(ids, pair, new):
    rest, out = deque(ids), []
    while rest:
        x = rest.popleft()
        if x == pair[0] and rest and rest[0] == pair[1]:
            rest.popleft()
            x = new
        out.append(x)
    return out


def generated(ids, pair, new):
    def walk():
        used = False
        for x, y in itertools.zip_longest(ids, ids[1:]):
            if used:
                used = False
            elif (x, y) == pair:
                used = True
                yield new
            else:
                yield x

    return list(walk())


def in_halves(ids, pair, new):
    for i, both in enumerate(zip(ids, ids[1:], strict=False)):
        if both == pair:
            return ids[:i] + [new] + in_halves(ids[i + 2 :], pair, new)
    return ids[:]


def deleted_in_a_copy(ids, pair, new):
    """Runs past the end of what has become shorter: a slice is short there, and equals no pair."""
    ids = ids.copy()
    for i in range(len(ids) - 1):
        if tuple(ids[i : i + 2]) == pair:
            ids[i : i + 2] = [new]
    return ids


# Training.


def pairs_of(words):
    return Counter(pair for word in words for pair in itertools.pairwise(word))


def trainer(*, cut=bpe.split, spell=lambda word: list(word.encode()), count=pairs_of, key=None, merge=merged):
    """A train_bpe of which one part can be exchanged."""
    key = key or (lambda n, a, b, _: (n, a, b))

    def train_bpe(text, n_merges):
        words, tokens, found = [spell(word) for word in cut(text)], [bytes([i]) for i in range(256)], []
        for new in range(256, 256 + n_merges):
            counts = count(words)
            if not counts:
                break
            best = max(counts, key=lambda pair: key(counts[pair], tokens[pair[0]], tokens[pair[1]], pair))
            found.append(best)
            tokens.append(tokens[best[0]] + tokens[best[1]])
            words = [merge(word, best, new) for word in words]
        return found

    return train_bpe


def one_at_a_place(words):
    counts = Counter()
    for word in words:
        i = 0
        while i + 1 < len(word):
            counts[word[i], word[i + 1]] += 1
            i += 2 if word[i : i + 1] * 3 == word[i : i + 3] else 1
    return counts


def once_in_a_word(words):
    return Counter(pair for word in words for pair in set(itertools.pairwise(word)))


def across_words(words):
    return Counter(itertools.pairwise([x for word in words for x in word]))


def words_from_space_to_space(text):
    return re.split("(?= )", text)


def words_of_lines(text):
    return [word for line in text.splitlines() for word in bpe.split(line)]


def words_with_spaces_at_the_end(text):
    return re.findall(r"\S+\s*|\s+", text)


def counted_once(text, n_merges):
    words = [list(word.encode()) for word in bpe.split(text)]
    tokens = [bytes([i]) for i in range(256)]
    counts = pairs_of(words)
    return sorted(counts, key=lambda p: (counts[p], tokens[p[0]], tokens[p[1]]), reverse=True)[:n_merges]


def old_pairs_left(text, n_merges):
    """Counts are kept, and after a merge only the new pairs are added."""
    words, tokens = [list(word.encode()) for word in bpe.split(text)], [bytes([i]) for i in range(256)]
    counts, found = pairs_of(words), []
    while len(found) < n_merges and counts:
        best = max(counts, key=lambda p: (counts[p], tokens[p[0]], tokens[p[1]]))
        new = len(tokens)
        found.append(best)
        tokens.append(tokens[best[0]] + tokens[best[1]])
        words = [merged(word, best, new) for word in words]
        del counts[best]
        counts.update({pair: n for pair, n in pairs_of(words).items() if new in pair})
    return found


def no_end(text, n_merges):
    words, tokens, found = [list(word.encode()) for word in bpe.split(text)], [bytes([i]) for i in range(256)], []
    for new in range(256, 256 + n_merges):
        counts = pairs_of(words)
        found.append(max(counts, key=lambda p: (counts[p], tokens[p[0]], tokens[p[1]])))
        tokens.append(tokens[found[-1][0]] + tokens[found[-1][1]])
        words = [merged(word, found[-1], new) for word in words]
    return found


def twice_at_least(text, n_merges):
    words, tokens, found = [list(word.encode()) for word in bpe.split(text)], [bytes([i]) for i in range(256)], []
    for new in range(256, 256 + n_merges):
        counts = pairs_of(words)
        if not counts or max(counts.values()) < 2:
            break
        best = max(counts, key=lambda p: (counts[p], tokens[p[0]], tokens[p[1]]))
        found.append(best)
        tokens.append(tokens[best[0]] + tokens[best[1]])
        words = [merged(word, best, new) for word in words]
    return found


def bytes_of_pairs(text, n_merges):
    tok = tokenizer.BPE(trainer()(text, n_merges))
    return [(tok.token_bytes(a), tok.token_bytes(b)) for a, b in tok.merges]


def from_257(text, n_merges):
    return [tuple(x + (x > 255) for x in pair) for pair in trainer()(text, n_merges)]


def one_too_few(text, n_merges):
    return trainer()(text, n_merges - 1)


def words_counted(text, n_merges):
    words = Counter(tuple(word.encode()) for word in bpe.split(text))
    spelled, found = {i: bytes((i,)) for i in range(256)}, []
    while len(found) < n_merges:
        counts = defaultdict(int)
        for word, times in words.items():
            for pair in zip(word[:-1], word[1:], strict=True):
                counts[pair] += times
        if not counts:
            return found
        top = max(counts.values())
        a, b = max((p for p in counts if counts[p] == top), key=lambda p: [spelled[x] for x in p])
        spelled[256 + len(found)] = spelled[a] + spelled[b]
        words = Counter({tuple(merged(list(w), (a, b), 256 + len(found))): n for w, n in words.items()})
        found.append((a, b))
    return found


def byte_strings(text, n_merges):
    """Tokens are byte strings while it learns; ids come at the end."""
    words = [[bytes([x]) for x in word.encode()] for word in bpe.split(text)]
    ids, found = {bytes([x]): x for x in range(256)}, []
    for step in range(n_merges):
        counts = Counter()
        for word in words:
            counts.update(itertools.pairwise(word))
        ranked = sorted(((n, *pair) for pair, n in counts.items()), reverse=True)
        if not ranked:
            break
        _, left, right = ranked[0]
        found.append((ids[left], ids[right]))
        ids[left + right] = 256 + step
        words = [merged(word, (left, right), left + right) for word in words]
    return found


def sorted_twice(text, n_merges):
    words, names, found = [list(w.encode("utf-8")) for w in bpe.split(text)], [bytes([x]) for x in range(256)], []
    for _ in range(n_merges):
        flat = sorted(
            ((w[i], w[i + 1]) for w in words for i in range(len(w) - 1)),
            key=lambda p: (names[p[0]], names[p[1]]),
            reverse=True,
        )
        runs = [(pair, len(list(run))) for pair, run in itertools.groupby(flat)]
        if runs == []:
            break
        pair = max(runs, key=lambda run: run[1])[0]  # the first of equals, and the greatest comes first
        words = [letters_of_a_string(w, pair, 256 + len(found)) for w in words]
        names.append(names[pair[0]] + names[pair[1]])
        found.append(pair)
    return found


def only_what_changes(text, n_merges):
    """Counts are kept, and only the words that hold the pair are counted again."""
    words, names = [list(word.encode()) for word in bpe.split(text)], [bytes([x]) for x in range(256)]
    counts, found = pairs_of(words), []
    while len(found) < n_merges and (counts := +counts):
        pair = max(counts, key=lambda p: (counts[p], names[p[0]], names[p[1]]))
        for i, word in enumerate(words):
            if pair in itertools.pairwise(word):
                counts.subtract(itertools.pairwise(word))
                words[i] = merged(word, pair, len(names))
                counts.update(itertools.pairwise(words[i]))
        names.append(names[pair[0]] + names[pair[1]])
        found.append(pair)
    return found


def one_row_with_borders(text, n_merges):
    row, names, found = [-1], [bytes([x]) for x in range(256)], []
    for word in bpe.split(text):
        row += [*word.encode(), -1]
    for new in range(256, 256 + n_merges):
        a = np.array(row)
        inside = (a[:-1] >= 0) & (a[1:] >= 0)
        pairs, times = np.unique(np.stack([a[:-1], a[1:]], 1)[inside], axis=0, return_counts=True)
        if not len(pairs):
            break
        best = [tuple(p) for p in pairs[times == times.max()].tolist()]
        best.sort(key=lambda p: (names[p[0]], names[p[1]]))
        found.append(best.pop())
        names.append(b"".join(names[x] for x in found[-1]))
        row = merged(row, found[-1], new)
    return found


def library_learns(text, n_merges):
    return [tuple(pair) for pair in bpe.learn(Counter(word.encode() for word in bpe.split(text)), n_merges)]


# Encoding.


def no_words(text, merges):
    row = list(text.encode())
    for i, pair in enumerate(merges):
        row = merged(row, pair, 256 + i)
    return row


def encoder(*, cut=bpe.split, spell=lambda word: list(word.encode()), order=enumerate, merge=merged, first=256):
    """An encode of which one part can be exchanged."""

    def encode(text, merges):
        ids = []
        for word in cut(text):
            row = spell(word)
            for i, pair in order(merges):
                row = merge(row, pair, first + i)
            ids += row
        return ids

    return encode


def longest_token(text, merges):
    ids = {bytes([i]): i for i in range(256)}
    tokens = [bytes([i]) for i in range(256)]
    for a, b in merges:
        tokens.append(tokens[a] + tokens[b])
        ids.setdefault(tokens[-1], len(tokens) - 1)
    out = []
    for word in bpe.split(text):
        rest = word.encode()
        while rest:
            n = next(n for n in range(len(rest), 0, -1) if rest[:n] in ids)
            out.append(ids[rest[:n]])
            rest = rest[n:]
    return out


def leftmost_first(text, merges):
    new = {tuple(pair): 256 + i for i, pair in enumerate(merges)}
    out = []
    for word in bpe.split(text):
        row, i = list(word.encode()), 0
        while i + 1 < len(row):
            if (row[i], row[i + 1]) in new:
                row[i : i + 2] = [new[row[i], row[i + 1]]]
                i = 0
            else:
                i += 1
        out += row
    return out


def one_pass_with_a_stack(text, merges):
    new = {tuple(pair): 256 + i for i, pair in enumerate(merges)}
    out = []
    for word in bpe.split(text):
        row = []
        for x in word.encode():
            row.append(x)
            while len(row) > 1 and (row[-2], row[-1]) in new:
                row[-2:] = [new[row[-2], row[-1]]]
        out += row
    return out


def newest_first(text, merges):
    rank = {tuple(pair): i for i, pair in enumerate(merges)}
    out = []
    for word in bpe.split(text):
        row = list(word.encode())
        while possible := [pair for pair in itertools.pairwise(row) if pair in rank]:
            pair = max(possible, key=rank.get)
            row = merged(row, pair, 256 + rank[pair])
        out += row
    return out


def backwards(merges):
    return reversed(list(enumerate(merges)))


def until_one_is_missing(text, merges):
    out = []
    for word in bpe.split(text):
        row = list(word.encode())
        for i, pair in enumerate(merges):
            shorter = merged(row, pair, 256 + i)
            if shorter == row:
                break
            row = shorter
        out += row
    return out


def not_flattened(text, merges):
    return [encoder()(word, merges) for word in bpe.split(text)]


def last_word_only(text, merges):
    ids = []
    for word in bpe.split(text):
        ids = list(word.encode())
        for i, pair in enumerate(merges):
            ids = merged(ids, pair, 256 + i)
    return ids


def merges_used_up(text, merges):
    words, new = [list(word.encode()) for word in bpe.split(text)], 256
    while merges:
        pair = merges.pop(0)
        words = [merged(word, pair, new) for word in words]
        new += 1
    return [x for word in words for x in word]


def least_rank(text, merges):
    rank = {tuple(pair): i for i, pair in enumerate(merges)}
    never = len(merges)
    out = []
    for word in bpe.split(text):
        row = list(word.encode())
        while len(row) > 1:
            best = min(range(len(row) - 1), key=lambda i: rank.get((row[i], row[i + 1]), never))
            made = rank.get((row[best], row[best + 1]), never)
            if made == never:
                break
            row[best : best + 2] = [256 + made]
        out.extend(row)
    return out


def borders_in_one_row(text, merges):
    row = []
    for word in bpe.split(text):
        row.extend([*word.encode(), None])
    for i, pair in enumerate(merges):
        row = merged(row, pair, 256 + i)
    return [x for x in row if x is not None]


def remembered(text, merges):
    steps = list(enumerate(merges, 256))

    @functools.cache
    def one(word):
        return functools.reduce(lambda row, step: a_stack(row, step[1], step[0]), steps, list(word.encode()))

    return list(itertools.chain.from_iterable(map(one, bpe.split(text))))


def merges_outside(text, merges):
    words = [word.encode("utf8").decode("latin-1") for word in bpe.split(text)]
    for i, (a, b) in enumerate(merges):
        words = [word.replace(chr(a) + chr(b), chr(256 + i)) for word in words]
    return [ord(x) for word in words for x in word]


def recursive(text, merges):
    def walk(row, i):
        return row if i == len(merges) else walk(in_halves(row, tuple(merges[i]), 256 + i), i + 1)

    return sum((walk(list(word.encode()), 0) for word in bpe.split(text)), [])


def library_encodes(text, merges):
    return [int(i) for i in tokenizer.BPE([tuple(pair) for pair in merges]).encode(text)]


# Decoding.


def table_of(merges):
    tokens = [bytes([i]) for i in range(256)]
    for a, b in merges:
        tokens.append(tokens[a] + tokens[b])
    return tokens


def decoder(*, check=lambda i, n: 0 <= i < n, table=table_of, read=lambda raw: raw.decode("utf-8", errors="replace")):
    """A decode of which one part can be exchanged."""

    def decode(ids, merges):
        tokens = table(merges)
        for i in ids:
            if not check(i, len(tokens)):
                raise ValueError(f"{i} is no token")
        return read(b"".join(tokens[i] for i in ids))

    return decode


def token_by_token(ids, merges):
    tokens = table_of(merges)
    if any(not 0 <= i < len(tokens) for i in ids):
        raise ValueError("no token")
    return "".join(tokens[i].decode(errors="replace") for i in ids)


def reversed_table(merges):
    tokens = [bytes([i]) for i in range(256)]
    for a, b in merges:
        tokens.append(tokens[b] + tokens[a])
    return tokens


def one_level(merges):
    return [bytes([i]) for i in range(256)] + [bytes([a, b]) for a, b in merges]


def one_level_of_ids(ids, merges):
    out = []
    for i in ids:
        if not 0 <= i < 256 + len(merges):
            raise ValueError(f"{i} is no token")
        out += merges[i - 256] if i > 255 else [i]
    return bytes(x % 256 for x in out).decode(errors="replace")


def no_check_at_all(ids, merges):
    tokens = table_of(merges)
    return b"".join(tokens[i] for i in ids).decode(errors="replace")


def index_error_caught(ids, merges):
    tokens = table_of(merges)
    try:
        return b"".join(tokens[i] for i in ids).decode("utf-8", "replace")
    except IndexError as error:
        raise ValueError("no token") from error


def key_error(ids, merges):
    tokens = dict(enumerate(table_of(merges)))
    return b"".join([tokens[i] for i in ids]).decode(errors="replace")


def unknown_left_out(ids, merges):
    tokens = dict(enumerate(table_of(merges)))
    return b"".join(tokens.get(i, b"") for i in ids).decode(errors="replace")


def unknown_replaced(ids, merges):
    tokens = dict(enumerate(table_of(merges)))
    return b"".join(tokens.get(i, "\ufffd".encode()) for i in ids).decode(errors="replace")


def asserted(ids, merges):
    tokens = table_of(merges)
    assert all(0 <= i < len(tokens) for i in ids), "no token"
    return b"".join(tokens[i] for i in ids).decode(errors="replace")


def an_error_returned(ids, merges):
    tokens = table_of(merges)
    if not all(0 <= i < len(tokens) for i in ids):
        return ValueError("no token")
    return b"".join(tokens[i] for i in ids).decode(errors="replace")


def strict_and_everything_caught(ids, merges):
    tokens = table_of(merges)
    try:
        return b"".join(tokens[i] for i in ids if i >= 0 or tokens[256 + len(merges)]).decode()
    except Exception as error:
        raise ValueError("something is wrong") from error


def recursive_bytes(ids, merges):
    @functools.lru_cache(None)
    def spell(i):
        if i < 0 or i >= 256 + len(merges):
            raise ValueError(f"the id {i} is no token")
        if i < 256:
            return bytes([i])
        a, b = merges[i - 256]
        return spell(a) + spell(b)

    return b"".join(map(spell, ids)).decode("utf-8", errors="replace")


def taken_apart(ids, merges):
    """Merges undone from the last to the first."""
    if len(ids) and (min(ids) < 0 or max(ids) >= 256 + len(merges)):
        raise ValueError("no token")
    row = list(ids)
    for i in range(len(merges) - 1, -1, -1):
        row = [x for y in row for x in (merges[i] if y == 256 + i else (y,))]
    return str(bytes(row), "utf-8", "replace")


def a_stack_of_ids(ids, merges):
    raw, todo = bytearray(), list(ids)[::-1]
    while todo:
        i = todo.pop()
        if i in range(256):
            raw.append(i)
        elif i in range(256, 256 + len(merges)):
            todo.extend(reversed(merges[i - 256]))
        else:
            raise ValueError(i)
    return raw.decode(errors="replace")


def a_reader(ids, merges):
    tokens, reader = table_of(merges), codecs.getincrementaldecoder("utf-8")(errors="replace")
    known = set(range(len(tokens)))
    if not known.issuperset(ids):
        raise ValueError("no token among " + repr(ids))
    return "".join(reader.decode(tokens[i]) for i in ids) + reader.decode(b"", final=True)


def a_dict_of_tokens(ids, merges):
    tokens = {i: i.to_bytes(1, "big") for i in range(256)}
    for i, (a, b) in enumerate(merges, start=256):
        tokens[i] = tokens[a] + tokens[b]
    try:
        raw = b"".join([tokens[i] for i in ids])
    except KeyError as error:
        raise ValueError(f"no token {error}") from None
    return raw.decode("utf-8", "replace")


def library_decodes(ids, merges):
    return tokenizer.BPE([tuple(pair) for pair in merges]).decode(np.array(ids, dtype=int))


# Looking up.


def checked(ids, table):
    if np.any(ids < 0) or np.any(ids >= len(table)):
        raise ValueError("an id outside the table")


def rows_only(ids, table):
    return table[ids]


def too_large_only(ids, table):
    if np.any(ids >= table.shape[0]):
        raise ValueError("too large")
    return table[ids]


def negative_only(ids, table):
    if np.any(ids < 0):
        raise ValueError("negative")
    return table[ids]


def caught(ids, table):
    try:
        return table[ids]
    except IndexError as error:
        raise ValueError("an id outside the table") from error


def one_past_the_end(ids, table):
    if (ids < 0).any() or (ids > len(table)).any():
        raise ValueError("an id outside the table")
    return table[ids]


def zero_refused(ids, table):
    if not ((ids > 0) & (ids < len(table))).all():
        raise ValueError("an id outside the table")
    return table[ids]


def last_refused(ids, table):
    if not ((ids >= 0) & (ids < len(table) - 1)).all():
        raise ValueError("an id outside the table")
    return table[ids]


def width_for_length(ids, table):
    if np.any((ids < 0) | (ids >= table.shape[1])):
        raise ValueError("an id outside the table")
    return table[ids]


def size_for_length(ids, table):
    if np.any((ids < 0) | (ids >= table.size)):
        raise ValueError("an id outside the table")
    return table[ids]


def all_for_any(ids, table):
    if ((ids < 0) | (ids >= len(table))).all():
        raise ValueError("an id outside the table")
    return table[ids]


def and_for_or(ids, table):
    if (ids < 0).any() and (ids >= len(table)).any():
        raise ValueError("an id outside the table")
    return table[ids]


def clipped(ids, table):
    return table[np.clip(ids, 0, len(table) - 1)]


def wrapped(ids, table):
    return np.take(table, ids, axis=0, mode="wrap")


def taken_from_the_flat_table(ids, table):
    checked(ids, table)
    return np.take(table, ids)


def columns(ids, table):
    checked(ids, table)
    return table[:, ids]


def flat(ids, table):
    checked(ids, table)
    return table[ids.ravel()]


def squeezed(ids, table):
    checked(ids, table)
    return np.squeeze(table[ids])


def asserted_ids(ids, table):
    assert ids.min() >= 0 and ids.max() < len(table), "an id outside the table"
    return table[ids]


def one_row_of_ids(ids, table):
    out = np.zeros((len(ids), table.shape[1]))
    for t, i in enumerate(ids):
        if i < 0 or i >= len(table):
            raise ValueError("an id outside the table")
        out[t] = table[i]
    return out


def two_axes_of_ids(ids, table):
    checked(ids, table)
    N, T = ids.shape
    return table[ids.reshape(-1)].reshape(N, T, -1)


def half_precision(ids, table):
    checked(ids, table)
    return table.astype(np.float16)[ids]


def one_hot(ids, table):
    checked(ids, table)
    hot = np.zeros((*ids.shape, len(table)), dtype=table.dtype)
    np.put_along_axis(hot, ids[..., None], 1, axis=-1)
    return hot @ table


def compared_and_summed(ids, table):
    hot = ids[..., None] == np.arange(len(table))
    if not hot.any(-1).all():
        raise ValueError("an id that has no row")
    return np.einsum("...v,vc->...c", hot.astype(table.dtype), table)


def place_by_place(ids, table):
    out = np.empty(ids.shape + table.shape[1:], dtype=table.dtype)
    for where in np.ndindex(ids.shape):
        if not 0 <= ids[where] < len(table):
            raise ValueError(f"no row {ids[where]}")
        out[where] = table[ids[where]]
    return out


def lists_of_lists(ids, table):
    rows = table.tolist()

    def walk(item):
        if isinstance(item, list):
            return [walk(x) for x in item]
        if item not in range(len(rows)):
            raise ValueError(item)
        return rows[item]

    return np.array(walk(ids.tolist()), dtype=table.dtype)


def without_a_sign(ids, table):
    if (np.asarray(ids).astype(np.int64).view(np.uint64) >= np.uint64(len(table))).any():
        raise ValueError("an id outside the table")
    return table.take(ids, axis=0)


def unique_ids(ids, table):
    known, places = np.unique(ids, return_inverse=True)
    if len(known) and (known[0] < 0 or known[-1] >= len(table)):
        raise ValueError("an id outside the table")
    return table[known][places.reshape(ids.shape)]


def with_a_guard(ids, table):
    """Negative ids are made too large, so that NumPy finds both kinds."""
    try:
        return np.take(table, np.where(np.less(ids, 0), len(table), ids), axis=0, mode="raise")
    except IndexError as error:
        raise ValueError(str(error)) from error


MERGE_PAIR = {
    "wrong": [
        ("nothing is skipped after a merge", nothing_skipped),
        ("i += 1 in a for loop, which takes no notice", skipped_by_for),
        ("the last id is lost", last_one_lost),
        ("the last id is always appended, even after it was merged", last_one_kept_for_good),
        ("from the right to the left", from_the_right),
        ("all places are looked for first, and overlap", all_places_at_once),
        ("masks of NumPy, which overlap", masks),
        ("the first place only", first_place_only),
        ("the pair in either order", either_order),
        ("replace in a string of digits, where 1 2 is found in 11 2", digits),
        ("replace in a string with commas, which two neighbours cannot share", commas),
        ("replace in bytes, which end at 255", as_bytes),
        ("deleted in the list that was given", deleted_in_place),
        ("the list that was given comes back if the pair is not in it", same_list_if_nothing_to_do),
        ("`is` for ==, which is true of small numbers only", the_same_object),
    ],
    "right": [
        ("a while loop and slices", merged),
        ("a stack that looks back", a_stack),
        ("replace in a string of letters", letters_of_a_string),
        ("a regular expression with edges", regular),
        ("a queue", queue),
        ("a generator that remembers what is used", generated),
        ("recursive", in_halves),
        ("a copy that gets shorter in a for loop", deleted_in_a_copy),
    ],
}

TRAIN_BPE = {
    "wrong": [
        ("of equal counts the pair that was met first", trainer(key=lambda n, a, b, pair: n)),
        ("of equal counts the greatest ids", trainer(key=lambda n, a, b, pair: (n, pair))),
        ("of equal counts the greatest joined string", trainer(key=lambda n, a, b, pair: (n, a + b))),
        ("of equal counts the right string is compared first", trainer(key=lambda n, a, b, pair: (n, b, a))),
        (
            "of equal counts the smallest strings",
            trainer(key=lambda n, a, b, pair: (n, [-x for x in a], [-x for x in b])),
        ),
        (
            "of equal counts the greatest, read as text",
            trainer(key=lambda n, a, b, pair: (n, a.decode(errors="replace"), b.decode(errors="replace"))),
        ),
        (
            "of equal counts the longest, and then the greatest",
            trainer(key=lambda n, a, b, pair: (n, len(a + b), a, b)),
        ),
        ("the text as one long word", trainer(cut=lambda text: [text])),
        ("text.split(), which loses the spaces", trainer(cut=str.split)),
        ("words keep the space behind them", trainer(cut=words_with_spaces_at_the_end)),
        ("a word goes from space to space", trainer(cut=words_from_space_to_space)),
        ("the ends of lines are lost", trainer(cut=words_of_lines)),
        ("the text is stripped first", trainer(cut=lambda text: bpe.split(text.strip()))),
        ("capitals are made small", trainer(cut=lambda text: bpe.split(text.lower()))),
        ("merged in a string of digits, where 1 2 is found in 11 2", trainer(merge=digits)),
        ("pairs are counted across words, and merged within", trainer(count=across_words)),
        ("each different word counts once", trainer(cut=lambda text: sorted(set(bpe.split(text))))),
        ("a pair counts once in a word", trainer(count=once_in_a_word)),
        ("in aaa the pair is counted once", trainer(count=one_at_a_place)),
        ("code points, not bytes", trainer(spell=lambda word: [ord(x) % 256 for x in word])),
        ("what is not ASCII is left out", trainer(spell=lambda word: list(word.encode("ascii", "ignore")))),
        ("merged from the right", trainer(merge=from_the_right)),
        ("merged at the first place of a word only", trainer(merge=first_place_only)),
        ("counted once and for all", counted_once),
        ("the counts of pairs that are gone are left", old_pairs_left),
        ("the maximum of nothing", no_end),
        ("no pair that occurs once is merged", twice_at_least),
        ("pairs of byte strings, not of ids", bytes_of_pairs),
        ("the first new id is 257", from_257),
        ("one merge too few", one_too_few),
    ],
    "right": [
        ("max with a key, everything counted anew", trainer()),
        ("different words with their numbers, in tuples", words_counted),
        ("tokens are byte strings, and ids come last", byte_strings),
        ("pairs sorted, and groups of equal ones", sorted_twice),
        ("only words that hold the pair are counted again", only_what_changes),
        ("one row with borders, and NumPy's unique", one_row_with_borders),
        ("the library's own", library_learns),
    ],
}
ENCODE = {
    "wrong": [
        ("the text as one long word", no_words),
        ("the longest token that fits", longest_token),
        ("whichever merge applies leftmost, again and again", leftmost_first),
        ("one pass with a stack, merged as soon as possible", one_pass_with_a_stack),
        ("of the merges that apply, the one learned last", newest_first),
        ("the merges backwards", encoder(order=backwards)),
        (
            "the merges in the order of their ids",
            encoder(order=lambda merges: sorted(enumerate(merges), key=lambda m: m[1])),
        ),
        ("each merge at its first place only", encoder(merge=first_place_only)),
        ("merged from the right", encoder(merge=from_the_right)),
        ("text.split(), which loses the spaces", encoder(cut=str.split)),
        ("words without the space before them", encoder(cut=lambda text: [word.strip() for word in bpe.split(text)])),
        ("a word goes from space to space", encoder(cut=words_from_space_to_space)),
        ("the ends of lines are lost", encoder(cut=words_of_lines)),
        ("the text is stripped first", encoder(cut=lambda text: bpe.split(text.strip()))),
        ("merged in a string of digits, where 1 2 is found in 11 2", encoder(merge=digits)),
        ("words keep the space behind them", encoder(cut=words_with_spaces_at_the_end)),
        ("capitals are made small", encoder(spell=lambda word: list(word.lower().encode()))),
        ("code points, not bytes", encoder(spell=lambda word: [ord(x) for x in word])),
        (
            "what is not ASCII becomes a question mark",
            encoder(spell=lambda word: list(word.encode("ascii", "replace"))),
        ),
        ("the first merge is 257", encoder(first=257)),
        ("stops at the first merge that does not occur", until_one_is_missing),
        ("a list for each word", not_flattened),
        ("the last word only", last_word_only),
        ("merges is used up", merges_used_up),
    ],
    "right": [
        ("word by word and merge by merge", encoder()),
        ("the pair of least rank, one place at a time", least_rank),
        ("one row with borders", borders_in_one_row),
        ("each different word once, with reduce", remembered),
        ("merges outside, words inside, replace in strings", merges_outside),
        ("recursive", recursive),
        ("the library's own", library_encodes),
    ],
}
DECODE = {
    "wrong": [
        ("each token is read by itself", token_by_token),
        ("strict, which crashes", decoder(read=lambda raw: raw.decode())),
        ("what is no text is left out", decoder(read=lambda raw: raw.decode(errors="ignore"))),
        (
            "what is no text is written with backslashes",
            decoder(read=lambda raw: raw.decode(errors="backslashreplace")),
        ),
        (
            "what is no text becomes a question mark",
            decoder(read=lambda raw: raw.decode(errors="replace").replace("\ufffd", "?")),
        ),
        ("read as Latin-1", decoder(read=lambda raw: raw.decode("latin-1"))),
        ("read as ASCII", decoder(read=lambda raw: raw.decode("ascii", errors="replace"))),
        ("the bytes, not the text", decoder(read=lambda raw: raw)),
        ("stripped", decoder(read=lambda raw: raw.decode(errors="replace").strip())),
        ("stripped at the end", decoder(read=lambda raw: raw.decode(errors="replace").rstrip())),
        ("the right token before the left", decoder(table=reversed_table)),
        ("a merge of two bytes, never of tokens", decoder(table=one_level)),
        ("one merge is undone, those within it are not", one_level_of_ids),
        ("no check", no_check_at_all),
        ("an IndexError becomes a ValueError, and -1 is a token", index_error_caught),
        ("a KeyError", key_error),
        ("unknown ids are left out", unknown_left_out),
        ("unknown ids become U+FFFD", unknown_replaced),
        ("assert", asserted),
        ("the error is returned, not raised", an_error_returned),
        ("the first id that is too large is let through", decoder(check=lambda i, n: 0 <= i <= n)),
        ("the last token is refused", decoder(check=lambda i, n: 0 <= i < n - 1)),
        ("id 0 is refused", decoder(check=lambda i, n: 0 < i < n)),
        ("only bytes are tokens", decoder(check=lambda i, n: 0 <= i < 256)),
        ("negative ids are tokens", decoder(check=lambda i, n: i < n)),
        ("strict, and every error is a ValueError", strict_and_everything_caught),
    ],
    "right": [
        ("a list of all tokens", decoder()),
        ("recursive, and remembered", recursive_bytes),
        ("merges undone from the last to the first", taken_apart),
        ("a stack of ids", a_stack_of_ids),
        ("a reader that keeps the beginning of a character", a_reader),
        ("a dict, and its KeyError", a_dict_of_tokens),
        ("the library's own", library_decodes),
    ],
}
LOOK_UP = {
    "wrong": [
        ("no check", rows_only),
        ("only too large ids are refused", too_large_only),
        ("only negative ids are refused, the others are an IndexError", negative_only),
        ("an IndexError becomes a ValueError, and -1 is the last row", caught),
        ("the first id that is too large is let through", one_past_the_end),
        ("id 0 is refused", zero_refused),
        ("the last row is refused", last_refused),
        ("compared with the width of the table", width_for_length),
        ("compared with the size of the table", size_for_length),
        ("refused only if all ids are wrong", all_for_any),
        ("refused only if there are wrong ones on both sides", and_for_or),
        ("clipped", clipped),
        ("wrapped", wrapped),
        ("take without an axis", taken_from_the_flat_table),
        ("columns, not rows", columns),
        ("the axes of ids are lost", flat),
        ("axes of length 1 are lost", squeezed),
        ("assert", asserted_ids),
        ("one axis of ids only", one_row_of_ids),
        ("two axes of ids only", two_axes_of_ids),
        ("half precision", half_precision),
    ],
    "right": [
        ("a product with one-hot rows", one_hot),
        ("ids compared with all numbers, and einsum", compared_and_summed),
        ("place by place", place_by_place),
        ("lists of lists", lists_of_lists),
        ("numbers without a sign, and take", without_a_sign),
        ("each different id once", unique_ids),
        ("negative ids made too large, and NumPy's own error", with_a_guard),
    ],
}
ANSWERS = {"merge_pair": MERGE_PAIR, "train_bpe": TRAIN_BPE, "encode": ENCODE, "decode": DECODE, "look_up": LOOK_UP}
NAMED = {"merge_pair": 11, "train_bpe": 24, "encode": 20, "decode": 15, "look_up": 9}
