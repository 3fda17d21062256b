"""Answers by somebody who had not seen the bank of mistakes: no wrong one passes, no right one is refused."""

import functools

import pytest
import strangers
from once import memory  # noqa: F401  (a fixture)

from minillm import bank, grading

EXERCISES = bank.exercises()
pytestmark = pytest.mark.usefixtures("memory")


def answers(kind):
    """(exercise, place) for all of one kind, "wrong" or "right"; the names say what they are."""
    rows = [(name, i, says) for name, sets in strangers.ANSWERS.items() for i, (says, _) in enumerate(sets[kind])]
    return pytest.mark.parametrize(
        "name, place", [row[:2] for row in rows], ids=[f"{name}: {says}" for name, _, says in rows]
    )


@functools.cache
def graded(name, kind, place):
    """The Score of an answer, graded once."""
    return grading.score(name, strangers.ANSWERS[name][kind][place][1], seed=0)


@pytest.mark.parametrize("name", EXERCISES)
def test_there_are_strangers_for_every_exercise(name):
    assert len(strangers.ANSWERS[name]["wrong"]) >= 5 and len(strangers.ANSWERS[name]["right"]) >= 5


@answers("wrong")
def test_no_wrong_answer_of_a_stranger_passes(name, place):
    score = graded(name, "wrong", place)
    assert score < EXERCISES[name].points
    assert all(row.message for row in score.rows[:1] if row.status == "FAIL")


@answers("right")
def test_no_right_answer_of_a_stranger_is_refused(name, place):
    score = graded(name, "right", place)
    assert score == EXERCISES[name].points, score.rows


def named(score):
    """Whether the grader called a mistake by its name."""
    return any(row.mistake for row in score.rows)


@pytest.mark.parametrize("name", strangers.ANSWERS)
def test_as_many_are_named_as_the_files_say(name):
    wrong = strangers.ANSWERS[name]["wrong"]
    found = [says for place, (says, _) in enumerate(wrong) if named(graded(name, "wrong", place))]
    assert len(found) == strangers.NAMED[name], found
