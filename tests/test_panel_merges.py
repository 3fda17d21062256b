"""panels/merges.py: a text is cut as the tokenizer cuts it, and the panel shows it."""

import itertools

import pytest

from minillm import corpus, tokenizer
from minillm.describe import describe
from minillm.panels import merges


@pytest.fixture(autouse=True)
def plain_english(monkeypatch):
    """English that is on every machine, so that nothing is fetched."""
    monkeypatch.setattr(merges, "MOST", 60)
    text = "to be or not to be, that is the question: whether the mind is nobler, to suffer the slings\n" * 4
    load = corpus.load
    monkeypatch.setattr(
        corpus, "load", lambda name: corpus.Text(name, text, "", "") if name == "shakespeare" else load(name)
    )
    merges.learned.cache_clear()
    merges.first.cache_clear()
    yield
    merges.learned.cache_clear()
    merges.first.cache_clear()


@pytest.mark.parametrize("text, language", [*itertools.product(merges.TEXTS, repeat=2)])
def test_the_tokens_together_are_the_text_and_never_grow_in_number(text, language):
    before = len(merges.TEXTS[text].encode())
    for n in (0, 1, 5, 20, 60):
        tokens = merges.cut(merges.TEXTS[text], language, n)
        assert b"".join(data for _, data in tokens).decode() == merges.TEXTS[text]
        assert len(tokens) <= before and all(i < 256 + n for i, _ in tokens)
        before = len(tokens)


def test_without_merges_every_byte_is_a_token():
    for text in merges.TEXTS.values():
        assert [i for i, _ in merges.cut(text, "English", 0)] == [*text.encode()]


def test_the_chinese_merges_have_not_seen_the_text_that_is_shown_and_end_when_no_pair_is_left(monkeypatch):
    whole = corpus.load("daodejing")
    first, rest = (whole.train + whole.validation).split("\n\n", 1)
    assert merges.TEXTS["Chinese"] in first and merges.TEXTS["Chinese"] not in rest
    monkeypatch.setattr(merges, "MOST", 10_000)
    tok = merges.learned("Chinese")
    assert tok.merges == tokenizer.BPE.train(rest, tok.vocab_size).merges
    with pytest.raises(ValueError, match="too short"):
        tokenizer.BPE.train(rest, tok.vocab_size + 1)


def test_what_is_no_character_is_written_as_bytes():
    assert merges.readable(b" the\n") == "␣the↵"
    assert merges.readable("道".encode()) == "道" and merges.readable(b"\xe9\x81") == "<E9><81>"
    assert merges.readable("é".encode() + b"\xe9") == "é<E9>"


def test_the_picture_and_the_text_follow_every_control():
    frames = {}
    for text, language, n in itertools.product(merges.TEXTS, merges.TEXTS, (0, 1, 2, 40, 60)):
        figure, said = merges.draw(text, language, n)
        frames[text, language, n] = describe(figure), said
        assert said.endswith("|".join(merges.readable(data) for _, data in merges.cut(merges.TEXTS[text], language, n)))
    for one, other in itertools.combinations(frames, 2):
        assert frames[one][0] != frames[other][0]
        if one[2] and other[2]:
            assert frames[one][1] != frames[other][1]


def test_the_last_merge_is_named_and_shown():
    figure, said = merges.draw("English", "English", 1)
    tok = merges.learned("English")
    joined = merges.readable(tok.token_bytes(256))
    assert said.startswith("Merge 1 joined ") and f" to {joined}, token 256." in said
    made = sum(i == 256 for i, _ in merges.cut(merges.TEXTS["English"], "English", 1))
    assert made > 0 and f"{made} of them made by the last merge" in describe(figure)
    figure, said = merges.draw("English", "English", 0)
    assert said.startswith("No merge yet") and "0 merges learned from English: 84 tokens for 84 bytes" in describe(
        figure
    )


def test_all_merges_made_is_said(monkeypatch):
    monkeypatch.setattr(merges, "MOST", 2000)
    _, said = merges.draw("Chinese", "Chinese", 2000)
    assert said.startswith(f"Chinese has {len(merges.learned('Chinese').merges)} merges here, and all are made; merge ")
