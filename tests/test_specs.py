"""The definitions themselves, on cases small enough to check by hand."""

import math

import numpy as np
import pytest

from minillm import specs

INF = math.inf


def close(y, expected):
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-14)


def test_linear_is_a_weighted_sum_and_a_shift():
    x, w = np.array([1.0, 2.0]), np.array([[3.0, 5.0, 0.0], [4.0, -1.0, 1.0]])
    close(specs.linear(x, w, np.array([10.0, 20.0, 30.0])), [10 + 3 + 8, 20 + 5 - 2, 30 + 0 + 2])
    close(specs.linear(x, w), [11, 3, 2])


def test_embedding_looks_up_rows():
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    close(specs.embedding(table, ids=np.array([[1, 0, 1]])), [[[3, 4], [1, 2], [3, 4]]])


def test_layer_norm_divides_by_the_deviation_and_the_variance_by_C():
    x = np.array([[1.0, 3.0], [0.0, 0.0]])  # mean 2, variance 1; and a row without any variance
    close(specs.layer_norm(x[:1], np.array([10.0, 100.0]), np.array([5.0, 7.0]), eps=0.0), [[-10 + 5, 100 + 7]])
    close(specs.layer_norm(x, np.array([10.0, 100.0]), np.array([5.0, 7.0]), eps=3.0), [[-5 + 5, 50 + 7], [5, 7]])


def test_gelu_is_x_times_the_share_of_a_normal_below_x():
    phi = 0.841344746068542948585  # the standard normal distribution function at 1, from tables
    close(specs.gelu(np.array([0.0, 1.0, -1.0]), approximate="none"), [0, phi, -(1 - phi)])
    y = specs.gelu(np.array([0.0, 1.0, -1.0]))
    close(y, [0, (1 + math.tanh(0.044715 * 0.7978845608028654 + 0.7978845608028654)) / 2, y[1] - 1])
    x = np.linspace(-6, 6, 121)
    assert 1e-4 < abs(specs.gelu(x) - specs.gelu(x, approximate="none")).max() < 1e-3


def test_relu_keeps_what_is_positive():
    close(specs.relu(np.array([-2.0, 0.0, 3.0])), [0, 0, 3])


def test_dropout_enlarges_what_it_keeps():
    close(specs.dropout(np.array([3.0, 5.0]), rate=0.75, keep=np.array([True, False])), [12, 0])


def test_softmax_of_logarithms_gives_shares_in_proportion():
    close(specs.softmax(np.log([1.0, 2.0, 5.0])), [1 / 8, 2 / 8, 5 / 8])
    close(specs.softmax(np.log([[1.0, 2.0], [3.0, 2.0]]), axis=0), [[1 / 4, 1 / 2], [3 / 4, 1 / 2]])


def test_softmax_of_extreme_rows():
    close(
        specs.softmax(np.array([[1e4, 1e4, -1e4], [-INF, 0.0, -INF], [-INF] * 3])), [[0.5, 0.5, 0], [0, 1, 0], [0] * 3]
    )


def test_rotary_turns_pair_i_by_position_over_base_to_the_2i_over_K():
    x = np.array([[1.0, 1.0, 0.0, 0.0]])  # pair 0 is channels 0 and 2, pair 1 is channels 1 and 3
    c, s = math.cos, math.sin
    close(specs.rotary(x, positions=np.array([3])), [[c(3), c(3 / 100), s(3), s(3 / 100)]])
    close(specs.rotary(x, positions=np.array([3]), base=4), [[c(3), c(1.5), s(3), s(1.5)]])
    quarter = np.array([math.pi / 2])
    close(specs.rotary(np.array([[3.0, 4.0]]), positions=quarter), [[-4, 3]])  # counter-clockwise


def test_rotary_takes_positions_for_each_row_of_the_batch():
    x = np.zeros((2, 1, 1, 2)) + [1.0, 0.0]
    y = specs.rotary(x, positions=np.array([[0], [2]]))
    close(y[:, 0, 0], [[1, 0], [math.cos(2), math.sin(2)]])


# One query, three keys of one channel whose scores are log 1, log 2 and log 5, and values that show who was seen.
Q = np.ones((1, 1, 1, 1))
KEYS = np.log([1.0, 2.0, 5.0]).reshape(1, 1, 3, 1)
VALUES = np.eye(3).reshape(1, 1, 3, 3)


def weights(q=Q, k=KEYS, **options):
    return specs.attention(q, k, VALUES, **options)[0, 0]


def test_attention_weighs_values_by_how_well_keys_match():
    close(weights(), [[1 / 8, 2 / 8, 5 / 8]])


def test_attention_divides_scores_by_the_root_of_K():
    k = np.concatenate([2 * KEYS, np.zeros((1, 1, 3, 3))], axis=-1)  # four channels: 2 log n / sqrt(4)
    close(weights(q=np.ones((1, 1, 1, 4)), k=k), [[1 / 8, 2 / 8, 5 / 8]])


def test_causal_attention_is_aligned_bottom_right():
    q = np.ones((1, 1, 2, 1))
    close(weights(q=q, causal=True), [[1 / 3, 2 / 3, 0], [1 / 8, 2 / 8, 5 / 8]])  # two queries: the last two places
    q = np.ones((1, 1, 4, 1))
    close(weights(q=q, causal=True), [[0, 0, 0], [1, 0, 0], [1 / 3, 2 / 3, 0], [1 / 8, 2 / 8, 5 / 8]])


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 3), (1, 1, 1, 3)])
def test_a_boolean_mask_says_who_may_be_seen_and_numbers_are_added_after_scaling(shape):
    close(weights(mask=np.array([True, False, True]).reshape(shape)), [[1 / 6, 0, 5 / 6]])
    close(weights(mask=np.log([5.0, 1.0, 1.0]).reshape(shape)), [[5 / 12, 2 / 12, 5 / 12]])
    close(weights(mask=np.array([0.0, -INF, 0.0]).reshape(shape)), [[1 / 6, 0, 5 / 6]])


def test_padding_is_seen_by_nobody():
    close(weights(key_padding_mask=np.array([[False, False, True]])), [[1 / 3, 2 / 3, 0]])


def test_masks_work_together():
    q, seen = np.ones((1, 1, 2, 1)), np.array([[True, True, True], [False, True, True]])
    padding = np.array([[True, False, False]])
    close(weights(q=q, causal=True, mask=seen, key_padding_mask=padding), [[0, 1, 0], [0, 2 / 7, 5 / 7]])


def test_a_query_with_nothing_to_attend_to_gets_zeros():
    close(weights(mask=np.zeros(3, bool)), [[0, 0, 0]])
    close(weights(mask=np.full(3, -INF)), [[0, 0, 0]])
    close(weights(key_padding_mask=np.ones((1, 3), bool)), [[0, 0, 0]])


def test_dropout_in_attention_thins_the_weights_after_softmax():
    keep = np.array([True, True, False]).reshape(1, 1, 1, 3)
    close(weights(dropout=0.5, keep=keep), [[2 / 8, 4 / 8, 0]])


def test_heads_and_batch_rows_do_not_mix(rng):
    q, k, v = (rng.normal(size=(2, 2, n, 3)) for n in (2, 4, 4))
    y = specs.attention(q, k, v)
    for b, h in np.ndindex(2, 2):
        alone = [a[b : b + 1, h : h + 1] for a in (q, k, v)]
        close(specs.attention(*alone), y[b : b + 1, h : h + 1])


def test_cross_entropy_is_the_mean_surprise_in_nats():
    logits = np.log([[1.0, 2.0, 5.0], [4.0, 2.0, 2.0]])
    close(specs.cross_entropy(logits, targets=np.array([1, 0])), (math.log(4) + math.log(2)) / 2)
    close(specs.cross_entropy(logits, targets=np.array([1, 9]), ignore=9), math.log(4))
    close(specs.cross_entropy(logits, targets=np.array([9, 9]), ignore=9), 0)


def test_cross_entropy_with_label_smoothing_shares_some_of_the_target():
    logits, e = np.log([[1.0, 2.0, 5.0]]), 0.3
    expected = 0.1 * math.log(8) + (0.7 + 0.1) * math.log(4) + 0.1 * math.log(8 / 5)
    close(specs.cross_entropy(logits, targets=np.array([1]), label_smoothing=e), expected)


def test_cross_entropy_of_extreme_logits_is_finite():
    logits = np.array([[1e4, -1e4, -INF]])
    close(specs.cross_entropy(logits, targets=np.array([0])), 0)
    close(specs.cross_entropy(logits, targets=np.array([1])), 2e4)
