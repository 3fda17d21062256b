"""Tokenizers turn text into integers and back: characters, bytes, or byte-level BPE."""

import collections
import itertools
import json
import numbers
import operator
import pathlib

import numpy as np

from . import atomic, bpe

FORMAT, VERSION = "minillm tokenizer", 1


class Characters:
    """One token a character: id i is alphabet[i].

    ValueError if the alphabet is empty, repeats a character, or holds one that UTF-8 cannot write.
    """

    def __init__(self, alphabet):
        if not isinstance(alphabet, str) or not alphabet:
            raise ValueError(f"an alphabet is a str of at least one character, but this is {alphabet!r}.")
        utf8(alphabet)
        character, times = collections.Counter(alphabet).most_common(1)[0]
        if times > 1:
            raise ValueError(f"the alphabet has {character!r} {times} times; each character needs one id of its own.")
        self.alphabet = alphabet
        self.vocab_size = len(alphabet)
        self._codes = code_points(alphabet)
        self._ids = np.full(self._codes.max() + 2, -1, np.int32)  # code point -> id; -1 in the last place and the gaps
        self._ids[self._codes] = np.arange(self.vocab_size)

    @classmethod
    def from_text(cls, text):
        """The tokenizer whose alphabet is the sorted set of the characters of text."""
        return cls("".join(sorted(set(text))))

    def encode(self, text):
        """text -> ids (T,) int32.  ValueError for a character that is not in the alphabet."""
        codes = code_points(text)
        ids = self._ids[np.minimum(codes, len(self._ids) - 1)]
        if ids.size and ids.min() < 0:
            position = int(np.argmax(ids < 0))
            raise ValueError(
                f"the character {text[position]!r} (U+{ord(text[position]):04X}) at position {position} is not among "
                f"the {self.vocab_size} characters that this tokenizer knows; leave it out or replace it."
            )
        return ids

    def decode(self, ids):
        """ids (T,) -> text.  ValueError for an id outside the vocabulary."""
        return self._codes[known(ids, self.vocab_size)].tobytes().decode("utf-32-le")

    def token_bytes(self, i):
        """Token i as UTF-8."""
        return self.decode([i]).encode()

    def to_dict(self):
        """All that from_dict() needs, ready for JSON."""
        return {"format": FORMAT, "version": VERSION, "kind": "characters", "alphabet": self.alphabet}


class Bytes:
    """One token a byte of UTF-8: 256 tokens, and no text is foreign to it."""

    vocab_size = 256

    def encode(self, text):
        """text -> ids (T,) int32, T the number of bytes."""
        return np.frombuffer(utf8(text), np.uint8).astype(np.int32)

    def decode(self, ids):
        """ids (T,) -> text; bytes that are not UTF-8 become U+FFFD.  ValueError for an id outside 0 to 255."""
        return known(ids, 256).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def token_bytes(self, i):
        """Token i as bytes."""
        return known([i], 256).astype(np.uint8).tobytes()

    def to_dict(self):
        """All that from_dict() needs, ready for JSON."""
        return {"format": FORMAT, "version": VERSION, "kind": "bytes"}


class BPE:
    """Byte-level byte pair encoding, as in GPT-2: 256 bytes, then one token a merge, then the special tokens.

    merges:   pairs of ids in the order in which they were learned; merge i makes token 256 + i of two earlier ones.
    alphabet: the 256 bytes in the order of their ids, for a vocabulary with an order of its own.
    special:  strings that encode() never makes and decode() writes out; .special is a dict {string: id}.
    ValueError if a merge uses a token that does not exist yet, or makes one that exists already.
    Sources: arXiv:1508.07909; Radford et al. 2019, "Language models are unsupervised multitask learners", 2.2.
    """

    cached_words = 1_000_000  # encode() remembers the ids of about so many words, then starts afresh

    def __init__(self, merges, *, alphabet=bytes(range(256)), special=()):
        if sorted(alphabet) != list(range(256)):
            raise ValueError("the alphabet of a byte-level BPE holds each of the 256 bytes exactly once.")
        self.alphabet = bytes(alphabet)
        self.merges = [tuple(map(operator.index, pair)) for pair in merges]
        self._tokens = [bytes([byte]) for byte in self.alphabet]
        exists = set(self._tokens)
        for i, pair in enumerate(self.merges):
            if len(pair) != 2:
                raise ValueError(f"merge {i} is {pair}, but a merge is a pair of ids.")
            a, b = pair
            if not (0 <= a < 256 + i and 0 <= b < 256 + i):
                raise ValueError(f"merge {i} joins tokens {a} and {b}, but only 0 to {255 + i} exist by then.")
            token = self._tokens[a] + self._tokens[b]
            if token in exists:
                raise ValueError(f"merge {i} makes {token!r}, which is token {self._tokens.index(token)} already.")
            exists.add(token)
            self._tokens.append(token)
        if isinstance(special, str) or len(set(special)) < len(special):
            raise ValueError(f"special tokens are a list of different strings, but this is {special!r}.")
        self.special = {name: len(self._tokens) + i for i, name in enumerate(special)}
        self._tokens += [utf8(name) for name in special]
        self.vocab_size = len(self._tokens)
        self._made = {pair: 256 + i for i, pair in enumerate(self.merges)}
        self._id_of_byte = bytes(self.alphabet.index(byte) for byte in range(256))
        self._cache = {}  # word -> ids

    @classmethod
    def train(cls, text, vocab_size):
        """Learn vocab_size - 256 merges from text.

        Of the pairs of neighbours within a word, the commonest is merged, again and again; ties go to the
        lexicographically greatest pair of byte strings.  (Hugging Face breaks ties the other way.)
        ValueError if vocab_size is below 256, or if the text is too short to have that many pairs.
        """
        if not isinstance(vocab_size, numbers.Integral) or vocab_size < 256:
            raise ValueError(
                f"vocab_size is {vocab_size!r}, but it counts the 256 bytes too; ask for a whole number from 256."
            )
        utf8(text)
        words = collections.Counter(bpe.split(text))
        merges = bpe.learn({word.encode(): times for word, times in words.items()}, vocab_size - 256)
        if 256 + len(merges) < vocab_size:
            raise ValueError(
                f"the text is too short for a vocabulary of {vocab_size}: every word is a single token after "
                f"{len(merges)} merges; ask for at most {256 + len(merges)}, or give more text."
            )
        return cls(merges)

    @classmethod
    def from_merges(cls, lines, *, special=()):
        """Read the lines of a merges.txt as GPT-2's, with GPT-2's order of the bytes, so that ids are GPT-2's own.

        special: GPT-2 itself has one, ("<|endoftext|>",).
        ValueError for a line that is not two tokens, or that uses a token that no earlier line makes.
        """
        letters, alphabet = gpt2_alphabet()
        ids = {letter: i for i, letter in enumerate(letters)}
        merges = []
        for number, line in enumerate(lines, 1):
            parts = line.split()
            if not parts or (number == 1 and line.startswith("#version")):
                continue
            if len(parts) != 2:
                raise ValueError(f"line {number} of the merges is {line.strip()!r}, which is not two tokens.")
            unknown = [part for part in parts if part not in ids]
            if unknown:
                raise ValueError(f"line {number} of the merges uses {unknown[0]!r}, which no earlier line makes.")
            merges.append((ids[parts[0]], ids[parts[1]]))
            ids["".join(parts)] = 255 + len(merges)
        return cls(merges, alphabet=alphabet, special=special)

    def encode(self, text):
        """text -> ids (T,) int32.  Every text can be encoded; ValueError only for half a surrogate pair."""
        utf8(text)
        words = bpe.split(text)
        if len(self._cache) > self.cached_words:
            self._cache.clear()
        for word in set(words) - self._cache.keys():
            self._cache[word] = bpe.apply(word.encode().translate(self._id_of_byte), self._made)
        return np.fromiter(itertools.chain.from_iterable(map(self._cache.__getitem__, words)), np.int32)

    def decode(self, ids):
        """ids (T,) -> text; bytes that are not UTF-8 become U+FFFD.  ValueError for an id outside the vocabulary."""
        ids = known(ids, self.vocab_size).tolist()
        return b"".join([self._tokens[i] for i in ids]).decode("utf-8", "replace")

    def token_bytes(self, i):
        """Token i as bytes.  It may be a part of a character only."""
        return self._tokens[known([i], self.vocab_size)[0]]

    def to_dict(self):
        """All that from_dict() needs, ready for JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "kind": "bpe",
            "alphabet": list(self.alphabet),
            "merges": [list(pair) for pair in self.merges],
            "special": list(self.special),
        }


def gpt2_alphabet():
    """GPT-2's bytes in the order of their ids: as the letters that stand for them in its files, and as bytes.

    First the bytes that are printable as Latin-1, which stand for themselves; the others are U+0100, U+0101, ...
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    return letters, bytes(printable + others)


def code_points(text):
    """The code points of text, (T,) integers."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def utf8(text):
    """The bytes of text.  ValueError if it holds half a surrogate pair, which UTF-8 cannot write."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the character {text[error.start]!r} at position {error.start} is half of a surrogate pair, which is no "
            "text by itself; remove it, or read the file again with errors='replace'."
        ) from None


def known(ids, vocab_size):
    """ids as a (T,) array.  ValueError if they are not integers from 0 to vocab_size - 1."""
    ids = np.asarray(ids)
    if ids.size == 0:
        return ids.astype(np.int32).ravel()
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"ids are one row of integers, but these are {ids.dtype} of shape {ids.shape}.")
    wrong = np.flatnonzero((ids < 0) | (ids >= vocab_size))
    if wrong.size:
        raise ValueError(
            f"token id {ids[wrong[0]]} at position {wrong[0]} is outside the vocabulary of {vocab_size} "
            f"(0 to {vocab_size - 1})."
        )
    return ids


def from_dict(stored):
    """The tokenizer that to_dict() described.  ValueError if it is something else, or from a newer version."""
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise ValueError("this is not a description of a tokenizer of minillm.")
    if not isinstance(stored.get("version"), int) or stored["version"] > VERSION:
        raise ValueError(
            f"this tokenizer was stored as version {stored.get('version')!r}, but we read versions up to {VERSION}; "
            "update minillm."
        )
    try:
        match stored["kind"]:
            case "characters":
                return Characters(stored["alphabet"])
            case "bytes":
                return Bytes()
            case "bpe":
                return BPE(stored["merges"], alphabet=bytes([*stored["alphabet"]]), special=stored["special"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this description of a tokenizer is damaged ({error!r}).") from error
    raise ValueError(f"no tokenizer is called {stored['kind']!r}; we have characters, bytes and bpe.")


def save(tokenizer, path):
    """Write a tokenizer as JSON.  The file is complete or absent: see atomic.py."""
    with atomic.writing(path, "w") as f:
        json.dump(tokenizer.to_dict(), f)


def load(path):
    """Read what save() wrote.  OSError if it cannot be read, ValueError if it is damaged or something else."""
    stored = pathlib.Path(path).read_bytes()
    try:
        return from_dict(json.loads(stored))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a tokenizer: {error}") from error
