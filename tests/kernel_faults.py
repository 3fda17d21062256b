"""Bugs to plant in the CUDA kernels, one at a time: each must be noticed where they run thread by thread on the CPU.

python tests/kernel_faults.py         tries them all
python tests/kernel_faults.py 7       tries one; the exit code is 3 if it lived

(file, what is there, what it becomes, how often it is there, which kernel's cases are run)
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import cuda_on_cpu
import numpy as np

from minillm import layers
from minillm.kernels import checks, gpu
from minillm.trees import map_leaves

LIVED = 3  # an exit code that neither Python nor the sanitizer uses
FAULTS = [
    ("warp.cu", "int apart = 16; apart > 0; apart /= 2) a +=", "int apart = 8; apart > 0; apart /= 2) a +=", 1, "layer_norm"),
    ("warp.cu", "int apart = 16; apart > 0; apart /= 2) a = fmaxf", "int apart = 8; apart > 0; apart /= 2) a = fmaxf", 1, "spread"),
    ("layer_norm.cu", "    if (n >= N) return;\n    x += (long long)n * C;\n    y +=", "    x += (long long)n * C;\n    y +=", 1, "layer_norm"),
    ("layer_norm.cu", "    dx += (long long)n * C;", "    dx += (long long)n * (C + 1);", 1, "layer_norm"),
    ("layer_norm.cu", "/ C + eps)", "/ (C - 1) + eps)", 1, "layer_norm"),
    ("layer_norm.cu", "- (x[c] - m) * r * along", "- (x[c] - m) * along", 1, "layer_norm"),
    ("layer_norm.cu", "    __syncthreads();\n", "", 1, "layer_norm"),
    ("layer_norm.cu", "int row = 1; row < 8", "int row = 1; row < 7", 1, "layer_norm"),
    ("layer_norm.cu", "n += gridDim.y * 8", "n += 8", 1, "layer_norm"),
    ("layer_norm.cu", "threadIdx.y == 0 && c < C", "threadIdx.y == 0", 1, "layer_norm"),
    ("cross_entropy.cu", "int i = threadIdx.x; i < V; i += 32) top", "int i = threadIdx.x; i < V - 1; i += 32) top", 1, "spread"),
    ("cross_entropy.cu", "total += expf(z[i] - top)", "total += expf(z[i])", 1, "spread"),
    ("cross_entropy.cu", "d -= 1 - smoothing", "d -= 1", 1, "cross_entropy"),
    ("cross_entropy.cu", "- smoothing / V;", "- smoothing;", 1, "cross_entropy"),
    ("cross_entropy.cu", "(long long)n * V;\n    float* dz", "(long long)n * (V - 1);\n    float* dz", 1, "cross_entropy"),
    ("cross_entropy.cu", "0 <= target && target < V", "true", 1, "outside"),
    ("gelu.cu", "(1 + 3 * CUBE", "(1 + CUBE", 1, "ffn"),
    ("gelu.cu", "    if (f >= F) return;\n", "", 2, "ffn"),
    ("gelu.cu", "n += gridDim.y) {\n        float z = u[(long long)n * F + f] + b[f];\n        float", "n += 1) {\n        float z = u[(long long)n * F + f] + b[f];\n        float", 1, "tall"),
    ("gelu.cu", "F + f] + b[f];\n        h", "F + f];\n        h", 1, "ffn"),
    ("adamw.cu", "    if (i >= n) return;\n", "", 1, "adamw"),
    ("adamw.cu", "shrink * w[i]", "w[i]", 1, "adamw"),
    ("adamw.cu", "root * sqrtf(v[i]) + eps", "root * sqrtf(v[i] + eps)", 1, "epsilon"),
    ("embedding.cu", "n > 0 && ids[n - 1] == ids[n]", "false", 1, "embedding"),
    ("embedding.cu", "i < N && ids[i]", "ids[i]", 1, "embedding"),
    ("embedding.cu", "order[i] * C", "i * C", 1, "embedding"),
    ("attention.cu", "        __syncthreads();  // nobody needs the last tile any more\n", "", 1, "attention"),
    ("attention.cu", "        __syncthreads();\n        gather(o, dscores", "        gather(o, dscores", 1, "attention"),
    ("attention.cu", "        __syncthreads();\n        gather(o_k", "        gather(o_k", 1, "attention"),
    ("attention.cu", "        __syncthreads();\n\n        float scores[PER][PER];", "        float scores[PER][PER];", 1, "attention"),
    ("attention.cu", "causal && s > S - T + t", "causal && s >= S - T + t", 1, "attention"),
    ("attention.cu", "causal && s > S - T + t", "causal && s > t", 1, "attention"),
    ("attention.cu", "S - T + t0 + TILE)", "S - T + t0)", 2, "attention"),
    ("attention.cu", "max(0, s0 - (S - T))", "s0", 1, "attention"),
    ("attention.cu", "s >= S || ", "", 1, "attention"),
    ("attention.cu", "t >= T || ", "", 1, "attention"),
    ("attention.cu", "store(dk + head(S, H), o_k, scale", "store(dk + head(S, H), o_k, 1", 1, "attention"),
    ("attention.cu", "store(dq + head(T, H), o, scale", "store(dq + head(T, H), o, 1", 1, "attention"),
    ("attention.cu", "(dweights[i][j] - along[n])", "dweights[i][j]", 2, "attention"),
    ("attention.cu", "o[i][j] *= keep", "o[i][j] *= 1", 1, "attention"),
    ("attention.cu", "total[i] * keep +", "total[i] +", 1, "attention"),
    ("attention.cu", "best == NEVER ? 0 : best", "best", 1, "attention"),
    ("attention.cu", "blind ? 0 : o[i][j] / total[i]", "o[i][j] / total[i]", 1, "attention"),
    ("attention.cu", "if (row < rows && c < K)", "if (c < K)", 1, "attention"),
    ("attention.cu", "if (row < rows && c < K)", "if (row < rows)", 1, "attention"),
    ("attention.cu", "(blockIdx.x / H) * S;\n\n    int s0", "(blockIdx.x % H) * S;\n\n    int s0", 1, "attention"),
    ("attention.cu", "* rows * H + blockIdx.x % H) * K", "* rows * H + blockIdx.x % H * rows) * K", 1, "attention"),
    ("attention.cu", "float best = top[i]", "float best = NEVER", 1, "far"),
    ("attention.cu", "gather(o_v, weights, dys)", "gather(o_v, weights, queries)", 1, "attention"),
]  # fmt: skip


def extra(name):
    """Cases that no size brings about, by name: large scores, a tall matrix, a large eps, a target that is none."""
    rng = np.random.default_rng(5)
    if name == "spread":
        logits = (100 * rng.standard_normal((4, 60))).astype(np.float32)
        logits[0, -1], logits[1, 31] = 1000, 1000
        return [checks.entropy((4,), 60)._replace(draw=lambda rng: [logits])]
    if name == "tall":
        return [checks.feed((3, 3), 2, 2, "fp32")]
    if name == "epsilon":
        return [checks.step(9, 0.1)._replace(options={"step": 3, "rate": 0.1, "eps": 0.5})]
    return [case for case in checks.cases() if case.kernel == name and case.precision == "fp32"]


def outside():
    """What is wrong with the loss of a target outside the vocabulary, "" if it is NaN."""
    logits, targets = np.zeros((2, 7), np.float32), np.array([0, -1])
    if not np.isnan(gpu.cross_entropy(logits, targets=targets)[0]):
        return "the loss is a number, but a target is not in the vocabulary"
    return ""


def far():
    """What is wrong with attention where keys of the first tile win by hundreds, "" if nothing is."""
    q, k, v = checks.normal((1, 1, 3, 8), (1, 1, 70, 8), (1, 1, 70, 8))(np.random.default_rng(5))
    k[:, :, :32] *= 300
    off = checks.error(gpu.attention(q, k, v)[0], layers.attention.__wrapped__(q, k, v)[0])
    return "" if off < 1e-3 else f"attention is off by {off}"


def wrong(name):
    """Run the cases of that name until one fails; returns what was wrong with it, "" if nothing was."""
    rng = np.random.default_rng(0)
    with cuda_on_cpu.installed():
        before, gpu.TALLEST = (
            gpu.TALLEST,
            2 if name == "tall" else gpu.TALLEST,
        )  # of a grid: else a test would take minutes
        try:
            if name in ("outside", "far"):
                return {"outside": outside, "far": far}[name]()
            for case in extra(name):
                row = checks.check(case, rng, lambda tree: map_leaves(np.copy, tree))
                if not row.ok:
                    return checks.table([row]).splitlines()[1]
        except (AssertionError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            gpu.TALLEST = before
    return ""


def noticed(number):
    """Plant one bug and run its cases; returns what was noticed, "" if it lived."""
    file, old, new, _, name = FAULTS[number]
    text = (gpu.FOLDER / file).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for path in gpu.FOLDER.glob("*.cu"):
            shutil.copy(path, folder)
        (pathlib.Path(folder) / file).write_text(text.replace(old, new), encoding="utf-8")
        healthy, gpu.FOLDER = gpu.FOLDER, pathlib.Path(folder)
        try:
            return wrong(name)
        finally:
            gpu.FOLDER = healthy


def check_table():
    """ValueError if a bug has no place any more."""
    for file, old, _, times, _ in FAULTS:
        found = (gpu.FOLDER / file).read_text(encoding="utf-8").count(old)
        if found != times:
            raise ValueError(f"{file} holds {old!r} {found} times, not {times}; change tests/kernel_faults.py.")


def main(words):
    """Try one here, or each in a process of its own: a wild pointer ends that process, and is noticed too."""
    if words:
        found = noticed(int(words[0]))
        print(found)
        return 0 if found else LIVED
    check_table()
    return plant(range(len(FAULTS))) > 0


def plant(numbers):
    """Plant these bugs, each in a process of its own; returns how many lived."""
    lived = 0
    for number in numbers:
        file, old, new, *_ = FAULTS[number]
        answer = subprocess.run([sys.executable, __file__, str(number)], capture_output=True, encoding="utf-8")
        lived += answer.returncode == LIVED
        told = answer.stdout.strip() or f"ended by {answer.returncode} {answer.stderr[-100:]!r}"
        told = "LIVED" if answer.returncode == LIVED else told
        print(f"{number:3} {file}: {old.strip()!r} -> {new.strip()!r}: {told}", flush=True)
    return lived


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
