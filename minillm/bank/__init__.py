"""The exercises of the course, and minillm as it was when this was imported.

An exercise is a file here that has an EXERCISE, and its name in NAMES: layer_norm.py is the pattern for a layer,
norm_clinic.py for an exercise without a function.  What is long, its wrong and right answers, has files of its own.
"""

import contextlib
import importlib
import inspect
import os

from .. import gpt, layers, specs
from ..backend import plain
from ..grader.exercise import Changed

NAMES = ("layer_norm", "residual", "norm_clinic")  # in the order of the course
LIBRARY = (specs, layers, gpt)  # what a notebook may replace with functions of its own, and an exercise builds on
ORIGINAL = {module: {k: f for k, f in vars(module).items() if inspect.isfunction(f)} for module in LIBRARY}
HOME = os.path.dirname(layers.__file__)


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


def check_original():
    """Changed, if something had been replaced already when this was imported."""
    for module, functions in ORIGINAL.items():
        for name, f in functions.items():
            if not inspect.unwrap(f).__code__.co_filename.startswith(HOME):
                raise Changed(f"{module.__name__}.{name} had been replaced before the grader was imported")
