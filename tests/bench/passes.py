"""Where the time of one training step of ours goes: by layer, and by pass over an array.

Every array of the model becomes a Timed one: each operation of NumPy on it is timed and put down to the layer that
runs. What no operation explains (indexing, copies into views, Python itself) is "the rest" of a layer.
"""

import collections
import contextlib
import time
from unittest import mock

import numpy as np
import steps
import threadpoolctl

from minillm import backend, gpt, layers, machine, optim

LAYERS = ["linear", "embedding", "layer_norm", "gelu", "attention", "cross_entropy"]
PRODUCTS = {"matmul", "vecdot", "dot", "matvec", "vecmat"}
REPETITIONS = 5


class Book:
    """Who spent how long: (calls, elements, seconds) by (layer, operation); and seconds by layer, others' left out."""

    def __init__(self):
        self.names, self.inner = ["the rest"], []
        self.passes = collections.defaultdict(lambda: [0, 0, 0.0])
        self.layers = collections.defaultdict(float)

    @contextlib.contextmanager
    def within(self, name):
        """Put down to `name` what happens inside, except for what another within() claims."""
        self.names.append(name)
        self.inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            self.names.pop()
            self.layers[name] += seconds - self.inner.pop()
            if self.inner:
                self.inner[-1] += seconds

    def note(self, operation, size, seconds):
        """One operation on an array."""
        entry = self.passes[self.names[-1], operation]
        entry[0] += 1
        entry[1] += size
        entry[2] += seconds


BOOK = Book()


class Timed(np.ndarray):
    """An array whose operations are timed."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [bare(a) for a in inputs]
        if out is not None:
            options["out"] = tuple(bare(a) for a in out)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        start = time.perf_counter()
        result = getattr(ufunc, method)(*plain, **options)
        seconds = time.perf_counter() - start
        size = max((a.size for a in (*plain, result) if isinstance(a, np.ndarray)), default=1)
        if ufunc.__name__ in PRODUCTS:
            size = 2 * np.size(result) * plain[0].shape[-1]  # FLOPs
        BOOK.note(name, size, seconds)
        return out[0] if out is not None else dressed(result)

    def __array_function__(self, function, types, args, options):
        start = time.perf_counter()
        result = function(*map_bare(args), **{key: bare(value) for key, value in options.items()})
        BOOK.note(function.__name__, np.size(result), time.perf_counter() - start)
        return dressed(result)


def bare(a):
    return a.view(np.ndarray) if isinstance(a, Timed) else a


def map_bare(values):
    return [type(v)(map_bare(v)) if isinstance(v, (list, tuple)) else bare(v) for v in values]


def dressed(result):
    return result.view(Timed) if isinstance(result, np.ndarray) else result


def watched(name, function):
    """A layer that is timed, and its backward too."""

    def run(*arrays, **options):
        with BOOK.within(name):
            answer = function(*arrays, **options)
        if not (isinstance(answer, tuple) and callable(answer[-1])):
            return answer
        y, backward = answer

        def back(*dy):
            with BOOK.within(f"{name}, backward"):
                return backward(*dy)

        return y, back

    return run


@contextlib.contextmanager
def watching():
    """Time every layer, and make new arrays Timed: inside, a step fills the book."""
    with contextlib.ExitStack() as stack:
        for module, names in ((layers, LAYERS), (gpt, ["ffn"]), (optim, ["adamw", "clip"])):
            for name in names:
                stack.enter_context(mock.patch.object(module, name, watched(name, getattr(module, name))))
        for name in ("empty", "zeros", "ones", "empty_like", "zeros_like", "arange"):
            made = getattr(np, name)
            stack.enter_context(
                mock.patch.object(np, name, lambda *a, _made=made, **options: dressed(_made(*map_bare(a), **options)))
            )
        yield


def profile(size, *, plain=False):
    """The report, as Markdown: how the milliseconds of one step divide, on one thread."""
    machine.keep_memory()
    mode = backend.plain if plain else contextlib.nullcontext
    with threadpoolctl.threadpool_limits(1):
        step = steps.Ours(*steps.batch(size), size=size, mode=mode)
        bare_seconds = seconds_of(step)
        with watching():
            step = steps.Ours(*steps.batch(size), size=size, mode=mode)
            step(), step()
            BOOK.passes.clear(), BOOK.layers.clear()
            watched_seconds = seconds_of(step, warm_up=0)
    return report(size, bare_seconds, watched_seconds, "the definitions" if plain else "the fast versions")


def seconds_of(step, warm_up=2):
    """Mean seconds of REPETITIONS steps."""
    for _ in range(warm_up):
        step()
    start = time.perf_counter()
    for _ in range(REPETITIONS):
        step()
    return (time.perf_counter() - start) / REPETITIONS


def report(size, bare_seconds, watched_seconds, tier):
    """What the book says of one step."""
    by_layer = collections.defaultdict(lambda: [0.0, 0.0, 0])  # in products, in passes, FLOPs
    for (name, operation), (_, n, seconds) in BOOK.passes.items():
        product = operation in PRODUCTS
        by_layer[name][0 if product else 1] += seconds / REPETITIONS
        by_layer[name][2] += n / REPETITIONS if product else 0
    total = dict.fromkeys(by_layer, 0.0) | {name: seconds / REPETITIONS for name, seconds in BOOK.layers.items()}
    total["the rest"] = watched_seconds - sum(seconds for name, seconds in total.items() if name != "the rest")
    lines = [
        f"# One step of {size}, {tier}, one thread",
        "",
        f"{1e3 * bare_seconds:.2f} ms a step; {1e3 * watched_seconds:.2f} ms while every operation is timed.",
        "",
        "| layer | ms | of it products | other passes | neither | GFLOP/s of the products |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in sorted(total, key=total.get, reverse=True):
        products, passes, flops = by_layer[name]
        rate = f"{flops / products / 1e9:.1f}" if products else ""
        parts = total[name], products, passes, total[name] - products - passes
        lines.append(f"| {name} | " + " | ".join(f"{1e3 * part:.3f}" for part in parts) + f" | {rate} |")
    sums = [sum(values) for values in zip(*by_layer.values(), strict=True)]
    lines.append(f"| all | {1e3 * watched_seconds:.3f} | {1e3 * sums[0]:.3f} | {1e3 * sums[1]:.3f} | "
                 f"{1e3 * (watched_seconds - sums[0] - sums[1]):.3f} | {sums[2] / sums[0] / 1e9:.1f} |")  # fmt: skip
    lines += [
        "",
        "| layer | pass | calls | elements a call | ms | ns an element |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    passes = sorted(BOOK.passes.items(), key=lambda item: item[1][2], reverse=True)
    for (name, operation), (calls, n, seconds) in passes:
        if operation not in PRODUCTS and seconds / REPETITIONS > 0.002 * watched_seconds:
            lines.append(
                f"| {name} | {operation} | {calls / REPETITIONS:.0f} | {n / calls:,.0f} | "
                f"{1e3 * seconds / REPETITIONS:.3f} | {1e9 * seconds / n:.2f} |"
            )
    return "\n".join(lines)
