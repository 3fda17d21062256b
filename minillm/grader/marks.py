"""The marks of files that were graded without a screen: lines, a table, or JSON; and the table of the self-test."""

import json
import math
import pathlib
import textwrap

from . import headless
from .parcel import plain
from .score import fold

SHOWN = 5  # sentences about a file


def main(options):
    """python -m minillm grade; returns the exit code: 0, or 2 if there was something that could not be graded."""
    if options.self_test:
        return self_test(options)
    _check(options)
    files = headless.find(options.paths)
    graded = headless.grade(
        files,
        jobs=options.jobs,
        exercises=headless.named(options.exercise) if options.exercise else None,
        seed=options.seed,
        timeout=options.timeout,
        strict=True if options.class_mode else None,
        checks=options.checks,
    )
    if options.json:
        results = list(graded)
        print(json.dumps({"files": [each.to_dict() for each in results]}, indent=2))
    elif len(files) == 1:
        results = list(graded)
        if results[0].error:
            raise ValueError(plain(results[0].error))
        print(lines(results[0]))
    else:
        results = []
        for row in table(files, graded, results):
            print(row, flush=True)
    return 2 if any(each.error for each in results) else 0


def _check(options):
    """ValueError in one sentence for an option that cannot be meant."""
    if not options.paths:
        raise ValueError("grade needs the PATH of a notebook, a .py file or a folder, or --self-test.")
    if not 0 < options.timeout < math.inf:
        raise ValueError(f"--timeout is {options.timeout:g}, but must be a positive number of seconds.")
    if options.jobs < 1:
        raise ValueError(f"--jobs is {options.jobs}, but must be 1 or more.")
    if options.checks is not None and not pathlib.Path(options.checks).is_file():
        what = "is a folder" if pathlib.Path(options.checks).is_dir() else "is not there"
        raise ValueError(f"--checks is {options.checks}, which {what}; give the file that holds your checks.")
    if options.seed is not None and options.seed < 0:
        raise ValueError(f"--seed is {options.seed}, but must be 0 or more.")


def lines(graded):
    """What there is to say about one file: the lines that grade prints, and sentences about the file."""
    notes = graded.notes[:SHOWN]
    if len(graded.notes) > SHOWN:
        notes.append(f"{len(graded.notes) - SHOWN} more are in --json.")
    said = ["\n".join(score.lines()) for score in graded.scores]
    if len(said) > 1:
        said.append(f"{graded.score:g} / {graded.points:g} in all")
    said += [line for note in notes for line in fold(note, "Note: ", "      ")]
    return "\n".join(said)


def table(files, graded, results):
    """The lines of a table: a row for each file as soon as it is graded, then the mean.  `results` is filled."""
    width = max(map(len, map(str, files)))
    yield f"{'file':{width}}  {'score':>6}  {'points':>6}  remark"
    for each in graded:
        results.append(each)
        score, points = ("-", "-") if each.error else (f"{each.score:g}", f"{each.points:g}")
        row = f"{each.file:{width}}  {score:>6}  {points:>6}  {remark(each)}".rstrip()
        yield plain(row, longest=1000).replace("\n", " ")  # whoever hands in has chosen the file's name
    sound = [each for each in results if not each.error]
    if sound:
        score, points = (sum(values) / len(sound) for values in zip(*((e.score, e.points) for e in sound), strict=True))
        yield f"{f'mean of {len(sound)}':{width}}  {score:>6.2f}  {points:>6.2f}".rstrip()


def remark(graded):
    """The one thing to say about a file: why it could not be graded, or the first thing that is wrong in it."""
    if graded.error:
        return graded.error.removeprefix(f"{graded.file} ")
    wrong = [(score, row) for score in graded.scores for row in score.rows if row.status != "ok" and row.message]
    if not wrong:
        return (graded.notes or [""])[0]
    score, row = wrong[0]
    what = row.mistake or row.message.partition("\n")[0]
    others = {row.message for _, row in wrong} - {row.message}
    more = f" (and {len(others)} more)" if others else ""
    return textwrap.shorten(f"{score.exercise} {row.check}: {what}", 100, placeholder=" ...") + more


def self_test(options):
    """Judge the bank of mistakes by the grader, and print how it did; returns the exit code."""
    from . import selftest

    if options.paths:
        raise ValueError(f"--self-test looks at no file; leave {options.paths[0]} out.")
    found = selftest.self_test()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    columns = list(found["all"])
    rows = {"exercise": dict(zip(columns, columns, strict=True)), **found["exercises"], "all": found["all"]}
    width = max(map(len, rows))
    for name, row in rows.items():
        print(f"{name:{width}}", *(f"{row[column]:>{len(column)}}" for column in columns), sep="  ")
    return 0
