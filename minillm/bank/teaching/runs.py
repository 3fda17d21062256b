"""The thirteen training runs of the clinic: a healthy one, and twelve that each have one fault.

python -m minillm.bank.teaching.runs          makes them all again, and writes runs.json beside this file

Each run trains the same small GPT, from the same weights, on the same text; about ten seconds on one core.  `train`
is the healthy loop; what a fault changes is in `Habits`, and stands where `train` uses it.
"""

import contextlib
import copy
import dataclasses
import json
import math
import pathlib

import numpy as np

from ... import batches, corpus, gpt, layers, optim, sample, tokenizer
from ...check import using
from ...trees import build, leaves, map_leaves

STORED = pathlib.Path(__file__).parent / "runs.json"
STEPS, EVERY, MEASURE = 600, 10, 50  # numbers are noted every EVERY steps, losses measured every MEASURE
BATCH, CLIP, DECAY, RATE, WARMUP = 8, 0.5, 0.1, 0.01, 60
MODEL = {"n_ctx": 32, "n_layer": 2, "n_head": 4, "width": 48, "positions": "rotary", "dropout": 0.1}


@dataclasses.dataclass(frozen=True)
class Habits:
    """How somebody trains.  The defaults are healthy."""

    targets: int = 1  # how many places after a token its target stands
    clear: bool = True  # the gradient of the last step is forgotten
    rate: float = RATE
    warmup: int = WARMUP
    apart: bool = True  # the validation text is no part of the training text
    inverted: bool = False  # attention sees what it should not, and not what it should
    still_dropping: bool = False  # dropout acts while the loss is measured
    decay_gains: bool = False
    together: bool = True  # one length for the whole gradient, not one for each tensor
    both_parts: bool = True  # the table's gradient has the part of the read-out and that of the look-up
    shuffle: bool = True
    divide: float = 1  # what the mean loss is divided by once more


HABITS = {
    "healthy": Habits(),
    "targets not shifted": Habits(targets=0),
    "gradients not cleared": Habits(clear=False),
    "rate times 100": Habits(rate=100 * RATE),
    "no warm-up": Habits(warmup=0),
    "validation text in training": Habits(apart=False),
    "mask inverted": Habits(inverted=True),
    "dropout left on": Habits(still_dropping=True),
    "decay on gains": Habits(decay_gains=True),
    "clipped tensor by tensor": Habits(together=False),
    "tied gradient lost": Habits(both_parts=False),
    "batches not shuffled": Habits(shuffle=False),
    "loss averaged twice": Habits(divide=BATCH),
}


def texts():
    """The token ids of three texts that do not overlap, (training, validation, a third one), and the tokenizer.

    The training text is a piece of a play and then some sonnets, which read differently.
    """
    text = corpus.load("shakespeare")
    tok = tokenizer.Characters(text.alphabet)
    sonnets = text.train.index("THE SONNETS")
    training = text.train[:8_000] + text.train[sonnets : sonnets + 8_000]
    kept = tok.encode(text.validation)
    return tok.encode(training), kept[2_000:6_000], kept[60_000:64_000], tok


def backwards_mask(attention):
    """attention with its causal mask inverted: each query sees the keys after it, and no other."""

    def inverted(q, k, v, *, causal=False, **options):
        T, S = q.shape[2], k.shape[2]
        return attention(q, k, v, mask=~np.tri(T, S, S - T, dtype=bool), **options)

    return inverted


class Loop:
    """One training run: the texts, the model and its optimizer, and what is noted on the way."""

    def __init__(self, habits):
        self.habits = habits
        training, self.validation, self.third, self.tok = texts()
        if not habits.apart:
            training = np.concatenate([training, self.validation])
        self.config = gpt.Config(vocab_size=self.tok.vocab_size, **MODEL)
        self.data = batches.Batches(training, batch_size=BATCH, n_ctx=self.config.n_ctx, seed=0)
        if not habits.shuffle:
            self.data.epochs = InOrder(self.config.n_ctx * np.arange(self.data.per_epoch))
        params = gpt.init(self.config, np.random.default_rng(0))
        self.optimizer = optim.AdamW(params, betas=(0.9, 0.98), decay=DECAY)
        if habits.decay_gains:
            self.optimizer.n_decayed = self.optimizer.w.size
        self.rng = np.random.default_rng(1)  # draws the dropout

    def loss(self, params, ids, targets, rng=None):
        """The loss and its backward, with the habits of this run."""
        habits = self.habits
        if habits.targets == 0:
            targets = ids
        options = {"ids": ids, "targets": targets, "rng": rng}
        if habits.both_parts:
            value, backward = gpt.loss(params, config=self.config, **options)
            return value / habits.divide, lambda: backward(1 / habits.divide)
        apart = params | {"unembed": params["tokens"]}
        config = dataclasses.replace(self.config, tied=False)
        value, backward = gpt.loss(apart, config=config, **options)

        def one_part():
            grads = backward()
            del grads["unembed"]  # the read-out's part of the gradient of the one table
            return grads

        return value, one_part

    def step(self, step):
        """Step 1, 2, ...: learn from one batch; returns the loss, and what is noted beside it."""
        habits, optimizer = self.habits, self.optimizer
        ids, targets = self.data.batch(step - 1)
        dropout = copy.deepcopy(self.rng)
        value, backward = self.loss(optimizer.params, ids, targets, self.rng)
        optimizer.add(backward())
        before = length(optimizer.dw)
        if step == STEPS:
            again = self.loss(optimizer.params, ids, targets, dropout)[1]()
            self.held, self.fresh = before, math.sqrt(sum(length(a) ** 2 for _, a in leaves(again)))
        if habits.together:
            optim.clip(optimizer.dw, CLIP)
        else:
            for _, part in leaves(optimizer.grads):
                optim.clip(part.reshape(-1), CLIP)
        after, old = length(optimizer.dw), optimizer.w.copy()
        plan = {"kind": "linear", "steps": STEPS, "warmup": habits.warmup, "rate": habits.rate}
        optimizer.step(optim.schedule(step, **plan))
        if not habits.clear:
            optimizer.empty = False  # the next gradient is added to this one
        moved = length(optimizer.w - old) / length(old)
        gains = np.concatenate([a for path, a in leaves(optimizer.params) if path.endswith(".g")])
        return {
            "train": float(value),
            "norm": before,
            "norm after": after,
            "moved": moved,
            "weights": length(optimizer.w),
            "gains": float(gains.mean()),
        }

    def measure(self, ids):
        """The loss on a text, as this run measures it."""
        x, y = batches.windows(ids, self.config.n_ctx)
        return float(self.loss(self.optimizer.params, x, y, self.rng if self.habits.still_dropping else None)[0])

    def future(self):
        """How far the logits of earlier positions move when the last token of a window is changed."""
        ids = self.third[None, : self.config.n_ctx].astype(np.int64)
        other = ids.copy()
        other[0, -1] = (ids[0, -1] + 1) % self.config.vocab_size
        one, two = (gpt.gpt(self.optimizer.params, ids=a, config=self.config)[0][0, :-1] for a in (ids, other))
        return float(abs(one - two).max())

    def slopes(self, h=1e-5):
        """Measured and promised slope of the loss in a direction, for the token table and for all else.

        If w moves by h d, the loss should grow by h times the product of dw and d.  In float64, without dropout.
        """
        params = map_leaves(lambda a: a.astype(np.float64), self.optimizer.params)
        ids, targets = self.data.batch(0)
        grads = dict(leaves(self.loss(params, ids, targets)[1]()))
        found = []
        for table in (True, False):
            rng = np.random.default_rng(2)
            d = {path: rng.normal(size=a.shape) for path, a in leaves(params) if (path == "tokens") == table}
            at = lambda way, d=d: build((path, a + way * d.get(path, 0)) for path, a in leaves(params))
            up, down = (float(self.loss(at(way), ids, targets)[0]) for way in (h, -h))
            found.append([(up - down) / (2 * h), float(sum((grads[path] * d[path]).sum() for path in d))])
        return found

    def write(self):
        """A little of its own writing."""
        options = {"config": self.config, "rng": np.random.default_rng(0), "max_tokens": 90, "temperature": 0.8}
        return "".join(sample.write(self.optimizer.params, "ROMEO.\n", tokenizer=self.tok, **options))


class InOrder(dict):
    """Where the windows of an epoch start, for every epoch: in the order of the text."""

    def __init__(self, starts):
        self.starts = starts

    def __contains__(self, epoch):
        return True

    def __getitem__(self, epoch):
        return self.starts


def length(a):
    """The root of the sum of squares."""
    return float(np.linalg.norm(a))


def train(name, steps=STEPS):
    """What a run with this fault, or the healthy one, shows: a dict of numbers, lists and texts, ready for JSON."""
    habits = HABITS[name]
    swapped = using(layers, attention=backwards_mask(layers.attention)) if habits.inverted else contextlib.nullcontext()
    with swapped, np.errstate(all="ignore"):
        loop = Loop(habits)
        lines, told = [], {"validation": [loop.measure(loop.validation)], "slopes": loop.slopes()}
        for step in range(1, steps + 1):
            lines.append(loop.step(step))
            if step % MEASURE == 0:
                told["validation"].append(loop.measure(loop.validation))
        told["start"] = lines[0]["train"]
        for key in lines[0]:
            told[key] = [float(np.mean([line[key] for line in lines[i : i + EVERY]])) for i in range(0, steps, EVERY)]
        if steps == STEPS:
            told |= examine(loop)
    return rounded(told)


def examine(loop):
    """The questions that one can put to a run when it is over."""
    first, _ = loop.data.batch(0)
    return {
        "measured again": [loop.measure(loop.validation) for _ in range(2)],
        "third text": loop.measure(loop.third),
        "future": loop.future(),
        "held": loop.held,
        "fresh": loop.fresh,
        "windows": [loop.tok.decode(window) for window in first[:3]],
        "places": [int(place) for place in loop.data._starts(0)[:3]],
        "sample": loop.write(),
    }


def rounded(told):
    """Five digits of every number."""
    if isinstance(told, dict):
        return {key: rounded(value) for key, value in told.items()}
    if isinstance(told, list):
        return [rounded(value) for value in told]
    return float(f"{told:.5g}") if isinstance(told, float) else told


def stored():
    """All runs, by the name of their fault, as the file has them."""
    return json.loads(STORED.read_text(encoding="utf-8"))


def main():
    """Make all runs again, and store them."""
    from tqdm import tqdm

    found = {name: train(name) for name in tqdm(HABITS)}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(run)}" for name, run in found.items())
    STORED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
