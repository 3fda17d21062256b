"""The ladders with a bad habit: they differ from the quick one in that alone, and their runs come out again."""

import itertools

import pytest

from minillm import ladder, plan, rung
from minillm.bank.law import confounder

PLANS = sorted((plan.SHELF / "traps").glob("*.yaml"))
ROWS, LARGER = (ladder.mend(plan.SHELF / name) for name in ("traps.jsonl", "traps-heldout.jsonl"))
QUICK = plan.load("quick")


def rows_of(path, some):
    return [row for row in some if row["plan"] == path.stem]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_trap_is_the_quick_ladder_with_another_habit(path):
    trap = plan.load(path)
    for key in ("languages", "widths", "tokens", "seeds", "heldout"):
        assert getattr(trap, key) == getattr(QUICK, key)
    usual, habit = QUICK.rungs()[0].settings(), trap.rungs()[0].settings()
    changed = {key for key in usual if usual[key] != habit[key]}
    assert changed == set(trap.model) and 1 <= len(changed) <= 2


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_all_its_runs_are_there_and_none_is_left_out(path):
    trap = plan.load(path)
    assert ladder.missing(trap.rungs(), rows_of(path, ROWS)) == [] and len(rows_of(path, ROWS)) == 24
    assert ladder.missing(plan.load(path, take=["spectral"]).rungs(heldout=True), rows_of(path, LARGER)) == []
    assert {row["status"] for row in ROWS + LARGER} == {"done"}


def test_a_stored_run_comes_out_again():
    path = next(path for path in PLANS if path.stem == "read-again")
    each = next(each for each in plan.load(path, tokens=[131072]).rungs() if each.width == 16)
    (stored,) = (row for row in rows_of(path, ROWS) if ladder.missing([each], [row]) == [])
    (again,) = rung.train(each)
    assert again["checksum"] == stored["checksum"]
    assert again["loss"] == pytest.approx(stored["loss"], rel=1e-4 if stored["numpy"] == again["numpy"] else 1e-2)


@pytest.mark.parametrize("one, other", [*itertools.combinations(confounder.WORDS, 2)])
def test_no_two_ladders_look_alike(one, other):
    a, b = confounder.stored()[one], confounder.stored()[other]
    assert (a.N != b.N).any() or abs(a.loss - b.loss).max() > 0.01


def test_the_evidence_is_what_the_table_shows():
    for letter, word in itertools.product(confounder.CASES, confounder.WORDS):
        if word == confounder.CASES[letter]:
            continue
        says = confounder.evidence(letter, word)
        if "lies" in says:
            shown = says.partition(" lies ")[2].partition(" nats")[0]
            assert f"({shown})" in confounder.table(confounder.ladders[letter])
        else:
            assert f"{confounder.ladders[letter].N[0]:,.0f}" in says


def test_the_panel_shows_each_ladder_and_the_quick_one_beside_it():
    for letter in ("quick", *confounder.CASES):
        figure, text = confounder.draw(letter)
        names = [line.get_label() for line in figure.axes[0].get_lines()]
        assert sum(name.startswith("quick") for name in names) == (0 if letter == "quick" else 3)
        assert text == confounder.table(confounder.quick if letter == "quick" else confounder.ladders[letter])


def test_two_ladders_are_the_quick_one_kept_otherwise():
    rows = [row for row in ladder.mend(plan.SHELF / "quick.jsonl") if row["language"]["kind"] == confounder.LANGUAGE]
    best, counted, quick = (
        confounder.stored()[word] for word in ("the best of three seeds", "all weights counted", "nothing")
    )
    for i, (N, D) in enumerate(zip(quick.N, quick.D, strict=True)):
        same = [row for row in rows if row["N"] == N and row["D"] == D]
        assert len(same) == 3 and best.loss[i] == min(row["loss"] for row in same)
        assert (counted.N[i], counted.loss[i]) == (same[0]["N_all"], quick.loss[i])
        assert quick.loss[i] == next(row["loss"] for row in same if row["seed"] == 0)
