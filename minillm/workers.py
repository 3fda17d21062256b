"""The workers of a training run: processes that share the batch of each step, one for each core.

    with Workers(2, optimizer, config, recipe) as crew:
        loss = crew.learn(ids, targets, step)       instead of train.learn(optimizer, ids, targets, ...)
        optimizer.step(rate)

Worker 0 is this process; the others are started as `python -c`, so that nothing is forked and nothing is imported from
the script or notebook that trains, which may be without an `if __name__ == "__main__"`.  The parameters and the batch
lie in memory that all see and only worker 0 changes; each other worker writes into a gradient of its own and nowhere
else.  What crosses a pipe in a step is a TASK and an ANSWER.
"""

import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np

from . import backend, machine, passes, shared, trees
from . import recipe as recipes
from .config import Config
from .optim import accumulate

TASK = struct.Struct("<6q")  # step, B, T, first row, end row, rows in one pass
ANSWER = struct.Struct("<qd")  # bytes of a complaint that follows (0: none), the share of the loss
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Workers:
    """A crew of n processes, this one included, that learn from each batch together.  Leave `with`, and they are gone.

    The same n gives the same bits every time: gradients are added in the order of the workers.  Another n gives the
    same up to rounding, or with dropout, another draw of the masks.  optimizer.params moves into the shared memory:
    fetch it after the crew has been made, and not before.  More workers than sequences are no harm and no use.
    ValueError inside plain() or using(), since the other processes know nothing of it; OSError if none can be started.
    """

    def __init__(self, n, optimizer, config, recipe):
        self.n, self.optimizer, self.config, self.recipe = n, optimizer, config, recipe
        self.others = []
        if n == 1:
            return
        _refuse_plain()
        w, rows = optimizer.w, recipe.batch_size * recipe.accumulate
        weights, batch = shared.Memory(w.size, w.dtype), shared.Memory(2 * rows * config.n_ctx, np.int64)
        start = {"config": config.to_dict(), "recipe": recipe.to_dict(), "layout": optimizer.layout()}
        try:
            with weights, batch:
                for number in range(1, n):
                    start["worker"] = number
                    self.others.append(_Other(start, weights, batch, shared.Memory(w.size, w.dtype)))
            for other in self.others:
                other.hear()  # that it is ready
        except BaseException:
            self.close()
            raise
        optimizer.move(weights.array)
        self.batch = batch.array

    def learn(self, ids, targets, step, n=None):
        """Add up the gradient of one batch in the optimizer; returns the mean loss: train.learn, by all workers.

        ids and targets (B, T), for NumPy.  n: only the first n of the workers take part.  ValueError if the batch is
        larger than the recipe's.  ChildProcessError if a worker has died or failed, after which there is no crew.
        """
        B, T = ids.shape
        n = n or self.n
        if n > 1:
            _refuse_plain()
        if len(self.others) < n - 1:
            raise ValueError("this crew has been dismissed: make new Workers.")
        if n > 1 and 2 * ids.size > self.batch.size:
            raise ValueError(f"a batch of {B} x {T} tokens is larger than that of the recipe, {self.batch.size // 2}.")
        rows = passes.rows_at_once(-(-self.recipe.batch_size // n), self.config)  # n together need the memory of one
        cuts = [-(-B * worker // n) for worker in range(n + 1)]
        others = self.others[: n - 1]
        try:
            for source, target in ((ids, 0), (targets, ids.size)) if others else ():
                self.batch[target : target + ids.size] = source.reshape(-1)
            for other, first, end in zip(others, cuts[1:-1], cuts[2:], strict=True):
                other.ask(step, B, T, first, end, rows)
            options = {"config": self.config, "recipe": self.recipe, "step": step, "rows": rows, "share": cuts[1] / B}
            mine = slice(cuts[1])
            total = passes.learn(self.optimizer.params, ids[mine], targets[mine], self.optimizer.add, **options)
            for other, first, end in zip(others, cuts[1:-1], cuts[2:], strict=True):
                total += other.hear()
                if first < end:
                    self.optimizer.dw += other.gradient
        except BaseException:  # an answer that nobody has heard would be taken for the next one
            self.close()
            raise
        return np.float64(total)

    def close(self):
        """End the other processes.  The parameters stay where they are."""
        for other in self.others:
            other.end()
        self.others = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def choose(optimizer, ids, targets, config, recipe, seconds=1.0):
    """How many workers make the gradient of this batch fastest, as (n, a sentence); nothing else comes of it.

    It is tried, in turns, with each number that makes the largest share of the batch smaller, up to one worker a core.
    """
    numbers = worth_trying(machine.cores(), len(ids))
    if len(numbers) == 1:
        return 1, f"workers: auto is 1, with {machine.cores()} cores and {len(ids)} sequences in a step."
    times = {n: [] for n in numbers}
    with Workers(numbers[-1], optimizer, config, recipe) as crew:
        end, rounds = math.inf, 0
        while rounds < 4 or time.perf_counter() < end:
            for n in numbers:
                start = time.perf_counter()
                crew.learn(ids, targets, 1, n)
                times[n].append(time.perf_counter() - start)
                optimizer.forget()
            rounds += 1
            if rounds == 1:  # which only warms up
                end = time.perf_counter() + seconds
    cost = {n: float(np.median(times[n][1:])) for n in numbers}
    best = cheapest(cost)
    words = ", ".join(f"{1000 * cost[n]:.3g} ms with {n}" for n in numbers)
    return best, f"workers: auto is {best} here: the gradient of a step took {words}."


def worth_trying(cores, rows):
    """The numbers of workers, up to one a core, that make the largest share of so many rows smaller, as a list."""
    largest = lambda n: -(-rows // n)
    return [n for n in range(1, max(1, min(cores, rows)) + 1) if n == 1 or largest(n) < largest(n - 1)]


def cheapest(cost):
    """The smallest number of workers that no larger one beats by a twentieth; cost: {n: seconds}."""
    return next(n for n in cost if 0.95 * cost[n] <= min(cost.values()))


def _refuse_plain():
    if backend.is_plain():
        raise ValueError("inside plain() or using() there is one process: others would not run your functions.")


class _Other:
    """Another process of the crew, as worker 0 sees it."""

    def __init__(self, start, weights, batch, gradient):
        self.gradient = gradient.array
        code = f"import sys; sys.path[:] = {[str(p) for p in sys.path]!r}; from minillm import workers; workers.serve()"
        memory = {"weights": weights, "batch": batch, "gradient": gradient}
        with gradient:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=[file for each in memory.values() for file in each.descriptors()],
                    env=os.environ | dict.fromkeys(THREADS, str(start["recipe"]["threads"])),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            except OSError as error:
                raise OSError(f"a worker cannot be started: {machine.reason(error)}. Take fewer workers.") from error
            addresses = {name: each.address() for name, each in memory.items()}
            words = json.dumps(start | {"memory": addresses}).encode()
            try:
                self._send(struct.pack("<q", len(words)) + words)
            except BaseException:
                self.end()
                raise

    def ask(self, *task):
        """Give it its task; see TASK."""
        self._send(TASK.pack(*task))

    def hear(self):
        """Wait for its answer; returns its share of the loss."""
        try:
            length, value = ANSWER.unpack(_receive(self.process.stdout.fileno(), ANSWER.size))
            complaint = _receive(self.process.stdout.fileno(), length).decode() if length else ""
        except (OSError, EOFError) as error:
            raise self._lost() from error
        if complaint:
            raise ChildProcessError(f"a worker (process {self.process.pid}) failed: {complaint.rstrip('.')}.")
        return value

    def end(self):
        """Kill it: it holds nothing that anybody would miss."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()

    def _send(self, data):
        try:
            while data:
                data = data[os.write(self.process.stdin.fileno(), data) :]
        except OSError as error:
            raise self._lost() from error

    def _lost(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        code, end = self.process.returncode, "fell silent"
        if code is not None:
            end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        why = ", as systems do when memory runs out" if code == -9 else ""
        return ChildProcessError(f"a worker (process {self.process.pid}) {end}{why}.")


def _receive(file, size):
    """That many bytes from a pipe.  EOFError if whoever writes has closed it, which its end does, too."""
    found = b""
    while len(found) < size:
        more = os.read(file, size - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def serve():
    """The life of another process: its tasks, one after the other, until the pipe is closed by the end of worker 0."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # worker 0 decides
    answers = os.dup(1)
    os.dup2(2, 1)  # so that nothing printed is taken for an answer
    with contextlib.suppress(EOFError, OSError):
        try:
            (length,) = struct.unpack("<q", _receive(0, 8))
            share = _share(**json.loads(_receive(0, length)))
            value = 0.0
            while True:
                os.write(answers, ANSWER.pack(0, value))
                value = share(*TASK.unpack(_receive(0, TASK.size)))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            plain = isinstance(error, (ValueError, MemoryError)) and str(error)
            words = (plain or f"{type(error).__name__} {error}".strip()).encode(errors="replace")
            os.write(answers, ANSWER.pack(len(words), 0.0) + words)
    os._exit(0)


def _share(worker, config, recipe, layout, memory):
    """share(*task) of one worker: the gradient goes into its memory, its part of the loss is returned."""
    import threadpoolctl

    machine.keep_memory()
    np.seterr(over="ignore", invalid="ignore", divide="ignore")  # worker 0 looks at the result
    config, recipe = Config(**config), recipes.make(recipe)
    threadpoolctl.threadpool_limits(recipe.n_threads(), user_api="blas")
    layout = [(path, tuple(shape)) for path, shape in layout]
    params = trees.build(trees.cut(shared.attach(*memory["weights"], write=False), layout).items())
    totals = trees.build(trees.cut(shared.attach(*memory["gradient"]), layout).items())
    batch = shared.attach(*memory["batch"], write=False)

    def share(step, B, T, first, end, rows):
        ids, targets = batch[: 2 * B * T].reshape(2, B, T)[:, first:end]
        empty = True

        def add(grads):
            nonlocal empty
            accumulate(totals, grads, empty=empty)
            empty = False

        options = {"config": config, "recipe": recipe, "step": step, "worker": worker, "rows": rows}
        return float(passes.learn(params, ids, targets, add, share=(end - first) / B, **options))

    return share
