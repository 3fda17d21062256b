"""Training steps: ours and PyTorch's take turns, after every one of them has shown the same gradients."""

import contextlib
import os
import shutil

import numpy as np
import threadpoolctl
from cases import COMPILED, EAGER, FAST, PLAIN, STEPS, WORKERS, Row, share_target, step_target
from measure import in_turns

from minillm import counts, gpt, machine, train
from minillm.backend import plain
from minillm.optim import AdamW
from minillm.trees import leaves
from minillm.workers import Workers

PRODUCT = 2048  # rows and columns of the square product that shows what the machine can do
TOLERANCE = 1e-5  # of the largest number in a gradient; measured: 2e-6


class Ours:
    """One whole training step of ours, as train.py takes it; mode() is a context such as plain()."""

    def __init__(self, params, ids, targets, *, size, mode=contextlib.nullcontext, crew=None):
        self.recipe, self.config, self.mode = size.recipe(), size.config(), mode
        options = ("betas", "eps", "decay", "clip")
        self.optimizer = AdamW(params, **{key: getattr(self.recipe, key) for key in options})
        self.ids, self.targets = ids, targets
        self.crew = crew and crew(self.optimizer, self.config, self.recipe)

    def __call__(self):
        self.backward()
        return self.update()

    def backward(self):
        """Loss and gradients alone; returns the loss."""
        step = self.optimizer.steps + 1
        with self.mode():
            if self.crew:
                return float(self.crew.learn(self.ids, self.targets, step))
            options = {"config": self.config, "recipe": self.recipe, "step": step}
            return float(train.learn(self.optimizer, self.ids, self.targets, **options))

    def update(self):
        """Clip, take the step, forget the gradients; returns their norm before clipping."""
        with self.mode():
            return float(self.optimizer.step(self.recipe.rate))

    def gradients(self):
        """{path: gradient}, between backward() and update()."""
        return {path: g.copy() for path, g in leaves(self.optimizer.grads)}


def first_difference(mine, theirs):
    """The first parameter, by name, whose two gradients differ by more than rounding; None if there is none.

    Rounding is at most TOLERANCE of the largest number in that gradient, or a hundredth of TOLERANCE of the largest
    in all of them: the gradient of a key's shift is zero on paper, and nothing but rounding here. NaN is a difference.
    """
    if set(mine) != set(theirs):
        return min(set(mine) ^ set(theirs))
    most = max(np.abs(g).max() for g in theirs.values())
    for path, g in theirs.items():
        limit = TOLERANCE * max(np.abs(g).max(), most / 100)
        if mine[path].shape != g.shape or not np.abs(mine[path] - g).max() <= limit:
            return path
    return None


def check(contenders, reference):
    """Take one step of each; ValueError unless all have the gradients of the reference."""
    reference.backward()
    right = reference.gradients()
    reference.update()
    for name, step in contenders.items():
        if step is reference:
            continue
        step.backward()
        path = first_difference(step.gradients(), right)
        if path:
            raise ValueError(f"nothing is timed: {name} and PyTorch disagree about the gradient of {path}.")
        step.update()


def batch(size):
    """The weights, ids and targets that every side gets."""
    rng = np.random.default_rng(0)
    params = gpt.init(size.config(), rng)
    ids, targets = rng.integers(0, size.vocab_size, (2, size.batch_size, size.n_ctx))
    return params, ids, targets


def theirs(size, **options):
    """PyTorch's step for this size."""
    import peers

    recipe = size.recipe()
    options |= {key: getattr(recipe, key) for key in ("rate", "betas", "eps", "decay", "clip")}
    return peers.Step(*batch(size), config=size.config(), **options)


def compiled(size):
    """PyTorch's compiled step, and why there is none ("" if there is one)."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++", "cl")):
        return None, "no C++ compiler here"
    try:
        step = theirs(size, compiled=True)
        step.backward()
        step.optimizer.zero_grad()  # it has compiled, and its first step is still to come
    except Exception as error:  # whatever the reason, it is no fault of ours
        return None, f"torch.compile failed: {type(error).__name__}"
    return step, ""


@contextlib.contextmanager
def crew_of(n):
    """A function that makes a crew of n workers, who go when the context is left."""
    with contextlib.ExitStack() as stack:
        yield lambda *what: stack.enter_context(Workers(n, *what))


def flops(size):
    """FLOPs that one step needs: the products of counts.py, less the half of attention that the causal mask hides."""
    counted = counts.flops_per_token(size.config())
    both = lambda part: sum(counted[part].values())
    hidden = (size.n_ctx - 1) / (2 * size.n_ctx)
    return size.batch_size * size.n_ctx * (both("total") - hidden * both("attention"))


def measure(threads, *, sizes=STEPS, quick=False, say=print):
    """The rows of all sizes on so many threads (or processes with one each)."""
    import torch

    machine.keep_memory()
    torch.set_num_threads(threads)
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # NumPy's: each of our processes has one thread
        return [row for size in sizes for row in measure_one(size, threads, quick, say)]


def measure_one(size, threads, quick, say):
    """The rows of one size."""
    import torch

    params, ids, targets = batch(size)
    with crew_of(threads) if threads > 1 else contextlib.nullcontext() as crew:
        contenders = {}
        if crew:
            contenders[WORKERS] = Ours(params, ids, targets, size=size, crew=crew)
        else:
            contenders[FAST] = Ours(params, ids, targets, size=size)
            contenders[PLAIN] = Ours(params, ids, targets, size=size, mode=plain)
        contenders[EAGER] = theirs(size)
        step, why = (None, "left out of a quick run") if quick else compiled(size)
        if step:
            contenders[COMPILED] = step
        check(contenders, contenders[EAGER])
        runs, rest = dict(contenders), 0.2  # for the threads of one to stop spinning before the next begins
        if threads == 1:
            a = np.random.default_rng(0).standard_normal((PRODUCT, PRODUCT), np.float32)
            out, rest = np.empty_like(a), 0.0
            runs["sgemm"] = lambda: np.matmul(a, a, out=out)
        timing = in_turns(runs, seconds=0.02 if quick else 0.25, warm_up=1 if quick else 2, rest=rest)
        rows = rows_of(size, threads, timing, why)
    for row in rows:
        if row.part == "step" and row.ratio:
            say(f"  {size.name}, {threads} thread(s): {row.ours} {row.mine:.2f} ms, {row.ratio:.2f} of {row.peer}")
    torch._dynamo.reset()
    return rows


def rows_of(size, threads, timing, why):
    """What a Timing of one size says."""
    ms = {name: 1e3 * seconds for name, seconds in timing.seconds.items()}
    case, ours = str(size), [name for name in (FAST, PLAIN, WORKERS) if name in ms]
    rows = []
    for mine in ours:
        for peer in (EAGER, COMPILED):
            target = step_target(size, threads, peer) if mine in (FAST, WORKERS) else ""
            if peer in ms:
                row = Row("step", case, threads, mine, peer, "ms", ms[mine], ms[peer], ms[peer] / ms[mine], target)
            else:
                row = Row("step", case, threads, mine, peer, "ms", ms[mine], None, None, target, why)
            rows.append(row)
    if threads == 1:
        work, product = flops(size) / 1e6, 2 * PRODUCT**3 / 1e6
        reached, possible = work / ms[FAST], product / ms["sgemm"]
        peer, share = f"product of {PRODUCT} x {PRODUCT}", share_target(size)
        rows.append(Row("sgemm", case, 1, FAST, peer, "GFLOP/s", reached, possible, reached / possible, share))
        faults = timing.faults
        for mine in ours:
            rows.append(Row("faults", case, 1, mine, EAGER, "faults", faults[mine], faults[EAGER]))
    return rows
