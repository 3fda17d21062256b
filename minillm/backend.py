"""NumPy or CuPy: which of them an array belongs to, and the way between them; the definition or its fast version."""

import contextlib
import functools
import time

import numpy as np

from .kernels import cpu


def array_module(x):
    """The module whose functions accept x: cupy if x lives on the GPU, numpy otherwise."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    import cupy

    return cupy.get_array_module(x)


@functools.cache
def gpu_available():
    """Whether CuPy is installed and sees a GPU.  Asked once, and only when somebody wants to know."""
    try:
        import cupy
    except ImportError:
        return False
    return cupy.is_available()


def need_gpu():
    """ValueError, with what to do, if there is no GPU."""
    if not gpu_available():
        raise ValueError(
            "no GPU was found: CuPy is missing or sees no device. "
            "Install the extra cuda12 or cuda13, or stay on the CPU."
        )


def to_gpu(tree):
    """A copy of the tree with every array on the GPU.  ValueError if there is none."""
    need_gpu()
    import cupy

    from .trees import map_leaves

    return map_leaves(cupy.asarray, tree)


def to_cpu(tree):
    """A copy of the tree with every array in the computer's own memory, as NumPy arrays."""
    from .trees import map_leaves

    return map_leaves(lambda a: np.asarray(a) if array_module(a) is np else array_module(a).asnumpy(a), tree)


_plain = 0  # how many plain() are open


def fused(definition):
    """Mark a function that has a fast version of the same name and signature in kernels/cpu.py or kernels/gpu.py.

    What is written here stays the definition: it is what one reads, and what the fast version is tested against.
    The fast version runs for float32 arrays; it may decline a call by returning None, and the definition answers.  So
    it does where the arrays are given by name.
    """

    @functools.wraps(definition)
    def either(*arrays, **options):
        fast = None if _plain or not arrays else getattr(kernels_for(arrays[0]), definition.__name__, None)
        answer = fast(*arrays, **options) if fast else None
        return definition(*arrays, **options) if answer is None else answer

    return either


def kernels_for(x):
    """The module of fast versions for arrays like x; None if there is none."""
    if x.dtype != np.float32:
        return None
    if isinstance(x, np.ndarray):
        return cpu
    if not hasattr(array_module(x), "RawModule"):  # a pretend GPU, in the tests, compiles nothing
        return None
    from .kernels import gpu

    return gpu


@contextlib.contextmanager
def plain():
    """Run the definitions alone, without the fast versions in kernels/:  with plain(): ..."""
    global _plain
    _plain += 1
    try:
        yield
    finally:
        _plain -= 1


def is_plain():
    """Whether plain() is open."""
    return _plain > 0


class Stopwatch:
    """Seconds since it was made; on a GPU it waits until the work that was asked for is done.

    with x an array of the work to be timed:  watch = Stopwatch(x); ...; watch.seconds()
    """

    def __init__(self, x=None):
        self.xp = np if x is None else array_module(x)
        self.wait()
        self.start = time.perf_counter()

    def wait(self):
        if self.xp is not np:
            self.xp.cuda.get_current_stream().synchronize()

    def seconds(self):
        self.wait()
        return time.perf_counter() - self.start
