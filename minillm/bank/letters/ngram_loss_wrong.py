"""Wrong answers to ngram_loss that people really write; each has a step that is not the right one."""

import math
import types
from collections import Counter

from ...grader.exercise import Mistake


def pieces(text, size, step=1):
    """All pieces of this size, one letter further each time."""
    return [text[i : i + size] for i in range(0, len(text) - size + 1, step)]


def counted(v, gram):
    """How often the piece occurs, and how often anything follows its context."""
    return v.grams[gram], v.contexts[gram[:-1]]


def known(v):
    """The pieces of the text whose context was seen."""
    return [gram for gram in pieces(v.text, v.order) if gram[:-1] in v.contexts]


def in_lines(text, size):
    """All pieces that lie within a line."""
    return [gram for line in text.split("\n") for gram in pieces(line, size)]


def line_by_line(train, text, *, order, vocab_size, add=1.0):
    """Never looks beyond the end of a line."""
    grams = Counter(in_lines(train, order))
    contexts = Counter(gram[:-1] for gram in grams.elements())
    ps = [(grams[gram] + add) / (contexts[gram[:-1]] + add * vocab_size) for gram in in_lines(text, order)]
    return mean(losses(ps))


def shorter_at_the_start(train, text, *, order, vocab_size, add=1.0):
    """The first letters are predicted too, after what stands before them, which was never counted."""
    grams = Counter(pieces(train, order))
    contexts = Counter(gram[:-1] for gram in grams.elements())
    asked = [text[max(0, i - order + 1) : i + 1] for i in range(len(text))]
    return mean(losses([(grams[gram] + add) / (contexts[gram[:-1]] + add * vocab_size) for gram in asked]))


def small_letters(train, text, *, order, vocab_size, add=1.0):
    """Counts and measures without capitals."""
    train, text = train.lower(), text.lower()
    grams = Counter(pieces(train, order))
    contexts = Counter(gram[:-1] for gram in grams.elements())
    asked = pieces(text, order)
    return mean(losses([(grams[gram] + add) / (contexts[gram[:-1]] + add * vocab_size) for gram in asked]))


def mean(values):
    """The mean, of any number of numbers."""
    return sum(values) / len(values)


def losses(ps):
    """-ln p of each; infinite where p is 0."""
    return [-math.log(p) if p > 0 else math.inf for p in ps]


# The steps of a right answer; v holds what was asked, and the counts.
STEPS = types.SimpleNamespace(
    order=lambda v: v.order,
    counts_from=lambda v: v.train,
    contexts=lambda v: Counter(gram[:-1] for gram in pieces(v.source, v.order)),
    asked=lambda v: pieces(v.text, v.order),
    counts=counted,
    add=lambda v, n: v.add,
    total=lambda v, n: n + v.added * v.vocab_size,
    result=lambda v: mean(losses(v.ps)),
)


def wrong(name, says, large=False, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def ngram_loss(train, text, *, order, vocab_size, add=1.0):
        v = types.SimpleNamespace(train=train, text=text, order=order, vocab_size=vocab_size, add=add, ps=[])
        v.order = do.order(v)
        v.source = do.counts_from(v)
        v.grams, v.contexts = Counter(pieces(v.source, v.order)), do.contexts(v)
        for gram in do.asked(v):
            n, n_context = do.counts(v, gram)
            v.added = do.add(v, n)
            total = do.total(v, n_context)
            v.ps.append((n + v.added) / total if total else 0)
        return do.result(v)

    return Mistake(name, says, ngram_loss, large)


MISTAKES = (
    wrong(
        "no smoothing",
        "Nothing was added to the counts, so what was never seen has a probability of 0, and a single such letter "
        "makes the loss infinite.",
        add=lambda v, n: 0,
    ),
    wrong(
        "added above but not below",
        "`add` was added to the count, and nothing to the total. Then the probabilities of all letters add up to more "
        "than 1: the total grows by add * vocab_size.",
        total=lambda v, n: n,
    ),
    wrong(
        "added once below",
        "The total grew by `add` alone. Each of the vocab_size letters got `add`, so the total grows by add * "
        "vocab_size.",
        total=lambda v, n: n + v.added,
    ),
    wrong(
        "1 added whatever was asked",
        "1 was added to each count, whatever `add` is.",
        add=lambda v, n: 1.0,
    ),
    wrong(
        "added only to what was never seen",
        "`add` was added where a count is 0, and nowhere else. It goes to every count, so that the probabilities of "
        "all letters add up to 1.",
        add=lambda v, n: v.add if n == 0 else 0,
        total=lambda v, n: n + v.add * v.vocab_size,
    ),
    wrong(
        "the letters of the training text as vocabulary",
        "The total grew with the number of different letters in the training text. The vocabulary may have others too: "
        "add * vocab_size.",
        total=lambda v, n: n + v.added * len(set(v.train)),
    ),
    wrong(
        "str.count, which skips overlaps",
        "str.count() goes on after the piece that it has found: 'aaa'.count('aa') is 1. Slide a window by one letter "
        "instead.",
        counts=lambda v, gram: (v.train.count(gram), v.train.count(gram[:-1])),
    ),
    wrong(
        "str.count, without the last letter",
        "str.count() goes on after the piece that it has found: 'aaa'.count('aa') is 1. To leave out the last letter "
        "for the contexts is right, but pieces that overlap are still skipped: slide a window by one letter.",
        counts=lambda v, gram: (v.train.count(gram), v.train[:-1].count(gram[:-1]) if v.order > 1 else len(v.train)),
    ),
    wrong(
        "unknown contexts left out",
        "Letters after a context that was never seen were left out of the mean. They are predicted too: there every "
        "letter has add / (add * vocab_size).",
        asked=known,
    ),
    Mistake(
        "shorter contexts at the start",
        "The first order - 1 letters were predicted too, after fewer letters than a context has. Begin with the first "
        "letter that has a whole context before it.",
        shorter_at_the_start,
    ),
    Mistake(
        "each line by itself",
        "Pieces with the end of a line in them were left out, as splitlines() does, and a dot in a regular expression. "
        "The end of a line is a letter like any other.",
        line_by_line,
    ),
    Mistake(
        "capitals made small",
        "Capitals were made small. 'A' and 'a' are different letters here: count the text as it is.",
        small_letters,
    ),
    wrong(
        "the end of the training text as a context",
        "The last order - 1 letters of the training text were counted as a context. Nothing follows them, so the "
        "probabilities after them add up to less than 1.",
        contexts=lambda v: Counter(pieces(v.train, v.order - 1)) if v.order > 1 else Counter({"": len(v.train) + 1}),
    ),
    wrong(
        "divided by the letter, not by its context",
        "The count was divided by how often the last letter of the piece occurs at an end. Of all pieces that begin "
        "with the same context, which share is this one? Divide by the context.",
        contexts=lambda v: Counter(gram[-1:] for gram in pieces(v.train, v.order)),
        counts=lambda v, gram: (v.grams[gram], v.contexts[gram[-1:]]),
    ),
    wrong(
        "divided by all pieces",
        "The count was divided by the number of all pieces: how often context and letter occur together. What is due "
        "is the share among those with the same context.",
        counts=lambda v, gram: (v.grams[gram], v.grams.total()),
    ),
    wrong(
        "counted in the text that is measured",
        "The counts come from the text that the loss is measured on. A model must not see that: count in `train`.",
        counts_from=lambda v: v.text,
    ),
    wrong(
        "one letter too many in the context",
        "The context has `order` letters here. An n-gram has n letters in all: n - 1 before, and the one that is "
        "predicted.",
        order=lambda v: v.order + 1,
    ),
    wrong(
        "windows that jump",
        "The window over the text jumped by `order` letters. Every letter that has a whole context is predicted: slide "
        "it by one.",
        asked=lambda v: pieces(v.text, v.order, v.order),
    ),
    wrong(
        "each piece once",
        "Each different piece of the text was counted once. One that occurs five times counts five times.",
        asked=lambda v: sorted(set(pieces(v.text, v.order))),
    ),
    wrong(
        "the last letter forgotten",
        "The last letter of the text was not predicted: range(len(text) - order + 1) has the +1 because a text of "
        "`order` letters has one piece.",
        asked=lambda v: pieces(v.text[:-1], v.order),
    ),
    wrong(
        "divided by all letters of the text",
        "The sum was divided by the number of letters in the text. The first order - 1 of them were not predicted: "
        "divide by the number of those that were.",
        result=lambda v: sum(losses(v.ps)) / len(v.text),
    ),
    wrong(
        "the sum",
        "This is the sum over the text. The loss is the mean, so that texts of different lengths can be compared.",
        result=lambda v: sum(losses(v.ps)),
    ),
    wrong(
        "the minus forgotten",
        "The logarithm of a probability is negative. The loss has a minus in front of it.",
        result=lambda v: -mean(losses(v.ps)),
    ),
    wrong(
        "logarithms to base 2",
        "This is in bits. In nats it is ln 2 times that: math.log.",
        result=lambda v: mean(losses(v.ps)) / math.log(2),
    ),
    wrong(
        "the logarithm of the mean probability",
        "First the logarithm, then the mean. The logarithm of the mean probability hides the letters that were hardly "
        "foreseen.",
        result=lambda v: -math.log(mean(v.ps)),
    ),
    wrong(
        "the mean probability",
        "This is the mean of p. The loss is the mean of -ln p.",
        result=lambda v: mean(v.ps),
    ),
    wrong(
        "the perplexity",
        "This is the perplexity, exp of the loss. The loss itself is due.",
        result=lambda v: math.exp(mean(losses(v.ps))),
    ),
    wrong(
        "the mean of perplexities",
        "This is the mean of 1 / p, a perplexity for each letter. The loss is the mean of -ln p; and a perplexity is "
        "exp of that mean, not a mean of its own.",
        result=lambda v: mean([1 / p for p in v.ps]),
    ),
)
