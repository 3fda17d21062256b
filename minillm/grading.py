"""The face of the grader: grade, ready, hint, solution and progress, in a notebook; score for everybody else."""

import dataclasses
import difflib
import functools
import os

import numpy as np

from . import bank
from .grader import guard, private
from .grader import progress as diary
from .grader.exercise import Changed, Row, article
from .grader.score import Score, fold
from .grader.sink import shorten

EXAMPLE = "layer_norm"  # what messages show
SHOWN = {}  # exercise: how many of its hints were asked for


class Unclear(ValueError):
    """It is not clear what is to be graded; the message says what to do."""


def score(name, answer, *, seed=None, strict=None, checks=None):
    """The Score of an answer to the exercise of this name; prints nothing, records nothing.

    seed    with which the random probes are drawn; $MINILLM_SEED if it is set, else drawn anew
    strict  whether minillm's own function earns nothing; if not given, whether $MINILLM_CLASS is 1
    checks  a teacher's file of checks; if not given, $MINILLM_CHECKS; "" for none
    Unclear, a ValueError, if there is no such exercise.
    """
    exercise = bank.exercises()[known(name)]
    strict = class_mode() if strict is None else strict
    checks = os.environ.get("MINILLM_CHECKS", "") if checks is None else checks
    seed, notes = choose(seed)
    nothing = lambda status, says: [
        Row(part.name, part.points, 0.0, status, says * (not place)) for place, part in enumerate(exercise.parts)
    ]
    drawn = borrowed = tried = False
    with bank.pristine():
        if unfit := exercise.unfit(answer):
            rows = nothing("FAIL", unfit)
        else:
            try:
                bank.check_original()
                judged = exercise.judge(answer, seed)
                tried = not judged.borrowed and any(row.status != "todo" for row in judged.rows)
                rows, drawn, borrowed = [*judged.rows], judged.drawn, judged.borrowed
                notes += judged.notes
            except Changed as error:
                rows, checks = nothing("todo", f"not judged: {error}. Restart the kernel and grade again"), ""
        if checks:
            more, remarks = private.rows(checks, name, answer, bank.NAMES)
            rows, notes = rows + more, notes + remarks
    if borrowed and strict:
        rows = [dataclasses.replace(row, got=0.0, status="FAIL", message="", mistake=None) for row in rows]
        rows[0] = dataclasses.replace(rows[0], message=f"this is minillm's own {name}, or calls it; it earns nothing")
    elif borrowed:
        notes.append(f"This is minillm's own {name}, or calls it: it was not your work that was judged.")
    facts = {"exercise": name, "seed": seed, "drawn": drawn, "tried": tried, "rows": rows, "notes": notes}
    return Score(sum(row.got for row in rows), points=sum(row.points for row in rows), **facts)


def grade(*answers, **named):
    """Say what is right in an answer and what to mend, part by part, and return the Score.

    grade(layer_norm)             the exercise is found by the function's name
    grade(layer_norm=my_version)  or by the keyword
    Nothing that is handed in makes it raise: what cannot be graded gets a sentence, and Score 0.
    """
    if headless():
        return Score()
    try:
        name, answer = find(answers, named)
    except Unclear as error:
        say(str(error))
        return Score(notes=[str(error)])
    result = score(name, answer)
    print("\n".join(result.lines()))
    if result.tried and (note := diary.record(name, result, result.points)):
        say(note)
    return result


def ready(*answers, then="trains a GPT with it", **named):
    """Whether these answers have all their points; if not, one line says what will happen when they do."""
    if headless():
        return False
    try:
        found = [find((answer,), {}) for answer in answers] + [find((), {name: named[name]}) for name in named]
    except Unclear as error:
        say(str(error))
        return False
    for name, answer in found:
        result = score(name, answer)
        if not result.full:
            say(f"{name} has {result} of {result.points:g} points: when it has all, this cell {then}.")
            return False
    return bool(found)


def spoken(command):
    """The command, which says what is unclear and does not raise it; and which says nothing where nobody listens."""

    @functools.wraps(command)
    def careful(*arguments, **options):
        if not headless():
            try:
                command(*arguments, **options)
            except Unclear as error:
                say(str(error))

    return careful


@spoken
def hint(exercise, level=None):
    """Print a hint: hint("layer_norm") or hint(layer_norm).  Each call gives the next; there are three levels."""
    name = named_by(exercise)
    hints = bank.exercises()[name].hints
    n = min(SHOWN.get(name, 0) + 1, len(hints)) if level is None else level
    if type(n) is not int or not 1 <= n <= len(hints):
        say(f"level must be a whole number from 1 to {len(hints)}, but it is {shorten(repr(n), 40)}.")
        return
    SHOWN[name] = max(n, SHOWN.get(name, 0))
    say(f"Hint {n} of {len(hints)}: {hints[n - 1]}")


@spoken
def solution(exercise):
    """Print minillm's own answer, once the exercise has really been tried: solution("layer_norm")."""
    name = named_by(exercise)
    if class_mode():
        say("In class, solutions come from your teacher.")
    elif not diary.tries(name):
        say(f"Try {name} first: after a graded try that is not the empty one, solution shows our own. There are hints.")
    else:
        print(bank.exercises()[name].solution().rstrip())


@spoken
def progress():
    """Print what was reached so far, exercise by exercise."""
    entries, note = diary.load()
    known = bank.exercises()
    if note:
        say(note)
    if not entries.keys() & known.keys():
        first = next(iter(known.values()))
        say(f"Nothing has been graded yet: open exercises/{first.notebook}.ipynb, write {first.name}, run the cells.")
        return
    print(f"{'exercise':20}{'notebook':20}{'best':>10}{'tries':>8}")
    for name, exercise in known.items():
        entry = entries.get(name, {"best": 0, "points": exercise.points, "tries": 0})
        best = f"{entry['best']:g} / {entry['points']:g}" if entry["tries"] else "-"
        print(f"{name:20}{exercise.notebook:20}{best:>10}{entry['tries']:>8}")


def find(answers, named):
    """(exercise's name, answer) of what was handed to grade().  Unclear, in one sentence, for anything else."""
    if len(answers) + len(named) != 1:
        many = f"{len(answers) + len(named)} answers" if answers or named else "nothing"
        raise Unclear(f"grade takes one answer, as in grade({EXAMPLE}), but it got {many}.")
    if named:
        ((name, answer),) = named.items()
        return known(name), answer
    if type(answers[0]) is str:
        name = known(answers[0])
        raise Unclear(f'The answer itself is needed, without quotation marks: {name}, and not "{name}".')
    return named_by(answers[0]), answers[0]


def named_by(thing):
    """The exercise that a function, or a string, has the name of.  Unclear for anything else."""
    first = EXAMPLE
    if type(thing) is str:
        return known(thing)
    if thing is None:
        raise Unclear(f"There is nothing here yet: it is None. Run the cell that defines {first}, and then this one.")
    if issubclass(type(thing), Score):
        raise Unclear(f"This is a score, and not an answer; hand in the function itself, as in grade({first}).")
    if type(thing) is dict:
        raise Unclear("A dict has no name to find its exercise by: say it, as in grade(norm_clinic=norm_clinic).")
    if not callable(thing):
        raise Unclear(f'This is {article(thing)}. What is needed is your function, {first}, or its name, "{first}".')
    name = guard.call(getattr, thing, "__name__", None).value
    if type(name) is not str or name == "<lambda>":
        what = "A lambda" if name == "<lambda>" else f"This {type(thing).__name__}"
        raise Unclear(f"{what} has no name to find its exercise by: say it, as in grade({first}=...).")
    return known(name, f" A function of another name is handed in as {(near(name) or [first])[0]}={name}.")


def known(name, advice=""):
    """The name, if there is such an exercise; Unclear, with those that are near, if not."""
    if name in bank.NAMES:
        return name
    guess = f"; did you mean {near(name)[0]}?" if near(name) else "; the name stands in the stub to be filled in."
    raise Unclear(f"There is no exercise called {shorten(repr(name), 60)}{guess}{advice}")


def near(name):
    """The exercises whose names are nearly this."""
    return difflib.get_close_matches(str(name)[:100], bank.NAMES, 1)


def choose(seed):
    """(the seed with which random probes are drawn, remarks about $MINILLM_SEED)."""
    notes, wish = [], os.environ.get("MINILLM_SEED", "")
    if seed is None and wish:
        try:
            seed = int(wish)
            if seed < 0:
                raise ValueError
        except ValueError:
            seed = None
            notes.append(f"MINILLM_SEED must be a whole number, 0 or more; {shorten(repr(wish), 40)} is passed over.")
    return (int(np.random.default_rng().integers(10**6)) if seed is None else seed), notes


def class_mode():
    """Whether this is a class: solutions are not shown, and minillm's own functions earn nothing."""
    return os.environ.get("MINILLM_CLASS") == "1"


def headless():
    """Whether the headless runner runs this file: it grades the answers itself, afterwards."""
    return os.environ.get("MINILLM_HEADLESS") == "1"


def say(sentence):
    """Print a sentence, on as many lines as it takes."""
    print("\n".join(fold(sentence, indent="")))
