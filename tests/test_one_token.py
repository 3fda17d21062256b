"""One new token for each sequence: the fast block gives what gpt.block says, or declines and leaves the cache alone."""

import copy

import numpy as np
import pytest
from test_gpt import tiny_config, tiny_gpt

from minillm import gpt
from minillm.backend import plain
from minillm.kernels import one_token
from minillm.trees import leaves

PLACES = {  # positions of the new token, in a batch of B
    "learned": lambda B: {},
    "rotary (1,)": lambda B: {"positions": np.array([7])},
    "rotary (B, 1)": lambda B: {"positions": 3 * np.arange(B)[:, None]},
}


def setting(rng, places="learned", B=3, length=4, dtype=np.float64, **changes):
    """x (B, 1, C), read-only parameters of a block, its options, and a memory that holds `length` positions."""
    config = tiny_config(positions=places.split()[0], **changes)
    p = tiny_gpt(rng, config)["blocks"][0]
    for _, a in leaves(p):
        a.flags.writeable = False
    memory = gpt.Cache().layer(0)
    if length:
        memory.extend(*rng.normal(size=(2, B, config.n_head, length, 4)).astype(dtype))
    x = rng.normal(size=(B, 1, 8)).astype(dtype)
    x.flags.writeable = False
    return x, p, {"config": config, "cache": memory, **PLACES[places](B)}


def defined(x, p, options):
    with plain():
        return gpt.block(x, p, **options)


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("length", [0, 1, 4])
@pytest.mark.parametrize("bias", [True, False])
def test_a_block_of_one_token_equals_its_definition_and_leaves_the_same_cache(rng, places, B, length, bias):
    x, p, options = setting(rng, places, B, length, bias=bias, eps=0.1)
    theirs = copy.deepcopy(options)
    for _ in range(2):  # the second reads what the first has left
        (y, backward), (expected, _) = one_token.block(x, p, **options), defined(x, p, theirs)
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
        x = y
    ours, memory = options["cache"], theirs["cache"]
    assert y.shape == (B, 1, 8) and ours.length == memory.length == length + 2
    for a, b in ((ours.k, memory.k), (ours.v, memory.v)):
        np.testing.assert_allclose(a[:, :, : length + 2], b[:, :, : length + 2], rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="a pass through a cache has no backward"):
        backward(y)


def test_the_base_of_the_rotary_positions_is_that_of_the_config(rng):
    x, p, options = setting(rng, "rotary (1,)", rotary_base=3)
    expected, _ = defined(x, p, copy.deepcopy(options))
    np.testing.assert_allclose(one_token.block(x, p, **options)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_scores_far_apart_overflow_nowhere(rng, size):
    x, p, options = setting(rng)
    options["cache"].k[...] *= size**2
    expected, _ = defined(x, p, copy.deepcopy(options))
    np.testing.assert_allclose(one_token.block(x, p, **options)[0], expected, rtol=1e-12, atol=1e-12)


DECLINED = {
    "no cache": ({}, {"cache": None}),
    "chance": ({}, {"rng": np.random.default_rng(0)}),
    "padding": ({}, {"key_padding_mask": np.zeros((3, 5), bool)}),
    "post-norm": ({"norm": "post"}, {}),
    "gelu": ({"activation": "gelu"}, {}),
    "relu": ({"activation": "relu"}, {}),
    "positions of two tokens": ({"places": "rotary (1,)"}, {"positions": np.array([1, 2])}),
    "positions of another batch": ({"places": "rotary (1,)"}, {"positions": np.array([[1], [2]])}),
    "one row of positions for three": ({"places": "rotary (1,)"}, {"positions": np.array([[1]])}),
}


@pytest.mark.parametrize("case", DECLINED)
def test_what_it_does_not_do_it_declines_and_leaves_the_cache_as_it_is(rng, case):
    changes, more = DECLINED[case]
    x, p, options = setting(rng, **changes)
    memory = options["cache"]
    assert one_token.block(x, p, **options | more) is None and memory.length == 4


@pytest.mark.parametrize("shape", [(3, 2, 8), (3, 0, 8), (0, 1, 8)])
def test_it_takes_one_token_and_at_least_one_sequence(rng, shape):
    _, p, options = setting(rng, B=shape[0])
    assert one_token.block(np.zeros(shape), p, **options) is None and options["cache"].length == 4


def test_integers_are_left_to_the_definition(rng):
    x, p, options = setting(rng)
    assert one_token.block(x.astype(int), p, **options) is None
