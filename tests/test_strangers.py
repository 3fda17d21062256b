"""Answers by somebody who had not seen the bank of mistakes: no wrong one passes, no right one is refused."""

import pytest
import strangers

from minillm import bank, grading

EXERCISES = bank.exercises()


def answers(kind):
    """(exercise, description, answer) for all of one kind, "wrong" or "right"."""
    rows = [(name, says, answer) for name, sets in strangers.ANSWERS.items() for says, answer in sets[kind]]
    return pytest.mark.parametrize("name, says, answer", rows, ids=[f"{name}: {says}" for name, says, _ in rows])


@pytest.mark.parametrize("name", EXERCISES)
def test_there_are_strangers_for_every_exercise(name):
    assert len(strangers.ANSWERS[name]["wrong"]) >= 5 and len(strangers.ANSWERS[name]["right"]) >= 5


@answers("wrong")
def test_no_wrong_answer_of_a_stranger_passes(name, says, answer):
    score = grading.score(name, answer, seed=0)
    assert score < EXERCISES[name].points
    assert all(row.message for row in score.rows[:1] if row.status == "FAIL")


@answers("right")
def test_no_right_answer_of_a_stranger_is_refused(name, says, answer):
    score = grading.score(name, answer, seed=0)
    assert score == EXERCISES[name].points, score.rows


def named(score):
    """Whether the grader called a mistake by its name."""
    return any(row.mistake for row in score.rows)


@pytest.mark.parametrize("name", strangers.ANSWERS)
def test_as_many_are_named_as_the_files_say(name):
    found = [says for says, answer in strangers.ANSWERS[name]["wrong"] if named(grading.score(name, answer, seed=0))]
    assert len(found) == strangers.NAMED[name], found
