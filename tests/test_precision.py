"""Formats of 16 bits against NumPy's and PyTorch's own; layers that round; and the scale of the loss."""

import numpy as np
import pytest

from minillm import gpt, layers, precision
from minillm.backend import plain
from minillm.precision import FORMATS
from minillm.trees import leaves


@pytest.fixture
def every_kind():
    """float32 numbers of all kinds: any bits, those halfway between two of 16 bits, those near the edges of fp16."""
    rng = np.random.default_rng(0)
    upper = np.arange(2**16, dtype=np.uint32) << 16
    around = [np.arange(2**10, dtype=np.uint32) + np.float32(a).view(np.uint32) - 2**9 for a in (65520, 2**-14, 2**-25)]
    bits = [rng.integers(0, 2**32, 200_000, dtype=np.uint32), upper + 0x8000, upper + 0x1000, upper, *around]
    x = np.concatenate(bits).view(np.float32)
    return x[~np.isnan(x)]


def same_bits(a, b):
    return a.dtype == b.dtype == np.float32 and (a.view(np.uint32) == b.view(np.uint32)).all()


def test_fp16_is_numpys_float16_to_the_bit(every_kind):
    with np.errstate(over="ignore"):
        assert same_bits(FORMATS["fp16"].round(every_kind), every_kind.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_has_the_numbers_that_it_says(name):
    form = FORMATS[name]
    info = {"fp16": np.float16, "fp32": np.float32}.get(name)
    if info:
        found = np.finfo(info)
        assert (form.largest, form.normal, form.smallest) == (found.max, found.tiny, found.smallest_subnormal)
    ends = np.array([form.largest, form.normal, form.smallest, 1 + 2.0**-form.fraction, np.inf, -0.0], np.float32)
    assert same_bits(form.round(ends), ends)
    if name != "fp32":
        between = np.array([0.5 * form.smallest, 1.5 * form.smallest, 1 + 0.5 * 2.0**-form.fraction], np.float32)
        assert (form.round(between) == [0, 2 * form.smallest, 1]).all()  # a tie goes to the even one
    assert np.isnan(form.round(np.array([np.nan], np.float32))).all()


@pytest.mark.parametrize("name", ["tf32", "bf16"])
def test_the_other_formats_round_to_the_nearest_multiple_of_their_gap(name, every_kind):
    x = every_kind[np.isfinite(every_kind) & (np.abs(every_kind) < 1e38)]
    _, exponent = np.frexp(x.astype(float))
    gap = np.ldexp(1.0, np.maximum(exponent - 1, -126) - FORMATS[name].fraction)
    assert same_bits(FORMATS[name].round(x), np.copysign(np.rint(x / gap) * gap, x).astype(np.float32))


def test_bfloat16s_patterns_are_the_upper_halves_of_what_was_rounded(every_kind):
    patterns = precision.to_bfloat16(every_kind)
    assert patterns.dtype == np.uint16
    assert same_bits(precision.from_bfloat16(patterns), FORMATS["bf16"].round(every_kind))
    assert (precision.to_bfloat16(np.array([np.nan, -np.nan], np.float32)) == 0x7FC0).all()


@pytest.mark.parity
def test_bfloat16_is_pytorchs(every_kind):
    torch = pytest.importorskip("torch")
    theirs = torch.from_numpy(every_kind).bfloat16()
    assert same_bits(FORMATS["bf16"].round(every_kind), theirs.float().numpy())
    assert (precision.to_bfloat16(every_kind) == theirs.view(torch.int16).numpy().view(np.uint16)).all()


@pytest.fixture
def batch():
    config = gpt.Config(vocab_size=11, n_ctx=6, n_layer=2, n_head=2, width=8)
    rng = np.random.default_rng(0)
    ids, targets = rng.integers(0, 11, (2, 3, 6))
    return gpt.init(config, rng), {"ids": ids, "targets": targets, "config": config}


def test_emulated_layers_take_give_and_send_back_numbers_of_the_format(batch):
    params, options = batch
    seen = []

    def look(layer):
        def looking(*arrays, **given):
            y, back = layer(*arrays, **given)
            seen.append(y)
            return y, lambda dy: (seen.append(back(dy)), seen[-1])[1]

        return looking

    with precision.emulated("bf16"):
        for name in ("linear", "attention", "layer_norm"):
            setattr(layers, name, look(getattr(layers, name)))  # using() puts all back
        _, backward = gpt.loss(params, **options)
        backward()
    numbers = [a for thing in seen for a in (thing if isinstance(thing, tuple) else (thing,))]
    assert len(numbers) > 40 and all(same_bits(a, FORMATS["bf16"].round(a)) for a in numbers)


def test_in_fp32_nothing_changes_and_in_16_bits_little(batch):
    params, options = batch
    grads = {}
    for name in ("fp32", "fp16", "bf16"):
        with precision.emulated(name):
            grads[name] = np.concatenate([a.ravel() for _, a in leaves(gpt.loss(params, **options)[1](1024.0))])
    with plain():
        ours = np.concatenate([a.ravel() for _, a in leaves(gpt.loss(params, **options)[1](1024.0))])
    off = {name: np.linalg.norm(a - ours) / np.linalg.norm(ours) for name, a in grads.items()}
    assert off["fp32"] == 0 and 1e-5 < off["fp16"] < 2e-3 < off["bf16"] < 2e-2


def test_a_gradient_that_is_too_small_for_fp16_is_saved_by_the_scale(batch):
    params, options = batch
    zeros = lambda weight: np.mean([(a == 0).mean() for _, a in leaves(gpt.loss(params, **options)[1](weight))])
    with precision.emulated("fp16"):
        lost, kept = zeros(2.0**-20), zeros(1.0)
    assert lost > kept + 0.5


def test_what_comes_from_above_is_rounded_before_a_layer_multiplies_it():
    x, w, dy = np.full((1, 1), 1024, np.float32), np.ones((1, 1), np.float32), np.full((1, 1), 2.0**-26, np.float32)
    with precision.emulated("fp16"):
        _, backward = layers.linear(x, w)
        assert backward(dy)[1] == 0  # and not 2^-16, which float16 could hold


def test_the_scale_finds_the_highest_that_does_not_overflow():
    state, taken = {"scale": 2.0**20, "good": 0}, []
    for _ in range(40):
        grads = {"w": np.array([3.0 * state["scale"] if 3.0 * state["scale"] < 65504 else np.inf])}
        taken.append(precision.unscale(grads, state, patience=8))
        assert not taken[-1] or grads["w"] == 3
    assert taken.index(True) == 6 and state["scale"] in (2.0**14, 2.0**15)
    assert taken.count(False) == 6 + (40 - 6) // 9  # and every ninth step it tries again
