"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import functools
import math
from collections import OrderedDict

import numpy as np
from scipy import linalg

from minillm.bank.teaching.clinic import FAULTS
from minillm.trees import leaves

# AdamW.  `with_parts` makes most of the wrong answers: an AdamW of which one line is another.


def no_zeroth(step):
    if step < 1:
        raise ValueError("steps count from 1")


def with_parts(mean=None, square=None, move=None, gradient=None, check=no_zeroth):
    """AdamW with other formulas for m, for v, for the move, and for the gradient and what stands beside it."""
    mean = mean or (lambda m, dw, b1: b1 * m + (1 - b1) * dw)
    square = square or (lambda v, dw, b2: b2 * v + (1 - b2) * dw**2)
    move = move or (lambda m, v, b1, b2, s, eps: m / (1 - b1**s) / (np.sqrt(v / (1 - b2**s)) + eps))
    gradient = gradient or (lambda dw, w, decay: (dw, decay * w))

    def adamw(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
        check(step)
        b1, b2 = betas
        d, beside = gradient(dw, w, decay)
        m[...] = mean(m, d, b1)
        v[...] = square(v, d, b2)
        w -= rate * (move(m, v, b1, b2, step, eps) + beside)

    return adamw


uncorrected = with_parts(move=lambda m, v, b1, b2, s, eps: m / (np.sqrt(v) + eps))
m_corrected_only = with_parts(move=lambda m, v, b1, b2, s, eps: m / (1 - b1**s) / (np.sqrt(v) + eps))
eps_inside = with_parts(move=lambda m, v, b1, b2, s, eps: m / (1 - b1**s) / np.sqrt(v / (1 - b2**s) + eps))
no_root = with_parts(move=lambda m, v, b1, b2, s, eps: m / (1 - b1**s) / (v / (1 - b2**s) + eps))
times_the_step = with_parts(move=lambda m, v, b1, b2, s, eps: m / (1 - b1 * s) / (np.sqrt(v / (1 - b2 * s)) + eps))
first_correction_for_ever = with_parts(move=lambda m, v, b1, b2, s, eps: m / (1 - b1) / (np.sqrt(v / (1 - b2)) + eps))
one_step_late = with_parts(
    move=lambda m, v, b1, b2, s, eps: m / (1 - b1 ** (s + 1)) / (np.sqrt(v / (1 - b2 ** (s + 1))) + eps)
)
decay_inside = with_parts(gradient=lambda dw, w, decay: (dw + decay * w, 0))
decay_upwards = with_parts(gradient=lambda dw, w, decay: (dw, -decay * w))
no_decay = with_parts(gradient=lambda dw, w, decay: (dw, 0))
decay_of_signs = with_parts(gradient=lambda dw, w, decay: (dw, decay * np.sign(w)))
whole_gradient = with_parts(mean=lambda m, dw, b1: b1 * m + dw)
weights_exchanged = with_parts(mean=lambda m, dw, b1: (1 - b1) * m + b1 * dw)
not_squared = with_parts(square=lambda v, dw, b2: b2 * v + (1 - b2) * np.abs(dw))
one_square_for_all = with_parts(square=lambda v, dw, b2: b2 * v + (1 - b2) * (dw**2).mean())
never_smaller = with_parts(square=lambda v, dw, b2: np.maximum(v, b2 * v + (1 - b2) * dw**2))
step_zero_is_fine = with_parts(check=lambda step: None)


def new_names(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    m = betas[0] * m + (1 - betas[0]) * dw
    v = betas[1] * v + (1 - betas[1]) * dw**2
    w = w - rate * m / (1 - betas[0] ** step) / (np.sqrt(v / (1 - betas[1] ** step)) + eps) - rate * decay * w


def corrected_and_kept(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    m[...] = (betas[0] * m + (1 - betas[0]) * dw) / (1 - betas[0] ** step)
    v[...] = (betas[1] * v + (1 - betas[1]) * dw**2) / (1 - betas[1] ** step)
    w -= rate * m / (np.sqrt(v) + eps) + rate * decay * w


def betas_exchanged(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    four_lines(w, dw, m, v, step=step, rate=rate, betas=betas[::-1], eps=eps, decay=decay)


def own_betas(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    four_lines(w, dw, m, v, step=step, rate=rate, betas=(0.9, 0.999), eps=eps, decay=decay)


def decay_without_rate(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    old = w.copy()
    four_lines(w, dw, m, v, step=step, rate=rate, betas=betas, eps=eps)
    w -= decay * old


def decay_of_the_new_w(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    four_lines(w, dw, m, v, step=step, rate=rate, betas=betas, eps=eps)
    w -= rate * decay * w


def uphill(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    old = w.copy()
    four_lines(w, dw, m, v, step=step, rate=rate, betas=betas, eps=eps)
    w[...] = 2 * old - w - rate * decay * old


def w_before_m(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    (b1, b2), old = betas, w.copy()
    w -= rate * m / (1 - b1**step) / (np.sqrt(v / (1 - b2**step)) + eps) + rate * decay * old
    m += (1 - b1) * (dw - m)
    v += (1 - b2) * (dw**2 - v)


def squares_dw_in_place(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    b1, b2 = betas
    m[...] = b1 * m + (1 - b1) * dw
    dw *= dw
    v[...] = b2 * v + (1 - b2) * dw
    w -= rate * (m / (1 - b1**step) / (np.sqrt(v / (1 - b2**step)) + eps) + decay * w)


def gives_a_new_w(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    new = w.copy()
    four_lines(new, dw, m, v, step=step, rate=rate, betas=betas, eps=eps, decay=decay)
    return new


def four_lines(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    if step < 1:
        raise ValueError(f"step must be at least 1, but it is {step}")
    b1, b2 = betas
    m[:] = b1 * m + (1 - b1) * dw
    v[:] = b2 * v + (1 - b2) * dw**2
    w[:] = w - rate * (m / (1 - b1**step)) / (np.sqrt(v / (1 - b2**step)) + eps) - rate * decay * w


def shrinks_first(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    if not step >= 1:
        raise ValueError("no such step")
    w *= 1 - rate * decay
    m += (1 - betas[0]) * (dw - m)
    v += (1 - betas[1]) * (dw * dw - v)
    mhat, vhat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    w -= rate * mhat / (vhat**0.5 + eps)


def with_outs(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    b1, b2 = betas
    np.multiply(m, b1, out=m)
    np.add(m, np.multiply(dw, 1 - b1), out=m)
    np.multiply(v, b2, out=v)
    np.add(v, (1 - b2) * np.square(dw), out=v)
    below = np.sqrt(v / (1 - b2**step))
    below += eps
    pull = np.multiply(w, rate * decay)
    np.subtract(w, np.divide(m, below) * (rate / (1 - b1**step)), out=w)
    np.subtract(w, pull, out=w)


def number_by_number(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    b1, b2 = betas
    for i in np.ndindex(w.shape):
        m[i] = b1 * m[i] + (1 - b1) * dw[i]
        v[i] = b2 * v[i] + (1 - b2) * dw[i] ** 2
        adam = m[i] / (1 - b1**step) / (math.sqrt(v[i] / (1 - b2**step)) + eps)
        w[i] = w[i] - rate * adam - rate * decay * w[i]


def common_denominator(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    c1, c2 = (1 - b**step for b in betas)
    m[...] = np.average([m, dw], axis=0, weights=[betas[0], 1 - betas[0]])
    v[...] = np.average([v, dw**2], axis=0, weights=[betas[1], 1 - betas[1]])
    root = math.sqrt(c2)
    w -= rate * root / c1 * m / (np.sqrt(v) + eps * root) + rate * decay * w


def copies_put_back(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
    no_zeroth(step)
    b1, b2 = betas
    W, D, M, V = (a.astype(np.float64) for a in (w, dw, m, v))
    M = M * b1 + D * (1 - b1)
    V = V * b2 + D * D * (1 - b2)
    W = W * (1 - rate * decay) - rate * (M / (1 - b1**step)) / (eps + np.sqrt(V / (1 - b2**step)))
    for old, new in ((w, W), (m, M), (v, V)):
        np.copyto(old, new, casting="same_kind")


# The schedule.  `shaped` makes most of the wrong answers, and `usual` has what they have right.


def share(step, steps, start):
    return (steps + 1 - step) / (steps + 1 - start)


def usual(step, kind, steps, warmup, rate, final, cooldown):
    if kind not in ("linear", "cosine", "constant"):
        raise ValueError(f"no schedule {kind!r}")
    if step < warmup:
        return rate * step / warmup
    start = warmup or 1
    if kind == "constant":
        start = max(warmup, steps - round(cooldown * steps))
    left = 1.0 if step <= start else max(0.0, share(step, steps, start))
    if kind == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return final + (rate - final) * left


def shaped(change):
    """A schedule that is change(step, usual, options), where usual(step, **options) is right."""

    def schedule(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
        options = {"kind": kind, "steps": steps, "warmup": warmup, "rate": rate, "final": final, "cooldown": cooldown}
        return change(step, usual, options)

    return schedule


def one_step_short(step, usual, o):
    if step < o["warmup"] or step > o["steps"]:
        return usual(step, **o)
    return usual(step, **o | {"steps": max(1, o["steps"] - 1)})


def counted_from_zero(step, usual, o):
    return o["rate"] * (step - 1) / o["warmup"] if step < o["warmup"] else usual(step, **o)


def one_ahead(step, usual, o):
    return o["rate"] * (step + 1) / (o["warmup"] + 1) if step < o["warmup"] else usual(step, **o)


def below_zero(step, usual, o):
    if o["kind"] == "linear" and step > o["steps"]:
        start = o["warmup"] or 1
        return o["final"] + (o["rate"] - o["final"]) * share(step, o["steps"], start)
    return usual(step, **o)


def from_the_beginning(step, usual, o):
    if step >= o["warmup"] and o["kind"] != "constant":
        return usual(step, **o | {"warmup": 0})
    return usual(step, **o)


def upside_down(step, usual, o):
    right = usual(step, **o)
    return o["rate"] + o["final"] - right if o["kind"] == "cosine" and step >= o["warmup"] else right


def whole_wave(step, usual, o):
    if o["kind"] != "cosine" or step < o["warmup"]:
        return usual(step, **o)
    left = max(0.0, share(step, o["steps"], o["warmup"] or 1))
    return o["final"] + (o["rate"] - o["final"]) * (1 - math.cos(2 * math.pi * left)) / 2


def quarter_wave(step, usual, o):
    if o["kind"] != "cosine" or step < o["warmup"]:
        return usual(step, **o)
    left = max(0.0, share(step, o["steps"], o["warmup"] or 1))
    return o["final"] + (o["rate"] - o["final"]) * math.sin(math.pi * left / 2)


def final_on_top(step, usual, o):
    right = usual(step, **o | {"final": 0.0})
    return right if step < o["warmup"] else o["final"] + right


def never_below(step, usual, o):
    right = usual(step, **o | {"final": 0.0})
    return right if step < o["warmup"] else max(o["final"], right)


def linear_for_unknown(step, usual, o):
    return usual(step, **o | {"kind": o["kind"] if o["kind"] in ("cosine", "constant") else "linear"})


def steps_of_cooldown(step, usual, o):
    return usual(step, **o | {"cooldown": o["cooldown"] / o["steps"]})


def before_the_top(step, usual, o):
    start = o["steps"] - round(o["cooldown"] * o["steps"])
    if o["kind"] == "constant" and start <= step < o["warmup"]:
        return o["rate"] * share(step, o["steps"], start)
    return usual(step, **o)


def overlap_forgotten(step, usual, o):
    start = o["steps"] - round(o["cooldown"] * o["steps"])
    if o["kind"] == "constant" and max(start, o["warmup"]) <= step <= o["steps"]:
        return o["final"] + (o["rate"] - o["final"]) * share(step, o["steps"], start)
    return usual(step, **o)


def cools_after_cooldown(step, usual, o):
    return usual(step, **o | {"cooldown": 1 - o["cooldown"]})


def literal(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    return usual(step, kind, steps, warmup, rate, final, cooldown)


def no_warmup_divides(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    return min(1.0, step / warmup) * usual(max(step, warmup), kind, steps, warmup, rate, final, cooldown)


def no_warmup_for_constant(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    return usual(step, kind, steps, warmup if kind != "constant" else 0, rate, final, cooldown)


def no_word_for_unknown(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    if kind in ("linear", "cosine", "constant"):
        return usual(step, kind, steps, warmup, rate, final, cooldown)


def interpolated(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    if kind == "constant":
        top = max(warmup, steps - round(cooldown * steps))
    elif kind in {"linear", "cosine"}:
        top = max(warmup, 1)
    else:
        raise ValueError(kind)
    if step < warmup:
        return float(np.interp(step, [0, warmup], [0, rate]))
    left = np.interp(step, [top, steps + 1], [1, 0])
    if kind == "cosine":
        left = np.sin(np.pi / 2 * left) ** 2
    return final * (1 - left) + rate * left


def bent(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    bends = {"linear": lambda a: a, "cosine": lambda a: 0.5 - 0.5 * np.cos(np.pi * a), "constant": lambda a: a}
    begins = {"linear": 1, "cosine": 1, "constant": steps - round(cooldown * steps)}
    try:
        bend, begin = bends[kind], max(warmup, begins[kind]) if kind == "constant" or not warmup else warmup
    except KeyError:
        raise ValueError(f"{kind} is not one of {', '.join(bends)}") from None
    rising = step / warmup if step < warmup else 1
    return rising * rate if step < begin else final + (rate - final) * bend(np.clip(share(step, steps, begin), 0, 1))


def by_match(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    match kind:
        case "linear" | "cosine":
            begin = warmup if warmup else 1
        case "constant":
            begin = max(steps - round(cooldown * steps), warmup)
        case _:
            raise ValueError("linear, cosine or constant")
    if step < warmup:
        return step / warmup * rate
    if step <= begin:
        return rate
    if step > steps:
        return final
    gone = (step - begin) / (steps + 1 - begin)
    if kind == "cosine":
        return rate - (rate - final) * (1 - math.cos(math.pi * gone)) / 2
    return rate - (rate - final) * gone


def whole_plan(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    if kind not in ("linear", "cosine", "constant"):
        raise ValueError
    s = np.arange(max(steps, step) + 1.0)
    begin = max(warmup, steps - round(cooldown * steps)) if kind == "constant" else max(warmup, 1)
    left = ((steps + 1 - s) / (steps + 1 - begin)).clip(0, 1)
    fall = (1 - np.cos(np.pi * left)) / 2 if kind == "cosine" else left
    plan = np.where(s < warmup, rate * s / max(warmup, 1), final + (rate - final) * fall)
    return plan[step]


class Plan:
    def __init__(self, warmup, rate, final, steps):
        self.warmup, self.rate, self.final, self.steps = warmup, rate, final, steps

    def start(self, cooldown):
        return self.warmup or 1

    def bend(self, left):
        return left

    def at(self, step, cooldown):
        start = self.start(cooldown)
        if step < self.warmup:
            return self.rate * (step / self.warmup)
        left = min(max((self.steps + 1 - step) / (self.steps + 1 - start), 0), 1)
        return self.final + (self.rate - self.final) * self.bend(left)


class Cosine(Plan):
    def bend(self, left):
        return (1 - math.cos(math.pi * left)) / 2


class Constant(Plan):
    def start(self, cooldown):
        return max(self.warmup, self.steps - round(cooldown * self.steps))


def classes(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    plans = {"linear": Plan, "cosine": Cosine, "constant": Constant}
    if kind not in plans:
        raise ValueError(f"what is {kind}?")
    return plans[kind](warmup, rate, final, steps).at(step, cooldown)


# Clipping.


def length(grads):
    return math.sqrt(sum((a**2).sum() for _, a in leaves(grads)))


def checked(limit):
    if limit is not None and not limit > 0:
        raise ValueError("the limit must be above 0")


def clipper(measure=length, factor=lambda limit, norm: limit / norm, check=checked, says=lambda before, grads: before):
    """A clip_gradients of which a part is another."""

    def clip_gradients(grads, limit):
        check(limit)
        norm = measure(grads)
        if limit is not None and norm > limit:
            for _, a in leaves(grads):
                a *= factor(limit, norm)
        return says(norm, grads)

    return clip_gradients


one_pass = clipper()
no_root_of_squares = clipper(lambda grads: length(grads) ** 2)
sum_of_lengths = clipper(lambda grads: sum(np.linalg.norm(a) for _, a in leaves(grads)))
longest_tensor = clipper(lambda grads: max(np.linalg.norm(a) for _, a in leaves(grads)))
largest_number = clipper(lambda grads: max(np.abs(a).max() for _, a in leaves(grads)))
absolute_values = clipper(lambda grads: sum(np.abs(a).sum() for _, a in leaves(grads)))
root_mean_square = clipper(lambda g: math.sqrt(np.mean(np.concatenate([a.ravel() for _, a in leaves(g)]) ** 2)))
numbers_added = clipper(lambda grads: abs(sum(a.sum() for _, a in leaves(grads))))
one_over_norm = clipper(factor=lambda limit, norm: 1 / norm)
upside = clipper(factor=lambda limit, norm: norm / limit)
length_afterwards = clipper(says=lambda before, grads: length(grads))
says_nothing = clipper(says=lambda before, grads: None)
says_grads = clipper(says=lambda before, grads: grads)
says_both = clipper(says=lambda before, grads: (grads, before))
any_limit = clipper(check=lambda limit: None)


def tensor_by_tensor(grads, limit):
    checked(limit)
    before = length(grads)
    for _, a in leaves(grads):
        norm = np.linalg.norm(a)
        if limit is not None and norm > limit:
            a *= limit / norm
    return before


def by_number(grads, limit):
    checked(limit)
    before = length(grads)
    if limit is not None:
        for _, a in leaves(grads):
            np.clip(a, -limit, limit, out=a)
    return before


def always_to_the_limit(grads, limit):
    checked(limit)
    before = length(grads)
    if limit is not None and before > 0:
        for _, a in leaves(grads):
            a *= limit / before
    return before


def zero_over_zero(grads, limit):
    checked(limit)
    before = np.float64(length(grads))
    if limit is not None:
        with np.errstate(all="ignore"):
            factor = min(limit / before, 1.0) if before else limit / before * 0
        for _, a in leaves(grads):
            a *= factor
    return before


def new_arrays(grads, limit):
    checked(limit)
    before = length(grads)
    if limit is not None and before > limit:
        for _, a in leaves(grads):
            a = a * (limit / before)
    return before


def new_tree(grads, limit):
    checked(limit)
    before = length(grads)
    if limit is not None and before > limit:
        grads = {path: a * (limit / before) for path, a in leaves(grads)}
    return before


def top_of_the_tree(grads, limit):
    checked(limit)
    arrays = [a for a in grads.values() if isinstance(a, np.ndarray)]
    before = math.sqrt(sum((a**2).sum() for a in arrays))
    if limit is not None and before > limit:
        for a in arrays:
            a *= limit / before
    return before


def dicts_only(grads, limit):
    checked(limit)

    def arrays(tree):
        for part in tree.values():
            yield from arrays(part) if isinstance(part, dict) else [part] if isinstance(part, np.ndarray) else []

    before = math.sqrt(sum((a**2).sum() for a in arrays(grads)))
    if limit is not None and before > limit:
        for a in arrays(grads):
            a *= limit / before
    return before


def measured_while_scaled(grads, limit):
    checked(limit)
    before = length(grads)
    for _, a in leaves(grads):
        norm = length(grads)
        if limit is not None and norm > limit:
            a *= limit / norm
    return before


def none_forgotten(grads, limit):
    if limit <= 0:
        raise ValueError("limit")
    return one_pass(grads, limit)


def none_measures_nothing(grads, limit):
    return None if limit is None else one_pass(grads, limit)


def one_array(grads, limit):
    if limit is not None and limit <= 0:
        raise ValueError(f"limit {limit}")
    arrays = [a for _, a in leaves(grads)]
    before = float(np.linalg.norm(np.concatenate([np.ravel(a) for a in arrays])))
    if limit is not None and before > limit:
        for a in arrays:
            a[...] = a * (limit / before)
    return before


def recursive(grads, limit):
    checked(limit)

    def squares(tree):
        if isinstance(tree, np.ndarray):
            return float(np.vdot(tree, tree))
        return sum(squares(part) for part in (tree.values() if isinstance(tree, dict) else tree))

    def scale(tree, factor):
        if isinstance(tree, np.ndarray):
            np.multiply(tree, factor, out=tree)
        else:
            for part in tree.values() if isinstance(tree, dict) else tree:
                scale(part, factor)

    before = squares(grads) ** 0.5
    if limit is not None and before > limit:
        scale(grads, limit / before)
    return before


def hypot_of_lengths(grads, limit):
    checked(limit)
    before = math.hypot(*(np.linalg.norm(a) for _, a in leaves(grads)))
    factor = 1 if limit is None or before == 0 else min(1, limit / before)
    for _, a in leaves(grads):
        a *= factor
    return before


def own_stack(grads, limit):
    if limit is not None and not 0 < limit:
        raise ValueError("limit must be positive")
    todo, arrays = [grads], []
    while todo:
        tree = todo.pop()
        if isinstance(tree, dict):
            todo.extend(tree.values())
        elif isinstance(tree, (list, tuple)):
            todo.extend(tree)
        else:
            arrays.append(tree)
    before = np.sqrt(math.fsum(float(x) ** 2 for a in arrays for x in a.flat))
    if limit and before > limit:
        for a in arrays:
            a /= before / limit
    return before


def reduced(grads, limit):
    checked(limit)
    lengths = (linalg.norm(np.ravel(a)) for _, a in leaves(grads))
    before = functools.reduce(np.hypot, lengths, 0.0)
    if limit is None:
        return before
    for _, a in leaves(grads):
        a *= limit / max(before, limit)
    return before


def einsums(grads, limit):
    checked(limit)
    before = math.sqrt(sum(np.einsum("i,i->", a.reshape(-1), a.reshape(-1)) for _, a in leaves(grads)))
    if before > (math.inf if limit is None else limit):
        for _, a in leaves(grads):
            np.einsum("...,->...", a.copy(), limit / before, out=a)
    return before


ADAMW = {
    "wrong": [
        ("new names for w, m and v", new_names),
        ("no correction", uncorrected),
        ("m is corrected, v is not", m_corrected_only),
        ("the corrected m and v are kept", corrected_and_kept),
        ("b times step, not to the power of step", times_the_step),
        ("every step corrected like the first", first_correction_for_ever),
        ("the correction of the next step", one_step_late),
        ("epsilon inside the root", eps_inside),
        ("no root", no_root),
        ("decay is added to the gradient", decay_inside),
        ("decay away from zero", decay_upwards),
        ("no decay", no_decay),
        ("decay by the sign of w", decay_of_signs),
        ("decay without the rate", decay_without_rate),
        ("decay of the w that was moved already", decay_of_the_new_w),
        ("m takes the whole gradient", whole_gradient),
        ("b1 and 1 - b1 exchanged", weights_exchanged),
        ("the two betas exchanged", betas_exchanged),
        ("0.9 and 0.999, whatever the betas are", own_betas),
        ("v of the gradient's size, not of its square", not_squared),
        ("one mean square for the whole array", one_square_for_all),
        ("v never becomes smaller", never_smaller),
        ("uphill", uphill),
        ("w moves before m and v do", w_before_m),
        ("dw is squared in place", squares_dw_in_place),
        ("step 0 is let through", step_zero_is_fine),
        ("returns a new w", gives_a_new_w),
    ],
    "right": [
        ("as the equation stands", four_lines),
        ("w shrinks first, then moves", shrinks_first),
        ("ufuncs with out", with_outs),
        ("number by number", number_by_number),
        ("averages with weights, and one corrected rate", common_denominator),
        ("in copies in double, which are put back", copies_put_back),
        ("with other lines put in, none of them another", with_parts()),
    ],
}
SCHEDULE = {
    "wrong": [
        ("the fall arrives at the last step", shaped(one_step_short)),
        ("the warm-up counts from zero", shaped(counted_from_zero)),
        ("the warm-up has one step more", shaped(one_ahead)),
        ("linear goes on falling after the end", shaped(below_zero)),
        ("the fall begins at step 1, whatever the warm-up", shaped(from_the_beginning)),
        ("the cosine rises", shaped(upside_down)),
        ("a whole wave", shaped(whole_wave)),
        ("a quarter of a wave", shaped(quarter_wave)),
        ("final is added on top", shaped(final_on_top)),
        ("falls to 0, but stops at final", shaped(never_below)),
        ("an unknown kind is linear", shaped(linear_for_unknown)),
        ("an unknown kind gives None", no_word_for_unknown),
        ("cooldown counts steps", shaped(steps_of_cooldown)),
        ("constant falls before the warm-up is over", shaped(before_the_top)),
        ("where the fall and the warm-up overlap, the rate is not at its top after it", shaped(overlap_forgotten)),
        ("the fall begins after cooldown, not before the end", shaped(cools_after_cooldown)),
        ("step / warmup also where there is none", no_warmup_divides),
        ("constant has no warm-up", no_warmup_for_constant),
    ],
    "right": [
        ("ifs, one after the other", literal),
        ("np.interp, and the square of a sine", interpolated),
        ("a dict of bends", bent),
        ("match, and the share that is gone", by_match),
        ("the whole plan, of which one step is taken", whole_plan),
        ("a small class for each kind", classes),
    ],
}
CLIP = {
    "wrong": [
        ("tensor by tensor", tensor_by_tensor),
        ("number by number", by_number),
        ("always scaled to the limit", always_to_the_limit),
        ("zero divided by zero", zero_over_zero),
        ("a = a * factor", new_arrays),
        ("a new tree that nobody gets", new_tree),
        ("only the arrays at the top of the tree", top_of_the_tree),
        ("dicts in dicts, but no lists", dicts_only),
        ("measured again before each array", measured_while_scaled),
        ("the length without its root", no_root_of_squares),
        ("the lengths of the arrays added up", sum_of_lengths),
        ("the length of the longest array", longest_tensor),
        ("the largest number as the length", largest_number),
        ("absolute values in place of squares", absolute_values),
        ("the root of the mean square", root_mean_square),
        ("the numbers added up, not their squares", numbers_added),
        ("scaled to 1, not to the limit", one_over_norm),
        ("length over limit, not limit over length", upside),
        ("returns the length afterwards", length_afterwards),
        ("returns nothing", says_nothing),
        ("returns the gradients", says_grads),
        ("returns gradients and length", says_both),
        ("limit 0 is let through", any_limit),
        ("None is compared with 0", none_forgotten),
        ("None is not even measured", none_measures_nothing),
    ],
    "right": [
        ("squares summed over the leaves, one factor", one_pass),
        ("one long array, measured by np.linalg.norm", one_array),
        ("recursive, there and back", recursive),
        ("math.hypot of the lengths, always multiplied", hypot_of_lengths),
        ("a stack of its own, math.fsum, and a division", own_stack),
        ("functools.reduce and scipy", reduced),
        ("einsum", einsums),
    ],
}
DIAGNOSIS = {
    "A": "batches not shuffled",
    "B": "validation text in training",
    "C": "gradients not cleared",
    "D": "clipped tensor by tensor",
    "E": "rate times 100",
    "F": "targets not shifted",
    "G": "no warm-up",
    "H": "mask inverted",
    "I": "tied gradient lost",
    "J": "decay on gains",
    "K": "dropout left on",
    "L": "loss averaged twice",
}
NUMBERS = (10, 4, 1, 8, 2, 0, 3, 5, 9, 7, 6, 11)


def exchanged(one, other):
    return DIAGNOSIS | {one: DIAGNOSIS[other], other: DIAGNOSIS[one]}


CLINIC = {
    "right": [
        ("the cell, filled in", DIAGNOSIS),
        ("in the order in which they were found out", {letter: DIAGNOSIS[letter] for letter in "FHLEGICABDJK"}),
        ("an OrderedDict", OrderedDict(sorted(DIAGNOSIS.items(), key=lambda item: item[1]))),
        ("words taken from FAULTS by number", {"ABCDEFGHIJKL"[i]: FAULTS[n] for i, n in enumerate(NUMBERS)}),
        ("NumPy's strings", dict(zip("ABCDEFGHIJKL", np.array(FAULTS)[list(NUMBERS)], strict=True))),
    ],
    "wrong": [
        ("two losses near 0 confused", exchanged("F", "H")),
        ("the two rates that are too high confused", exchanged("E", "G")),
        ("both gradients that go wrong confused", exchanged("C", "I")),
        ("dropout and a validation text that was learned confused", exchanged("B", "K")),
        ("decay and clipping confused", exchanged("D", "J")),
        ("unshuffled and learned confused", exchanged("A", "B")),
        ("a loss that starts low called unshifted", exchanged("F", "L")),
        ("all the same", dict.fromkeys(DIAGNOSIS, "no warm-up")),
        ("three runs left open", DIAGNOSIS | dict.fromkeys("DJK", "?")),
        ("a run missing", {letter: fault for letter, fault in DIAGNOSIS.items() if letter != "L"}),
        ("a word misspelt", DIAGNOSIS | {"G": "no warmup"}),
        ("healthy, which is no fault", DIAGNOSIS | {"D": "healthy"}),
        ("numbers of the list in place of words", dict(zip(DIAGNOSIS, NUMBERS, strict=True))),
        ("two guesses for one run", DIAGNOSIS | {"K": ["dropout left on", "decay on gains"]}),
        ("words and letters the wrong way round", {fault: letter for letter, fault in DIAGNOSIS.items()}),
        ("a list in place of a dict", list(DIAGNOSIS.values())),
    ],
}
ANSWERS = {"adamw": ADAMW, "schedule": SCHEDULE, "clip_gradients": CLIP, "clinic": CLINIC}
# Three of those of clip_gradients had a wrong name at the first run.
NAMED = {"adamw": 21, "schedule": 16, "clip_gradients": 20, "clinic": 9}
