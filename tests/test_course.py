"""course.py keeps its word, without a network: pip and venv are replaced by what writes down how it was called."""

import ast
import json
import os
import platform
import random
import subprocess
import sys
from pathlib import Path

import execute_notebooks
import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import course

EVERYTHING = ["cuda12", "cuda13", "test", "parity", "bench", "class", "browser"]


# Requirements


def test_every_requirement_of_the_project_is_read_as_packaging_reads_it():
    for line in course.requirements(EVERYTHING):
        name, bounds, applies = course.parse(line)
        theirs = Requirement(line)
        assert name == theirs.name
        assert {sign + version for sign, version in bounds} == {str(part) for part in theirs.specifier}
        assert applies == (theirs.marker is None or theirs.marker.evaluate())


@pytest.mark.parametrize("line", ["numpy~=2.0", "numpy==2.*", "numpy>=2; python_version < '3.12'", "numpy @ file", ""])
def test_a_requirement_that_cannot_be_read_is_named_and_never_guessed(line):
    with pytest.raises(ValueError, match="cannot read this requirement"):
        course.parse(line)


def test_a_marker_decides_whether_a_requirement_applies(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert course.parse("cupy-cuda13x[ctk]>=14.0; sys_platform != 'darwin'") == (
        "cupy-cuda13x",
        [(">=", "14.0")],
        False,
    )
    assert course.parse("x; sys_platform == 'darwin'")[2]
    monkeypatch.setattr(sys, "platform", "linux")
    assert course.parse("cupy-cuda13x[ctk]>=14.0; sys_platform != 'darwin'")[2]


def test_versions_are_ordered_as_packaging_orders_them():
    draw = random.Random(0)
    tails = ["", "", "", "rc1", "a2", ".dev3", ".post1", "b10", "+cpu"]
    for _ in range(2000):
        a, b = (".".join(str(draw.choice([0, 1, 2, 9, 10])) for _ in range(draw.choice([1, 2, 3]))) for _ in "ab")
        a, b = a + draw.choice(tails), b + draw.choice(tails)
        x, y = Version(a.partition("+")[0]), Version(b.partition("+")[0])
        if x.release != y.release or not (x.is_prerelease and y.is_prerelease):  # two of them are not told apart
            if Version(x.base_version) != Version(y.base_version) or x.is_prerelease != y.is_prerelease:
                assert (course.order(a) < course.order(b)) == (x < y), (a, b)
            assert course.satisfies(a, [(">=", b)]) == (x >= y) or x.is_prerelease, (a, b)


@pytest.mark.parametrize(
    ("version", "bounds", "answer"),
    [
        ("2.0.0", [(">=", "2.0")], True),
        ("1.26.4", [(">=", "2.0")], False),
        ("2.0.0rc1", [(">=", "2.0")], False),
        ("2.10", [(">=", "2.9")], True),
        ("2.13.0+cpu", [("==", "2.13.0")], True),
        ("0.17.6", [(">=", "0.17.0"), ("<", "0.18")], True),
        ("0.18", [(">=", "0.17.0"), ("<", "0.18")], False),
        ("1.0", [("!=", "1.0")], False),
        ("1.0", [(">", "1.0")], False),
        ("1.0", [("<=", "1.0")], True),
    ],
)
def test_a_version_keeps_all_bounds_or_does_not_satisfy(version, bounds, answer):
    assert course.satisfies(version, bounds) is answer


def test_missing_names_what_is_absent_or_too_old_and_nothing_else(monkeypatch):
    lines = ["numpy>=2.0", "numpy>=99", "no-such-package>=1", "no-such-package; sys_platform == 'nowhere'"]
    monkeypatch.setattr(course, "requirements", lambda extras: lines)
    assert course.missing() == ["numpy>=99", "no-such-package>=1"]


def test_a_package_that_was_half_removed_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: None)
    assert course.missing() == course.requirements()


def test_an_unknown_extra_is_a_sentence_with_the_known_ones():
    with pytest.raises(SystemExit, match='no extra "tset".*cuda12, cuda13, test, parity, bench, class, browser'):
        course.requirements(["tset"])


def test_the_oldest_versions_are_a_constraints_file_that_keeps_every_bound():
    pins = {Requirement(line).name: str(Requirement(line).specifier) for line in course.oldest()}
    for line in course.requirements(["test", "browser"]):
        theirs = Requirement(line)
        assert pins[theirs.name].removeprefix("==") in theirs.specifier


# Which Python


@pytest.fixture
def away(tmp_path, monkeypatch):
    """course.py in a folder of its own, with no environment active and this Python lacking everything."""
    monkeypatch.setattr(course, "ROOT", tmp_path)
    monkeypatch.setattr(course, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(course, "STAMP", tmp_path / ".venv" / "minillm.json")
    monkeypatch.setattr(course, "PYPROJECT", tmp_path / "pyproject.toml")
    course.PYPROJECT.write_text("[project]\n", encoding="utf-8")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(course, "missing", lambda extras: ["numpy>=2.0"])
    monkeypatch.setattr(course, "lacks", lambda python, extras: ["numpy>=2.0"])
    return tmp_path


def test_this_python_is_used_if_it_lacks_nothing(away, monkeypatch):
    monkeypatch.setattr(course, "missing", lambda extras: [])
    assert course.environment(["test"]) == Path(sys.executable)


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_that_lacks_nothing_comes_first(away, monkeypatch, variable):
    monkeypatch.setenv(variable, str(away / "active"))
    monkeypatch.setattr(course, "missing", lambda extras: [])
    monkeypatch.setattr(course, "lacks", lambda python, extras: [])
    assert course.environment(["test"]) == course.python_of(away / "active")


def test_an_active_environment_that_lacks_something_is_told_what_and_left_alone(away, monkeypatch, capsys):
    monkeypatch.setenv("VIRTUAL_ENV", str(away / "active"))
    monkeypatch.setattr(course, "lacks", lambda python, extras: ["a>=1", "b>=2", "c>=3", "d>=4", "e>=5"])
    monkeypatch.setattr(course, "make_venv", lambda extras: "made")
    assert course.environment(["test"]) == "made"
    assert f"{away / 'active'} lacks a>=1, b>=2, c>=3 and 2 more; .venv is used" in capsys.readouterr().out
    assert list(away.iterdir()) == [course.PYPROJECT]


def test_an_active_dot_venv_is_kept_up_like_any_dot_venv(away, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", str(course.VENV))
    monkeypatch.setattr(course, "lacks", lambda python, extras: [])  # but its stamp may tell more
    monkeypatch.setattr(course, "make_venv", lambda extras: "made")
    assert course.environment(["test"]) == "made"


def test_another_python_is_asked_what_it_lacks():
    assert course.lacks(sys.executable, []) == course.missing([])
    assert course.lacks("no such program", []) == ["a Python that starts"]


def test_a_python_that_is_too_old_lacks_python(tmp_path, monkeypatch):
    (tmp_path / "course.py").write_text("raise SystemExit('too old')", encoding="utf-8")
    monkeypatch.setattr(course, "ROOT", tmp_path)
    assert course.lacks(sys.executable, []) == ["Python>=3.11"]


def test_what_is_welcome_goes_into_dot_venv_and_is_asked_of_no_other_environment(away, monkeypatch):
    asked = []
    monkeypatch.setenv("VIRTUAL_ENV", str(away / "active"))
    monkeypatch.setattr(course, "lacks", lambda python, extras: asked.append(extras) or ["a>=1"])
    monkeypatch.setattr(course, "make_venv", lambda extras: extras)
    assert course.environment(["test"], welcome=["browser"]) == ["test", "browser"]
    assert asked == [["test"]]


def test_what_is_welcome_and_cannot_be_installed_is_done_without(away, monkeypatch, capsys):
    asked = []

    def make_venv(extras):
        asked.append(extras)
        if "browser" in extras:
            raise course.NotInstalled("no network.")
        return "made"

    monkeypatch.setattr(course, "make_venv", make_venv)
    assert course.environment(["test"], welcome=["browser"]) == "made"
    assert "no network. Going on without browser." in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no network"):
        course.environment(["test", "browser"])
    assert asked == [["test", "browser"], ["test"], ["test", "browser"]]


# .venv


@pytest.fixture
def tools(away, monkeypatch):
    """venv and pip as lists of what they were asked; the .venv that they make has a Python that does start."""
    calls = []

    def create():
        calls.append("create")
        python = course.python_of(course.VENV)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(course, "create_venv", create)
    monkeypatch.setattr(course, "pip_install", lambda *words: calls.append(words[-1]))
    monkeypatch.setattr(course, "runs", lambda python, *words: "from importlib" not in words[-1])  # no PyTorch yet
    return calls


def project(extras):
    return f"{course.ROOT}[{extras}]"


def test_a_new_venv_is_made_once_and_the_second_time_nothing_is_done(tools, capsys):
    course.make_venv(["test"])
    assert tools == ["create", project("test")]
    assert course.make_venv(["test"]) == course.python_of(course.VENV)
    assert tools == ["create", project("test")]
    assert "Using .venv: nothing to install." in capsys.readouterr().out


def test_the_tests_of_the_course_are_installed_whatever_is_asked(tools):
    course.make_venv([])
    assert tools[-1] == project("test")


def test_pytorch_is_installed_before_anything_else(tools):
    course.make_venv(["test", "parity"])
    assert tools == ["create", "torch==2.13.0", project("parity,test")]


def test_the_benchmark_gets_its_pytorch_first_too(tools):
    course.make_venv(["bench"])
    assert tools == ["create", "torch==2.13.0", project("bench,test")]


def test_a_pytorch_that_is_there_is_used(tools, monkeypatch):
    monkeypatch.setattr(course, "runs", lambda python, *words: True)
    course.make_venv(["test", "parity"])
    assert tools == ["create", project("parity,test")]


def test_an_extra_that_was_installed_stays(tools):
    course.make_venv(["test", "parity"])
    course.make_venv(["test"])
    assert len(tools) == 3


def test_a_changed_pyproject_is_installed_without_starting_anew(tools):
    course.make_venv(["test"])
    course.PYPROJECT.write_text("[project]\nname = 'x'\n", encoding="utf-8")
    course.make_venv(["test"])
    assert tools == ["create", project("test"), project("test")]


def test_a_venv_that_has_all_needs_no_network(tools, monkeypatch):
    course.make_venv(["test"])
    monkeypatch.setattr(course, "lacks", lambda python, extras: [])
    course.PYPROJECT.write_text("[project]\nname = 'x'\n", encoding="utf-8")
    course.make_venv(["test", "parity"])
    assert tools == ["create", project("test")]
    assert course.read_stamp() == {**course.fingerprint(), "extras": ["parity", "test"]}


@pytest.mark.parametrize("moment", ["create_venv", "pip_install"])
def test_an_interrupted_set_up_is_started_anew(tools, monkeypatch, moment):
    def interrupt(*words):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(course, moment, interrupt)
        course.make_venv(["test"])
    tools.clear()
    course.make_venv(["test"])
    assert tools == ["create", project("test")]


def test_an_update_that_was_interrupted_is_started_anew(tools, monkeypatch):
    course.make_venv(["test"])

    def interrupt(*words):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(course, "pip_install", interrupt)
        course.make_venv(["test", "parity"])
    tools.clear()
    course.make_venv(["test"])
    assert tools[0] == "create"


def test_an_update_that_fails_leaves_what_was_there_in_use(tools, monkeypatch):
    course.make_venv(["test"])

    def fail(*words):
        raise SystemExit("no network")

    with monkeypatch.context() as patch, pytest.raises(SystemExit, match="no network"):
        patch.setattr(course, "pip_install", fail)
        course.make_venv(["test", "parity"])
    tools.clear()
    course.make_venv(["test"])
    assert tools == []


def test_another_version_of_python_makes_venv_anew(tools, monkeypatch, capsys):
    course.make_venv(["test"])
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "99", "0"))
    course.make_venv(["test"])
    assert tools[2:] == ["create", project("test")]
    assert "and this is 3.99" in capsys.readouterr().out


def test_a_folder_that_moved_makes_venv_anew(tools):
    course.make_venv(["test"])
    stamp = course.read_stamp()
    course.write_stamp({**stamp, "folder": "elsewhere"})
    course.make_venv(["test"])
    assert tools[2:] == ["create", project("test")]


def test_a_venv_whose_python_does_not_start_is_made_anew(tools, monkeypatch):
    course.make_venv(["test"])
    course.python_of(course.VENV).unlink()
    monkeypatch.setattr(course, "runs", lambda python, *words: False)
    course.make_venv(["test"])
    assert tools[2:] == ["create", project("test")]


def test_a_venv_that_somebody_made_by_hand_is_added_to_and_not_replaced(tools):
    course.VENV.mkdir()
    course.make_venv(["test"])
    assert tools == [project("test")]


def test_a_stamp_that_cannot_be_read_counts_as_none(tools):
    course.make_venv(["test"])
    course.STAMP.write_text("{", encoding="utf-8")
    course.make_venv(["test"])
    assert tools == ["create", project("test"), project("test")]


def test_a_venv_that_is_active_is_not_taken_from_under_the_running_python(tools, monkeypatch):
    course.write_stamp({"unfinished": True})
    monkeypatch.setattr(sys, "prefix", str(course.VENV))
    with pytest.raises(SystemExit, match="run `deactivate`"):
        course.make_venv(["test"])
    assert tools == []


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_python_without_ensurepip_is_told_which_package_to_install(away, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    minor = ".".join(platform.python_version_tuple()[:2])
    with pytest.raises(SystemExit, match=rf"sudo apt install python{minor}-venv"):
        course.create_venv()


def test_a_new_venv_is_empty_has_pip_and_counts_as_unfinished(away, monkeypatch):
    asked = {}

    def create(folder, **options):
        asked.update(options)
        folder.mkdir()

    monkeypatch.setattr("venv.create", create)
    course.create_venv()
    assert asked == {"clear": True, "with_pip": True, "symlinks": os.name != "nt"}
    assert course.read_stamp() == {"unfinished": True}


def test_an_ensurepip_that_fails_is_told_which_package_to_install(away, monkeypatch):
    def create(folder, **options):
        raise subprocess.CalledProcessError(1, "ensurepip")

    monkeypatch.setattr("venv.create", create)
    with pytest.raises(SystemExit, match="sudo apt install"):
        course.create_venv()


def test_a_folder_that_cannot_be_written_is_a_sentence(tools, monkeypatch):
    def refuse(*words):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(course, "write_stamp", refuse)
    with pytest.raises(SystemExit, match=r"could not be made: .*Permission denied.*read-only"):
        course.make_venv(["test"])


def test_pip_that_fails_is_a_sentence(away, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: subprocess.CompletedProcess(words, 1))
    with pytest.raises(SystemExit, match="pip could not install .* Is there a network"):
        course.pip_install("x")


# The commands


def library(folder, corpus):
    """A minillm whose corpus.py says this, found before any other that is installed."""
    (folder / "minillm").mkdir()
    (folder / "minillm" / "__init__.py").touch()
    (folder / "minillm" / "corpus.py").write_text(corpus, encoding="utf-8")


def test_a_text_that_cannot_be_fetched_is_a_warning_and_no_stop(away, capsys):
    library(away, "def cached(name): raise OSError('no network at all')\n")
    course.fetch_text(sys.executable)
    out = capsys.readouterr().out
    assert out.startswith("Warning: the text could not be fetched") and "no network at all" in out


def test_a_warning_of_the_library_is_shown_as_a_sentence(away, capfd):
    body = "import warnings\ndef cached(name): return True\ndef load(name): warnings.warn('pydocs takes its place')\n"
    library(away, body)
    course.fetch_text(sys.executable)
    assert capfd.readouterr().out.strip() == "Warning: pydocs takes its place"


@pytest.fixture
def ran(away, monkeypatch):
    """What the commands start: (words, environment) pairs; the Python is this one, and there is no text to fetch."""
    started = []

    def run(words, **options):
        started.append((words, options.get("env", {})))
        return subprocess.CompletedProcess(words, 3 if "check" in words else 0)

    monkeypatch.setattr(course, "environment", lambda extras, welcome=(): Path(sys.executable))
    monkeypatch.setattr(course, "fetch_text", lambda python: None)
    monkeypatch.setattr(course, "has", lambda python, package: False)
    monkeypatch.setattr(course, "chromium", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(subprocess, "run", run)
    (away / "notebooks").mkdir()
    (away / "notebooks" / "a.ipynb").touch()
    return started


def test_every_stage_runs_also_after_one_that_failed(ran, capsys):
    assert course.main(["test"]) == 1
    names = [words[2] + " " + words[3] for words, _ in ran]
    assert names == ["ruff check", "ruff format", "codespell_lib .", "pytest -n", "pytest --nbval"]
    out = capsys.readouterr().out
    assert "lint        FAILED (3)" in out and "notebooks   ok" in out


SKIPPED = {
    "parity": "parity      skipped: PyTorch is not installed here. To run it: python course.py test --parity",
    "class": "class       skipped: nbgrader is not installed here. To run it: python course.py test --all",
    "browser": "browser     skipped: Playwright is not installed here. To run it: python course.py test --all",
}


def test_what_is_left_out_is_said_in_one_line_each(ran, monkeypatch, capsys):
    course.main(["test"])
    assert [line for line in capsys.readouterr().out.splitlines() if "skipped" in line] == list(SKIPPED.values())
    monkeypatch.setattr(course, "has", lambda python, package: package != "nbgrader")
    course.main(["test"])
    assert [line for line in capsys.readouterr().out.splitlines() if "skipped" in line] == [SKIPPED["class"]]


def test_without_a_browser_that_is_what_is_said(ran, monkeypatch, capsys):
    monkeypatch.setattr(course, "chromium", lambda: None)
    course.main(["test"])
    out = capsys.readouterr().out
    assert "browser     skipped: there is no Chromium or Chrome on PATH, or none where CHROMIUM says." in out
    assert "Playwright" not in out


def test_without_notebooks_that_is_what_is_said(ran, away, capsys):
    (away / "notebooks" / "a.ipynb").unlink()
    course.main(["test"])
    assert "notebooks   skipped: there are none yet." in capsys.readouterr().out and "--nbval" not in ran[-1][0]


@pytest.mark.parametrize(
    ("words", "browser", "extras", "welcome"),
    [
        ([], None, ["test"], []),
        ([], "/usr/bin/chromium", ["test"], ["browser"]),
        (["--parity"], "/usr/bin/chromium", ["test", "parity"], ["browser"]),
        (["--all"], None, ["test", "parity", "class", "browser"], []),
    ],
)
def test_what_each_option_asks_of_the_environment(ran, monkeypatch, words, browser, extras, welcome):
    asked = []

    def environment(extras, welcome=()):
        asked.append((extras, list(welcome)))
        return Path(sys.executable)

    monkeypatch.setattr(course, "environment", environment)
    monkeypatch.setattr(course, "chromium", lambda: browser)
    course.main(["test", *words, "-k", "rotary"])
    assert asked == [(extras, welcome)]
    assert ran[3][0][-2:] == ["-k", "rotary"] and not {"--all", "--parity"} & set(ran[3][0])


def program(folder, name):
    """An empty program of this name, which can be started."""
    path = folder / (name + (".exe" if os.name == "nt" else ""))
    path.touch()
    path.chmod(0o755)
    return str(path)


def test_chromium_is_found_on_the_path_and_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert course.chromium() is None
    chrome = program(tmp_path, "google-chrome")
    assert course.chromium() == chrome
    assert course.chromium() != program(tmp_path, "chromium") == course.chromium()
    monkeypatch.setenv("CHROMIUM", chrome)
    assert course.chromium() == chrome
    monkeypatch.setenv("CHROMIUM", "no such program")
    assert course.chromium() is None


def test_all_stages_that_pass_make_the_command_pass(ran, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda words, **options: subprocess.CompletedProcess(words, 0))
    assert course.main(["test"]) == 0


def test_parity_tests_are_left_out_only_without_pytorch(ran, monkeypatch, capsys):
    course.main(["test", "-k", "rotary"])
    assert ran[3][0][-4:] == ["-m", "not parity", "-k", "rotary"]
    monkeypatch.setattr(course, "has", lambda python, package: True)
    ran.clear()
    course.main(["test", "--parity", "-k", "rotary"])
    assert "not parity" not in ran[3][0] and ran[3][0][-2:] == ["-k", "rotary"] and "--parity" not in ran[3][0]


def test_notebooks_are_compared_strictly_unless_lax_is_asked_for(ran):
    course.main(["test"])
    assert "--nbval" in ran[-1][0] and "--nbval-lax" not in ran[-1][0]
    course.main(["test", "--lax"])
    assert "--nbval-lax" in ran[-1][0] and "--nbval" not in ran[-1][0] and "--lax" not in ran[-2][0]


def test_exercises_are_run_once_there_are_some(ran, away):
    course.main(["test"])
    assert ran[-1][0][-1] == "notebooks"
    (away / "exercises").mkdir()
    (away / "exercises" / "b.ipynb").touch()
    course.main(["test"])
    assert ran[-1][0][-2:] == ["notebooks", "exercises"]


def test_tests_count_on_one_thread_and_the_lab_on_all(ran, monkeypatch):
    for name in course.THREADS:
        monkeypatch.delenv(name, raising=False)
    course.main(["test"])
    assert all(env["OPENBLAS_NUM_THREADS"] == env["OMP_NUM_THREADS"] == "1" for _, env in ran)
    course.main(["lab"])
    assert "OPENBLAS_NUM_THREADS" not in ran[-1][1]


def test_tests_and_notebooks_draw_the_same_probes_and_leave_the_progress_of_a_learner_alone(ran, monkeypatch):
    monkeypatch.setenv("MINILLM_SEED", "7")
    monkeypatch.setenv("MINILLM_PROGRESS", "mine.json")
    course.main(["test"])
    course.main(["notebooks"])
    assert len(ran) == 6 and {(env["MINILLM_SEED"], env["MINILLM_PROGRESS"]) for _, env in ran} == {("0", "off")}
    course.main(["lab"])
    assert (ran[-1][1]["MINILLM_SEED"], ran[-1][1]["MINILLM_PROGRESS"]) == ("7", "mine.json")


def test_the_lab_shows_the_notebooks_and_the_exercises_are_next_door(ran, away):
    course.main(["lab"])
    words, _ = ran[-1]
    assert f"--ServerApp.root_dir={away}" in words and "--LabApp.default_url=/lab/tree/notebooks" in words


def test_notebooks_find_the_library_and_the_programs_of_their_python(ran, away, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "mine")
    course.main(["lab", "--no-browser", "--port", "8899"])
    words, env = ran[-1]
    assert words[-3:] == ["--no-browser", "--port", "8899"]
    assert env["PYTHONPATH"] == os.pathsep.join([str(away), "mine"])
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_the_options_of_the_benchmark_are_shown_without_installing_it(monkeypatch, capfd):
    monkeypatch.setattr(course, "environment", lambda extras: pytest.fail("it was set up"))
    assert course.main(["bench", "--help"]) == 0
    assert "--profile" in capfd.readouterr().out


def test_a_wrong_word_gets_the_list_of_right_ones(capsys):
    assert course.main(["tset"]) == 2
    printed = capsys.readouterr()
    assert "python course.py lab" in printed.out
    assert 'There is no "tset". There are: lab, test, notebooks, bench, setup' in printed.err
    assert course.main([]) == 2
    assert course.main(["--help"]) == 0


def test_an_older_python_is_told_so_in_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        course.main(["test"])


def test_an_older_python_gets_as_far_as_that_sentence():
    ast.parse(Path(course.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_what_course_says_is_ascii_for_consoles_that_know_no_more():
    assert Path(course.__file__).read_text(encoding="utf-8").isascii()


def test_nothing_but_the_standard_library_is_imported():
    tree = ast.parse(Path(course.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


# Notebooks that are executed in place

CELLS = [
    ("code", "import time, random\nimport minillm\nfrom IPython.display import display", []),
    ("markdown", "Words.", []),
    ("code", "print('loss 1.8700')\nprint(object())\ntime.sleep(0.01)\nprint(f'took {time.perf_counter():.5f} s')", []),
    ("code", "print(random.random())", ["nbval-ignore-output"]),
    ("code", "from ipywidgets import interact\n@interact(x=(0, 10))\ndef double(x=3):\n    print(x * 2)", []),
    ("code", "import warnings\nwarnings.warn('careful')\n1 + 1", []),
    ("code", "2 + 2;", []),
]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A notebook of an older format, without ids, that has never been executed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(course.__file__).parent))
    cells = []
    for kind, source, tags in CELLS:
        cell = {"cell_type": kind, "source": source, "metadata": {"tags": tags} if tags else {}}
        cells.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), encoding="utf-8")
    return path


def nbval(path):
    """Whether strict nbval passes, and what it says."""
    words = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={execute_notebooks.SANITIZE}", str(path)]
    words = [sys.executable, "-m", "pytest", "-q", "--color=no", "-c", os.devnull, "-p", "no:cacheprovider", *words]
    answer = subprocess.run(words, cwd=path.parent, capture_output=True, encoding="utf-8")
    return answer.returncode == 0, answer.stdout


def test_executed_twice_a_notebook_stays_the_same_and_nbval_agrees(notebook):
    assert execute_notebooks.execute(notebook)
    once = notebook.read_bytes()
    assert not execute_notebooks.execute(notebook)
    assert notebook.read_bytes() == once
    stored = nbformat.reads(once.decode(), as_version=4)
    nbformat.validate(stored)
    assert [cell.metadata.get("tags", []) for cell in stored.cells] == [tags for _, _, tags in CELLS]
    assert len({cell.id for cell in stored.cells}) == len(CELLS)
    assert [cell.execution_count for cell in stored.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5, 6]
    assert str(notebook.parent) not in once.decode() and "ipykernel_" not in once.decode()
    assert b"widget-view" not in once and b"iopub" not in once
    passed, said = nbval(notebook)
    assert passed, said


def test_a_changed_number_is_found_by_nbval_and_written_by_the_next_run(notebook):
    execute_notebooks.execute(notebook)
    stored = nbformat.read(notebook, as_version=4)
    right = notebook.read_text(encoding="utf-8")
    wrong = right.replace('"loss 1.8700\\n"', '"loss 1.8887\\n"')
    assert wrong != right and stored.cells[2].outputs
    notebook.write_text(wrong, encoding="utf-8", newline="\n")
    passed, said = nbval(notebook)
    assert not passed and "loss 1.8887" in said
    assert execute_notebooks.execute(notebook)
    assert '"loss 1.8700\\n"' in notebook.read_text(encoding="utf-8")


def test_what_is_random_is_renewed_when_the_code_changes_or_fresh_is_given(notebook):
    def drawn():
        return nbformat.read(notebook, as_version=4).cells[3].outputs[0].text

    execute_notebooks.execute(notebook)
    first = drawn()
    execute_notebooks.execute(notebook, fresh=True)
    second = drawn()
    assert second != first
    text = notebook.read_text(encoding="utf-8")
    notebook.write_text(text.replace("1 + 1", "1 + 2"), encoding="utf-8", newline="\n")
    execute_notebooks.execute(notebook)
    assert drawn() != second


def test_a_notebook_whose_cell_fails_is_left_as_it_was(notebook, capsys):
    broken = notebook.read_text(encoding="utf-8").replace("1 + 1", "1 / 0")
    notebook.write_text(broken, encoding="utf-8", newline="\n")
    assert execute_notebooks.main([str(notebook)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert notebook.read_text(encoding="utf-8") == broken
    assert list(notebook.parent.iterdir()) == [notebook]


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_a_sentence(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.ipynb is not a notebook"):
        execute_notebooks.execute(tmp_path / "a.ipynb")


def test_stored_outputs_hold_no_path_of_this_machine():
    root, nowhere = str(execute_notebooks.ROOT), os.sep.join(["", "home", "me", "lib", "python3.11", "site-packages"])
    output = {
        "text": f"{root}{os.sep}minillm{os.sep}layers.py:12: UserWarning",
        "traceback": [f"File {nowhere}{os.sep}numpy{os.sep}linalg.py", f"{root}"],
        "data": {"image/png": root, execute_notebooks.VIEW: {"model_id": "random"}},
    }
    assert execute_notebooks.without_paths(output) == {
        "text": f"minillm{os.sep}layers.py:12: UserWarning",
        "traceback": [f"File numpy{os.sep}linalg.py", "."],
        "data": {"image/png": root},
    }
