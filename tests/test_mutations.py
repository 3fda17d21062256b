"""The planted bugs still fit the source, and the script that plants them tells a killed one from a survivor."""

import ast
import pathlib

import mutations
import pytest

SOURCE = mutations.REPOSITORY / "minillm"


@pytest.mark.parametrize("mutation", mutations.MUTATIONS, ids=lambda m: m.name)
def test_a_planted_bug_still_fits_the_source(mutation):
    source = (SOURCE / mutation.file).read_text(encoding="utf-8")
    changed = mutation.apply(source)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))


def test_there_are_enough_planted_bugs_and_each_has_its_own_name():
    names = [m.name for m in mutations.MUTATIONS]
    assert len(names) == len(set(names)) >= 40


def test_a_text_that_is_gone_or_no_longer_alone_is_refused():
    with pytest.raises(ValueError, match="0 times"):
        mutations.Mutation("gone", "gpt.py", "x = 1", "x = 2").apply("y = 1")
    with pytest.raises(ValueError, match="2 times"):
        mutations.Mutation("twice", "gpt.py", "x = 1", "x = 2").apply("x = 1; x = 1")
    with pytest.raises(ValueError, match="2 times"):
        mutations.Mutation("third", "gpt.py", "x = 1", "x = 2", which=2).apply("x = 1; x = 1")
    assert mutations.Mutation("second", "gpt.py", "x = 1", "x = 2", which=1).apply("x = 1; x = 1") == "x = 1; x = 2"


QUICK = {  # a planted bug and the file of tests that kills it
    "AdamW: gains decay": "test_optim.py",
    "schedule: cosine upside down": "test_optim.py",
    "config: heads need not fit": "test_config.py",
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    mutations.copy(folder)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_the_script_kills_a_bug_in_a_copy_and_leaves_the_repository_alone(name, clean):
    (mutation,) = (m for m in mutations.MUTATIONS if m.name == name)
    before = (SOURCE / mutation.file).read_bytes()
    assert mutations.try_one(mutation, clean, tests=[QUICK[name]]).startswith(QUICK[name])
    assert (SOURCE / mutation.file).read_bytes() == before


def test_a_change_that_changes_nothing_survives(clean):
    harmless = mutations.Mutation("harmless", "optim.py", "BLOCK = 16_384", "BLOCK = 16_385")
    assert mutations.try_one(harmless, clean, tests=["test_optim.py"]) is None


def test_the_copy_runs_its_own_library(clean):
    """Else every bug would survive."""
    spoilt = pathlib.Path(clean, "minillm", "optim.py")
    assert spoilt.is_file()
    broken = mutations.Mutation("broken", "optim.py", "BLOCK = 16_384", "raise RuntimeError('planted')")
    assert mutations.try_one(broken, clean, tests=["test_optim.py"]) == "test_optim.py"
