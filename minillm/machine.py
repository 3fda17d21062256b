"""The machine that a run is on: its memory, its arithmetic, its Ctrl-C, its disk."""

import contextlib
import ctypes
import errno
import os
import pathlib
import platform
import signal
import sys


def keep_memory():
    """Ask the C library to keep freed memory for the next array instead of giving it back (Linux with glibc only).

    A step makes and frees the same arrays again and again; handing them back costs thousands of page faults a step.
    Measured with configs/shakespeare.yaml on one core: 30 ms of processor time a step before, 21 ms after.
    """
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 * 2**20)  # M_MMAP_THRESHOLD: arrays up to 32 MiB, the most glibc allows, come from the heap
        libc.mallopt(-1, 2**30)  # M_TRIM_THRESHOLD: and the heap shrinks only when 1 GiB of it is free


def usable_cores():
    """How many cores this process may use, which in a container can be fewer than there are, and not a whole number."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = pathlib.Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        ours = min(ours, int(quota) / int(period))
    return ours


def cores():
    """The same as a whole number of at least 1: how many processes or threads have a core of their own."""
    return max(1, int(usable_cores()))


def arithmetic(threads, device="cpu", workers=1, precision="fp32"):
    """What decides the last bit of every sum, as a dict: two runs that agree in it give the same weights."""
    import importlib.metadata

    import numpy as np
    import threadpoolctl

    from . import __version__

    try:
        scipy = importlib.metadata.version("scipy")  # its erf decides the activation gelu
    except importlib.metadata.PackageNotFoundError:
        scipy = "none"
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    pools.sort(key=lambda pool: "numpy" not in pool["filepath"].lower())  # SciPy may bring one of its own
    blas = [str(pools[0].get(key)) for key in ("internal_api", "version", "architecture")] if pools else []
    found = {
        "minillm": __version__,
        "threads": threads,
        "workers": workers,
        "device": device,
        "blas": " ".join(blas) or np.__config__.CONFIG["Build Dependencies"]["blas"]["name"],
        "numpy": np.__version__,
        "scipy": scipy,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if device == "gpu":
        import cupy

        name = cupy.cuda.runtime.getDeviceProperties(0)["name"]
        name = name.decode() if isinstance(name, bytes) else name
        found |= {"cupy": cupy.__version__, "gpu": name, "precision": precision}
    return found


def changes(old, new):
    """A sentence about what differs between two arithmetic()s, "" if nothing does."""
    old = {"workers": 1} | old  # a checkpoint from before there were several
    parts = [f"{key} was {old.get(key)} and is {new.get(key)}" for key in new if old.get(key) != new.get(key)]
    if not parts:
        return ""
    return f"The run goes on, but not bit for bit as it would have without the stop: {', '.join(parts)}."


@contextlib.contextmanager
def patience():
    """Hold back Ctrl-C (and a polite request to end) until the code inside looks: with patience() as interrupted: ...

    A step changes the weights in place, so it must not be cut in two.  A second Ctrl-C is not held back.
    """
    asked = []

    def note(number, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {}
    with contextlib.suppress(ValueError):  # only the main thread may do this; elsewhere Ctrl-C stays as it was
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextlib.contextmanager
def alone(folder):
    """Keep a run's folder, which is made if need be, to this process: with alone(folder): ...

    A lock of the operating system on the file `lock` in it, which holds our process number: the lock ends with the
    process, kill -9 included.  ValueError if another process is at work in the folder; OSError if it cannot be written.
    """
    path, there = folder / "lock", folder.exists()
    with writing(folder, "Choose another --folder."):
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    if file is None:
        number = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        raise ValueError(
            f"another run is at work in {folder} (process {number or 'unknown'}): wait for it, or give another "
            "--folder."
        )
    try:
        yield
    finally:
        if sys.platform == "win32":
            os.close(file)
        with contextlib.suppress(OSError):  # on Windows the next run may have it already
            path.unlink()
        if sys.platform != "win32":
            os.close(file)
        if not there:
            with contextlib.suppress(OSError):  # a run that could not start leaves no empty folder
                folder.rmdir()


def _locked(path):
    """The open file (a descriptor) that we have locked, with our process number in it; None if another has it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                os.close(file)
                return None
            # Otherwise the file system has no locks, and nobody can be kept out.
        if _in_place(file, path):
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
            return file
        os.close(file)


def _in_place(file, path):
    """Whether the open file is still the one at the path: the run before us may have just ended and removed it."""
    if sys.platform == "win32":  # which removes no open file
        return True
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lock(file):
    """Lock an open file, or OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 2**20, os.SEEK_SET)  # Windows forbids reading what is locked: not where the number stands
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def writing(what, advice):
    """Turn an OSError inside into one sentence about what could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{what} cannot be written: {reason(error)}. {advice}") from error


def reason(error):
    """What an OSError means, in words."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "permission is denied"
    return error.strerror or str(error)
