"""Set up the course and use it, with nothing but Python's standard library.

python course.py lab          open JupyterLab on notebooks/             (what follows is passed on to JupyterLab)
python course.py test         run everything that must pass             (what follows is passed on to pytest)
    --parity                  also compare with PyTorch, and install it into .venv where it is missing
    --all                     and also try a class with nbgrader, and the notebooks in a browser with Playwright
    --lax                     run the notebooks without comparing what they print
python course.py notebooks    execute the notebooks in place: all, or those that are named
python course.py bench        measure the speed beside PyTorch and others, and install them into .venv where missing
python course.py setup        only set up
python course.py missing      what the project needs and this Python lacks   (names of extras may follow)
python course.py oldest       the oldest versions that the project admits, as constraints for pip

Each of the first five sets up first: an environment that is active, or the Python that runs this file, is used
if it has all that pyproject.toml asks for; otherwise .venv is made, mended or brought up to date. Where `test` uses
.venv and there is a Chromium or Chrome, it gets Playwright too, which drives the notebooks in that browser.
"""

import hashlib
import json
import operator
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PYPROJECT = ROOT / "pyproject.toml"
VENV = ROOT / ".venv"
STAMP = VENV / "minillm.json"  # what was installed, written last; while work is under way it says "unfinished"
TORCH = "torch==2.13.0"  # installed before all else, so that nothing else picks a bigger build
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def say(line):
    print(line, flush=True)


# What the project needs


def requirements(extras=()):
    """The requirements that pyproject.toml lists, with those of the extras.  SystemExit if there is no such extra."""
    import tomllib  # Python 3.11 and later; main() has seen to that

    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for extra in extras:
        if extra not in optional:
            raise SystemExit(f'There is no extra "{extra}". There are: {", ".join(optional)}.')
    return project["dependencies"] + [requirement for extra in extras for requirement in optional[extra]]


def parse(requirement):
    """(name, [(sign, version), ...], whether it applies to this system).  ValueError if it cannot be read."""
    pattern = r"""([\w.-]+) \s* (?:\[[\w, ]+\])? \s* ([^;\[\]]*?) \s* (?:; \s* sys_platform \s* ([!=]=) \s* '(\w+)')?"""
    whole = re.fullmatch(pattern, requirement, re.VERBOSE)
    bounds = (
        [re.fullmatch(r"\s*(>=|<=|==|!=|>|<)\s*([\w.]+)\s*", part) for part in whole[2].split(",")] if whole else []
    )
    if not whole or (whole[2] and None in bounds):
        raise ValueError(f"course.py cannot read this requirement of pyproject.toml: {requirement}")
    applies = whole[3] is None or (whole[3] == "==") == (whole[4] == sys.platform)
    return whole[1], [bound.groups() for bound in bounds if bound], applies


def order(version):
    """A key that sorts versions: 2.0rc1, then 2.0 = 2.0.0 = 2.0+cpu, then 2.0.post1, then 2.0.1, then 2.10."""
    number, rest = re.match(r"v?(\d+(?:\.\d+)*)[-_.]?([^+]*)", version.lower()).groups()
    release = [int(part) for part in number.split(".")]
    while release[1:] and release[-1] == 0:
        release.pop()
    return release, 0 if not rest else 1 if rest.startswith(("post", "rev")) else -1


def satisfies(version, bounds):
    """Whether the version keeps all the bounds, for example [(">=", "2.0"), ("<", "3")]."""
    return all(COMPARE[sign](order(version), order(limit)) for sign, limit in bounds)


def missing(extras=()):
    """The requirements that the Python which runs this file does not meet."""
    from importlib import metadata

    lacking = []
    for requirement in requirements(extras):
        name, bounds, applies = parse(requirement)
        try:
            version = metadata.version(name)  # None where an interrupted pip left half of a package
        except metadata.PackageNotFoundError:
            version = None
        if applies and not (version and satisfies(version, bounds)):
            lacking.append(requirement.partition(";")[0])
    return lacking


def oldest(extras=("test", "browser")):
    """One line "name==version" for each lower bound, as a constraints file for pip."""
    parsed = [parse(requirement) for requirement in requirements(extras)]
    return [f"{name}=={version}" for name, bounds, _ in parsed for sign, version in bounds if sign == ">="]


# Which Python to use


def python_of(prefix):
    """Where the environment at this folder keeps its Python."""
    if os.name != "nt":
        return Path(prefix) / "bin" / "python"
    in_scripts = Path(prefix) / "Scripts" / "python.exe"  # conda keeps it one folder higher
    return in_scripts if in_scripts.exists() else Path(prefix) / "python.exe"


def same(a, b):
    return Path(a).resolve() == Path(b).resolve()


def lacks(python, extras):
    """missing(), asked of another Python; one that is broken or too old lacks Python itself."""
    command = [str(python), str(ROOT / "course.py"), "missing", *extras]
    try:
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ["a Python that starts"]
    if answer.returncode > 1 or (answer.returncode == 1 and not answer.stdout):
        return ["Python>=3.11"]
    return answer.stdout.splitlines()


def environment(extras, welcome=()):
    """The Python to use: that of the active environment or this one if they lack nothing, else that of .venv.

    What is `welcome` is installed into .venv, if that can be done, and asked of no other environment.
    """
    active = [os.environ[name] for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    seen = [VENV]
    for prefix in [*active, sys.prefix]:
        if any(same(prefix, other) for other in seen):
            continue
        seen.append(prefix)
        here = same(prefix, sys.prefix)
        lacking = missing(extras) if here else lacks(python_of(prefix), extras)
        if not lacking:
            say(f"Using the environment {prefix}: it has all that is needed.")
            return Path(sys.executable) if here else python_of(prefix)
        if prefix in active or sys.prefix != sys.base_prefix:
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            say(f"The environment {prefix} lacks {', '.join(lacking[:3])}{more}; .venv is used in its place.")
    try:
        return make_venv([*extras, *welcome])
    except NotInstalled as error:
        if not welcome:
            raise
        say(f"{error} Going on without {', '.join(welcome)}.")
        return make_venv(extras)


def fingerprint():
    """What .venv depends on: this Python's version, this folder, and pyproject.toml to the letter."""
    minor = ".".join(platform.python_version_tuple()[:2])
    return {"python": minor, "folder": str(ROOT), "pyproject": hashlib.sha256(PYPROJECT.read_bytes()).hexdigest()}


def read_stamp():
    """The stamp of .venv; {} if there is none or it cannot be read."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(contents):
    VENV.mkdir(exist_ok=True)
    STAMP.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


def runs(python, *words):
    """Whether this Python ends well when it is started with these words."""
    try:
        return subprocess.run([str(python), *words], capture_output=True, timeout=120).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def reason_to_rebuild(stamp, now):
    """Why .venv must be made from nothing, as a few words; "" if it can be kept."""
    if not VENV.exists():
        return "there is none yet"
    if stamp.get("unfinished"):
        return "the last set-up did not finish"
    if stamp and stamp.get("folder") != now["folder"]:
        return "the folder of the course has moved"
    if stamp and stamp.get("python") != now["python"] and not same(sys.prefix, VENV):
        return f"it holds Python {stamp.get('python')} and this is {now['python']}"
    python = python_of(VENV)
    pip_works = runs(python, "-m", "pip", "--version") or runs(python, "-m", "ensurepip")
    return "" if pip_works else "its Python or its pip does not start"


def make_venv(extras):
    """Make .venv, mend it or bring it up to date, where that is needed; its Python."""
    now, stamp = fingerprint(), read_stamp()
    wanted = sorted({"test", *extras, *stamp.get("extras", [])})
    if stamp == {**now, "extras": wanted} and python_of(VENV).exists():
        say("Using .venv: nothing to install.")
        return python_of(VENV)
    start = time.perf_counter()
    why = reason_to_rebuild(stamp, now)
    if stamp and not why and not lacks(python_of(VENV), wanted):
        write_stamp({**now, "extras": wanted})
        say("Using .venv: it has all that is needed.")
        return python_of(VENV)
    if why and same(sys.prefix, VENV):
        raise SystemExit(f".venv must be made again ({why}), but it is active: run `deactivate`, then try again.")
    try:
        write_stamp({**stamp, "unfinished": True})
        if why:
            say(f"Making .venv with Python {platform.python_version()} ({why}).")
            create_venv()
        say(f"Installing the course and what it needs into .venv ({', '.join(wanted)}): minutes the first time.")
        if {"parity", "bench"} & set(wanted) and not has(python_of(VENV), "torch"):
            pip_install(TORCH)
        pip_install("--editable", f"{ROOT}[{','.join(wanted)}]")
    except SystemExit:
        if not why:
            write_stamp(stamp)  # pip changes nothing when it fails, so .venv is as good as it was before
        raise
    except OSError as error:
        raise SystemExit(f"{VENV} could not be made: {error}. Is the disk full, or the folder read-only?") from None
    write_stamp({**now, "extras": wanted})
    say(f".venv is ready after {time.perf_counter() - start:.0f} seconds.")
    return python_of(VENV)


def has(python, package):
    return runs(python, "-c", f"from importlib.metadata import version; version('{package}')")


def create_venv():
    """An empty .venv with pip.  SystemExit with advice if Python came without venv or ensurepip."""
    advice = (
        "This Python cannot make a virtual environment: its modules venv and ensurepip are missing or broken. "
        f"On Debian and Ubuntu: sudo apt install python{'.'.join(platform.python_version_tuple()[:2])}-venv. "
        "Elsewhere: install Python from python.org, or use conda with environment.yml."
    )
    try:
        import ensurepip  # noqa: F401  (Debian ships venv without it)
        import venv
    except ImportError:
        raise SystemExit(advice) from None
    try:
        venv.create(VENV, clear=True, symlinks=os.name != "nt", with_pip=True)
    except subprocess.CalledProcessError:
        raise SystemExit(advice) from None
    write_stamp({"unfinished": True})  # clear=True took the first one away


class NotInstalled(SystemExit):
    """pip could not install something."""


def pip_install(*arguments):
    """pip install into .venv.  NotInstalled if it fails."""
    command = [str(python_of(VENV)), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise NotInstalled(
            "pip could not install what the course needs; its reason stands above. "
            "Is there a network, and room on the disk? Running the same command again is safe."
        )


# What to do there


def surroundings(python, repeatable):
    """The environment variables for what runs in this Python; if repeatable, it does the same every time."""
    variables = dict(os.environ)
    inherited = [variables["PYTHONPATH"]] if variables.get("PYTHONPATH") else []
    variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), *inherited])  # so that notebooks find minillm
    variables["PATH"] = os.pathsep.join([str(Path(python).parent), variables.get("PATH", "")])
    variables["PYTHONIOENCODING"] = "utf-8"
    if repeatable:
        variables.update(dict.fromkeys(THREADS, "1"))  # two workers share two cores, and sums come out the same
        variables.update(MINILLM_SEED="0", MINILLM_PROGRESS="off")  # the same probes, and no learner's progress
    return variables


def fetch_text(python):
    """Fetch Shakespeare's works unless they are here; a warning if that fails, since the library can do without."""
    code = (
        "import warnings; warnings.showwarning = lambda message, *where: print('Warning:', message); "
        "from minillm import corpus; corpus.cached('shakespeare') or print('Fetching the text.', flush=True); "
        "corpus.load('shakespeare')"
    )
    answer = subprocess.run(
        [str(python), "-c", code],
        cwd=ROOT,
        env=surroundings(python, repeatable=True),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason was given"])[-1]
        say(f"Warning: the text could not be fetched, so Python's own documentation takes its place. {reason}")


def lab(arguments):
    """Open JupyterLab on notebooks/.  Control-C reaches JupyterLab, which asks before it stops."""
    python = environment([])
    fetch_text(python)
    command = [
        str(python),
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={ROOT}",
        "--LabApp.default_url=/lab/tree/notebooks",
    ]
    say("Opening JupyterLab. Control-C in this window stops it.")
    signal.signal(signal.SIGINT, lambda *_: None)
    return subprocess.run([*command, *arguments], cwd=ROOT, env=surroundings(python, repeatable=False)).returncode


def chromium():
    """The program of Chromium or Chrome that CHROMIUM names, or else the first on PATH; None if there is none."""
    named = os.environ.get("CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, map(shutil.which, names)), None)


def notebook_folders():
    return [name for name in ("notebooks", "exercises") if list((ROOT / name).glob("*.ipynb"))]


def stages(python, arguments, lax, parity):
    """What `test` runs: (name, command) pairs."""

    def module(*words):
        return [str(python), "-m", *words]

    compare = "--nbval-lax" if lax else "--nbval"
    nbval = [compare, "--nbval-current-env", "--nbval-cell-timeout=120"]
    nbval += ["--nbval-sanitize-with=tests/nbval_sanitize.cfg"]
    rows = [
        ("lint", module("ruff", "check", ".")),
        ("format", module("ruff", "format", "--check", ".")),
        ("spelling", module("codespell_lib", ".")),
        (
            "tests",
            module("pytest", "-n", "2", "--dist", "worksteal", *([] if parity else ["-m", "not parity"]), *arguments),
        ),
    ]
    if notebook_folders():
        rows += [("notebooks", module("pytest", *nbval, "-n", "2", "--dist", "loadfile", *notebook_folders()))]
    return rows


def left_out(python):
    """What cannot be run here, and why: {name: reason}."""
    kinds = [
        ("parity", "PyTorch", "torch", "--parity"),
        ("class", "nbgrader", "nbgrader", "--all"),
        ("browser", "Playwright", "playwright", "--all"),
    ]
    reasons = {
        kind: f"{name} is not installed here. To run it: python course.py test {option}"
        for kind, name, package, option in kinds
        if not has(python, package)
    }
    if not chromium():
        reasons["browser"] = "there is no Chromium or Chrome on PATH, or none where CHROMIUM says."
    if not notebook_folders():
        reasons["notebooks"] = "there are none yet."
    return reasons


def test(arguments):
    """Run every stage, also after one that failed; 0 only if all passed."""
    options = {word for word in arguments if word in ("--parity", "--all", "--lax")}
    arguments = [word for word in arguments if word not in options]
    if "--all" in options:
        python = environment(["test", "parity", "class", "browser"])
    else:
        wanted = ["test", "parity"] if "--parity" in options else ["test"]
        python = environment(wanted, welcome=["browser"] if chromium() else [])
    fetch_text(python)
    skipped = left_out(python)
    results = []
    for name, command in stages(python, arguments, "--lax" in options, "parity" not in skipped):
        say(f"\n== {name}: {' '.join(['python', *command[1:]])}")
        start = time.perf_counter()
        code = subprocess.run(command, cwd=ROOT, env=surroundings(python, repeatable=True)).returncode
        results.append((name, code, time.perf_counter() - start))
    say("")
    for name, code, seconds in results:
        say(f"{name:12}{'ok' if code == 0 else f'FAILED ({code})':12}{seconds:8.1f} seconds")
    for name, reason in skipped.items():
        say(f"{name:12}skipped: {reason}")
    return 1 if any(code for _, code, _ in results) else 0


def notebooks(arguments):
    """Execute notebooks in place, so that a second run changes nothing."""
    python = environment(["test"])
    fetch_text(python)
    command = [str(python), str(ROOT / "tests" / "execute_notebooks.py"), *arguments]
    return subprocess.run(command, env=surroundings(python, repeatable=True)).returncode


def bench(arguments):
    """Time ours beside its peers; the table is printed, and kept in tests/bench/results."""
    if {"-h", "--help"} & set(arguments):  # nothing needs to be installed to read that
        return subprocess.run([sys.executable, str(ROOT / "tests" / "bench"), *arguments]).returncode
    python = environment(["bench"])
    fetch_text(python)
    command = [str(python), str(ROOT / "tests" / "bench"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=surroundings(python, repeatable=False)).returncode


def setup(arguments):
    """Make the environment and fetch the text."""
    fetch_text(environment(["test"]))
    return 0


def show(lines):
    for line in lines:
        say(line)
    return 1 if lines else 0


def main(words):
    if sys.version_info < (3, 11):  # noqa: UP036  (for those who start it with an older one)
        found = f"{platform.python_version()} at {sys.executable}"
        raise SystemExit(f"The course needs Python 3.11 or newer, and this is {found}. Start it with a newer one.")
    jobs = {
        "lab": lab,
        "test": test,
        "notebooks": notebooks,
        "bench": bench,
        "setup": setup,
        "missing": lambda extras: show(missing(extras)),
        "oldest": lambda extras: show(oldest()) and 0,
    }
    if words and words[0] in jobs:
        return jobs[words[0]](words[1:])
    print(__doc__)
    if words and words[0] not in ("help", "-h", "--help"):
        print(f'There is no "{words[0]}". There are: {", ".join(jobs)}.', file=sys.stderr)
    return 0 if words and words[0] in ("help", "-h", "--help") else 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Stopped. What was unfinished is put right the next time.")
