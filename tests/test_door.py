"""The door of the model: what cannot be answered is refused in one sentence, and nothing is spoilt."""

import numpy as np
import pytest
from test_gpt import tiny_config, tiny_gpt

from minillm import gpt


@pytest.mark.parametrize(
    "ids, message",
    [
        (np.array([[1, 11]]), "token 11 is outside the vocabulary, 0 to 10"),
        (np.array([[-1, 2]]), "token -1 is outside the vocabulary"),
        (np.zeros((1, 13), int), "13 tokens are too many: this model reads at most 12"),
        (np.zeros(4, int), "ids must be integers"),
        (np.zeros((1, 4)), "ids must be integers"),
    ],
)
def test_ids_are_checked_at_the_door(rng, ids, message):
    config = tiny_config()
    with pytest.raises(ValueError, match=message):
        gpt.gpt(tiny_gpt(rng, config), ids=ids, config=config)


def test_the_whole_context_may_be_used_and_not_one_token_more(rng):
    config, cache = tiny_config(), gpt.Cache()
    params = tiny_gpt(rng, config)
    gpt.gpt(params, ids=np.zeros((1, 12), int), config=config)
    gpt.gpt(params, ids=np.zeros((1, 11), int), config=config, cache=cache)
    gpt.gpt(params, ids=np.zeros((1, 1), int), config=config, cache=cache)
    with pytest.raises(ValueError, match="12 cached and 1 new tokens are too many"):
        gpt.gpt(params, ids=np.zeros((1, 1), int), config=config, cache=cache)


def test_targets_are_checked_too_but_for_those_that_are_ignored(rng):
    config = tiny_config()
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (1, 3))
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match=f"token {wrong} is outside the vocabulary"):
            gpt.loss(params, ids=ids, targets=np.array([[1, 2, wrong]]), config=config)
    gpt.loss(params, ids=ids, targets=np.array([[1, 2, -1]]), config=config, ignore=-1)


def test_a_full_cache_says_how_many_tokens_there_are(rng):
    config, cache = tiny_config(), gpt.Cache()
    params = tiny_gpt(rng, config)
    gpt.gpt(params, ids=np.zeros((1, 10), int), config=config, cache=cache)
    with pytest.raises(ValueError, match="10 cached and 3 new tokens are too many"):
        gpt.gpt(params, ids=np.zeros((1, 3), int), config=config, cache=cache)
    assert cache.length == 10  # nothing was lost


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"positions": np.zeros((3, 4), int)},
            r"positions must be integers \(4,\) or \(2, 4\), but they are int64 \(3, 4\)",
        ),
        ({"positions": np.zeros(1, int)}, r"positions must be integers \(4,\)"),
        ({"positions": np.zeros(4)}, "positions must be integers .* float64"),
        ({"positions": np.array([-1, 0, 1, 2])}, "position -1 has no row in the table of positions, 0 to 11"),
        ({"positions": np.array([0, 1, 2, 12])}, "position 12 has no row"),
        ({"key_padding_mask": np.zeros((2, 5), bool)}, r"key_padding_mask must be \(2, 4\).* but it is \(2, 5\)"),
    ],
)
def test_positions_and_padding_are_checked_at_the_door(rng, options, message):
    config = tiny_config()
    with pytest.raises(ValueError, match=message):
        gpt.gpt(tiny_gpt(rng, config), ids=np.zeros((2, 4), int), config=config, **options)


def test_where_positions_are_not_learned_any_integers_will_do(rng):
    config = tiny_config(positions="rotary")
    gpt.gpt(tiny_gpt(rng, config), ids=np.zeros((1, 2), int), config=config, positions=np.array([-5, 1000]))


def test_a_refused_call_leaves_the_cache_as_it_was(rng):
    config, cache = tiny_config(), gpt.Cache()
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (2, 6))
    whole, _ = gpt.gpt(params, ids=ids, config=config)
    gpt.gpt(params, ids=ids[:, :3], config=config, cache=cache)
    with pytest.raises(ValueError, match=r"must be \(2, 6\)"):
        gpt.gpt(params, ids=ids[:, 3:], config=config, cache=cache, key_padding_mask=np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="the cache holds 2 sequences, but ids are 1"):
        gpt.gpt(params, ids=ids[:1, 3:], config=config, cache=cache)
    rest, _ = gpt.gpt(params, ids=ids[:, 3:], config=config, cache=cache)
    np.testing.assert_allclose(rest, whole[:, 3:], rtol=1e-10)


def test_parameters_of_another_depth_are_refused(rng):
    params = tiny_gpt(rng, tiny_config())
    with pytest.raises(ValueError, match="the parameters have 2 blocks, but config.n_layer is 3"):
        gpt.gpt(params, ids=np.zeros((1, 2), int), config=tiny_config(n_layer=3))
