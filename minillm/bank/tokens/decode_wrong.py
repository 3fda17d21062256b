"""Wrong answers to decode that people really write; each has a step that is not the right one."""

import types

from ...grader.exercise import Mistake


def refuse(ids, tokens):
    """An unknown id is an error."""
    for i in ids:
        if not 0 <= i < len(tokens):
            raise ValueError(i)
    return ids


def replaced(data):
    """Bytes as a text, with U+FFFD where they are broken."""
    return data.decode("utf-8", "replace")


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    join=lambda left, right: left + right,
    first=256,
    check=refuse,
    text=lambda tokens: replaced(b"".join(tokens)),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def decode(ids, merges):
        tokens = [bytes([byte]) for byte in range(256)]
        for a, b in merges:
            tokens.append(do.join(tokens[a], tokens[b]))
        return do.text([tokens[i - do.first + 256] for i in do.check(ids, tokens)])

    return Mistake(name, says, decode)


def only_bytes(ids, merges):
    """An answer that looks up a merge once, as if it were always made of bytes."""
    known = refuse(ids, range(256 + len(merges)))
    return replaced(bytes([byte for i in known for byte in ([i] if i < 256 else merges[i - 256])]))


MISTAKES = (
    wrong(
        "crash on broken UTF-8",
        "bytes.decode raises an error where the bytes are not UTF-8. A model may write any bytes: put U+FFFD there.",
        text=lambda tokens: b"".join(tokens).decode(),
    ),
    wrong(
        "broken bytes left out",
        "Bytes that are not UTF-8 have disappeared without a trace. Put U+FFFD in their place, so that they are seen.",
        text=lambda tokens: b"".join(tokens).decode("utf-8", "ignore"),
    ),
    wrong(
        "broken bytes spelled out",
        "Bytes that are not UTF-8 are written as \\x.. here. Put U+FFFD in their place.",
        text=lambda tokens: b"".join(tokens).decode("utf-8", "backslashreplace"),
    ),
    wrong(
        "each token decoded alone",
        "Each token was made into a text by itself. A character may be spread over several tokens: join the bytes of "
        "all tokens first.",
        text=lambda tokens: "".join(map(replaced, tokens)),
    ),
    wrong(
        "one byte one character",
        "Each byte became a character of its own, as in Latin-1 or with chr(). In UTF-8 a character has up to four "
        "bytes.",
        text=lambda tokens: b"".join(tokens).decode("latin-1"),
    ),
    wrong(
        "spaces between tokens",
        "There are spaces between the tokens. The spaces of the text are inside the tokens already.",
        text=lambda tokens: replaced(b" ".join(tokens)),
    ),
    wrong(
        "space at the start lost",
        "A space at the beginning or the end is gone. It belongs to the text.",
        text=lambda tokens: replaced(b"".join(tokens)).strip(),
    ),
    wrong(
        "white space at the end lost",
        "A space or the end of a line is gone at the end, as after rstrip(). It belongs to the text.",
        text=lambda tokens: replaced(b"".join(tokens)).rstrip(),
    ),
    wrong(
        "bytes for text",
        "These are the bytes of the text. Make a str of them.",
        text=lambda tokens: b"".join(tokens),
    ),
    wrong(
        "left and right exchanged",
        "A merge was joined the wrong way round. The pair (a, b) means that a stands to the left of b.",
        join=lambda left, right: right + left,
    ),
    wrong(
        "one id too high",
        "The merges are counted from 257 here. The bytes are 0 to 255, so the first merge is token 256.",
        first=257,
    ),
    Mistake(
        "merges of merges not unfolded",
        "A merge was taken for two bytes. It may join tokens that are merges themselves: unfold those too.",
        only_bytes,
    ),
    wrong(
        "no check of the ids",
        "A list takes a negative index and counts from its end, and for an id that is too large it raises an "
        "IndexError. Check 0 <= i < len(tokens), and raise a ValueError.",
        check=lambda ids, tokens: ids,
    ),
    wrong(
        "negative ids let through",
        "An id that is too large is noticed, a negative one is not: a list counts it from its end. Check 0 <= i too.",
        check=lambda ids, tokens: refuse([abs(i) for i in ids], tokens) and ids,
    ),
    wrong(
        "one past the end let through",
        "The id len(tokens) was let through, but the last token is one before it: check 0 <= i < len(tokens).",
        check=lambda ids, tokens: refuse([i - (i == len(tokens)) for i in ids], tokens) and ids,
    ),
    wrong(
        "unknown ids left out",
        "An id that stands for no token is passed over. It is a mistake somewhere else: raise a ValueError.",
        check=lambda ids, tokens: [i for i in ids if 0 <= i < len(tokens)],
    ),
)
