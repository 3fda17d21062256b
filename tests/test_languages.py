"""Made-up languages: their entropy against closed forms, loops and samples, and that nothing beats it."""

import dataclasses
import itertools
import json
import math
import time

import numpy as np
import pytest

from minillm import languages, ngram, spectral
from minillm.languages import Language


def random_table(rng, V, order):
    """A table whose rows are far from equal."""
    p = rng.gamma(0.5, size=(V,) * (order + 1)) + 1e-6
    return p / p.sum(-1, keepdims=True)


def flips(a, b):
    """Two tokens: 0 becomes 1 with probability a, 1 becomes 0 with probability b."""
    return np.array([[1 - a, a], [b, 1 - b]])


def entropy_of(*p):
    return -sum(q * math.log(q) for q in p if q)


# The entropy rate


@pytest.mark.parametrize("a, b", [(0.1, 0.2), (0.5, 0.5), (0.999, 0.002), (1.0, 0.3)])
def test_two_tokens_have_the_closed_form(a, b):
    expected = (b * entropy_of(a, 1 - a) + a * entropy_of(b, 1 - b)) / (a + b)
    assert languages.entropy_rate(flips(a, b)) == pytest.approx(expected, rel=1e-12)
    assert languages.stationary(flips(a, b)) == pytest.approx([b / (a + b), a / (a + b)], rel=1e-12)


def test_one_noisy_successor_among_16_has_the_closed_form():
    V, eps = 16, 0.2
    table = np.full((V, V), eps / V)
    table[np.arange(V), (np.arange(V) * 5 + 3) % V] += 1 - eps
    assert languages.entropy_rate(table) == pytest.approx(0.9903369779, abs=1e-10)


def test_what_goes_round_in_a_ring_costs_nothing_and_what_is_uniform_costs_ln_V():
    ring = np.roll(np.eye(5), 1, axis=1)
    assert languages.entropy_rate(ring) == 0
    assert languages.entropy_rate(np.full((7, 7), 1 / 7)) == pytest.approx(math.log(7), rel=1e-13)


def test_a_ring_whose_parts_differ_comes_to_rest():
    table = np.array([[0, 0.5, 0.5], [1, 0, 0], [1, 0, 0]])
    assert languages.stationary(table) == pytest.approx([0.5, 0.25, 0.25], rel=1e-12)
    assert languages.entropy_rate(table) == pytest.approx(math.log(2) / 2, rel=1e-12)


@pytest.mark.parametrize("V", [2, 5, 16])
def test_the_stationary_distribution_is_the_eigenvector_of_eigenvalue_1(V, rng):
    table = random_table(rng, V, 1)
    values, vectors = np.linalg.eig(table.T)
    (vector,) = vectors.T[abs(values - 1) < 1e-9].real
    assert languages.stationary(table) == pytest.approx(vector / vector.sum(), rel=1e-9)


def test_many_tokens_from_anywhere_lead_to_the_stationary_distribution(rng):
    table = random_table(rng, 6, 1)
    for row in np.linalg.matrix_power(table, 2000):
        assert row == pytest.approx(languages.stationary(table), rel=1e-10)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_one_more_token_leaves_the_stationary_distribution_as_it_is(order, rng):
    language = Language(None, random_table(rng, 4, order))
    law = language.stationary
    assert law.shape == (4,) * order and law.sum() == pytest.approx(1, rel=1e-12)
    if order:
        assert (law[..., None] * language.table).sum(0) == pytest.approx(law, rel=1e-9)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_entropies_are_those_of_loops(order, rng):
    V = 3
    language = Language(None, random_table(rng, V, order))
    for n in range(order + 2):
        seen, expected = min(n, order), 0.0
        for tail in itertools.product(range(V), repeat=seen):
            joint = np.zeros(V)
            for head in itertools.product(range(V), repeat=order - seen):
                joint += language.stationary[head + tail] * language.table[head + tail]
            expected += joint.sum() * entropy_of(*(joint / joint.sum()))
        assert language.entropy(n) == pytest.approx(expected, rel=1e-12)
    assert language.entropy_rate == language.entropy(order)
    entropies = [language.entropy(n) for n in range(order + 1)]
    assert entropies == sorted(entropies, reverse=True) and len(set(entropies)) == order + 1


def test_the_entropy_rate_of_a_language_is_that_of_its_table():
    language = languages.markov(seed=4)
    assert language.entropy_rate == pytest.approx(languages.entropy_rate(language.table), rel=1e-13)


def test_the_floor_of_a_window_prices_its_first_tokens_at_what_they_see(rng):
    language = Language(None, random_table(rng, 4, 2))
    h1, h2 = language.entropy(1), language.entropy(2)
    assert language.floor(1) == pytest.approx(h1) and language.floor(2) == pytest.approx((h1 + h2) / 2)
    assert language.floor(10) == pytest.approx((h1 + 9 * h2) / 10)
    assert languages.markov().floor(7) == pytest.approx(languages.markov().entropy_rate)
    letters = random_table(rng, 4, 0)
    assert Language(None, letters).floor(3) == pytest.approx(entropy_of(*letters), rel=1e-12)


@pytest.mark.parametrize("table", [np.full((3, 3), 0.5), np.array([[1.5, -0.5], [0.5, 0.5]]), np.full((2, 2), np.nan)])
def test_rows_that_are_no_probabilities_get_a_sentence(table):
    with pytest.raises(ValueError, match="must hold probabilities"):
        languages.stationary(table)


def test_a_language_that_never_forgets_gets_a_sentence():
    with pytest.raises(ValueError, match="it still matters how the text began"):
        languages.stationary(flips(1e-6, 2e-6))


# The distribution of the next token


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_next_token_is_that_of_the_table_and_of_a_shorter_context_its_mean(order, rng):
    language = Language(None, random_table(rng, 3, order))
    for context in itertools.product(range(3), repeat=3):
        tail = context[3 - order :]
        assert language.probabilities(context) == pytest.approx(language.table[tail], rel=1e-12)
    assert language.probabilities().sum() == pytest.approx(1)
    if order == 2:
        mean = language.stationary[:, 1] @ language.table[:, 1] / language.stationary[:, 1].sum()
        assert language.probabilities([1]) == pytest.approx(mean, rel=1e-12)
        assert language.probabilities() == pytest.approx(language.stationary.sum(0), rel=1e-9)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_following_says_the_same_at_every_place_of_every_window(order, rng):
    language = Language(None, random_table(rng, 3, order))
    windows = rng.integers(3, size=(2, 4, 5))
    following = language.following(windows)
    assert following.shape == (2, 4, 5, 3)
    for i, j, t in np.ndindex(2, 4, 5):
        assert following[i, j, t] == pytest.approx(language.probabilities(windows[i, j, : t + 1]), rel=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_its_own_loss_is_that_of_the_next_tokens_one_by_one(order, rng):
    language = Language(None, random_table(rng, 3, order))
    for n in (1, 2, 3, 9):
        ids = rng.integers(3, size=n)
        one_by_one = [math.log(language.probabilities(ids[:i])[ids[i]]) for i in range(n)]
        assert language.loss(ids) == pytest.approx(-np.mean(one_by_one), rel=1e-12)


# Samples


@pytest.mark.parametrize("order", [0, 1, 2])
def test_in_a_sample_every_token_follows_every_context_as_often_as_the_table_says(order, rng):
    language = Language(None, random_table(rng, 3, order))
    n = 200_000
    ids = language.sample(n, np.random.default_rng(5))
    assert ids.shape == (n,) and ids.dtype == np.int64
    runs = np.zeros((3,) * (order + 1))
    np.add.at(runs, tuple(ids[i : n - order + i] for i in range(order + 1)), 1)
    expected = language.stationary[..., None] * language.table * runs.sum()
    assert (abs(runs - expected) < 6 * np.sqrt(expected * 4) + 6).all()  # neighbours depend on each other
    row = runs / runs.sum(-1, keepdims=True)
    error = np.sqrt(language.table * (1 - language.table) / runs.sum(-1, keepdims=True))
    assert (abs(row - language.table) < 5 * error + 1e-3).all()


@pytest.mark.parametrize("seed", range(3))
def test_on_samples_the_true_model_has_the_loss_that_was_computed(seed):
    language = languages.markov(seed=seed)
    losses = [language.loss(language.sample(20_000, np.random.default_rng(i))) for i in range(16)]
    error = np.std(losses, ddof=1) / 4
    assert error < 0.004 and abs(np.mean(losses) - language.entropy_rate) < 4 * error


def test_two_windows_of_one_long_sample_do_not_repeat():
    language = languages.markov()
    ids = language.sample(100_000, np.random.default_rng(0))
    windows = {ids[i : i + 20].tobytes() for i in range(0, 100_000, 20)}
    assert len(windows) == 5_000


def test_the_same_seed_writes_the_same_text_and_another_one_another():
    language = languages.markov()
    one, same, other = (language.sample(100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_a_sample_begins_anywhere_and_can_be_shorter_than_the_context(rng):
    language = Language(None, random_table(rng, 4, 2))
    first = np.array([language.sample(1, np.random.default_rng(i))[0] for i in range(3000)])
    expected = language.probabilities()
    assert np.bincount(first, minlength=4) / 3000 == pytest.approx(expected, abs=0.05)
    assert [len(language.sample(n, rng)) for n in range(5)] == [0, 1, 2, 3, 4]


def test_more_than_a_million_tokens_a_second():
    language = languages.markov()
    seconds = []
    for i in range(3):
        start = time.process_time()
        language.sample(300_000, np.random.default_rng(i))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


# The plain Markov language


def test_parameters_make_the_table_and_can_be_stored():
    language = languages.markov(vocab_size=9, spread=2.0, seed=3)
    stored = json.loads(json.dumps(dataclasses.asdict(language.parameters)))
    assert stored == {"vocab_size": 9, "zipf": 1.0, "spread": 2.0, "seed": 3}
    assert (languages.markov(**stored).table == language.table).all()
    assert (languages.markov(**stored | {"seed": 4}).table != language.table).all()
    assert language.table.shape == (9, 9) and language.vocab_size == 9 and language.order == 1


def test_without_spread_the_tokens_are_those_of_zipfs_law_whatever_went_before():
    table = languages.markov(vocab_size=4, spread=0).table
    assert (table == table[0]).all()
    assert table[0] == pytest.approx(np.array([12, 6, 4, 3]) / 25, rel=1e-12)


def test_a_wider_spread_makes_a_language_that_is_easier_to_foresee():
    rates = [languages.markov(spread=spread).entropy_rate for spread in (0, 1, 2, 3)]
    assert rates == sorted(rates, reverse=True) and rates[0] > 1.5 * rates[3]


def test_scores_are_drawn_with_the_spread_that_is_asked_for():
    logs = np.log(languages.markov(vocab_size=200, zipf=0, spread=1.5).table)
    assert (logs - logs.mean(1, keepdims=True)).std() == pytest.approx(1.5, rel=0.02)


def test_one_token_is_no_language():
    with pytest.raises(ValueError, match="vocab_size is 1, but a language needs at least 2"):
        languages.markov(vocab_size=1)


@pytest.mark.parametrize("seed", range(3))
def test_a_counted_bigram_comes_to_the_floor_and_nothing_goes_below_it(seed):
    language = languages.markov(seed=seed)
    train, fresh = (language.sample(n, np.random.default_rng(n)) for n in (200_000, 200_001))
    own = language.loss(fresh)
    losses = ngram.fit(train, language.vocab_size, 4).losses(fresh)
    assert (losses > own).all() and losses[2] - own < 0.003
    assert losses[1] - own > 0.2 and losses[3] - losses[2] > 0.003
    assert losses[1] == pytest.approx(own + language.entropy(0) - language.entropy_rate, abs=0.01)


# Windows, drawn many at a time


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_piles_of_the_alias_method_hold_the_table(order, rng):
    language = Language(None, random_table(rng, 5, order))
    chance, other = language._alias()
    table = np.zeros(chance.size)
    np.add.at(table, np.arange(chance.size), chance / 5)
    np.add.at(table, other, (1 - chance) / 5)
    assert table.reshape(language.table.shape) == pytest.approx(language.table, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_in_windows_every_token_follows_every_context_as_often_as_the_table_says(order, rng):
    language = Language(None, random_table(rng, 3, order))
    ids = language.windows(20_000, 9, np.random.default_rng(5))
    assert ids.shape == (20_000, 10) and ids.dtype == np.int64
    for start in (0, 9 - order):  # at the beginning, too, as in the middle of a text
        runs = np.zeros((3,) * (order + 1))
        np.add.at(runs, tuple(ids[:, start + i] for i in range(order + 1)), 1)
        expected = language.stationary[..., None] * language.table * 20_000
        assert (abs(runs - expected) < 5 * np.sqrt(expected) + 5).all()


def test_windows_can_be_shorter_than_the_context_and_the_same_seed_gives_the_same(rng):
    language = Language(None, random_table(rng, 4, 3))
    one, same, other = (language.windows(7, 1, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (7, 2) and (one == same).all() and (one != other).any()


def test_windows_come_at_more_than_two_million_tokens_a_second():
    language = spectral.spectral()
    language.windows(1, 32, np.random.default_rng(0))
    seconds = []
    for i in range(3):
        start = time.process_time()
        language.windows(4096, 32, np.random.default_rng(i))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 4096 * 33 / 2e6


# Zipf's law alone, and the language of pairs


def test_zipf_has_one_entropy_whatever_is_seen():
    language = languages.zipf(vocab_size=4)
    p = np.array([12, 6, 4, 3]) / 25
    assert language.table == pytest.approx(p, rel=1e-12)
    assert language.floor(5) == language.entropy_rate == pytest.approx(entropy_of(*p), rel=1e-12)
    assert language.law([[0, 1, 2]])[0] == pytest.approx(np.array([p, p]), rel=1e-12)
    assert language.describe() == {"kind": "zipf", "vocab_size": 4, "zipf": 1.0}


@pytest.fixture(scope="module")
def pairs():
    return spectral.spectral()


def test_the_spectral_language_has_the_entropies_that_were_measured_for_it(pairs):
    assert [pairs.entropy(n) for n in range(3)] == pytest.approx([3.487, 2.861, 2.250], abs=5e-4)
    assert pairs.floor(32) == pytest.approx((pairs.entropy(1) + 31 * pairs.entropy(2)) / 32)
    assert pairs.floor(32) - pairs.entropy_rate == pytest.approx(0.019, abs=5e-4)


def test_the_spectral_language_has_the_loss_of_its_law_on_samples(pairs):
    losses = []
    for seed in range(8):
        ids = pairs.windows(1000, 32, np.random.default_rng(seed))
        losses.append(-np.log(np.take_along_axis(pairs.law(ids), ids[:, 1:, None], 2)).mean())
    assert np.std(losses) < 0.01 and abs(np.mean(losses) - pairs.floor(32)) < 4 * np.std(losses, ddof=1) / math.sqrt(8)


def test_the_scores_of_the_spectral_language_have_the_deviations_that_are_asked_for():
    parts = {"zipf": 0, "last": 0, "before": 0, "pair": 0}
    for name in ("last", "before", "pair"):
        logs = np.log(spectral.spectral(vocab_size=24, rank=50, **parts | {name: 1.3}).table)
        centred = logs - logs.mean(-1, keepdims=True)
        assert 1.0 < centred.std() <= 1.3001
        assert (abs(centred - centred[:1]).max() < 1e-9) == (name == "last")  # whether the token before matters
        assert (abs(centred - centred[:, :1]).max() < 1e-9) == (name == "before")


def test_what_cannot_be_a_spectral_language_gets_a_sentence():
    with pytest.raises(ValueError, match="rank is 0"):
        spectral.spectral(rank=0)
    with pytest.raises(ValueError, match="vocab_size is 1"):
        spectral.spectral(vocab_size=1)


def test_a_checksum_tells_another_table_and_not_a_last_bit(rng):
    language = languages.markov()
    again, other = languages.markov(), languages.markov(seed=1)
    again.table *= 1 + 1e-15
    assert language.checksum() == again.checksum() != other.checksum()
    again.table[0, 0] += 1e-5
    assert language.checksum() != again.checksum()
