"""Passes: a batch in parts is the batch, and the parts are as even as they can be."""

import numpy as np
import pytest
from test_gpt import tiny_config, tiny_gpt

from minillm import gpt, passes
from minillm.config import Config
from minillm.optim import AdamW
from minillm.recipe import Recipe
from minillm.trees import leaves


def model(n_ctx, width=128, n_layer=4):
    return Config(vocab_size=65, n_ctx=n_ctx, n_layer=n_layer, n_head=4, width=width)


@pytest.mark.parametrize("rows", [None, 1, 2, 3, 5, 7])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_passes_add_up_to_the_loss_and_gradient_of_the_whole_batch(rng, rows, share):
    config = tiny_config()
    params, (ids, targets) = tiny_gpt(rng, config), rng.integers(0, 11, (2, 5, 9))
    value, backward = gpt.loss(params, ids=ids, targets=targets, config=config)
    optimizer, sizes = AdamW(params), []

    def add(grads):
        sizes.append(1)
        optimizer.add(grads)

    options = {"config": config, "recipe": Recipe(batch_size=5), "step": 3, "share": share, "rows": rows}
    assert passes.learn(params, ids, targets, add, **options) == pytest.approx(share * value, rel=1e-12)
    assert len(sizes) == -(-5 // (rows or 5))
    ours = dict(leaves(optimizer.grads))
    for path, whole in leaves(backward()):
        np.testing.assert_allclose(ours[path], share * whole, rtol=1e-9, atol=1e-14, err_msg=path)


def test_a_share_of_no_sequences_learns_nothing(rng):
    config = tiny_config()
    nothing = np.zeros((0, 9), int)
    options = {"config": config, "recipe": Recipe(), "step": 1, "rows": 4}
    assert passes.learn(tiny_gpt(rng, config), nothing, nothing, None, **options) == 0


def test_passes_drop_out_by_seed_step_pass_and_worker_alone(rng, monkeypatch):
    config, drawn, loss = tiny_config(dropout=0.2), [], gpt.loss

    def draws(params, *, rng, **options):
        drawn.append(rng.integers(2**60))
        return loss(params, rng=rng, **options)

    monkeypatch.setattr(passes.gpt, "loss", draws)
    params, (ids, targets) = tiny_gpt(rng, config), rng.integers(0, 11, (2, 4, 9))
    take = lambda seed=5, **o: passes.learn(
        params, ids, targets, lambda grads: None, config=config, recipe=Recipe(seed=seed), rows=2, **o
    )
    values = [take(step=1), take(step=1), take(step=2), take(step=1, worker=1), take(step=1, seed=6)]
    assert drawn[:2] == drawn[2:4] and len(set(drawn)) == 8 and values[0] == values[1] != values[2]


def test_a_small_model_takes_its_batch_whole_and_a_wide_one_in_parts_of_768_tokens():
    assert passes.rows_at_once(32, model(64, width=32, n_layer=2)) == 32
    assert passes.rows_at_once(16, model(128)) == 6
    assert passes.rows_at_once(8, model(256, width=384, n_layer=6)) == 3
    assert passes.rows_at_once(8, model(2048, width=384, n_layer=6)) == 1


@pytest.mark.parametrize("n", range(1, 40))
def test_parts_are_even_and_within_the_limit(n):
    config = model(128)  # six sequences at most
    rows = passes.rows_at_once(n, config)
    parts = -(-n // rows)
    assert rows <= 6 and parts == -(-n // 6) and rows == -(-n // parts)


def test_no_sequences_need_no_parts():
    assert passes.rows_at_once(0, model(128)) == 0
