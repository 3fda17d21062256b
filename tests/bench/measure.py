"""How the benchmark measures: both sides in one process, in turns, and the median of many repetitions."""

import statistics
import time
from dataclasses import dataclass, field

LEAST = 7  # repetitions behind every ratio of training steps


@dataclass
class Timing:
    """Seconds (and page faults) that one call of each contender needs: medians, and every repetition."""

    seconds: dict
    repetitions: dict
    faults: dict = field(default_factory=dict)

    def ratio(self, ours, theirs):
        """How many times as fast as `theirs` `ours` is: above 1, ours is faster."""
        return self.seconds[theirs] / self.seconds[ours]


def in_turns(contenders, *, repetitions=LEAST, warm_up=2, seconds=0.25, before=None, rest=0.0):
    """Time functions against each other, one after the other and again: in_turns({"ours": f, "theirs": g}).

    Taking turns, a slow moment of the machine slows them all. Each turn calls a function so often that it lasts about
    `seconds`, after one call that does not count where there is more than one: it brings back to the cache what the
    others have displaced. The first turns warm up, and do not count either.

    before   {name: function} that puts things back in order, untimed, before each call; then a turn is one call
    rest     seconds to wait before each turn, so that no thread of the one before still spins
    """
    before, calls = before or {}, {}
    for name, run in contenders.items():
        prepare = before.get(name, lambda: None)
        for _ in range(warm_up):
            prepare()
            run()
        prepare()
        start = time.perf_counter()
        run()
        calls[name] = 1 if before else max(1, round(seconds / max(time.perf_counter() - start, 1e-9)))
    found, faults = ({name: [] for name in contenders} for _ in range(2))
    for _ in range(repetitions):
        for name, run in contenders.items():
            time.sleep(rest)
            if name in before:
                before[name]()
            elif calls[name] > 1:
                run()
            first_fault, start = page_faults(), time.perf_counter()
            for _ in range(calls[name]):
                run()
            found[name].append((time.perf_counter() - start) / calls[name])
            faults[name].append((page_faults() - first_fault) / calls[name])
    medians = [{name: statistics.median(values) for name, values in all_of.items()} for all_of in (found, faults)]
    return Timing(medians[0], found, medians[1])


def page_faults():
    """Minor page faults of this process so far: memory that the system had to hand over. 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class Peak:
    """The most memory that this process holds, above what it holds now, in bytes (Linux only).

    peak = Peak(); work(); peak.bytes()

    Linux keeps the highest amount that a process ever held, and forgets it when 5 is written to clear_refs. What was
    freed before is handed back first, so that work that reuses it counts as much as work that asks for more.
    OSError where that cannot be done.
    """

    def __init__(self):
        import ctypes
        import gc
        import platform

        if platform.system() != "Linux":
            raise OSError("the peak of memory is measured on Linux only")
        gc.collect()
        if platform.libc_ver()[0] == "glibc":
            ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        self.before = status("VmRSS")

    def bytes(self):
        """The peak since this was made."""
        return status("VmHWM") - self.before


def status(key):
    """A line of /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{key}:"))
