"""A grader with a memory says what one without says, and asks the answer key once."""

import pytest
from once import memory  # noqa: F401  (a fixture)

from minillm import bank, grading

EXERCISES = bank.exercises()


def judged(name):
    """What is said of some mistakes of an exercise, with two seeds."""
    answers = [mistake.answer for mistake in EXERCISES[name].mistakes[:6]]
    return [grading.score(name, answer, seed=seed).rows for answer in answers for seed in (0, 1)]


@pytest.mark.parametrize("name", ["layer_norm", "top_p", "schedule"])
def test_memory_changes_no_word(name, request):
    fresh = judged(name)
    request.getfixturevalue("memory")
    assert judged(name) == fresh == judged(name)


def test_the_key_is_asked_once_for_each_seed(monkeypatch, request):
    asked = []
    kind = type(EXERCISES["unscale"])
    truth = kind.truth
    monkeypatch.setattr(kind, "truth", lambda exercise, probes: asked.append(exercise.name) or truth(exercise, probes))
    request.getfixturevalue("memory")
    for answer in (abs, sum, None, abs):
        for seed in (7001, 7002):
            grading.score("unscale", answer, seed=seed)
    assert asked == ["unscale"] * 2
