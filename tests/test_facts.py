"""Facts: entropies in closed form, laws against counts, and the power law of a learner who counts."""

import math

import numpy as np
import pytest

from minillm import facts

TABLES = [{}, {"noise": 0.2}, {"vocab_size": 5, "keys": 25, "s": 1.0, "noise": 0.5, "seed": 3}]


def entropy_of(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def test_a_noisy_value_has_the_closed_form():
    assert facts.Records(vocab_size=16, noise=0.2).floor == pytest.approx(0.9903369779, abs=1e-10)
    p = np.full(7, 0.3 / 7)
    p[2] += 0.7
    assert facts.value_entropy(facts.Facts(vocab_size=7, noise=0.3)) == pytest.approx(entropy_of(p), rel=1e-12)
    assert facts.Records(noise=0.0).floor == 0


@pytest.mark.parametrize("parameters", TABLES)
def test_the_floor_is_the_mean_entropy_of_the_law_and_its_loss_on_samples(parameters):
    language = facts.facts(**parameters)
    ids = language.windows(5_000, 33, np.random.default_rng(0))
    law = language.law(ids)
    assert law.shape == (5_000, 33, language.vocab_size) and law.sum(-1) == pytest.approx(1, abs=1e-12)
    floor, T = language.floor(33), 33
    entropies = -(law * np.log(law, out=np.zeros_like(law), where=law > 0)).sum(-1).mean(1)
    losses = -np.log(np.take_along_axis(law, ids[:, 1:, None], 2)).mean((1, 2))
    for each in (entropies, losses):
        assert abs(each.mean() - floor) < 4 * each.std() / math.sqrt(5_000)
    assert language.floor(3) == floor and T % 3 == 0


def test_the_floor_of_the_ladder_is_that_of_the_note():
    assert facts.facts().floor(33) == pytest.approx(1.0153, abs=5e-5)


def test_the_law_is_what_is_counted():
    language = facts.facts(vocab_size=4, keys=9, noise=0.4, seed=1)
    ids = language.windows(100_000, 3, np.random.default_rng(0))
    assert (ids[:, 0] == 4).all() and ids[:, 1:].max() == 3
    runs = np.zeros((4, 4, 4))
    np.add.at(runs, tuple(ids[:, 1:].T), 1 / len(ids))
    expected = np.zeros((4, 4, 4))
    for a, b, c in np.ndindex(4, 4, 4):
        p = language.law([[4, a, b, c]])[0]
        expected[a, b, c] = p[0, a] * p[1, b] * p[2, c]
    assert expected.sum() == pytest.approx(1) and runs == pytest.approx(expected, abs=0.006)


def test_records_are_frequent_by_rank_and_their_values_are_those_of_the_key():
    records = facts.Records(noise=0.0)
    ranks, values = records.draw(100_000, np.random.default_rng(0))
    counts = np.bincount(ranks[ranks < 5]) / 100_000
    assert counts == pytest.approx(records.chances(np.arange(5)), abs=0.006)
    assert (values == records.value(ranks)).all()
    shares = np.bincount(records.value(np.arange(160_000))) / 160_000
    assert shares == pytest.approx(np.full(16, 1 / 16), abs=0.004)
    assert (records.value(np.arange(99)) != facts.Records(seed=1).value(np.arange(99))).mean() > 0.8


def test_a_noisy_value_is_right_as_often_as_it_should_be():
    records = facts.Records(noise=0.2)
    ranks, values = records.draw(100_000, np.random.default_rng(0))
    assert (values == records.value(ranks)).mean() == pytest.approx(0.8 + 0.2 / 16, abs=0.005)


def test_ranks_beyond_the_digits_are_drawn_again():
    records = facts.Records(vocab_size=2, length=3)
    ranks, _ = records.draw(10_000, np.random.default_rng(0))
    assert set(ranks) == set(range(8))


def test_no_two_keys_have_the_same_digits():
    records = facts.Records(vocab_size=6, length=3)
    tokens = records.tokens(np.arange(216), np.zeros(216, int))
    assert tokens.shape == (216, 4) and tokens.min() == 0 and tokens.max() == 5
    assert len({tuple(row) for row in tokens[:, :3]}) == 216
    assert (abs(np.diff(tokens[:, 0])) > 0).mean() > 0.5  # neighbours in rank look different from their first digit on
    assert facts.Records().tokens([16**8 - 1], [3]).shape == (1, 9)


def test_a_learner_who_has_seen_everything_often_is_at_the_floor_and_one_without_records_guesses():
    records = facts.Records(vocab_size=8, noise=0.3)
    assert records.excess(np.array([], int), np.array([], int)) == pytest.approx(math.log(8) - records.floor)
    ranks = np.repeat(np.arange(20_000), 60)
    values = facts.noisy(records.value(ranks), records, np.random.default_rng(0))
    rest = (1 - records.chances(np.arange(20_000)).sum()) * (math.log(8) - records.floor)
    assert records.excess(ranks, values) == pytest.approx(rest, rel=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_excess_is_the_loss_of_the_learner_on_fresh_records(noise):
    """Against a learner written in loops, on records that it has not seen; by the mean over many of them."""
    records, rng = facts.Records(vocab_size=4, noise=noise), np.random.default_rng(1)
    ranks, values = records.draw(300, rng)
    new_ranks, new_values = records.draw(20_000, rng)
    right, wrong = 1 - noise + noise / 4, noise / 4
    costs = {}
    for rank in set(new_ranks):
        weights = np.array([np.prod([right if v == c else wrong for v in values[ranks == rank]]) for c in range(4)])
        weights /= weights.sum()
        costs[rank] = -np.log([max(w * right + (1 - w) * wrong, 1e-300) for w in weights])
    losses = np.array([costs[rank][value] for rank, value in zip(new_ranks, new_values, strict=True)])
    excess = losses.mean() - records.floor
    assert abs(records.excess(ranks, values) - excess) < 4 * losses.std() / math.sqrt(20_000)


@pytest.mark.parametrize("s, noise", [(0.5, 0.2), (1.0, 0.0)])
def test_a_learner_who_counts_has_the_exponent_s_over_1_plus_s(s, noise):
    records, sizes = facts.Records(s=s, noise=noise), 2 ** np.arange(11, 20)
    excess = [
        np.mean([records.excess(*records.draw(int(D), np.random.default_rng([seed, int(D)]))) for seed in range(4)])
        for D in sizes
    ]
    beta = -np.polyfit(np.log(sizes), np.log(excess), 1)[0]
    assert records.exponent == s / (1 + s) and beta == pytest.approx(records.exponent, abs=0.01)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: facts.facts(keys=5000), "keys is 5000, but two of 64 tokens"),
        (lambda: facts.facts(s=0), "s is 0"),
        (lambda: facts.facts(noise=1.0), "noise is 1.0"),
        (lambda: facts.Records(vocab_size=1), "vocab_size is 1"),
        (lambda: facts.Records(length=20), "too few or too many keys"),
        (lambda: facts.facts().floor(32), "a multiple of 3, not 32"),
        (lambda: facts.facts().windows(1, 32, None), "a multiple of 3, not 32"),
    ],
)
def test_what_cannot_be_gets_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_same_seed_gives_the_same_facts_and_a_checksum_tells_others():
    one, same, other = facts.facts(), facts.facts(), facts.facts(seed=1)
    assert one.checksum() == same.checksum() != other.checksum()
    assert one.describe() == {"kind": "facts", "vocab_size": 64, "s": 0.5, "keys": 4096, "noise": 0.0, "seed": 0}
