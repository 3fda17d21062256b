"""The exercises of the course, and minillm as it was when this was imported."""

import contextlib
import importlib
import inspect

from .. import gpt, layers, specs
from ..backend import plain

NAMES = ("layer_norm", "residual", "norm_clinic")  # in the order of the course
LIBRARY = (specs, layers, gpt)
ORIGINAL = {module: {k: f for k, f in vars(module).items() if inspect.isfunction(f)} for module in LIBRARY}


def exercises():
    """{name: Exercise}, in the order of the course."""
    with pristine():
        return {name: importlib.import_module(f"{__name__}.{name}").EXERCISE for name in NAMES}


@contextlib.contextmanager
def pristine():
    """Undo, for a while, what a notebook has replaced in minillm, so that nobody is compared with themselves."""
    now = {module: dict(vars(module)) for module in LIBRARY}
    try:
        for module, functions in ORIGINAL.items():
            vars(module).update(functions)
        with plain():
            yield
    finally:
        for module, names in now.items():
            for name in ORIGINAL[module].keys() - names.keys():
                delattr(module, name)
            vars(module).update(names)
