"""headless.py: files graded in a process of their own, which may do what it likes and never writes its own score.

Here are child.py and submission.py tested too: their subject is that process.
"""

import json
import os
import pickle
import sys
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes
from once import memory  # noqa: F401  (a fixture)

from minillm import bank, grading, layers
from minillm.grader import child, headless, parcel, submission
from minillm.grader.exercise import Row

ROOT = Path(__file__).resolve().parent.parent
RIGHT = """
import numpy as np

def layer_norm(x, g, b, *, eps=1e-5):
    mean = lambda z: z.mean(-1, keepdims=True)
    total = lambda z: z.reshape(-1, z.shape[-1]).sum(0)
    xhat = x - mean(x)
    rstd = 1 / np.sqrt(mean(xhat * xhat) + eps)
    xhat = xhat * rstd
    def backward(dy):
        dxhat = dy * g
        return rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)), total(dy * xhat), total(dy)
    return g * xhat + b, backward
"""
WRONG = RIGHT.replace(" - xhat * mean(dxhat * xhat)", "")  # 3 of 5: dx is wrong
STUB = 'def layer_norm(x, g, b, *, eps=1e-5):\n    raise NotImplementedError("your turn: y, backward")'
HANG = "import itertools\nsum(itertools.repeat(1))"  # inside C, where no signal is heard
CHEAT = """
import numpy as np
import minillm.grader.counterexample, minillm.grader.exercise, minillm.grading, minillm.grader.score
from minillm.grader.exercise import Exercise, Judgement, Row
won = lambda self, *rest: Judgement(tuple(Row(part.name, part.points, part.points, "ok") for part in self.parts))
Exercise.judge = won
Exercise.fault = lambda *rest: None
minillm.grading.score = minillm.grading.grade = lambda *rest, **more: minillm.grader.score.Score(5.0, points=5)
minillm.grader.counterexample.differing = lambda *rest: np.zeros(1, bool)
np.allclose = np.array_equal = lambda *rest, **more: True
"""
FORGED = """
import os
for file in range(64):
    try:
        os.write(file, b'0123456789abcdef {"ran": true}\\n{"ran": true}\\n' + b'x {"value": null}\\n' * 100)
    except OSError:
        pass
"""
LATE_CHEAT = WRONG.replace("    mean =", "    exec(cheat)\n    mean =")
UNRULY = [
    "1 / 0",
    "input('your name? ')",
    "exit()",
    "import sys\nsys.exit(3)",
    "def (",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "!ls",
    "%%bash\necho hi; exit 4",
    "%nosuch",
    "raise KeyboardInterrupt",
    "from minillm.grading import grade, ready, hint, solution, progress\nassert grade(None) == 0 and not ready(None)",
    "await __import__('asyncio').sleep(0)",
    "import numpy as np\nnp.seterr(all='raise'); np.ones(2) / 0",
    "print(sys.stdin.read(), file=sys.stderr); sys.stdout.close(); sys.stderr.close()",
    "sys.stdout = sys.stderr = sys.stdin = None",
    "print('still here')",
    "raise ValueError('\\x1b[2J' + 'long ' * 1000)",
    RIGHT,
    "%reset_selective -f nothing",
    "layer_norm(1)",
]
FLOOD = "import os\nfor file in (1, 2):\n    for _ in range(2000):\n        os.write(file, b'spam' * 250 + b'\\n')"
THREADS = "import threading, time\nfor _ in range(3):\n    threading.Thread(target=lambda: time.sleep(600)).start()"


def book(*cells, **metadata):
    """A notebook's text; a cell is its source, or a cell."""
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    return writes(new_notebook(cells=cells, metadata=metadata))


def tagged(source, tag="skip-grading"):
    return new_code_cell(source, metadata={"tags": [tag]})


def in_format_3(*sources):
    cells = [{"cell_type": "code", "input": source, "language": "python", "outputs": []} for source in sources]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]})


def bare(*cells):
    return json.dumps({"cells": list(cells)})


CODE = {"cell_type": "code", "source": RIGHT}

# What is in the file; its points of 5; what is said about it.
FILES = {
    "right": (book(RIGHT), 5, ""),
    "wrong": (book(WRONG), 3, "variance is treated as a constant"),
    "stub": (book(STUB), 0, "not written yet: your turn: y, backward"),
    "absent": (book("x = 1"), 0, "the file defines no layer_norm"),
    "misspelt": (book(RIGHT.replace("layer_norm", "layernorm")), 0, "defines no layer_norm; there is layernorm"),
    "no function": (book("layer_norm = 5"), 0, "layer_norm must be a function, but it is an int"),
    "twice": (book(STUB, WRONG, RIGHT), 5, ""),
    "only words": (book(new_markdown_cell("# Nothing")), 0, "the file defines no layer_norm"),
    "no cells": (book(), 0, "the file defines no layer_norm"),
    "flood": (book(RIGHT, FLOOD), 5, ""),
    "threads": (book(RIGHT, THREADS), 5, ""),
    "forks": (book("import os\nos.fork()", STUB), 0, "not written yet"),
    "leaves": (book(RIGHT, "import os\nos._exit(3)"), 0, "not graded: its process ended itself, with exit code 3"),
    "crashes": (book(RIGHT, "import ctypes\nctypes.string_at(0)"), 0, "killed by SIGSEGV, a crash in compiled code"),
    "killed": (book("import os\nos.kill(os.getpid(), 9)"), 0, "killed by SIGKILL, as systems do when memory runs"),
    "deaf": (book(RIGHT, "import os\nos.closerange(3, 200)"), 0, "not graded: its process ended itself"),
    "loops": (book(RIGHT, "while True: pass"), 5, "code cell 2 was stopped after 1 seconds."),
    "hangs": (book(RIGHT, HANG), 0, "not graded: stopped after 4 seconds"),
    "cheats": (book(CHEAT, STUB), 0, "not written yet"),
    "cheats when asked": (book(f"cheat = {CHEAT!r}", LATE_CHEAT), 3, ""),
    "replaces grade": (book("grade = lambda *answers: 5.0", STUB, "grade(layer_norm)"), 0, "not written yet"),
    "forges": (book(FORGED, STUB), 0, "not written yet"),
    "garbles": (
        book(
            WRONG,
            "from minillm.grader.there_and_back import ThereAndBack\nThereAndBack.watch = lambda *rest: 'all right'",
        ),
        0,
        "layer_norm cannot be judged (",
    ),
    "skipped": (book(RIGHT, tagged("import os; os._exit(1)")), 5, ""),
    "another tag": (book(RIGHT, tagged("layer_norm = None", "nbval-skip")), 0, "must be a function, but it is None"),
    "format 3": (in_format_3(RIGHT), 5, ""),
    "cells without anything": (bare({}, {"cell_type": "code"}, 3, {**CODE, "metadata": []}), 5, ""),
    "in lines": (bare({**CODE, "source": RIGHT.splitlines(keepends=True), "metadata": {"tags": 3}}), 5, ""),
    "byte order mark": ("\ufeff" + book(RIGHT), 5, ""),
    "latin": (book(RIGHT, "# \u00e4").encode("latin-1"), 5, "holds bytes that are not UTF-8, which were replaced"),
    "huge": (bare({**CODE, "outputs": [{"text": "x" * 10**7}]}), 5, ""),
    "foreign": (book(RIGHT, kernelspec={"name": "ir", "display_name": "R", "language": "R"}), 5, ""),
    "broken": (book(RIGHT)[:-20], None, "is not a notebook: its JSON is broken at line"),
    "empty": (b"", None, "is not a notebook: it is empty."),
    "a list": (b"[]", None, "is not a notebook: it is JSON, but has no list of cells."),
    "deep": (b"[" * 100_000, None, "is not a notebook: its JSON cannot be read."),
}  # fmt: skip
if os.name == "nt":  # which has neither signals nor fork
    for name in ("forks", "crashes", "killed"):
        del FILES[name]


def said(graded):
    """All that is said about a file."""
    return "\n".join([*graded.notes, graded.error or "", *(r.message for s in graded.scores for r in s.rows)])


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All FILES, graded: {name: Graded}."""
    folder = tmp_path_factory.mktemp("submissions")
    for name, (text, _, _) in FILES.items():
        (folder / f"{name}.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = headless.grade(headless.find([folder]), jobs=2, exercises=["layer_norm"], timeout=4, seed=1)
    return {os.path.splitext(os.path.basename(each.file))[0]: each for each in found}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_graded_whatever_it_does(graded, name):
    _, score, words = FILES[name]
    one = graded[name]
    assert words in said(one)
    if score is None or name == "garbles":
        assert one.error and one.to_dict()["exercises"] == []
    else:
        assert (one.score, one.points, one.error) == (score, 5, None), said(one)
    if not words:
        assert one.notes == []


def grade(path, *cells, exercises=("layer_norm",), **options):
    """One notebook, graded."""
    if cells:
        path.write_text(book(*cells), encoding="utf-8")
    (one,) = headless.grade([path], exercises=[*exercises], **{"seed": 1, **options})
    return one


def test_what_goes_wrong_in_a_cell_is_one_plain_line_and_the_next_cell_runs(tmp_path):
    one = grade(tmp_path / "unruly.ipynb", *UNRULY)
    assert one.score == 5
    starts = [
        "code cell 1 raised ZeroDivisionError: division by zero, in line 1.",
        "code cell 2 asked for input(), which nobody answers here, in line 1.",
        "code cell 4 raised SystemExit: 3, in line 2.",
        "code cell 5 cannot be read: invalid syntax, in line 1.",
        "code cell 8 raised CalledProcessError",
        "code cell 9 raised UsageError: Line magic function `%nosuch` not found",
        "code cell 10 raised KeyboardInterrupt",
        "code cell 13 raised FloatingPointError",
        "code cell 17 raised ValueError: \\x1b[2Jlong long",
        "code cell 20 raised TypeError: layer_norm() missing",
    ]
    assert len(one.notes) == len(starts)
    for note, start in zip(one.notes, starts, strict=True):
        assert note.startswith(start) and note.isprintable() and len(note) < 300


def test_what_a_file_writes_into_every_open_pipe_is_passed_over(graded):
    assert graded["forges"].notes == [] and graded["forges"].scores[0].rows[0].status == "todo"


def test_the_file_stands_for_itself_in_json(graded):
    whole = graded["wrong"].to_dict()
    assert json.loads(json.dumps(whole)) == whole
    assert whole.keys() == {"file", "score", "points", "exercises", "notes", "error"}
    row = whole["exercises"][0]["checks"][1]
    assert (row["check"], row["points"], row["got"], row["status"]) == ("dx", 2, 0, "FAIL")
    assert row["mistake"] == "variance treated as a constant"


# --- what was reached before the end


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that a process can send itself")
def test_what_was_graded_before_the_process_had_to_be_killed_is_kept(tmp_path):
    hang = f"def residual(*arguments, **options):\n    {HANG.replace(chr(10), '; ')}"
    start = time.monotonic()
    one = grade(tmp_path / "late.ipynb", RIGHT, hang, exercises=("layer_norm", "residual"), timeout=3)
    assert time.monotonic() - start < 30
    first, second = one.scores
    assert (first, first.points) == (5, 5) and (second, second.points) == (0, bank.exercises()["residual"].points)
    assert second.rows[0].message == "not graded: stopped after 3 seconds"
    assert one.notes == ["stopped after 3 seconds; what was graded until then counts."] and one.error is None


def test_cells_that_take_all_their_time_leave_some_for_the_answers(tmp_path):
    one = grade(tmp_path / "slow.ipynb", RIGHT, *["while True: pass"] * 4, "layer_norm = None", timeout=2)
    assert one.score == 5
    assert one.notes[:2] == [f"code cell {n} was stopped after 0.5 seconds." for n in (2, 3)]
    assert one.notes[-1].endswith("and those after it were not run: the time for cells was over.")


@pytest.mark.skipif(os.name == "nt", reason="the Python that fails is a shell script")
def test_a_process_that_cannot_start_is_our_error_and_not_a_score(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named minillm >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(OSError, match="the process for the file did not start: no module named minillm"):
        grade(tmp_path / "a.ipynb", RIGHT)


# --- what the process is given, and what is left of it


def test_the_process_has_a_folder_of_its_own_and_is_told_nothing_that_it_need_not_know(tmp_path, monkeypatch):
    (tmp_path / "checks.py").write_text("def check_nothing(layer_norm): pass", encoding="utf-8")
    monkeypatch.setenv("MINILLM_CHECKS", str(tmp_path / "checks.py"))
    monkeypatch.chdir(tmp_path)
    look = (
        "import os, sys, json\nopen('left behind', 'w').close()\n"
        "typed = sys.stdin.read() + os.read(0, 9).decode()\n"
        "facts = [os.getcwd(), os.listdir(), sys.argv, typed, dict(os.environ), list(globals())]\n"
        f"json.dump(facts, open({str(tmp_path / 'facts')!r}, 'w'))"
    )
    assert grade(tmp_path / "a.ipynb", RIGHT, look).score == 6  # one point is the teacher's
    folder, inside, argv, typed, environment, names = json.loads((tmp_path / "facts").read_text(encoding="utf-8"))
    assert not os.path.exists(folder) and folder != str(tmp_path)
    assert set(inside) <= {"left behind", ".ipython"} and environment["IPYTHONDIR"].startswith(folder)
    assert typed == "" and "MINILLM_CHECKS" not in environment
    assert environment["MINILLM_HEADLESS"] == "1" and environment["MPLBACKEND"] == "Agg"
    assert not any("checks.py" in str(fact) or "a.ipynb" in str(fact) for fact in (argv, environment, names))


@pytest.mark.skipif(os.name == "nt", reason="asks for a process as POSIX does")
def test_what_the_file_has_started_is_ended_with_it(tmp_path):
    file = str(tmp_path / "pid")
    start = f"import subprocess as s\nopen({file!r}, 'w').write(str(s.Popen(['sleep', '600']).pid))"
    assert grade(tmp_path / "a.ipynb", RIGHT, start).score == 5
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.exists("/proc/self"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_whoever_stops_early_leaves_no_process_behind(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(headless, "Child", lambda *a, **k: started.append(child.Child(*a, **k)) or started[-1])
    for name in "abc":
        (tmp_path / f"{name}.ipynb").write_text(book(STUB, "while True: pass"), encoding="utf-8")
    results = headless.grade(headless.find([tmp_path]), jobs=2, exercises=["layer_norm"], timeout=2)
    assert next(results).file.endswith("a.ipynb")
    assert len(started) == 2 and started[1].process.poll() is None
    assert 0 < started[0].left < 1.6  # the cell that loops took half a second of two
    results.close()  # as an exception or a Ctrl-C would
    assert [one.process.poll() is None for one in started] == [False, False]
    assert not any(os.path.exists(one.folder.name) for one in started)


def test_what_a_teachers_check_is_worth_is_not_for_the_process_to_say():
    row = Row("mine", 2.0, 0.0, "FAIL")
    assert headless.settled(row, Row("mine", 99.0, 99.0, "ok", "yes")) == Row("mine", 2.0, 2.0, "ok", "yes")
    assert headless.settled(row, Row("mine", 2.0, 2.0, "todo", "no")) == Row("mine", 2.0, 0.0, "todo", "no")
    assert headless.settled(row, None) == Row("mine", 2.0, 0.0, "FAIL", "not reached")


# --- asked there, judged here


EXERCISES = bank.exercises()


class Here:
    """A child that answers without a process, through the same parcels."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def ask(self, exercise, method, *arguments):
        self.asked.append(method)
        arguments = pickle.loads(pickle.dumps(arguments))
        found = submission.reply(EXERCISES[exercise], {exercise: self.answer}, method, *arguments)
        return parcel.unpack(json.loads(json.dumps(parcel.pack(found))))


def forgets(x, g, b, *, eps=1e-5):
    """layer_norm, but backward uses what the last call has left in one place."""
    y, forgets.backward = layers.layer_norm(x, g, b, eps=eps)
    return y + 0.0, lambda dy: tuple(d + 0.0 for d in forgets.backward(dy))


def other_eps(x, g, b, *, eps=1e-5):
    """Wrong, with gradients that are right for its y."""
    return layers.layer_norm(x, g, b, eps=3 * eps + 0.7)


ODD = {
    "layer_norm": [forgets, other_eps, 5, None, lambda: 0, lambda x, g, b, **o: (x, print("hi"))],
    "norm_clinic": [{"A": ..., "B": 3, 4: "healthy", "C": max}, {}, [], layers.layer_norm, "healthy", None],
}


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.usefixtures("memory")
def test_an_answer_that_is_asked_elsewhere_gets_the_same_score_line_by_line(name):
    exercise = EXERCISES[name]
    answers = [mistake.answer for mistake in exercise.mistakes[::10]] + [answer for _, answer in exercise.right]
    own = [exercise.answer] * (exercise.answer is not None)
    for answer in [*answers, *own, *ODD.get(name, [])]:
        for strict in (False, True):
            here = grading.score(name, answer, seed=3, strict=strict)
            there = headless._score(name, Here(answer), seed=3, strict=strict)
            assert here.to_dict() == there.to_dict(), answer
            assert "\n".join(here.lines()) == "\n".join(there.lines())
            if answer not in own:  # only there does class mode change anything
                break


def test_all_that_touches_the_answer_is_asked():
    for answer, methods in [(forgets, {"unfit", "watch"}), (other_eps, {"unfit", "watch", "fits_own_y"})]:
        one = Here(answer)
        headless._score("layer_norm", one, seed=3)
        assert set(one.asked) == methods


# --- which files, and which exercises


def test_files_come_in_the_order_given_each_once_and_hidden_ones_not_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ["b/z.ipynb", "b/c/a.ipynb", "b/.ipynb_checkpoints/z.ipynb", "b/.x.ipynb", "b/notes.py", "a.ipynb"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "folder.ipynb").mkdir()
    found = [path.as_posix() for path in headless.find(["b", "nowhere", "a.ipynb", "b/z.ipynb", ".", "b/folder.ipynb"])]
    assert found == ["b/c/a.ipynb", "b/z.ipynb", "nowhere", "a.ipynb", "b/folder.ipynb"]
    assert headless.find([tmp_path / "b" / ".ipynb_checkpoints"]) == [tmp_path / "b" / ".ipynb_checkpoints" / "z.ipynb"]


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)
    one = grade(tmp_path / "a.ipynb", RIGHT)
    assert one.error == f"{tmp_path / 'a.ipynb'} cannot be read: Permission denied." and one.scores == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.ipynb")
    assert grade(tmp_path / "a.ipynb").error == f"{tmp_path / 'a.ipynb'} is not a file."


def test_a_python_file_is_one_cell_or_several(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"{RIGHT}\n1 / 0\nlayer_norm = None", encoding="utf-8")
    assert grade(path).score == 5 and len(submission.read(path)[0]) == 1
    path.write_text(f"\n# %% first\n1 / 0\n\n#%%\n\n2 / 0\n# %%\n{RIGHT}", encoding="utf-8")
    one = grade(path)
    said = "code cell {} raised ZeroDivisionError: division by zero, in line {}."
    assert one.score == 5 and one.notes == [said.format(1, 3), said.format(2, 7)]


@pytest.mark.parametrize("written", ["def f(x):", "  def f (x): pass", "class f:", "f=3", "if x:\n    f = g"])
def test_a_name_that_is_written_is_found(written):
    assert submission.defines([submission.Cell(1, f"x = 1\n{written}", False)], "f")


@pytest.mark.parametrize("written", ["f(x)", "f == 3", "# def f", "g = f", "def ff(x):", "f2 = 3", "grade(f=3)"])
def test_a_name_that_is_only_used_is_not(written):
    assert not submission.defines([submission.Cell(1, f"x = 1\n{written}", False)], "f")


# --- the exercises of the repository

OURS = """
from minillm import bank
for exercise in bank.exercises().values():
    globals()[exercise.name] = exercise.answer or dict(exercise.cases)
"""


@pytest.mark.parametrize("path", headless.find([ROOT / "exercises"]), ids=lambda path: path.name)
def test_an_exercise_as_it_is_handed_out_earns_nothing_and_answered_by_us_everything(path, tmp_path):
    stubs, full = headless.grade([path, filled(path, tmp_path)])
    names = [name for name, exercise in EXERCISES.items() if exercise.notebook == path.stem]
    assert [score.exercise for score in stubs.scores] == [score.exercise for score in full.scores] == names != []
    assert (stubs.score, stubs.notes, stubs.error) == (0, [], None)
    assert {row.status for score in stubs.scores for row in score.rows} == {"todo"}
    assert (full.score, full.notes, full.error) == (full.points, [], None) and full.points == stubs.points > 0


def filled(path, folder):
    """The exercise with minillm's own answers in a last cell."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["cells"].append({"cell_type": "code", "source": OURS})
    (folder / path.name).write_text(json.dumps(whole), encoding="utf-8")
    return folder / path.name
