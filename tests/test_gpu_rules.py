"""Layers, model and optimizer on a pretend GPU: CuPy's rules, NumPy's numbers to the last bit, nothing moved."""

import builtins
import copy
import io
import itertools
import json
import math
import sys

import fake_cupy
import numpy as np
import pytest
from scipy import special

from minillm import backend, gpt, layers, optim, trees
from minillm.check import checkpoint, saved
from minillm.config import Config


@pytest.fixture
def device():
    with fake_cupy.installed() as cupy, backend.plain():  # the pretend GPU and the CPU both run the definitions
        yield cupy


def host(thing):
    """The same tuples, lists and dicts, with NumPy arrays at the leaves."""
    if isinstance(thing, dict):
        return {key: host(value) for key, value in thing.items()}
    if isinstance(thing, (tuple, list)):
        return [host(value) for value in thing]
    return thing._a if isinstance(thing, fake_cupy.ndarray) else np.asarray(thing)


def assert_identical(theirs, ours):
    """Equal to the last bit, dtype and shape included."""
    for (path, a), (same, b) in zip(trees.leaves(host(theirs)), trees.leaves(host(ours)), strict=True):
        assert (path, a.dtype, a.shape) == (same, b.dtype, b.shape)
        assert a.tobytes() == b.tobytes(), f"{path} differs by up to {np.max(np.abs(a - b))}"


def there(options):
    """A copy of the options, with arrays on the device and sources of randomness at their start."""
    return {
        name: backend.to_gpu(value) if isinstance(value, np.ndarray) else copy.deepcopy(value)
        for name, value in options.items()
    }


def attention_cases():
    mask = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)  # one query may see nothing
    masks = {
        "no mask": {},
        "boolean mask": {"mask": mask},
        "float mask": {"mask": np.where(mask, 0.5, -np.inf)},
    }
    padding = {"": {}, ", padding": {"key_padding_mask": np.array([[0, 0, 0, 0, 1], [1, 1, 1, 1, 1]], bool)}}
    drops = {"": {}, ", dropout": {"dropout": 0.4, "rng": np.random.default_rng(5)}}
    for causal, (a, m), (b, p), (c, d) in itertools.product(
        (False, True), masks.items(), padding.items(), drops.items()
    ):
        shapes = [(2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)]
        yield f"attention, {a}{b}{c}{', causal' * causal}", layers.attention, shapes, {"causal": causal} | m | p | d


def cross_entropy_cases():
    targets = np.array([[0, 6, 3], [3, 3, 1]])
    for ignore, smoothing in itertools.product((None, 3), (0.0, 0.1)):
        options = {"targets": targets, "ignore": ignore, "label_smoothing": smoothing}
        yield f"cross entropy, ignore {ignore}, smoothing {smoothing}", layers.cross_entropy, [(2, 3, 7)], options
    nothing = {"targets": np.full((2, 3), 3), "ignore": 3}
    yield "cross entropy, all targets ignored", layers.cross_entropy, [(2, 3, 7)], nothing


CASES = [
    ("linear", layers.linear, [(2, 3, 5), (5, 4), (4,)], {}),
    ("linear without a shift", layers.linear, [(2, 3, 5), (5, 4)], {}),
    ("embedding", layers.embedding, [(7, 3)], {"ids": np.array([[1, 6, 1], [0, 1, 5]])}),
    ("layer norm", layers.layer_norm, [(2, 3, 5), (5,), (5,)], {"eps": 1e-3}),
    ("gelu, tanh", layers.gelu, [(3, 7)], {"approximate": "tanh"}),
    ("gelu, erf", layers.gelu, [(3, 7)], {"approximate": "none"}),
    ("relu", layers.relu, [(3, 7)], {}),
    ("dropout", layers.dropout, [(3, 7)], {"rate": 0.3, "rng": np.random.default_rng(5)}),
    ("dropout at rate 0", layers.dropout, [(3, 7)], {"rate": 0, "rng": None}),
    ("softmax", layers.softmax, [(3, 7)], {}),
    ("softmax along axis 0", layers.softmax, [(3, 7)], {"axis": 0}),
    ("rotary, positions (T,)", layers.rotary, [(2, 3, 4, 6)], {"positions": np.arange(3, 7)}),
    ("rotary, positions (B, T)", layers.rotary, [(2, 3, 4, 6)], {"positions": np.array([[0, 0, 1, 2], [5, 6, 7, 8]])}),
    *attention_cases(),
    *cross_entropy_cases(),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_layer_computes_on_the_device_what_it_computes_on_the_host(device, rng, case, dtype):
    _, layer, shapes, options = case
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if "mask" in options and options["mask"].dtype != bool:
        options = options | {"mask": options["mask"].astype(dtype)}
    y, backward = layer(*arrays, **copy.deepcopy(options))
    dy = np.asarray(rng.standard_normal(np.shape(y)), dtype)
    grads = backward(dy)

    far_arrays, far_options, far_dy = backend.to_gpu(arrays), there(options), backend.to_gpu(dy)
    fake_cupy.transfers.clear()
    fake_cupy.dtypes.clear()
    far_y, far_backward = layer(*far_arrays, **far_options)
    far_grads = far_backward(far_dy)
    assert not fake_cupy.transfers
    assert_identical((y, grads), (far_y, far_grads))
    assert all(isinstance(a, fake_cupy.ndarray) for _, a in trees.leaves([far_y, *far_arrays]))
    if dtype == np.float32:
        assert np.dtype(np.float64) not in fake_cupy.dtypes


VARIANTS = [
    {"positions": positions, "norm": norm, "tied": tied, "activation": activation, "bias": bias, "dropout": dropout}
    for positions, norm, tied, activation, bias, dropout in itertools.product(
        ("learned", "rotary", "none"),
        ("pre", "post"),
        (True, False),
        ("gelu_tanh", "gelu", "relu"),
        (True, False),
        (0.0, 0.2),
    )
]
SIZES = {"vocab_size": 11, "n_ctx": 6, "n_layer": 2, "n_head": 2, "width": 8, "ffn_width": 12}


def describe(variant):
    return "-".join(str(value) for value in variant.values())


def train(params, batch, config, steps=2, **options):
    """Two steps with clipping and decay; returns what each of them computed, and the optimizer."""
    optimizer = optim.AdamW(params, decay=0.1, clip=0.5)
    rng = np.random.default_rng(3) if config.dropout else None
    seen = []
    for _ in range(steps):
        loss, backward = gpt.loss(optimizer.params, config=config, rng=rng, **batch, **options)
        grads = backward()
        optimizer.add(grads, 0.5)
        optimizer.add(grads, 0.5)
        seen.append([loss, grads, optimizer.step(0.01)])
    return seen, optimizer


@pytest.mark.parametrize("variant", VARIANTS, ids=describe)
def test_training_moves_nothing_and_gives_the_same_weights_to_the_last_bit(device, rng, variant):
    config = Config(**SIZES, **variant)
    params = gpt.init(config, rng)
    ids = rng.integers(0, 11, (2, 6))
    batch = {"ids": ids[:, :-1], "targets": ids[:, 1:]}
    seen, optimizer = train(params, batch, config)

    far_params, far_batch = backend.to_gpu(params), backend.to_gpu(batch)
    fake_cupy.transfers.clear()
    fake_cupy.dtypes.clear()
    far_seen, far_optimizer = train(far_params, far_batch, config)
    assert not fake_cupy.transfers
    assert np.dtype(np.float64) not in fake_cupy.dtypes
    assert_identical(seen, far_seen)
    assert_identical(optimizer.state(), far_optimizer.state())


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_training_on_padded_rows_with_smoothing_moves_nothing(device, rng, positions):
    config = Config(**SIZES, positions=positions, dropout=0.1)
    params = gpt.init(config, rng)
    batch = {
        "ids": rng.integers(0, 11, (2, 5)),
        "targets": rng.integers(0, 11, (2, 5)),
        "positions": np.array([[0, 1, 2, 3, 4], [0, 0, 0, 1, 2]]),
        "key_padding_mask": np.array([[0, 0, 0, 0, 0], [1, 1, 0, 0, 0]], bool),
    }
    options = {"ignore": 4, "label_smoothing": 0.1}
    seen, optimizer = train(params, batch, config, **options)
    far_params, far_batch = backend.to_gpu(params), backend.to_gpu(batch)
    fake_cupy.transfers.clear()
    far_seen, far_optimizer = train(far_params, far_batch, config, **options)
    assert not fake_cupy.transfers
    assert_identical((seen, optimizer.state()), (far_seen, far_optimizer.state()))


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_writing_with_a_cache_moves_nothing(device, rng, positions):
    config = Config(**SIZES, positions=positions)
    params = gpt.init(config, rng)
    parts = [  # a prompt that is padded on the left in its second row, then two tokens one by one
        {"ids": rng.integers(0, 11, (2, 4)), "positions": np.array([[0, 1, 2, 3], [0, 0, 0, 1]])},
        {"ids": rng.integers(0, 11, (2, 1)), "positions": np.array([[4], [2]])},
        {"ids": rng.integers(0, 11, (2, 1)), "positions": np.array([[5], [3]])},
    ]
    padding = np.zeros((2, 6), bool)
    padding[1, :2] = True
    for end, part in zip((4, 5, 6), parts, strict=True):
        part["key_padding_mask"] = padding[:, :end]

    def write(params, parts):
        cache = gpt.Cache()
        return [gpt.gpt(params, config=config, cache=cache, **part)[0] for part in parts]

    far_params, far_parts = backend.to_gpu(params), [backend.to_gpu(part) for part in parts]
    fake_cupy.transfers.clear()
    far_logits = write(far_params, far_parts)
    assert not fake_cupy.transfers
    assert_identical(write(params, parts), far_logits)


def test_checkpoint_and_saved_work_on_the_device(device, rng):
    x = backend.to_gpu(rng.standard_normal((2, 2, 3, 4), dtype=np.float32))
    options = {"causal": True, "dropout": 0.3, "rng": np.random.default_rng(1)}
    fake_cupy.transfers.clear()
    y, backward = layers.attention(x, x, x, **copy.deepcopy(options))
    again, repeat = checkpoint(layers.attention)(x, x, x, **options)
    assert saved(backward)["weights"].shape == (2, 2, 3, 3)
    assert set(saved(repeat)) == set()
    assert_identical([y, backward(x)], [again, repeat(x)])
    assert not fake_cupy.transfers


def test_an_optimizer_on_the_device_takes_up_a_checkpoint_from_the_host(device, rng):
    config = Config(**SIZES)
    ids = rng.integers(0, 11, (2, 6))
    batch = {"ids": ids[:, :-1], "targets": ids[:, 1:]}
    _, optimizer = train(gpt.init(config, rng), batch, config)
    far = optim.AdamW(backend.to_gpu(gpt.init(config, rng)))
    far.restore(optimizer.state(), optimizer.steps)
    assert_identical(optimizer.state(), far.state())
    assert_identical(optimizer.state(), backend.to_cpu(far.state()))


def test_to_gpu_and_to_cpu_count_every_array(device, rng):
    tree = {"a": rng.standard_normal(3), "b": [rng.standard_normal((2, 2))]}
    far = backend.to_gpu(tree)
    assert fake_cupy.transfers == {"to the device": 2}
    assert backend.array_module(far["a"]) is device
    assert_identical(tree, backend.to_cpu(far))
    assert fake_cupy.transfers == {"to the device": 2, "to the host": 2}
    assert backend.Stopwatch(far["a"]).seconds() >= 0


def test_the_pretend_device_leaves_nothing_behind():
    with fake_cupy.installed() as cupy:
        assert sys.modules["cupy"] is cupy
        assert backend.gpu_available()
    assert sys.modules.get("cupy") is not cupy
    assert "cupyx.scipy.special" not in sys.modules or hasattr(sys.modules["cupyx.scipy.special"], "__file__")
    assert backend.gpu_available.cache_info().currsize == 0


# Mistakes that NumPy forgives.  Each is f(xp, x, i): x (4, 5) float32 and i (3,) = 0, 2, 2, on the device.


def assign(x, index, value):
    x[index] = value


def scale_in_place(x, by):
    x *= by


MISTAKES = {
    "NumPy's function of a device array": lambda xp, x, i: np.sqrt(x * x),
    "NumPy's function with out": lambda xp, x, i: np.exp(x, out=x),
    "NumPy's concatenate": lambda xp, x, i: np.concatenate([x, x]),
    "NumPy's where": lambda xp, x, i: np.where(x > 0, x, 0),
    "NumPy's stack": lambda xp, x, i: np.stack([x, x]),
    "NumPy's add.at": lambda xp, x, i: np.add.at(x, i, 1.0),
    "a copy on the host that nobody asked for": lambda xp, x, i: np.asarray(x),
    "SciPy's erf": lambda xp, x, i: special.erf(x),
    "saving without to_cpu": lambda xp, x, i: np.savez(io.BytesIO(), x=x),
    "the loss as a float": lambda xp, x, i: float(x.sum()),
    "a count as an int": lambda xp, x, i: int((x > 0).sum()),
    "math.sqrt": lambda xp, x, i: math.sqrt((x * x).sum()),
    ".item()": lambda xp, x, i: x.sum().item(),
    ".tolist()": lambda xp, x, i: x.tolist(),
    "if on a device value": lambda xp, x, i: 1 if (x * x).sum() > 0 else 0,
    "assert on a device value": lambda xp, x, i: bool(xp.isfinite(x).all()),
    "if allclose": lambda xp, x, i: 1 if xp.allclose(x, x) else 0,
    "Python's max": lambda xp, x, i: builtins.max(x.sum(), x.mean()),
    "a loop over rows": lambda xp, x, i: list(x),
    "unpacking": lambda xp, x, i: [a + b for a, b in [i[:2]]],
    "a device number as a list index": lambda xp, x, i: "abc"[i[0]],
    "a device number in range": lambda xp, x, i: range(i[1]),
    "a device number as the end of a slice": lambda xp, x, i: x[: i[1]],
    "printing a loss": lambda xp, x, i: f"{x.sum():.2f}",
    "str of a loss": lambda xp, x, i: str(x.sum()),
    "reading through a mask": lambda xp, x, i: x[x > 0],
    "assigning through a mask": lambda xp, x, i: assign(x, x > 0, 0),
    "reading through a list": lambda xp, x, i: x[[0, 1]],
    "reading through a NumPy array": lambda xp, x, i: x[np.array([0, 1])],
    "where with one argument": lambda xp, x, i: xp.where(x > 0),
    "nonzero": lambda xp, x, i: (x > 0).nonzero(),
    "unique": lambda xp, x, i: xp.unique(i),
    "one place assigned twice": lambda xp, x, i: assign(x, i, 1.0),
    "one place changed twice": lambda xp, x, i: assign(x, i, x[i] + 1.0),
    "where= in a ufunc": lambda xp, x, i: xp.divide(x, x, out=xp.ones_like(x), where=x != 0),
    "where= in a reduction": lambda xp, x, i: x.sum(where=x > 0),
    "initial= in a reduction": lambda xp, x, i: x.max(initial=0.0),
    "order= in a ufunc": lambda xp, x, i: xp.add(x, x, order="F"),
    "where= in clip": lambda xp, x, i: xp.clip(x, a_min=0.0, a_max=1.0, where=True),
    "maximum.reduce": lambda xp, x, i: xp.maximum.reduce(x, axis=0),
    "maximum.reduceat": lambda xp, x, i: xp.maximum.reduceat(x, i[:2]),
    "multiply.at": lambda xp, x, i: xp.multiply.at(x, i, 2.0),
    "logaddexp.accumulate": lambda xp, x, i: xp.logaddexp.accumulate(x),
    "a name that CuPy lacks, vecdot": lambda xp, x, i: xp.vecdot(x, x),
    "a name that CuPy lacks, errstate": lambda xp, x, i: xp.errstate(divide="ignore"),
    "a list in a ufunc": lambda xp, x, i: xp.add(x, [1.0, 2.0, 3.0, 4.0, 5.0]),
    "adding a NumPy array": lambda xp, x, i: x + np.ones(5, np.float32),
    "adding to a NumPy array": lambda xp, x, i: np.ones(5, np.float32) + x,
    "multiplying in place by a NumPy array": lambda xp, x, i: scale_in_place(x, np.ones(5, np.float32)),
    "a matrix on the host": lambda xp, x, i: x @ np.ones((5, 2), np.float32),
    "assigning a NumPy array": lambda xp, x, i: assign(x, 0, np.ones(5, np.float32)),
    "a mask made on the host": lambda xp, x, i: xp.where(np.tri(4, 5, dtype=bool), x, 0),
    "a dropout mask drawn on the host": lambda xp, x, i: x * (np.random.default_rng(0).random((4, 5)) > 0.5),
    "zeros like a host array": lambda xp, x, i: xp.zeros_like(np.ones(3)) + x[:3, 0],
    "a NumPy float64 as a factor": lambda xp, x, i: x * (1 / np.sqrt(64)),
    "a NumPy float64 on the left": lambda xp, x, i: np.float64(2) * x,
    "a NumPy float64 in a function": lambda xp, x, i: xp.maximum(x, np.float64(0)),
    "a NumPy int64 as a divisor": lambda xp, x, i: x / np.prod((4, 5)),
}


def mistake_arguments():
    x = np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)
    return x, np.array([0, 2, 2])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_numpy_forgives_is_refused(device, mistake):
    x, i = (device.asarray(a) for a in mistake_arguments())
    with pytest.raises((TypeError, ValueError, AttributeError)):
        MISTAKES[mistake](device, x, i)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_numpy_forgives_it(mistake):
    """Otherwise the test above would prove nothing about the device."""
    x, i = mistake_arguments()
    MISTAKES[mistake](np, x, i)


def test_a_trip_to_the_host_and_back_is_counted(device):
    x = device.asarray(np.ones(3))
    fake_cupy.transfers.clear()
    device.asarray(np.log(device.asnumpy(x)))
    device.array(3.0)
    assert fake_cupy.transfers == {"to the device": 2, "to the host": 1}
    fake_cupy.transfers.clear()
    device.asarray(x), device.zeros(3), device.arange(4), device.full((2,), 1.0), copy.deepcopy(x)
    assert not fake_cupy.transfers


def test_a_float64_array_on_the_device_is_noticed(device):
    x = device.asarray(np.ones(3, np.float32))
    fake_cupy.dtypes.clear()
    x / device.arange(1, 4)  # integers of 64 bits: quietly float64
    assert np.dtype(np.float64) in fake_cupy.dtypes


@pytest.mark.parity
def test_the_list_of_names_is_what_cupy_has():
    pytest.importorskip("cupy")
    import make_cupy_names

    written = json.loads(make_cupy_names.FILE.read_text(encoding="utf-8"))
    found = make_cupy_names.names()
    for names in (written, found):
        names.pop("cupy")  # another version may have the same names
    assert written == found, "run tests/make_cupy_names.py"


@pytest.mark.parity
def test_what_the_pretend_device_adds_is_in_cupy():
    cupy = pytest.importorskip("cupy")
    for name in ("asarray", "array", "asnumpy", "get_array_module", "is_available", "ndarray"):
        assert hasattr(cupy, name)
    assert cupy.random.default_rng and cupy.cuda.get_current_stream
    assert cupy.get_array_module(np.ones(3)) is np
