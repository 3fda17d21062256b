"""The whole model with the fast versions on: the loss and gradients of the definitions, up to float32's rounding."""

import numpy as np
import pytest
from test_gpt import VARIANTS, name, read_in_pieces, tiny_config, tiny_gpt

from minillm import gpt, optim
from minillm.backend import plain
from minillm.trees import leaves, map_leaves

T = 70  # more than one block


def model(seed, **changes):
    """Float32 parameters away from symmetric values, with ids and targets: (config, params, ids, targets)."""
    rng = np.random.default_rng(seed)
    config = tiny_config(n_ctx=80, **changes)
    params = map_leaves(lambda a: a.astype(np.float32), tiny_gpt(rng, config))
    return config, params, *rng.integers(0, 11, (2, 3, T))


def step(params, ids, targets, config, **options):
    """[the loss, every gradient], by name; the same dropout each time."""
    rng = np.random.default_rng(4) if config.dropout else None
    value, backward = gpt.loss(params, ids=ids, targets=targets, config=config, rng=rng, **options)
    return dict([("loss", value), *leaves(backward())])


def compare(config, params, ids, targets, **options):
    """Fast and plain float32 against float64, which has no fast version.  Where the exact gradient nearly vanishes (the
    keys' shift moves no score) both have rounding alone, so the floor is that of the largest gradient."""
    fast = step(params, ids, targets, config, **options)
    with plain():
        slow = step(params, ids, targets, config, **options)
    exact = step(map_leaves(lambda a: a.astype(np.float64), params), ids, targets, config, **options)
    assert fast.keys() == slow.keys() == exact.keys()
    largest = max(abs(d).max() for d in exact.values())
    for path, c in exact.items():
        assert fast[path].dtype == np.float32 and np.shape(fast[path]) == np.shape(c)
        error, theirs = abs(fast[path] - c).max(), abs(slow[path] - c).max()
        assert error <= 3 * theirs + 4 * 2**-23 * max(abs(c).max(), 0.1 * largest), path


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_variant_gives_the_loss_and_the_gradients_of_the_definitions(variant, seed):
    compare(*model(seed, **variant))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("bias", [True, False])
def test_dropout_padding_smoothing_and_ignored_targets_change_nothing_in_that(seed, norm, bias):
    config, params, ids, targets = model(seed, norm=norm, bias=bias, dropout=0.2)
    rng = np.random.default_rng(seed)
    padding = np.arange(T) < np.array([[0], [2], [66]])
    compare(config, params, ids, targets)
    compare(
        config, params, ids, targets,
        ignore=3, label_smoothing=0.1, positions=rng.integers(0, 80, (3, T)), key_padding_mask=padding,
    )  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS[::3], ids=name)
def test_a_step_changes_nothing_it_was_given_and_gives_the_same_bits_again(variant):
    config, params, ids, targets = model(0, dropout=0.1, **variant)
    for _, a in leaves(params):
        a.flags.writeable = False
    one, two = (step(params, ids, targets, config) for _ in range(2))
    assert all(one[path].tobytes() == two[path].tobytes() for path in one)


def test_two_models_may_take_turns():
    """Nothing of one forward pass lies in memory that another uses."""
    args = [model(seed, width=width) for seed, width in ((0, 8), (1, 8), (2, 16))]
    alone = [step(p, i, t, c) for c, p, i, t in args]
    backs = [gpt.loss(p, ids=i, targets=t, config=c) for c, p, i, t in args]
    for expected, (value, backward) in zip(alone, backs, strict=True):
        together = dict([("loss", value), *leaves(backward())])
        assert all(together[path].tobytes() == expected[path].tobytes() for path in expected)


def error(logits, exact):
    return abs(logits - exact).max() / abs(exact).max()


@pytest.mark.parametrize("variant", VARIANTS[::3], ids=name)
def test_writing_with_a_cache_gives_the_logits_of_reading_at_once(variant):
    config, params, ids, _ = model(0, **variant)
    exact, _ = gpt.gpt(map_leaves(lambda a: a.astype(np.float64), params), ids=ids, config=config)
    whole, _ = gpt.gpt(params, ids=ids, config=config)
    cache = gpt.Cache()
    pieces = np.split(ids, [3, 4, 5, 8, 60, *range(61, T)], axis=1)
    logits = np.concatenate([gpt.gpt(params, ids=p, config=config, cache=cache)[0] for p in pieces], 1)
    assert error(whole, exact) <= 2e-6 and error(logits, exact) <= 2e-6 and cache.length == T


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_prompts_padded_on_the_left_give_what_each_gives_alone(positions):
    config, params, ids, _ = model(0, positions=positions)
    lengths = [68, 66, 1]
    pad = np.array([[68 - n] for n in lengths])
    where, padding = np.maximum(np.arange(T) - pad, 0), np.arange(T) < pad
    cuts = [(0, 68), (68, 69), (69, 70)]
    logits = read_in_pieces(params, ids, cuts, config=config, where=where, padding=padding)
    for row, each, n in zip(logits, ids, lengths, strict=True):
        with plain():
            expected, _ = gpt.gpt(params, ids=each[None, 68 - n :], config=config)
        assert error(row[68 - n :], expected[0]) <= 4e-6


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_model_cannot_see_the_future(norm):
    config, params, ids, _ = model(0, norm=norm)
    before, _ = gpt.gpt(params, ids=ids, config=config)
    for t in (1, 63, 64, 65, 69):
        changed = ids.copy()
        changed[:, t:] = (changed[:, t:] + 1) % 11
        after, _ = gpt.gpt(params, ids=changed, config=config)
        assert error(after[:, :t], before[:, :t]) <= 1e-6 and (after[:, t] != before[:, t]).any()


def test_a_nan_among_the_parameters_reaches_the_loss():
    """Training notices a spoilt model by its loss."""
    for path, _ in leaves(model(0)[1]):
        config, params, ids, targets = model(0)
        a = dict(leaves(params))[path]
        a.reshape(-1)[ids[0, 0] * 8 if path == "tokens" else 0] = np.nan
        value, _ = gpt.loss(params, ids=ids, targets=targets, config=config)
        assert np.isnan(value), path


def test_twenty_steps_of_training_have_the_losses_of_the_definitions():
    def losses():
        config, params, ids, targets = model(0, dropout=0.1)
        optimizer, rng, seen = optim.AdamW(params, clip=1.0), np.random.default_rng(1), []
        for _ in range(20):
            value, backward = gpt.loss(optimizer.params, ids=ids, targets=targets, config=config, rng=rng)
            optimizer.add(backward())
            optimizer.step(rate=0.01)
            seen.append(float(value))
        return np.array(seen)

    fast = losses()
    with plain():
        slow = losses()
    assert fast[-1] < fast[0] - 0.3 and abs(fast - slow).max() < 1e-3
