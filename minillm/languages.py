"""Made-up languages: text without end, and exactly known how low the loss of a model can get on it."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Zipf:
    """The parameters of a language in which nothing depends on anything: token x has a probability ~ (x + 1)^-zipf."""

    vocab_size: int = 64
    zipf: float = 1.0


@dataclass(frozen=True)
class Markov:
    """The parameters of a plain Markov language: the same ones make the same table.

    The score of token x after token a is -zipf * ln(x + 1) + spread * S[a, x], where S is drawn from the standard
    normal distribution; a softmax turns each row of scores into probabilities.  So low tokens are frequent, as the
    first words of Zipf's law are, and what follows depends on what went before.
    """

    vocab_size: int = 16
    zipf: float = 1.0
    spread: float = 1.5
    seed: int = 0


def zipf(**parameters):
    """The Language of these parameters, which are those of Zipf: each token is drawn by itself.

    ValueError if there are fewer than two tokens.
    """
    parameters = Zipf(**parameters)
    return Language(parameters, softmax(-parameters.zipf * log_ranks(parameters)))


def markov(**parameters):
    """The Language of these parameters, which are those of Markov: the next token depends on the last one alone.

    ValueError if there are fewer than two tokens.
    """
    parameters = Markov(**parameters)
    ranks, V = log_ranks(parameters), parameters.vocab_size
    normal = np.random.default_rng(parameters.seed).standard_normal((V, V))
    return Language(parameters, softmax(-parameters.zipf * ranks + parameters.spread * normal))


def log_ranks(parameters):
    """ln(x + 1) for every token x, (V,).  ValueError if there are fewer than two tokens."""
    V = parameters.vocab_size
    if V < 2:
        raise ValueError(f"vocab_size is {V}, but a language needs at least 2 tokens to choose from.")
    return np.log(np.arange(V) + 1)


def softmax(scores):
    """Rows of probabilities from rows of scores."""
    table = np.exp(scores - scores.max(-1, keepdims=True))
    return table / table.sum(-1, keepdims=True)


class Language:
    """A language in which the next token depends on the last few alone, `order` of them.

    table[a, x] is the probability of x after a where order is 1, table[a, b, x] that of x after a, b where it is 2, and
    table[x] where it is 0.  A Language answers what an NGram answers, `probabilities`, `loss` and `sample`, so the true
    language can stand where a model stands.  Losses and entropies are in nats per token.
    """

    def __init__(self, parameters, table):
        self.parameters, self.table = parameters, table
        self.vocab_size, self.order = table.shape[-1], table.ndim - 1
        self.stationary = stationary(table)  # (V,) * order
        self._piles = None  # for windows(), made when they are first asked for
        joint = self.stationary[..., None] * table  # how often each run of order + 1 tokens occurs
        self._joints = [joint.sum(tuple(range(self.order - n))) for n in range(self.order + 1)]

    def conditional(self, n):
        """P(next token | the n tokens before it), (V,) * n + (V,): of a longer context the last `order` count."""
        joint = self._joints[min(n, self.order)]
        return joint / joint.sum(-1, keepdims=True)

    def entropy(self, n):
        """The lowest loss that a model can reach if it sees n tokens before the one that it predicts."""
        return float(-(self._joints[min(n, self.order)] * _log(self.conditional(n))).sum())

    @property
    def entropy_rate(self):
        """The lowest loss that any model can reach, however much it sees."""
        return self.entropy(self.order)

    def floor(self, T):
        """The lowest loss on windows of T tokens, where the first prediction sees one token and the last one T."""
        seen = min(T, self.order)
        return (sum(self.entropy(n) for n in range(1, seen + 1)) + (T - seen) * self.entropy_rate) / T

    def probabilities(self, context=()):
        """P(next token | context) for every token, (V,)."""
        last = tuple(int(token) for token in context)[max(0, len(context) - self.order) :]
        return self.conditional(len(last))[last]

    def following(self, windows):
        """P(next token | all of the window so far) at every place of windows (..., T): (..., T, V)."""
        windows = np.asarray(windows)
        p = np.empty((*windows.shape, self.vocab_size))
        for t in range(windows.shape[-1]):
            n = min(t + 1, self.order)
            p[..., t, :] = self.conditional(n)[tuple(windows[..., t - i] for i in reversed(range(n)))]
        return p

    def loss(self, ids):
        """Mean loss of the language itself, as the model that knows everything, over ids (N,).

        The first tokens are predicted from the shorter contexts that they have, as NGram.loss does.
        """
        ids, logs = np.asarray(ids), []
        for n in range(self.order + 1):  # n tokens stand before: for the first few, and then for all the rest
            end = min(n + 1, len(ids)) if n < self.order else len(ids)
            runs = tuple(ids[i : max(i, end - n + i)] for i in range(n + 1))
            logs.append(_log(self.conditional(n)[runs]))
        return float(-np.concatenate(logs).mean())

    def law(self, ids):
        """The true distribution behind each target of windows ids (N, T + 1): (N, T, V), for exact evaluation."""
        return self.following(np.asarray(ids)[:, :-1])

    def windows(self, n, T, rng):
        """n fresh windows of T + 1 tokens, (n, T + 1) of int64, each from the middle of another text without end.

        Millions of tokens a second where n is large: all windows take their next token at once, by the alias method.
        """
        chance, other = self._alias()
        V, C = self.vocab_size, self.stationary.size
        start = np.searchsorted(
            self.stationary.ravel().cumsum()[:-1], rng.random(n) * self.stationary.sum(), side="right"
        )
        ids = np.empty((max(T + 1, self.order), n), np.int64)
        ids[: self.order] = np.unravel_index(start, self.stationary.shape) if self.order else ids[:0]
        context = start
        for t in range(self.order, T + 1):
            place = context * V + rng.integers(V, size=n)
            ids[t] = np.where(rng.random(n) < chance[place], place, other[place]) % V
            context = (context * V + ids[t]) % C
        return np.ascontiguousarray(ids[: T + 1].T)

    def _alias(self):
        """The table as piles that are equally likely: each holds a token, and one other that fills it up.

        The poorest token of a row gets a pile of its own, and the richest gives what is missing there; V times, for all
        rows at once.  Returns the chance of the token itself, and the other: (C V,) each, `other` counted in all rows.
        Walker 1977, ACM TOMS 3, 253.
        """
        if self._piles is None:
            V, C = self.vocab_size, self.stationary.size
            left = self.table.reshape(C, V) * V
            chance, other, waiting = np.ones((C, V)), np.arange(C * V).reshape(C, V), np.ones((C, V), bool)
            row = np.arange(C)
            for _ in range(V):
                poor = np.where(waiting, left, np.inf).argmin(1)
                rich = np.where(waiting, left, -np.inf).argmax(1)
                has = np.minimum(left[row, poor], 1)
                chance[row, poor], other[row, poor] = has, row * V + rich
                left[row, rich] -= 1 - has
                waiting[row, poor] = False
            self._piles = chance.ravel(), other.ravel()
        return self._piles

    def describe(self):
        """The parameters as a dict, with the name of the function that makes the language from them as its "kind"."""
        return {"kind": type(self.parameters).__name__.lower(), **dataclasses.asdict(self.parameters)}

    def checksum(self):
        """Twelve digits of the table and of the first tokens of seed 0: where they agree, runs can be compared.

        NumPy promises the same stream of random numbers for one build of it only.
        """
        return digits(self.table, self.windows(64, 32, np.random.default_rng(0)))

    def sample(self, n, rng):
        """n fresh tokens in a row, (n,) of int64, from the middle of a text without end.

        Each context has a pile of cards, which are tokens drawn from its row of the table; the walk takes the next one
        from the pile of where it is.  So most of the work is done in arrays.
        """
        V, C = self.vocab_size, self.stationary.size
        law, steps = self.stationary.ravel(), self.table.reshape(C, V).cumsum(-1)
        draw = lambda i, size: np.searchsorted(steps[i, :-1], rng.random(size) * steps[i, -1], side="right")

        def cards(i):
            while True:
                yield from draw(i, 256).tolist()

        start = int(np.searchsorted(law.cumsum()[:-1], rng.random() * law.sum(), side="right"))
        piles, context = [cards(i) for i in range(C)], start
        ids = [int(i) for i in np.unravel_index(start, self.stationary.shape)]
        for _ in range(n - self.order):
            token = next(piles[context])
            ids.append(token)
            context = (context * V + token) % C
        return np.array(ids[:n], np.int64)


def stationary(table, tolerance=1e-15):
    """How often each context occurs in the long run: the distribution that one more token leaves as it is.

    table as in Language -> (V,) * order.  Found by adding tokens until nothing changes (power iteration), with half a
    step each time, so that a language that goes round in a ring comes to rest too.  Every token must be reachable from
    every other.  ValueError if the rows of the table are no probabilities, or if it has not come to rest after 100,000
    tokens.
    """
    V = table.shape[-1]
    if (table < 0).any() or not np.allclose(table.sum(-1), 1, rtol=0, atol=1e-9):
        raise ValueError("each row of the table must hold probabilities: nothing below 0, and a sum of 1.")
    law = np.full(table.shape[:-1], 1 / V ** (table.ndim - 1))
    for _ in range(100_000):
        change = (law[..., None] * table).sum(0) - law
        law = law + change / 2
        if abs(change).max() <= tolerance:
            return law / law.sum()
    raise ValueError("after 100,000 tokens it still matters how the text began; mix the table with a uniform one.")


def entropy_rate(table):
    """The lowest loss, in nats per token, that any model can reach on the language of this table.

    Each row has an entropy of its own, and counts as often as its token occurs.  table (V, V), row a is P(next | a);
    what never happens, p = 0, costs nothing.  Shannon 1948, section 7.
    """
    entropies = -(table * _log(table)).sum(-1)  # of each row
    return float((stationary(table) * entropies).sum())


def digits(*arrays):
    """Twelve digits that stand for these arrays (SHA-256): integers as they are, the rest to six decimals."""
    sha = hashlib.sha256()
    for a in arrays:
        sha.update(np.ascontiguousarray(np.round(a * 1e6) if a.dtype.kind == "f" else a, dtype="<i8").tobytes())
    return sha.hexdigest()[:12]


def _log(p):
    """ln p, and 0 where p is 0: p ln p goes to 0 there."""
    return np.log(p, out=np.zeros_like(p), where=p > 0)
