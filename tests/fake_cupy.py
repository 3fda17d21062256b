"""CuPy's rules on NumPy's arithmetic: a pretend GPU, so that code for CuPy is tested where there is none.

An array here holds a NumPy array where nobody can see it.  It has the names, keywords and ufunc methods that CuPy has
(cupy_names.json, written by make_cupy_names.py) and no others; it never mixes with NumPy's arrays, never turns into a
number by itself, stays 0-d after a reduction, and moves only through asarray() and asnumpy(), which are counted:

    with installed(): ...; transfers.clear(); step(); assert not transfers

Stricter than CuPy where CuPy would wait for the device or give something else than NumPy: masks and lists as indices,
loops over an array, NumPy's functions and scalars of higher precision, the same place assigned twice.
"""

import collections
import contextlib
import functools
import inspect
import json
import pathlib
import sys
import types

import numpy as np

NAMES = json.loads(pathlib.Path(__file__).with_name("cupy_names.json").read_text(encoding="utf-8"))
SAME = NAMES["same as in NumPy"].split()
UFUNCS = {name: set(methods.split()) for name, methods in NAMES["ufuncs"].items()}
FREE = "T mT shape dtype ndim size itemsize nbytes strides flags real imag base".split()  # attributes known on the host
WAIT = """item tolist tobytes tofile dump dumps get set nonzero flatnonzero argwhere unique extract compress trim_zeros
    save savez savez_compressed savetxt load loadtxt genfromtxt fromfile frombuffer fromstring fromiter from_dlpack
    array2string array_repr array_str""".split()
TRUTHS = ("allclose", "array_equal", "array_equiv")  # plain True or False in NumPy, a 0-d array in CuPy

transfers = collections.Counter()  # "to the device", "to the host"
dtypes = set()  # of every array that was made on the device
__version__ = NAMES["cupy"]


@functools.cache
def signature(text):
    """The inspect.Signature that make_cupy_names.py wrote as text."""
    marks = text.split()
    kind = inspect.Parameter.POSITIONAL_ONLY if "/" in marks else inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = []
    for mark in marks:
        name = mark.strip("*=/")
        if mark == "/":
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        elif mark.startswith("**"):
            found.append(inspect.Parameter(name, inspect.Parameter.VAR_KEYWORD))
        elif mark.startswith("*"):
            kind = inspect.Parameter.KEYWORD_ONLY
            found += [inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL)] if name else []
        else:
            found.append(inspect.Parameter(name, kind, default=None if "=" in mark else inspect.Parameter.empty))
    return inspect.Signature(found)


def wrapped(value):
    """What NumPy computed, back on the device."""
    if isinstance(value, (np.ndarray, np.generic)):
        dtypes.add(value.dtype)
        return ndarray(np.asarray(value))
    return type(value)(map(wrapped, value)) if isinstance(value, (tuple, list)) else value


def bare(value, name):
    """The NumPy arrays inside the arguments of a call."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name}: a NumPy array was passed to the device; move it there first")
    return type(value)(bare(v, name) for v in value) if isinstance(value, (tuple, list)) else value


def check_scalars(values, name):
    """A scalar that NumPy made has a precision of its own, and would widen the array."""
    for scalar in (v for v in values if isinstance(v, np.generic)):
        for a in (v for v in values if isinstance(v, np.ndarray) and v.dtype.kind == "f"):
            if np.result_type(a.dtype, scalar.dtype) != a.dtype:
                raise TypeError(f"{name}: a NumPy {scalar.dtype} widens {a.dtype}; use a Python number")


def function(name, f, text):
    """NumPy's f with CuPy's signature, for arrays on the device."""

    def call(*args, **options):
        if name.rpartition(".")[2] in WAIT or (name == "where" and len(args) == 1):
            raise TypeError(f"{name} waits for the device, or moves its data unasked")
        signature(text).bind(*args, **options)  # TypeError for what CuPy lacks
        inner, also = bare(args, name), {key: bare(value, name) for key, value in options.items()}
        check_scalars((*inner, *also.values()), name)
        value = f(*inner, **also)
        if options.get("out") is not None:
            return options["out"]
        return wrapped(np.bool_(value)) if name in TRUTHS else wrapped(value)

    call.__name__ = name
    return call


class Ufunc:
    """A ufunc with the keywords and the methods that CuPy has."""

    KEYWORDS = "".join(f" {key}=" for key in NAMES["ufunc keywords"].split() if key != "out")
    METHODS = {
        "accumulate": "array axis= dtype= out=",
        "at": "a indices b=",
        "outer": "A B **options",
        "reduce": "array axis= dtype= out= keepdims=",
        "reduceat": "array indices axis= dtype= out=",
    }

    def __init__(self, name, f):
        self.name, self.f = name, f

    def __call__(self, *args, **options):
        if any(isinstance(a, (list, tuple)) for a in args):
            raise TypeError(f"{self.name}: CuPy's ufuncs take no lists")
        by_place = " ".join(f"x{i}" for i in range(self.f.nin)) + " out= *" + self.KEYWORDS
        given = signature(by_place).bind(*args, **options).arguments  # exp(x, y) is exp(x, out=y)
        inputs = [given.pop(f"x{i}") for i in range(self.f.nin)]
        return function(self.name, self.f, by_place)(*inputs, **given)

    def __getattr__(self, method):
        if method not in UFUNCS.get(self.name, ()):
            raise AttributeError(f"{self.name}.{method} is missing in CuPy, or not implemented")
        return function(f"{self.name}.{method}", getattr(self.f, method), self.METHODS[method])


class ndarray:
    """An array on the pretend device."""

    __slots__ = ("_a",)
    __array_ufunc__ = None  # NumPy's functions refuse it
    __hash__ = None

    def __init__(self, a):
        self._a = a

    def _refuse(self, *_, **__):
        raise TypeError("a number or an array would leave the device unasked: keep it there, or use asnumpy()")

    __array__ = __float__ = __int__ = __bool__ = __complex__ = __index__ = __iter__ = __str__ = __format__ = _refuse

    def __len__(self):
        return len(self._a)

    def __repr__(self):
        return f"<{self._a.dtype} {self._a.shape} on the pretend device>"

    def __deepcopy__(self, memo):
        return ndarray(self._a.copy())

    def __getattr__(self, name):
        if name in FREE:
            value = getattr(self._a, name)
            return wrapped(value) if isinstance(value, np.ndarray) else value
        if name not in NAMES["array methods"]:
            raise AttributeError(f"an array on the device has no {name}")
        text = NAMES["array methods"][name]
        return function(f"ndarray.{name}", getattr(self._a, name, None), text)

    def __getitem__(self, index):
        return wrapped(self._a[place(index)])

    def __setitem__(self, index, value):
        index = place(index)
        if any(isinstance(i, np.ndarray) for i in (index if isinstance(index, tuple) else (index,))):
            times = np.zeros(self._a.shape, int)
            np.add.at(times, index, 1)
            if times.max(initial=0) > 1:
                raise ValueError("one place is assigned twice: on a GPU nobody knows which value stays")
        self._a[index] = bare(value, "[]=")


def place(index):
    """The index of an array, with NumPy's arrays in it, if CuPy can use it without waiting."""
    for i in index if isinstance(index, tuple) else (index,):
        if isinstance(i, (list, np.ndarray)) or (isinstance(i, ndarray) and i.dtype == bool):
            raise TypeError("a mask waits for the device, and a list or a NumPy array must be copied to it")
        if isinstance(i, slice) and any(isinstance(end, ndarray) for end in (i.start, i.stop, i.step)):
            raise TypeError("the ends of a slice are needed on the host, but this one lives on the device")
    return bare(index, "[]")


def operator(name):
    def apply(self, *others):
        inner = bare(others, name)
        if not all(isinstance(v, (np.ndarray, np.generic, int, float, complex)) for v in inner):
            return NotImplemented
        check_scalars((self._a, *inner), name)
        value = getattr(self._a, name)(*inner)
        return self if value is self._a else value if value is NotImplemented else wrapped(value)

    return apply


for _name in NAMES["array operators"].split():
    setattr(ndarray, _name, operator(_name))


def asarray(a, dtype=None):
    """On the device: the array itself if it is there already, a copy of what the host has (counted) if not."""
    if isinstance(a, ndarray) and dtype in (None, a.dtype):
        return a
    return array(a, dtype)


def array(a, dtype=None):
    if not isinstance(a, ndarray):
        transfers["to the device"] += 1
    return wrapped(np.array(a._a if isinstance(a, ndarray) else a, dtype=dtype))


def asnumpy(a):
    """On the host: a copy (counted) of what the device has."""
    if not isinstance(a, ndarray):
        return np.asarray(a)
    transfers["to the host"] += 1
    return a._a.copy()


def get_array_module(*arrays):
    return sys.modules[__name__] if any(isinstance(a, ndarray) for a in arrays) else np


def is_available():
    return True


class Generator:
    """Random numbers made on the device: NumPy's stream, so that results can be compared bit for bit."""

    def __init__(self, seed):
        self._host = np.random.default_rng(seed)

    def __getattr__(self, name):
        if name not in NAMES["Generator methods"]:
            raise AttributeError(f"CuPy's Generator has no {name}, or nothing here needed it")
        return function(f"Generator.{name}", getattr(self._host, name), NAMES["Generator methods"][name])


random = types.SimpleNamespace(default_rng=Generator, Generator=Generator)
cuda = types.SimpleNamespace(
    get_current_stream=lambda: types.SimpleNamespace(synchronize=lambda: None)  # nothing here is ever behind
)


def special(name):
    """cupyx.scipy.special"""
    from scipy import special as scipys

    if name not in NAMES["special functions"].split():
        raise AttributeError(f"cupyx.scipy.special has no {name}")
    return Ufunc(name, getattr(scipys, name))


def __getattr__(name):
    if name in SAME:
        return getattr(np, name)
    if name in UFUNCS:
        return Ufunc(name, getattr(np, name))
    if name in NAMES["functions"] and hasattr(np, name):
        return function(name, getattr(np, name), NAMES["functions"][name])
    raise AttributeError(f"cupy has no {name}, or nothing here needed it")


@contextlib.contextmanager
def installed():
    """Let `import cupy` find this module, and the library believe that there is a GPU."""
    from minillm import backend

    scipys = types.ModuleType("cupyx.scipy.special")
    scipys.__getattr__ = special
    above = types.ModuleType("cupyx.scipy")
    above.special = scipys
    mine = {"cupy": sys.modules[__name__], "cupyx": types.ModuleType("cupyx"), "cupyx.scipy": above}
    theirs = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("cupy", "cupyx")}
    for name in theirs:
        del sys.modules[name]
    sys.modules.update(mine | {"cupyx.scipy.special": scipys})
    backend.gpu_available.cache_clear()
    transfers.clear()
    dtypes.clear()
    try:
        yield sys.modules[__name__]
    finally:
        for name in [*mine, "cupyx.scipy.special"]:
            del sys.modules[name]
        sys.modules.update(theirs)
        backend.gpu_available.cache_clear()
