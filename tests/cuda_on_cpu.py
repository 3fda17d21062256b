"""CUDA kernels run on the CPU, thread by thread: a second witness for kernels/*.cu where there is no GPU.

    with installed() as machine: y, backward = gpu.layer_norm(x, g, b)        # on NumPy arrays

The very source is compiled by g++ with cuda_on_cpu.h.  Around every array that a kernel gets lies a guard of NaN (or of
the last number, for int), which must stay as it is; what is const in the kernel's signature must stay as it was; what
is to be filled is full of NaN.
Every product is made as cuBLAS would make it, from the memory and the steps that it is told of.
"""

import contextlib
import ctypes
import functools
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from minillm import backend
from minillm.kernels import gpu

HEADER = pathlib.Path(__file__).with_name("cuda_on_cpu.h")
FLAGS = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-fsanitize=undefined"]
FLAGS += ["-fno-sanitize-recover=undefined", "-Wno-unused-function", "-Wno-unused-variable", "-Wno-unknown-pragmas"]
GUARD = 96  # numbers on either side
KINDS = {"float": (np.float32, ctypes.c_float), "int": (np.int32, ctypes.c_int), "bool": (np.bool_, ctypes.c_bool)}
KINDS |= {"long long": (np.int64, ctypes.c_longlong)}


def compiler():
    """The path of g++, or None; fibers as they are made here are to be had on Linux only."""
    return shutil.which("g++") if sys.platform == "linux" else None


def signatures(source):
    """{kernel: [(type, is a pointer, is const, name), ...]} of the __global__ functions in a CUDA source."""
    found = {}
    for name, listing in re.findall(
        r'extern "C" __global__ void [^(]*?(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\(([^)]*)\)', source
    ):
        parts = [
            re.fullmatch(r"(const )?(float|int|bool|long long)(\*)? (\w+)", part.strip()) for part in listing.split(",")
        ]
        found[name] = [(part[2], bool(part[3]), bool(part[1]), part[4]) for part in parts]
    return found


@functools.cache
def library(source, constants):
    """The kernels as a C library, kept on disk by the hash of all that it is made of."""
    calls = [f'#include "{HEADER}"', *(f"#define {name} {value}" for name, value in constants), source]
    for name, parameters in signatures(source).items():
        listing = "".join(f", {kind}{'*' * pointer} {word}" for kind, pointer, _, word in parameters)
        words = ", ".join(word for *_, word in parameters)
        calls.append(
            f'extern "C" int run_{name}(unsigned gx, unsigned gy, unsigned bx, unsigned by, unsigned seed{listing})\n'
            f"{{ return run({{gx, gy, 1}}, {{bx, by, 1}}, seed, [&] {{ {name}({words}); }}); }}"
        )
    text = "\n".join(calls) + "\n"
    key = hashlib.sha256((text + HEADER.read_text(encoding="utf-8") + " ".join(FLAGS)).encode()).hexdigest()[:16]
    path = pathlib.Path(tempfile.gettempdir()) / f"minillm-kernels-{key}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            code, made = pathlib.Path(folder) / "kernel.cpp", pathlib.Path(folder) / "kernel.so"
            code.write_text(text, encoding="utf-8")
            answer = subprocess.run([compiler(), *FLAGS, "-o", made, code], capture_output=True, encoding="utf-8")
            if answer.returncode:
                raise RuntimeError(f"g++ could not compile the kernels: {answer.stderr}")
            shutil.copy(made, path.with_suffix(f".{id(folder)}"))
            path.with_suffix(f".{id(folder)}").replace(path)
    return ctypes.CDLL(str(path))


class Machine:
    """What stands in for the GPU; `ran` counts the kernels, `seed` decides who comes next."""

    def __init__(self, seed=0):
        self.seed, self.ran = seed, []

    def launch(self, noun, kernel, grid, block, args, **constants):
        """As gpu.launch, with all that CUDA would not tell about said at once."""
        self.ran.append(kernel)
        source = gpu.source(noun)
        parameters = signatures(source)[kernel]
        assert len(parameters) == len(args), f"{kernel} takes {len(parameters)} arguments, not {len(args)}"
        grid, block = ((*size, 1)[:2] for size in (grid, block))
        assert all(0 < n for n in (*grid, *block)) and grid[1] < 65_536 and grid[0] < 2**31
        assert block[0] * block[1] <= 1024 and block[0] * block[1] % 32 == 0
        guarded, numbers = [], []
        for (kind, pointer, const, name), value in zip(parameters, args, strict=True):
            dtype, as_c = KINDS[kind]
            if not pointer:
                wanted = {"float": float, "int": int}.get(kind, dtype)
                assert type(value) is wanted, f"{kernel}: {name} is {value!r}, but the kernel takes {kind}"
                numbers.append(as_c(value))
            elif value is None:
                numbers.append(ctypes.c_void_p(0))
            else:
                assert value.dtype == dtype and value.flags.c_contiguous, (
                    f"{kernel}: {name} is {value.dtype}, or in pieces"
                )
                memory = np.full(2 * GUARD + value.size, 0xFF, np.uint8).repeat(value.itemsize).view(dtype)
                memory[GUARD:-GUARD] = value.reshape(-1)
                if kind == "int":  # -1 would be no id, and end a loop in time: rather the last one, once more
                    memory[-GUARD:] = memory[-GUARD - 1]
                guarded.append((name, const, value, memory, memory.copy()))
                numbers.append(ctypes.c_void_p(memory[GUARD:].ctypes.data))
        self.seed += 1
        run = getattr(library(source, tuple(constants.items())), f"run_{kernel}")
        stuck = run(*map(ctypes.c_uint, (*grid, *block, self.seed)), *numbers)
        assert not stuck, f"{kernel}: threads wait for each other for ever"
        for name, const, value, memory, before in guarded:
            for end in (slice(GUARD), slice(-GUARD, None)):
                assert memory[end].tobytes() == before[end].tobytes(), f"{kernel} writes outside of {name}"
            assert not const or memory.tobytes() == before.tobytes(), f"{kernel} changes {name}"
            value[...] = memory[GUARD:-GUARD].reshape(value.shape)


def gemm(flip_a, flip_b, m, n, k, a, step_a, b, step_b, c, step_c):
    """As cublasGemmEx: matrices by columns, found in memory by their steps alone, rounded as the precision says."""

    def matrix(memory, rows, columns, step):
        assert step >= rows and (columns - 1) * step + rows <= memory.size
        return np.lib.stride_tricks.as_strided(memory, (rows, columns), (4, 4 * step))

    flat = lambda z: z.reshape(-1, order="C" if z.flags.c_contiguous else "F")
    left = matrix(flat(rounded(a)), *((k, m) if flip_a else (m, k)), step_a)
    right = matrix(flat(rounded(b)), *((n, k) if flip_b else (k, n)), step_b)
    assert c.flags.c_contiguous
    matrix(c.reshape(-1), m, n, step_c)[...] = (left.T if flip_a else left) @ (right.T if flip_b else right)


def rounded(a):
    """The numbers with as many bits as the precision keeps, halves to even."""
    lost = {"fp32": 0, "tf32": 13, "bf16": 16}[gpu._precision]
    if not lost:
        return a
    bits = a.view(np.uint32)
    bits = (bits + np.uint32((1 << (lost - 1)) - 1) + ((bits >> np.uint32(lost)) & np.uint32(1))) >> np.uint32(lost)
    return (bits << np.uint32(lost)).view(np.float32)


@contextlib.contextmanager
def installed(seed=0):
    """Let the fast versions of gpu.py take NumPy's float32 arrays, here and inside the model."""
    machine = Machine(seed)
    theirs = gpu.launch, gpu.gemm, gpu.empty, backend.kernels_for
    gpu.launch, gpu.gemm = machine.launch, gemm
    gpu.empty = lambda shape, like: np.full(shape, np.nan, np.float32)
    backend.kernels_for = lambda x: gpu if x.dtype == np.float32 else None
    try:
        yield machine
    finally:
        gpu.launch, gpu.gemm, gpu.empty, backend.kernels_for = theirs
