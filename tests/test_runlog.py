"""The log: what is written is what is read."""

import numpy as np
import pytest

from minillm import recipe, runlog


@pytest.fixture
def log(tmp_path):
    log = runlog.LogFile(tmp_path / "log.txt")
    log.start(recipe.load("pydocs").to_dict())
    log.row(step=10, tokens=5120, loss=4.25, norm=1.5, rate=3e-4, seconds=0.25)
    log.note("a sentence\nin two lines")
    log.row(step=123456, tokens=1234567890, loss=2.5, validation=2.75, norm=12345.0, rate=1.25e-7, seconds=98765.5)
    return log


def test_what_is_written_is_what_is_read(log):
    back = runlog.read(log.path)
    assert back["step"].tolist() == [10, 123456]
    assert back["tokens"].tolist() == [5120, 1234567890]
    assert back["loss"].tolist() == [4.25, 2.5]
    np.testing.assert_allclose(back["norm"], [1.5, 12345.0], rtol=1e-3)  # four digits
    assert back["rate"].tolist() == [3e-4, 1.25e-7]
    assert back["seconds"].tolist() == [0.25, 98765.5]
    assert back.notes == ["a sentence", "in two lines"]
    assert recipe.make(back.recipe) == recipe.load("pydocs")


def test_what_was_not_measured_is_nan(log):
    back = runlog.read(log.path)
    assert np.isnan(back["validation"][0])
    steps, losses = back.validations()
    assert (steps.tolist(), losses.tolist()) == ([123456], [2.75])


def test_a_person_can_read_it(log):
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert lines[2].split() == list(runlog.COLUMNS)
    table = [line for line in lines if not line.startswith("#")]
    assert {len(line) for line in table} == {len(table[0])}  # the columns stand under their names
    assert lines[3].split() == ["10", "5120", "4.2500", "-", "1.5", "0.0003", "0.25"]


def test_neighbouring_columns_never_touch(tmp_path):
    log = runlog.LogFile(tmp_path / "log.txt")
    log.start({})
    huge = {"step": 10**9, "tokens": 10**15, "loss": 12345678.9, "validation": 1e9}
    huge |= {"norm": 1.234e-100, "rate": 1.234e-100, "seconds": 1e12}
    log.row(**huge)
    assert [float(runlog.read(log.path)[name][0]) for name in huge] == pytest.approx(list(huge.values()), rel=1e-3)


def test_a_log_is_cut_back_to_a_length(log):
    length, before = log.length(), log.path.read_bytes()
    log.row(step=3, tokens=3, loss=1.0)
    log.note("later")
    log.cut(length)
    assert log.path.read_bytes() == before
    log.cut(length + 1000)
    assert log.path.read_bytes() == before


def test_a_line_that_is_not_complete_yet_is_left_out(log):
    with open(log.path, "a", encoding="utf-8") as f:
        f.write("    20     10240   3.1")
    assert runlog.read(log.path)["step"].tolist() == [10, 123456]


def test_a_sample_may_begin_with_the_word_recipe(log):
    log.note("A sample:\nrecipe for disaster")
    back = runlog.read(log.path)
    assert back.notes[-2:] == ["A sample:", "recipe for disaster"]
    assert recipe.make(back.recipe) == recipe.load("pydocs")


def test_a_damaged_log_is_put_aside_and_none_is_overwritten(log):
    before = log.path.read_bytes()
    assert log.put_aside().name == "log.damaged.txt" and log.put_aside() is None
    log.start({})
    assert log.put_aside().name == "log.damaged-2.txt"
    assert log.path.with_name("log.damaged.txt").read_bytes() == before


def test_an_empty_log_has_empty_columns(tmp_path):
    log = runlog.LogFile(tmp_path / "log.txt")
    log.start({})
    back = runlog.read(log.path)
    assert back["loss"].shape == (0,) and back.notes == []


def test_a_start_forgets_the_old_log(log):
    log.start({})
    assert runlog.read(log.path)["step"].size == 0


def test_a_column_that_does_not_exist_is_named(log):
    with pytest.raises(ValueError, match="no column los; it has step, tokens, loss"):
        log.row(los=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n", "is not a log of minillm"),
        (f"{runlog.FIRST_LINE}\nstep loss\n1 x\n", "line 3: .*'x'"),
        (f"{runlog.FIRST_LINE}\nstep loss\n1 2\n1 2 3\n", "line 4 has 3 numbers, but the table has 2 columns"),
        (f"{runlog.FIRST_LINE}\n# recipe {{\nstep loss\n", "line 2: the recipe cannot be read"),
    ],
)
def test_a_file_that_is_no_log_is_named_with_its_line(tmp_path, text, says):
    path = tmp_path / "log.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        runlog.read(path)
