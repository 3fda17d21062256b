"""Write down what CuPy has: names, signatures and ufunc methods, for fake_cupy.py.  No GPU is needed, only the wheel.

python tests/make_cupy_names.py          writes tests/cupy_names.json from the CuPy that is installed
"""

import inspect
import json
import pathlib
import re
import warnings

import numpy as np

FILE = pathlib.Path(__file__).with_name("cupy_names.json")
UFUNC_KEYWORDS = ("out", "where", "axes", "axis", "keepdims", "casting", "order", "dtype", "subok", "signature")
UFUNC_METHODS = ("accumulate", "at", "outer", "reduce", "reduceat")


def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def parameters(f):
    """A signature as text, "a axis= * out=": `=` marks a default.  None where CuPy tells nothing."""
    try:
        signature = inspect.signature(f)
    except (ValueError, TypeError):  # compiled code: its first line of documentation is the signature
        found = re.search(r"\w\((.*)\)", (inspect.getdoc(f) or "").split("\n")[0])
        return found and " ".join(filter(None, (documented(word) for word in found.group(1).split(","))))
    words = []
    for p in signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(stars + p.name + ("" if p.default is p.empty else "="))
    by_place = sum(p.kind is p.POSITIONAL_ONLY for p in signature.parameters.values())
    words[by_place:by_place] = ["/"] * bool(by_place)
    return " ".join(word for word in words if word != "self")


def documented(word):
    """One parameter of a documented signature: "int axis=-1" is "axis="."""
    name, equals, _ = word.partition("=")
    return "" if name.strip() in ("", "self") else name.split()[-1] + equals


def refused(call, *args, **options):
    """Whether CuPy says no before it looks for a GPU."""
    try:
        call(*args, **options)
    except NotImplementedError:
        return True
    except TypeError as error:
        return "Wrong arguments" in str(error)
    except Exception:  # it wanted an array, or a GPU: so it would have gone on
        return False
    return False


def ufunc_methods(f):
    probe = type("Probe", (), {})()
    calls = {"at": (probe, 0, 0), "outer": (probe, 0), "reduceat": (probe, 0)}
    return " ".join(name for name in UFUNC_METHODS if not refused(getattr(f, name), *calls.get(name, (probe,))))


def names():
    """Everything that fake_cupy.py must know, from the CuPy that is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy
        from cupyx.scipy import special
    whole = {name: getattr(cupy, name) for name in public(cupy)}
    same = [name for name, thing in whole.items() if thing is getattr(np, name, None) or isinstance(thing, float)]
    functions = {
        name: parameters(thing)
        for name, thing in whole.items()
        if inspect.isroutine(thing) and name not in same and parameters(thing) is not None
    }
    members = {name: getattr(cupy.ndarray, name) for name in public(cupy.ndarray)}
    methods = {name: parameters(thing) for name, thing in members.items() if callable(thing)}
    return {
        "cupy": cupy.__version__,
        "same as in NumPy": " ".join(same),
        "functions": functions | {"matmul": "x1 x2 out="},
        "ufuncs": {name: ufunc_methods(thing) for name, thing in whole.items() if isinstance(thing, cupy.ufunc)},
        "ufunc keywords": " ".join(key for key in UFUNC_KEYWORDS if not refused(cupy.add, 1, 2, **{key: None})),
        "array methods": methods,
        "array attributes": " ".join(sorted(members.keys() - methods.keys())),
        "array operators": " ".join(name for name in dir(cupy.ndarray) if name in OPERATORS),
        "Generator methods": {name: parameters(getattr(cupy.random.Generator, name)) for name in GENERATOR},
        "special functions": " ".join(
            name for name in public(special) if isinstance(getattr(special, name), cupy.ufunc)
        ),
    }


BINARY = "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift".split()
OPERATORS = {f"__{way}{name}__" for way in ("", "r", "i") for name in BINARY}
OPERATORS |= {f"__{name}__" for name in "neg pos abs invert lt le gt ge eq ne".split()}
GENERATOR = ("integers", "random", "standard_exponential", "standard_normal", "uniform")

if __name__ == "__main__":
    FILE.write_text(json.dumps(names(), indent=0, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes")
