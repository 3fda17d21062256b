"""inside.py: what is recorded is what the model does, and each score finds what was planted."""

import numpy as np
import pytest

from minillm import gpt, inside, layers
from minillm.backend import plain

CONFIG = gpt.Config(vocab_size=7, n_ctx=9, n_layer=2, n_head=2, width=8, positions="rotary", tied=False)


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    params = gpt.init(CONFIG, rng, dtype=np.float64)
    for p in params["blocks"]:
        for name in p["attn"]:
            p["attn"][name] = rng.normal(size=p["attn"][name].shape)  # heads that do something
    return params, rng.integers(0, 7, size=(3, 9))


def test_a_record_leaves_the_logits_as_they_are(model):
    params, ids = model
    with plain():
        logits, _ = gpt.gpt(params, ids=ids, config=CONFIG)
    seen = inside.record(params, ids=ids, config=CONFIG)
    np.testing.assert_array_equal(seen.logits, logits)
    assert seen.weights.shape == (2, 3, 2, 9, 9) and seen.stream.shape == (3, 3, 9, 8)


def test_weights_are_shares_that_look_back_and_the_stream_begins_with_the_table(model):
    params, ids = model
    seen = inside.record(params, ids=ids, config=CONFIG)
    np.testing.assert_allclose(seen.weights.sum(-1), 1, rtol=1e-12)
    assert not np.triu(seen.weights, 1).any()
    np.testing.assert_array_equal(seen.stream[0], params["tokens"][ids])
    assert (seen.weights[0] != seen.weights[1]).any()


def test_nothing_is_left_behind_even_after_an_error(model):
    params, ids = model
    before = layers.attention, gpt.block
    inside.record(params, ids=ids, config=CONFIG)
    with pytest.raises(ValueError, match="vocabulary"):
        inside.record(params, ids=ids + 7, config=CONFIG)
    assert (layers.attention, gpt.block) == before


def test_the_lens_after_the_last_block_is_the_model_itself(model):
    params, ids = model
    seen = inside.record(params, ids=ids, config=CONFIG)
    said = inside.logit_lens(seen.stream[-1], params["norm"]["g"], params["norm"]["b"], params["unembed"])
    np.testing.assert_allclose(said, seen.logits, rtol=1e-12)


def test_a_change_sees_the_layer_its_weights_and_its_values(model):
    params, ids = model
    met = []

    def change(layer, y, weights, v):
        np.testing.assert_allclose(weights @ v, y, rtol=1e-12)
        met.append(layer)
        return y

    inside.record(params, ids=ids, config=CONFIG, change=change)
    assert met == [0, 1]


def test_a_head_without_its_rows_of_the_output_projection_is_a_head_at_zero(model):
    params, ids = model
    seen = inside.record(params, ids=ids, config=CONFIG, change=inside.without([(1, 0)], fill="zero"))
    params["blocks"][1]["attn"]["w_o"][:4] = 0
    with plain():
        logits, _ = gpt.gpt(params, ids=ids, config=CONFIG)
    np.testing.assert_allclose(seen.logits, logits, rtol=1e-12)


def test_ablation_by_the_mean_keeps_the_mean_and_the_other_heads():
    y = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    kept = y.copy()
    off = inside.ablate_head(y, head=1)
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(off[:, [0, 2]], y[:, [0, 2]])
    np.testing.assert_allclose(off[:, 1], np.broadcast_to(y[:, 1].mean((0, 1)), (2, 4, 5)))
    assert not inside.ablate_head(y, head=2, fill="zero")[:, 2].any()
    with pytest.raises(ValueError, match="zero"):
        inside.ablate_head(y, head=0, fill="nothing")


def test_surprise_averages_to_the_loss():
    rng = np.random.default_rng(0)
    logits, targets = 5000 * rng.normal(size=(3, 4, 6)), rng.integers(0, 6, size=(3, 4))
    loss, _ = layers.cross_entropy(logits, targets=targets)
    np.testing.assert_allclose(inside.surprise(logits, targets).mean(), loss, rtol=1e-12)


def test_an_ablation_score_is_a_mean_over_the_tokens_that_count():
    whole = np.array([[1.0, 2.0], [3.0, 4.0]])
    ablated = np.stack([whole + [[9, 1], [9, 3]], whole - 0.5])
    counts = np.array([[False, True], [False, True]])
    np.testing.assert_allclose(inside.ablation_score(whole, ablated, counts=counts), [2, -0.5])
    np.testing.assert_array_equal(inside.ablation_score(whole, ablated, counts=counts & False), [0, 0])


def looking(T, back):
    """A head that looks `back` positions back, or at the first position where there is none."""
    weights = np.zeros((T, T))
    weights[np.arange(T), np.maximum(0, np.arange(T) - back)] = 1
    return weights


def test_planted_heads_get_the_scores_that_they_deserve():
    period, T = 4, 8
    weights = np.stack([looking(T, back) for back in (period - 1, period, 1, 0)])
    np.testing.assert_array_equal(inside.induction_score(weights, period=period), [1, 0, 0, 0])
    np.testing.assert_array_equal(inside.previous_score(weights), [1 / 7, 1 / 7, 1, 0])
    for wrong in (0, 8):
        with pytest.raises(ValueError, match="period"):
            inside.induction_score(weights, period=wrong)
