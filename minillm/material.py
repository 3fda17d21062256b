"""The material of a run: a tokenizer, and the token ids of both texts, on disk in the run's folder."""

import hashlib

from . import batches, corpus, machine, tokenizer

FILES = ("train.npy", "validation.npy")


class Material:
    """What a run learns from and is measured on.

    .tokenizer; .train and .validation, token ids (N,) that stay on disk until they are looked at; .about, a dict of
    what a checkpoint must remember of them, of which "validation_bytes" is the size of the validation text as UTF-8.
    """

    def __init__(self, tokenizer, folder, about):
        self.tokenizer, self.about = tokenizer, about
        self.train, self.validation = (batches.read_tokens(folder / file) for file in FILES)


def prepare(recipe, folder, say=print):
    """The Material for a new run: load the recipe's text, make its tokenizer, write the token ids into the folder.

    ValueError, before anything is written, if the text is too short for one window.
    Characters: the text's whole alphabet, validation included; merges are learned from the training part alone.
    """
    text = corpus.load(recipe.text)
    if recipe.tokenizer == "characters":
        made = tokenizer.Characters(text.alphabet)
    elif recipe.tokenizer == "bytes":
        made = tokenizer.Bytes()
    else:
        size = int(recipe.tokenizer.removeprefix("bpe:"))
        say(f"Learning a vocabulary of {size} tokens from {len(text.train):,} characters.")
        made = tokenizer.BPE.train(text.train, size)
    return write(text, made, folder, recipe.config(made.vocab_size).n_ctx)


def find(recipe, folder, tok, about):
    """The Material of a run that goes on: the token ids that it left in its folder, or the same ones made again.

    ValueError if the text has changed since.
    """
    if about["sha256"] == [sha256(folder / file) for file in FILES]:
        return Material(tok, folder, about)
    text = corpus.load(recipe.text)
    changed = ValueError(
        f"the text {recipe.text} is no longer the one that this run learned from ({about['name']}: {about['note']}). "
        "Start anew in another --folder."
    )
    try:
        made = write(text, tok, folder, recipe.config(tok.vocab_size).n_ctx)
    except ValueError as error:  # a character that the old text did not have
        raise changed from error
    if made.about["sha256"] != about["sha256"]:
        raise changed
    return made


def write(text, tok, folder, n_ctx):
    """The Material of a corpus.Text: its token ids are written into the folder, which is made if need be.

    ValueError, before anything is written, if one of both parts is too short for one window of n_ctx.
    """
    parts = [tok.encode(part) for part in (text.train, text.validation)]
    for kind, ids in zip(("training", "validation"), parts, strict=True):
        try:
            batches.windows(ids, n_ctx, limit=1)
        except ValueError as error:
            raise ValueError(f"the part for {kind} is too short: {error}") from None
    with machine.writing(folder, "Choose another --folder."):
        folder.mkdir(parents=True, exist_ok=True)
        for file, ids in zip(FILES, parts, strict=True):
            batches.write_tokens(ids, folder / file)
    about = {"name": text.name, "note": text.note, "validation_bytes": len(text.validation.encode())}
    return Material(tok, folder, about | {"sha256": [sha256(folder / file) for file in FILES]})


def sha256(path):
    """The SHA-256 of a file as hexadecimal digits; "" if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
