"""The face of the grader: grade, ready, hint, solution, progress."""

import dataclasses
import os
import textwrap

import numpy as np

from . import bank
from .exercise import Changed, Row

WIDTH = 88


class Score(float):
    """The points that were reached, as a number; with the rows that add up to it."""

    def __new__(cls, got=0.0, *, exercise=None, points=0.0, rows=(), notes=(), seed=None):
        self = super().__new__(cls, got)
        self.exercise, self.points, self.rows, self.notes, self.seed = exercise, points, tuple(rows), tuple(notes), seed
        return self

    def __repr__(self):
        return f"{float(self):g}"

    def to_dict(self):
        """The same as plain values, for JSON."""
        head = {"exercise": self.exercise, "score": float(self), "points": self.points, "seed": self.seed}
        return {**head, "checks": [dataclasses.asdict(row) for row in self.rows], "notes": list(self.notes)}


def score(name, answer, *, seed=None, strict=None):
    """The Score of an answer to the exercise of this name.  Prints and records nothing.  ValueError for an unknown name."""
    exercise = bank.exercises().get(name)
    if exercise is None:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(bank.NAMES)}.")
    strict = os.environ.get("MINILLM_CLASS") == "1" if strict is None else strict
    seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
    whole = lambda got, rows, notes=(): Score(
        got, exercise=name, points=exercise.points, rows=rows, notes=notes, seed=seed
    )
    blank = lambda status, says: [
        Row(part.name, part.points, 0.0, status, says if part is exercise.parts[0] else "") for part in exercise.parts
    ]
    unfit = exercise.unfit(answer)
    if unfit:
        return whole(0.0, blank("FAIL", unfit))
    with bank.pristine():
        own = exercise.borrowed(answer)
        if own and strict:
            return whole(0.0, blank("FAIL", f"this is minillm's own {name}, or calls it; write your own"))
        try:
            judged = exercise.judge(answer, seed)
        except Changed as error:
            return whole(0.0, blank("todo", f"not judged: {error}; restart the kernel and grade again"))
    notes = list(judged.notes)
    if own:
        notes.insert(0, f"This is minillm's own {name}, or calls it: the lines above judge minillm, not you.")
    return whole(sum(row.got for row in judged.rows), judged.rows, notes)


def grade(*answers, **named):
    """Say what is right in an answer, and what to mend:  grade(layer_norm)  or  grade(layer_norm=mine)."""
    ((name, answer),) = named.items() if named else [(answers[0].__name__, answers[0])]
    result = score(name, answer)
    print(report(result))
    return result


def report(result):
    """The lines that a learner reads."""
    total = f"{float(result):g} / {result.points:g}"
    lines = [f"{result.exercise}{total:>{WIDTH - len(result.exercise)}}"]
    for row in result.rows:
        mark = "..." if row.status == "todo" else row.status
        head = f"  {mark:5} {row.check:10} {row.got:g} / {row.points:g}"
        lines += fold(row.message, f"{head:28}")
    for note in result.notes:
        lines += fold(note, "  ")
    return "\n".join(line.rstrip() for line in lines)


def fold(text, head):
    """Lines of at most WIDTH characters; the first begins with the head, the others are indented."""
    lines = []
    for i, line in enumerate(text.split("\n")):
        lines += textwrap.wrap(line, WIDTH, initial_indent=" " * 8 if i else head, subsequent_indent=" " * 8) or [head]
    return lines
