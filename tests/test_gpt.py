"""The whole model: its gradient, its cache, its masks, and what it must not see."""

import itertools

import numpy as np
import pytest

from minillm import gpt, layers, trees
from minillm.check import check_gradients, checkpoint, using
from minillm.trees import leaves, map_leaves


def tiny_config(**changes):
    sizes = {"vocab_size": 11, "n_ctx": 12, "n_layer": 2, "n_head": 2, "width": 8}
    return gpt.Config(**(sizes | changes))


def tiny_gpt(rng, config):
    """Float64 parameters, away from the symmetric values where a wrong gradient can look right."""
    return map_leaves(lambda a: a + 0.3 * rng.normal(size=a.shape), gpt.init(config, rng, np.float64))


VARIANTS = [
    {"positions": p, "norm": n, "tied": t, "activation": a, "bias": b}
    for p, n, t, (a, b) in itertools.product(
        ["learned", "rotary", "none"],
        ["pre", "post"],
        [True, False],
        [("gelu_tanh", True), ("gelu", False), ("relu", True)],
    )
]
name = lambda variant: "-".join(str(v) for v in variant.values())


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_gradient_of_the_whole_model(rng, variant):
    config = tiny_config(**variant)
    ids, targets = rng.integers(0, 11, (2, 3, 6))
    check_gradients(gpt.loss, tiny_gpt(rng, config), ids=ids, targets=targets, config=config)


def test_gradient_with_dropout_smoothing_ignored_targets_and_padding(rng):
    config = tiny_config(dropout=0.2)
    ids, targets = rng.integers(0, 11, (2, 3, 6))
    padding = np.arange(6) < np.array([[0], [2], [4]])
    options = {
        "ignore": 3,
        "label_smoothing": 0.1,
        "positions": rng.integers(0, 12, (3, 6)),
        "key_padding_mask": padding,
    }
    params = tiny_gpt(rng, config)
    check_gradients(gpt.loss, params, ids=ids, targets=targets, config=config, rng=np.random.default_rng(1), **options)


@pytest.mark.parametrize("layer", [gpt.self_attention, gpt.ffn, gpt.block])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_each_composite_keeps_the_promise(rng, layer, norm):
    config = tiny_config(norm=norm)
    p = tiny_gpt(rng, config)["blocks"][0]
    p = {gpt.self_attention: p["attn"], gpt.ffn: p["ffn"], gpt.block: p}[layer]
    x = rng.normal(size=(2, 5, 8))
    check_gradients(layer, x, p, config=config)
    _, backward = layer(x, p, config=config)
    dx, dp = backward(rng.normal(size=x.shape))
    assert sorted(path for path, _ in leaves(dp)) == sorted(path for path, _ in leaves(p)) and dx.shape == x.shape


def test_the_gradient_tree_has_the_keys_of_the_parameters_in_their_order(rng):
    config = tiny_config(tied=False)
    params = tiny_gpt(rng, config)
    _, backward = gpt.loss(params, ids=rng.integers(0, 11, (1, 4)), targets=rng.integers(0, 11, (1, 4)), config=config)
    grads = backward()
    assert list(grads) == list(params) and len(grads["blocks"]) == 2
    assert {p: a.shape for p, a in leaves(grads)} == {p: a.shape for p, a in leaves(params)}


def test_backward_runs_once_and_says_so(rng):
    config = tiny_config()
    logits, backward = gpt.gpt(tiny_gpt(rng, config), ids=rng.integers(0, 11, (1, 4)), config=config)
    backward(np.ones_like(logits))
    with pytest.raises(ValueError, match="backward runs once"):
        backward(np.ones_like(logits))


@pytest.mark.parametrize("variant", VARIANTS[::3], ids=name)
def test_writing_with_a_cache_gives_the_same_logits_as_reading_at_once(rng, variant):
    config = tiny_config(**variant)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (3, 9))
    whole, _ = gpt.gpt(params, ids=ids, config=config)
    cache = gpt.Cache()
    pieces = [gpt.gpt(params, ids=p, config=config, cache=cache)[0] for p in np.split(ids, [3, 4, 5, 8], axis=1)]
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, rtol=1e-10, atol=1e-12)
    assert cache.length == 9


def read_in_pieces(params, ids, cuts, *, config, where, padding):
    """The logits of prompts that are padded on the left and read through a cache, from a to b for each (a, b)."""
    cache, logits = gpt.Cache(), []
    for a, b in cuts:
        given = {"positions": where[:, a:b], "key_padding_mask": padding[:, :b]}
        piece, _ = gpt.gpt(params, ids=ids[:, a:b], config=config, cache=cache, **given)
        logits.append(piece)
    return np.concatenate(logits, 1)


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_prompts_of_unequal_length_padded_on_the_left_give_what_each_gives_alone(rng, positions):
    config = tiny_config(positions=positions)
    params, lengths, total = tiny_gpt(rng, config), [6, 3, 1], 9
    alone = [rng.integers(0, 11, n + 3) for n in lengths]  # prompts, each followed by three more tokens
    pad = np.array([[6 - n] for n in lengths])
    ids = np.stack([np.concatenate([np.full(6 - n, 10), a]) for n, a in zip(lengths, alone, strict=True)])
    where = np.maximum(np.arange(total) - pad, 0)
    padding = np.arange(total) < pad
    logits = read_in_pieces(params, ids, [(0, 6), (6, 7), (7, 9)], config=config, where=where, padding=padding)
    for row, a, n in zip(logits, alone, lengths, strict=True):
        expected, _ = gpt.gpt(params, ids=a[None], config=config)
        np.testing.assert_allclose(row[6 - n :], expected[0], rtol=1e-10, atol=1e-12)


def test_a_pass_through_a_cache_has_no_backward(rng):
    config = tiny_config()
    logits, backward = gpt.gpt(tiny_gpt(rng, config), ids=rng.integers(0, 11, (1, 3)), config=config, cache=gpt.Cache())
    with pytest.raises(ValueError, match="no backward"):
        backward(logits)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_model_cannot_see_the_future(rng, norm):
    config = tiny_config(norm=norm)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 10, (2, 8))
    before, _ = gpt.gpt(params, ids=ids, config=config)
    ids[:, 5:] += 1
    after, _ = gpt.gpt(params, ids=ids, config=config)
    assert (before[:, :5] == after[:, :5]).all() and (before[:, 5:] != after[:, 5:]).any()


def test_a_permutation_of_the_batch_permutes_the_logits(rng):
    config = tiny_config()
    params, ids, order = tiny_gpt(rng, config), rng.integers(0, 11, (4, 6)), [2, 0, 3, 1]
    logits, _ = gpt.gpt(params, ids=ids, config=config)
    permuted, _ = gpt.gpt(params, ids=ids[order], config=config)
    np.testing.assert_allclose(permuted, logits[order], rtol=1e-12)


def test_a_rotary_model_depends_on_distances_only(rng):
    config = tiny_config(positions="rotary", n_ctx=100)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (2, 6))
    here, _ = gpt.gpt(params, ids=ids, config=config)
    there, _ = gpt.gpt(params, ids=ids, config=config, positions=np.arange(90, 96))
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-10)


def test_the_base_of_the_rotary_positions_is_that_of_the_config(rng):
    config = tiny_config(positions="rotary", rotary_base=100)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (2, 6))
    logits, _ = gpt.gpt(params, ids=ids, config=config)
    rotary = layers.rotary
    with using(layers, rotary=lambda z, *, positions, base: rotary(z, positions=positions, base=100)):
        same, _ = gpt.gpt(params, ids=ids, config=tiny_config(positions="rotary"))
    other, _ = gpt.gpt(params, ids=ids, config=tiny_config(positions="rotary"))
    assert (logits == same).all() and (logits != other).any()


def test_dropout_is_off_without_rng_and_on_with_it(rng):
    config = tiny_config(dropout=0.5)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (2, 6))
    quiet, _ = gpt.gpt(params, ids=ids, config=config)
    same, _ = gpt.gpt(params, ids=ids, config=tiny_config())
    noisy, _ = gpt.gpt(params, ids=ids, config=config, rng=np.random.default_rng(0))
    assert (quiet == same).all() and (noisy != quiet).any()


def test_nothing_that_was_passed_in_is_changed(rng):
    config = tiny_config(dropout=0.1)
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (3, 6))
    before = [a.copy() for _, a in leaves(params)]
    logits, backward = gpt.gpt(params, ids=ids, config=config, rng=np.random.default_rng(0))
    dlogits = rng.normal(size=logits.shape)
    kept = dlogits.copy(), logits.copy()
    backward(dlogits)
    assert (kept[0] == dlogits).all() and (kept[1] == logits).all()
    assert all((a == b).all() for a, (_, b) in zip(before, leaves(params), strict=True))


def test_checkpointing_a_block_changes_no_gradient(rng):
    config = tiny_config(dropout=0.3)
    x, p = rng.normal(size=(2, 5, 8)), tiny_gpt(rng, config)["blocks"][0]
    dy = rng.normal(size=x.shape)
    _, plain = gpt.block(x, p, config=config, rng=np.random.default_rng(1))
    _, again = checkpoint(gpt.block)(x, p, config=config, rng=np.random.default_rng(1))
    for (path, a), (_, b) in zip(leaves(list(plain(dy))), leaves(list(again(dy))), strict=True):
        assert (a == b).all(), path


class Sized(np.ndarray):
    """An array that notes the dtype of every result that was computed from it."""

    dtypes = set()

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = lambda a: a.view(np.ndarray) if isinstance(a, Sized) else a
        if "out" in kwargs:
            kwargs["out"] = tuple(plain(a) for a in kwargs["out"])
        result = getattr(ufunc, method)(*(plain(a) for a in inputs), **kwargs)
        Sized.dtypes.add((ufunc.__name__, str(result.dtype)))
        return result.view(Sized) if isinstance(result, np.ndarray) else np.asarray(result).view(Sized)


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_a_float32_step_makes_no_float64_array(rng, variant):
    config = tiny_config(dropout=0.1, **variant)
    params = map_leaves(lambda a: a.view(Sized), gpt.init(config, rng))
    ids, targets = rng.integers(0, 11, (2, 3, 6))
    Sized.dtypes.clear()
    value, backward = gpt.loss(
        params, ids=ids, targets=targets, config=config, ignore=2, label_smoothing=0.1, rng=np.random.default_rng(0)
    )
    grads = backward()
    assert len(Sized.dtypes) > 5
    assert {t for t in Sized.dtypes if t[1] == "float64"} == set()
    assert value.dtype == np.float32 and {str(a.dtype) for _, a in leaves(grads)} == {"float32"}


def test_a_learners_own_function_runs_inside_the_model(rng):
    config = tiny_config()
    params, (ids, targets) = tiny_gpt(rng, config), rng.integers(0, 11, (2, 2, 6))
    calls = dict.fromkeys(
        ["linear", "embedding", "layer_norm", "gelu", "softmax", "attention", "dropout", "cross_entropy"], 0
    )

    def counting(f):
        def mine(*arrays, **options):
            calls[f.__name__] += 1
            return f(*arrays, **options)

        return mine

    with using(layers, **{f: counting(getattr(layers, f)) for f in calls}):
        gpt.loss(params, ids=ids, targets=targets, config=config)
    assert calls == {"linear": 13, "embedding": 2, "layer_norm": 5, "gelu": 2, "softmax": 2, "attention": 2,
                     "dropout": 7, "cross_entropy": 1}  # fmt: skip


def test_one_batch_is_learned_by_heart_with_plain_gradient_descent(rng):
    config = tiny_config(n_layer=1)
    params, (ids, targets) = gpt.init(config, rng), rng.integers(0, 11, (2, 2, 6))
    first, _ = gpt.loss(params, ids=ids, targets=targets, config=config)
    assert abs(first - np.log(11)) < 0.1  # at first every token is as likely as another
    for _ in range(800):
        value, backward = gpt.loss(params, ids=ids, targets=targets, config=config)
        params = map_leaves(lambda a, da: a - np.float32(0.5) * da, params, backward())
    assert value < 0.05


def test_init_has_the_deviations_it_promises_and_is_a_function_of_its_seed():
    config = gpt.Config(vocab_size=300, n_ctx=200, n_layer=8, width=160)
    params = gpt.init(config, np.random.default_rng(0))
    deviation = {path: float(a.std()) for path, a in leaves(params)}
    for path, std in [("tokens", 0.02), ("positions", 0.02), ("blocks.3.attn.w_q", 0.02), ("blocks.3.ffn.w_up", 0.02),
                      ("blocks.3.attn.w_o", 0.005), ("blocks.3.ffn.w_down", 0.005)]:  # fmt: skip
        assert abs(deviation[path] / std - 1) < 0.03, path
    again = gpt.init(config, np.random.default_rng(0))
    assert all((a == b).all() for (_, a), (_, b) in zip(leaves(params), leaves(again), strict=True))
    assert {str(a.dtype) for _, a in leaves(params)} == {"float32"}
    assert (params["norm"]["g"] == 1).all() and (params["blocks"][0]["attn"]["b_q"] == 0).all()


def test_trees_hold_exactly_the_parts_that_the_config_asks_for(rng):
    keys = lambda **changes: set(gpt.init(tiny_config(**changes), rng))
    assert keys() == {"tokens", "positions", "blocks", "norm"}
    assert keys(positions="rotary", tied=False) == {"tokens", "blocks", "norm", "unembed"}
    assert keys(norm="post") == {"tokens", "positions", "blocks"}
    assert not [p for p, _ in trees.leaves(gpt.init(tiny_config(bias=False), rng)) if ".b_" in p]


def by_its_parts(params, ids, config):
    """The model as its definition reads: every part called by hand, forward only."""
    norm = lambda x, p: layers.layer_norm(x, p["g"], p["b"], eps=config.eps)[0]
    linear = lambda x, p, name: layers.linear(x, p[f"w_{name}"], p.get(f"b_{name}"))[0]
    (B, T), H, places = ids.shape, config.n_head, np.arange(ids.shape[1])
    activation = {
        "relu": lambda x: layers.relu(x)[0],
        "gelu": lambda x: layers.gelu(x, approximate="none")[0],
        "gelu_tanh": lambda x: layers.gelu(x, approximate="tanh")[0],
    }[config.activation]

    def attend(x, p):
        q, k, v = (linear(x, p, name).reshape(B, T, H, -1).transpose(0, 2, 1, 3) for name in "qkv")
        if config.positions == "rotary":
            q, k = (layers.rotary(z, positions=places)[0] for z in (q, k))
        y = layers.attention(q, k, v, mask=np.tri(T, dtype=bool))[0]
        return linear(y.transpose(0, 2, 1, 3).reshape(B, T, -1), p, "o")

    think = lambda x, p: linear(activation(linear(x, p, "up")), p, "down")
    x = params["tokens"][ids]
    if config.positions == "learned":
        x = x + params["positions"][places]
    for p in params["blocks"]:
        for layer, n, part in ((attend, "norm1", "attn"), (think, "norm2", "ffn")):
            pre = config.norm == "pre"
            x = x + layer(norm(x, p[n]), p[part]) if pre else norm(x + layer(x, p[part]), p[n])
    if config.norm == "pre":
        x = norm(x, params["norm"])
    return x @ params["tokens" if config.tied else "unembed"].T


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_the_model_is_what_its_parts_say(rng, variant):
    config = tiny_config(eps=0.3, **variant)  # so large that it shows
    params, ids = tiny_gpt(rng, config), rng.integers(0, 11, (3, 6))
    logits, _ = gpt.gpt(params, ids=ids, config=config)
    np.testing.assert_allclose(logits, by_its_parts(params, ids, config), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_dropout_acts_on_the_embedding_the_weights_and_both_branches_of_every_block(rng, norm):
    config = tiny_config(dropout=0.2, norm=norm)
    params, (ids, targets) = tiny_gpt(rng, config), rng.integers(0, 11, (2, 3, 6))
    rates = []

    def counting(x, *, rate, rng):
        rates.append((rate, x.ndim))
        return dropout(x, rate=rate, rng=rng)

    dropout = layers.dropout
    with using(layers, dropout=counting):
        gpt.gpt(params, ids=ids, config=config, rng=rng)
    block = [(0.2, 4), (0.2, 3), (0.2, 3)]  # weights (B, H, T, S), then the two branches (B, T, C)
    assert rates == [(0.2, 3), *block, *block]
    check_gradients(gpt.loss, params, ids=ids, targets=targets, config=config, rng=np.random.default_rng(1))


def test_loss_passes_every_option_on(rng):
    config = tiny_config()
    params, (ids, targets) = tiny_gpt(rng, config), rng.integers(0, 11, (2, 3, 6))
    model = {"positions": rng.integers(0, 12, (3, 6)), "key_padding_mask": np.arange(6) < np.array([[0], [2], [4]])}
    judge = {"ignore": int(targets[0, 0]), "label_smoothing": 0.1}
    logits, _ = gpt.gpt(params, ids=ids, config=config, **model)
    wanted, _ = layers.cross_entropy(logits, targets=targets, **judge)
    assert gpt.loss(params, ids=ids, targets=targets, config=config, **model, **judge)[0] == wanted


def test_the_cache_doubles_so_that_a_long_text_is_copied_only_a_few_times(rng):
    memory, stores = gpt.Cache().layer(0), []
    for _ in range(64):
        memory.extend(*rng.normal(size=(2, 1, 1, 1, 4)))
        if not stores or stores[-1] is not memory.k:
            stores.append(memory.k)
    assert len(stores) <= 8  # 1, 2, 4, ..., 64
