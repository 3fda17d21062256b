"""Twelve training steps for a GPU, each with something hidden in it, or nothing: what hidden_copies asks about.

Each gets w (8, 4), x (16, 8), dy (16, 4) and groups (16,) on the GPU, the computer's own rng, and a list `log`.
"""

import inspect
import re
import textwrap
import time

import numpy as np

from ...backend import array_module, to_cpu


def _nothing_crosses(w, x, dy, groups, rng, log):
    xp = array_module(w)
    dw = x.T @ dy
    norm = xp.sqrt((dw * dw).sum())
    w -= 0.1 / xp.maximum(norm, 1) * dw
    log.append(norm)


def _the_loss_is_fetched(w, x, dy, groups, rng, log):
    y = x @ w
    loss = ((y - dy) * (y - dy)).mean()
    w -= 0.1 * (x.T @ (y - dy))
    log.append(f"{loss:.3f}")


def _a_condition_waits(w, x, dy, groups, rng, log):
    xp = array_module(w)
    dw = x.T @ dy
    norm = xp.sqrt((dw * dw).sum())
    if norm > 1:
        dw /= norm
    w -= 0.1 * dw


def _a_mask_is_counted(w, x, dy, groups, rng, log):
    known = groups >= 0
    dw = x[known].T @ dy[known]
    w -= 0.1 * dw


def _a_constant_is_sent_again(w, x, dy, groups, rng, log):
    xp = array_module(w)
    earlier = xp.asarray(np.tri(16, dtype="float32") / 16)
    dw = (earlier @ x).T @ dy
    w -= 0.1 * dw


def _noise_comes_from_the_computer(w, x, dy, groups, rng, log):
    xp = array_module(w)
    keep = xp.asarray(rng.random(x.shape, dtype="float32") > 0.1)
    dw = (x * keep).T @ dy
    w -= 0.1 * dw


def _all_weights_are_fetched(w, x, dy, groups, rng, log):
    before = to_cpu(w)
    w -= 0.1 * (x.T @ dy)
    log.append(before)


def _an_index_list_is_sent(w, x, dy, groups, rng, log):
    chosen = [0, 3, 5, 10, 12]
    dw = x[chosen].T @ dy[chosen]
    w -= 0.1 * dw


def _the_end_of_a_slice_is_fetched(w, x, dy, groups, rng, log):
    longest = int(groups.max()) + 1
    dw = x[:longest].T @ dy[:longest]
    w -= 0.1 * dw


def _float64_creeps_in(w, x, dy, groups, rng, log):
    scale = 0.1 / np.sqrt(x.shape[-1])
    dw = scale * (x.T @ dy)
    w -= dw.astype(w.dtype)


def _the_clock_stops_too_early(w, x, dy, groups, rng, log):
    start = time.perf_counter()
    dw = x.T @ dy
    w -= 0.1 * dw
    log.append(time.perf_counter() - start)


def _a_kernel_for_each_row(w, x, dy, groups, rng, log):
    for x_row, dy_row in zip(x, dy, strict=True):
        dw = x_row[:, None] * dy_row
        w -= 0.1 * dw


FUNCTIONS = (
    _nothing_crosses,
    _the_loss_is_fetched,
    _a_condition_waits,
    _a_mask_is_counted,
    _a_constant_is_sent_again,
    _noise_comes_from_the_computer,
    _all_weights_are_fetched,
    _an_index_list_is_sent,
    _the_end_of_a_slice_is_fetched,
    _float64_creeps_in,
    _the_clock_stops_too_early,
    _a_kernel_for_each_row,
)
# Their names tell the answer, and no docstring stands in what is shown: so they are private.
STEPS = {function.__name__.replace("_", " ").strip(): function for function in FUNCTIONS}


def code(step):
    """The body of a step, as text."""
    lines = inspect.getsource(step).splitlines()[1:]
    return textwrap.dedent("\n".join(lines))


def reads_the_clock(step):
    """Whether it asks what time it is."""
    return bool(re.search("perf_counter", code(step)))
