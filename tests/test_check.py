"""The instruments: they pass what is right, catch what is wrong, and put everything back."""

import numpy as np
import pytest

from minillm import layers
from minillm.check import check_gradients, checkpoint, forward_only, saved, using


def cube(x, *, scale=1.0):
    return scale * x * x * x, lambda dy: 3 * scale * x * x * dy


def test_a_right_gradient_passes(rng):
    check_gradients(cube, rng.normal(size=(3, 4)), scale=2.0)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: (x**3, lambda dy: 2 * x * x * dy), "finite differences give"),
        (lambda x: (x**3, lambda dy: 3 * x * x), "finite differences give"),  # dy forgotten
        (lambda x: (x**3, lambda dy: (3 * x * x * dy).sum(0)), "has shape"),
        (lambda x: (x**3, lambda dy: (3 * x * x * dy, 0)), "1 arrays went in, but 2 gradients"),
        (lambda x: (x**3, lambda dy: {}), "no gradient for x"),
    ],
)
def test_a_wrong_gradient_is_caught_and_named(rng, wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_gradients(wrong, rng.normal(size=(3, 4)))


def test_one_wrong_entry_out_of_ten_thousand_is_caught(rng):
    def nearly(x):
        def backward(dy):
            dx = 3 * x * x * dy
            dx[17, 3] *= 1.001
            return dx

        return x * x * x, backward

    with pytest.raises(AssertionError, match="finite differences"):
        check_gradients(nearly, rng.normal(size=(100, 100)))


def test_trees_are_checked_leaf_by_leaf_and_named_by_their_path(rng):
    def layer(x, p):
        return x * p["a"][0], lambda dy: (dy * p["a"][0], {"a": [2 * dy * x]})

    with pytest.raises(AssertionError, match="dp.a.0: finite"):
        check_gradients(layer, rng.normal(size=3), {"a": [rng.normal(size=3)]})


def test_arguments_are_as_before_even_when_the_check_fails(rng):
    x = rng.normal(size=4)
    before = x.copy()
    with pytest.raises(AssertionError):
        check_gradients(lambda x: (x**2, lambda dy: dy), x)
    assert (x == before).all()


def test_one_array_may_be_given_twice(rng):
    w = rng.normal(size=4)
    check_gradients(lambda x, w: (x * w, lambda dy: (dy * w, dy * x)), w, w)
    check_gradients(lambda p: (p["x"] * p["w"], lambda dy: {"x": dy * p["w"], "w": dy * p["x"]}), {"x": w, "w": w})


def test_the_arrays_of_the_caller_are_never_written_into(rng):
    x = rng.normal(size=4)
    x.flags.writeable = False
    check_gradients(cube, x)


def test_float32_is_refused_with_the_reason():
    with pytest.raises(AssertionError, match="float32; finite differences need float64"):
        check_gradients(cube, np.ones(3, np.float32))


def test_using_swaps_a_function_and_puts_it_back_after_an_error():
    theirs = layers.relu
    with pytest.raises(RuntimeError), using(layers, relu=len):
        assert layers.relu is len
        raise RuntimeError
    assert layers.relu is theirs


def test_using_refuses_a_name_that_the_module_does_not_have():
    with pytest.raises(ValueError, match="layernorm"), using(layers, layernorm=len):
        pass


def test_forward_only_predicts_but_does_not_train(rng):
    x = rng.normal(size=(2, 3))
    y, backward = forward_only(np.tanh)(x)
    assert (y == np.tanh(x)).all()
    with pytest.raises(NotImplementedError, match="tanh has no backward"):
        backward(y)


def test_saved_shows_what_attention_remembers(rng):
    q, k, v = rng.normal(size=(3, 1, 2, 4, 3))
    _, backward = layers.attention(q, k, v, causal=True)
    weights = saved(backward)["weights"]
    np.testing.assert_allclose(weights.sum(-1), 1)
    assert weights.shape == (1, 2, 4, 4) and (np.triu(weights, 1) == 0).all()


def test_a_checkpointed_layer_gives_the_same_gradients_and_keeps_only_its_inputs(rng):
    q, k, v, dy = rng.normal(size=(4, 2, 2, 5, 3))
    options = {"causal": True, "dropout": 0.5}
    y, back = layers.attention(q, k, v, rng=np.random.default_rng(1), **options)
    y_again, back_again = checkpoint(layers.attention)(q, k, v, rng=np.random.default_rng(1), **options)
    assert (y == y_again).all()
    for _ in range(2):
        for a, b in zip(back(dy), back_again(dy), strict=True):
            assert (a == b).all()


def test_what_a_branch_never_set_is_not_saved_and_does_not_stop_us(rng):
    x = rng.normal(size=3)
    for approximate in ("tanh", "none"):
        _, backward = layers.gelu(x, approximate=approximate)
        assert set(saved(backward)) >= {"x", "cdf"}


def test_a_layer_that_returns_its_argument_is_checked_too(rng):
    check_gradients(lambda x: (x, lambda dy: dy), rng.normal(size=4))
    with pytest.raises(AssertionError, match="finite differences"):
        check_gradients(lambda x: (x, lambda dy: 2 * dy), rng.normal(size=4))


def test_a_layer_may_have_an_option_called_eps(rng):
    check_gradients(layers.layer_norm, rng.normal(size=(3, 5)), rng.normal(size=5), rng.normal(size=5), eps=0.5)
