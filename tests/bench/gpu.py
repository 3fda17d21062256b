"""A training step on a GPU: ours, plain and with kernels, beside PyTorch, at three precisions.

python tests/bench/gpu.py        needs CuPy, and PyTorch built for CUDA; writes results/gpu-DEVICE.json and .md

Gradients are compared before anything is timed. It has not been run yet: no GPU was at hand when it was written.
"""

import contextlib
import datetime
import hashlib
import json
import pathlib
import platform
import re
import statistics
import sys

import numpy as np

from minillm import gpt, optim, trees
from minillm.backend import array_module, need_gpu, plain, to_cpu, to_gpu
from minillm.config import Config
from minillm.kernels import gpu

RESULTS = pathlib.Path(__file__).with_name("results")
SIZES = {
    "width 384": (Config(vocab_size=256, n_ctx=256, n_layer=6, n_head=6, width=384), 8),
    "GPT-2 small": (Config(vocab_size=50_257, n_ctx=1024, n_layer=12, n_head=12, width=768), 4),
}
TRAINING = {"betas": (0.9, 0.99), "eps": 1e-8, "decay": 0.1, "clip": 1.0}
RATE = 1e-5  # so small that the model stays itself
# How far a gradient may be from PyTorch's in fp32, as a part of its largest number; and the loss.
TOLERANCE = {"fp32": 1e-3, "tf32": 3e-2, "bf16": 2e-1}


def fingerprint(folder=gpu.FOLDER):
    """The SHA-256 of all that runs on the GPU: gpu.py and the .cu files, by name."""
    digest = hashlib.sha256()
    for path in sorted([folder / "gpu.py", *folder.glob("*.cu")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def stale(results=RESULTS, folder=gpu.FOLDER):
    """The stored results, by file name, that were measured with other kernels than these."""
    now = fingerprint(folder)
    return [
        path.name
        for path in sorted(results.glob("gpu-*.json"))
        if json.loads(path.read_text(encoding="utf-8")).get("kernels") != now
    ]


class Ours:
    """A step of ours on the GPU; fast=False runs the definitions on CuPy."""

    def __init__(self, params, ids, targets, config, precision, fast):
        self.config, self.precision, self.mode = config, precision, contextlib.nullcontext if fast else plain
        self.optimizer = optim.AdamW(to_gpu(params), **TRAINING)
        self.ids, self.targets = to_gpu([ids, targets])

    def __call__(self):
        self.backward()
        with self.mode():
            self.optimizer.step(RATE)

    def backward(self):
        """Loss and gradients alone; returns the loss."""
        with self.mode(), gpu.precision(self.precision):
            value, backward = gpt.loss(self.optimizer.params, ids=self.ids, targets=self.targets, config=self.config)
            self.optimizer.add(backward())
        return value

    def gradients(self):
        """{path: gradient} on the host; the gradient is forgotten."""
        self.optimizer.empty = True
        return {path: to_cpu(g) for path, g in trees.leaves(self.optimizer.grads)}

    def wait(self):
        """Until the GPU has done what it was asked for."""
        array_module(self.optimizer.w).cuda.get_current_stream().synchronize()


class Theirs:
    """A step of PyTorch's: bf16 by autocast, which keeps weights in float32, as ours are."""

    def __init__(self, params, ids, targets, config, precision, compiled, device="cuda"):
        import peers
        import torch

        self.torch, self.precision, self.device = torch, precision, device
        options = {**TRAINING, "rate": RATE, "config": config, "compiled": compiled, "device": device}
        self.step = peers.Step(params, ids, targets, **options)

    def __call__(self):
        self.backward()
        self.torch.nn.utils.clip_grad_norm_(self.step.model.parameters(), self.step.clip)
        self.step.optimizer.step()
        self.step.optimizer.zero_grad(set_to_none=True)

    def backward(self):
        """Loss and gradients alone; nothing here waits for the GPU, as nothing does in ours."""
        matmul = self.torch.backends.cuda.matmul
        before, matmul.allow_tf32 = matmul.allow_tf32, self.precision == "tf32"
        try:
            with self.torch.autocast(self.device, dtype=self.torch.bfloat16, enabled=self.precision == "bf16"):
                value = self.step.loss(self.step.ids, self.step.targets)
            value.backward()
        finally:
            matmul.allow_tf32 = before
        return value.detach()

    def gradients(self):
        """{path: gradient} on the host; the gradient is forgotten."""
        found = self.step.gradients()
        self.step.optimizer.zero_grad(set_to_none=True)
        return found

    def wait(self):
        """Until the GPU has done what it was asked for."""
        self.torch.cuda.synchronize()


def difference(mine, theirs):
    """The largest difference between two dicts of gradients, as a part of the largest number in each array.

    A gradient that is nothing but rounding (that of b_k) counts against a thousandth of the largest of all.
    """
    if set(mine) != set(theirs):
        raise ValueError(f"the two have different parameters: {sorted(set(mine) ^ set(theirs))}.")
    floor = 1e-3 * max(np.abs(g).max() for g in theirs.values())
    errors = [np.abs(mine[path] - g).max() / max(np.abs(g).max(), floor) for path, g in theirs.items()]
    return float(np.max(errors))  # NaN stays NaN


def waiting(step):
    """The step, until the GPU is done with it."""

    def run():
        step()
        step.wait()

    return run


def measure(name, precision, in_turns, rng):
    """One size at one precision: gradients against PyTorch's in fp32, then seconds; a dict for the table."""
    config, batch = SIZES[name]
    params = gpt.init(config, rng)
    ids = rng.integers(0, config.vocab_size, (batch, config.n_ctx + 1))
    data = params, ids[:, :-1], ids[:, 1:], config
    judge = Theirs(*data, "fp32", False)
    judge.backward()
    right = judge.gradients()
    del judge
    contenders = {
        "CuPy plain": Ours(*data, precision, False),
        "CuPy with kernels": Ours(*data, precision, True),
        "PyTorch": Theirs(*data, precision, False),
        "torch.compile": Theirs(*data, precision, True),
    }
    if precision != "fp32":
        del contenders["CuPy plain"]  # the definitions have one precision
    errors = {}
    for who, step in contenders.items():
        step.backward()
        errors[who] = difference(step.gradients(), right)
        if not errors[who] <= TOLERANCE[precision]:
            raise ValueError(f"{name}, {precision}: {who} is off by {errors[who]:.1e} of a gradient; nothing is timed.")
    timing = in_turns({who: waiting(step) for who, step in contenders.items()})
    row = {"size": name, "batch": batch, "precision": precision, "gradient_error": errors, "seconds": timing.seconds}
    for peer in ("PyTorch", "torch.compile"):
        ratios = [b / a for a, b in zip(*(timing.repetitions[who] for who in ("CuPy with kernels", peer)), strict=True)]
        row[f"ratio to {peer}"] = timing.ratio("CuPy with kernels", peer)
        row[f"quarter of ratios to {peer}"] = statistics.quantiles(ratios, n=4)[::2]
    return row


def about():
    """The machine, the versions, the day, and the hash of what ran."""
    import cupy
    import torch

    device = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    versions = {"python": platform.python_version(), "numpy": np.__version__, "cupy": cupy.__version__}
    versions |= {"torch": torch.__version__, "cuda": cupy.cuda.runtime.runtimeGetVersion()}
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"device": device, "date": day, "versions": versions, "kernels": fingerprint()}


def table(found):
    """What was measured, as Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    who = ["CuPy plain", "CuPy with kernels", "PyTorch", "torch.compile"]
    lines = [f"# Training steps on {found['device']}", ""]
    lines += [f"{found['date']}; {versions}; kernels {found['kernels'][:16]}. Milliseconds, medians in turns.", ""]
    lines += [f"| step | precision | {' | '.join(who)} | PyTorch / ours | compile / ours |", "|---|---|" + "---|" * 6]
    for row in found["rows"]:
        times = [f"{1000 * row['seconds'][name]:.2f}" if name in row["seconds"] else "" for name in who]
        ratios = [f"{row[f'ratio to {peer}']:.2f}" for peer in ("PyTorch", "torch.compile")]
        lines.append(f"| {row['size']}, batch {row['batch']} | {row['precision']} | {' | '.join(times + ratios)} |")
    return "\n".join(lines) + "\n"


def main():
    """Measure, print, and write both files; returns the exit code."""
    try:
        need_gpu()
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    from measure import in_turns

    rng, found = np.random.default_rng(0), about() | {"rows": []}
    for name in SIZES:
        for precision in gpu.PRECISIONS:
            found["rows"].append(measure(name, precision, in_turns, rng))
    place = RESULTS / f"gpu-{re.sub(r'[^a-z0-9]+', '-', found['device'].lower())}"
    RESULTS.mkdir(exist_ok=True)
    place.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    place.with_suffix(".md").write_text(table(found), encoding="utf-8")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
