"""What every notebook and every exercise keeps to, and that a change of one per cent in either is noticed."""

import ast
import contextlib
import functools
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import execute_notebooks
import nbformat
import pytest

from minillm import bank, gpt, layers

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
WIDTH = 100  # characters that JupyterLab shows of a line, at 1280 pixels with its file browser open
NOT_COMPARED = execute_notebooks.NOT_COMPARED

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
every_exercise = pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
every_file = pytest.mark.parametrize("path", NOTEBOOKS + EXERCISES, ids=lambda path: path.stem)


def cells(path, kind=None):
    """The cells of a notebook: all, or those of one kind."""
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if kind in (None, cell.cell_type)]


def test_there_are_notebooks_and_exercises():
    assert NOTEBOOKS and EXERCISES


@every_file
def test_a_line_of_code_fits_the_window(path):
    wide = [line for cell in cells(path, "code") for line in cell.source.splitlines() if len(line) > WIDTH]
    assert wide == []


@every_file
def test_a_line_of_output_fits_the_window(path):
    printed = [output.text for cell in cells(path, "code") for output in cell.outputs if output.output_type == "stream"]
    lines = [line.rpartition("\r")[2] for text in printed for line in text.splitlines()]  # a progress bar is one line
    assert [line for line in lines if len(line) > WIDTH] == []


@every_file
def test_no_cell_stored_an_error_a_warning_or_a_wall_of_text(path):
    for cell in cells(path, "code"):
        kinds = [output.output_type for output in cell.outputs]
        assert "error" not in kinds, cell.id
        noise = [output.text for output in cell.outputs if output.get("name") == "stderr"]
        assert not noise or NOT_COMPARED & set(cell.metadata.get("tags", [])), (cell.id, noise)  # a progress bar may
        printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert printed.count("\n") <= 40, cell.id


@every_file
def test_the_cells_are_short_and_never_more_than_two_of_code_stand_in_a_row(path):
    kinds = "".join(cell.cell_type[0] for cell in cells(path))
    assert "ccc" not in kinds
    assert [cell.id for cell in cells(path, "code") if cell.source.count("\n") >= 20] == []


@every_file
def test_the_first_cell_is_a_title_and_every_cell_has_an_id_of_its_own(path):
    found = cells(path)
    assert found[0].cell_type == "markdown" and found[0].source.startswith("# ")
    assert len({cell.id for cell in found}) == len(found)


@every_file
def test_the_file_is_small_and_was_executed_as_it_stands(path):
    assert path.stat().st_size < 500_000
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata["minillm"]["code"] == execute_notebooks.fingerprint(notebook)
    assert [cell.execution_count for cell in cells(path, "code")] == list(range(1, len(cells(path, "code")) + 1))


@every_file
def test_every_picture_has_its_words(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.data["text/plain"].split()) > 10, cell.id


@every_notebook
def test_a_notebook_asks_and_hides_its_own_guess(path):
    words = "\n".join(cell.source for cell in cells(path, "markdown"))
    assert words.count("**Guess:**") >= 3
    assert words.count("<details>") == words.count("</details>") == words.count("<summary>")


@every_notebook
def test_a_notebook_says_how_long_it_took_when_it_was_last_run(path):
    assert re.search(execute_notebooks.TOOK, cells(path)[0].source)


def test_the_first_cell_gets_the_seconds_that_were_measured_and_keeps_them_while_the_code_is_the_same():
    def executed(seconds, **options):
        execute_notebooks.tidy(book, nbformat.from_dict(book), seconds=seconds, **options)
        return book.cells[0].source

    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_markdown_cell("# A\n\nRunning it took 0 seconds."),
        nbformat.v4.new_code_cell("1 + 1"),
    ]
    assert executed(41.7) == "# A\n\nRunning it took 42 seconds."
    assert executed(50.0) == "# A\n\nRunning it took 42 seconds."
    assert executed(50.0, fresh=True) == "# A\n\nRunning it took 50 seconds."
    book.cells[1].source = "1 + 2"
    assert executed(0.2) == "# A\n\nRunning it took 1 seconds."


# What the library defines, and what an exercise asks for


def functions(source):
    """The functions that this code defines at its top, by name; nothing if it is not Python alone, as with %magic."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def bare(function):
    """A function as text without its docstring, its marks and its comments."""
    copy = ast.parse(ast.unparse(function)).body[0]
    copy.decorator_list = []
    if ast.get_docstring(copy) is not None:
        copy.body = copy.body[1:]
    return ast.unparse(copy)


def statements(function):
    """The statements of a function and the expressions in them that say more than a name or a shape."""
    nodes = [node for node in ast.walk(function) if isinstance(node, (ast.stmt, ast.expr)) and node is not function]
    return {text for text in (ast.unparse(n) for n in nodes if not isinstance(n, ast.Constant)) if len(text) >= 24}


@every_notebook
def test_a_notebook_that_builds_a_function_of_the_library_builds_the_same(path):
    for module in (layers, gpt):
        ours = functions(inspect.getsource(module))
        for cell in cells(path, "code"):
            for name, function in functions(cell.source).items():
                if name in ours:
                    assert bare(function) == bare(ours[name]), (cell.id, name)


@functools.cache
def answers():
    """(name, the backward pass alone, the whole function) for each exercise that a function of ours answers.

    The backward pass is empty where there is none.
    """
    found = []
    for name, exercise in bank.exercises().items():
        if exercise.answer is not None:
            (whole,) = functions(textwrap.dedent(inspect.getsource(inspect.unwrap(exercise.answer)))).values()
            back = [node for node in ast.walk(whole) if isinstance(node, ast.FunctionDef) and node.name == "backward"]
            found.append((name, set().union(*map(statements, back)), statements(whole)))
    return found


def test_the_parts_of_an_answer_are_known_by_sight():
    back, whole = next((back, whole) for name, back, whole in answers() if name == "layer_norm")
    assert "(dy * xhat).reshape(-1, C).sum(0)" in back and "xhat = x - x.mean(-1, keepdims=True)" in whole - back


@functools.cache
def written(text):
    """All statements in a notebook, given as its file's text: in its code, and in its fenced blocks too."""
    book = nbformat.reads(text, as_version=4)
    blocks = [cell.source for cell in book.cells if cell.cell_type == "code"]
    for cell in book.cells:
        if cell.cell_type == "markdown":
            blocks += re.findall(r"```(?:python)?\n(.*?)```", cell.source, re.DOTALL)
    found = set()
    for block in blocks:
        with contextlib.suppress(SyntaxError):
            found |= statements(ast.parse(textwrap.dedent(block)))
    return found


def told(path, parts):
    """The code in a notebook that is one of these parts of an answer."""
    return written(path.read_text(encoding="utf-8")) & parts


@every_notebook
def test_no_notebook_prints_the_backward_pass_that_an_exercise_asks_for(path):
    assert {name: told(path, back) for name, back, _ in answers() if told(path, back)} == {}


@every_notebook
def test_no_notebook_prints_half_of_a_plain_function_that_an_exercise_asks_for(path):
    plain = [(name, told(path, whole), whole) for name, back, whole in answers() if not back]
    assert {name: found for name, found, whole in plain if len(found) > len(whole) / 2} == {}


@every_exercise
def test_no_exercise_stores_its_answer(path):
    """A phrase may stand in two exercises; half an answer may not."""
    parts = [(name, told(path, back), told(path, whole), back, whole) for name, back, whole in answers()]
    assert {name: found for name, found, _, _, _ in parts if found} == {}
    assert {name: found for name, _, found, _, whole in parts if len(found) > len(whole) / 4} == {}


def test_an_answer_that_is_printed_is_found(tmp_path):
    book = nbformat.v4.new_notebook()
    source = inspect.getsource(inspect.unwrap(layers.layer_norm))
    hint = "# Told\n\n```python\nalong = (dxhat * xhat).mean(-1, keepdims=True)\n```"
    book.cells = [nbformat.v4.new_markdown_cell(hint)]
    nbformat.write(book, tmp_path / "told.ipynb")
    parts = {name: back for name, back, _ in answers()}["layer_norm"]
    assert told(tmp_path / "told.ipynb", parts)
    book.cells = [nbformat.v4.new_code_cell(source)]
    nbformat.write(book, tmp_path / "told.ipynb")
    assert parts <= told(tmp_path / "told.ipynb", parts)


# One per cent


def nbval(path):
    """Whether strict nbval passes as CI runs it, and what it says."""
    words = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={execute_notebooks.SANITIZE}", str(path)]
    words = [sys.executable, "-m", "pytest", "-q", "--color=no", "-c", os.devnull, "-p", "no:cacheprovider", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(words, cwd=path.parent, capture_output=True, encoding="utf-8", env=env)
    return answer.returncode == 0, answer.stdout


PILOT = ROOT / "notebooks" / "06_keep_numbers_in_range.ipynb"
PLANTS = {
    "a printed number": ("range-spreads", "{spreads(scale)[-1]:", "{1.01 * spreads(scale)[-1]:"),
    "a curve": ("range-figure-tower", "spreads(scale) for scale", "1.01 * np.array(spreads(scale)) for scale"),
}


@pytest.fixture
def opening(tmp_path):
    """The pilot notebook up to its first figure, with what it stored."""
    book = nbformat.read(PILOT, as_version=4)
    end = next(i for i, cell in enumerate(book.cells) if cell.id == "range-figure-tower")
    book.cells = book.cells[: end + 1]
    nbformat.write(book, tmp_path / "opening.ipynb")
    return tmp_path / "opening.ipynb"


def test_the_opening_as_it_stands_passes(opening):
    passed, said = nbval(opening)
    assert passed, said


@pytest.mark.parametrize("what", PLANTS)
def test_one_per_cent_is_noticed(opening, what):
    where, old, new = PLANTS[what]
    book = nbformat.read(opening, as_version=4)
    cell = next(cell for cell in book.cells if cell.id == where)
    assert cell.source.count(old) == 1
    cell.source = cell.source.replace(old, new)
    nbformat.write(book, opening)
    passed, said = nbval(opening)
    assert not passed and "mismatch" in said, said
