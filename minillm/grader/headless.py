"""Grade files without a screen: each runs in a fresh process with a time limit, and its answers are found by name.

    python -m minillm grade submissions/        all notebooks in the folder, a row each

That process has an empty folder to stand in, no standard input, and nowhere to print.  It is asked what the answers do;
what they should do, and the score, is known here only, where no line of the file is ever run.
"""

import collections
import contextlib
import dataclasses
import difflib
import os
import pathlib

from .. import bank, grading
from ..check import using
from . import parcel, private, submission
from .child import Child, Gone

TIMEOUT = 60.0  # seconds for a whole file
NO_ANSWER = (Gone, submission.Absent)
FOR_CELLS = 0.75  # the share of it that its cells may take; the rest is for its answers


def find(paths):
    """The files to grade, each once, in the order given; in place of a folder, all notebooks inside, sorted.

    Names in a folder that begin with a dot are left out.  A folder without a notebook stands for itself.
    """
    found = {}
    for path in map(pathlib.Path, paths):
        shown = lambda file, folder=path: not any(part.startswith(".") for part in file.relative_to(folder).parts)
        inside = sorted(file for file in path.rglob("*.ipynb") if file.is_file() and shown(file))
        found |= dict.fromkeys(inside or [path])
    return list(found)


def named(word):
    """The names of the exercises that --exercise means: those of a notebook, as in 06_layer_norm, or a single one.

    ValueError if there is none of that name.
    """
    exercises = bank.exercises()
    notebooks = {exercise.notebook for exercise in exercises.values()}
    names = [name for name, exercise in exercises.items() if word in (name, exercise.notebook)]
    if not names:
        near = difflib.get_close_matches(word, [*notebooks, *exercises], n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(notebooks))}."
        raise ValueError(f"there is no exercise {word!r}; {hint}")
    return names


def belonging(path, cells):
    """The names of the exercises in a file: by its name, as in anna_06_layer_norm.ipynb, or else by what it defines.

    ValueError if there is none.
    """
    exercises = bank.exercises()
    by_file = [name for name, exercise in exercises.items() if exercise.notebook in path.name]
    found = by_file or [name for name in exercises if submission.defines(cells, name)]
    if not found:
        notebooks = ", ".join(sorted({exercise.notebook for exercise in exercises.values()}))
        raise ValueError(
            f"{path} answers no exercise that we know: it defines none of our functions, and its name holds none of "
            f"{notebooks}; say with --exercise which one it is."
        )
    return found


def read(path):
    """(cells, notes) of a file that may not be there.  ValueError in one sentence if it cannot be read."""
    if path.is_dir():
        raise ValueError(f"there is no notebook in the folder {path}.")
    if not path.exists():
        raise ValueError(f"there is no file {path}.")
    if not path.is_file():
        raise ValueError(f"{path} is not a file.")
    try:
        return submission.read(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None


@dataclasses.dataclass
class Graded:
    """One file, graded: its Scores in the order of the course, sentences about the file, and why there is no score."""

    file: str
    scores: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    error: str | None = None

    @property
    def score(self):
        """The points that were reached."""
        return float(sum(self.scores))

    @property
    def points(self):
        """The points that could be reached."""
        return float(sum(score.points for score in self.scores))

    def to_dict(self):
        """The same as plain values, for JSON."""
        head = {"file": self.file, "score": self.score, "points": self.points}
        exercises = [score.to_dict() for score in self.scores]
        return {**head, "exercises": exercises, "notes": self.notes, "error": self.error}


def grade(paths, *, jobs=1, exercises=None, timeout=TIMEOUT, **options):
    """Grade files, running up to `jobs` of them at a time; yields a Graded for each, in order, as soon as it is known.

    exercises  the names of those that the files answer; if not given, see belonging()
    timeout    seconds for a file
    options    seed, strict and checks, as for grading.score()
    """
    running = collections.deque()
    try:
        for path in paths:
            running.append(Run(path, exercises, timeout))
            if len(running) == jobs:
                yield running.popleft().graded(**options)
        while running:
            yield running.popleft().graded(**options)
    finally:
        for run in running:
            run.close()


class Run:
    """One file, in a process that runs its cells and then waits to be asked, until graded() or close() ends it."""

    def __init__(self, path, exercises, timeout):
        self.path, self.child, self.error = path, None, None
        self.exercises, self.notes = exercises, []
        try:
            cells, self.notes = read(path)
            self.exercises = self.exercises or belonging(path, cells)
        except ValueError as error:
            self.error = str(error)
            return
        self.child = Child({"cells": cells, "seconds": FOR_CELLS * timeout}, timeout)

    def graded(self, **options):
        """The Graded of this file; its process is ended."""
        graded = Graded(str(self.path), notes=self.notes, error=self.error)
        try:
            if self.child:
                self._hear_cells()
                for name in self.exercises:
                    graded.scores.append(_score(name, self.child, **options))
                if self.child.end:
                    graded.notes.append(f"{self.child.end}; what was graded until then counts.")
        except Unjudged as error:  # no score is made up of what was not asked for
            graded.error = f"{self.path}: {error}."
        finally:
            self.close()
        return graded

    def _hear_cells(self):
        with contextlib.suppress(Gone):  # as every question will find out
            while "ran" not in (message := self.child.hear()):
                self.notes.append(parcel.plain(message.get("note")))

    def close(self):
        """End its process."""
        if self.child:
            self.child.close()


class Unjudged(Exception):
    """What a process told cannot be judged."""


def _score(name, child, **options):
    exercise = bank.exercises()[name]
    asked = asking(exercise, child)
    try:
        if exercise.answer is None:  # an answer that is no code is fetched and judged as it is
            with contextlib.suppress(*NO_ANSWER):
                return grading.score(name, child.ask(name, "itself"), **options)
        with using(bank, exercises=lambda: {name: asked}), using(private, rows=asked.private):
            with contextlib.suppress(Gone):
                return grading.score(name, child, **options)
            return grading.score(name, child, **options)  # now it is unfit, and says why
    except Exception as error:
        raise Unjudged(f"{name} cannot be judged ({parcel.plain(repr(error))})") from error


def asking(exercise, child):
    """The same exercise, but what touches the answer is done in the child, which is handed in as the answer."""
    rows_of = private.rows

    class Asking(type(exercise)):
        """Everything else is done here: the truth, the mistakes that we know, the points."""

        def unfit(self, answer):
            try:
                return child.ask(self.name, "unfit")
            except submission.Absent as absent:
                return str(absent)
            except Gone as gone:
                return f"not graded: {gone}"

        def watch(self, answer, probes, *how):
            if answer is child:
                return child.ask(self.name, "watch", probes)
            return super().watch(answer, probes, *how)

        def fits_own_y(self, answer, *arguments):
            return bool(child.ask(self.name, "fits_own_y", *arguments))

        def excuse(self, *arguments):
            try:
                return super().excuse(*arguments)
            except Gone:
                return None

        def remarks(self, answer):
            with contextlib.suppress(Gone):
                yield from super().remarks(answer)

        def private(self, path, name, answer, known):
            """The rows of a teacher's checks: their names and points are read here, what came of them is asked."""
            rows, notes = rows_of(path, name, None, known)
            came = {}
            with contextlib.suppress(*NO_ANSWER):
                came = {row.check: row for row in child.ask(self.name, "private", os.path.abspath(path))[0]}
            return [settled(row, came.get(row.check)) for row in rows], notes

    return Asking(**{field.name: getattr(exercise, field.name) for field in dataclasses.fields(exercise)})


def settled(row, came):
    """A row of a teacher's checks with what came of it in the child, or with a word that nothing did."""
    if came is None:
        return dataclasses.replace(row, got=0.0, status="FAIL", message="not reached", mistake=None)
    got = row.points if came.status == "ok" else 0.0
    return dataclasses.replace(row, got=got, status=came.status, message=came.message, mistake=None)
