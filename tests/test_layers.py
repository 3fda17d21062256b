"""Every layer means what its spec says, its backward agrees with finite differences, and it keeps its promises."""

import contextlib
import functools
import math
import sys

import numpy as np
import pytest

from minillm import layers, specs
from minillm.check import check_gradients

INF = math.inf


def normal(*shapes):
    """Inputs of these shapes; the same ones each time."""
    return lambda rng: [rng.normal(size=shape) for shape in shapes]


def drawn(shape, V):
    return np.random.default_rng(1).integers(0, V, shape)


IDS, LABELS = drawn((3, 4), 5), drawn((2, 3), 7)
QKV = normal((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 2))

# What is tried: (layer, inputs, options). Sizes are awkward on purpose.
CASES = {
    "linear": ("linear", normal((2, 3, 4), (4, 5), (5,)), {}),
    "linear, no shift": ("linear", normal((2, 3, 4), (4, 5)), {}),
    "linear, one vector": ("linear", normal((4,), (4, 5), (5,)), {}),
    "linear, one channel": ("linear", normal((3, 1), (1, 1), (1,)), {}),
    "linear, more axes": ("linear", normal((2, 1, 3, 2, 7), (7, 3), (3,)), {}),
    "linear, nothing": ("linear", normal((0, 4), (4, 5), (5,)), {}),
    "embedding": ("embedding", normal((5, 3)), {"ids": IDS}),
    "embedding, one row": ("embedding", normal((1, 3)), {"ids": np.zeros((2, 2), int)}),
    "embedding, one channel": ("embedding", normal((5, 1)), {"ids": IDS.astype(np.int32)}),
    "embedding, one id": ("embedding", normal((5, 3)), {"ids": np.array(2)}),
    "embedding, no ids": ("embedding", normal((5, 3)), {"ids": np.zeros((2, 0), int)}),
    "embedding, small integers": ("embedding", normal((5, 3)), {"ids": IDS.astype(np.uint16)[:, :, None]}),
    "layer_norm": ("layer_norm", normal((2, 3, 7), (7,), (7,)), {}),
    "layer_norm, one vector": ("layer_norm", normal((7,), (7,), (7,)), {}),
    "layer_norm, one channel": ("layer_norm", normal((3, 1), (1,), (1,)), {}),
    "layer_norm, large eps": ("layer_norm", normal((3, 1, 2, 5), (5,), (5,)), {"eps": 0.5}),
    "layer_norm, nothing": ("layer_norm", normal((2, 0, 7), (7,), (7,)), {}),
    "gelu": ("gelu", normal((3, 1, 7)), {}),
    "gelu, erf": ("gelu", normal((3, 1, 7)), {"approximate": "none"}),
    "relu": ("relu", normal((3, 1, 7)), {}),
    "dropout": ("dropout", normal((3, 1, 7)), {"rate": 0.3, "seed": 4}),
    "dropout, most": ("dropout", normal((50,)), {"rate": 0.9, "seed": 5}),
    "dropout, rate 0": ("dropout", normal((3, 7)), {"rate": 0.0, "seed": 6}),
    "softmax": ("softmax", normal((2, 3, 7)), {}),
    "softmax, first axis": ("softmax", normal((2, 3, 7)), {"axis": 0}),
    "softmax, middle axis": ("softmax", normal((2, 3, 7)), {"axis": -2}),
    "softmax, one vector": ("softmax", normal((7,)), {}),
    "softmax, one score": ("softmax", normal((3, 1)), {}),
    "rotary": ("rotary", normal((2, 3, 5, 6)), {"positions": np.arange(5)}),
    "rotary, one pair": ("rotary", normal((5, 2)), {"positions": np.arange(5) + 100}),
    "rotary, per row": ("rotary", normal((2, 3, 5, 6)), {"positions": drawn((2, 5), 50)}),
    "rotary, per row, no heads": ("rotary", normal((2, 5, 6)), {"positions": drawn((2, 5), 50)}),
    "rotary, base 7": ("rotary", normal((2, 1, 1, 6)), {"positions": np.array([9]), "base": 7}),
    "attention": ("attention", QKV, {"causal": True}),
    "attention, dropout": ("attention", QKV, {"causal": True, "dropout": 0.4, "seed": 7}),
    "attention, one channel": ("attention", normal((1, 1, 3, 1), (1, 1, 3, 1), (1, 1, 3, 1)), {}),
    "attention, no queries": ("attention", normal((2, 3, 0, 5), (2, 3, 6, 5), (2, 3, 6, 2)), {}),
    "attention, no batch": ("attention", normal((0, 3, 4, 5), (0, 3, 6, 5), (0, 3, 6, 2)), {"causal": True}),
    "cross_entropy": ("cross_entropy", normal((2, 3, 7)), {"targets": LABELS}),
    "cross_entropy, smoothed": ("cross_entropy", normal((2, 3, 7)), {"targets": LABELS, "label_smoothing": 0.2}),
    "cross_entropy, ignoring": ("cross_entropy", normal((2, 3, 7)), {"targets": LABELS, "ignore": LABELS[0, 1]}),
    "cross_entropy, ignoring -100": (
        "cross_entropy",
        normal((2, 3, 7)),
        {"targets": np.where(LABELS > 3, -100, LABELS), "ignore": -100, "label_smoothing": 0.1},
    ),
    "cross_entropy, one row": ("cross_entropy", normal((7,)), {"targets": np.array(3)}),
    "cross_entropy, one class": ("cross_entropy", normal((4, 1)), {"targets": np.zeros(4, np.uint16)}),
}
EVERY_CASE = pytest.mark.parametrize("case", CASES)


def prepare(case, rng, dtype=np.float64):
    """The layer with its options filled in, and its inputs.  Each call draws the same dropout mask."""
    name, inputs, options = CASES[case]
    layer = getattr(layers, name)

    @functools.wraps(layer)
    def with_options(*arrays):
        return layer(*arrays, **with_rng(options))

    return with_options, [a.astype(dtype) for a in inputs(rng)]


def with_rng(options):
    """The options, with a fresh source of randomness in the place of a seed."""
    options = dict(options)
    if "seed" in options:
        options["rng"] = np.random.default_rng(options.pop("seed"))
    return options


def blame(dy, backward):
    """All gradients, as a tuple."""
    grads = backward(dy)
    return grads if isinstance(grads, tuple) else (grads,)


def meaning(name, arrays, options):
    """What the spec says; where chance has a part, the mask that the layer draws is drawn again."""
    options = dict(options)
    if "seed" in options:
        rng = np.random.default_rng(options.pop("seed"))
        draw = np.random.default_rng(int(rng.integers(2**63)))
        shape = arrays[0].shape if name == "dropout" else (*arrays[0].shape[:3], arrays[1].shape[2])
        rate = options.get("rate", options.get("dropout"))
        options["keep"] = draw.random(shape, dtype=np.float32) >= rate
    return getattr(specs, name)(*arrays, **options)


def same(a, b, tol=1e-12):
    np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


# 1. Meaning, and 2. adjoint


@EVERY_CASE
def test_layer_means_what_its_spec_says(case, rng):
    layer, arrays = prepare(case, rng)
    name, _, options = CASES[case]
    expected = meaning(name, arrays, options)
    y, _ = layer(*arrays)
    assert np.shape(y) == np.shape(expected)
    same(y, expected)


@EVERY_CASE
def test_backward_agrees_with_finite_differences(case, rng):
    layer, arrays = prepare(case, rng)
    check_gradients(layer, *arrays, tol=1e-7)


def hide(shape, *, floats):
    """A mask that hides about a third of the places, and everything from the second query."""
    rng = np.random.default_rng(2)
    seen = rng.random(shape) < 0.7
    if len(shape) > 1 and shape[-2] > 1:
        seen[..., 1, :] = False
    return np.where(seen, rng.normal(size=shape), -INF) if floats else seen


MASKS = {
    "no mask": lambda B, H, T, S: None,
    "booleans (T, S)": lambda B, H, T, S: hide((T, S), floats=False),
    "booleans (S,)": lambda B, H, T, S: hide((S,), floats=False),
    "booleans (B, 1, T, S)": lambda B, H, T, S: hide((B, 1, T, S), floats=False),
    "booleans (T, 1)": lambda B, H, T, S: hide((T, 1), floats=False),
    "floats (H, T, S)": lambda B, H, T, S: hide((H, T, S), floats=True),
    "floats (B, 1, 1, S)": lambda B, H, T, S: hide((B, 1, 1, S), floats=True),
    "floats, all -inf": lambda B, H, T, S: np.full((T, S), -INF),
}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("T, S", [(4, 6), (3, 3), (5, 2), (1, 3), (3, 1)])
def test_attention_with_every_mix_of_masks(T, S, mask, causal, padding, dropout, rng):
    B, H, K = 2, 2, 3
    arrays = [rng.normal(size=(B, H, n, width)) for n, width in ((T, K), (S, K), (S, 4))]
    lengths = np.array([[S], [S // 2]])
    options = {"causal": causal, "mask": MASKS[mask](B, H, T, S), "dropout": dropout} | ({"seed": 3} if dropout else {})
    options["key_padding_mask"] = np.arange(S) >= lengths if padding else None
    y, _ = layers.attention(*arrays, **with_rng(options))
    same(y, meaning("attention", arrays, options))
    check_gradients(layers.attention, *arrays, tol=1e-7, **with_rng(options))


# Extreme numbers. A RuntimeWarning, such as an overflow or an invalid value, is an error here (pyproject.toml).


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_extreme_scores_and_of_rows_that_are_all_hidden(dtype):
    x = np.array([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4], [-INF, 0, -INF], [-INF, -INF, -INF]], dtype)
    y, backward = layers.softmax(x)
    assert (y == [[0.5, 0.5, 0], [np.float64(dtype(1 / 3))] * 3, [0, 1, 0], [0, 0, 0]]).all()
    dx = backward(np.array([[1, 2, 3]] * 4, dtype))
    same(dx, [[-0.25, 0.25, 0], [-1 / 3, 0, 1 / 3], [0, 0, 0], [0, 0, 0]], 1e-6)
    assert (dx[2:] == 0).all()
    y, backward = layers.softmax(x.T.copy(), axis=0)
    assert (y[:, 3] == 0).all() and (backward(np.ones_like(y))[:, 3] == 0).all()


def test_attention_with_extreme_scores(rng):
    q, k = (100.0 * rng.integers(-9, 10, shape) for shape in ((1, 2, 4, 4), (1, 2, 6, 4)))  # integers: scores are exact
    v = rng.normal(size=(1, 2, 6, 3))
    assert abs(q @ k.swapaxes(-1, -2)).max() > 1e4
    y, backward = layers.attention(q, k, v, causal=True)
    same(y, specs.attention(q, k, v, causal=True))
    assert all(np.isfinite(d).all() for d in backward(np.ones_like(y)))


@pytest.mark.parametrize("approximate", ["tanh", "none"])
@pytest.mark.parametrize("dtype, tol", [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_gelu_from_very_small_to_very_large(approximate, dtype, tol):
    x = np.concatenate([np.linspace(-9, 9, 1801), [1e4, -1e4, 1e-4, 40, -40]]).astype(dtype)
    y, backward = layers.gelu(x, approximate=approximate)
    expected = specs.gelu(x.astype(np.float64), approximate=approximate)
    same(y, expected, tol)
    dx = backward(np.ones_like(x))
    assert dx[1801] == 1 and dx[1802] == 0 and dx[1804] == 1 and dx[1805] == 0


def test_layer_norm_far_from_zero(rng):
    x, g, b = 1e4 + rng.normal(size=(3, 7)), rng.normal(size=7), rng.normal(size=7)
    y, _ = layers.layer_norm(x, g, b)
    same(y, specs.layer_norm(x, g, b), 1e-10)  # x itself is only known to 1e-12
    small = [a.astype(np.float32) for a in (x / 10, g, b)]
    y, _ = layers.layer_norm(*small)
    same(y, specs.layer_norm(*(a.astype(np.float64) for a in small)), 1e-3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_extreme_logits(smoothing):
    logits, targets = np.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]]), np.array([0, 1])
    loss, backward = layers.cross_entropy(logits, targets=targets, label_smoothing=smoothing)
    same(loss, specs.cross_entropy(logits, targets=targets, label_smoothing=smoothing))
    wanted = np.eye(3)[targets] * (1 - smoothing) + smoothing / 3
    same(backward(), (np.array([1.0, 0.0, 0.0]) - wanted) / 2)


def test_cross_entropy_with_a_forbidden_token():
    logits, targets = np.array([[0.0, -INF, 0.0]]), np.array([2])
    loss, backward = layers.cross_entropy(logits, targets=targets)
    same(loss, math.log(2))
    same(backward(), [[0.5, 0, -0.5]])


# 3. Invariants


@EVERY_CASE
def test_layer_leaves_its_arguments_and_results_alone(case, rng):
    layer, arrays = prepare(case, rng)
    for a in [*arrays, *(o for o in CASES[case][2].values() if isinstance(o, np.ndarray))]:
        a.flags.writeable = False  # from here on, writing raises
    before = [a.copy() for a in arrays]
    y, backward = layer(*arrays)
    y_before, dy = np.copy(y), rng.normal(size=np.shape(y))
    dy_before = dy.copy()
    dy.flags.writeable = False
    backward(dy)
    for a, b in zip([*arrays, y, dy], [*before, y_before, dy_before], strict=True):
        assert (a == b).all()


@EVERY_CASE
def test_backward_gives_the_same_gradients_twice_and_after_another_call(case, rng):
    layer, arrays = prepare(case, rng)
    y, backward = layer(*arrays)
    dy = rng.normal(size=np.shape(y))
    first = [d.copy() for d in blame(dy, backward)]
    _, other = layer(*(2 * a for a in arrays))
    other(3 * dy)
    for a, b in zip(first, blame(dy, backward), strict=True):
        assert (a == b).all()


@EVERY_CASE
def test_views_with_any_strides_give_what_copies_give(case, rng):
    layer, arrays = prepare(case, rng)
    strided = [np.repeat(a[..., None], 2, axis=-1)[..., 0].T.copy().T for a in arrays]
    y, backward = layer(*arrays)
    z, back_strided = layer(*strided)
    dy = rng.normal(size=np.shape(y))
    same(z, y)
    for a, b in zip(blame(dy, backward), blame(dy.T.copy().T, back_strided), strict=True):
        same(a, b)


PER_ROW = ["linear", "layer_norm", "gelu", "gelu, erf", "relu", "softmax", "rotary", "attention"]


@pytest.mark.parametrize("case", PER_ROW)
def test_a_permutation_of_the_batch_permutes_the_output(case, rng):
    layer, arrays = prepare(case, rng)
    batched = len(arrays) if case == "attention" else 1  # the first array, or q, k and v
    swapped = [a[::-1] if i < batched else a for i, a in enumerate(arrays)]
    y, backward = layer(*arrays)
    z, back_swapped = layer(*swapped)
    same(z, y[::-1])
    dy = rng.normal(size=y.shape)
    for i, (a, b) in enumerate(zip(blame(dy, backward), blame(dy[::-1], back_swapped), strict=True)):
        same(b, a[::-1] if i < batched else a)


def test_a_permutation_of_the_heads_permutes_the_output(rng):
    q, k, v = QKV(rng)
    y, _ = layers.attention(q, k, v, causal=True)
    z, _ = layers.attention(q[:, ::-1], k[:, ::-1], v[:, ::-1], causal=True)
    same(z, y[:, ::-1])


@pytest.mark.parametrize("T, S", [(5, 5), (3, 5), (1, 5)])
def test_causal_attention_cannot_see_the_future(T, S, rng):
    q, k, v = (rng.normal(size=(1, 2, n, 3)) for n in (T, S, S))
    before, _ = layers.attention(q, k, v, causal=True)
    for s in range(S):
        changed = (np.arange(S) == s)[:, None]
        after, _ = layers.attention(q, k + changed, v + changed, causal=True)
        notices = (before != after).any(axis=(0, 1, 3))
        assert (notices == (np.arange(S - T, S) >= s)).all()  # the places from s on, and only they


def test_the_last_queries_alone_give_what_they_give_in_the_whole_sequence(rng):
    q, k, v = (rng.normal(size=(2, 2, 6, 3)) for _ in range(3))
    whole, _ = layers.attention(q, k, v, causal=True)
    last, _ = layers.attention(q[:, :, 4:], k, v, causal=True)
    same(last, whole[:, :, 4:])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_batch_gives_what_each_sequence_gives_alone(side, rng):
    B, T, lengths = 3, 6, [6, 4, 1]
    q, k, v, dy = (rng.normal(size=(B, 2, T, 3)) for _ in range(4))
    real = np.array([(np.arange(T) < n)[:: 1 if side == "right" else -1] for n in lengths])
    dy *= real[:, None, :, None]  # nobody reads what stands at the padding
    y, backward = layers.attention(q, k, v, causal=True, key_padding_mask=~real)
    grads = backward(dy)
    for n in range(B):
        alone = [a[n : n + 1][:, :, real[n]] for a in (q, k, v, dy)]
        y_alone, back_alone = layers.attention(*alone[:3], causal=True)
        same(y[n : n + 1][:, :, real[n]], y_alone)
        for d, d_alone in zip(grads, back_alone(alone[3]), strict=True):
            same(d[n : n + 1][:, :, real[n]], d_alone)
            assert (d[n][:, ~real[n]] == 0).all()


@pytest.mark.parametrize("how", ["booleans", "floats", "padding", "causal"])
def test_a_query_with_nothing_to_attend_to_gives_zero_with_zero_gradients(how, rng):
    T, S = (6, 4) if how == "causal" else (4, 6)
    q, k, v, dy = (rng.normal(size=(2, 3, n, 5)) for n in (T, S, S, T))
    blind, padding = np.zeros((2, T), bool), np.zeros((2, S), bool)
    blind[1], padding[1] = how == "padding", True
    if how == "causal":
        blind[:, :2] = True  # the first two of six queries stand before the first of four keys
    elif how != "padding":
        blind[:, 2] = True
    mask = np.broadcast_to(~blind[0][:, None], (T, S))
    options = {
        "booleans": {"mask": mask},
        "floats": {"mask": np.where(mask, 0.0, -INF)},
        "padding": {"key_padding_mask": padding},
        "causal": {"causal": True},
    }[how]
    y, backward = layers.attention(q, k, v, **options)
    dq, dk, dv = backward(dy)
    rows = np.broadcast_to(blind[:, None], (2, 3, T))
    assert rows.any() and (y[rows] == 0).all() and (dq[rows] == 0).all()
    assert (y[~rows] != 0).all() and dq[~rows].any()
    _, back_unblamed = layers.attention(q, k, v, **options)
    _, dk_without, dv_without = back_unblamed(dy * ~rows[..., None])
    same(dk, dk_without)  # what such a query asks for moves no key and no value
    same(dv, dv_without)
    if how == "padding":
        assert (dk[1] == 0).all() and (dv[1] == 0).all()


def test_softmax_sums_to_one_and_ignores_shift(rng):
    x = rng.normal(size=(4, 5, 6))
    for axis in (-1, 0, 1):
        y, backward = layers.softmax(x, axis=axis)
        same(y.sum(axis), 1)
        same(layers.softmax(x + 7, axis=axis)[0], y)
        same(backward(rng.normal(size=y.shape)).sum(axis), 0)  # no gradient along a shift


def test_layer_norm_ignores_shift_and_scale_of_its_input(rng):
    x, g, b, dy = (rng.normal(size=shape) for shape in ((3, 8), 8, 8, (3, 8)))
    y, backward = layers.layer_norm(x, g, b, eps=0.0)
    same(layers.layer_norm(3 * x + 7, g, b, eps=0.0)[0], y)
    dx, _, _ = backward(dy)
    same(dx.sum(-1), 0)  # no gradient along a shift
    same((dx * (x - x.mean(-1, keepdims=True))).sum(-1), 0)  # nor along a scale


def test_layer_norm_gives_mean_0_and_variance_1(rng):
    y, _ = layers.layer_norm(rng.normal(3, 5, size=(4, 9)), np.ones(9), np.zeros(9), eps=0.0)
    same(y.mean(-1), 0)
    same((y * y).mean(-1), 1)


def test_rotary_keeps_lengths_and_depends_on_differences_of_positions_only(rng):
    q, k = rng.normal(size=(2, 7, 8))
    turned = lambda x, shift: layers.rotary(x, positions=np.arange(7) + shift)[0]
    same((turned(q, 5) ** 2).sum(-1), (q**2).sum(-1))
    same(turned(q, 0)[0], q[0])  # at position 0 nothing turns
    same(turned(q, 13) @ turned(k, 13).T, turned(q, 0) @ turned(k, 0).T, 1e-11)
    assert abs(turned(q, 1) @ turned(k, 0).T - turned(q, 0) @ turned(k, 0).T).max() > 0.1


def test_rotary_turns_gradients_back_by_the_same_angle(rng):
    x, positions = rng.normal(size=(2, 3, 5, 6)), drawn((2, 5), 50)
    _, backward = layers.rotary(x, positions=positions)
    same(backward(x), specs.rotary(x, positions=-positions))


def test_rotary_at_far_positions_in_float32_errs_by_no_more_than_rounded_angles_can():
    x, p = np.ones((1, 8), np.float32), np.array([4095])
    expected = specs.rotary(np.ones((1, 8)), positions=p)
    same(layers.rotary(x, positions=p)[0], expected, 2 * 4095 * 2**-24)  # half a unit in the angle and in its speed


def test_dropout_keeps_the_expectation():
    n, rate = 100_000, 0.3
    y, _ = layers.dropout(np.ones(n), rate=rate, rng=np.random.default_rng(0))
    deviation = math.sqrt(rate / (1 - rate) / n)  # of the mean of n draws
    assert 0 < abs(y.mean() - 1) < 5 * deviation
    same(np.unique(y), [0, 1 / (1 - rate)])


def test_dropout_uses_the_same_mask_on_the_way_back(rng):
    y, backward = layers.dropout(np.ones((20, 30)), rate=0.5, rng=rng)
    assert (backward(np.ones((20, 30))) == y).all()


def test_dropout_draws_another_mask_each_time_and_the_same_one_from_the_same_seed(rng):
    draw = lambda rng: layers.dropout(np.ones(100), rate=0.5, rng=rng)[0]
    assert (draw(rng) != draw(rng)).any()
    assert (draw(np.random.default_rng(8)) == draw(np.random.default_rng(8))).all()


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_dropout_at_rate_0_is_the_identity(rng):
    x = np.arange(6.0).reshape(2, 3)
    y, backward = layers.dropout(x, rate=0.0, rng=rng)
    assert (y == x).all() and (backward(x) == x).all()


def test_cross_entropy_of_uniform_logits_is_ln_V():
    for V in (1, 2, 50_257):
        loss, _ = layers.cross_entropy(np.full((3, V), 7.0), targets=np.array([0, V - 1, V // 2]))
        same(loss, math.log(V))


def test_cross_entropy_ignores_shift_and_its_gradient_sums_to_zero(rng):
    logits = rng.normal(size=(2, 3, 7))
    loss, backward = layers.cross_entropy(logits, targets=LABELS, label_smoothing=0.1)
    same(layers.cross_entropy(logits + 7, targets=LABELS, label_smoothing=0.1)[0], loss)
    same(backward().sum(-1), 0)


def test_cross_entropy_is_one_number_and_dloss_scales_its_gradient(rng):
    loss, backward = layers.cross_entropy(rng.normal(size=(2, 3, 7)), targets=LABELS)
    assert np.ndim(loss) == 0
    assert (backward() == backward(1.0)).all()
    same(backward(3.0), 3 * backward())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_ignored_targets_get_zero_gradient_and_do_not_count(smoothing, rng):
    logits, targets = rng.normal(size=(6, 7)), np.array([1, -1, 3, -1, 0, 6])
    counted = targets != -1
    loss, backward = layers.cross_entropy(logits, targets=targets, ignore=-1, label_smoothing=smoothing)
    alone, back_alone = layers.cross_entropy(logits[counted], targets=targets[counted], label_smoothing=smoothing)
    same(loss, alone)
    assert (backward()[~counted] == 0).all()
    same(backward()[counted], back_alone())


def test_with_no_counted_target_the_loss_and_its_gradient_are_zero(rng):
    logits = rng.normal(size=(2, 3, 7))
    loss, backward = layers.cross_entropy(logits, targets=np.full((2, 3), -100), ignore=-100)
    assert loss == 0 and backward().shape == logits.shape and (backward() == 0).all()


def test_gradients_of_repeated_ids_add_up():
    ids, dy = np.array([[2, 0, 2], [2, 4, 0]]), np.arange(12.0).reshape(2, 3, 2)
    _, backward = layers.embedding(np.zeros((5, 2)), ids=ids)
    dtable = [[2 + 10, 3 + 11], [0, 0], [0 + 4 + 6, 1 + 5 + 7], [0, 0], [8, 9]]
    assert (backward(dy) == dtable).all()


def test_many_repeated_ids_add_up(rng):
    ids, dy = rng.integers(0, 3, (40, 50)), rng.normal(size=(40, 50, 4))
    dtable = layers.embedding(np.zeros((9, 4)), ids=ids)[1](dy)
    same(dtable, [dy[ids == v].sum(0) for v in range(9)])


# 4. float32 stays float32


class Watched(np.ndarray):
    """An array that notes the type of every array that is computed from it."""

    seen = set()

    def __array_finalize__(self, parent):
        asked_by = sys._getframe(1).f_globals["__name__"]
        if not asked_by.startswith("numpy"):  # mean() of a few numbers divides them in float64 inside NumPy
            Watched.seen.add(self.dtype.name)


def kept(thing):
    """Every array and NumPy number that a backward pass keeps alive, also inside the backward passes it calls."""
    if isinstance(thing, (np.ndarray, np.generic)):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from kept(part)
    elif isinstance(thing, dict):
        yield from kept(list(thing.values()))
    elif getattr(thing, "__closure__", None):
        for cell in thing.__closure__:
            with contextlib.suppress(ValueError):  # a name that got no value in this call
                yield from kept(cell.cell_contents)


@EVERY_CASE
def test_float32_in_gives_float32_out_and_nothing_becomes_float64_on_the_way(case, rng):
    layer, arrays = prepare(case, rng, np.float32)
    y, backward = layer(*arrays)
    assert y.dtype == np.float32
    dy = rng.normal(size=np.shape(y)).astype(np.float32)
    grads = blame(dy, backward)
    assert [d.dtype for d in grads] == [np.float32] * len(arrays)
    assert not [a for a in kept(backward) if a.dtype == np.float64]

    Watched.seen.clear()
    y, backward = layer(*[a.view(Watched) for a in arrays])
    backward(dy.view(Watched))
    assert "float32" in Watched.seen and "float64" not in Watched.seen


@EVERY_CASE
def test_float32_agrees_with_float64(case, rng):
    layer, arrays = prepare(case, rng, np.float32)
    y32, back32 = layer(*arrays)
    y64, back64 = layer(*[a.astype(np.float64) for a in arrays])
    dy = rng.normal(size=np.shape(y64)).astype(np.float32)
    for a, b in zip([y32, *blame(dy, back32)], [y64, *blame(dy.astype(np.float64), back64)], strict=True):
        if np.size(b):
            assert abs(a - b).max() <= 3e-6 * max(1, abs(b).max())


def test_a_mask_in_float64_does_not_turn_float32_into_float64(rng):
    q, k, v = (a.astype(np.float32) for a in QKV(rng))
    y, backward = layers.attention(q, k, v, mask=hide((4, 6), floats=True))
    assert y.dtype == np.float32 and {d.dtype for d in backward(y)} == {np.dtype(np.float32)}
    assert not [a for a in kept(backward) if a.dtype == np.float64]


@pytest.mark.parametrize("ignore", [None, 4])
def test_a_loss_weight_in_float64_does_not_turn_float32_into_float64(ignore, rng):
    logits = rng.normal(size=(2, 3, 7)).astype(np.float32)
    _, backward = layers.cross_entropy(logits, targets=LABELS, ignore=ignore)
    assert backward(np.float64(0.5)).dtype == np.float32


# 5. Bad input gets one sentence that names the values


def zeros(*shapes):
    return [np.zeros(shape) for shape in shapes]


def attend(q, k, v, **options):
    return lambda: layers.attention(*zeros(q, k, v), **options)


FIT = (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 2)
BAD = {
    "linear, x and w": (lambda: layers.linear(*zeros((2, 3), (4, 5))), ["(2, 3)", "(4, 5)"]),
    "linear, b": (lambda: layers.linear(*zeros((2, 4), (4, 5), (1,))), ["(4, 5)", "(1,)"]),
    "embedding, floats": (lambda: layers.embedding(np.zeros((5, 3)), ids=np.zeros(2)), ["float64"]),
    "layer_norm, g": (lambda: layers.layer_norm(*zeros((2, 7), (6,), (7,))), ["7", "6"]),
    "layer_norm, g of length 1": (lambda: layers.layer_norm(*zeros((2, 7), (1,), (7,))), ["7", "1"]),
    "layer_norm, b": (lambda: layers.layer_norm(*zeros((2, 7), (7,), (6,))), ["7", "6"]),
    "gelu, approximate": (lambda: layers.gelu(np.zeros(2), approximate="sigmoid"), ["sigmoid", "tanh", "none"]),
    "dropout, rate 1": (lambda: layers.dropout(np.zeros(2), rate=1.0, rng=np.random.default_rng(0)), ["1"]),
    "dropout, rate 1.5": (lambda: layers.dropout(np.zeros(2), rate=1.5, rng=np.random.default_rng(0)), ["1.5"]),
    "dropout, rate below 0": (lambda: layers.dropout(np.zeros(2), rate=-0.1, rng=np.random.default_rng(0)), ["-0.1"]),
    "dropout, no rng": (lambda: layers.dropout(np.zeros(2), rate=0.1, rng=None), ["0.1", "rng"]),
    "rotary, odd": (lambda: layers.rotary(np.zeros((4, 5)), positions=np.arange(4)), ["5"]),
    "rotary, length": (lambda: layers.rotary(np.zeros((2, 4, 6)), positions=np.arange(3)), ["3", "4"]),
    "rotary, batch": (lambda: layers.rotary(np.zeros((2, 1, 4, 6)), positions=np.zeros((3, 4), int)), ["(3, 4)"]),
    "attention, K": (attend((2, 3, 4, 5), (2, 3, 6, 4), (2, 3, 6, 2)), ["5", "4"]),
    "attention, H": (attend((2, 3, 4, 5), (2, 1, 6, 5), (2, 1, 6, 2)), ["(2, 3, 4, 5)", "(2, 1, 6, 5)"]),
    "attention, B": (attend((2, 3, 4, 5), (1, 3, 6, 5), (1, 3, 6, 2)), ["(2, 3, 4, 5)", "(1, 3, 6, 5)"]),
    "attention, S": (attend((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 7, 2)), ["6", "7"]),
    "attention, mask": (attend(*FIT, mask=np.zeros((6, 4), bool)), ["(6, 4)", "(2, 3, 4, 6)"]),
    "attention, larger mask": (attend(*FIT, mask=np.zeros((7, 2, 3, 4, 6))), ["(7, 2, 3, 4, 6)", "(2, 3, 4, 6)"]),
    "attention, mask of integers": (attend(*FIT, mask=np.ones((4, 6), int)), ["int"]),
    "attention, padding": (attend(*FIT, key_padding_mask=np.zeros((2, 4), bool)), ["(2, 4)", "(2, 6)"]),
    "attention, no rng": (attend(*FIT, dropout=0.1), ["0.1", "rng"]),
    "attention, dropout 1": (attend(*FIT, dropout=1.0, rng=np.random.default_rng(0)), ["1"]),
    "cross_entropy, shapes": (
        lambda: layers.cross_entropy(np.zeros((2, 3, 7)), targets=np.zeros((2, 4), int)),
        ["(2, 3, 7)", "(2, 4)"],
    ),
    "cross_entropy, a target too few axes": (
        lambda: layers.cross_entropy(np.zeros((2, 3, 7)), targets=np.zeros(3, int)),
        ["(2, 3, 7)", "(3,)"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_with_its_numbers(case):
    wrong, values = BAD[case]
    with pytest.raises(ValueError) as error:
        wrong()
    sentence = str(error.value)
    assert "\n" not in sentence and all(value in sentence for value in values), sentence


def test_ids_are_blamed_in_parts_when_the_vocabulary_is_large():
    ids, dy = np.array([3, 0, 3, 2**21 - 1, 3]), np.arange(1.0, 6.0).reshape(5, 1)
    _, backward = layers.embedding(np.zeros((2**21, 1)), ids=ids)  # two at a time
    dtable = backward(dy)
    assert dtable[[3, 0, 2**21 - 1], 0].tolist() == [1 + 3 + 5, 2, 4] and dtable.sum() == 15


def test_the_slope_of_relu_at_0_is_0():
    _, backward = layers.relu(np.array([-1.0, 0.0, 1.0]))
    assert backward(np.ones(3)).tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["softmax", "gelu", "rotary", "attention"])
def test_integers_are_refused_with_the_way_out(name):
    x = np.arange(8).reshape(1, 1, 2, 4)
    arrays, options = ([x] * 3, {}) if name == "attention" else ([x], {})
    options = {"positions": np.arange(2)} if name == "rotary" else options
    with pytest.raises(ValueError, match=rf"{name} needs floating-point numbers, but was given int64; try x.astype"):
        getattr(layers, name)(*arrays, **options)


def test_a_label_smoothing_that_is_no_share_is_refused():
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="label_smoothing must lie between 0 and 1"):
            layers.cross_entropy(np.zeros((1, 3)), targets=np.array([0]), label_smoothing=wrong)
