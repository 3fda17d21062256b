"""ngram_loss: what it is asked, and what each part is worth."""

import math
from collections import Counter

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import ngram_loss_right, ngram_loss_wrong


def ngram_loss(train, text, *, order, vocab_size, add=1.0):
    """Mean loss, in nats per letter, on one text of an n-gram that was counted in another.

    P(x | context) = (n(context x) + add) / (n(context) + add * vocab_size), where the context is the order - 1 letters
    before x, and n(context) is how often anything followed it.  The first order - 1 letters of the text are not
    predicted.
    """
    grams = Counter(train[i : i + order] for i in range(len(train) - order + 1))
    contexts = Counter()
    for gram, times in grams.items():
        contexts[gram[:-1]] += times
    losses = []
    for i in range(len(text) - order + 1):
        gram = text[i : i + order]
        losses.append(-math.log((grams[gram] + add) / (contexts[gram[:-1]] + add * vocab_size)))
    return sum(losses) / len(losses)


def by_searching(train, text, *, order, vocab_size, add=1.0):
    """What it means: for each letter of the text, look through all of the training text."""
    k, total, n = order - 1, 0.0, 0
    for i in range(k, len(text)):
        followed = [train[j] for j in range(k, len(train)) if train[j - k : j] == text[i - k : i]]
        p = (followed.count(text[i]) + add) / (len(followed) + add * vocab_size)
        total, n = total - math.log(p), n + 1
    return total / n


def ask(part, train, text, order, vocab_size, **options):
    """A question about these texts."""
    return Question(part, {"train": train, "text": text}, {"order": order, "vocab_size": vocab_size, **options})


def draw(rng):
    """Texts of a few letters that like to repeat themselves, so that counts differ whether overlaps are counted."""

    def text(n, letters):
        found = [rng.choice([*letters])]
        for _ in range(n - 1):
            found.append(found[-1] if rng.random() < 0.4 else rng.choice([*letters]))
        return "".join(found)

    for order in (1, 2, 3, 4):
        for letters in ("ab", "abcd", "aEe \n"):
            train, other = text(int(rng.integers(40, 80)), letters), text(int(rng.integers(9, 30)), letters + "z")
            part = "bigram" if order == 2 else "orders"
            yield ask(part, train, other, order, len(letters) + 1)
            yield ask("smoothing", train, other, order, len(letters) + 4, add=float(rng.choice([0.1, 0.5, 3.0])))


EXERCISE = Values(
    name="ngram_loss",
    notebook="01_letters",
    answer=ngram_loss,
    spec=by_searching,
    parts=(
        Part("bigram", 2, "equals the definition for bigrams"),
        Part("orders", 2, "... and for order 1, 3 and 4"),
        Part("smoothing", 1, "whatever is added to the counts, and after contexts that never occurred"),
    ),
    by_hand=(
        ask("bigram", "aab", "ab", 2, 2),
        ask("bigram", "abcab", "aba", 2, 3),
        ask("bigram", "aaab", "aaba", 2, 3),
        ask("bigram", "ab\nab", "ab\nab", 2, 3),
        ask("bigram", "aAab", "aAb", 2, 3),
        ask("orders", "aab", "ba", 1, 2),
        ask("orders", "aaaab", "aaab", 3, 2),
        ask("smoothing", "aab", "ba", 2, 4, add=0.5),
        ask("smoothing", "aab", "cc", 2, 4, add=2.0),
    ),
    draw=draw,
    mistakes=ngram_loss_wrong.MISTAKES,
    right=ngram_loss_right.ANSWERS,
    hints=(
        "Two tables are enough: how often each piece of `order` letters occurs in the training text, and how often "
        "each piece of order - 1 letters has something after it. A Counter gives 0 for what it has not seen.",
        "Slide a window of `order` letters over the training text, one letter at a time: range(len(train) - order + "
        "1). str.count() is no help, since it skips pieces that overlap. The last order - 1 letters of the text stand "
        "alone: nothing follows them, so they are no context.",
        "Slide the same window over the other text. For each piece, p = (n(piece) + add) / (n(piece without its last "
        "letter) + add * vocab_size). The answer is the mean of -ln p over the pieces.",
    ),
    lines=10,
    minutes=25,
    difficulty=2,
)
