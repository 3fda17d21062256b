"""The runs that a law is fitted to: read from a file, checked at the door, and never dropped in silence."""

import csv
import hashlib
import json
import pathlib
from dataclasses import dataclass

import numpy as np

NEEDED = ("N", "D", "loss")


@dataclass(frozen=True)
class Runs:
    """rows is a tuple of dicts with at least N, D and loss; exclusions says what was left out, why, and how many.

    sha256 is that of the file's bytes, or None where the rows came from memory.
    """

    rows: tuple
    exclusions: tuple = ()  # of dicts {"why": sentence, "runs": how many}
    sha256: str | None = None

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, name):
        """A column, (rows,) of float64; KeyError if a row lacks it."""
        return np.array([row[name] for row in self.rows], float)

    N = property(lambda self: self["N"], doc="Parameters.")
    D = property(lambda self: self["D"], doc="Tokens trained on.")
    loss = property(lambda self: self["loss"], doc="Nats per token.")

    @property
    def C(self):
        """Training FLOPs: the rows' own, or 6 N D where a row has none."""
        return np.array([row.get("C") or 6.0 * float(row["N"]) * float(row["D"]) for row in self.rows], float)

    def has(self, name):
        """Whether every row has this column, with something in it."""
        return all(row.get(name) not in (None, "") for row in self.rows)

    def groups(self, *names):
        """One number for each row, equal where all these columns are: what the bootstrap draws together.  (rows,)"""
        keys = [json.dumps([row.get(name) for name in names], sort_keys=True, default=str) for row in self.rows]
        return np.unique(keys, return_inverse=True)[1]

    def without(self, drop, why):
        """These runs less those where drop (rows,) is true, with the reason, a sentence, kept beside."""
        drop = np.asarray(drop, bool)
        if drop.shape != (len(self),):
            raise ValueError(f"drop has the shape {drop.shape}, but there are {len(self)} runs.")
        if not why.strip():
            raise ValueError("a run is left out for a reason: say why.")
        left = tuple(row for row, out in zip(self.rows, drop, strict=True) if not out)
        return Runs(left, (*self.exclusions, {"why": why, "runs": int(drop.sum())}), self.sha256)


def read(path):
    """The Runs of a file: .csv with the columns N, D, loss and optionally C and seed, or .jsonl with a run a line.

    Runs whose status is not "done" are left out, and counted in the exclusions.  ValueError, in one sentence with the
    line, for what is no table of runs.
    """
    path = pathlib.Path(path)
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no text in UTF-8: byte {error.start} cannot be read.") from None
    lines = _read_csv(text, path.name) if path.suffix == ".csv" else _read_jsonl(text, path.name)
    rows, undone = [], {}
    for number, row in lines:
        status = row.get("status") or "done"
        if status != "done":
            undone[status] = undone.get(status, 0) + 1
            continue
        for name in NEEDED:
            row[name] = _number(row.get(name), name, f"{path.name}, line {number}")
        if row.get("C") not in (None, ""):
            row["C"] = _number(row["C"], "C", f"{path.name}, line {number}")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path.name} holds no finished run; it needs a line for each, with {', '.join(NEEDED)}.")
    told = tuple({"why": f"the run's status is {status!r}", "runs": n} for status, n in sorted(undone.items()))
    return Runs(tuple(rows), told, hashlib.sha256(data).hexdigest())


def _read_csv(text, name):
    table = csv.DictReader(text.splitlines(), skipinitialspace=True)
    missing = [column for column in NEEDED if column not in (table.fieldnames or [])]
    if missing:
        raise ValueError(f"{name} has no column {missing[0]!r}; its first line must name N, D and loss.")
    for row in table:
        if None in row or None in row.values():
            raise ValueError(f"{name}, line {table.line_num}: {len(table.fieldnames)} columns were expected.")
        yield table.line_num, row


def _read_jsonl(text, name):
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}, line {number}: this is no JSON ({error.msg}).") from None
        if not isinstance(row, dict):
            raise ValueError(f'{name}, line {number}: a run is an object such as {{"N": 1, "D": 2, "loss": 3}}.')
        yield number, row


def _number(value, name, where):
    """A float above zero.  ValueError says where it is not."""
    try:
        number = float("no" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: {name} is {value!r}, but must be a number.") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{where}: {name} is {value}, but must be a number above 0 and finite.")
    return number


def columns(**arrays):
    """Each as float64 (rows,), after the refusals.  ValueError: text, NaN, infinity, zero, less, or unequal lengths."""
    found = {}
    for name, a in arrays.items():
        a = np.asarray(a)
        if a.dtype.kind in "USb" or (a.dtype == object and any(isinstance(x, (str, bytes, bool)) for x in a.flat)):
            raise ValueError(f"{name} holds text or truth values; turn the column into numbers.")
        if a.dtype.kind == "c":
            raise ValueError(f"{name} holds complex numbers; turn the column into real ones.")
        try:
            found[name] = a.astype(float).ravel()
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} holds something that is no number; turn the column into numbers.") from None
        bad = np.flatnonzero(~(np.isfinite(found[name]) & (found[name] > 0)))
        if len(bad):
            raise ValueError(
                f"{name} of run {bad[0]} is {found[name][bad[0]]}, but must be above 0 and finite; leave that run out."
            )
    lengths = {name: len(a) for name, a in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("each run needs all its numbers, but there are " + _counted(lengths) + ".")
    return list(found.values())


def _counted(lengths):
    return ", ".join(f"{n} of {name}" for name, n in lengths.items())
