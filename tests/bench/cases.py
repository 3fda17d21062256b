"""What is measured: the sizes, the training they share, and what each row of the table says and aims at."""

from dataclasses import asdict, dataclass

from minillm.config import Config
from minillm.recipe import Recipe


@dataclass(frozen=True)
class Size:
    """A model and the batch it learns from."""

    name: str
    n_layer: int
    width: int
    n_head: int
    n_ctx: int
    batch_size: int
    vocab_size: int

    def __str__(self):
        return (
            f"{self.name}: {self.n_layer} layers, width {self.width}, T {self.n_ctx}, batch {self.batch_size}, "
            f"vocabulary {self.vocab_size}"
        )

    def config(self):
        """Its Config: GPT-2's architecture, without dropout."""
        return Config(self.vocab_size, **self.model())

    def model(self):
        """What a recipe says about it."""
        return {"n_ctx": self.n_ctx, "n_layer": self.n_layer, "n_head": self.n_head, "width": self.width}

    def recipe(self):
        """How it is trained: AdamW and clipping as in our recipes; the rate is so small that the model stays itself."""
        return Recipe(name=self.name, model=self.model(), batch_size=self.batch_size, rate=RATE, **TRAINING)


RATE = 1e-5
TRAINING = {"betas": [0.9, 0.99], "eps": 1e-8, "decay": 0.1, "clip": 1.0}

STEPS = [
    Size("tiny", 2, 32, 2, 64, 32, 65),
    Size("small", 4, 128, 4, 64, 12, 65),
    Size("medium", 4, 128, 4, 128, 16, 65),
    Size("large", 6, 384, 6, 256, 8, 256),
]
WRITERS = [
    Size("tiny", 2, 32, 2, 256, 1, 65),
    Size("medium", 4, 128, 4, 256, 1, 65),
    Size("large", 6, 384, 6, 256, 1, 256),
    Size("GPT-2 small", 12, 768, 12, 1024, 1, 50257),
]


def size(name, sizes=tuple(STEPS)):
    """The size of this name.  ValueError if there is none."""
    for each in sizes:
        if each.name == name:
            return each
    raise ValueError(f"there is no size {name!r}; there are {', '.join(each.name for each in sizes)}.")


@dataclass
class Row:
    """One comparison in one run. ratio is None where there is nothing to divide; target is "" or a sign and a number.

    part    "step", "sgemm", "faults", "memory", "generation" or "bpe": what the ratio means stands in table.PARTS
    """

    part: str
    case: str
    threads: int
    ours: str  # which of ours
    peer: str  # and what it is held against
    unit: str
    mine: float | None
    theirs: float | None
    ratio: float | None = None
    target: str = ""
    note: str = ""

    def to_dict(self):
        """As plain values, ready for JSON."""
        return asdict(self)


def step_target(size, threads, peer):
    """The target of a training step by our fast versions: how many times as fast as the peer."""
    if peer == COMPILED:
        return ">= 1.0"
    if threads > 1:
        return ">= 1.3" if size.width == 32 else ">= 1.0"
    return ">= 0.9" if size.width >= 384 else ">= 1.0"


def share_target(size):
    """The target for the share of the machine's own rate of products that a training step reaches."""
    return {128: ">= 0.60", 384: ">= 0.70"}.get(size.width, "")


EAGER, COMPILED = "PyTorch eager", "torch.compile"
FAST, PLAIN, WORKERS = "fast", "definitions", "workers"
