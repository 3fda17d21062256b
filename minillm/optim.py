"""What changes the weights: AdamW, clipping by global norm, and how the learning rate moves."""

import math

from . import trees
from .backend import array_module, fused

BLOCK = 16_384  # numbers per block: five arrays of this size fit a core's cache together
KINDS = ("cosine", "linear", "constant")


@fused
def adamw(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    """One step of Adam with decoupled weight decay, in place on w, m and v; dw is left alone.

        m = b1 m + (1 - b1) dw                          running mean of the gradient
        v = b2 v + (1 - b2) dw^2                        running mean of its square
        w = w - rate * (m / (1 - b1^step)) / (sqrt(v / (1 - b2^step)) + eps) - rate * decay * w

    All four have one shape and are contiguous; m and v start as zeros, and step counts from 1: dividing by
    1 - b^step undoes the pull of those zeros.  arXiv:1412.6980, algorithm 1 (eps outside the root);
    the decay beside the gradient, not inside it: arXiv:1711.05101, algorithm 2, with the rate as its schedule.
    ValueError if step is below 1, or if an array is in pieces or has another shape.
    """
    if step < 1:
        raise ValueError(f"adamw counts its steps from 1, but was given step {step}.")
    for name, a in (("w", w), ("dw", dw), ("m", m), ("v", v)):
        if a.shape != w.shape or not a.flags.c_contiguous:
            raise ValueError(f"adamw needs contiguous arrays of shape {w.shape} like w; {name} has {a.shape}: copy it.")
    xp = array_module(w)
    w, dw, m, v = (a.reshape(-1) for a in (w, dw, m, v))
    b1, b2 = betas
    shrink, stride, root = 1 - rate * decay, rate / (1 - b1**step), 1 / math.sqrt(1 - b2**step)
    block = BLOCK if xp.__name__ == "numpy" else w.size  # a GPU has no use for small blocks
    scratch = xp.empty(min(block, w.size), w.dtype)
    for i in range(0, w.size, block or 1):
        wi, dwi, mi, vi = (a[i : i + block] for a in (w, dw, m, v))
        t = scratch[: wi.size]
        xp.subtract(dwi, mi, out=t)
        t *= 1 - b1
        mi += t  # m moves towards dw by 1 - b1 of the way
        xp.multiply(dwi, dwi, out=t)
        t -= vi
        t *= 1 - b2
        vi += t
        xp.sqrt(vi, out=t)
        t *= root
        t += eps
        xp.divide(mi, t, out=t)
        t *= stride
        if decay:
            wi *= shrink
        wi -= t


def clip(dw, limit):
    """Scale the vector dw, in place, so that its length is at most limit; returns its length before that.

        dw = dw * min(1, limit / |dw|)

    The length is a 0-d value that stays on dw's device: nothing here waits for a GPU.  limit None only measures.
    If |dw| is NaN or infinite, dw is spoilt: look at the length that comes back.
    arXiv:1211.5063.  ValueError if limit is not above zero.
    """
    if limit is not None and not limit > 0:
        raise ValueError(f"a gradient is clipped to a length above 0, not to {limit}; None turns clipping off.")
    xp = array_module(dw)
    norm = xp.sqrt(xp.dot(dw, dw))
    if limit is not None:
        dw *= limit / xp.maximum(norm, limit)  # = min(1, limit / norm), without dividing by zero
    return norm


def schedule(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    """The learning rate of step 1, 2, ..., steps.

    Warm-up first: rate * step / warmup, for `warmup` steps.  Then, by kind,
        cosine    along half a wave from rate down to final
        linear    along a straight line from rate down to final
        constant  rate, and in the last `cooldown` (a fraction of all steps) a straight line down to final
    The fall would arrive at final one step after the last, so that no step is taken with a rate of zero.
    Cosine: arXiv:1608.03983.  Constant with cooldown: arXiv:2405.18392.  ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no schedule is called {kind!r}; there are {', '.join(KINDS)}.")
    if step < warmup:
        return rate * step / warmup
    start = max(warmup, 1) if kind != "constant" else max(warmup, steps - round(cooldown * steps))
    if step <= start:
        return rate
    left = max(0.0, (steps + 1 - step) / (steps + 1 - start))  # 1 where the fall begins, 0 where it would end
    if kind == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return final + (rate - final) * left


def is_matrix(path, a):
    """Whether a leaf is decayed: matrices and tables are, gains and biases are not."""
    return a.ndim >= 2


def accumulate(totals, grads, weight=1.0, *, empty=False):
    """Add weight * grads to totals, two trees with the same keys, in place; if empty, what totals held is forgotten.

    ValueError if a gradient is missing or has another shape.
    """
    given = dict(trees.leaves(grads))
    for path, total in trees.leaves(totals):
        if path not in given:
            raise ValueError(f"the gradient of {path} is missing.")
        a = given[path]
        if a.shape != total.shape:
            raise ValueError(f"the gradient of {path} has shape {a.shape}, but the parameter has {total.shape}.")
        if not empty:
            total += a if weight == 1 else weight * a
        elif weight == 1:
            total[...] = a
        else:
            array_module(a).multiply(a, weight, out=total)


class AdamW:
    """AdamW over a whole tree of parameters, kept as one vector: every update is one call, on any device.

    optimizer = AdamW(params, betas=(0.9, 0.98), decay=0.1, clip=1.0)
    optimizer.params                the parameters from now on: views into the vector, same keys as params
    optimizer.add(grads, weight)    sum the gradients of a batch that is cut in parts; weights should add up to 1
    norm = optimizer.step(rate)     clip, update, forget the gradients; the norm is a 0-d value on the device

    The vector is a copy: the tree that was given is left alone.  Matrices come first in it, so that the part
    that is decayed is one slice.
    """

    def __init__(self, params, *, betas=(0.9, 0.999), eps=1e-8, decay=0.0, clip=None):
        self.w, self.params = trees.flatten(params, first=is_matrix)
        xp = array_module(self.w)
        (self.dw, self.grads), (self.m, self._m), (self.v, self._v) = (
            trees.flatten(trees.map_leaves(xp.zeros_like, params), first=is_matrix) for _ in range(3)
        )
        self.n_decayed = sum(a.size for path, a in trees.leaves(params) if is_matrix(path, a))
        self.betas, self.eps, self.decay, self.clip = tuple(betas), eps, decay, clip
        self.steps = 0  # taken so far
        self.empty = True  # no gradient has been added since the last step

    def add(self, grads, weight=1.0):
        """Add weight * grads, a tree with the keys of params, to the gradient of the coming step."""
        accumulate(self.grads, grads, weight, empty=self.empty)
        self.empty = False

    def forget(self):
        """Take back what has been added since the last step."""
        self.empty = True

    def move(self, vector):
        """Keep the parameters in this memory (N,) from now on, for example where other processes see them.

        `params` is a new tree of views; the old one keeps the values of this moment.
        """
        self.w, self.params = trees.flatten(self.params, first=is_matrix, vector=vector)

    def layout(self):
        """How the vectors are cut: (path, shape) of each parameter, in their order."""
        return [(path, a.shape) for path, a in trees.in_order(self.params, is_matrix)]

    def step(self, rate):
        """Clip, update every parameter at this learning rate, and forget the gradient; returns its norm."""
        if self.empty:
            raise ValueError("step() has no gradient to follow: call add(grads) first.")
        norm = clip(self.dw, self.clip)
        self.steps += 1
        for part, decay in ((slice(None, self.n_decayed), self.decay), (slice(self.n_decayed, None), 0.0)):
            w, dw, m, v = (a[part] for a in (self.w, self.dw, self.m, self.v))
            adamw(w, dw, m, v, step=self.steps, rate=rate, betas=self.betas, eps=self.eps, decay=decay)
        self.empty = True
        return norm

    def state(self):
        """What a checkpoint must hold beside `steps`: a tree of views (params, m, v), not copies."""
        return {"params": self.params, "m": self._m, "v": self._v}

    def restore(self, state, steps):
        """Take up where state() and `steps` were written down.  ValueError if they belong to another model."""
        mine = {path: a.shape for path, a in trees.leaves(self.state())}
        theirs = {path: a.shape for path, a in trees.leaves(state)}
        if mine != theirs:
            path = min(mine.items() ^ theirs.items())[0]
            raise ValueError(
                f"this checkpoint is of another model: {path} has shape {theirs.get(path, 'none')} there and "
                f"{mine.get(path, 'none')} here."
            )
        trees.map_leaves(_copy, self.state(), state)
        self.steps, self.empty = steps, True


def _copy(view, a):
    view[...] = array_module(view).asarray(a)
