"""Characters, bytes, and what they are stored as."""

import copy
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillm import tokenizer
from minillm.tokenizer import BPE, Bytes, Characters

TRAINED = BPE.train("the cat sat on the mat with the other cat, 汉字汉字 🙂🙂", 280)
ALL = [Characters("abc é汉🙂\ufeff\0"), Bytes(), TRAINED, BPE(TRAINED.merges, special=["<|end|>"])]


@settings(deadline=None)
@given(st.text())
def test_a_round_trip_through_bytes_returns_any_text(text):
    ids = Bytes().encode(text)
    assert ids.dtype == np.int32 and ids.ndim == 1
    assert ids.tolist() == list(text.encode())
    assert Bytes().decode(ids) == text


@settings(deadline=None)
@given(st.text(min_size=1))
def test_a_round_trip_through_characters_returns_any_text_of_the_alphabet(text):
    tok = Characters.from_text(text)
    ids = tok.encode(text)
    assert ids.dtype == np.int32 and ids.ndim == 1
    assert ids.tolist() == [sorted(set(text)).index(c) for c in text]
    assert tok.decode(ids) == text


def test_no_text_makes_no_tokens_and_the_way_back():
    for tok in ALL:
        ids = tok.encode("")
        assert ids.shape == (0,) and ids.dtype == np.int32
        assert tok.decode(ids) == tok.decode([]) == ""


def test_a_character_it_has_never_seen_is_named_with_its_place():
    tok = Characters("abc")
    with pytest.raises(
        ValueError,
        match=r"^the character 'é' \(U\+00E9\) at position 3 is not among the 3 characters .* leave it out or replace",
    ):
        tok.encode("abcéd")
    with pytest.raises(ValueError, match=r"'🙂' \(U\+1F642\) at position 0"):  # beyond the end of the lookup table
        tok.encode("🙂")
    with pytest.raises(ValueError, match=r"'`' \(U\+0060\) at position 1"):  # just below it
        tok.encode("a`")
    with pytest.raises(ValueError, match=r"'d' \(U\+0064\) at position 0"):  # just above
        tok.encode("d")
    with pytest.raises(ValueError, match=r"'\\ud800' \(U\+D800\) at position 2"):
        tok.encode("ab\ud800")


def test_an_alphabet_that_cannot_be_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="at least one character, but this is ''"):
        Characters("")
    with pytest.raises(ValueError, match="at least one character, but this is 65"):
        Characters(65)
    with pytest.raises(ValueError, match="the alphabet has 'b' 3 times; each character needs one id of its own"):
        Characters("abcbb")
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        Characters("a\udc00")


@pytest.mark.parametrize("tok", ALL[1:])
def test_half_a_surrogate_pair_is_refused_with_its_place(tok):
    with pytest.raises(ValueError, match=r"'\\ud83d' at position 2 is half of a surrogate pair"):
        tok.encode("ab\ud83dc")


def test_training_refuses_half_a_surrogate_pair():
    with pytest.raises(ValueError, match=r"'\\ud83d' at position 2 is half of a surrogate pair"):
        BPE.train("ab\ud83dc", 256)


@pytest.mark.parametrize("tok", ALL)
def test_ids_outside_the_vocabulary_are_named_with_their_place(tok):
    V = tok.vocab_size
    for wrong in (V, -1, 2**40):
        with pytest.raises(ValueError, match=rf"token id {wrong} at position 2 is outside the vocabulary of {V} "):
            tok.decode([0, 1, wrong, V])
        with pytest.raises(ValueError, match=rf"token id {wrong} at position 0 is outside the vocabulary of {V} "):
            tok.token_bytes(wrong)
    for ids in ([[1, 2]], 3, [0.5], ["a"], [10**30]):
        with pytest.raises(ValueError, match="ids are one row of integers, but these are"):
            tok.decode(ids)


@settings(deadline=None)
@given(st.data())
def test_any_ids_of_the_vocabulary_can_be_decoded(data):
    tok = data.draw(st.sampled_from(ALL))
    ids = data.draw(st.lists(st.integers(0, tok.vocab_size - 1)))
    text = tok.decode(np.array(ids, np.int64))
    assert text == b"".join(tok.token_bytes(i) for i in ids).decode("utf-8", "replace")


def test_broken_utf8_becomes_the_replacement_character():
    assert Bytes().decode([0xE6, 0xB1, 0x61, 0xFF]) == "\ufffda\ufffd"
    assert BPE([]).decode([0xE6, 0xB1, 0x61, 0xFF]) == "\ufffda\ufffd"


def test_the_bytes_of_a_token():
    assert Characters("a汉").token_bytes(1) == "汉".encode()
    assert Bytes().token_bytes(200) == b"\xc8"
    assert BPE([(0xE6, 0xB1)]).token_bytes(256) == b"\xe6\xb1"
    assert BPE([], special=["<é>"]).token_bytes(256) == "<é>".encode()


# stored


@pytest.mark.parametrize("tok", ALL)
def test_a_stored_tokenizer_comes_back_the_same(tok, tmp_path):
    tokenizer.save(tok, tmp_path / "tok.json")
    again = tokenizer.load(tmp_path / "tok.json")
    assert type(again) is type(tok) and again.to_dict() == tok.to_dict() and again.vocab_size == tok.vocab_size
    text = "cab bac cab" if isinstance(tok, Characters) else "the cat, 汉"
    assert np.array_equal(again.encode(text), tok.encode(text))
    assert [again.token_bytes(i) for i in range(tok.vocab_size)] == [tok.token_bytes(i) for i in range(tok.vocab_size)]
    assert [p.name for p in tmp_path.iterdir()] == ["tok.json"]


def test_an_order_of_bytes_of_its_own_is_stored():
    tok = BPE.from_merges(["#version: 0.2", "Ġ t", "Ġt h"])
    again = tokenizer.from_dict(json.loads(json.dumps(tok.to_dict())))
    assert again.encode(" the!").tolist() == tok.encode(" the!").tolist() == [257, 68, 0]
    assert again.decode([257, 68, 0]) == " the!"


@pytest.mark.parametrize("tok", ALL)
def test_a_tokenizer_can_be_sent_to_another_process(tok):
    assert pickle.loads(pickle.dumps(tok)).to_dict() == copy.deepcopy(tok).to_dict() == tok.to_dict()


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path):
    class Broken:
        def to_dict(self):
            return {"format": object()}

    tokenizer.save(Bytes(), tmp_path / "tok.json")
    with pytest.raises(TypeError):
        tokenizer.save(Broken(), tmp_path / "tok.json")
    assert isinstance(tokenizer.load(tmp_path / "tok.json"), Bytes)
    assert [p.name for p in tmp_path.iterdir()] == ["tok.json"]


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    tokenizer.save(Bytes(), tmp_path / "tok.json")
    for step in ("fsync", "replace"):  # nothing may touch the old file before the new one is safely on disk
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
            patch.setattr(os, step, full)
            tokenizer.save(TRAINED, tmp_path / "tok.json")
        assert isinstance(tokenizer.load(tmp_path / "tok.json"), Bytes)
        assert [p.name for p in tmp_path.iterdir()] == ["tok.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[1, 2]",
        b"[" * 100_000,
        b'{"format": "something else"}',
    ],
)
def test_a_file_that_is_no_tokenizer_gets_a_sentence(tmp_path, content):
    (tmp_path / "tok.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"tok\.json cannot be read as a tokenizer: "):
        tokenizer.load(tmp_path / "tok.json")


def test_a_file_cut_anywhere_gets_a_sentence(tmp_path):
    tokenizer.save(TRAINED, tmp_path / "tok.json")
    whole = (tmp_path / "tok.json").read_bytes()
    for n in range(0, len(whole), 37):
        (tmp_path / "cut.json").write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"cut\.json cannot be read as a tokenizer: "):
            tokenizer.load(tmp_path / "cut.json")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 2}, "stored as version 2, but we read versions up to 1; update minillm"),
        ({"version": "1"}, "stored as version '1'"),
        ({"kind": "wordpiece"}, "no tokenizer is called 'wordpiece'; we have characters, bytes and bpe"),
        ({"merges": None}, "damaged"),
        ({"merges": [[97, 98.5]]}, "damaged"),
        ({"merges": [[97, "98"]]}, "damaged"),
        ({"merges": [[97]]}, "merge 0 is .97,., but a merge is a pair of ids"),
        ({"merges": [[97, 300]]}, "merge 0 joins tokens 97 and 300, but only 0 to 255 exist by then"),
        ({"alphabet": 10**15}, "damaged"),
        ({"alphabet": [1, 2]}, "each of the 256 bytes exactly once"),
        ({"alphabet": [300] * 256}, "256"),
        ({"special": "<|end|>"}, "special tokens are a list of different strings"),
        ({"special": [1]}, "damaged"),
    ],
)
def test_a_damaged_description_gets_a_sentence(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        tokenizer.from_dict(TRAINED.to_dict() | change)


@pytest.mark.parametrize("key", ["format", "version", "kind", "alphabet", "merges", "special"])
def test_a_description_with_a_part_missing_gets_a_sentence(key):
    stored = TRAINED.to_dict()
    del stored[key]
    with pytest.raises(ValueError, match="damaged|not a description|stored as version None"):
        tokenizer.from_dict(stored)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="tok"):
        tokenizer.load(tmp_path / "tok.json")
