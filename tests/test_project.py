"""What the files of the project say about each other holds."""

import ast
import collections
import graphlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = sorted((ROOT / "minillm").rglob("*.py"))

# From the bottom to the top: a file may import from the rows above its own, and never from its own row or below.
# A new file of the library gets its place here.
ORDER = [
    ["__init__", "grader"],
    ["describe"],
    ["canvas"],
    ["circle", "languages"],
    ["spectral", "facts"],
    ["descent", "runs"],
    ["surface"],
    ["scaling"],
    ["bootstrap", "isoflop"],
    ["gamma", "registration"],
    ["fit"],
    ["specs", "bpe", "config", "door", "shakespeare", "download", "runlog", "ngram", "machine", "plots", "atomic"],
    ["grader.alarm", "grader.sink", "grader.progress", "grader.score"],
    ["grader.guard"],
    ["kernels", "kernels.one_token", "kernels.gpu"],
    ["kernels.cpu"],
    ["backend", "batches", "tokenizer", "corpus", "counts", "shared", "figures", "staircase", "lawplot", "cone"],
    ["trees", "layers", "cache", "material", "pretrained", "pretend"],
    ["gpt", "optim", "check", "checkpoints", "widgets", "dashboard"],
    ["sample", "recipe", "passes", "precision", "inside", "kernels.checks", "grader.counterexample"],
    ["sources", "report", "handout", "workers", "grader.exercise"],
    ["grader.trial", "grader.private", "grader.diagnosis", "grader.parcel", "stored"],
    ["exam"],
    ["rung"],
    ["plan"],
    ["ladder"],
    ["wager"],
    ["train", "doctor", "grader.there_and_back", "grader.values"],
    ["panels.*"],
    ["bank.*"],  # the bank of exercises, and its chapters; among themselves they are free of circles
    ["grading", "grader.submission"],
    ["grader.selftest", "grader.child"],
    ["grader.headless"],
    ["grader.marks"],
    ["__main__"],
]
# backend sits below trees; to_gpu and to_cpu reach up for map_leaves when they are called.
REACHES_UP = {"backend": {"trees"}}


def name_of(path):
    """minillm/kernels/cpu.py is kernels.cpu, minillm/kernels/__init__.py is kernels."""
    parts = path.relative_to(ROOT / "minillm").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def tracked():
    """The files that git knows, or else those that lie here without what .gitignore names."""
    listing = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True) if (ROOT / ".git").exists() else None
    )
    if listing and listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    made = {".venv", ".git", "__pycache__", "build", "dist", "runs"}
    found = (path for path in ROOT.rglob("*") if path.is_file())
    return [
        path
        for path in found
        if not any(
            part in made or part.endswith((".egg-info", "_cache", "_checkpoints"))
            for part in path.relative_to(ROOT).parts
        )
    ]


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def conda_packages():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    return set(yaml.safe_load(text)["dependencies"])


def test_environment_yml_asks_for_what_pyproject_asks_for():
    project = pyproject()["project"]
    wanted = {f"python{project['requires-python']}", "pip"}
    wanted |= set(project["dependencies"]) | set(project["optional-dependencies"]["test"])
    assert conda_packages() == wanted


def test_cupy_in_environment_yml_is_a_comment_with_the_bound_of_the_extras():
    optional = pyproject()["project"]["optional-dependencies"]
    bounds = {
        re.search(r">=[\d.]+", line)[0] for lines in optional.values() for line in lines if line.startswith("cupy")
    }
    assert bounds == {">=14.0"}
    assert "\n  # - cupy>=14.0\n" in (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_cupy_is_asked_for_by_the_names_that_are_wheels_and_never_on_macos():
    for extra, lines in pyproject()["project"]["optional-dependencies"].items():
        for line in lines:
            if line.startswith("cupy"):
                assert re.match(r"cupy-cuda1[23]x\b", line) and line.endswith("; sys_platform != 'darwin'"), (
                    extra,
                    line,
                )


def test_every_extra_that_is_spoken_of_exists():
    extras = set(pyproject()["project"]["optional-dependencies"])
    assert {"cuda12", "cuda13", "test", "parity", "class", "browser"} <= extras


def test_ci_runs_the_command_that_readers_run():
    script = ROOT / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == "python3 course.py test --all"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no executable bit")
def test_ci_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_workflow_covers_the_systems_and_pythons_that_we_claim():
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    jobs = workflow["jobs"]
    systems = {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert set(workflow[True]) == {"push", "pull_request", "schedule"}  # YAML reads the key `on` as true
    assert set(jobs["newest"]["strategy"]["matrix"]["system"]) == systems
    assert jobs["newest"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert set(jobs["oldest"]["strategy"]["matrix"]["system"]) == systems
    assert jobs["reference"]["steps"][-1]["run"] == ".ci/run"
    assert all(jobs[name]["steps"][-1]["run"] == "python course.py test --lax" for name in ("newest", "oldest"))
    assert jobs["fresh"]["if"] == "github.event_name == 'schedule'"
    assert jobs["fresh"]["steps"][-1]["run"].endswith("tests/fresh.py") and (ROOT / "tests" / "fresh.py").exists()
    assert "has not been run yet" in text and "has not been run yet" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_no_file_names_a_machine():
    """No absolute path of the machine it was made on, and no host of a package registry."""
    paths = r"(?<![\w.~-])/(?:work|root|tmp|opt/pypi)/"
    hosts = (
        r"\b(?:"
        + "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "registry" + r"\.npm", "deb" + r"\.debian"])
        + ")"
    )
    found = []
    for path in tracked():
        if path.suffix in (".png", ".npz", ".gz"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(f"{paths}|{hosts}", line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    # this file holds the patterns themselves
    assert [line for line in found if not line.startswith(("tests/test_project.py", "tests\\test_project.py"))] == []


def test_every_text_file_is_utf8_and_ends_its_lines_alike():
    for path in tracked():
        if path.suffix not in (".png", ".npz", ".gz"):
            raw = path.read_bytes()
            raw.decode("utf-8")
            assert b"\r" not in raw, path
            assert not raw or raw.endswith(b"\n"), f"{path} ends without a new line"


def test_the_readme_shows_every_name_at_the_top():
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not written yet")
    text = readme.read_text(encoding="utf-8")
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    lost = [name for name in sorted(names) if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    assert lost == [], f"README.md does not say what these are: {lost}"


def test_the_version_is_the_same_everywhere():
    version = re.search(r'__version__ = "(.+)"', (ROOT / "minillm" / "__init__.py").read_text(encoding="utf-8"))[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_file_of_the_package_that_is_not_python_is_packaged():
    patterns = pyproject()["tool"]["setuptools"]["package-data"]["minillm"]
    packaged = {path for pattern in patterns for path in (ROOT / "minillm").glob(pattern)}
    data = {path for path in tracked() if "minillm" in path.relative_to(ROOT).parts[:1] and path.suffix != ".py"}
    assert data <= packaged


def test_every_file_of_the_library_has_its_place_in_the_order_of_imports():
    placed = [name for row in ORDER for name in row]
    assert len(placed) == len(set(placed))
    assert [name_of(path) for path in LIBRARY if row_of(name_of(path)) not in placed] == []


def row_of(name):
    """The name under which a file stands in ORDER: those of a folder that has a row for all are one."""
    folder = f"{name.partition('.')[0]}.*"
    return folder if any(folder in row for row in ORDER) else name


def imports_of_ours(path):
    """The files of the library that this one imports, at the top or inside a function."""
    found = set()
    home = ["minillm", *path.relative_to(ROOT / "minillm").parts[:-1]]  # what one dot stands for
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = home[: len(home) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            folder = ROOT.joinpath(*module.split("."))
            if module.startswith("minillm") and folder.is_dir():
                inner = module.removeprefix("minillm").removeprefix(".")
                names = [alias.name for alias in node.names if (folder / f"{alias.name}.py").exists()]
                found |= {f"{inner}.{name}" if inner else name for name in names}
            elif module.startswith("minillm."):
                found.add(module.removeprefix("minillm."))
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("minillm.") for alias in node.names if alias.name.startswith("minillm.")}
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_imports_point_down_only(path):
    height = collections.defaultdict(lambda: len(ORDER))  # a file without a place stands highest
    height.update({name: level for level, row in enumerate(ORDER) for name in row})
    name = name_of(path)
    others = {other for other in imports_of_ours(path) if row_of(other) != row_of(name) or "*" not in row_of(name)}
    up = {other for other in others if height[row_of(other)] >= height[row_of(name)]} - REACHES_UP.get(name, set())
    assert up == set(), f"{name} imports {up}, which stand as high or higher"


@pytest.mark.parametrize("folder", sorted({row_of(name_of(path)) for path in LIBRARY if "*" in row_of(name_of(path))}))
def test_files_in_a_folder_that_has_one_row_import_each_other_without_circles(folder):
    inside = {name_of(path): imports_of_ours(path) for path in LIBRARY if row_of(name_of(path)) == folder}
    order = graphlib.TopologicalSorter({name: others & inside.keys() for name, others in inside.items()})
    assert [*order.static_order()]


def third_party_after(statement):
    """The packages, beside ours and the standard library's, that a fresh Python holds after this statement."""
    code = (
        f"import sys; before = set(sys.modules); {statement}; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", check=True
    )
    return {name for name in answer.stdout.split() if name not in sys.stdlib_module_names} - {"minillm"}


def test_import_minillm_loads_nothing_but_numpy():
    assert third_party_after("import minillm") <= {"numpy"}


def test_every_file_of_the_library_loads_nothing_but_numpy():
    names = [name_of(path) for path in LIBRARY if name_of(path) not in ("__init__", "__main__")]
    numpy_alone = third_party_after("import numpy.random")  # what its compiled parts bring with them
    assert third_party_after(f"import {', '.join(f'minillm.{name}' for name in names)}") <= numpy_alone


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_public_functions_and_classes_say_what_they_are(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert ast.get_docstring(tree), f"{path.name} does not say what it is"
    assert silent == [], f"{path.name}: no docstring in {silent}"
