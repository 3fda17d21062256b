"""The grader with a memory: what follows from an exercise and a seed alone is computed once in a process.

Without one, each of a few thousand answers would have the answer key and the whole bank of mistakes run again.  What is
remembered never depends on the answer that is judged.  A learner's grader has no memory, since an answer could look
into it.
"""

import functools

import pytest

from minillm import bank
from minillm.grader.there_and_back import ThereAndBack
from minillm.grader.values import Values

PROBES, TRUTHS, BANK = {}, {}, {}
KNOWN = {}  # {id: probe}, of those that are remembered, so that no id is given to another


@pytest.fixture
def memory(monkeypatch):
    """The grader remembers, for the length of a test, what it has computed in earlier ones."""
    for kind in (ThereAndBack, Values):
        monkeypatch.setattr(kind, "probes", probes(kind.probes))
        monkeypatch.setattr(kind, "truth", truth(kind.truth))
        monkeypatch.setattr(kind, "watch_all", watch_all(kind.watch_all))


def probes(function):
    @functools.wraps(function)
    def remembered(exercise, seed):
        key = id(exercise), seed
        if key not in PROBES:
            found = function(exercise, seed)
            PROBES[key] = exercise, found
            KNOWN.update({id(probe): probe for probe in found})
        return [*PROBES[key][1]]

    return remembered


def truth(function):
    @functools.wraps(function)
    def remembered(exercise, probes):
        key = id(exercise), *map(id, probes)
        if not all(i in KNOWN for i in key[1:]):
            return function(exercise, probes)
        if key not in TRUTHS:
            TRUTHS[key] = exercise, function(exercise, probes)
        return TRUTHS[key][1]

    return remembered


def watch_all(function):
    @functools.wraps(function)
    def remembered(exercise, mistakes, probes):
        places = tuple(map(id, probes))
        if not all(i in KNOWN for i in places):
            return function(exercise, mistakes, probes)
        new = [mistake for mistake in mistakes if (id(mistake), places) not in BANK]
        with bank.pristine():  # as they run when an answer is judged: the fast versions are left out
            BANK.update({(id(mistake), places): (mistake, seen) for mistake, seen in function(exercise, new, probes)})
        return [BANK[id(mistake), places] for mistake in mistakes]

    return remembered
