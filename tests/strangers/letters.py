"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import bisect
import itertools
import math
import re
from collections import Counter, defaultdict, deque
from fractions import Fraction

import numpy as np
from scipy import linalg, special

# The logarithm of the softmax.


def log_of_the_plain_softmax(logits, *, temperature=1.0):
    e = np.exp(logits / temperature)
    return np.log(e / e.sum(-1, keepdims=True))


def log_of_a_safe_softmax(logits, *, temperature=1.0):
    e = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return np.log(e / e.sum(axis=-1, keepdims=True))


def nothing_taken_off(logits, *, temperature=1.0):
    s = logits / temperature
    return s - np.log(np.sum(np.exp(s), axis=-1, keepdims=True))


def a_tiny_number_in_the_log(logits, *, temperature=1.0):
    s = logits / temperature
    e = np.exp(s - s.max(-1, keepdims=True))
    return np.log(e / e.sum(-1, keepdims=True) + 1e-12)


def clipped_scores(logits, *, temperature=1.0):
    s = np.clip(logits / temperature, -700, 700)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def largest_of_all(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - np.max(s)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def mean_taken_off(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.mean(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def largest_in_size(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - np.abs(s).max(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def largest_not_given_back(logits, *, temperature=1.0):
    s = logits / temperature
    m = s.max(-1, keepdims=True)
    return s - np.log(np.exp(s - m).sum(-1, keepdims=True))


def largest_given_back_with_a_minus(logits, *, temperature=1.0):
    s = logits / temperature
    m = s.max(-1, keepdims=True)
    return s - (np.log(np.exp(s - m).sum(-1, keepdims=True)) - m)


def sum_of_all_rows(logits, *, temperature=1.0):
    s = logits / temperature
    m = s.max(-1, keepdims=True)
    return s - m - np.log(np.exp(s - m).sum())


def first_axis(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.max(0)
    return s - np.log(np.exp(s).sum(0))


def second_axis(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.max(1, keepdims=True)
    return s - np.log(np.exp(s).sum(1, keepdims=True))


def for_two_axes(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.max(-1)[:, None]
    return s - np.log(np.exp(s).sum(-1))[:, None]


def times_temperature(logits, *, temperature=1.0):
    s = logits * temperature
    s = s - s.max(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def temperature_last(logits, *, temperature=1.0):
    s = logits - logits.max(-1, keepdims=True)
    return (s - np.log(np.exp(s).sum(-1, keepdims=True))) / temperature


def temperature_in_one_place(logits, *, temperature=1.0):
    s = logits - logits.max(-1, keepdims=True)
    return s / temperature - np.log(np.exp(s).sum(-1, keepdims=True))


def temperature_forgotten(logits, *, temperature=1.0):
    s = logits - logits.max(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def temperature_after_the_largest(logits, *, temperature=1.0):
    s = logits / temperature - logits.max(-1, keepdims=True)
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def changed_in_place(logits, *, temperature=1.0):
    logits -= logits.max(-1, keepdims=True)
    s = logits / temperature
    return s - np.log(np.exp(s).sum(-1, keepdims=True))


def no_logarithm(logits, *, temperature=1.0):
    s = logits / temperature
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def in_bits(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.max(-1, keepdims=True)
    return s - np.log2(np.exp(s).sum(-1, keepdims=True))


def losses(logits, *, temperature=1.0):
    s = logits / temperature
    s = s - s.max(-1, keepdims=True)
    return np.log(np.exp(s).sum(-1, keepdims=True)) - s


def each_against_all(logits, *, temperature=1.0):
    s = logits / temperature
    return -np.log(np.exp(s[..., None, :] - s[..., :, None]).sum(-1))


def library_softmax(logits, *, temperature=1.0):
    return special.log_softmax(logits / temperature, axis=-1)


def library_sum(logits, *, temperature=1.0):
    return logits / temperature - special.logsumexp(np.divide(logits, temperature), axis=-1, keepdims=True)


def adding_logs(logits, *, temperature=1.0):
    s = np.asarray(logits) / temperature
    return s - np.logaddexp.reduce(s, axis=-1)[..., None]


def row_by_row(logits, *, temperature=1.0):
    out = np.empty(logits.shape)
    for where in np.ndindex(*logits.shape[:-1]):
        row = [float(v) / temperature for v in logits[where]]
        top = max(row)
        total = math.fsum(math.exp(v - top) for v in row)
        out[where] = [v - top - math.log(total) for v in row]
    return out


def scores_first(logits, *, temperature=1.0):
    s = np.moveaxis(logits, -1, 0) / temperature
    s = s - s.max(0)
    return np.moveaxis(s - np.log(np.exp(s).sum(0)), 0, -1)


def each_row_by_a_helper(logits, *, temperature=1.0):
    def one(row):
        row = row - row.max()
        return row - math.log(np.exp(row).sum())

    return np.apply_along_axis(one, -1, logits / temperature)


def all_but_the_largest(logits, *, temperature=1.0):
    s = np.sort(logits, axis=-1)
    top = s[..., -1:]
    rest = np.exp((s[..., :-1] - top) / temperature).sum(-1, keepdims=True)
    return (logits - top) / temperature - np.log1p(rest)


def in_long_floats(logits, *, temperature=1.0):
    s = logits.astype(np.longdouble) / temperature
    top = np.max(s, axis=-1, keepdims=True)
    total = np.einsum("...v->...", np.exp(s - top))
    return ((s - top) - np.log(total)[..., np.newaxis]).astype(float)


def in_short_floats(logits, *, temperature=1.0):
    s = (logits / temperature).astype(np.float32)
    return s - special.logsumexp(s, axis=-1, keepdims=True)


def in_a_copy(logits, *, temperature=1.0):
    out = np.array(logits, dtype=float)
    out /= temperature
    out -= out.max(-1, keepdims=True)
    out -= np.log(np.exp(out) @ np.ones((out.shape[-1], 1)))
    return out


def against_all_by_logs(logits, *, temperature=1.0):
    s = logits / temperature
    return -np.logaddexp.reduce(s[..., None, :] - s[..., :, None], axis=-1)


# The loss of an n-gram.  `windows` and `measured` are what most of the wrong answers have right.


def windows(text, n):
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def tables(train, order):
    pieces = Counter(windows(train, order))
    contexts = Counter()
    for piece, n in pieces.items():
        contexts[piece[:-1]] += n
    return pieces, contexts


def measured(train, text, order, probability):
    """The mean of -ln probability(n(piece), n(context)), which most answers get wrong in one place only."""
    pieces, contexts = tables(train, order)
    asked = windows(text, order)
    return -sum(math.log(probability(pieces[piece], contexts[piece[:-1]])) for piece in asked) / len(asked)


def counted_by_str(train, text, *, order, vocab_size, add=1.0):
    total = 0
    for piece in windows(text, order):
        n = train[:-1].count(piece[:-1]) if order > 1 else len(train)
        total -= math.log((train.count(piece) + add) / (n + add * vocab_size))
    return total / (len(text) - order + 1)


def last_context_counted(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = Counter(windows(train, order)), Counter(windows(train, order - 1))
    if order == 1:
        contexts[""] = len(train)
    asked = windows(text, order)
    chances = [(pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size) for p in asked]
    return -np.log(chances).mean()


def letters_that_occur(train, text, *, order, vocab_size, add=1.0):
    V = len(set(train))
    return measured(train, text, order, lambda n, total: (n + add) / (total + add * V))


def letters_of_both(train, text, *, order, vocab_size, add=1.0):
    V = len(set(train + text))
    return measured(train, text, order, lambda n, total: (n + add) / (total + add * V))


def added_above_only(train, text, *, order, vocab_size, add=1.0):
    return measured(train, text, order, lambda n, total: (n + add) / (total + vocab_size))


def added_once_below(train, text, *, order, vocab_size, add=1.0):
    return measured(train, text, order, lambda n, total: (n + add) / (total + add))


def always_one(train, text, *, order, vocab_size, add=1.0):
    return measured(train, text, order, lambda n, total: (n + 1) / (total + vocab_size))


def added_to_the_zeros_only(train, text, *, order, vocab_size, add=1.0):
    return measured(train, text, order, lambda n, total: (n or add) / (total + add * vocab_size))


def per_letter_of_text(train, text, *, order, vocab_size, add=1.0):
    mean = measured(train, text, order, lambda n, total: (n + add) / (total + add * vocab_size))
    return mean * (len(text) - order + 1) / len(text)


def bits(train, text, *, order, vocab_size, add=1.0):
    mean = measured(train, text, order, lambda n, total: (n + add) / (total + add * vocab_size))
    return mean / math.log(2)


def perplexity(train, text, *, order, vocab_size, add=1.0):
    return math.exp(measured(train, text, order, lambda n, total: (n + add) / (total + add * vocab_size)))


def log_likelihood(train, text, *, order, vocab_size, add=1.0):
    return -measured(train, text, order, lambda n, total: (n + add) / (total + add * vocab_size))


def summed(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    return sum(-math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in windows(text, order))


def log_of_the_mean(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    chances = [(pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size) for p in windows(text, order)]
    return -math.log(sum(chances) / len(chances))


def each_piece_once(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    asked = set(windows(text, order))
    return -sum(math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in asked) / len(asked)


def known_contexts_only(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    asked = [p for p in windows(text, order) if p[:-1] in contexts]
    return -sum(math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in asked) / len(asked)


def swapped(train, text, *, order, vocab_size, add=1.0):
    return measured(text, train, order, lambda n, total: (n + add) / (total + add * vocab_size))


def on_the_training_text(train, text, *, order, vocab_size, add=1.0):
    return measured(train, train, order, lambda n, total: (n + add) / (total + add * vocab_size))


def a_longer_context(train, text, *, order, vocab_size, add=1.0):
    return measured(train, text, order + 1, lambda n, total: (n + add) / (total + add * vocab_size))


def last_letter_forgotten(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    total, n = 0.0, 0
    for i in range(order - 1, len(text) - 1):
        context = text[i - order + 1 : i]
        total -= math.log((pieces[context + text[i]] + add) / (contexts[context] + add * vocab_size))
        n += 1
    return total / n


def first_letters_too(train, text, *, order, vocab_size, add=1.0):
    pieces, contexts = tables(train, order)
    total = 0.0
    for i, x in enumerate(text):
        context = text[max(0, i - order + 1) : i]
        total -= math.log((pieces[context + x] + add) / (contexts[context] + add * vocab_size))
    return total / len(text)


def stacked_by_zip(train, text, *, order, vocab_size, add=1.0):
    pieces = Counter(zip(*[train[i:] for i in range(order)], strict=False))
    contexts = Counter(zip(*[train[i:-1] for i in range(order - 1)], strict=False))
    asked = list(zip(*[text[i:] for i in range(order)], strict=False))
    chances = [(pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size) for p in asked]
    return -np.mean(np.log(chances))  # with order 1 nothing is zipped, and nobody is a context


def followers_not_times(train, text, *, order, vocab_size, add=1.0):
    after = defaultdict(Counter)
    for i in range(order - 1, len(train)):
        after[train[i - order + 1 : i]][train[i]] += 1
    asked = windows(text, order)
    chances = [(after[p[:-1]][p[-1]] + add) / (len(after[p[:-1]]) + add * vocab_size) for p in asked]
    return -np.mean(np.log(chances))


def numbers_of_train(train, text, *, order, vocab_size, add=1.0):
    number = {x: i for i, x in enumerate(sorted(set(train)))}
    a, b = [number[x] for x in train], [number[x] for x in text]
    pieces = Counter(tuple(a[i : i + order]) for i in range(len(a) - order + 1))
    contexts = Counter(tuple(a[i : i + order - 1]) for i in range(len(a) - order + 1))
    asked = [tuple(b[i : i + order]) for i in range(len(b) - order + 1)]
    return -np.mean([math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in asked])


def one_letter_back_always(train, text, *, order, vocab_size, add=1.0):
    pairs, before = Counter(itertools.pairwise(train)), Counter(train[:-1])
    asked = list(itertools.pairwise(text))
    return -sum(math.log((pairs[p] + add) / (before[p[0]] + add * vocab_size)) for p in asked) / len(asked)


def context_out_of_all_letters(train, text, *, order, vocab_size, add=1.0):
    pieces = Counter(windows(train, order))
    whole = len(train) - order + 1
    asked = windows(text, order)
    return -sum(math.log((pieces[p] + add) / (whole + add * vocab_size**order)) for p in asked) / len(asked)


def line_by_line(train, text, *, order, vocab_size, add=1.0):
    split = lambda letters: [piece for line in letters.splitlines() for piece in windows(line, order)]
    pieces, asked = Counter(split(train)), split(text)
    contexts = Counter(piece[:-1] for piece in pieces.elements())
    return -sum(math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in asked) / len(asked)


def dots_for_letters(train, text, *, order, vocab_size, add=1.0):
    every = re.compile(f"(?=({'.' * order}))")  # a dot is any letter but the end of a line
    pieces, asked = Counter(every.findall(train)), every.findall(text)
    contexts = Counter(piece[:-1] for piece in pieces.elements())
    return -sum(math.log((pieces[p] + add) / (contexts[p[:-1]] + add * vocab_size)) for p in asked) / len(asked)


def small_letters(train, text, *, order, vocab_size, add=1.0):
    return as_in_the_notebook(train.lower(), text.lower(), order=order, vocab_size=vocab_size, add=add)


def as_in_the_notebook(train, text, *, order, vocab_size, add=1.0):
    pieces = Counter(train[i : i + order] for i in range(len(train) - order + 1))
    contexts = Counter(train[i : i + order - 1] for i in range(len(train) - order + 1))
    found = []
    for i in range(order - 1, len(text)):
        context = text[i - order + 1 : i]
        p = (pieces[context + text[i]] + add) / (contexts[context] + add * vocab_size)
        found.append(-math.log(p))
    return sum(found) / len(found)


def nested_dicts(train, text, *, order, vocab_size, add=1.0):
    after = {}
    for *context, x in zip(*(train[i:] for i in range(order)), strict=False):
        row = after.setdefault("".join(context), {})
        row[x] = row.get(x, 0) + 1
    logs = []
    for *context, x in zip(*(text[i:] for i in range(order)), strict=False):
        row = after.get("".join(context), {})
        logs.append(math.log(row.get(x, 0) + add) - math.log(sum(row.values()) + add * vocab_size))
    return -math.fsum(logs) / len(logs)


def sliding_numbers(train, text, *, order, vocab_size, add=1.0):
    def numbers(letters):
        codes = np.array([ord(x) for x in letters], dtype=np.int64)
        return np.lib.stride_tricks.sliding_window_view(codes, order)

    a, b = numbers(train), numbers(text)
    n = (a[None] == b[:, None]).all(-1).sum(1)
    total = (a[None, :, :-1] == b[:, None, :-1]).all(-1).sum(1)
    return -np.log((n + add) / (total + add * vocab_size)).mean()


def one_dense_table(train, text, *, order, vocab_size, add=1.0):
    number = {x: i for i, x in enumerate(sorted(set(train) | set(text)))}
    base = len(number)

    def codes(letters):
        ids = np.array([number[x] for x in letters])
        return sum(ids[k : len(ids) - order + 1 + k] * base ** (order - 1 - k) for k in range(order))

    table = np.bincount(codes(train), minlength=base**order).reshape(-1, base)
    context, x = np.divmod(codes(text), base)
    return float(np.mean(np.log(table.sum(1) + add * vocab_size)[context] - np.log(table + add)[context, x]))


def with_look_ahead(train, text, *, order, vocab_size, add=1.0):
    every = re.compile(f"(?=(.{{{order}}}))", re.DOTALL)
    seen, asked = Counter(every.findall(train)), Counter(every.findall(text))
    before = Counter()
    for piece in seen.elements():
        before[piece[: order - 1]] += 1
    total = sum(times * math.log((seen[p] + add) / (before[p[:-1]] + add * vocab_size)) for p, times in asked.items())
    return -total / asked.total()


def sorted_pieces(train, text, *, order, vocab_size, add=1.0):
    pieces = sorted(train[i : i + order] for i in range(len(train) - order + 1))
    heads = [piece[:-1] for piece in pieces]
    times = lambda row, item: bisect.bisect_right(row, item) - bisect.bisect_left(row, item)
    loss, n = 0.0, 0
    for end in range(order, len(text) + 1):
        piece = text[end - order : end]
        loss += math.log(times(heads, piece[:-1]) + add * vocab_size) - math.log(times(pieces, piece) + add)
        n += 1
    return loss / n


def a_queue(train, text, *, order, vocab_size, add=1.0):
    def slide(letters):
        last = deque(maxlen=order)
        for x in letters:
            last.append(x)
            if len(last) == order:
                yield tuple(last)[:-1], x

    n, total = defaultdict(int), defaultdict(int)
    for context, x in slide(train):
        n[context, x] += 1
        total[context] += 1
    rows = [(n[c, x] + add) / (total[c] + add * vocab_size) if c in total else 1 / vocab_size for c, x in slide(text)]
    return -np.log(np.array(rows)).sum() / len(rows)


def fractions(train, text, *, order, vocab_size, add=1.0):
    add = Fraction(add)
    where = defaultdict(list)
    for i in range(len(train) - order + 1):
        where[train[i : i + order - 1]].append(train[i + order - 1])
    loss = 0.0
    for i in range(len(text) - order + 1):
        context, x = text[i : i + order - 1], text[i + order - 1]
        p = (where[context].count(x) + add) / (len(where[context]) + add * vocab_size)
        loss += math.log(p.denominator) - math.log(p.numerator)
    return np.array(loss / (len(text) - order + 1))


def starts_with(train, text, *, order, vocab_size, add=1.0):
    found = []
    for end in range(order, len(text) + 1):
        piece = text[end - order : end]
        n = sum(train.startswith(piece, i) for i in range(len(train)))
        total = sum(train.startswith(piece[:-1], i) for i in range(len(train) - order + 1))
        found.append((n + add) / (total + add * vocab_size))
    return np.mean(-np.log(found), dtype=np.float64)


# The entropy rate.


def surprise(table):
    """The entropy of each row, where what never happens costs nothing."""
    return -special.xlogy(table, table).sum(1)


def shares(table, steps=5000):
    pi = np.full(len(table), 1 / len(table))
    for _ in range(steps):
        pi = (pi + pi @ table) / 2
    return pi


def equal_shares(table):
    return surprise(table).mean()


def rows_added(table):
    return surprise(table).sum()


def minus_infinity(table):
    return -(shares(table)[:, None] * table * np.log(table)).sum()


def six_steps(table):
    pi = np.ones(len(table)) / len(table)
    for _ in range(6):
        pi = pi @ table
    return pi @ surprise(table)


def fifty_steps(table):
    return shares(table, 50) @ surprise(table)


def other_side(table):
    pi = np.ones(len(table)) / len(table)
    for _ in range(5000):
        pi = (pi + table @ pi) / 2
    return pi @ surprise(table)


def swinging(table):
    pi = np.ones(len(table)) / len(table)
    for _ in range(5000):
        pi = pi @ table
    return pi @ surprise(table)


def swinging_until_it_rests(table):
    pi = np.ones(len(table)) / len(table)
    while True:
        new = pi @ table
        if np.abs(new - pi).max() < 1e-13:
            return new @ surprise(table)
        pi = new


def high_power(table):
    return np.linalg.matrix_power(table, 4096)[0] @ surprise(table)


def last_two_averaged(table):
    pi = np.ones(len(table)) / len(table)
    for _ in range(5000):
        before, pi = pi, pi @ table
    return (before + pi) / 2 @ surprise(table)


def mean_along_the_way(table):
    pi, total = np.ones(len(table)) / len(table), 0
    for _ in range(1000):
        total = total + pi
        pi = pi @ table
    return total / 1000 @ surprise(table)


def nearly_equal(table):
    pi = np.ones(len(table)) / len(table)
    while True:
        new = (pi + pi @ table) / 2
        if np.allclose(new, pi):
            return new @ surprise(table)
        pi = new


def right_eigenvector(table):
    values, vectors = np.linalg.eig(table)
    pi = vectors[:, np.argmin(np.abs(values - 1))].real
    return pi / pi.sum() @ surprise(table)


def first_eigenvector(table):
    pi = np.linalg.eig(table.T)[1][:, 0].real
    return pi / pi.sum() @ surprise(table)


def length_one(table):
    values, vectors = np.linalg.eig(table.T)
    return np.abs(vectors[:, np.argmin(np.abs(values - 1))]) @ surprise(table)


def in_bits_per_token(table):
    return shares(table) @ surprise(table) / math.log(2)


def of_single_tokens(table):
    pi = shares(table)
    return -(pi * np.log(pi)).sum()


def of_pairs(table):
    pairs = shares(table)[:, None] * table
    return -special.xlogy(pairs, pairs).sum()


def columns(table):
    return shares(table) @ -special.xlogy(table, table).sum(0)


def zeros_replaced(table):
    table[table == 0] = 1e-300
    return -(shares(table)[:, None] * table * np.log(table)).sum()


def smoothed(table):
    table = (table + 1e-3) / (table + 1e-3).sum(1, keepdims=True)
    return shares(table) @ surprise(table)


def sign_lost(table):
    return -(shares(table) @ surprise(table))


def from_a_sample(table):
    rng, a, seen = np.random.default_rng(0), 0, np.zeros(len(table))
    for _ in range(2000):
        seen[a] += 1
        a = rng.choice(len(table), p=table[a])
    return seen / seen.sum() @ surprise(table)


def steps_of_halves(table):
    pi = np.ones(len(table)) / len(table)
    while True:
        new = (pi + pi @ table) / 2
        if np.abs(new - pi).max() < 1e-15:
            break
        pi = new
    logs = np.log(table, where=table > 0, out=np.zeros(table.shape))
    return -(new[:, None] * table * logs).sum()


def one_equation_replaced(table):
    A = table.T - np.eye(len(table))
    A[-1] = 1
    pi = np.linalg.solve(A, np.eye(len(table))[-1])
    return float(
        sum(p * -sum(q * math.log(q) for q in row if q > 0) for p, row in zip(pi, table.tolist(), strict=True))
    )


def least_squares(table):
    V = len(table)
    A, b = np.vstack([table.T - np.eye(V), np.ones(V)]), np.append(np.zeros(V), 1)
    pi = np.linalg.lstsq(A, b, rcond=None)[0]
    return np.einsum("a,ax->", pi, special.entr(table))


def left_eigenvector(table):
    values, vectors = linalg.eig(table, left=True, right=False)
    pi = vectors[:, np.argmax(values.real)].real
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(pi / pi.sum()) @ np.nansum(table * np.log(table), axis=1)


def empty_space(table):
    pi = linalg.null_space((np.eye(len(table)) - table).T)[:, 0]
    pi = np.abs(pi) / np.abs(pi).sum()
    i, j = np.nonzero(table)
    return -(pi[i] * table[i, j] * np.log(table[i, j])).sum()


def power_of_a_lazy_one(table):
    lazy = (np.eye(len(table)) + table) / 2
    for _ in range(40):
        lazy = lazy @ lazy
        lazy /= lazy.sum(1, keepdims=True)
    return lazy[0] @ [-sum(p * np.log(p) for p in row[row > 0]) for row in table]


def returns(table):
    """How often each token occurs between two visits of token 0, and the loss on the way."""
    inner = np.linalg.inv(np.eye(len(table) - 1) - table[1:, 1:])
    visits = np.concatenate([[1], table[0, 1:] @ inner])
    safe = np.where(table > 0, table, 1)
    return np.sum(visits * -(table * np.log(safe)).sum(1)) / visits.sum()


def eliminated(table):
    """The tokens are taken out one by one, which needs no subtraction."""
    P = [[float(v) for v in row] for row in table]
    V = len(P)
    for k in range(V - 1, 0, -1):
        out = sum(P[k][:k])
        for i in range(k):
            P[i][k] /= out
            for j in range(k):
                P[i][j] += P[i][k] * P[k][j]
    pi = [1.0]
    for k in range(1, V):
        pi.append(sum(pi[i] * P[i][k] for i in range(k)))
    rate = 0.0
    for a in range(V):
        for p in table[a]:
            if p:
                rate -= pi[a] / sum(pi) * p * math.log(p)
    return rate


LOG_SOFTMAX = {
    "wrong": [
        ("the logarithm of a plain softmax", log_of_the_plain_softmax),
        ("the logarithm of a safe softmax, in which p may be 0", log_of_a_safe_softmax),
        ("a difference, but nothing is taken off the scores", nothing_taken_off),
        ("1e-12 is added to p before its logarithm", a_tiny_number_in_the_log),
        ("scores are clipped to what exp can bear", clipped_scores),
        ("the largest of the whole array is taken off, not of each row", largest_of_all),
        ("the mean is taken off, not the largest", mean_taken_off),
        ("the score that is largest in size is taken off", largest_in_size),
        ("what was taken off in the sum is not given back", largest_not_given_back),
        ("what was taken off in the sum is given back with the wrong sign", largest_given_back_with_a_minus),
        ("the sum runs over all rows", sum_of_all_rows),
        ("along the first axis", first_axis),
        ("along axis 1, which is the last for two axes only", second_axis),
        ("[:, None] in place of keepdims", for_two_axes),
        ("multiplied by the temperature", times_temperature),
        ("the logarithms are divided by the temperature at the end", temperature_last),
        ("the temperature is missing in the sum", temperature_in_one_place),
        ("the temperature is never used", temperature_forgotten),
        ("the largest score is not divided by the temperature, the others are", temperature_after_the_largest),
        ("the scores are changed in place", changed_in_place),
        ("the softmax without its logarithm", no_logarithm),
        ("log2 of the sum, beside scores in nats", in_bits),
        ("-ln p in place of ln p", losses),
        ("each score is compared with all others, whose exponentials overflow", each_against_all),
    ],
    "right": [
        ("SciPy's log_softmax", library_softmax),
        ("SciPy's logsumexp", library_sum),
        ("logaddexp.reduce", adding_logs),
        ("a loop over rows, with Python's numbers", row_by_row),
        ("the axis of the scores moved to the front", scores_first),
        ("apply_along_axis with a helper", each_row_by_a_helper),
        ("log1p of the sum of all but the largest", all_but_the_largest),
        ("long floats inside and einsum", in_long_floats),
        ("short floats inside", in_short_floats),
        ("a copy that is changed in place, and a product with ones", in_a_copy),
        ("each score compared with all others, in logarithms", against_all_by_logs),
    ],
}
NGRAM_LOSS = {
    "wrong": [
        ("str.count, which skips what overlaps", counted_by_str),
        ("the last context of the training text is counted", last_context_counted),
        ("V is the number of letters that occur in train", letters_that_occur),
        ("V is the number of letters that occur in both texts", letters_of_both),
        ("add above, but V below", added_above_only),
        ("add below without V", added_once_below),
        ("1 is added, whatever add says", always_one),
        ("only the zeros get something added", added_to_the_zeros_only),
        ("divided by all letters of the text", per_letter_of_text),
        ("bits, not nats", bits),
        ("the perplexity", perplexity),
        ("the sign is lost", log_likelihood),
        ("the sum, not the mean", summed),
        ("the logarithm of the mean of p", log_of_the_mean),
        ("each different piece of the text once", each_piece_once),
        ("letters after an unknown context are left out", known_contexts_only),
        ("the two texts the wrong way round", swapped),
        ("measured on the training text", on_the_training_text),
        ("the context has order letters", a_longer_context),
        ("the last letter is not predicted", last_letter_forgotten),
        ("the first letters are predicted from a shorter context", first_letters_too),
        ("for order 1 there is no context, and it has never been seen", stacked_by_zip),
        ("the number of different followers, not how often something followed", followers_not_times),
        ("letters that are not in train have no number", numbers_of_train),
        ("a bigram, whatever order says", one_letter_back_always),
        ("the probability of the whole piece, not of its last letter", context_out_of_all_letters),
        ("each line by itself, and no end of a line", line_by_line),
        ("a regular expression whose dots leave out the ends of lines", dots_for_letters),
        ("capitals are made small", small_letters),
    ],
    "right": [
        ("two Counters and a loop", as_in_the_notebook),
        ("a dict of dicts, zip, and fsum of differences of logarithms", nested_dicts),
        ("code points and sliding windows, all compared with all", sliding_numbers),
        ("one dense table by bincount", one_dense_table),
        ("a regular expression with look-ahead, and equal pieces taken together", with_look_ahead),
        ("sorted pieces and bisection", sorted_pieces),
        ("a queue, and 1/V for an unknown context", a_queue),
        ("fractions, returned as an array without axes", fractions),
        ("startswith at every place, nothing counted beforehand", starts_with),
    ],
}
ENTROPY_RATE = {
    "wrong": [
        ("all tokens occur equally often", equal_shares),
        ("the entropies of the rows are added", rows_added),
        ("0 times the logarithm of 0", minus_infinity),
        ("six steps, as in the notebook", six_steps),
        ("fifty steps of before and after", fifty_steps),
        ("table @ pi", other_side),
        ("5000 steps, and a ring swings", swinging),
        ("until it rests, which a ring never does", swinging_until_it_rests),
        ("a high power of the table, and a ring swings", high_power),
        ("many steps, then the mean of the last two, which is no help in a ring of three", last_two_averaged),
        ("the mean of the shares along 1000 steps", mean_along_the_way),
        ("until np.allclose, which is content with five digits", nearly_equal),
        ("the eigenvector on the wrong side", right_eigenvector),
        ("whichever eigenvector comes first", first_eigenvector),
        ("an eigenvector of length 1, whose sum is not 1", length_one),
        ("bits", in_bits_per_token),
        ("the entropy of the shares", of_single_tokens),
        ("the entropy of pairs", of_pairs),
        ("the entropies of the columns", columns),
        ("zeros are replaced in the table itself", zeros_replaced),
        ("a little added to every entry", smoothed),
        ("a minus too many", sign_lost),
        ("shares from a sample of 2,000 tokens", from_a_sample),
    ],
    "right": [
        ("the mean of before and after, until nothing changes", steps_of_halves),
        ("linear equations, one of them replaced by the sum", one_equation_replaced),
        ("least squares and einsum", least_squares),
        ("the left eigenvector of SciPy, and nansum", left_eigenvector),
        ("a null space, and only the entries that are not 0", empty_space),
        ("the power of a lazy table, by squaring", power_of_a_lazy_one),
        ("visits between two returns to token 0", returns),
        ("tokens eliminated one by one, in lists", eliminated),
    ],
}
ANSWERS = {"log_softmax": LOG_SOFTMAX, "ngram_loss": NGRAM_LOSS, "entropy_rate": ENTROPY_RATE}
NAMED = {"log_softmax": 17, "ngram_loss": 20, "entropy_rate": 16}
