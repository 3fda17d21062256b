"""Where the tokens of a ladder come from: a made-up language or a text, by its description, and batches of it."""

from dataclasses import dataclass, field

import numpy as np

from . import batches, corpus, facts, languages, spectral, tokenizer

CHUNK = 4096  # windows that are drawn at a time
HELD_OUT = 2**31  # the windows that models are measured on: a seed that no run has


def make(description):
    """The source that a dict describes: {"kind": "spectral", "seed": 0}, and the parameters of that kind.

    The kinds are zipf, markov, spectral and facts, and text with a name that corpus.load() knows.  A source has
    vocab_size, floor(T), windows(n, T, rng), law(ids), describe() and checksum(); of a text, floor and law are None.
    ValueError for another kind, a parameter that there is not, or a text that is not at hand.
    """
    parameters = dict(description)
    kind = parameters.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"there is no language of kind {kind!r}; there are {', '.join(KINDS)}.")
    try:
        return KINDS[kind](**parameters)
    except TypeError as error:
        raise ValueError(f"a language of kind {kind} cannot be made from {parameters}: {error}.") from None


@dataclass
class Prose:
    """A text as a source: its characters are the tokens, and whole works that no model learns from are held out."""

    name: str
    vocab_size: int
    train: np.ndarray = field(repr=False)
    validation: np.ndarray = field(repr=False)

    def floor(self, T):
        """Nobody knows the lowest loss on a text that people wrote: None."""

    def law(self, ids):
        """Nor the true distribution: None."""

    def describe(self):
        """The name, with "text" as its "kind"."""
        return {"kind": "text", "name": self.name}

    def checksum(self):
        """Twelve digits of both parts, token by token."""
        return languages.digits(self.train, self.validation)


def text(name):
    """The Prose of a text that corpus.load() knows.  ValueError if another text would have to take its place."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = corpus.load(name)
    if caught:
        raise ValueError(f"the text {name} is not at hand: {caught[0].message}")
    made = tokenizer.Characters(found.alphabet)
    return Prose(name, made.vocab_size, made.encode(found.train), made.encode(found.validation))


KINDS = {
    "spectral": spectral.spectral,
    "facts": facts.facts,
    "markov": languages.markov,
    "zipf": languages.zipf,
    "text": text,
}


class Fresh:
    """Batches of windows that nobody has seen: batch(step) depends on the language, the seed and the step alone."""

    def __init__(self, language, *, batch_size, n_ctx, seed):
        self.language, self.batch_size, self.n_ctx, self.seed = language, batch_size, n_ctx, seed
        self.per_chunk = max(1, CHUNK // batch_size)  # steps
        self.number, self.chunk = None, None

    def batch(self, step):
        """The ids and the targets of step 0, 1, ..., each (B, T) of int64."""
        number, place = divmod(step, self.per_chunk)
        if number != self.number:
            rng = np.random.default_rng((self.seed, number))
            self.chunk = self.language.windows(self.per_chunk * self.batch_size, self.n_ctx, rng)
            self.number = number
        windows = self.chunk[place * self.batch_size : (place + 1) * self.batch_size]
        return windows[:, :-1], windows[:, 1:]


def training(source, *, batch_size, n_ctx, seed):
    """What has batch(step), for training: Fresh windows of a language, or batches.Batches of a text."""
    if isinstance(source, Prose):
        return batches.Batches(source.train, batch_size=batch_size, n_ctx=n_ctx, seed=seed)
    return Fresh(source, batch_size=batch_size, n_ctx=n_ctx, seed=seed)


def held_out(source, n, n_ctx):
    """The n windows, (n, n_ctx + 1), on which all models are measured; of a text as many as it has, evenly spread."""
    if isinstance(source, Prose):
        ids, targets = batches.windows(source.validation, n_ctx, limit=n)
        return np.concatenate([ids, targets[:, -1:]], 1)
    return source.windows(n, n_ctx, np.random.default_rng(HELD_OUT))
