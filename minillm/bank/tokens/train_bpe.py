"""train_bpe, a plain function: what it is asked, and what each part is worth."""

import collections
import itertools

from ... import bpe
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import train_bpe_right, train_bpe_wrong
from .merge_pair import merge_pair


def train_bpe(text, n_merges):
    """Learn n_merges merges from text: the commonest pair of neighbours within a word, again and again.

    Returns a list of pairs of ids.  Ids 0 to 255 are the bytes; the pair at place i becomes token 256 + i.  Of several
    commonest pairs, the one whose two byte strings are greatest.  The list is shorter if no pair is left.
    """
    words = [list(word.encode()) for word in bpe.split(text)]
    tokens = [bytes([byte]) for byte in range(256)]
    merges = []
    while len(merges) < n_merges:
        counts = collections.Counter(pair for word in words for pair in itertools.pairwise(word))
        if not counts:
            break
        a, b = max(counts, key=lambda pair: (counts[pair], tokens[pair[0]], tokens[pair[1]]))
        words = [merge_pair(word, (a, b), len(tokens)) for word in words]
        tokens.append(tokens[a] + tokens[b])
        merges.append((a, b))
    return merges


def fast(text, n_merges):
    """The library's, which keeps its counts up to date."""
    words = collections.Counter(bpe.split(text))
    return bpe.learn({word.encode(): times for word, times in words.items()}, n_merges)


def clear_cases(text, most):
    """How many merges of text, up to `most`, are never a choice between pairs that are equally common."""
    merges = fast(text, most)
    words = [list(word.encode()) for word in bpe.split(text)]
    for i, pair in enumerate(merges):
        counts = collections.Counter(pair for word in words for pair in itertools.pairwise(word)).most_common(2)
        if len(counts) > 1 and counts[0][1] == counts[1][1]:
            return i
        words = [merge_pair(word, pair, 256 + i) for word in words]
    return len(merges)


def draw(rng):
    """Texts of made-up words, some common and some rare; with ties, with letters doubled, in other scripts."""
    for letters in ("abcdefghij", "lmnoprstuvw"):
        text, n = "", 0
        while n < 3:  # a few merges that leave no choice
            words = ["".join(rng.permutation([*letters])[: rng.integers(2, 5)]) for _ in range(5)]
            text = " ".join(rng.choice(words, 40, p=[0.4, 0.3, 0.15, 0.1, 0.05]))
            n = clear_cases(text, 8)
        yield Question("merges", {"text": text, "n_merges": n})
    for letters in ("abc", "xyz "):
        yield Question("ties", {"text": "".join(rng.choice([*letters], 30)), "n_merges": 12})
        yield Question("repeats", {"text": "".join(rng.choice([*"aab"], 20)), "n_merges": 6})
    for _ in range(2):
        words = rng.choice(["it", "is", "to", "so", "do."], 20)
        yield Question("words", {"text": " ".join(words), "n_merges": 8})
        yield Question("bytes", {"text": "".join(rng.choice([*"道可非常名é"], 24)), "n_merges": 9})
    yield Question("end", {"text": "".join(rng.choice([*"pqr"], 5)), "n_merges": 50})


EXERCISE = Values(
    name="train_bpe",
    notebook="02_tokens",
    answer=train_bpe,
    spec=fast,
    parts=(
        Part("merges", 2, "the commonest pair first, then with counts made anew"),
        Part("ties", 0.5, "of equally common pairs, the greatest pair of byte strings"),
        Part("repeats", 0.5, "in aaa the pair is counted twice and merged once"),
        Part("words", 0.5, "no merge crosses the edge of a word"),
        Part("bytes", 0.5, "the same for bytes that are no letters"),
        Part("end", 1, "it stops where no pair is left"),
    ),
    by_hand=(
        Question("merges", {"text": "hug hug hugs pug", "n_merges": 1}),
        Question("merges", {"text": "hug hug hugs pug", "n_merges": 3}),
        Question("merges", {"text": "AB AB ab", "n_merges": 1}),
        Question("ties", {"text": "ab cd", "n_merges": 2}),
        Question("ties", {"text": "abx zy", "n_merges": 4}),
        Question("ties", {"text": "ab abx zy", "n_merges": 2}),
        Question("ties", {"text": "ab abx", "n_merges": 3}),
        Question("repeats", {"text": "aaa", "n_merges": 1}),
        Question("repeats", {"text": "aaaaa bc bc", "n_merges": 1}),
        Question("repeats", {"text": "aaab", "n_merges": 2}),
        Question("words", {"text": "a b a b", "n_merges": 2}),
        Question("words", {"text": "no. no. no.", "n_merges": 2}),
        Question("words", {"text": " a", "n_merges": 1}),
        Question("words", {"text": "a\n\n\nb", "n_merges": 1}),
        Question("bytes", {"text": "éé", "n_merges": 1}),
        Question("bytes", {"text": "汉字汉", "n_merges": 3}),
        Question("bytes", {"text": " a a Єa", "n_merges": 2}),
        Question("end", {"text": "ab", "n_merges": 5}),
        Question("end", {"text": "a", "n_merges": 5}),
        Question("end", {"text": "abab", "n_merges": 0}),
        Question("end", {"text": "", "n_merges": 3}),
    ),
    draw=draw,
    mistakes=train_bpe_wrong.MISTAKES,
    right=train_bpe_right.ANSWERS,
    hints=(
        "Keep the text as a list of words, and each word as a list of ids; at first the ids are its bytes. One turn of "
        "the loop counts the pairs in all words, chooses one, merges it in all words, and notes it down.",
        "collections.Counter counts, and itertools.pairwise(word) gives the neighbours of a word. To settle ties you "
        "need the bytes of each token: keep a list of them beside the ids, and let it grow by one with each merge.",
        "max(counts, key=lambda pair: (counts[pair], tokens[pair[0]], tokens[pair[1]])) looks at the count first, then "
        "at the bytes. An empty Counter has no maximum: stop the loop before.",
    ),
    lines=12,
    minutes=25,
    difficulty=3,
)
