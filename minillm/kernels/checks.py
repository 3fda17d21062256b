"""Whether the kernels in gpu.py compute what their definitions say, on the machine at hand: forward, and each gradient.

Inputs are drawn afresh, sizes are awkward, and whatever a kernel is to fill begins as NaN, with a guard of NaN on
either side.  The judge is the definition in float64, on the CPU.  `python -m minillm doctor --gpu` prints the table.
"""

import contextlib
import inspect
from typing import NamedTuple

import numpy as np

from .. import gpt, layers, optim
from ..backend import array_module, need_gpu, plain, to_cpu, to_gpu
from ..config import Config
from ..trees import leaves, map_leaves
from . import gpu

DEFINITIONS = {
    "layer_norm": layers.layer_norm,
    "attention": layers.attention,
    "cross_entropy": layers.cross_entropy,
    "embedding": layers.embedding,
    "linear": layers.linear,
    "ffn": gpt.ffn,
    "adamw": optim.adamw,
    "model": gpt.loss,
}
# The largest error, as a part of the largest number in the array.  A product of numbers with 10 bits after the point
# (tf32) or 7 (bf16) is off by up to 2^-10 or 2^-7 of itself; a model multiplies often.
TOLERANCE = {"fp32": 1e-5, "tf32": 1e-2, "bf16": 8e-2}
GUARD = 64  # numbers on either side


class Case(NamedTuple):
    """One call to be checked: arrays are drawn by draw(rng), a list; options are those of the definition."""

    kernel: str
    sizes: str
    draw: object
    options: dict = {}
    precision: str = "fp32"


class Row(NamedTuple):
    """What came out: errors {"y": ..., "dx": ...}, as parts of the largest number; same: whether a repeat gave that."""

    kernel: str
    sizes: str
    precision: str
    errors: dict
    tolerance: float
    same: bool

    @property
    def ok(self):
        return self.same and all(error <= self.tolerance for error in self.errors.values())  # NaN is not


def cases(large=False):
    """The calls to be checked, as a list of Case; large adds sizes that only a GPU does in a moment."""
    shapes = [(1, 1), (1, 7), (5, 1), (3, 33), (2, 3, 65), (4, 384)] + [(8, 256, 384), (3, 1025, 768)] * large
    found = [norm(*shape) for shape in shapes]
    found += [norm(300, 9), norm(2, 5, eps=0.1)]
    found += [attend(T, S, K) for T, S, K in [(1, 1, 1), (33, 33, 24), (5, 70, 5), (32, 32, 8), (64, 64, 64)]]
    found += [
        attend(T, S, K, causal=True) for T, S, K in [(33, 33, 24), (1, 40, 5), (5, 70, 5), (40, 7, 5), (70, 70, 64)]
    ]
    found += [attend(40, 40, 5, causal=True, padded=True), attend(7, 65, 24, padded=True)]
    found += [attend(T, T, 64, B=4, H=6, causal=True) for T in (256, 1024) * large]
    for rows, V in [((1,), 1), ((2, 3), 65), ((33,), 7), ((1, 1), 1031)] + [((8, 64), 50_257)] * large:
        found += [entropy(rows, V), entropy(rows, V, ignore=0, label_smoothing=0.1)]
    found += [embed(rows, V, C) for rows, V, C in [((1,), 1, 1), ((2, 3), 65, 130), ((7, 9), 5, 24)]]
    found += [embed((16, 256), V, 384) for V in (65, 50_257) * large]
    for precision in gpu.PRECISIONS:
        found += [line(rows, C, F, precision) for rows, C, F in [((1,), 1, 1), ((2, 3), 5, 7), ((33,), 24, 65)]]
        found += [feed(rows, C, F, precision) for rows, C, F in [((1, 1), 1, 1), ((2, 3), 5, 300), ((33,), 24, 65)]]
        found += [line((8, 256), 384, 1536, precision), feed((8, 256), 384, 1536, precision)] * large
        found += [model(precision), model(precision, tied=False, positions="rotary", bias=False)]
        found += [model(precision, n_ctx=256, n_layer=6, n_head=6, width=384)] * large
    return found + [case for n in (1, 1000, *[1_000_003] * large) for case in (step(n, 0.1), step(n, 0.0))]


def normal(*shapes):
    """A draw of float32 arrays of these shapes."""
    return lambda rng: [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def norm(*shape, **options):
    """A case of layer_norm."""
    return Case("layer_norm", words(shape, options), normal(shape, shape[-1:], shape[-1:]), options)


def attend(T, S, K, B=2, H=3, padded=False, **options):
    """A case of attention; padded hides every third key, and from one row all of them."""
    sizes = words((B, H, T, S, K), options) + " padded" * padded
    if padded:
        hidden = np.arange(B * S).reshape(B, S) % 3 == 0
        hidden[-1] = True
        options = options | {"key_padding_mask": hidden}
    return Case("attention", sizes, normal((B, H, T, K), (B, H, S, K), (B, H, S, K)), options)


def entropy(rows, V, **options):
    """A case of cross_entropy."""
    targets = np.random.default_rng(V).integers(0, V, rows)
    return Case("cross_entropy", words((*rows, V), options), normal((*rows, V)), options | {"targets": targets})


def embed(rows, V, C):
    """A case of embedding."""
    ids = np.random.default_rng(V).integers(0, V, rows)
    return Case("embedding", words((*rows, V, C)), normal((V, C)), {"ids": ids})


def line(rows, C, F, precision):
    """A case of linear."""
    return Case("linear", words((*rows, C, F)), normal((*rows, C), (C, F), (F,)), {}, precision)


def feed(rows, C, F, precision):
    """A case of ffn."""
    shapes = {"w_up": (C, F), "b_up": (F,), "w_down": (F, C), "b_down": (C,)}

    def draw(rng):
        p = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        p["w_up"] *= C**-0.5
        return [rng.standard_normal((*rows, C)).astype(np.float32), p]

    return Case("ffn", words((*rows, C, F)), draw, {"config": Config(width=C, ffn_width=F, n_head=1)}, precision)


def step(n, decay):
    """A case of adamw."""

    def draw(rng):
        w, dw, m, v = normal(n, n, n, n)(rng)
        return [w, dw, m, v * v]

    return Case("adamw", words((n,), {"decay": decay}), draw, {"step": 3, "rate": 0.1, "decay": decay})


def model(precision, **changes):
    """A case of the whole model: gpt.loss, with two sequences of a small model, or of that which `changes` describe."""
    config = Config(**({"vocab_size": 65, "n_ctx": 33, "n_layer": 2, "n_head": 2, "width": 48} | changes))
    ids = np.random.default_rng(1).integers(0, 65, (2, config.n_ctx + 1))
    options = {"config": config, "ids": ids[:, :-1], "targets": ids[:, 1:]}
    return Case(
        "model", words((config.n_layer, config.width), changes), lambda rng: [gpt.init(config, rng)], options, precision
    )


def words(shape, options=()):
    """The sizes and options of a case, in few letters."""
    named = [f"{key}={value}" if value is not True else key for key, value in dict(options).items()]
    return " ".join(["x".join(map(str, shape)), *named])


def check(case, rng, move=to_gpu):
    """Run one case; returns a Row.  move(tree) takes arrays to where the kernels run."""
    arrays, definition = case.draw(rng), DEFINITIONS[case.kernel]
    wide = map_leaves(lambda a: a.astype(np.float64), arrays)
    with plain():
        shape = np.shape(definition(*wide, **case.options)[0]) if case.kernel != "adamw" else ()
        dy = rng.standard_normal(shape) if shape else np.float64(0.7)
        exact = results(definition, wide, dy, case.options)
    options = {key: move(a) if isinstance(a, np.ndarray) else a for key, a in case.options.items()}
    fast = gpt.loss if case.kernel == "model" else getattr(gpu, case.kernel)
    blame = move(dy.astype(np.float32)) if shape else 0.7
    with gpu.precision(case.precision), guarded() as guards:
        found, again = (results(fast, move(arrays), blame, options) for _ in range(2))
        for buffer in guards:
            ends = [buffer[:GUARD], buffer[-GUARD:]]
            if not all(np.isnan(to_cpu(end)).all() for end in ends):
                raise ValueError(f"{case.kernel} {case.sizes}: a kernel wrote outside of its array.")
    found, again = to_cpu(found), to_cpu(again)
    floor = 1e-3 * max(np.abs(a).max() for a in exact.values()) if case.kernel == "model" else 0.0
    errors = {name: error(found[name], exact[name], floor) for name in exact}
    same = all(np.array_equal(found[name], again[name], equal_nan=True) for name in exact)
    if case.kernel == "model":
        errors = {"loss": errors["y"], "gradients": max(value for name, value in errors.items() if name != "y")}
    return Row(case.kernel, case.sizes, case.precision, errors, TOLERANCE[case.precision], same)


def results(f, arrays, dy, options):
    """{"y": result, "dx": gradient, ...}; of adamw, the arrays that it changed."""
    if "dw" in inspect.signature(f).parameters:
        arrays = map_leaves(lambda a: a.copy(), arrays)
        if f(*arrays, **options) is None and array_module(arrays[0]) is not np:
            raise ValueError("adamw declined.")
        return dict(zip(("w", "m", "v"), (arrays[0], *arrays[2:]), strict=True))
    answer = f(*arrays, **options)
    if answer is None:
        raise ValueError(f"{f.__name__} declined.")
    y, backward = answer
    grads = backward(dy)
    names = [name for name, kind in inspect.signature(f).parameters.items() if kind.kind == kind.POSITIONAL_OR_KEYWORD]
    grads = grads if isinstance(grads, tuple) else (grads,)
    tree = {f"d{name}": grad for name, grad in zip(names, grads, strict=False)}
    return {"y": y} | dict(leaves(tree))


def error(found, exact, floor=0.0):
    """The largest difference as a part of the largest number (or of floor, if that is larger: a gradient can be nothing
    but rounding, as that of b_k is); infinite where NaN and infinity are not in the same places."""
    if found.shape != exact.shape or found.dtype != np.float32:
        return np.inf
    finite = np.isfinite(exact)
    if not np.array_equal(found[~finite], exact[~finite], equal_nan=True) or not np.isfinite(found[finite]).all():
        return np.inf
    scale = float(np.abs(exact[finite]).max(initial=floor)) or 1.0
    return float(np.abs(found[finite] - exact[finite]).max(initial=0.0)) / scale


@contextlib.contextmanager
def guarded():
    """Let what kernels are to fill begin as NaN, between two guards of NaN; gives the list of all such buffers."""
    buffers, before = [], gpu.empty

    def empty(shape, like):
        n = int(np.prod(shape))
        buffers.append(array_module(like).full(n + 2 * GUARD, np.nan, np.float32))
        return buffers[-1][GUARD:-GUARD].reshape(shape)

    gpu.empty = empty
    try:
        yield buffers
    finally:
        gpu.empty = before


def table(rows):
    """The rows as aligned text, with each error beside its name."""
    lines = [f"{'':9}{'kernel':15}{'sizes':44}{'at':6}{'at most':9}errors, as parts of the largest number"]
    for row in rows:
        errors = "  ".join(f"{name} {value:.0e}" for name, value in row.errors.items())
        again = "" if row.same else "  not the same twice"
        status = "ok" if row.ok else "wrong"
        lines.append(f"{status:9}{row.kernel:15}{row.sizes:44}{row.precision:6}{row.tolerance:<9.0e}{errors}{again}")
    return "\n".join(lines)


def main():
    """Check every kernel on this machine's GPU with fresh numbers, and print the table.

    Returns the exit code: 0, or 1 if one is wrong.  ValueError if there is no GPU.
    """
    need_gpu()
    rng = np.random.default_rng()
    found = [check(case, rng) for case in cases(large=True)]
    print(table(found))
    wrong = sum(not row.ok for row in found)
    print(f"{len(found) - wrong} of {len(found)} are right." + " Please tell us: this should not be." * (wrong > 0))
    return int(wrong > 0)
