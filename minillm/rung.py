"""A rung of the ladder: one width, one seed, and a trunk of training from which a model is finished for every D.

The learning rate is constant, and falls to nothing over the last quarter of a run.  So the runs of one width share
their beginning: the trunk is trained once, and where a run of D tokens would begin its fall, a branch leaves it and
does.  Each branch is the run that one would have trained alone, to the bit.  arXiv:2405.18392.
"""

import hashlib
import math
import pathlib
import time
from dataclasses import dataclass, field

import numpy as np

from . import counts, gpt, machine, sources
from .config import Config
from .exam import Exam
from .optim import AdamW, adamw, clip, schedule

FILES = "config gpt layers kernels/cpu optim trees languages spectral facts sources exam rung".split()
WIDTH = 32  # the width at which hidden matrices learn at the full rate


class Diverged(ArithmeticError):
    """The loss is not a number any more."""


@dataclass(frozen=True)
class Rung:
    """Everything that decides the runs of one width and seed.

    tokens are the D of the runs, in tokens; batch_size is in windows of n_ctx tokens.  ValueError for what cannot be.
    """

    language: dict  # what sources.make() understands
    width: int
    tokens: tuple = field(default=())
    seed: int = 0
    n_layer: int = 2
    head: int = 8  # channels per head
    n_ctx: int = 32
    batch_size: int = 16
    rate: float = 9e-3
    warmup: int = 40  # steps
    cooldown: float = 0.25  # of a run's steps
    decay: float = 0.01  # of matrices and tables
    clip: float = 1.0
    n_heldout: int = 512  # windows
    positions: str = "rotary"  # or "learned"
    per_width: bool = True  # hidden matrices learn at rate * 32 / width, and not all at the rate itself
    distinct: int | None = None  # tokens that are drawn, and read again and again; None: fresh ones always

    def __post_init__(self):
        object.__setattr__(self, "tokens", tuple(sorted(self.tokens)))
        if self.width % self.head:
            raise ValueError(f"width {self.width} is no multiple of {self.head}, the channels of a head.")
        for D in self.tokens:
            if self.steps(D) <= self.warmup:
                raise ValueError(
                    f"{D:,} tokens are {self.steps(D)} steps, and {self.warmup} of warm-up end later: take more."
                )
        if self.distinct is not None and self.steps(self.distinct) < 1:
            step = self.batch_size * self.n_ctx
            raise ValueError(f"{self.distinct:,} distinct tokens are less than one step has, {step:,}: take more.")

    def config(self, vocab_size):
        """The model's Config: pre-norm, its own read-out, no biases; rotary positions have base 100."""
        return Config(
            vocab_size=vocab_size,
            n_ctx=self.n_ctx,
            n_layer=self.n_layer,
            n_head=self.width // self.head,
            width=self.width,
            positions=self.positions,
            rotary_base=100.0,
            tied=False,
            bias=False,
        )

    def steps(self, D):
        """How many whole steps D tokens are."""
        return D // (self.batch_size * self.n_ctx)

    def fork(self, D):
        """After which step the branch of D tokens leaves the trunk."""
        return max(self.warmup, self.steps(D) - round(self.cooldown * self.steps(D)))

    def steps_in_all(self):
        """Steps of the trunk and of all branches."""
        return max(map(self.fork, self.tokens), default=0) + sum(self.steps(D) - self.fork(D) for D in self.tokens)

    def learning_rate(self, step, steps):
        """The rate of step 1, 2, ..., of a run of so many steps."""
        return schedule(step, kind="constant", steps=steps, warmup=self.warmup, rate=self.rate, cooldown=self.cooldown)

    def batch_of(self, step):
        """Which batch is read at step 1, 2, ...: the first is 0, and distinct tokens begin again when they are read."""
        return (step - 1) % (self.steps(self.distinct) if self.distinct else step)

    def flops_per_step(self, vocab_size):
        """Training FLOPs of one step, forward and backward, exactly as counts has them."""
        return counts.training_flops(self.config(vocab_size), self.batch_size * self.n_ctx)

    def settings(self):
        """What decides a run beside its language, width, seed and D, as plain values."""
        names = "n_layer head n_ctx batch_size rate warmup cooldown decay clip n_heldout"
        names = [*names.split(), "positions", "per_width", "distinct"]
        return {name: getattr(self, name) for name in names}


def train(rung, tell=lambda steps: None, watch=0):
    """Train the trunk and its branches; yields one run for each D, a dict, from the smallest D on.

    tell(steps) is called now and then with the number of steps taken.  What the keys mean stands in plan.py.  With
    watch, a run has a "curve" too: [tokens, loss] after each watch steps, the beginning that it shares included.  A run
    whose loss stops being a number, or ends above that of guessing, has the status "diverged"; so have all later ones
    of a trunk that did.
    """
    import threadpoolctl

    machine.keep_memory()
    with threadpoolctl.threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        yield from _train(rung, tell, watch)


def _train(rung, tell, watch):
    source = sources.make(rung.language)
    config, about = rung.config(source.vocab_size), describe(rung, source)
    data = sources.training(source, batch_size=rung.batch_size, n_ctx=rung.n_ctx, seed=rung.seed)
    exam = Exam(source, rung.n_heldout, rung.n_ctx)
    optimizer = Optimizer(init(config, np.random.default_rng(rung.seed)), rung)
    taken, trunk_seconds, broken, curve = 0, 0.0, "", []
    for D in rung.tokens:
        steps, fork = rung.steps(D), rung.fork(D)
        run = {**about, "D": steps * rung.batch_size * rung.n_ctx, "C": steps * rung.flops_per_step(source.vocab_size)}

        def walk(first, last, steps=steps):
            nonlocal taken
            start = time.process_time()
            for step in range(first + 1, last + 1):
                learn(optimizer, *data.batch(rung.batch_of(step)), config, rung.learning_rate(step, steps))
                taken += 1
                if watch and step % watch == 0:
                    loss, _ = exam.mark(optimizer.params, config)
                    curve.append([step * rung.batch_size * rung.n_ctx, loss])
                if taken % 16 == 0:
                    tell(taken)
            return time.process_time() - start

        loss = nll = trunk = None
        beginning = steps  # of the curve: no point of it belongs to this branch alone
        start = time.process_time()
        try:
            if broken:
                raise Diverged(broken)
            trunk_seconds += walk(optimizer.steps, fork)
            trunk, beginning = optimizer.copy(), len(curve)
            seconds = trunk_seconds + walk(fork, steps)
            loss, nll = exam.mark(optimizer.params, config)
            optimizer.take_back(trunk)
            status = {"status": "done"}
            if not loss <= math.log(source.vocab_size):
                status = {"status": "diverged", "why": f"its loss is {loss:.3g}, above that of guessing."}
                loss, nll = (value if math.isfinite(value) else None for value in (loss, nll))
        except Diverged as end:
            status, seconds = {"status": "diverged", "why": str(end)}, time.process_time() - start
            if trunk is None:
                broken = str(end)  # it happened on the trunk, which no later run gets past
            else:
                optimizer.take_back(trunk)
        if watch:
            run["curve"] = [*curve]
            del curve[beginning:]
        yield {**run, "loss": loss, "nll": nll, **status, "seconds": round(seconds, 2)}
        tell(taken)


def learn(optimizer, ids, targets, config, rate):
    """One step.  Diverged if the loss or the length of the gradient is not a number."""
    loss, backward = gpt.loss(optimizer.params, ids=ids, targets=targets, config=config)
    optimizer.add(backward())
    norm = optimizer.step(rate)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise Diverged(f"its loss was {loss:.3g} and its gradient {norm:.3g} long at step {optimizer.steps}.")


def init(config, rng):
    """Parameters as gpt.init has them, but larger.

    The token table has a deviation of 0.3, matrices 1 / sqrt(channels in), those that write into the residual stream
    another 1 / sqrt(2 n_layer), and the read-out 0.02: then widths can share one learning rate.
    """
    params = gpt.init(config, rng)
    params["tokens"] *= 0.3 / 0.02
    for block in params["blocks"]:
        for part in ("attn", "ffn"):
            for w in block[part].values():
                w *= 1 / (0.02 * math.sqrt(len(w)))  # those that write into the stream are smaller already
    return params


class Optimizer(AdamW):
    """AdamW in which hidden matrices learn at rate * WIDTH / width, if rung.per_width, and all else at the rate.

    So a rate that is right for one width is right for the others.  arXiv:2203.03466, table 8.
    """

    def __init__(self, params, rung):
        super().__init__(params, betas=(0.9, 0.98), decay=rung.decay, clip=rung.clip)
        hidden = [path.startswith("blocks") and len(shape) == 2 for path, shape in self.layout()]
        ends = np.cumsum([math.prod(shape) for _, shape in self.layout()])
        first, last = hidden.index(True), len(hidden) - hidden[::-1].index(True)
        assert all(hidden[first:last]), "the hidden matrices must lie side by side"
        a, b = (int(ends[first - 1]) if first else 0), int(ends[last - 1])
        slow = WIDTH / rung.width if rung.per_width else 1.0
        self.parts = [(slice(0, a), self.decay, 1.0), (slice(a, b), self.decay, slow)]
        self.parts += [(slice(b, self.n_decayed), self.decay, 1.0), (slice(self.n_decayed, None), 0.0, 1.0)]

    def step(self, rate):
        """Clip, update every part at its own rate, and forget the gradient; returns its length."""
        norm = clip(self.dw, self.clip)
        self.steps += 1
        for part, decay, factor in self.parts:
            w, dw, m, v = (a[part] for a in (self.w, self.dw, self.m, self.v))
            adamw(w, dw, m, v, step=self.steps, rate=rate * factor, betas=self.betas, eps=self.eps, decay=decay)
        self.empty = True
        return norm

    def copy(self):
        """Where it stands: what take_back() needs."""
        return self.steps, [a.copy() for a in (self.w, self.m, self.v)]

    def take_back(self, copy):
        """Stand where it stood."""
        self.steps, arrays = copy
        for mine, a in zip((self.w, self.m, self.v), arrays, strict=True):
            mine[...] = a


def describe(rung, source):
    """What all runs of a rung have in common, as plain values."""
    return {
        "language": source.describe(),
        "width": rung.width,
        "seed": rung.seed,
        **rung.settings(),
        **counts.count_by_convention(rung.config(source.vocab_size)),
        "floor": source.floor(rung.n_ctx),
        "checksum": source.checksum(),
        "code": code(),
        "numpy": np.__version__,
    }


def code():
    """Twelve digits of the source files that decide a run (SHA-256), without regard to how their lines end."""
    folder, sha = pathlib.Path(__file__).parent, hashlib.sha256()
    for name in FILES:
        sha.update((folder / f"{name}.py").read_bytes().replace(b"\r\n", b"\n"))
    return sha.hexdigest()[:12]
