"""Config: everything that changes a model, checked when it is made."""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Everything that changes a model.  ValueError, in one sentence, for a model that cannot be."""

    vocab_size: int = 256
    n_ctx: int = 128  # the longest sequence it reads, in tokens
    n_layer: int = 4
    n_head: int = 4
    width: int = 128  # C, channels of the residual stream
    ffn_width: int | None = None  # F, hidden width of the feed-forward layer; 4 * width if not given
    positions: str = "learned"  # "learned", "rotary" or "none"
    rotary_base: float = 10_000.0  # the slowest pair of channels turns by about 1 / rotary_base a position
    norm: str = "pre"  # "pre": x + f(norm(x));  "post": norm(x + f(x))
    tied: bool = True  # the read-out reuses the token table
    activation: str = "gelu_tanh"  # "gelu_tanh", "gelu" or "relu"
    eps: float = 1e-5  # of the layer norms
    bias: bool = True  # whether the linear maps have a shift b (layer norm always has)
    dropout: float = 0.0  # on embeddings, attention weights and residual branches, in training only

    def __post_init__(self):
        if self.ffn_width is None:
            object.__setattr__(self, "ffn_width", 4 * self.width)
        for field in dataclasses.fields(self):
            _check_type(
                field.name, getattr(self, field.name), type(field.default) if field.default is not None else int
            )
        for name in ("vocab_size", "n_ctx", "n_layer", "n_head", "width", "ffn_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but it is {getattr(self, name)}.")
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}.")
        if self.width % self.n_head:
            raise ValueError(
                f"width {self.width} cannot be shared evenly by n_head {self.n_head}; make width a multiple of n_head."
            )
        if self.positions == "rotary" and self.width // self.n_head % 2:
            raise ValueError(
                f"rotary positions turn channels in pairs, but width {self.width} over n_head {self.n_head} "
                f"leaves {self.width // self.n_head} for each head, an odd number."
            )
        if not self.rotary_base > 0:
            raise ValueError(f"rotary_base must be above 0, but it is {self.rotary_base}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, but it is {self.dropout}.")
        if not self.eps >= 0:
            raise ValueError(f"eps must not be negative, but it is {self.eps}.")

    def to_dict(self):
        """All fields as plain values: Config(**config.to_dict()) == config."""
        return dataclasses.asdict(self)


CHOICES = {
    "positions": ("learned", "rotary", "none"),
    "norm": ("pre", "post"),
    "activation": ("gelu_tanh", "gelu", "relu"),
}


def _check_type(name, value, wanted):
    good = (int, float) if wanted is float else wanted
    if not isinstance(value, good) or (wanted is not bool and isinstance(value, bool)):
        raise ValueError(f"{name} must be {wanted.__name__}, but it is {value!r} ({type(value).__name__}).")
