"""A learner's file: its code cells, read in whatever state they are, and run in a process of their own.

child.py starts that process.  There the answers are only watched; what was seen is told to the parent, which judges it.
So nothing that the file does to its own process can write a score.
"""

import base64
import difflib
import itertools
import json
import os
import pickle
import re
import sys
import time
from typing import NamedTuple

from . import parcel

SKIP = "skip-grading"  # the tag of a cell that takes long and defines no answer


class Absent(LookupError):
    """The file has no answer of this name, as the message says."""


class Cell(NamedTuple):
    """A code cell: its number among the code cells of its file, from 1, its text, and whether it is to be left out."""

    number: int
    source: str
    skip: bool


# Reading


def read(path):
    """(cells, notes) of a notebook, or of a .py file, which is one cell, or several with "# %%" between them.

    A note is a sentence on what was mended.  ValueError in one sentence if it is no notebook and no .py file, and
    OSError if it cannot be read.
    """
    notes, raw = [], path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        notes = [f"line {line} holds bytes that are not UTF-8, which were replaced."]
        text = raw.decode("utf-8-sig", errors="replace")
    if path.suffix == ".py":
        return list(_parts(text)), notes
    if path.suffix != ".ipynb":
        raise ValueError(f"{path} is neither a notebook (.ipynb) nor a Python file (.py).")
    return list(_code_cells(_cells(text, path))), notes


def _parts(text):
    starts = [0, *(found.start() for found in re.finditer("^# ?%%", text, re.MULTILINE)), len(text)]
    parts = [(start, text[start:end].lstrip("\n")) for start, end in itertools.pairwise(starts)]
    for number, (start, part) in enumerate(((start, part) for start, part in parts if part.strip()), 1):
        above = text.count("\n", 0, text.index(part, start))
        yield Cell(number, "#\n" * above + part, False)  # so that its lines are counted as in the file


def _cells(text, path):
    """The list of a notebook's cells, whose insides may be anything.  Formats 3 and 4."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        what = "it is empty" if not text.strip() else f"its JSON is broken at line {error.lineno} ({error.msg})"
        raise ValueError(f"{path} is not a notebook: {what}.") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not a notebook: its JSON cannot be read.") from None
    if isinstance(raw, dict):
        sheets = raw.get("worksheets") if isinstance(raw.get("worksheets"), list) else [raw]
        lists = [sheet["cells"] for sheet in sheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)]
        if lists:
            return [cell for cells in lists for cell in cells if isinstance(cell, dict)]
    raise ValueError(f"{path} is not a notebook: it is JSON, but has no list of cells.")


def _code_cells(cells):
    code = (cell for cell in cells if cell.get("cell_type") == "code")
    for number, cell in enumerate(code, 1):
        source = cell.get("source", cell.get("input"))  # as format 3 calls it
        source = "".join(map(str, source)) if isinstance(source, list) else source if isinstance(source, str) else ""
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        yield Cell(number, source, isinstance(tags, list) and SKIP in tags)


def defines(cells, name):
    """Whether one of the cells defines or assigns this name, as far as its text shows."""
    written = re.compile(rf"^[ \t]*(?:(?:def|class)[ \t]+{name}\b|{name}[ \t]*=(?!=))", re.MULTILINE)
    return any(written.search(cell.source) for cell in cells)


# Running: serve() is all that its process does


def serve():
    """Run one file, then answer questions about its answers; child.py calls this in a fresh process.

    Standard input is a line of JSON, the task: key, cells, seconds for them; then a line for each question: exercise,
    method, arguments.  To standard output goes a line of JSON each behind the key: {}, as soon as it is ready,
    {"note": a sentence}, {"ran": true}, and for each question {"value"}, {"absent"} or {"failed"}: why.
    """
    import faulthandler

    from .. import bank

    exercises, shell = bank.exercises(), make_shell()
    questions = os.fdopen(os.dup(0), "rb")
    task = json.loads(questions.readline())
    tell = _teller(task["key"])
    nowhere = _silence()
    faulthandler.dump_traceback_later(4 * task["seconds"] + 600, exit=True, file=nowhere)  # should the parent be gone
    tell()
    for note in run([Cell(*cell) for cell in task["cells"]], shell, task["seconds"]):
        tell(note=note)
    tell(ran=True)
    for line in questions:
        question = json.loads(line)
        try:
            with bank.pristine():
                arguments = pickle.loads(base64.b64decode(question["arguments"]))
                answer = reply(exercises[question["exercise"]], shell.user_ns, question["method"], *arguments)
            tell(value=parcel.pack(answer))
        except Absent as absent:
            tell(absent=str(absent))
        except Exception as error:
            tell(failed=f"{question['method']} raised {error!r}")
    os._exit(0)  # threads that are still running are not waited for


def _teller(key):
    """A function that tells the parent something, through a copy of standard output that the file is not told of."""
    pipe, process = os.dup(sys.stdout.fileno()), os.getpid()

    def tell(**message):
        if os.getpid() != process:  # the file has forked, and this is the copy
            os._exit(0)
        line = f"{key} {json.dumps(message)}\n".encode()
        while line:
            line = line[os.write(pipe, line) :]

    return tell


def _silence():
    """Send away what is printed, by other programs and compiled code too; standard input is at its end."""
    nowhere = open(os.devnull, "r+b", buffering=0)
    for number in (0, 1, 2):
        os.dup2(nowhere.fileno(), number)
    return nowhere


def make_shell():
    """IPython without a kernel: magics work, nothing is displayed, and no history is kept."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        """What a kernel does for people, it leaves out."""

        def showtraceback(self, *arguments, **options):
            """run() says what went wrong."""

        def ask_exit(self):
            """exit() ends nothing: the next cell runs."""

        def enable_gui(self, gui=None):
            """%matplotlib is obeyed as far as it goes."""

    return Shell.instance(config=Config(HistoryManager={"enabled": False}))


def run(cells, shell, seconds):
    """Run the cells one after the other, and yield a sentence about each that did not end well.

    All together may take so many seconds, and one of them a third of it.
    """
    end = time.monotonic() + seconds
    for cell in cells:
        if cell.skip:
            continue
        left = end - time.monotonic()
        if left <= 0:
            yield f"code cell {cell.number} and those after it were not run: the time for cells was over."
            return
        complaint = _complaint(cell.source, shell, min(left, seconds / 3))
        if complaint:
            yield f"code cell {cell.number} {complaint}."


def _complaint(source, shell, seconds):
    """What went wrong in a cell, as the rest of a sentence, or None."""
    from . import guard

    outcome = guard.call(shell.run_cell, source, silent=True, seconds=seconds)
    if outcome.trouble:
        return outcome.trouble.says.partition(", in line")[0]  # the line is one of IPython's
    error = outcome.value.error_before_exec or outcome.value.error_in_exec
    if error is None:
        return None
    if isinstance(error, SyntaxError) and outcome.value.error_before_exec:
        return f"cannot be read: {error.msg}, in line {error.lineno}"
    at = _line_of(error.__traceback__, shell.user_ns)
    trouble = guard.trouble(error.with_traceback(None), None, seconds)
    says = "calls what is not written yet" if trouble.unwritten else trouble.says.rstrip(".")
    return says + (f", in line {at}" if at else "")


def _line_of(traceback, namespace):
    """The line of the cell itself in which it went wrong, or None."""
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals is namespace and frame.f_code.co_name == "<module>":
            return traceback.tb_lineno
        traceback = traceback.tb_next


def reply(exercise, namespace, method, *arguments):
    """What a method of the exercise gives for the answer of its name in a namespace.  Absent if there is none.

    Two methods are ours: "itself" gives the answer, and "private" the rows of a teacher's own checks.
    """
    from .. import bank
    from . import private

    name = exercise.name
    if name not in namespace:
        own = [other for other in namespace if not other.startswith("_")]
        near = difflib.get_close_matches(name, own, n=1, cutoff=0.8)
        raise Absent(f"the file defines no {name}" + (f"; there is {near[0]}" if near else ""))
    answer = namespace[name]
    if method == "itself":
        return answer
    if method == "private":
        return private.rows(*arguments, name, answer, bank.NAMES)
    return getattr(exercise, method)(answer, *arguments)
