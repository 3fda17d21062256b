"""The log of a training run: a table that a person can read and a program can parse."""

import json
import os
import pathlib
from dataclasses import dataclass, field

import numpy as np

FIRST_LINE = "# minillm log, version 1"
# Each column's width and how its numbers are written.  A dash stands for what was not measured.
COLUMNS = {
    "step": (7, "d"),  # steps taken so far
    "tokens": (11, "d"),  # tokens learned from so far
    "loss": (9, ".4f"),  # nats per token, the mean since the line before
    "validation": (11, ".4f"),  # nats per token, on text that training never sees
    "norm": (11, ".4g"),  # length of the gradient of this step, before clipping
    "rate": (11, ".4g"),  # learning rate of this step
    "seconds": (10, ".2f"),  # spent so far, pauses between resumed runs left out
}


@dataclass
class Log:
    """What a log says: log["step"], log["loss"], ... are arrays (lines,), NaN where there was a dash.

    recipe is the run's recipe as a dict, notes the sentences between the lines.
    """

    recipe: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)

    def __getitem__(self, column):
        return self.columns[column]

    def validations(self):
        """The steps at which the validation loss was measured, and the losses: two arrays (measurements,)."""
        measured = ~np.isnan(self.columns["validation"])
        return self.columns["step"][measured], self.columns["validation"][measured]


class LogFile:
    """A log being written: every line is complete and on its way to the disk before the run goes on."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def start(self, recipe):
        """A new log, with the recipe (a dict) at its head.  What the file held before is gone."""
        head = "".join(f"{name:>{width}}" for name, (width, _) in COLUMNS.items())
        with open(self.path, "w", encoding="utf-8", newline="\n") as f:
            f.write(f"{FIRST_LINE}\n# recipe {json.dumps(recipe)}\n{head}\n")

    def note(self, sentence):
        """Write a sentence between the lines."""
        self._append("".join(f"# {line}\n" for line in sentence.splitlines()))

    def row(self, **numbers):
        """Write one line; a column that is not given, or None, gets a dash."""
        cells = []
        for name, (width, form) in COLUMNS.items():
            number = numbers.pop(name, None)
            cells.append(f"{'-' if number is None else format(number, form):>{width - 1}}")
        if numbers:
            raise ValueError(f"a log has no column {', '.join(numbers)}; it has {', '.join(COLUMNS)}.")
        self._append(" " + " ".join(cells) + "\n")

    def length(self):
        """Bytes so far: what a checkpoint keeps, so that cut() can forget whatever was written after it."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, length):
        """Forget everything after the first `length` bytes."""
        if self.length() > length:
            os.truncate(self.path, length)

    def mend(self, length, recipe):
        """Cut the log back to its first `length` bytes; start a new one, with the recipe, if it is gone or damaged.

        Returns what was wrong with the old one, as the end of a sentence that begins with "The log", or "".
        """
        fault = "is shorter than the checkpoint remembers"
        if self.length() >= length:
            self.cut(length)
            try:
                read(self.path)
                return ""
            except ValueError as error:
                fault = f"cannot be read ({str(error).rstrip('.')})"
        aside = self.put_aside()
        self.start(recipe)
        return f"{fault}; it is {aside.name} now" if aside else "is missing"

    def put_aside(self):
        """Rename the file to log.damaged.txt (-2, -3, ...); returns the new path, None if there is no file."""
        if not self.path.exists():
            return None
        stem, number = f"{self.path.stem}.damaged", 1
        aside = self.path.with_name(f"{stem}{self.path.suffix}")
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{stem}-{number}{self.path.suffix}")
        return self.path.rename(aside)

    def _append(self, text):
        with open(self.path, "a", encoding="utf-8", newline="\n") as f:
            f.write(text)


def read(path):
    """The Log in a file, which may still be growing: a last line that is not complete yet is left out.

    OSError if it cannot be read; ValueError, with the line, if it is no log.
    """
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith(FIRST_LINE):
        raise ValueError(f"{path} is not a log of minillm of version 1: it does not begin with {FIRST_LINE!r}.")
    log, names, rows = Log(), None, []
    lines = text.split("\n")[1:-1]  # what follows the last line feed is not complete
    for number, line in enumerate(lines, 2):
        if names is None and line.startswith("# recipe "):  # further down, it is a line that the model wrote
            log.recipe = _recipe(path, number, line)
        elif line.startswith("#"):
            log.notes.append(line[1:].strip())
        elif names is None:
            names = line.split()
        elif line.strip():
            rows.append(_numbers(path, number, line, len(names)))
    names = names or list(COLUMNS)
    table = np.array(rows, float).reshape(len(rows), len(names))
    log.columns = dict(zip(names, table.T, strict=True))
    return log


def _recipe(path, number, line):
    try:
        return json.loads(line.removeprefix("# recipe "))
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: the recipe cannot be read ({error}).") from error


def _numbers(path, number, line, wanted):
    try:
        row = [float("nan") if cell == "-" else float(cell) for cell in line.split()]
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}.") from error
    if len(row) != wanted:
        raise ValueError(f"{path}, line {number} has {len(row)} numbers, but the table has {wanted} columns.")
    return row
