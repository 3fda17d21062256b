"""encode, a plain function: what it is asked, and what each part is worth."""

from ... import bpe
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import encode_right, encode_wrong
from .merge_pair import merge_pair
from .train_bpe import fast


def encode(text, merges):
    """text -> a list of token ids: within each word, every merge in the order in which it was learned."""
    ids = []
    for word in bpe.split(text):
        row = list(word.encode())
        for i, pair in enumerate(merges):
            row = merge_pair(row, pair, 256 + i)
        ids += row
    return ids


def one_by_one(text, merges):
    """The library's, which looks only for merges that are possible."""
    made = {tuple(pair): 256 + i for i, pair in enumerate(merges)}
    return [i for word in bpe.split(text) for i in bpe.apply(word.encode(), made)]


def draw(rng):
    """Merges learned from a text of made-up words, and a text of the same letters to be cut."""
    for letters in ("abcd ", "the or"):
        merges = fast("".join(rng.choice([*letters], 300)), 20)
        yield Question("ids", {"text": "".join(rng.choice([*letters], 25)), "merges": merges})
    for _ in range(3):
        merges = fast("".join(rng.choice([*"abcde"], 200)), 30)
        yield Question("order", {"text": "".join(rng.choice([*"abcde"], 30)), "merges": merges})
    words = rng.choice(["to", "be", "not", "or"], 12)
    yield Question(
        "words", {"text": " ".join(words), "merges": [(111, 32), (32, 98), (116, 32), (111, 114), (101, 32)]}
    )
    merges = fast("".join(rng.choice([*"道可非常名é"], 60)), 12)
    yield Question("bytes", {"text": "".join(rng.choice([*"道可非常名éa"], 15)), "merges": merges})


AB, BC = (97, 98), (98, 99)
EXERCISE = Values(
    name="encode",
    notebook="02_tokens",
    answer=encode,
    spec=one_by_one,
    parts=(
        Part("ids", 1, "equals the definition"),
        Part("order", 1, "the merge that was learned earliest comes first"),
        Part("words", 0.5, "no token crosses the edge of a word, and no space is lost"),
        Part("bytes", 0.5, "what is no English letter is cut into bytes"),
        Part("arguments", 0.5, "merges is left alone", needs=("ids",)),
    ),
    by_hand=(
        Question("ids", {"text": "ab", "merges": [AB]}),
        Question("ids", {"text": "abc", "merges": [AB, (256, 99)]}),
        Question("ids", {"text": "abab", "merges": [AB]}),
        Question("ids", {"text": "ba", "merges": [AB]}),
        Question("ids", {"text": "", "merges": [AB]}),
        Question("ids", {"text": "A", "merges": []}),
        Question("order", {"text": "abc", "merges": [BC, AB]}),
        Question("order", {"text": "abc", "merges": [AB, BC]}),
        Question("order", {"text": "abc", "merges": [AB, BC, (97, 257)]}),
        Question("order", {"text": "aaa", "merges": [(97, 97)]}),
        Question("words", {"text": "a b", "merges": [(97, 32), (32, 98)]}),
        Question("words", {"text": " a", "merges": [(32, 97)]}),
        Question("words", {"text": "no.", "merges": [(111, 46)]}),
        Question("words", {"text": "a\nb", "merges": [AB]}),
        Question("bytes", {"text": "é", "merges": []}),
        Question("bytes", {"text": "汉", "merges": [(230, 177)]}),
        Question("bytes", {"text": "Єa", "merges": [(32, 97)]}),
    ),
    draw=draw,
    mistakes=encode_wrong.MISTAKES,
    right=encode_right.ANSWERS,
    hints=(
        "Training has cut its own text already. To cut another text in the same way, do the same things in the same "
        "order: words, bytes, then merge after merge.",
        "For one word: row = its bytes as a list. Then go through merges from the first to the last, and let "
        "merge_pair replace the pair by its token. The pair at place i of merges makes token 256 + i.",
        "for i, pair in enumerate(merges): row = merge_pair(row, pair, 256 + i). Do this for each word of "
        "bpe.split(text), and join the rows into one list.",
    ),
    lines=7,
    minutes=15,
    difficulty=2,
)
