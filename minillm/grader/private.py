"""A teacher's own checks: functions check_...(layer_norm) in a file of their own, which add rows to a grade.

    def check_long_sequences(layer_norm):
        \"\"\"works for 10,000 positions\"\"\"
        y, _ = layer_norm(numpy.ones((1, 10_000, 4)), numpy.ones(4), numpy.zeros(4))
        assert y.shape == (1, 10_000, 4), f"y has shape {y.shape}"

    check_long_sequences.points = 2

The name of the parameter says to which exercise a check belongs; the message of its AssertionError is what is shown.
"""

import importlib.machinery
import importlib.util
import inspect
import numbers

from . import guard
from .exercise import Row

SECONDS = 10.0  # for the file, and for each check


def rows(path, name, answer, known):
    """(Rows for this exercise, sentences for the teacher about what cannot be used); `known` are all exercises."""
    outcome = guard.call(load, path, seconds=SECONDS)
    if outcome.trouble:
        return [], [f"To the teacher: the checks in {path} cannot be used: the file {outcome.trouble.says}."]
    made, notes = [], []
    for check in outcome.value:
        asks = [*inspect.signature(check).parameters]
        points = getattr(check, "points", 1)
        if len(asks) != 1 or asks[0] not in known:
            notes.append(
                f"To the teacher: {check.__name__} is left out, since its one parameter must be the name of an "
                f"exercise, but it takes ({', '.join(asks)})."
            )
        elif not isinstance(points, numbers.Real) or not 0 <= points < 1e6:
            notes.append(f"To the teacher: {check.__name__} is left out, since its points are {points!r}.")
        elif asks[0] == name:
            made.append(row(check, float(points), answer))
    return made, notes


def load(path):
    """The functions check_... of a file, in their order."""
    loader = importlib.machinery.SourceFileLoader("private_checks", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    exec(loader.source_to_code(loader.get_data(str(path)), str(path)), vars(module))  # no .pyc beside it
    return [f for key, f in vars(module).items() if key.startswith("check_") and inspect.isfunction(f)]


def row(check, points, answer):
    """The Row of one check."""
    name, says = check.__name__.removeprefix("check_"), (inspect.getdoc(check) or "").partition("\n")[0]
    trouble = guard.call(check, answer, seconds=SECONDS, author=answer).trouble
    if trouble is None:
        return Row(name, points, points, "ok", says)
    kind, _, message = trouble.kind.partition(": ")
    if kind == "AssertionError":
        return Row(name, points, 0.0, "FAIL", message or f"does not hold: {says}".removesuffix(": "))
    return Row(name, points, 0.0, "todo" if trouble.unwritten else "FAIL", trouble.says)
