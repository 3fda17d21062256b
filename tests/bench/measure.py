"""How the benchmark measures: both sides in one process, in turns, and the median of many repetitions."""

import statistics
import time
from dataclasses import dataclass


@dataclass
class Timing:
    """Seconds that each contender needs: medians by name, and every repetition."""

    seconds: dict
    repetitions: dict

    def ratio(self, ours, theirs):
        """How many times as fast as `theirs` `ours` is: above 1, ours is faster."""
        return self.seconds[theirs] / self.seconds[ours]


def in_turns(contenders, *, repetitions=7, warm_up=2, seconds=0.25):
    """Time functions against each other, one after the other and again: in_turns({"ours": f, "theirs": g}).

    Taking turns, a slow moment of the machine slows them all. Each turn calls a function so often that it lasts
    about `seconds`. The first turns warm up, and do not count.
    """
    calls = {}
    for name, run in contenders.items():
        for _ in range(warm_up):
            run()
        start = time.perf_counter()
        run()
        calls[name] = max(1, round(seconds / max(time.perf_counter() - start, 1e-9)))
    found = {name: [] for name in contenders}
    for _ in range(max(7, repetitions)):
        for name, run in contenders.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            found[name].append((time.perf_counter() - start) / calls[name])
    return Timing({name: statistics.median(times) for name, times in found.items()}, found)
