"""Models whose parameters and FLOPs are counted: some that can be followed by hand, and more at random."""

from ...config import Config
from ...grader.values import Question

# What a counterexample says of a model: its sizes always, the rest where it is not as in GPT-2.
SIZES = ("vocab_size", "n_ctx", "n_layer", "n_head", "width", "ffn_width")
USUAL = {"positions": "learned", "norm": "pre", "tied": True, "bias": True}
HAND = {"vocab_size": 5, "n_ctx": 3, "n_layer": 1, "n_head": 1, "width": 2, "ffn_width": 7}


class Case(Question):
    """A Question about a model, whose label is what a counterexample shows of the config."""

    def shown(self, names, label=True):
        """What went in, on one line:  vocab_size = 5  n_ctx = 3  ...  n_tokens = 2"""
        others = super().shown([name for name in names if name != "config"], label=False)
        return "  ".join(words for words in (self.label if "config" in names else "", others) if words)


def asked(part, n_tokens=None, **settings):
    """The Case of the model that has these settings, and is small where they say nothing."""
    config = Config(**{**HAND, **settings})
    described = {name: getattr(config, name) for name in SIZES}
    described |= {name: getattr(config, name) for name, usual in USUAL.items() if getattr(config, name) != usual}
    label = "  ".join(f"{name} = {value!r}" for name, value in described.items())
    return Case(part, {"config": config}, {} if n_tokens is None else {"n_tokens": n_tokens}, label)


def drawn(rng, usual):
    """The settings of a model at random: as GPT-2 has them but for the sizes, or of every kind."""
    n_head = int(rng.integers(2, 5))
    sizes = {name: int(rng.integers(3, 60)) for name in ("vocab_size", "n_ctx", "ffn_width")}
    sizes |= {"n_layer": int(rng.integers(2, 7)), "n_head": n_head, "width": 2 * n_head * int(rng.integers(1, 9))}
    if usual:
        return sizes
    return sizes | {
        "positions": str(rng.choice(["learned", "rotary", "none"])),
        "norm": str(rng.choice(["pre", "post"])),
        "tied": bool(rng.integers(2)),
        "bias": bool(rng.integers(2)),
    }
