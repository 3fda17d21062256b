"""A pretend GPU that keeps a ledger: what crosses between it and the computer, and on which line.

    with pretend.gpu() as ledger:
        params = to_gpu(params)  # the library finds this module where it looks for CuPy
        ...
    ledger.totals()              {"to the GPU": 3, "to the computer": 1, ...}
    ledger.lines("to the computer")

NumPy does all the arithmetic.  An array here moves where one of CuPy's would: it gives a number to float() and to `if`,
the length of a mask to the mask, and every element to print().  It cannot say how long anything takes.
"""

import collections
import contextlib
import functools
import linecache
import os
import sys
import types

import numpy as np

KINDS = ("to the GPU", "to the computer", "waits", "float64", "kernels")
VIEWS = {"reshape", "swapaxes", "transpose", "squeeze", "view"}  # the same numbers, looked at otherwise
PLAIN = {"shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags"}  # known without asking
FETCHING = {"item", "tolist", "get", "tobytes"}
HERE = {
    os.path.join(os.path.dirname(os.path.abspath(__file__)), name) for name in ("pretend.py", "backend.py", "trees.py")
}


class Ledger:
    """What happened, in order: (kind, bytes, file, line)."""

    def __init__(self):
        self.entries = []

    def note(self, kind, n_bytes=0):
        """Write down that something happened on the line that is running."""
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename in HERE | {contextlib.__file__, functools.__file__}:
            frame = frame.f_back
        self.entries.append((kind, n_bytes, frame.f_code.co_filename, frame.f_lineno))

    def clear(self):
        """Begin a new page."""
        self.entries.clear()

    def totals(self):
        """{kind: how often}, for all KINDS."""
        counted = collections.Counter(kind for kind, *_ in self.entries)
        return {kind: counted[kind] for kind in KINDS}

    def bytes(self, kind):
        """How many bytes crossed."""
        return sum(n for k, n, *_ in self.entries if k == kind)

    def lines(self, kind):
        """The lines of code on which it happened, each once, in order."""
        places = dict.fromkeys((file, line) for k, _, file, line in self.entries if k == kind)
        return [linecache.getline(*place).strip() for place in places]


_ledger = Ledger()  # of the pretend GPU that is open


def wrapped(value):
    """What NumPy computed, on the pretend GPU."""
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype == np.float64:
            _ledger.note("float64")
        return ndarray(np.asarray(value))
    return type(value)(map(wrapped, value)) if isinstance(value, (tuple, list)) else value


def bare(value):
    """The NumPy arrays inside what is on the GPU.  TypeError for arrays that are not there."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array does not mix with one on the GPU: move it there first, with to_gpu or asarray")
    return type(value)(map(bare, value)) if isinstance(value, (tuple, list)) else value


class Kernel:
    """A function of NumPy, for arrays on the pretend GPU: each call is a kernel."""

    def __init__(self, f):
        self.f = f

    def __call__(self, *args, **options):
        _ledger.note("kernels")
        inner = bare(args)
        value = self.f(*inner, **{name: bare(option) for name, option in options.items()})
        return options["out"] if options.get("out") is not None else wrapped(value)

    def __getattr__(self, name):
        return Kernel(getattr(self.f, name))


class ndarray:
    """An array on the pretend GPU."""

    __array_ufunc__ = None  # NumPy's own functions refuse it
    __hash__ = None

    def __init__(self, a):
        self._a = a

    def __array__(self, *_, **__):
        raise TypeError("an array on the GPU becomes a NumPy array by to_cpu or asnumpy, and not by itself")

    def _fetch(self):
        """The numbers, in the computer's memory: it waits until they are there."""
        _ledger.note("to the computer", self._a.nbytes)
        return self._a

    __float__ = lambda self: float(self._fetch())
    __int__ = lambda self: int(self._fetch())
    __bool__ = lambda self: bool(self._fetch())
    __str__ = __repr__ = lambda self: str(self._fetch())
    __format__ = lambda self, spec: format(self._fetch()[()], spec)
    __len__ = lambda self: len(self._a)
    __iter__ = lambda self: (self[i] for i in range(len(self)))
    T = property(lambda self: ndarray(self._a.T))

    def __getattr__(self, name):
        if name.startswith("__"):  # NumPy asks whether it may look inside
            raise AttributeError(name)
        found = getattr(self._a, name)
        if name in PLAIN:
            return found
        if name in VIEWS:
            return lambda *args, **options: ndarray(found(*args, **options))
        if name in FETCHING:
            return lambda *args: getattr(self._fetch(), name)(*args) if name != "get" else self._fetch().copy()
        return Kernel(found)

    def __getitem__(self, index):
        place = _place(index)
        if any(isinstance(i, np.ndarray) for i in place):
            return Kernel(lambda: self._a[place])()
        return ndarray(self._a[place if Ellipsis in place else (*place, ...)])  # a view, of one number too

    def __setitem__(self, index, value):
        _ledger.note("kernels")
        self._a[_place(index)] = bare(value)


def _place(index):
    """An index as NumPy takes it, a tuple; what must cross for it is noted."""
    found = []
    for i in index if isinstance(index, tuple) else (index,):
        if isinstance(i, ndarray) and i.dtype == bool:
            _ledger.note("to the computer", 8)  # how many are True: so long will the result be
        elif isinstance(i, (list, np.ndarray)):
            i = array(i)
        found.append(i._a if isinstance(i, ndarray) else i)
    return tuple(found)


def _operator(name):
    def apply(self, *others):
        inner = bare(others)
        if not all(isinstance(a, (np.ndarray, np.generic, int, float)) for a in inner):
            return NotImplemented
        _ledger.note("kernels")
        value = getattr(self._a, name)(*inner)
        return self if value is self._a else wrapped(value)

    return apply


for _name in "add sub mul truediv matmul pow floordiv mod and or".split():
    for _kind in ("__{}__", "__r{}__", "__i{}__"):
        setattr(ndarray, _kind.format(_name), _operator(_kind.format(_name)))
for _name in "neg abs invert lt le eq ne gt ge".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))


def array(a, dtype=None):
    """A copy on the GPU."""
    if isinstance(a, ndarray):
        return Kernel(np.array)(a, dtype=dtype)
    found = np.array(a, dtype=dtype)
    _ledger.note("to the GPU", found.nbytes)
    return ndarray(found)


def asarray(a, dtype=None):
    """On the GPU: the array itself, if it is there."""
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def asnumpy(a):
    """A copy in the computer's memory."""
    return a._fetch().copy() if isinstance(a, ndarray) else np.asarray(a)


def _wait():
    _ledger.note("waits")


class Generator:
    """Random numbers that are drawn on the GPU."""

    def __init__(self, seed=None):
        self._rng = np.random.default_rng(seed)

    def __getattr__(self, name):
        return Kernel(getattr(self._rng, name))


def _module():
    """What `import cupy` finds."""
    cupy = types.ModuleType("cupy")
    own = {"array": array, "asarray": asarray, "asnumpy": asnumpy, "ndarray": ndarray, "is_available": lambda: True}
    own["get_array_module"] = lambda *arrays: cupy if any(isinstance(a, ndarray) for a in arrays) else np
    own["random"] = types.SimpleNamespace(default_rng=Generator, Generator=Generator)
    own["cuda"] = types.SimpleNamespace(get_current_stream=lambda: types.SimpleNamespace(synchronize=_wait))
    vars(cupy).update(own)

    def __getattr__(name):
        found = getattr(np, name)
        constant = isinstance(found, type) or not callable(found) or name in ("finfo", "dtype", "result_type")
        return found if constant else Kernel(found)

    cupy.__getattr__ = __getattr__
    return cupy


@contextlib.contextmanager
def gpu():
    """Let `import cupy`, and with it the library, find the pretend GPU; gives its Ledger.  For one thread."""
    global _ledger
    from . import backend

    before, theirs = _ledger, sys.modules.get("cupy")
    _ledger = Ledger()
    sys.modules["cupy"] = _module()
    backend.gpu_available.cache_clear()
    try:
        yield _ledger
    finally:
        _ledger = before
        del sys.modules["cupy"]
        if theirs is not None:
            sys.modules["cupy"] = theirs
        backend.gpu_available.cache_clear()
