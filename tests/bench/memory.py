"""The peak of memory of a training step, each side in a process of its own."""

import subprocess

from cases import EAGER, FAST, PLAIN, STEPS, Row

SIDES = {FAST: ["fast"], PLAIN: ["plain"], EAGER: ["torch", "torch-kept"]}


def measure(command, *, sizes=STEPS, say=print):
    """The rows of all sizes; command starts this benchmark.

    Ours runs as it trains, with machine.keep_memory(); PyTorch without and with it, and the lower of the two counts.
    """
    rows = []
    for size in sizes:
        peaks = {}
        for side, ways in SIDES.items():
            try:
                peaks[side] = min(ask([*command, "--peak", way, size.name]) for way in ways) / 2**20
            except OSError as error:
                rows.append(Row("memory", str(size), 1, FAST, EAGER, "MiB", None, None, None, "<= 0.50", str(error)))
                return rows
        for mine, target in ((FAST, "<= 0.50"), (PLAIN, "")):
            ratio = peaks[mine] / peaks[EAGER]
            rows.append(Row("memory", str(size), 1, mine, EAGER, "MiB", peaks[mine], peaks[EAGER], ratio, target))
        say(f"  {size.name}: {', '.join(f'{side} {peak:.1f} MiB' for side, peak in peaks.items())}")
    return rows


def ask(command):
    """The number of bytes that a process of its own prints.  OSError, with its last line, if it fails."""
    answer = subprocess.run(command, capture_output=True, encoding="utf-8")
    if answer.returncode:
        raise OSError((answer.stderr.strip().splitlines() or ["no reason was given"])[-1])
    return int(answer.stdout.split()[-1])


def peak(way, size):
    """The bytes that two training steps need beyond what this process holds after imports and set-up.

    Set-up is the weights, the optimizer's state and the gradients (on both sides: PyTorch is told to keep its own
    between steps, as ours are kept), and one step with a single token, so that whatever is made once is made.
    """
    import contextlib

    import steps
    import threadpoolctl
    from measure import Peak

    from minillm import backend, machine

    if way != "torch":
        machine.keep_memory()
    if way.startswith("torch"):
        import torch

        torch.set_num_threads(1)
        step = steps.theirs(size, keep_grads=True)
    else:
        mode = backend.plain if way == "plain" else contextlib.nullcontext
        step = steps.Ours(*steps.batch(size), size=size, mode=mode)
    whole = step.ids, step.targets
    with threadpoolctl.threadpool_limits(1):
        step.ids, step.targets = (part[:1, :1] for part in whole)
        step()
        step.ids, step.targets = whole
        highest = Peak()
        for _ in range(2):
            step()
        return highest.bytes()
