"""The machine that is measured: what it is, what runs on it, and whether it has anything else to do."""

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
import time

IDLE = 0.5  # processes that wait for a processor on average, at most, before the benchmark starts
QUIET = 0.05  # of the time of the processors, at most, that others may take while it runs
PACKAGES = ["numpy", "scipy", "torch", "transformers", "tokenizers", "tiktoken"]


def describe():
    """What the results must say about the machine and the packages, ready for JSON."""
    import minillm
    from minillm import machine

    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": machine.cores(),
        "system": platform.system(),
        "blas": blas(),
        "python": platform.python_version(),
        "minillm": minillm.__version__,
        **{name: version(name) for name in PACKAGES},
    }


def processor():
    """The model of the processor, as the system calls it."""
    if platform.system() == "Linux":
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = re.findall(r"^(?:model name|Model)\s*:\s*(.+)$", file.read(), re.MULTILINE)
        if names:
            return " ".join(names[0].split())
    if platform.system() == "Darwin":
        answer = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, encoding="utf-8")
        if answer.returncode == 0:
            return answer.stdout.strip()
    return platform.processor() or platform.machine()


def blas():
    """The library that makes NumPy's products."""
    import numpy  # noqa: F401  (so that its library is loaded)
    import threadpoolctl

    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    pools.sort(key=lambda pool: "numpy" not in pool["filepath"].lower())  # SciPy may bring one of its own
    return " ".join(str(pools[0].get(key)) for key in ("internal_api", "version", "architecture")) if pools else "?"


def version(package):
    """Its version; "none" if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def slug(machine):
    """A short name for files: the processor, its cores and the system; no name of a host."""
    words = re.sub(r"\((?:r|tm|c)\)|\bcpu\b|@.*|\b\d+-core\b|\bprocessor\b", " ", machine["processor"].lower())
    words = f"{words} {machine['cores']} cores {machine['system'].lower()}"
    return "-".join(re.findall(r"[a-z0-9]+", words))


class Company:
    """What else keeps the processors busy, from when this is made (Linux; elsewhere only the load before)."""

    def __init__(self):
        self.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self.start, self.all, self.own = time.perf_counter(), busy(), mine()

    def report(self):
        """{"load before": ..., "others": share of the processors' time that other processes took, or None}."""
        others = None
        if self.all is not None:
            seconds = (busy() - self.all) - (mine() - self.own)
            others = max(0.0, round(seconds / (time.perf_counter() - self.start) / os.cpu_count(), 3))
        return {"load before": self.load and round(self.load, 2), "others": others}


def busy():
    """Seconds that all processors together have worked since the start of the system; None if it does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, irq, soft, steal, *_ = map(int, file.readline().split()[1:])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def mine():
    """Seconds that this process, and its children that have ended, have worked."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def idle(company):
    """Whether a report of Company is that of an idle machine; what is not known counts as idle."""
    return (company["load before"] or 0) <= IDLE and (company["others"] or 0) <= QUIET
