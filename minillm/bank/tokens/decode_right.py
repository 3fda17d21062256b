"""Right answers to decode, each written in another way: none of them may be refused."""

import codecs


def unfolded(ids, merges):
    """Each id is unfolded until only bytes are left."""

    def spell(i):
        if 0 <= i < 256:
            return bytes([i])
        if not 256 <= i < 256 + len(merges):
            raise ValueError(i)
        left, right = merges[i - 256]
        return spell(left) + spell(right)

    out = bytearray()
    for i in ids:
        out += spell(i)
    return str(out, "utf-8", errors="replace")


def one_after_the_other(ids, merges):
    """A dict of tokens, and a decoder that remembers the bytes of a character that is not complete yet."""
    tokens = {byte: bytes([byte]) for byte in range(256)}
    for i, (left, right) in enumerate(merges, 256):
        tokens[i] = tokens[left] + tokens[right]
    reader, text = codecs.getincrementaldecoder("utf-8")("replace"), ""
    for i in ids:
        if i not in tokens:
            raise ValueError(f"there is no token {i}")
        text += reader.decode(tokens[i])
    return text + reader.decode(b"", final=True)


ANSWERS = (
    ("unfolded down to the bytes", unfolded),
    ("one token after the other", one_after_the_other),
)
