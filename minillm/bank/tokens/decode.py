"""decode, a plain function: what it is asked, and what each part is worth."""

from ... import tokenizer
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import decode_right, decode_wrong
from .train_bpe import fast


def decode(ids, merges):
    """A list of token ids -> the text; bytes that are not UTF-8 become U+FFFD.  ValueError for an unknown id."""
    tokens = [bytes([byte]) for byte in range(256)]
    for a, b in merges:
        tokens.append(tokens[a] + tokens[b])
    for i in ids:
        if not 0 <= i < len(tokens):
            raise ValueError(f"token id {i} is outside the vocabulary of {len(tokens)}.")
    return b"".join(tokens[i] for i in ids).decode("utf-8", "replace")


def by_the_library(ids, merges):
    """tokenizer.BPE, which keeps its tokens."""
    return tokenizer.BPE(merges).decode(ids)


def draw(rng):
    """Ids at random, so that most of the bytes beyond ASCII are broken; and texts cut at random places."""
    for letters in ("abcd ", "道可非常名"):
        merges = fast("".join(rng.choice([*letters], 80)), 12)
        known = [*letters.encode(), *range(256, 256 + len(merges))]
        yield Question(
            "text" if letters.isascii() else "broken", {"ids": rng.choice(known, 12).tolist(), "merges": merges}
        )
    text = "".join(rng.choice([*"ab é道可"], 12)).encode()
    yield Question("characters", {"ids": [*text], "merges": []})
    yield Question("broken", {"ids": [*text[: rng.integers(5, len(text))], 0xE9], "merges": []})
    yield Question("broken", {"ids": rng.integers(60, 256, 12).tolist(), "merges": [(97, 98), (195, 169)]})
    n = int(rng.integers(256, 400))
    yield Question("unknown", {"ids": [97, n], "merges": []}, raises=ValueError)


EXERCISE = Values(
    name="decode",
    notebook="02_tokens",
    answer=decode,
    spec=by_the_library,
    parts=(
        Part("text", 1, "equals the definition"),
        Part("characters", 0.5, "a character that was cut in pieces comes back whole"),
        Part("broken", 1, "what is not UTF-8 becomes U+FFFD, and nothing crashes"),
        Part("unknown", 0.5, "raises a ValueError"),
    ),
    by_hand=(
        Question("text", {"ids": [97, 98], "merges": []}),
        Question("text", {"ids": [256, 99], "merges": [(97, 98)]}),
        Question("text", {"ids": [257], "merges": [(97, 98), (256, 99)]}),
        Question("text", {"ids": [256, 256], "merges": [(32, 97)]}),
        Question("text", {"ids": [], "merges": []}),
        Question("text", {"ids": [97, 10], "merges": []}),
        Question("text", {"ids": [0, 97], "merges": []}),
        Question("characters", {"ids": [195, 169], "merges": []}),
        Question("characters", {"ids": [256, 137], "merges": [(230, 177)]}),
        Question("broken", {"ids": [97, 169, 98], "merges": []}),
        Question("broken", {"ids": [256, 97], "merges": [(230, 177)]}),
        Question("unknown", {"ids": [97, 257], "merges": [(97, 98)]}, raises=ValueError),
        Question("unknown", {"ids": [97, -1], "merges": [(97, 98)]}, raises=ValueError),
    ),
    draw=draw,
    mistakes=decode_wrong.MISTAKES,
    right=decode_right.ANSWERS,
    hints=(
        "First make a list of the bytes of every token: 256 single bytes, and then one more for each merge. A merge "
        "joins two tokens that are in the list already.",
        "Join the bytes of all tokens, and only then make a text of them: a character may be spread over several "
        'tokens. bytes.decode has an argument `errors`, and "replace" is the one that puts U+FFFD where the bytes '
        "are broken.",
        'tokens.append(tokens[a] + tokens[b]) for each merge; b"".join(...).decode("utf-8", "replace") at the end. A '
        "negative index counts from the end of a list, without complaint: check 0 <= i < len(tokens) yourself.",
    ),
    lines=8,
    minutes=15,
    difficulty=2,
)
