"""Byte pair encoding: learning a vocabulary and encoding with it, ours, in Rust and in plain Python."""

import collections
import itertools
import json

import plain_bpe
from cases import Row
from measure import in_turns

from minillm import bpe, corpus, tokenizer

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
PLAIN, HUGGING, TIKTOKEN = "plain Python", "tokenizers (Rust)", "tiktoken (Rust)"
RUST, PYTHON = ">= 0.05", ">= 10"


def measure(*, quick=False, say=print):
    """The rows, on one thread.  ValueError, before anything is timed, if two sides differ in what they learn or say."""
    text = corpus.load("shakespeare")
    size = min(2**16 if quick else 2**20, len(text.train) // 2)
    seen, unseen = text.train[:size], text.train[size : 2 * size]
    rows = [*training(seen, 300 if quick else 1024, say), *encoding(seen, unseen, 300 if quick else 1024, say)]
    for row in rows:
        row.note = row.note or f"from {text.name}"
    return rows


def training(text, vocab_size, say):
    """A vocabulary from the whole text, and one of 64 merges from a quarter of it, which plain Python can do."""
    ours, theirs = tokenizer.BPE.train(text, vocab_size), hugging_face_train(text, vocab_size)
    check_vocabulary(ours, theirs, text)
    sides = {
        "ours": lambda: tokenizer.BPE.train(text, vocab_size),
        HUGGING: lambda: hugging_face_train(text, vocab_size),
    }
    timing = in_turns(sides, seconds=0.0, warm_up=0)
    rows = [row_of(f"training: {kilobytes(text)}, vocabulary {vocab_size:,}", timing, HUGGING, RUST, say)]
    part = text[: len(text) // 4]
    sides = {
        "ours": lambda: tokenizer.BPE.train(part, 320).merges,
        PLAIN: lambda: plain_bpe.train([word.encode() for word in bpe.split(part)], 64),
    }
    if sides["ours"]() != sides[PLAIN]():
        raise ValueError("nothing is timed: plain Python learns other merges than ours.")
    timing = in_turns(sides, seconds=0.0, warm_up=0, repetitions=3)
    return [*rows, row_of(f"training: {kilobytes(part)}, vocabulary 320", timing, PLAIN, PYTHON, say)]


def encoding(seen, unseen, vocab_size, say):
    """A text that no side has seen a word of: each forgets what it remembers before every repetition."""
    import tiktoken

    tok = tokenizer.BPE.train(seen, vocab_size)
    saved = hugging_face_of(tok).to_str()
    ranks = {tok.token_bytes(i): i for i in range(tok.vocab_size)}
    tik = tiktoken.Encoding("ours", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
    fresh = {}

    def forget():
        fresh["ours"], fresh["theirs"] = tokenizer.BPE(tok.merges), hugging_face_from(saved)

    sides = {
        "ours": lambda: fresh["ours"].encode(unseen),
        HUGGING: lambda: fresh["theirs"].encode(unseen).ids,
        TIKTOKEN: lambda: tik.encode_ordinary(unseen),
        PLAIN: lambda: plain_bpe.encode([word.encode() for word in bpe.split(unseen)], tok.merges),
    }
    forget()
    right = sides["ours"]().tolist()
    for name in (HUGGING, TIKTOKEN, PLAIN):
        if sides[name]() != right:
            raise ValueError(f"nothing is timed: {name} encodes otherwise than ours.")
    timing = in_turns(sides, before={"ours": forget, HUGGING: forget}, warm_up=0)
    case = f"encoding: {kilobytes(unseen)} cold, vocabulary {vocab_size:,}"
    peers = {HUGGING: RUST, TIKTOKEN: RUST, PLAIN: PYTHON}
    return [row_of(case, timing, peer, target, say) for peer, target in peers.items()]


def row_of(case, timing, peer, target, say):
    """What a Timing of ours against one peer says."""
    mine, theirs = timing.seconds["ours"], timing.seconds[peer]
    say(f"  {case}: ours {1e3 * mine:.0f} ms, {peer} {1e3 * theirs:.0f} ms")
    return Row("bpe", case, 1, "ours", peer, "ms", 1e3 * mine, 1e3 * theirs, theirs / mine, target)


def kilobytes(text):
    return f"{round(len(text.encode()) / 1024):,} KiB"


def hugging_face_train(text, vocab_size):
    """Their tokenizer, trained on the text as ours is."""
    import tokenizers as hf

    tok = hf.Tokenizer(hf.models.BPE())
    tok.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = hf.pre_tokenizers.ByteLevel.alphabet()
    trainer = hf.trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tok.train_from_iterator([text], trainer)
    return tok


def spelling():
    """{byte: the letter that stands for it in their files}"""
    letters, alphabet = tokenizer.gpt2_alphabet()
    return dict(zip(alphabet, letters, strict=True))


def check_vocabulary(ours, theirs, text):
    """ValueError unless their merges are ours up to the first tie, which the two break differently."""
    letter = spelling()
    spell = lambda token: "".join(letter[byte] for byte in token)
    mine = [tuple(spell(ours.token_bytes(i)) for i in pair) for pair in ours.merges]
    learned = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    n = next((i for i, (a, b) in enumerate(zip(mine, learned, strict=False)) if a != b), None)
    if len(learned) == len(mine) and n is None:
        return
    if len(learned) == len(mine):
        made, counts = {pair: 256 + i for i, pair in enumerate(ours.merges[:n])}, collections.Counter()
        for word, times in collections.Counter(bpe.split(text)).items():
            tokens = [spell(ours.token_bytes(i)) for i in bpe.apply(word.encode(), made)]
            for pair in itertools.pairwise(tokens):
                counts[pair] += times
        if counts[mine[n]] == counts[learned[n]] == max(counts.values()):
            return
    raise ValueError(
        f"nothing is timed: {HUGGING} learns other merges than ours, from merge {n} on, and no tie is why."
    )


def hugging_face_of(tok):
    """Their tokenizer with our vocabulary."""
    import tokenizers as hf

    letter = spelling()
    spelled = ["".join(letter[byte] for byte in tok.token_bytes(i)) for i in range(tok.vocab_size)]
    merges = [(spelled[a], spelled[b]) for a, b in tok.merges]
    theirs = hf.Tokenizer(hf.models.BPE({token: i for i, token in enumerate(spelled)}, merges))
    theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return theirs


def hugging_face_from(saved):
    import tokenizers as hf

    return hf.Tokenizer.from_str(saved)
