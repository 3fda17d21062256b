"""Fast versions for CuPy: kernels in CUDA, compiled where they run, and products at a precision that one chooses.

The kernels stand beside this file, a .cu for each noun, with the equation above the code.  Here is what surrounds
them: which calls they take (a fast version returns None for the others, and the definition answers), what is kept for
backward, and where results go.  No two blocks add to one place, so that a run can be repeated bit for bit.
"""

import contextlib
import functools
import math
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent
NOUNS = ("layer_norm", "attention", "gelu", "cross_entropy", "adamw", "embedding")
PRECISIONS = ("fp32", "tf32", "bf16")
OPTIONS = ("-std=c++17",)
TILE, SIDE, WIDEST = 32, 8, 64  # of attention.cu: rows of a tile, threads along one side, the most channels per head
TALLEST = 65_535  # the most blocks that a grid has along its second axis
ROWS = 4  # warps in a block of the kernels that give one warp to each row

_precision = "fp32"


def set_precision(name):
    """How matrix products are rounded: "fp32", "tf32" (10 bits after the point) or "bf16" (7), summed in float32.

    Weights, activations and gradients stay float32 in memory. tf32 and bf16 need a GPU of 2020 or later.
    ValueError for another name.
    """
    global _precision
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, but it is {name!r}.")
    _precision = name


@contextlib.contextmanager
def precision(name):
    """set_precision for a while:  with precision("tf32"): ..."""
    before = _precision
    set_precision(name)
    try:
        yield
    finally:
        set_precision(before)


def source(noun):
    """The CUDA source of one noun, as the compiler gets it."""
    return "".join((FOLDER / f"{part}.cu").read_text(encoding="utf-8") for part in ("warp", noun))


@functools.cache
def compiled(noun, kernel, **constants):
    """A kernel, compiled on first use; CuPy keeps what it compiled on disk for the next process."""
    import cupy

    options = (*OPTIONS, *(f"-D{name}={value}" for name, value in constants.items()))
    return cupy.RawModule(code=source(noun), options=options).get_function(kernel)


def launch(noun, kernel, grid, block, args, **constants):
    """Run a kernel on the GPU: args are contiguous float32, int32 or bool arrays, int, float, or None for no array.

    The tests put something else in this place: the same source, run thread by thread on the CPU.
    """
    as_c = {int: np.int32, float: np.float32, type(None): lambda _: np.uintp(0)}
    args = tuple(as_c.get(type(a), lambda a: a)(a) for a in args)
    compiled(noun, kernel, **constants)(grid, block, args)


def gemm(flip_a, flip_b, m, n, k, a, step_a, b, step_b, c, step_c):
    """cublasGemmEx: c = a b, (m, k) times (k, n), with matrices stored column by column; flip 1 transposes one first.

    CuPy's own @ knows TF32, but takes BF16 for float32 without a word; so we call what lies below it.
    """
    from cupy.cuda import device
    from cupy_backends.cuda.libs import cublas

    kinds = {
        "fp32": "CUBLAS_COMPUTE_32F",
        "tf32": "CUBLAS_COMPUTE_32F_FAST_TF32",
        "bf16": "CUBLAS_COMPUTE_32F_FAST_16BF",
    }
    kind = getattr(cublas, kinds[_precision])
    one, zero, float32 = np.ones(1, np.float32), np.zeros(1, np.float32), 0  # CUDA_R_32F
    cublas.gemmEx(
        device.get_cublas_handle(), flip_a, flip_b, m, n, k,
        one.ctypes.data, a.data.ptr, float32, step_a, b.data.ptr, float32, step_b,
        zero.ctypes.data, c.data.ptr, float32, step_c, kind, cublas.CUBLAS_GEMM_DEFAULT,
    )  # fmt: skip


def empty(shape, like):
    """A new float32 array that a kernel will fill, where the array `like` lives."""
    return array_module(like).empty(shape, np.float32)


def array_module(x):
    """NumPy or CuPy, as backend.array_module, which stands above this file."""
    if isinstance(x, np.ndarray):
        return np
    import cupy

    return cupy


def packed(a, *shape):
    """The array in this shape, its numbers float32 and side by side: itself if it is so already, else a copy."""
    return array_module(a).ascontiguousarray(a.reshape(shape) if shape else a, np.float32)


def parts(n, size):
    """How many parts of this size n things need."""
    return -(-n // size)


def fit(*arrays):
    """Whether the kernels can take these: float32, and something in them."""
    return all(a.dtype == np.float32 and a.size for a in arrays)


def product(a, b):
    """a @ b for two matrices, at the precision that is set.  a (N, C), b (C, F) -> (N, F)."""
    y = empty((a.shape[0], b.shape[1]), a)
    # cuBLAS counts down the columns, and so finds y^T in the memory of y: y^T = b^T a^T.
    (b, flip_b, step_b), (a, flip_a, step_a) = by_columns(b), by_columns(a)
    gemm(flip_b, flip_a, y.shape[1], y.shape[0], a.shape[1], b, step_b, a, step_a, y, y.shape[1])
    return y


def by_columns(a):
    """A matrix as cuBLAS finds its transpose: the array, whether to flip it, and the step from column to column."""
    if a.flags.f_contiguous and not a.flags.c_contiguous:
        return a, 1, a.shape[0]
    return packed(a), 0, a.shape[1]


def linear(x, w, b=None):
    """y = x w + b, see layers.linear: its three products at the precision that is set."""
    C, F = w.shape
    if x.shape[-1] != C or (b is not None and b.shape != (F,)) or not fit(x, w, *([] if b is None else [b])):
        return None
    rows = x.reshape(-1, C)
    y = product(rows, w)
    if b is not None:
        y += b

    def backward(dy):
        dy_rows = packed(dy, -1, F)
        dx = product(dy_rows, w.T).reshape(x.shape)
        dw = product(rows.T, dy_rows)
        return (dx, dw) if b is None else (dx, dw, dy_rows.sum(0))

    return y.reshape(*x.shape[:-1], F), backward


def embedding(table, *, ids):
    """y = table[ids], see layers.embedding: on the way back each token's rows are added up by one thread a channel."""
    if ids.dtype.kind not in "iu" or not fit(table) or not ids.size:
        return None
    xp = array_module(table)
    V, C = table.shape
    flat = ids.reshape(-1).astype(np.int32)

    def backward(dy):
        order = xp.argsort(flat, kind="stable").astype(np.int32)  # equal ids side by side, in the order of the text
        dtable = xp.zeros_like(table)
        args = (flat[order], order, packed(dy, -1, C), dtable, flat.size, C)
        launch("embedding", "embedding_backward", (flat.size, parts(C, 128)), (128,), args)
        return dtable

    return table[ids], backward


def layer_norm(x, g, b, *, eps=1e-5):
    """y = g xhat + b, see layers.layer_norm: of each row, its mean and 1 / deviation are kept beside x."""
    C = x.shape[-1]
    if g.shape != (C,) or b.shape != (C,) or not fit(x, g, b):
        return None
    rows, gain, shift = packed(x, -1, C), packed(g), packed(b)
    N = len(rows)
    y, mean, rstd = empty(x.shape, x), empty(N, x), empty(N, x)
    by_row = (parts(N, ROWS),), (32, ROWS)
    launch("layer_norm", "layer_norm_forward", *by_row, (rows, gain, shift, y, mean, rstd, N, C, float(eps)))

    def backward(dy):
        dy_rows, dx = packed(dy, -1, C), empty(x.shape, x)
        launch("layer_norm", "layer_norm_backward_x", *by_row, (rows, gain, dy_rows, mean, rstd, dx, N, C))
        P = min(64, parts(N, 32))
        dg, db = empty((P, C), x), empty((P, C), x)
        args = (rows, dy_rows, mean, rstd, dg, db, N, C)
        launch("layer_norm", "layer_norm_backward_gb", (parts(C, 32), P), (32, 8), args)
        return dx, dg.sum(0), db.sum(0)

    return y, backward


def ffn(x, p, *, config):
    """y = gelu(x w_up + b_up) w_down + b_down, see gpt.ffn: shift, bend and slope are one kernel each way.

    u = x w_up and h are kept; what the bend needs on the way back is found again from u.  Only for gelu_tanh.
    """
    F, C = p["w_down"].shape
    sizes = {"w_up": (x.shape[-1], F), "b_up": (F,), "w_down": (F, C), "b_down": (C,)}
    if config.activation != "gelu_tanh" or any(a.shape != sizes[name] for name, a in p.items()):
        return None
    if not fit(x, *p.values()):
        return None
    u, back_up = linear(x, p["w_up"])
    shift = packed(p["b_up"]) if "b_up" in p else array_module(x).zeros(F, np.float32)
    N = u.size // F
    grid, block = (parts(F, 256), min(N, TALLEST)), (256,)
    h = empty(u.shape, x)
    launch("gelu", "gelu_forward", grid, block, (u, shift, h, N, F))
    down = [name for name in ("w_down", "b_down") if name in p]
    y, back_down = linear(h, *(p[name] for name in down))

    def backward(dy):
        du, *dp_down = back_down(dy)  # dh, until the kernel has made du of it
        launch("gelu", "gelu_backward", grid, block, (u, shift, du, N, F))
        dx, dw_up = back_up(du)
        dp = dict(zip(down, dp_down, strict=True)) | {"w_up": dw_up}
        if "b_up" in p:
            dp["b_up"] = du.reshape(-1, F).sum(0)
        return dx, dp

    return y, backward


def attention(q, k, v, *, causal=False, mask=None, key_padding_mask=None, dropout=0.0, rng=None):
    """y = softmax(q k^T / sqrt(K) + mask) v, see layers.attention: no T x S matrix in memory, in either direction.

    Tiles of scores are made, used and forgotten; backward makes them again from the log of each query's sum.
    For up to 64 channels per head, without `mask` and dropout.
    """
    if not q.ndim == k.ndim == v.ndim == 4 or mask is not None or dropout or not fit(q, k, v):
        return None
    (B, H, T, K), S = q.shape, k.shape[2]
    if K > WIDEST or not k.shape == v.shape == (B, H, S, K):
        return None
    if key_padding_mask is not None and (key_padding_mask.shape != (B, S) or key_padding_mask.dtype != bool):
        return None
    padding = None if key_padding_mask is None else array_module(q).ascontiguousarray(key_padding_mask)
    across = lambda z: packed(z.swapaxes(1, 2))  # (B, T, H, K), as it lies in the model already: nothing is copied
    given = tuple(across(z) for z in (q, k, v))
    sizes = (H, T, S, int(causal), 1 / math.sqrt(K))
    y, lse = empty((B, T, H, K), q), empty((B, T, H), q)

    def run(kernel, rows, *arrays):
        launch("attention", f"attention_{kernel}", (B * H, parts(rows, TILE)), (SIDE, SIDE), (*arrays, *sizes), K=K)

    run("forward", T, *given, padding, y, lse)

    def backward(dy):
        blame = across(dy)
        along = (blame * y).sum(-1)  # (B, T, H)
        dq, dk, dv = (empty(z.shape, z) for z in given)
        run("backward_q", T, *given, padding, blame, lse, along, dq)
        run("backward_kv", S, *given, padding, blame, lse, along, dk, dv)
        return dq.swapaxes(1, 2), dk.swapaxes(1, 2), dv.swapaxes(1, 2)

    return y.swapaxes(1, 2), backward


def cross_entropy(logits, *, targets, ignore=None, label_smoothing=0.0):
    """The mean of -log softmax(logits)[target], see layers.cross_entropy: the probabilities are never written down."""
    V = logits.shape[-1]
    if targets.shape != logits.shape[:-1] or targets.dtype.kind not in "iu":
        return None
    if not 0 <= label_smoothing <= 1 or not fit(logits):
        return None
    xp = array_module(logits)
    z, flat = packed(logits, -1, V), targets.reshape(-1)
    N = len(z)
    share = xp.full(N, 1 / N, np.float32)  # each counted target has the same share of the mean
    if ignore is not None:
        counts = (flat != ignore).astype(np.float32)
        flat = xp.where(flat != ignore, flat, 0)
        share = counts / xp.maximum(counts.sum(), 1)
    flat = flat.astype(np.int32)
    losses, tops, totals = empty(N, z), empty(N, z), empty(N, z)
    by_row, sizes = ((parts(N, ROWS),), (32, ROWS)), (N, V, float(label_smoothing))
    launch("cross_entropy", "cross_entropy_forward", *by_row, (z, flat, losses, tops, totals, *sizes))

    def backward(dloss=1.0):
        dlosses = (share * dloss).astype(np.float32)
        dlogits = empty(logits.shape, z)
        args = (z, flat, tops, totals, dlosses, dlogits, *sizes)
        launch("cross_entropy", "cross_entropy_backward", *by_row, args)
        return dlogits

    return (losses * share).sum(), backward


def adamw(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """One step of AdamW in place, see optim.adamw: one kernel, which reads and writes every number once.

    Returns True: None would say that the definition must answer.
    """
    fits = all(a.shape == w.shape and a.flags.c_contiguous for a in (w, dw, m, v))
    if step < 1 or not fits or not fit(w, dw, m, v):
        return None
    b1, b2 = betas
    numbers = (1 - b1, 1 - b2, 1 - rate * decay, rate / (1 - b1**step), 1 / math.sqrt(1 - b2**step), eps)
    args = (w, dw, m, v, np.int64(w.size), *map(float, numbers))
    launch("adamw", "adamw", (parts(w.size, 256),), (256,), args)
    return True
