"""A made-up language of pairs: regularities of all sizes, learned one after the other, and a floor known exactly."""

from dataclasses import dataclass

import numpy as np

from .languages import Language, log_ranks, softmax


@dataclass(frozen=True)
class Spectral:
    """The parameters of a language of pairs whose parts are of all sizes, so that a model goes on learning them.

    The score of token x after the tokens a, b is -zipf * ln(x + 1) + last * S1[b, x] + before * S0[a, x] +
    pair * S2[a, b, x].  Each S has unit variance and is a sum of products with weights that fall as a power law,
    S1[b, x] = sum over r of r^-decay u_r[b] w_r[x], and S2[a, b, x] = sum over r of r^-decay u_r[a] v_r[b] w_r[x] with
    `rank` terms.
    """

    vocab_size: int = 64
    zipf: float = 1.0
    before: float = 0.7
    last: float = 1.5
    pair: float = 1.5
    decay: float = 0.8
    rank: int = 1024
    seed: int = 0


def spectral(**parameters):
    """The Language of these parameters, which are those of Spectral: the next token depends on the last two.

    ValueError if there are fewer than two tokens, or if rank is below 1.
    """
    p = Spectral(**parameters)
    ranks, V = log_ranks(p), p.vocab_size
    if p.rank < 1:
        raise ValueError(f"rank is {p.rank}, but a sum of products has at least 1 term.")
    rng = np.random.default_rng(p.seed)

    def unit(a):
        return a / a.std()

    weights = np.arange(1, V + 1) ** -p.decay
    last, before = (unit((rng.standard_normal((V, V)) * weights) @ rng.standard_normal((V, V))) for _ in range(2))
    u, v, w = (rng.standard_normal(shape) for shape in ((V, 1, p.rank), (1, V, p.rank), (p.rank, V)))
    pair = unit((u * v * np.arange(1, p.rank + 1) ** -p.decay).reshape(V * V, p.rank) @ w).reshape(V, V, V)
    scores = -p.zipf * ranks + p.last * last + p.before * before[:, None] + p.pair * pair
    return Language(p, softmax(scores))
