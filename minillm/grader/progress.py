"""What was reached so far: the best score of each exercise, in a small file on this machine, and nowhere else."""

import contextlib
import itertools
import json
import os
import pathlib
import time

from .. import atomic

TRIED = set()  # exercises that were really tried since this process began, whatever becomes of the file
PATIENCE = 2.0  # seconds to wait for another kernel that is writing
STALE = 10.0  # seconds after which a lock was left behind by a process that died


def place():
    """Where the file is: $MINILLM_PROGRESS, or the user's data folder; None if it is "off", or in class mode."""
    named = os.environ.get("MINILLM_PROGRESS", "")
    if named.lower() == "off" or os.environ.get("MINILLM_CLASS") == "1":
        return None
    if named:
        return pathlib.Path(os.path.expanduser(named)).absolute()
    import platformdirs

    return platformdirs.user_data_path("minillm", appauthor=False) / "progress.json"


def load():
    """({exercise: {"best", "points", "tries"}}, one sentence about what could not be read, or None)."""
    path = place()
    try:
        return ({}, None) if path is None else read(path)
    except OSError as error:
        return {}, f"The progress file {path} cannot be read ({reason(error)})."


def read(path):
    """What load() gives, of this file.  OSError if it is there and cannot be read."""
    try:
        entries, whole = understood(path.read_bytes())
    except FileNotFoundError:
        return {}, None
    if whole:
        return entries, None
    kept = f"; {', '.join(entries)} could be read" if entries else ""
    try:
        return entries, f"The progress file was damaged{kept}. What it held is kept beside it, in {aside(path)}."
    except OSError as error:
        return entries, f"The progress file {path} is damaged{kept}, and no copy could be kept ({reason(error)})."


def understood(text):
    """(the entries that make sense, whether all do) of the bytes of a progress file."""
    try:
        entries = json.loads(text)["exercises"]
        items = entries.items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, False
    good = {name: entry for name, entry in items if makes_sense(entry)}
    return good, len(good) == len(entries)


def makes_sense(entry):
    """Whether this is what record() writes."""
    number = lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
    return (
        isinstance(entry, dict)
        and {"best", "points", "tries"} <= entry.keys()
        and number(entry["best"])
        and number(entry["points"])
        and 0 <= entry["best"] <= entry["points"] < 1e6
        and type(entry["tries"]) is int
        and entry["tries"] > 0
    )


def aside(path):
    """The name of the copy that is kept of a damaged file; it is made if there is none yet."""
    text = path.read_bytes()
    for n in itertools.count(1):
        copy = path.with_name(f"{path.stem}-damaged{f'-{n}' * (n > 1)}{path.suffix}")
        if not copy.exists():
            copy.write_bytes(text)
        if copy.read_bytes() == text:
            return copy.name


def record(name, got, points):
    """Count a real try, and keep the score if it is the best.  One sentence if that could not be done, else None."""
    TRIED.add(name)
    path = place()
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path):
            entries, note = read(path)
            entry = entries.get(name, {"best": 0.0, "points": points, "tries": 0})
            best = max(entry["best"], float(got)) if entry["points"] == points else float(got)
            entries[name] = {"best": best, "points": points, "tries": entry["tries"] + 1}
            with atomic.writing(path, "w") as f:
                json.dump({"version": 1, "exercises": entries}, f, indent=1)
                f.write("\n")
        return note
    except OSError as error:
        return f"Your progress could not be kept: {path} cannot be read and written ({reason(error)})."


def tries(name):
    """How often this exercise was really tried, as far as is known."""
    kept = load()[0].get(name, {"tries": 0})["tries"]
    return max(kept, int(name in TRIED))


@contextlib.contextmanager
def alone(path):
    """While this is open, nobody else who asks in the same way writes to path.  It does not wait for ever."""
    lock, start = path.with_name(f"{path.name}.lock"), time.monotonic()
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - lock.stat().st_mtime > STALE:
                    lock.unlink()
            if time.monotonic() - start > PATIENCE:
                break
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def reason(error):
    """Why the system refused, in its own words."""
    return error.strerror or type(error).__name__
