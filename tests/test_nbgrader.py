"""A class with nbgrader: an exercise is released, handed in, autograded, and the gradebook holds what grade gave."""

import copy
import csv
import html
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minillm import bank, grading

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "exercises" / "nbgrader_config.py"
PAGE = ROOT / "exercises" / "TEACHING.md"
EXERCISE = ROOT / "exercises" / "06_layer_norm.ipynb"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("nbgrader") is None,
        reason='nbgrader is not installed: python -m pip install -e ".[class]"',
    ),
]

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
WRONG = RIGHT.replace(" - xhat * mean(dxhat * xhat)", "")
HALF = RIGHT.replace("total(dy * xhat)", "total(dy)")  # half a point of five is missing
NOISY = HALF.replace("    mean =", "    import sys; print('look', file=sys.stderr); print('here')\n    mean =")
OWN = "from minillm.layers import layer_norm"
ANSWERS = {
    "right": RIGHT,
    "wrong": WRONG,
    "half": NOISY,
    "empty": None,
    "own": OWN,
    "deleted": HALF,
    "copied": HALF,
}


def exercise():
    """The exercise notebook as it is handed out, or while there is none, one of its form."""
    if EXERCISE.exists():
        return nbformat.read(EXERCISE, 4)
    stub = "def layer_norm(x, g, b, *, eps=1e-5):\n    raise NotImplementedError('your turn')"
    points = bank.exercises()["layer_norm"].points
    locked = {"grade": True, "locked": True, "solution": False, "task": False, "schema_version": 3}
    nbgrader = {**locked, "cell_type": "code", "grade_id": "layer_norm", "points": points}
    grade = new_code_cell("from minillm.grading import grade\ngrade(layer_norm)", metadata={"nbgrader": nbgrader})
    return new_notebook(cells=[new_markdown_cell("# Layer norm"), new_code_cell(stub), grade])


def grade_cells(notebook):
    """{id: its place} of the cells whose value is a score."""
    marked = {place: cell.metadata.get("nbgrader", {}) for place, cell in enumerate(notebook.cells)}
    return {mark["grade_id"]: place for place, mark in marked.items() if mark.get("grade")}


def place_of(notebook):
    """Where layer_norm is graded."""
    (place,) = (p for p in grade_cells(notebook).values() if "grade(layer_norm" in notebook.cells[p].source)
    return place


def handed_in(released, student, trace):
    """What a student makes of it."""
    notebook = copy.deepcopy(released)
    place = place_of(notebook)
    if ANSWERS[student]:
        notebook.cells.insert(place, new_code_cell(ANSWERS[student]))
        place += 1
    training = f"open({str(trace)!r}, 'w').close()"
    notebook.cells.append(new_code_cell(training, metadata={"tags": ["skip-grading"]}))
    if student == "deleted":
        del notebook.cells[place]
    elif student == "copied":
        notebook.cells.insert(0, copy.deepcopy(notebook.cells[place]))
        notebook.cells[0].id = "a-copy"
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The folder of a course after the commands of the teachers' page, with seven submissions after the first."""
    folder = tmp_path_factory.mktemp("course")
    home = tmp_path_factory.mktemp("home")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])  # it calls alembic by its bare name
    dirs = dict.fromkeys(("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"), str(home))
    gone = ("MINILLM_CLASS", "MINILLM_SEED", "MINILLM_CHECKS", "MINILLM_HEADLESS")
    env = {key: value for key, value in os.environ.items() if key not in gone}
    env |= dirs | {"PATH": path, "PYTHONPATH": str(ROOT), "MINILLM_PROGRESS": str(home / "progress.json")}

    def nbgrader(*words):
        words = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    (folder / "source" / "week6").mkdir(parents=True)
    shutil.copy(CONFIG, folder)
    nbformat.write(exercise(), folder / "source" / "week6" / "06_layer_norm.ipynb")
    commands = re.findall(r"^nbgrader ([\w ]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    release, *after = [command.split() for command in commands]
    nbgrader(*release)
    released = nbformat.read(folder / "release" / "week6" / "06_layer_norm.ipynb", 4)
    for student in ANSWERS:
        (folder / "submitted" / student / "week6").mkdir(parents=True)
        notebook = handed_in(released, student, folder / f"{student} trained")
        nbformat.write(notebook, folder / "submitted" / student / "week6" / "06_layer_norm.ipynb")
    for command in after:
        nbgrader(*command)
    return folder


def source(course):
    """The exercise as it lies in this course."""
    return nbformat.read(course / "source" / "week6" / "06_layer_norm.ipynb", 4)


def gradebook(course):
    """{student: (score, points)} for layer_norm."""
    (name,) = (name for name, place in grade_cells(source(course)).items() if place == place_of(source(course)))
    question = """
        select student_id, auto_score, max_score, needs_manual_grade from grade
        join submitted_notebook on submitted_notebook.id = grade.notebook_id
        join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
        join base_cell on base_cell.id = grade.cell_id join grade_cells on grade_cells.id = grade.cell_id
        where base_cell.name = ?
    """
    with sqlite3.connect(course / "gradebook.db") as book:
        rows = book.execute(question, [name]).fetchall()
    book.close()
    assert not any(manual for *_, manual in rows)  # nothing is left for the teacher to look at
    return {student: (score, points) for student, score, points, _ in rows}


def test_the_exported_table_holds_the_sums(course):
    rows = list(csv.DictReader((course / "grades.csv").read_text(encoding="utf-8").splitlines()))
    total = sum(notebook_points(source(course)))
    assert {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in rows} == {
        student: (got, total)
        for student, (got, _) in gradebook(course).items()  # the other exercises are stubs
    }


def notebook_points(notebook):
    """The points of its grade cells."""
    return [notebook.cells[place].metadata["nbgrader"]["points"] for place in grade_cells(notebook).values()]


def score(student):
    """What grade gives for the answer of this student, in class mode."""
    names = {}
    exec(ANSWERS[student], names)
    return grading.score("layer_norm", names["layer_norm"], strict=True, checks="")


def test_the_stub_is_handed_out_as_it_is_and_the_grade_cells_are_locked(course):
    written, released = source(course), nbformat.read(course / "release" / "week6" / "06_layer_norm.ipynb", 4)
    assert [cell.source for cell in released.cells] == [cell.source for cell in written.cells]
    for place in grade_cells(released).values():
        assert released.cells[place].metadata["editable"] is released.cells[place].metadata["deletable"] is False


def test_the_grade_cells_are_worth_what_the_exercises_are(course):
    notebook = source(course)
    for place in grade_cells(notebook).values():
        cell = notebook.cells[place]
        name = re.search(r"grade\((\w+)", cell.source)[1]
        assert cell.metadata["nbgrader"]["points"] == bank.exercises()[name].points


def test_the_gradebook_holds_the_very_scores_that_grade_gives(course):
    points = bank.exercises()["layer_norm"].points
    expected = {student: (float(score(student)), points) for student in ANSWERS if student != "empty"}
    assert gradebook(course) == {**expected, "empty": (0.0, points)}
    assert expected["right"] == (points, points) and expected["half"] == (points - 0.5, points)
    assert expected["wrong"][0] not in (0, points) and expected["own"][0] == 0


def test_a_copied_or_deleted_grade_cell_costs_nothing_and_nor_does_standard_error(course):
    scores = gradebook(course)
    assert scores["deleted"] == scores["copied"] == scores["half"]  # of which only the last prints


@pytest.mark.parametrize("student", ["right", "wrong", "half", "own"])
def test_the_feedback_page_shows_our_lines(course, student):
    page = (course / "feedback" / student / "week6" / "06_layer_norm.html").read_text(encoding="utf-8")
    shown = " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())
    for row in score(student).rows:
        assert re.search(rf"{row.status} +{row.check} +{row.got:g} / {row.points:g}", shown), row
    sentence = {"wrong": "the variance is treated as a constant", "own": "this is minillm's own layer_norm"}
    assert sentence.get(student, "") in shown


def test_cells_that_only_train_are_not_run_and_no_progress_is_kept(course):
    assert not list(course.glob("* trained"))
    assert not list(course.rglob("progress.json"))
