"""AdamW, clipping and schedules, against the papers' formulas and against PyTorch."""

import math

import numpy as np
import pytest

from minillm import optim, trees


def model(rng, dtype=np.float64):
    """A small tree with matrices, gains and biases, at awkward sizes."""
    return {
        "tokens": rng.standard_normal((7, 3)).astype(dtype),
        "blocks": [{"g": rng.standard_normal(3).astype(dtype), "w": rng.standard_normal((3, 5)).astype(dtype)}],
        "b": rng.standard_normal(5).astype(dtype),
    }


def gradients(rng, params):
    return trees.map_leaves(lambda a: rng.standard_normal(a.shape).astype(a.dtype), params)


def loop_adamw(w, dw, m, v, step, rate, b1, b2, eps, decay):
    """One number at a time, as arXiv:1711.05101 writes algorithm 2 (lines 6 to 12)."""
    for i in range(len(w)):
        m[i] = b1 * m[i] + (1 - b1) * dw[i]
        v[i] = b2 * v[i] + (1 - b2) * dw[i] ** 2
        mhat = m[i] / (1 - b1**step)
        vhat = v[i] / (1 - b2**step)
        w[i] = w[i] - rate * (mhat / (math.sqrt(vhat) + eps)) - rate * decay * w[i]


def test_adamw_is_the_paper_one_number_at_a_time(rng):
    w, m, v = rng.standard_normal(11), np.zeros(11), np.zeros(11)
    w2, m2, v2 = w.tolist(), m.tolist(), v.tolist()
    for step in range(1, 6):
        dw = rng.standard_normal(11)
        optim.adamw(w, dw, m, v, step=step, rate=0.03, betas=(0.8, 0.95), eps=1e-3, decay=0.2)
        loop_adamw(w2, dw.tolist(), m2, v2, step, 0.03, 0.8, 0.95, 1e-3, 0.2)
    np.testing.assert_allclose(w, w2, rtol=1e-13)
    np.testing.assert_allclose(m, m2, rtol=1e-13)
    np.testing.assert_allclose(v, v2, rtol=1e-13)


def test_the_first_step_has_the_size_of_the_rate_whatever_the_gradient(rng):
    for scale in (1e-3, 1.0, 1e3):
        w, dw = np.zeros(4), scale * np.array([1.0, -1.0, 2.0, -3.0])
        optim.adamw(w, dw, np.zeros(4), np.zeros(4), step=1, rate=0.1, eps=1e-30)
        np.testing.assert_allclose(w, [-0.1, 0.1, -0.1, 0.1])


def test_blocks_give_what_one_piece_gives(rng, monkeypatch):
    n = 7 * 143 + 1  # one number is left for the last block
    start = rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal(n), rng.random(n)
    results = []
    for block in (7, 10_000):
        monkeypatch.setattr(optim, "BLOCK", block)
        w, dw, m, v = (a.copy() for a in start)
        optim.adamw(w, dw, m, v, step=3, rate=0.1, decay=0.1)
        results.append((w, m, v))
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a, b)


def test_adamw_leaves_the_gradient_alone_and_keeps_float32(rng):
    w, dw = rng.standard_normal((40, 500), dtype=np.float32), rng.standard_normal((40, 500), dtype=np.float32)
    before, m, v = dw.copy(), np.zeros_like(w), np.zeros_like(w)
    optim.adamw(w, dw, m, v, step=1, rate=0.1, decay=0.1)
    assert np.array_equal(dw, before)
    assert w.dtype == m.dtype == v.dtype == np.float32
    assert m.any() and v.any()


def test_adamw_refuses_arrays_that_it_could_not_change_in_place():
    w = np.zeros((4, 6))
    with pytest.raises(ValueError, match="contiguous"):
        optim.adamw(w.T, w.T, w.T, w.T, step=1, rate=0.1)
    with pytest.raises(ValueError, match=r"dw has \(4,\)"):
        optim.adamw(w, np.zeros(4), w, w, step=1, rate=0.1)
    with pytest.raises(ValueError, match="from 1"):
        optim.adamw(w, w, w, w, step=0, rate=0.1)


@pytest.mark.parity
@pytest.mark.parametrize("limit", [None, 0.5])
def test_the_optimizer_equals_pytorch_with_and_without_decay(rng, limit):
    torch = pytest.importorskip("torch")
    params = model(rng)
    ours = optim.AdamW(params, betas=(0.9, 0.98), eps=1e-6, decay=0.1, clip=limit)
    theirs = {path: torch.nn.Parameter(torch.tensor(a)) for path, a in trees.leaves(params)}
    groups = [
        {"params": [p for p in theirs.values() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in theirs.values() if p.ndim < 2], "weight_decay": 0.0},
    ]
    peer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), eps=1e-6)
    for step in range(1, 8):
        rate = optim.schedule(step, kind="cosine", steps=7, warmup=2, rate=0.1)
        grads = gradients(rng, params)
        for path, a in trees.leaves(grads):
            theirs[path].grad = torch.tensor(a)
        if limit:
            their_norm = torch.nn.utils.clip_grad_norm_(theirs.values(), limit)
        for group in peer.param_groups:
            group["lr"] = rate
        peer.step()
        ours.add(grads)
        norm = ours.step(rate)
        if limit:
            np.testing.assert_allclose(norm, their_norm.item(), rtol=1e-12)
    for path, a in trees.leaves(ours.params):
        # PyTorch divides by norm + 1e-6 when it clips, we by the norm
        np.testing.assert_allclose(a, theirs[path].detach().numpy(), rtol=1e-5 if limit else 1e-11, err_msg=path)


@pytest.mark.parity
@pytest.mark.parametrize("limit", [0.1, 100.0])
def test_clip_equals_pytorch(rng, limit):
    torch = pytest.importorskip("torch")
    dw = rng.standard_normal(50)
    theirs = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    theirs.grad = torch.tensor(dw)
    their_norm = torch.nn.utils.clip_grad_norm_([theirs], limit)
    norm = optim.clip(dw, limit)
    np.testing.assert_allclose(norm, their_norm.item(), rtol=1e-14)
    np.testing.assert_allclose(dw, theirs.grad.numpy(), rtol=1e-5)  # theirs divides by norm + 1e-6


def test_the_optimizer_is_adamw_on_every_leaf(rng):
    params = model(rng)
    optimizer = optim.AdamW(params, betas=(0.8, 0.9), eps=1e-5, decay=0.3)
    moments = {path: (np.zeros(a.shape), np.zeros(a.shape)) for path, a in trees.leaves(params)}
    for step, rate in enumerate((0.1, 0.2, 0.05), 1):
        grads = gradients(rng, params)
        optimizer.add(grads)
        optimizer.step(rate)
        for (path, w), (_, dw) in zip(trees.leaves(params), trees.leaves(grads), strict=True):
            decay = 0.3 if w.ndim == 2 else 0.0
            optim.adamw(w, dw, *moments[path], step=step, rate=rate, betas=(0.8, 0.9), eps=1e-5, decay=decay)
    trees.map_leaves(np.testing.assert_array_equal, optimizer.params, params)


def test_clip_shortens_what_is_too_long_and_leaves_the_rest():
    dw = np.array([3.0, 4.0])
    assert optim.clip(dw, 1.0) == 5.0
    np.testing.assert_allclose(dw, [0.6, 0.8], rtol=1e-15)
    dw = np.array([3.0, 4.0])
    assert optim.clip(dw, 5.5) == 5.0
    assert dw.tolist() == [3.0, 4.0]
    assert optim.clip(dw, None) == 5.0
    assert optim.clip(np.zeros(3), 1.0) == 0.0
    with pytest.raises(ValueError, match="above 0"):
        optim.clip(dw, 0.0)


def test_clip_keeps_float32_and_reports_a_spoilt_gradient():
    dw = np.ones(100, np.float32)
    norm = optim.clip(dw, 1.0)
    assert norm.dtype == dw.dtype == np.float32
    assert np.isnan(optim.clip(np.array([1.0, np.nan]), 1.0))


def test_micro_batches_add_up_to_one_batch(rng):
    params = model(rng)
    whole, parts = optim.AdamW(params, clip=1.0), optim.AdamW(params, clip=1.0)
    for _ in range(3):
        pieces = [gradients(rng, params) for _ in range(4)]
        whole.add(trees.map_leaves(lambda *g: sum(g) / 4, *pieces))
        for piece in pieces:
            parts.add(piece, 1 / 4)
        np.testing.assert_allclose(whole.step(0.1), parts.step(0.1), rtol=1e-12)
    np.testing.assert_allclose(whole.w, parts.w, rtol=1e-10)


def test_add_leaves_the_gradients_it_was_given_alone(rng):
    params = model(rng)
    grads = gradients(rng, params)
    before = trees.map_leaves(np.copy, grads)
    optimizer = optim.AdamW(params, clip=0.1)
    optimizer.add(grads, 0.5)
    optimizer.add(grads, 0.5)
    optimizer.step(0.1)
    trees.map_leaves(np.testing.assert_array_equal, grads, before)


def test_a_step_forgets_the_gradient_and_needs_a_new_one(rng):
    params = model(rng)
    optimizer = optim.AdamW(params)
    zero = trees.map_leaves(np.zeros_like, params)
    optimizer.add(gradients(rng, params))
    optimizer.step(0.1)
    with pytest.raises(ValueError, match="add"):
        optimizer.step(0.1)
    optimizer.add(zero)
    assert optimizer.step(0.1) == 0.0


def test_decay_shrinks_matrices_and_leaves_gains_and_biases_alone(rng):
    params = model(rng)
    optimizer = optim.AdamW(params, decay=0.5)
    optimizer.add(trees.map_leaves(np.zeros_like, params))
    optimizer.step(0.1)
    for (path, old), (_, new) in zip(trees.leaves(params), trees.leaves(optimizer.params), strict=True):
        np.testing.assert_allclose(new, old * (0.95 if old.ndim >= 2 else 1.0), rtol=1e-15, err_msg=path)


def test_the_optimizer_copies_the_parameters_it_was_given(rng):
    params = model(rng)
    before = trees.map_leaves(np.copy, params)
    optimizer = optim.AdamW(params)
    optimizer.add(gradients(rng, params))
    optimizer.step(0.1)
    trees.map_leaves(np.testing.assert_array_equal, params, before)
    assert not np.array_equal(optimizer.params["b"], before["b"])


def test_a_gradient_of_another_shape_is_named(rng):
    params = model(rng)
    optimizer = optim.AdamW(params)
    grads = gradients(rng, params)
    grads["blocks"][0]["g"] = np.zeros((1, 3))
    with pytest.raises(ValueError, match=r"blocks.0.g has shape \(1, 3\)"):
        optimizer.add(grads)


def test_gradients_find_their_parameters_by_name_not_by_order(rng):
    params = {"a": np.zeros(3), "b": np.zeros(3)}
    optimizer = optim.AdamW(params)
    optimizer.add({"b": np.array([1.0, 2.0, 3.0]), "a": np.zeros(3)})
    optimizer.step(0.1)
    assert not optimizer.params["a"].any() and optimizer.params["b"].all()
    with pytest.raises(ValueError, match="gradient of a is missing"):
        optimizer.add({"b": np.zeros(3)})


def test_restore_takes_up_where_state_was_written_down(rng):
    params = model(rng)
    steady, stopped = optim.AdamW(params, decay=0.1), optim.AdamW(params, decay=0.1)
    batches = [gradients(rng, params) for _ in range(4)]
    for grads in batches[:2]:
        for optimizer in (steady, stopped):
            optimizer.add(grads)
            optimizer.step(0.1)
    resumed = optim.AdamW(trees.map_leaves(np.zeros_like, params), decay=0.1)
    resumed.restore(trees.map_leaves(np.copy, stopped.state()), stopped.steps)
    for grads in batches[2:]:
        for optimizer in (steady, resumed):
            optimizer.add(grads)
            optimizer.step(0.1)
    assert np.array_equal(steady.w, resumed.w)
    assert np.array_equal(steady.v, resumed.v)


def test_restore_refuses_another_model(rng):
    optimizer = optim.AdamW(model(rng))
    state = trees.map_leaves(np.copy, optimizer.state())
    state["params"]["b"] = np.zeros(6)
    with pytest.raises(ValueError, match=r"params.b has shape \(6,\) there and \(5,\) here"):
        optimizer.restore(state, 3)


def rates(**options):
    return [optim.schedule(step, **options) for step in range(1, options["steps"] + 1)]


def test_the_linear_schedule_climbs_and_falls_in_equal_strides():
    np.testing.assert_allclose(
        rates(kind="linear", steps=8, warmup=4, rate=4.0), [1, 2, 3, 4, 3.2, 2.4, 1.6, 0.8], rtol=1e-12
    )
    np.testing.assert_allclose(rates(kind="linear", steps=4, rate=4.0), [4, 3, 2, 1], rtol=1e-12)
    np.testing.assert_allclose(rates(kind="linear", steps=4, rate=5.0, final=1.0), [5, 4, 3, 2], rtol=1e-12)


def test_the_cosine_schedule_is_half_way_in_the_middle():
    values = rates(kind="cosine", steps=10, warmup=3, rate=1.0, final=0.2)
    np.testing.assert_allclose(values[:3], [1 / 3, 2 / 3, 1], rtol=1e-12)
    np.testing.assert_allclose(values[6], 0.6, rtol=1e-12)  # step 7: half of the way from 3 to 11
    np.testing.assert_allclose(values[-1], 0.2 + 0.8 * (1 + math.cos(math.pi * 7 / 8)) / 2, rtol=1e-12)
    assert all(a > b for a, b in zip(values[2:], values[3:], strict=False))


def test_the_constant_schedule_cools_down_in_its_last_part():
    np.testing.assert_allclose(
        rates(kind="constant", steps=8, warmup=2, rate=1.0, cooldown=0.5),
        [0.5, 1, 1, 1, 0.8, 0.6, 0.4, 0.2],
        rtol=1e-12,
    )
    assert rates(kind="constant", steps=3, rate=2.0) == [2.0, 2.0, 2.0]


def test_every_schedule_gives_a_rate_above_zero_to_every_step():
    for kind in optim.KINDS:
        for steps in (1, 2, 17):
            for warmup in (0, 1, steps):
                values = rates(kind=kind, steps=steps, warmup=warmup, rate=3e-3, cooldown=1.0)
                assert all(0 < value <= 3e-3 for value in values), (kind, steps, warmup)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="'cosinus'.*cosine"):
        optim.schedule(1, kind="cosinus", steps=3)


def test_the_optimizer_clips_by_the_length_of_the_whole_gradient(rng):
    params = model(rng)
    grads = gradients(rng, params)
    length = math.sqrt(sum(float((a * a).sum()) for _, a in trees.leaves(grads)))
    optimizer = optim.AdamW(params, betas=(0.9, 0.999), clip=0.5)
    optimizer.add(grads)
    np.testing.assert_allclose(optimizer.step(0.1), length, rtol=1e-12)
    for (path, m), (_, a) in zip(trees.leaves(optimizer.state()["m"]), trees.leaves(grads), strict=True):
        np.testing.assert_allclose(m, 0.1 * a * 0.5 / length, rtol=1e-12, err_msg=path)


def test_after_its_last_step_the_schedule_stays_at_final():
    for kind, cooldown in (("cosine", 0.0), ("linear", 0.0), ("constant", 0.5)):
        late = [optim.schedule(step, kind=kind, steps=10, final=0.1, cooldown=cooldown) for step in (11, 12, 50)]
        assert late == [0.1, 0.1, 0.1], kind
