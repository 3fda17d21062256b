"""Instruments: is a gradient right, what does it remember, and what if one function were yours?"""

import contextlib
import copy
import inspect

import numpy as np

from .backend import plain
from .trees import leaves, map_leaves


def check_gradients(layer, *arrays, h=1e-6, tol=1e-7, seed=0, **options):
    """Compare backward with finite differences, for any function that keeps the promise of layers.py.

    One number tests every entry of a gradient at once. If y moves by J v when an argument moves by v,
    then <dy, J v> = <J^T dy, v>, and J^T dy is what backward returns: dy and v are drawn at random, and
    J v is (layer(x + h v) - layer(x - h v)) / (2 h).  Arguments may be arrays or trees, in float64;
    options pass through.  AssertionError names the first gradient that is missing, misshapen or wrong.
    Copies are moved, one for each argument: one array may be given twice, and yours are never written into.
    """
    rng = np.random.default_rng(seed)
    arrays = [map_leaves(lambda a: a.copy(), tree) for tree in arrays]
    run = lambda: layer(*arrays, **copy.deepcopy(options))  # a copy, so that dropout draws the same mask every time
    y, backward = run()
    dy = rng.normal(size=np.shape(y))
    grads = backward(dy)
    grads = grads if isinstance(grads, tuple) else (grads,)
    assert len(grads) == len(arrays), f"{len(arrays)} arrays went in, but {len(grads)} gradients came out"
    for name, array, grad in zip(_names(layer, len(arrays)), arrays, grads, strict=True):
        blame = dict(leaves(grad, f"d{name}"))
        for path, a in leaves(array, name):
            assert a.dtype == np.float64, f"{path} is {a.dtype}; finite differences need float64"
            assert f"d{path}" in blame, f"there is no gradient for {path}"
            d = blame[f"d{path}"]
            assert np.shape(d) == a.shape, f"d{path} has shape {np.shape(d)}, but {path} has shape {a.shape}"
            v, keep = rng.normal(size=a.shape), a.copy()
            try:
                a[...] = keep + h * v
                up = np.copy(run()[0])  # a copy, since a layer may return its argument itself
                a[...] = keep - h * v
                down = np.copy(run()[0])
            finally:
                a[...] = keep
            numeric, ours = np.sum((up - down) / (2 * h) * dy), np.sum(d * v)
            error = abs(numeric - ours) / max(1, abs(numeric), abs(ours))
            assert error < tol, f"d{path}: finite differences give {numeric:.8g}, backward gives {ours:.8g}"


def _names(layer, n):
    """The names of a function's first n arguments, or x0, x1, ... where it takes any number of them."""
    kinds = inspect.signature(layer).parameters.values()
    names = [p.name for p in kinds if p.kind is p.POSITIONAL_OR_KEYWORD]
    return names[:n] if len(names) >= n else [f"x{i}" for i in range(n)]


@contextlib.contextmanager
def using(module, **mine):
    """Run the library with your own functions:  with using(layers, layer_norm=my_layer_norm): ...

    It implies plain(), so that no fast version passes yours by.  ValueError if the module has no function of that name.
    """
    for name in mine:
        if not callable(getattr(module, name, None)):
            raise ValueError(f"{module.__name__} has no function {name!r} that yours could replace.")
    theirs = {name: getattr(module, name) for name in mine}
    vars(module).update(mine)
    try:
        with plain():
            yield
    finally:
        vars(module).update(theirs)


def forward_only(f):
    """Let a plain y = f(x, ...) predict inside the library before you have written its backward pass."""

    def layer(*arrays, **options):
        def backward(dy):
            raise NotImplementedError(f"{f.__name__} has no backward pass yet")

        return f(*arrays, **options), backward

    return layer


def saved(backward):
    """What a backward pass keeps alive, by name:  saved(back_attn)["weights"]

    A fast version may keep other things than its definition; inside plain() it is what stands in layers.py.
    """
    names, cells = backward.__code__.co_freevars, backward.__closure__ or ()
    kept = {k: c.cell_contents for k, c in zip(names, cells, strict=True) if _is_array(c)}
    in_parts = getattr(backward, "kept", {})  # what a fast version must put together first
    return kept | {name: whole() for name, whole in in_parts.items()}


def _is_array(cell):
    try:
        return hasattr(cell.cell_contents, "nbytes")
    except ValueError:  # a variable of another branch, which never got a value
        return False


def checkpoint(layer):
    """The same layer, but it remembers only its inputs and repeats the forward pass when blame arrives.

    Memory for time: arXiv:1604.06174.  A copy of the options is kept, so that dropout draws the same mask again.
    """

    def checkpointed(*arrays, **options):
        again = copy.deepcopy(options)
        y, _ = layer(*arrays, **options)
        return y, lambda dy: layer(*arrays, **copy.deepcopy(again))[1](dy)

    return checkpointed
