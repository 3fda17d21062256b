"""A made-up language of facts: a key of which some are frequent and most are rare, and the value that belongs to it.

The key of rank i has the probability p_i ~ i^-(1 + s).  A model that has seen D records has met the keys up to a rank
of about D^(1 / (1 + s)), and what is rarer still makes up about D^-(s / (1 + s)) of the text: so a power law of word
frequencies becomes a power law of the loss.  Hutter 2021, arXiv:2102.04074; Michaud et al. 2023, arXiv:2303.13506.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np

from .languages import digits


@dataclass(frozen=True)
class Facts:
    """The parameters of a table of facts: `keys` keys of two tokens each, and a value for each, one token.

    The value is right with the probability 1 - noise, and else drawn from all tokens alike (the right one is among
    them).  A window begins with a token of its own, number vocab_size: the model knows 1 + vocab_size tokens.
    """

    vocab_size: int = 64
    s: float = 0.5
    keys: int = 4096
    noise: float = 0.0
    seed: int = 0


def facts(**parameters):
    """The FactsLanguage of these parameters, which are those of Facts.

    ValueError if there are more keys than pairs of tokens, or if s is not above 0, or noise not from 0 to 1.
    """
    return FactsLanguage(Facts(**parameters))


class FactsLanguage:
    """A language of records: two tokens of a key, then its value; it answers what the ladder asks of a Language.

    Losses are in nats per token.  All windows begin where a record begins, so windows must hold whole records.
    """

    def __init__(self, parameters):
        self.parameters = p = parameters
        V, K = p.vocab_size, p.keys
        if not 1 <= K <= V * V:
            raise ValueError(f"keys is {K}, but two of {V} tokens make at least 1 and at most {V * V} keys.")
        _check(p)
        self.vocab_size = V + 1
        self.chances = np.arange(1, K + 1) ** -(1.0 + p.s)
        self.chances /= self.chances.sum()
        rng = np.random.default_rng(p.seed)
        self.keys = rng.permutation(V * V)[:K]  # the key of a rank: V * first token + second token
        self.values = rng.integers(0, V, K)
        joint = np.zeros(V * V)
        joint[self.keys] = self.chances
        self.first = joint.reshape(V, V).sum(1)  # P(first token of a key), (V,)
        with np.errstate(invalid="ignore"):
            self.second = np.nan_to_num(joint.reshape(V, V) / self.first[:, None])  # P(second | first), (V, V)
        self.value_of = np.zeros(V * V, np.int64)
        self.value_of[self.keys] = self.values

    def floor(self, T):
        """The lowest loss on windows of T tokens: that of a key, -sum p ln p, and of its value, shared by 3 tokens.

        ValueError if T is no multiple of 3.
        """
        self._whole(T)
        return (-float(self.chances @ np.log(self.chances)) + value_entropy(self.parameters)) / 3

    def windows(self, n, T, rng):
        """n fresh windows of T + 1 tokens, (n, T + 1) of int64: the token that begins, and T / 3 records."""
        self._whole(T)
        V, steps = self.parameters.vocab_size, self.chances.cumsum()
        ranks = np.searchsorted(steps[:-1], rng.random((n, T // 3)) * steps[-1], side="right")
        keys, values = self.keys[ranks], noisy(self.values[ranks], self.parameters, rng)
        records = np.stack([keys // V, keys % V, values], -1).reshape(n, T)
        return np.concatenate([np.full((n, 1), V), records], 1)

    def law(self, ids):
        """The true distribution behind each target of windows ids (N, T + 1): (N, T, 1 + V), for exact evaluation."""
        ids = np.asarray(ids)
        V, noise, p = self.parameters.vocab_size, self.parameters.noise, np.zeros((*ids[:, 1:].shape, self.vocab_size))
        a, b = ids[:, 1::3], ids[:, 2::3]
        p[:, 0::3, :V] = self.first
        p[:, 1::3, :V] = self.second[a]
        p[:, 2::3, :V] = noise / V
        rows, records = np.indices(a.shape)
        p[rows, 3 * records + 2, self.value_of[a * V + b]] += 1 - noise
        return p

    def describe(self):
        """The parameters as a dict, with "facts" as its "kind"."""
        return {"kind": "facts", **asdict(self.parameters)}

    def checksum(self):
        """Twelve digits of the table and of the first tokens of seed 0; see languages.Language.checksum."""
        return digits(self.keys, self.values, self.windows(64, 33, np.random.default_rng(0)))

    def _whole(self, T):
        if T % 3 or T < 3:
            raise ValueError(f"a record has 3 tokens, so a window must hold a multiple of 3, not {T}: take 33.")


@dataclass(frozen=True)
class Records:
    """The counting lab: facts without end, keys of `length` tokens and a value, for models that count.

    The ranks are not cut off: a table that ends bends the power law long before its end is reached.  Only those too
    large for `length` tokens are drawn again; with the parameters here, about one in 86,000.
    """

    vocab_size: int = 16
    s: float = 0.5
    noise: float = 0.2
    length: int = 8
    seed: int = 0

    def __post_init__(self):
        _check(self)
        if not 1 <= self.length * math.log2(self.vocab_size) <= 62:
            raise ValueError(f"{self.length} tokens out of {self.vocab_size} make too few or too many keys: 2 to 2^62.")

    @property
    def floor(self):
        """The lowest loss of a value, in nats, for who knows all keys: -sum p ln p with noise, 0 without."""
        return value_entropy(self)

    @property
    def exponent(self):
        """beta = s / (1 + s): the loss of a learner who counts comes down to the floor as D^-beta."""
        return self.s / (1 + self.s)

    def draw(self, n, rng):
        """n records: the ranks of their keys, from 0 on, (n,), and their values (n,)."""
        ranks, most = rng.zipf(1 + self.s, n), self.vocab_size**self.length
        while (beyond := ranks > most).any():
            ranks[beyond] = rng.zipf(1 + self.s, int(beyond.sum()))
        ranks -= 1
        return ranks, noisy(self.value(ranks), self, rng)

    def value(self, ranks):
        """The right value of each key, (n,) of int64: bits of the rank, stirred until nothing can be seen in them."""
        x = np.asarray(ranks).astype(np.uint64) + np.uint64(self.seed) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # Steele et al. 2014, SplitMix64
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        return ((x ^ (x >> np.uint64(31))) % np.uint64(self.vocab_size)).astype(np.int64)

    def tokens(self, ranks, values):
        """The records as text, (n, length + 1): the digits of the key, stirred so that near ranks look different."""
        V, n_keys = self.vocab_size, self.vocab_size**self.length
        factor = next(f for f in range(int(0.618 * n_keys) | 1, 2 * n_keys + 3) if math.gcd(f, n_keys) == 1)
        keys = [int(rank) * factor % n_keys for rank in ranks]  # Python's whole numbers do not overflow
        places = [[key // V**i % V for key in keys] for i in reversed(range(self.length))]
        return np.array([*places, values]).T

    def chances(self, ranks):
        """The probability of each key, (n,): (rank + 1)^-(1 + s) / zeta(1 + s)."""
        from scipy.special import zeta

        return (np.asarray(ranks) + 1.0) ** -(1 + self.s) / zeta(1 + self.s)

    def excess(self, ranks, values):
        """How far above the floor a learner is that has counted these records, in nats per value; exact.

        It knows the noise, and not the table: all values were equally likely to be the right one, and after counts c
        of a key's values, value v is right with a probability ~ ((1 - noise + noise / V) / (noise / V))^c_v.  It
        predicts the mean of what these would give.  Keys it has never met cost ln V.
        """
        V, e = self.vocab_size, self.noise
        seen, place = np.unique(ranks, return_inverse=True)
        counts = np.zeros((len(seen), V))
        np.add.at(counts, (place, values), 1)
        if e:
            scores = counts * math.log((1 - e + e / V) / (e / V))
            right = np.exp(scores - scores.max(1, keepdims=True))
        else:
            right = (counts > 0).astype(float)
        predicted = (1 - e) * right / right.sum(1, keepdims=True) + e / V
        mine = predicted[np.arange(len(seen)), self.value(seen)]  # of the value that is right
        cost = -(1 - e) * np.log(mine)
        if e:
            cost -= e / V * np.log(predicted).sum(1)
        p = self.chances(seen)
        return float(p @ (cost - self.floor) + max(0.0, 1 - p.sum()) * (math.log(V) - self.floor))


def value_entropy(parameters):
    """The entropy of a value whose key is known, in nats.

    H = -(1 - e + e/V) ln(1 - e + e/V) - (V - 1) (e/V) ln(e/V), with e the noise and V tokens.
    """
    V, e = parameters.vocab_size, parameters.noise
    right, wrong = 1 - e + e / V, e / V
    return -right * math.log(right) - ((V - 1) * wrong * math.log(wrong) if wrong else 0.0)


def noisy(values, parameters, rng):
    """The values, each replaced with the probability `noise` by one drawn from all tokens alike."""
    if not parameters.noise:
        return values
    drawn = rng.integers(0, parameters.vocab_size, values.shape)
    return np.where(rng.random(values.shape) < parameters.noise, drawn, values)


def _check(p):
    if p.vocab_size < 2:
        raise ValueError(f"vocab_size is {p.vocab_size}, but a language needs at least 2 tokens to choose from.")
    if not p.s > 0:
        raise ValueError(f"s is {p.s}, but the chances i^-(1 + s) of all keys add up to 1 only for s above 0.")
    if not 0 <= p.noise < 1:
        raise ValueError(f"noise is {p.noise}, but it is a probability from 0 to below 1.")
