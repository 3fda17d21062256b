"""A look at the machine: what is there, what is missing, and what to do about it."""

import contextlib
import importlib.metadata
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import textwrap
import time
from typing import NamedTuple

OLDEST_PYTHON, OLDEST_NUMPY = (3, 11), (2, 0)
NEEDED = ("scipy", "matplotlib", "pyyaml", "tqdm", "platformdirs", "pooch", "threadpoolctl")  # beside numpy, to train
INSTALL = "python course.py setup installs what the course needs, in a folder of its own."
GB = 1e9


class Row(NamedTuple):
    """One line of the report.  status: "ok", "warn" (it works, but) or "missing" (nothing trains without it)."""

    name: str
    status: str
    found: str
    advice: str = ""


def rows(folder="runs"):
    """All checks, as a list of Row; runs are meant to go to `folder`.  About a second, and no network."""
    checks = {
        "Python": python,
        "NumPy": numpy_and_blas,
        "packages": packages,
        "cores": cores,
        "speed": speed,
        "memory": memory,
        "GPU": gpu,
        "text": text,
        "disk": lambda: disk(folder),
        "JupyterLab": jupyterlab,
    }
    return [_row(name, check) for name, check in checks.items()]


def _row(name, check):
    try:
        return Row(name, *check())
    except Exception as error:  # a doctor reports; it does not faint
        return Row(name, "warn", f"could not be looked at: {type(error).__name__}: {error}")


def table(found, width=100):
    """The rows as aligned text, at most `width` characters wide, with what to do below each row that is not ok."""
    indent = max(len(row.name) for row in found) + 11
    lines = []
    for row in found:
        head = f"{row.status:<9}{row.name}".ljust(indent)
        lines += textwrap.wrap(row.found, width, initial_indent=head, subsequent_indent=" " * indent)
        if row.advice:
            lines += textwrap.wrap(
                row.advice, width, initial_indent=" " * indent + "-> ", subsequent_indent=" " * (indent + 3)
            )
    return "\n".join(lines)


def verdict(found):
    """One sentence about the whole."""
    missing = [row.name for row in found if row.status == "missing"]
    warned = [row.name for row in found if row.status == "warn"]
    if missing:
        return f"Not ready: {', '.join(missing)}. Follow the arrows above."
    if warned:
        return f"Ready. Worth a look: {', '.join(warned)}."
    return "Ready."


def main(folder="runs"):
    """Print the report; returns the exit code: 0, or 1 if something is missing that nothing works without."""
    found = rows(folder)
    print(table(found, min(100, shutil.get_terminal_size().columns)))
    print(verdict(found))
    return int(any(row.status == "missing" for row in found))


# Each check returns status, what was found, and where it helps, what to do.


def python():
    """Which Python this is, and whether it is new enough."""
    bits = 64 if sys.maxsize > 2**32 else 32
    found = f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return "missing", found, "the course needs Python 3.11 or newer: python.org, or your package manager, has it."
    if bits == 32:
        return "warn", f"{found}, 32 bits", "large arrays need a 64-bit Python."
    return "ok", found


def numpy_and_blas():
    """NumPy's version, and the library that multiplies its matrices."""
    try:
        import numpy as np
    except ImportError:
        return "missing", "not installed", INSTALL
    name, kernel, _ = blas()
    found = f"{np.__version__}, {name}" + (f", kernel {kernel}" if kernel else "")
    if tuple(int(part) for part in np.__version__.split(".")[:2]) < OLDEST_NUMPY:
        return "missing", found, f"NumPy 2.0 or newer is needed. {INSTALL}"
    return "ok", found


def blas():
    """What multiplies NumPy's matrices: its name and version, its kernel, its threads ("" and 0 where unknown)."""
    import numpy as np

    pools = []
    with contextlib.suppress(ImportError):
        import threadpoolctl

        pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    if pools:
        pool = min(pools, key=lambda pool: "numpy" not in pool["filepath"].lower())  # SciPy may bring one of its own
        names = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}
        name = names.get(pool["internal_api"], pool["internal_api"])
        return f"{name} {pool['version'] or ''}".strip(), pool.get("architecture") or "", pool["num_threads"]
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # Apple's Accelerate shows only here
    return f"{built['name']} {built.get('version', '')}".strip().removesuffix(" unknown"), "", 0


def packages():
    """The other packages that training needs."""
    versions = {name: version(name) for name in NEEDED}
    missing = [name for name, found in versions.items() if not found]
    if missing:
        return "missing", f"not installed: {', '.join(missing)}", INSTALL
    return "ok", ", ".join(f"{name} {found}" for name, found in versions.items())


def version(package):
    """The installed version of a package, or "" (its files are not imported)."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def cores():
    """How many cores there are, and whether the matrix products use as many threads."""
    from . import machine

    total, ours = os.cpu_count() or 1, machine.usable_cores()
    found = f"{ours:g} for this process" + (f" of {total}" if ours != total else "")
    threads = blas()[2]
    if not threads:
        return "ok", f"{found}; the number of threads is left to the BLAS"
    found += f"; matrix products use {threads} thread{'s' * (threads != 1)}"
    if threads > ours:
        advice = "more threads than cores wait for each other: set OPENBLAS_NUM_THREADS (or MKL_NUM_THREADS) to"
        return "warn", found, f"{advice} {max(1, int(ours))}. Training does so by itself."
    return "ok", found


def speed(n=512, seconds=0.15):
    """How fast two n x n matrices are multiplied, in float32: the best of a fraction of a second."""
    import numpy as np

    x = np.ones((n, n), np.float32)
    x @ x  # the first product also starts the threads
    end, best = time.perf_counter() + seconds, float("inf")
    while (start := time.perf_counter()) < end:
        x @ x
        best = min(best, time.perf_counter() - start)
    rate = 2 * n**3 / best / 1e9
    found = f"{rate:,.0f} billion float32 operations a second (products of {n} x {n} matrices)"
    if rate < 5:
        return "warn", found, "that is slow: is something else running, or does NumPy lack a tuned BLAS?"
    return "ok", found


def memory():
    """How much memory there is, and whether training fits."""
    total, free = installed_memory()
    if not total:
        return "ok", "unknown on this system"
    found = f"{total / GB:.1f} GB" + (f", {free / GB:.1f} GB free" if free else "")
    if (free or total) < 1.5 * GB:
        return "warn", found, "close other programs, or train with a smaller batch_size."
    return "ok", found


def installed_memory():
    """Bytes of memory in all and available to a new program; 0 where unknown."""
    if sys.platform == "win32":
        import ctypes

        status = (ctypes.c_uint64 * 8)()  # MEMORYSTATUSEX: two 32-bit fields, then seven of 64 bits
        ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
        return (status[1], status[2]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else (0, 0)
    total, free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), 0
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
        free = 1024 * kilobytes["MemAvailable"]
    with contextlib.suppress(OSError, ValueError):
        limit = int(pathlib.Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(pathlib.Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        total, free = min(total, limit), min(free, limit - used)
    return total, free


def gpu():
    """Whether CuPy and a GPU are there, or what is missing between them."""
    wheels = [name for name in ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x") if version(name)]
    extra = 'pip install -e ".[cuda13]" (or cuda12, whichever your driver supports: nvidia-smi says)'
    if len(wheels) > 1:
        return "warn", f"{' and '.join(wheels)} are both installed", "they overwrite each other: remove all but one."
    if not wheels:
        if shutil.which("nvidia-smi"):
            return "warn", "an NVIDIA driver, but no CuPy: NumPy on the processor is used", f"to use the GPU: {extra}."
        return "ok", "none; NumPy on the processor is used, which is what the course is made for"
    from .backend import gpu_available

    if not gpu_available():
        return "ok", f"{wheels[0]} {version(wheels[0])} sees no device; NumPy on the processor is used"
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    name, size = properties["name"].decode(), properties["totalGlobalMem"] / GB
    return "ok", f"{name}, {size:.0f} GB, by {wheels[0]} {version(wheels[0])}; use it with --device gpu"


def text():
    """Whether Shakespeare's works have been fetched."""
    from . import corpus, download

    path = corpus.cached("shakespeare")
    if path:
        return "ok", f"Shakespeare is here: {path}"
    return (
        "warn",
        f"Shakespeare is not in {download.cache_folder()} yet; Python's own documentation is always there",
        "python course.py setup fetches it once (5 MB); so does the first training. Without a network: "
        "python -m minillm train pydocs.",
    )


def disk(folder="runs"):
    """How much room there is where runs go, and whether we may write there."""
    path = pathlib.Path(folder).absolute()
    place = next(parent for parent in (path, *path.parents) if parent.is_dir())
    free = shutil.disk_usage(place).free
    found = f"{free / GB:,.1f} GB free for {path}"
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return (
            "missing",
            f"{place} cannot be written to ({error.strerror})",
            "give another place: train --folder FOLDER.",
        )
    if free < GB:
        return "warn", found, "checkpoints may not fit: make room, or give another place with train --folder FOLDER."
    return "ok", found


def jupyterlab():
    """Whether notebooks can be opened."""
    found = version("jupyterlab")
    if not found:
        return "warn", "not installed; only the notebooks need it", "python course.py lab installs and opens it."
    return "ok", found
