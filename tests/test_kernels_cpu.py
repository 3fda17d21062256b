"""The fast versions for NumPy give what their definitions give: every number, every gradient, every awkward input."""

import functools
import inspect
import math
import warnings
import weakref

import numpy as np
import pytest
from test_layers import BAD

from minillm import gpt, layers
from minillm.backend import plain
from minillm.check import check_gradients, saved
from minillm.kernels import cpu
from minillm.trees import leaves, map_leaves

INF, NAN = math.inf, math.nan
MODULES = {"layer_norm": layers, "rotary": layers, "attention": layers, "cross_entropy": layers, "ffn": gpt}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def definition(name):
    """The function as it is written, without any fast version inside it."""
    body = inspect.unwrap(getattr(MODULES[name], name))

    @functools.wraps(body)
    def defined(*arrays, **options):
        with plain():
            return body(*arrays, **options)

    return defined


def fast(name):
    """The fast version, for any dtype; where it declines, the definition answers, as it does in the library."""

    @functools.wraps(definition(name))
    def either(*arrays, **options):
        answer = getattr(cpu, name)(*arrays, **options)
        return definition(name)(*arrays, **options) if answer is None else answer

    return either


# What is tried: (function, inputs, options).  Sizes are awkward on purpose: one of something, none of something, and
# numbers of positions at the edges of any block.


def case(name, *shapes, **options):
    return name, lambda rng: [rng.normal(size=shape) for shape in shapes], options


def norm_case(*shape, **options):
    return case("layer_norm", shape, shape[-1:], shape[-1:], **options)


def attention_case(T, S, K=5, width=5, B=2, H=2, **options):
    return case("attention", (B, H, T, K), (B, H, S, K), (B, H, S, width), **options)


def entropy_case(*shape, targets=np.int64, **options):
    drawn = np.random.default_rng(1).integers(0, min(shape[-1], 256), shape[:-1])
    return case("cross_entropy", shape, targets=np.asarray(drawn, targets), **options)


def rotary_case(*shape, positions=None, **options):
    positions = np.arange(shape[-2]) if positions is None else positions
    return case("rotary", shape, positions=positions, **options)


def ffn_case(*shape, F=6, shifts=("b_up", "b_down"), activation="gelu_tanh"):
    C = shape[-1]
    p = {"w_up": (C, F), "b_up": (F,), "w_down": (F, C), "b_down": (C,)}
    p = {key: size for key, size in p.items() if key[0] == "w" or key in shifts}
    config = gpt.Config(vocab_size=2, n_head=1, width=C, ffn_width=F, activation=activation, bias=bool(shifts))
    draw = lambda rng: [2 * rng.normal(size=shape), {key: rng.normal(size=size) for key, size in p.items()}]
    return "ffn", draw, {"config": config}


SIZES = [1, 2, 63, 64, 65, 127, 128, 129, 200]
CASES = {f"attention, {T} causal": attention_case(T, T, causal=True) for T in SIZES}
CASES |= {f"attention, {T}": attention_case(T, T) for T in SIZES}
CASES |= {
    f"attention, {T} of {S} causal": attention_case(T, S, causal=True)
    for T, S in [(1, 5), (1, 200), (3, 70), (64, 129), (63, 65), (65, 130), (5, 3), (70, 3), (130, 60), (129, 64)]
}
CASES |= {
    "attention, one channel": attention_case(66, 66, 1, 1, causal=True),
    "attention, wider values": attention_case(66, 66, 3, 7, causal=True),
    "attention, 64 channels": attention_case(70, 70, 64, 64, causal=True),
    "attention, one head": attention_case(130, 130, 7, B=1, H=1, causal=True),
    "attention, many heads": attention_case(9, 9, 3, B=5, H=7, causal=True),
    "attention, no batch": attention_case(4, 4, B=0, causal=True),
    "attention, no queries": attention_case(0, 4, causal=True),
    "rotary": rotary_case(2, 3, 5, 6),
    "rotary, one pair": rotary_case(2, 3, 5, 2, positions=np.arange(5) + 100),
    "rotary, one head": rotary_case(2, 1, 65, 8),
    "rotary, one position": rotary_case(2, 3, 1, 6, positions=np.array([9]), base=7),
    "rotary, per row": rotary_case(2, 3, 5, 6, positions=np.array([[0, 1, 2, 3, 4], [0, 0, 0, 7, 100]])),
    "rotary, as many rows as positions": rotary_case(5, 3, 5, 6, positions=np.arange(25).reshape(5, 5) % 7),
    "rotary, small integers": rotary_case(2, 3, 5, 6, positions=np.arange(200, 205).astype(np.uint8)),
    "rotary, 129 positions": rotary_case(2, 3, 129, 10),
    "rotary, no heads": rotary_case(2, 5, 6, positions=np.arange(10).reshape(2, 5)),
    "rotary, more axes": rotary_case(2, 2, 3, 5, 6),
    "rotary, nothing": rotary_case(2, 3, 0, 6),
    "layer_norm, one number": norm_case(1, 1),
    "layer_norm, one channel": norm_case(70, 1),
    "layer_norm, one vector": norm_case(7),
    "layer_norm, one row": norm_case(1, 7),
    "layer_norm, nothing": norm_case(2, 0, 7),
    "layer_norm, more axes": norm_case(3, 1, 2, 5, eps=0.5),
    "layer_norm, wide": norm_case(3, 70_001),
    "layer_norm, tall": norm_case(2, 2501, 37),
    **{f"layer_norm, {n} rows": norm_case(n, 9) for n in SIZES},
    "cross_entropy, one row": entropy_case(7),
    "cross_entropy, one class": entropy_case(4, 1),
    "cross_entropy, nothing": entropy_case(2, 0, 7),
    "cross_entropy, more axes": entropy_case(2, 3, 1, 5),
    "cross_entropy, wide": entropy_case(3, 2, 2503),
    "cross_entropy, tall": entropy_case(2, 2501, 3),
    "cross_entropy, 8-bit targets": entropy_case(300, 257, targets=np.uint8),
    "cross_entropy, 16-bit targets": entropy_case(2, 150, 257, targets=np.uint16),
    "cross_entropy, 32-bit targets": entropy_case(2, 150, 257, targets=np.int32),
    **{f"cross_entropy, {n} rows": entropy_case(n, 11) for n in SIZES},
    "cross_entropy, ignoring": entropy_case(2, 65, 7, ignore=3),
    "cross_entropy, ignoring all": entropy_case(4, 1, ignore=0),
    "cross_entropy, ignoring none": entropy_case(2, 65, 7, ignore=-100),
    "cross_entropy, smoothed": entropy_case(2, 65, 7, label_smoothing=0.2),
    "cross_entropy, smoothed whole": entropy_case(2, 65, 7, label_smoothing=1.0),
    "cross_entropy, smoothed, ignoring": entropy_case(2, 65, 7, label_smoothing=0.2, ignore=3),
    "ffn, one number": ffn_case(1, 1, 1, F=1),
    "ffn, one channel": ffn_case(2, 9, 1),
    "ffn, one row": ffn_case(1, 1, 5, F=20),
    "ffn, nothing": ffn_case(2, 0, 3),
    "ffn, narrower inside": ffn_case(2, 3, 8, F=1),
    "ffn, wide": ffn_case(2, 3, 4, F=2503),
    "ffn, tall": ffn_case(2, 2501, 3, F=41),
    "ffn, two axes": ffn_case(5, 3),
    **{f"ffn, {n} rows": ffn_case(1, n, 4, F=16) for n in SIZES},
    "ffn, no shifts": ffn_case(2, 65, 4, shifts=()),
    "ffn, gelu": ffn_case(2, 65, 4, activation="gelu"),
    "ffn, relu": ffn_case(2, 65, 4, activation="relu"),
    "ffn, relu, no shifts": ffn_case(2, 65, 4, shifts=(), activation="relu"),
}
EVERY_CASE = pytest.mark.parametrize("case", CASES)

# One of each kind, with more rows than one block, for the questions that sizes do not change.
FEW = ["attention, 129 causal", "attention, 129", "attention, 64 of 129 causal", "layer_norm, 129 rows",
       "layer_norm, tall", "rotary, 129 positions", "rotary, per row", "cross_entropy, 129 rows",
       "cross_entropy, tall", "cross_entropy, smoothed, ignoring", "ffn, 129 rows", "ffn, tall", "ffn, no shifts",
       "ffn, relu"]  # fmt: skip
FEW_CASES = pytest.mark.parametrize("case", FEW)


def prepare(case, rng, dtype=np.float64):
    name, draw, options = CASES[case]
    return name, map_leaves(lambda a: a.astype(dtype), draw(rng)), options


def flat(grads):
    """All gradients as a list of arrays; a tree gives its leaves in the order of their paths."""
    return [d for grad in (grads if isinstance(grads, tuple) else (grads,)) for _, d in sorted(leaves(grad))]


def run(f, arrays, dy, options):
    """[y, every gradient] for one incoming gradient dy."""
    y, backward = f(*arrays, **options)
    return [y, *flat(backward(dy))]


def blame_for(name, arrays, options, dtype=np.float64, seed=9):
    """A random dy that fits the result."""
    with np.errstate(all="ignore"):
        y, _ = definition(name)(*arrays, **options)
    dy = np.random.default_rng(seed).normal(size=np.shape(y)).astype(dtype)
    return dy if np.ndim(y) else dtype(dy)


def close(ours, theirs, tol=1e-12, floor=0.0):
    """The same shape and dtype, NaN and inf in the same places, and elsewhere equal up to tol of the largest number
    (or of floor, if that is larger)."""
    for a, b in zip(ours, theirs, strict=True):
        assert np.shape(a) == np.shape(b) and a.dtype == b.dtype
        finite = np.isfinite(b)
        largest = max(floor, abs(b[finite]).max() if finite.any() else 0.0)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * float(largest))


# Meaning


def test_each_fast_version_has_the_signature_of_its_definition_and_is_tried_here():
    fused = {n: m for m in (layers, gpt) for n, f in vars(m).items() if hasattr(f, "__wrapped__") and callable(f)}
    assert {n for n in fused if hasattr(cpu, n)} - {"block"} == set(MODULES)  # test_kernels.py has the block
    for name, module in MODULES.items():
        assert inspect.signature(getattr(cpu, name)) == inspect.signature(getattr(module, name))


def usual(case):
    """Whether training makes such calls: causal with T = S, all targets counted and none smoothed, gelu_tanh."""
    name, _, options = CASES[case]
    if any(word in case for word in (" of ", "no batch", "no queries", "nothing", "no heads", "more axes")):
        return False
    if name == "attention":
        return options == {"causal": True} and case != "attention, 1 causal"  # one query comes with a cache
    if name == "ffn":
        return options["config"].activation == "gelu_tanh"
    return options.keys() <= {"eps", "targets", "positions", "base"}


@pytest.mark.parametrize("case", [case for case in CASES if usual(case)])
@DTYPES
def test_what_training_calls_is_never_declined(case, dtype, rng):
    name, arrays, options = prepare(case, rng, dtype)
    assert getattr(cpu, name)(*arrays, **options) is not None


@EVERY_CASE
def test_it_equals_its_definition_in_float64(case, rng):
    name, arrays, options = prepare(case, rng)
    dy = blame_for(name, arrays, options)
    close(run(fast(name), arrays, dy, options), run(definition(name), arrays, dy, options))


@EVERY_CASE
def test_in_float32_it_errs_no_more_than_its_definition_does(case, rng):
    """Both against the definition in float64.  Each sums in an order of its own, so one may be luckier: a factor of 4,
    and 4 units in the last place of the largest number, for what the other has exactly."""
    name, arrays, options = prepare(case, rng, np.float32)
    dy = blame_for(name, arrays, options, np.float32)
    ours, theirs = run(fast(name), arrays, dy, options), run(definition(name), arrays, dy, options)
    wide = lambda a: a.astype(np.float64)
    exact = run(definition(name), map_leaves(wide, arrays), wide(dy), options)
    for a, b, c in zip(ours, theirs, exact, strict=True):
        assert a.dtype == np.float32 and np.shape(a) == np.shape(c)
        if np.size(c):
            assert abs(a - c).max() <= 4 * abs(b - c).max() + 4 * 2**-23 * abs(c).max()


@EVERY_CASE
def test_backward_agrees_with_finite_differences(case, rng):
    name, arrays, options = prepare(case, rng)
    check_gradients(fast(name), *arrays, tol=1e-7, **options)


# Masks, padding, dropout


def hide(shape, *, floats):
    """A mask that hides about a third of the places, and everything from the second query and the last."""
    rng = np.random.default_rng(2)
    seen = rng.random(shape) < 0.7
    if len(shape) > 1 and shape[-2] > 1:
        seen[..., [1, -1], :] = False
    return np.where(seen, rng.normal(size=shape), -INF) if floats else seen


MASKS = {
    "no mask": lambda B, H, T, S: None,
    "booleans (T, S)": lambda B, H, T, S: hide((T, S), floats=False),
    "booleans (S,)": lambda B, H, T, S: hide((S,), floats=False),
    "booleans (B, 1, T, S)": lambda B, H, T, S: hide((B, 1, T, S), floats=False),
    "booleans (T, 1)": lambda B, H, T, S: hide((T, 1), floats=False),
    "floats (B, H, T, S)": lambda B, H, T, S: hide((B, H, T, S), floats=True),
    "floats (H, T, S)": lambda B, H, T, S: hide((H, T, S), floats=True),
    "floats (B, 1, 1, S)": lambda B, H, T, S: hide((B, 1, 1, S), floats=True),
    "floats, all -inf": lambda B, H, T, S: np.full((T, S), -INF),
    "a number": lambda B, H, T, S: np.array(0.5),
}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("T, S", [(70, 70), (3, 66), (5, 2)])
def test_attention_with_every_mix_of_masks(T, S, mask, causal, padding, dropout, rng):
    B, H, K = 2, 2, 3
    arrays = [rng.normal(size=(B, H, n, width)) for n, width in ((T, K), (S, K), (S, 4))]
    options = {"causal": causal, "mask": MASKS[mask](B, H, T, S), "dropout": dropout}
    options["key_padding_mask"] = np.arange(S) >= np.array([[S], [S // 2]]) if padding else None
    dy, draws = rng.normal(size=(B, H, T, 4)), [np.random.default_rng(3), np.random.default_rng(3)]
    ours = run(fast("attention"), arrays, dy, options | {"rng": draws[0]})
    theirs = run(definition("attention"), arrays, dy, options | {"rng": draws[1]})
    close(ours, theirs)
    assert draws[0].random() == draws[1].random()  # as much chance was used
    y, dq = theirs[:2]
    blind = (y == 0).all(-1)  # nothing to attend to: exact zeros, and no blame
    assert (ours[0][blind] == 0).all() and (ours[1][blind] == 0).all()
    small = [a.astype(np.float32) for a in (*arrays, dy)]
    y32, dq32, *_ = run(fast("attention"), small[:3], small[3], options | {"rng": np.random.default_rng(3)})
    assert y32.dtype == dq32.dtype == np.float32
    assert abs(y32 - y).max() <= 2e-6 and abs(dq32 - dq).max() <= 2e-6 * max(1, abs(dq).max())
    assert (y32[blind] == 0).all() and (dq32[blind] == 0).all()


@DTYPES
def test_queries_before_the_first_key_yield_zeros_and_blame_nobody(dtype, rng):
    T, S = 130, 60
    q, k, v, dy = (rng.normal(size=(2, 2, n, 3)).astype(dtype) for n in (T, S, S, T))
    y, dq, dk, dv = run(fast("attention"), [q, k, v], dy, {"causal": True})
    assert (y[:, :, : T - S] == 0).all() and (dq[:, :, : T - S] == 0).all()
    assert (y[:, :, T - S :] != 0).all()
    dy = dy.copy()
    dy[:, :, : T - S] = 1e6  # however loud they are
    _, _, dk_loud, dv_loud = run(fast("attention"), [q, k, v], dy, {"causal": True})
    close([dk_loud, dv_loud], [dk, dv], 1e-12 if dtype == np.float64 else 1e-6)


@DTYPES
def test_every_key_hidden_by_padding_gives_zeros_everywhere(dtype, rng):
    arrays = [rng.normal(size=(2, 2, 70, 3)).astype(dtype) for _ in range(3)]
    padding = np.zeros((2, 70), bool)
    padding[1] = True
    for d in run(fast("attention"), arrays, arrays[0], {"causal": True, "key_padding_mask": padding}):
        assert (d[1] == 0).all() and d[0].any()


# NaN and inf: they show where the definition shows them, or an error would go unseen

PLACES = {
    "attention, 129 causal": [(0, (0, 1, 0, 2)), (0, (1, 0, 100, 0)), (1, (0, 0, 0, 0)), (1, (1, 1, 63, 4)),
                              (1, (0, 1, 128, 1)), (2, (0, 0, 0, 0)), (2, (1, 1, 64, 4)), (2, (0, 1, 128, 1))],
    "attention, 129": [(0, (0, 1, 70, 2)), (1, (1, 1, 64, 4)), (2, (0, 0, 128, 0))],
    "attention, 64 of 129 causal": [(0, (0, 1, 7, 2)), (1, (1, 1, 127, 4)), (2, (0, 0, 90, 0))],
    "attention, 130 of 60 causal": [(0, (0, 1, 7, 2)), (1, (1, 1, 50, 4)), (2, (0, 0, 0, 0))],
    "layer_norm, 129 rows": [(0, (0, 0)), (0, (128, 8)), (1, (3,)), (2, (0,))],
    "cross_entropy, 129 rows": [(0, (0, 0)), (0, (64, 10)), (0, (128, 3))],
    "ffn, 129 rows": [(0, (0, 0, 0)), (0, (0, 128, 3)), (1, ("w_up", 2, 3)), (1, ("b_up", 15)),
                      (1, ("w_down", 3, 0)), (1, ("b_down", 3))],
    "ffn, relu": [(0, (0, 3, 0))],
    "rotary, 129 positions": [(0, (0, 0, 0, 0)), (0, (1, 2, 128, 9))],
}  # fmt: skip


def quietly(f, *arguments):
    """The answer of f, and whether NumPy warned."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        answer = f(*arguments)
    return answer, bool(told)


def poison(arrays, which, place, value):
    a = arrays[which]
    if isinstance(a, dict):
        a, place = a[place[0]], place[1:]
    a[place] = value


def query_by_query(q, k, v, dy):
    """Causal attention where a hidden key is not even there: each query is a call of the definition's own."""
    T = q.shape[2]
    y, dq, dk, dv = (np.zeros_like(a) for a in (v, q, k, v))
    for t in range(T):
        here, seen = np.s_[:, :, t : t + 1], np.s_[:, :, : t + 1]
        y[here], dq[here], dk_part, dv_part = run(definition("attention"), [q[here], k[seen], v[seen]], dy[here], {})
        dk[seen] += dk_part
        dv[seen] += dv_part
    return [y, dq, dk, dv]


def check_what_is_not_finite(case, arrays, dy, options, dtype):
    """What is not finite in the definition is not finite here, and the other way round.

    But a hidden key has weight 0 in the definition, and 0 NaN is NaN: there the NaN reaches queries before it too.
    A fast version that never looks at hidden keys may show it or not.  It shows wherever it is seen.
    """
    name = CASES[case][0]
    theirs, they_warn = quietly(run, definition(name), arrays, dy, options)
    ours, we_warn = quietly(run, fast(name), arrays, dy, options)
    assert they_warn or not we_warn
    tol = 1e-12 if dtype == np.float64 else 2e-5
    if name != "attention" or not usual(case):
        close(ours, theirs, tol)
        return theirs
    seen, _ = quietly(query_by_query, *arrays, dy)
    for a, b, c in zip(ours, seen, theirs, strict=True):
        spoilt = ~np.isfinite(a)
        assert a.dtype == b.dtype and spoilt[~np.isfinite(b)].all() and not spoilt[np.isfinite(c)].any()
        assert (abs(a[~spoilt] - b[~spoilt]) <= tol * max(1, abs(b[~spoilt]).max(initial=0))).all()
    return theirs


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("case, which, place", [(c, *p) for c in PLACES for p in PLACES[c]])
@DTYPES
def test_a_number_that_is_none_shows_where_it_shows_in_the_definition(case, which, place, value, dtype, rng):
    name, arrays, options = prepare(case, rng, dtype)
    dy = blame_for(name, arrays, options, dtype)
    poison(arrays, which, place, value)
    theirs = check_what_is_not_finite(case, arrays, dy, options, dtype)
    assert any(not np.isfinite(a).all() for a in theirs) or math.isinf(value)


@FEW_CASES
@DTYPES
def test_a_nan_in_the_incoming_gradient_is_passed_on_as_the_definition_does(case, dtype, rng):
    name, arrays, options = prepare(case, rng, dtype)
    dy = blame_for(name, arrays, options, dtype)
    if np.ndim(dy):
        dy[(0,) * (dy.ndim - 2) + (70 % dy.shape[-2], 1)] = NAN
    else:
        dy = dtype(NAN)
    theirs = check_what_is_not_finite(case, arrays, dy, options, dtype)
    assert any(np.isnan(a).any() for a in theirs[1:])


# Extreme numbers.  A RuntimeWarning is an error here (pyproject.toml).

N = 256  # queries and keys: several blocks


def one_huge(n):
    return np.where(np.arange(n) == n // 3, 1e4, 0.0)


ROWS = {  # rows of n scores
    "all equal": lambda n: np.zeros(n),
    "all +80": lambda n: np.full(n, 80.0),
    "all -80": lambda n: np.full(n, -80.0),
    "all +60": lambda n: np.full(n, 60.0),
    "all -60": lambda n: np.full(n, -60.0),
    "exp overflows float32": lambda n: np.full(n, 100.0),
    "exp is subnormal in float32": lambda n: np.full(n, -100.0),
    "exp underflows float32": lambda n: np.full(n, -120.0),
    "exp overflows float64": lambda n: np.full(n, 800.0),
    "exp underflows float64": lambda n: np.full(n, -800.0),
    "the sum overflows float32": lambda n: np.full(n, 88.0),
    "the sum overflows float64": lambda n: np.full(n, 709.0),
    "all +1e4": lambda n: np.full(n, 1e4),
    "all -1e4": lambda n: np.full(n, -1e4),
    "all +1e30": lambda n: np.full(n, 1e30),
    "all -1e30": lambda n: np.full(n, -1e30),
    "plus and minus 80": lambda n: np.where(np.arange(n) % 3, 80.0, -80.0),
    "plus and minus 1e30": lambda n: np.where(np.arange(n) % 3, 1e30, -1e30),
    "one huge": one_huge,
    "one huge, far below zero": lambda n: one_huge(n) - 2e4,
    "a slope": lambda n: np.linspace(-200, 200, n).round(2),
    "a slope down, below zero": lambda n: np.linspace(-100, -140, n).round(2),
    "small": lambda n: np.linspace(-1, 1, n),
}


def table(pattern, n, width, only):
    """(n, width) scores: every row like the pattern, or only that one among ordinary rows."""
    if pattern == "mixed":
        return np.stack([rows(width) for rows in ROWS.values()] * n)[:n]
    rows = np.random.default_rng(5).normal(size=(n, width))
    rows[slice(None) if only is None else only] = ROWS[pattern](width)
    return rows


def scores_case(scores, dtype):
    """q, k, v whose scores are these, exactly: channel t of query t is 16 = sqrt(K), and all others are 0."""
    q = 16 * np.eye(N, dtype=dtype)[None, None]
    k = scores.T[None, None].astype(dtype)
    v = np.random.default_rng(6).normal(size=(1, 1, N, 3)).astype(dtype)
    return [q, k, v]


def attention_bounds(q, k, v, dy, causal):
    """For y, dq, dk and dv: the sizes of what is summed up in them, which is what rounding errors scale with."""
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(N, dtype=bool), scores, -INF)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    dshares = abs(dy) @ abs(v).swapaxes(-1, -2)
    dscores = shares * (dshares + (shares * dshares).sum(-1, keepdims=True))
    scale = 1 / math.sqrt(q.shape[-1])
    return [shares @ abs(v), dscores @ abs(k) * scale, dscores.swapaxes(-1, -2) @ abs(q) * scale,
            shares.swapaxes(-1, -2) @ abs(dy)]  # fmt: skip


# every row is like that, or only one: the first, the first of a block, the last; or all patterns in turn
PATTERNS = [(pattern, only) for pattern in ROWS for only in (None, 0, 64, 255)] + [("mixed", None)]
EVERY_PATTERN = pytest.mark.parametrize("pattern, only", PATTERNS)


@EVERY_PATTERN
@pytest.mark.parametrize("causal", [False, True])
@DTYPES
def test_attention_with_extreme_scores(pattern, only, causal, dtype, rng):
    arrays = scores_case(table(pattern, N, N, only), dtype)
    dy = np.random.default_rng(7).normal(size=(1, 1, N, 3)).astype(dtype)
    ours = run(fast("attention"), arrays, dy, {"causal": causal})
    wide = [a.astype(np.float64) for a in (*arrays, dy)]
    exact = run(definition("attention"), wide[:3], wide[3], {"causal": causal})
    tol = 1e-12 if dtype == np.float64 else 40 * 2**-24
    with np.errstate(all="ignore"):
        bounds = attention_bounds(*wide, causal)
    for a, b, bound in zip(ours, exact, bounds, strict=True):
        assert a.dtype == dtype and (abs(a - b) <= tol * bound + 1e-30).all()


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e8])
@pytest.mark.parametrize("pattern", ["all +60", "all -60", "small"])
@DTYPES
def test_attention_passes_small_and_large_gradients_on_as_well_as_others(pattern, size, dtype):
    arrays = scores_case(table(pattern, N, N, None), dtype)
    dy = (size * np.random.default_rng(7).normal(size=(1, 1, N, 3))).astype(dtype)
    ours = run(fast("attention"), arrays, dy, {"causal": True})
    wide = [a.astype(np.float64) for a in (*arrays, dy)]
    exact = run(definition("attention"), wide[:3], wide[3], {"causal": True})
    with np.errstate(all="ignore"):
        bounds = attention_bounds(*wide, True)
    tol = 1e-12 if dtype == np.float64 else 40 * 2**-24
    for a, b, bound in zip(ours, exact, bounds, strict=True):
        assert (abs(a - b) <= tol * bound).all()


@EVERY_PATTERN
@DTYPES
def test_cross_entropy_of_extreme_logits(pattern, only, dtype):
    logits, targets = table(pattern, N, 65, only).astype(dtype), np.random.default_rng(8).integers(0, 65, N)
    targets[::3] = logits[::3].argmax(-1)
    loss, backward = fast("cross_entropy")(logits, targets=targets)
    exact, exact_back = definition("cross_entropy")(logits.astype(np.float64), targets=targets)
    tol = 1e-12 if dtype == np.float64 else 40 * 2**-24
    assert abs(loss - exact) <= tol * (1 + abs(exact))
    dlogits, share = backward(), 1 / N
    assert dlogits.dtype == dtype and (abs(dlogits - exact_back()) <= tol * share).all()


@DTYPES
def test_cross_entropy_with_forbidden_tokens(dtype, rng):
    logits = rng.normal(size=(130, 7)).astype(dtype)
    logits[::2, 3] = -INF
    logits[5, :6] = -INF  # one token is left
    targets = np.full(130, 6)
    ours = run(fast("cross_entropy"), [logits], dtype(1), {"targets": targets})
    close(ours, run(definition("cross_entropy"), [logits], dtype(1), {"targets": targets}), 10 * np.finfo(dtype).eps)
    assert (ours[1][::2, 3] == 0).all()


@pytest.mark.parametrize(
    "stretch, shift",
    [(1, 1e4), (1, -1e3), (1e-3, 10), (1e18, 0), (1e-20, 0), (0, 1), (0, 0.1), (0, 0), (1e-4, 1e-4)],
)
@DTYPES
def test_layer_norm_far_from_zero_and_of_rows_that_hardly_vary(stretch, shift, dtype, rng):
    x = (stretch * rng.normal(size=(130, 48)) + shift).astype(dtype)
    g, b = rng.normal(size=(2, 48)).astype(dtype)
    x[::7] = rng.normal(size=48)  # ordinary rows between them
    dy = rng.normal(size=x.shape).astype(dtype)
    ours, theirs = (run(f("layer_norm"), [x, g, b], dy, {}) for f in (fast, definition))
    wide = [a.astype(np.longdouble) for a in (x, g, b, dy)]
    exact, eps = run(definition("layer_norm"), wide[:3], wide[3], {}), np.finfo(dtype).eps
    for part in (slice(0, None, 7), slice(1, None, 7), slice(6, None, 7)):
        rows = wide[0][part]
        rstd = (1 / np.sqrt(rows.var(-1) + 1e-5)).max()
        blurred = eps * abs(rows).max() * rstd * abs(g).max()  # by a mean that is off by one in its last place
        for i, (a, b_, c) in enumerate(zip(ours[:2], theirs[:2], exact[:2], strict=True)):
            a, b_, c = a[part], b_[part], c[part]
            allowed = 8 * eps * abs(c).max() + (4 * blurred if i == 0 else 0)
            assert abs(a - c).max() <= 4 * abs(b_ - c).max() + allowed


@pytest.mark.parametrize("size", [1.5e13, 1e4, 40.0, 9.0, 1e-4, 1e-30, 0.0])
@DTYPES
def test_ffn_of_very_small_and_very_large_numbers(size, dtype, rng):
    name, (x, p), options = prepare("ffn, 129 rows", rng, dtype)
    x[:, ::2] = 0
    x[:, 1::2, 1:] = 0
    x[:, 1::2, 0] = size
    p["w_up"][0] = np.sign(p["w_up"][0])  # so the activation sees size, or -size
    p["b_up"][:] = 0
    dy = blame_for(name, [x, p], options, dtype)
    ours, theirs = (run(f("ffn"), [x, p], dy, options) for f in (fast, definition))
    close(ours, theirs, 1e-12 if dtype == np.float64 else 2e-6)


# Promises


@pytest.mark.parametrize("T, S", [(200, 200), (70, 130)])
@pytest.mark.parametrize("loud", [1.0, 1e4])
@DTYPES
def test_causal_attention_cannot_see_the_future_and_is_not_blamed_for_it(T, S, loud, dtype, rng):
    q, k, v = (rng.normal(size=(1, 2, n, 3)).astype(dtype) for n in (T, S, S))
    before, _ = fast("attention")(q, k, v, causal=True)
    for s in (1, 62, 63, 64, 65, 100, 127, 128, 129):
        t = max(0, s - (S - T))  # the first query that sees key s
        later = np.arange(S)[:, None] >= s
        k2, v2 = (np.where(later, loud * a[:, :, ::-1] + 1, a).astype(dtype) for a in (k, v))
        after, backward = fast("attention")(q, k2, v2, causal=True)
        close([after[:, :, :t]], [before[:, :, :t]], 1e-14 if dtype == np.float64 else 1e-6)
        assert t == T or (after[:, :, t] != before[:, :, t]).any()
        dy = np.where(np.arange(T)[:, None] < t, rng.normal(size=after.shape), 0).astype(dtype)
        dq, dk, dv = backward(dy)
        assert (dq[:, :, t:] == 0).all() and (dk[:, :, s:] == 0).all() and (dv[:, :, s:] == 0).all()


@pytest.mark.parametrize("case", ["attention, 129 causal", "layer_norm, 129 rows", "ffn, 129 rows"])
def test_a_permutation_of_the_rows_permutes_the_output(case, rng):
    name, arrays, options = prepare(case, rng)
    axis = {"attention": 0, "layer_norm": 0, "ffn": 1}[name]
    turn = lambda a: np.flip(a, axis)
    n = 3 if name == "attention" else 1  # these arrays have rows: q, k and v, or x
    dy = blame_for(name, arrays, options)
    y, *grads = run(fast(name), arrays, dy, options)
    y2, *grads2 = run(fast(name), [turn(a) if i < n else a for i, a in enumerate(arrays)], turn(dy), options)
    close([y2, *grads2], [turn(y), *(turn(d) if i < n else d for i, d in enumerate(grads))])


def frozen(tree):
    """A copy that nobody can write into."""
    tree = map_leaves(np.copy, tree)
    for _, a in leaves(tree):
        a.flags.writeable = False
    return tree


@EVERY_CASE
def test_arguments_and_results_are_left_alone(case, rng):
    name, arrays, options = prepare(case, rng)
    dy = blame_for(name, arrays, options)
    arrays, dy = frozen(arrays), frozen([dy])[0] if np.ndim(dy) else dy
    options = {key: frozen([o])[0] if isinstance(o, np.ndarray) else o for key, o in options.items()}
    y, backward = fast(name)(*arrays, **options)
    before = np.copy(y)
    backward(dy)
    assert (y == before).all()


@FEW_CASES
@DTYPES
def test_a_second_call_disturbs_neither_the_results_nor_the_memory_of_the_first(case, dtype, rng):
    name, arrays, options = prepare(case, rng, dtype)
    dy = blame_for(name, arrays, options, dtype)
    y, backward = fast(name)(*arrays, **options)
    first = [np.copy(a) for a in (y, *flat(backward(dy)))]
    others = map_leaves(lambda a: 2 * a + 1, arrays)
    y2, backward2 = fast(name)(*others, **options)
    grads2 = flat(backward2(dtype(3) * dy))
    kept2 = [np.copy(a) for a in (y2, *grads2)]
    again = flat(backward(dy))
    for a, b in zip([y, *again, y2, *grads2], [*first, *kept2], strict=True):
        assert (a == b).all()


@EVERY_CASE
def test_gradients_belong_to_the_caller(case, rng):
    """Who gets them may change them (clipping does): dy, the other gradients and a second backward stay as they are."""
    name, arrays, options = prepare(case, rng)
    dy = blame_for(name, arrays, options)
    y, backward = fast(name)(*arrays, **options)
    kept, y_kept, dy_kept = map_leaves(np.copy, arrays), np.copy(y), np.copy(dy)
    grads = flat(backward(dy))
    first = [d.copy() for d in grads]
    for i, d in enumerate(grads):
        d[...] = 7
        assert all((a == b).all() for a, b in zip(grads[i + 1 :], first[i + 1 :], strict=True))
    assert (y == y_kept).all() and (dy == dy_kept).all()
    assert all((a == b).all() for (_, a), (_, b) in zip(leaves(arrays), leaves(kept), strict=True))
    assert all((a == b).all() for a, b in zip(flat(backward(dy)), first, strict=True))


@FEW_CASES
def test_the_same_call_gives_the_same_bits(case, rng):
    name, arrays, options = prepare(case, rng, np.float32)
    dy = blame_for(name, arrays, options, np.float32)
    one, two = (run(fast(name), frozen(arrays), dy, options) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every second": lambda a: np.repeat(a[..., None], 2, axis=-1)[..., 0],
    "backwards": lambda a: a[..., ::-1].copy()[..., ::-1],
    "rows backwards": lambda a: a[::-1].copy()[::-1],
    "two axes swapped": lambda a: a.swapaxes(-1, -2).copy().swapaxes(-1, -2) if a.ndim > 1 else a,
    "a window": lambda a: np.pad(a, 1, constant_values=NAN if a.dtype.kind == "f" else 99)[(slice(1, -1),) * a.ndim],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@FEW_CASES
@DTYPES
def test_views_with_any_strides_give_what_copies_give(case, layout, dtype, rng):
    name, arrays, options = prepare(case, rng, dtype)
    dy = blame_for(name, arrays, options, dtype)
    view = lambda a: LAYOUTS[layout](a) if np.ndim(a) else a
    views = {key: view(o) if isinstance(o, np.ndarray) else o for key, o in options.items()}
    ours = run(fast(name), map_leaves(view, arrays), view(dy), views)
    close(ours, run(fast(name), arrays, dy, options), 1e-12 if dtype == np.float64 else 1e-5)


@FEW_CASES
def test_an_incoming_gradient_that_is_one_number_spread_out(case, rng):
    name, arrays, options = prepare(case, rng)
    dy = np.broadcast_to(0.7, blame_for(name, arrays, options).shape)  # strides of 0; nobody can write into it
    close(run(fast(name), arrays, dy, options), run(definition(name), arrays, dy.copy(), options))


@pytest.mark.parametrize("T", [1, 65, 130])
@DTYPES
def test_heads_that_are_views_of_one_array_as_in_self_attention(T, dtype, rng):
    B, H, K = 2, 3, 4
    heads = lambda a: a.reshape(B, T, H, K).swapaxes(1, 2)  # (B, T, C) -> (B, H, T, K)
    qkv = rng.normal(size=(B, T, 3 * H * K)).astype(dtype)
    qkv.flags.writeable = False
    views = [heads(part) for part in np.split(qkv, 3, axis=-1)]
    alone = [a.copy() for a in views]
    dy = rng.normal(size=(B, T, H * K)).astype(dtype)
    ours = run(fast("attention"), views, heads(dy), {"causal": True})
    theirs = run(definition("attention"), alone, heads(dy).copy(), {"causal": True})
    close(ours, theirs, 1e-12 if dtype == np.float64 else 2e-6)


KEPT = {  # a function and those of its arrays that its backward pass has no use for
    "layer_norm": ([(9, 4), (4,), (4,)], [0, 2], {}),
    "rotary": ([(1, 2, 9, 4)], [0], {"positions": np.arange(9)}),
    "attention": ([(1, 2, 9, 4)] * 3, [0], {"causal": True}),
    "cross_entropy": ([(9, 4)], [0], {"targets": np.arange(9) % 4}),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_backward_pass_keeps_no_array_that_it_needs_only_the_shape_of(name, rng):
    shapes, useless, options = KEPT[name]
    arrays = [rng.normal(size=shape) for shape in shapes]
    alive = [weakref.ref(arrays[i]) for i in useless]
    y, backward = getattr(cpu, name)(*arrays, **options)
    del arrays
    assert [a() is None for a in alive] == [True] * len(useless)
    backward(np.ones_like(y))


def test_attention_still_shows_its_weights(rng):
    q, k, v = rng.normal(size=(3, 1, 2, 70, 4)).astype(np.float32)
    weights = saved(layers.attention(q, k, v, causal=True)[1])["weights"]
    close([weights], [saved(definition("attention")(q, k, v, causal=True)[1])["weights"]], 1e-6)


@pytest.mark.parametrize("dloss", [1, 3.0, np.float64(0.5), np.float32(-2), np.array(0.25)])
@DTYPES
def test_cross_entropy_takes_any_number_as_the_weight_of_the_loss(dloss, dtype, rng):
    logits, targets = rng.normal(size=(130, 7)).astype(dtype), rng.integers(0, 7, 130)
    loss, backward = fast("cross_entropy")(logits, targets=targets)
    _, back = definition("cross_entropy")(logits, targets=targets)
    tol = 1e-12 if dtype == np.float64 else 1e-6
    assert np.ndim(loss) == 0 and loss.dtype == dtype
    close([backward(dloss), backward()], [back(dloss), back()], tol)


@pytest.mark.parametrize(
    "case, wide",
    [
        (c, i)
        for c, n in [("layer_norm, 129 rows", 3), ("attention, 129 causal", 3), ("ffn, 129 rows", 2)]
        for i in range(1, n)
    ],
)
def test_arrays_of_different_precision_give_what_the_definition_gives(case, wide, rng):
    name, arrays, options = prepare(case, rng, np.float32)
    arrays[wide] = map_leaves(lambda a: a.astype(np.float64), arrays[wide])
    dy = blame_for(name, arrays, options, np.float32)
    ours, theirs = (run(f(name), arrays, dy, options) for f in (fast, definition))
    close(ours, theirs, 2e-5)


@pytest.mark.parametrize("alone", ["b_up", "b_down"])
def test_ffn_has_the_shifts_that_are_among_its_parameters(alone, rng):
    name, draw, options = ffn_case(2, 65, 4, shifts=(alone,))
    arrays = draw(rng)
    dy = blame_for(name, arrays, options)
    close(run(fast(name), arrays, dy, options), run(definition(name), arrays, dy, options))


# Bad input


@pytest.mark.parametrize("case", [c for c in BAD if c.partition(",")[0] in MODULES])
def test_bad_input_gets_the_sentence_of_the_definition(case, monkeypatch):
    wrong, _ = BAD[case]
    with pytest.raises(ValueError) as theirs, plain():
        wrong()
    zeros = np.zeros
    monkeypatch.setattr(np, "zeros", lambda shape, dtype=np.float32: zeros(shape, dtype))  # what BAD is made of
    with pytest.raises(ValueError) as ours:
        wrong()
    assert str(ours.value) == str(theirs.value)


BAD_FAST = {
    "layer_norm, g": lambda: fast("layer_norm")(*(np.zeros(s) for s in ((2, 7), (6,), (7,)))),
    "layer_norm, b": lambda: fast("layer_norm")(*(np.zeros(s) for s in ((2, 7), (7,), (1,)))),
    "attention, S": lambda: fast("attention")(*(np.zeros((1, 1, n, 3)) for n in (4, 4, 5)), causal=True),
    "attention, heads": lambda: fast("attention")(*(np.zeros((1, n, 4, 3)) for n in (2, 1, 1)), causal=True),
    "attention, batch": lambda: fast("attention")(*(np.zeros((n, 1, 4, 3)) for n in (2, 1, 1)), causal=True),
    "attention, three axes": lambda: fast("attention")(*(np.zeros((2, 4, 3)) for _ in range(3)), causal=True),
    "attention, integers": lambda: fast("attention")(*(np.zeros((1, 1, 4, 3), int) for _ in range(3)), causal=True),
    "cross_entropy, floats": lambda: fast("cross_entropy")(np.zeros((2, 3)), targets=np.zeros(2)),
    "cross_entropy, booleans": lambda: fast("cross_entropy")(np.zeros((2, 3)), targets=np.zeros(2, bool)),
    "cross_entropy, shapes": lambda: fast("cross_entropy")(np.zeros((2, 3)), targets=np.zeros((2, 1), int)),
    "cross_entropy, one target": lambda: fast("cross_entropy")(np.zeros((2, 3)), targets=np.zeros(1, int)),
    "cross_entropy, smoothing": lambda: fast("cross_entropy")(
        np.zeros((1, 3)), targets=np.zeros(1, int), label_smoothing=NAN
    ),
}


@pytest.mark.parametrize("case", BAD_FAST)
def test_the_fast_version_itself_refuses_or_declines_bad_input(case):
    with pytest.raises(ValueError, match=rf"^{case.partition(',')[0]}.*\.(?:astype\(float\)\.)?$"):
        BAD_FAST[case]()


@pytest.mark.parametrize("leaf, shape", [("w_up", (5, 16)), ("w_down", (15, 4)), ("b_up", (1,)), ("b_down", (1,))])
@DTYPES
def test_ffn_refuses_weights_that_do_not_fit_in_the_words_of_the_definition(leaf, shape, dtype, rng):
    name, (x, p), options = prepare("ffn, 65 rows", rng, dtype)
    p[leaf] = np.zeros(shape, dtype)
    sentences = []
    for f in (fast, definition):
        with pytest.raises(ValueError) as error:
            f(name)(x, p, **options)
        sentences.append(str(error.value))
    assert sentences[0] == sentences[1] and sentences[0].startswith("linear: ")


@DTYPES
def test_a_target_outside_the_vocabulary_is_no_other_rows_logit(dtype):
    for target in (7, 100, 10**6):
        with pytest.raises(IndexError):
            fast("cross_entropy")(np.zeros((130, 7), dtype), targets=np.full(130, target))
    logits, last = np.random.default_rng(0).normal(size=(130, 7)).astype(dtype), np.full(130, 6)
    one, two = (run(fast("cross_entropy"), [logits], dtype(1), {"targets": t}) for t in (last - 7, last))
    close(one, two)  # as indices into NumPy's arrays count


# PyTorch, which nobody here wrote


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def theirs(torch, case, config=None):
    """PyTorch's function for a case, on tensors."""
    F = torch.nn.functional
    name, _, options = CASES[case]
    if name == "layer_norm":
        return lambda x, g, b: F.layer_norm(x, g.shape, g, b, options.get("eps", 1e-5))
    if name == "attention":
        return lambda q, k, v: F.scaled_dot_product_attention(
            q, k, v, attn_mask=torch.tensor(np.tri(q.shape[2], k.shape[2], k.shape[2] - q.shape[2], dtype=bool))
            if options.get("causal") else None
        )  # fmt: skip
    if name == "cross_entropy":
        targets = torch.tensor(options["targets"].reshape(-1).astype(np.int64))
        return lambda logits: F.cross_entropy(
            logits.reshape(-1, logits.shape[-1]),
            targets,
            ignore_index=options.get("ignore", -100),
            label_smoothing=options.get("label_smoothing", 0.0),
        )
    bend = {"gelu_tanh": lambda u: F.gelu(u, approximate="tanh"), "gelu": F.gelu, "relu": torch.relu}
    activation = bend[options["config"].activation]

    def ffn(x, p):
        u = F.linear(x, p["w_up"].T, p.get("b_up"))
        return F.linear(activation(u), p["w_down"].T, p.get("b_down"))

    return ffn


UNDEFINED = (
    "rotary",
    "nothing",
    "no batch",
    "no queries",
    "130 of 60",
    "129 of 64",
    "5 of 3",
    "70 of 3",
    "ignoring all",
)
# PyTorch gives NaN, or nothing, for these


@pytest.mark.parity
@pytest.mark.parametrize("case", [c for c in CASES if not any(word in c for word in UNDEFINED)])
def test_pytorch_gives_the_same(case, torch, rng):
    name, arrays, options = prepare(case, rng)
    dy = blame_for(name, arrays, options)
    tensors = map_leaves(lambda a: torch.tensor(a, requires_grad=True), arrays)
    y = theirs(torch, case)(*tensors)
    y.backward(torch.tensor(dy))
    expected = [y.detach().numpy()[()], *(t.grad.numpy() for a in tensors for _, t in sorted(leaves(a)))]
    close(run(fast(name), arrays, dy, options), expected, floor=1.0)


@DTYPES
def test_a_query_that_is_none_does_not_spoil_the_large_scores_of_its_neighbours(dtype, rng):
    q, k, v = rng.normal(size=(3, 1, 1, 20, 4)).astype(dtype)
    q[0, 0, 3] = NAN
    q[0, 0, 7] *= 1e4
    (ours, _), (theirs, _) = (f("attention")(q, k, v, causal=True) for f in (fast, definition))
    assert np.isnan(ours[0, 0, 3]).all() and np.isfinite(np.delete(ours, 3, axis=2)).all()
    close([ours], [theirs], 1e-5 if dtype == np.float32 else 1e-12)
