"""The exercises of the course, and minillm as it was when this was imported.

A folder here is a chapter: it belongs to one notebook, and its NAMES are the exercises in it.  An exercise is a file
there that has an EXERCISE: norms/layer_norm.py is the pattern for a layer, norms/norm_clinic.py for an exercise
without a function.  What is long, its wrong and right answers, has files of its own.
"""

import contextlib
import importlib
import inspect
import os
import sys

from .. import bpe, check, counts, gpt, languages, layers, ngram, optim, sample, specs
from ..backend import plain
from ..grader.exercise import Changed
from . import (
    blame,
    ffn,
    heads,
    insight,
    law,
    letters,
    looking,
    norms,
    precision,
    shot,
    stack,
    teaching,
    tokens,
    writing,
)

CHAPTERS = (letters, tokens, blame, looking, heads, norms, ffn, stack, teaching, writing, precision, insight, law, shot)
PLACES = {name: f"{chapter.__name__}.{name}" for chapter in CHAPTERS for name in chapter.NAMES}
NAMES = (*PLACES,)  # in the order of the course
# What a notebook may replace with functions of its own, and an exercise builds on.
LIBRARY = (specs, layers, gpt, bpe, check, counts, languages, ngram, optim, sample)
ORIGINAL = {
    module: {
        name: f
        for name, f in vars(module).items()
        if inspect.isfunction(f) and f.__module__.partition(".")[0] not in sys.stdlib_module_names
    }
    for module in LIBRARY
}
HOME = os.path.dirname(layers.__file__)


def exercises():
    """{name: Exercise}, in the order of the course."""
    with pristine():
        return {name: importlib.import_module(place).EXERCISE for name, place in PLACES.items()}


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
