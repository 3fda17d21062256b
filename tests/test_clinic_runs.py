"""The stored runs of the clinic: made by the code that is there, and each with a sign that gives its fault away."""

import math

import pytest

from minillm.bank.teaching import clinic, runs


@pytest.mark.parametrize(
    "name", ["healthy", "tied gradient lost", "mask inverted", "no warm-up", "loss averaged twice"]
)
def test_a_run_made_again_begins_with_the_stored_numbers(name):
    again, stored = runs.train(name, steps=20), runs.stored()[name]
    assert len(again["train"]) == len(again["norm"]) == 2
    assert again["start"] == pytest.approx(stored["start"], rel=1e-4)
    assert again["slopes"] == [pytest.approx(pair, rel=1e-3) for pair in stored["slopes"]]
    for key in again.keys() - {"slopes", "start"}:
        assert again[key] == pytest.approx(stored[key][: len(again[key])], rel=2e-3), key


def test_every_habit_differs_from_the_healthy_in_one_thing():
    healthy = vars(runs.HABITS["healthy"])
    for name, habits in runs.HABITS.items():
        changed = [key for key in healthy if vars(habits)[key] != healthy[key]]
        assert len(changed) == (name != "healthy"), name


def test_there_are_twelve_sealed_runs_and_their_file_is_small():
    assert len(clinic.CASES) == 12 and set(clinic.CASES.values()) == set(runs.HABITS) - {"healthy"}
    assert runs.stored().keys() == runs.HABITS.keys()
    assert runs.STORED.stat().st_size < 80_000


def test_the_healthy_run_is_healthy():
    run = clinic.healthy
    assert run["start"] == pytest.approx(math.log(78), abs=0.05)
    assert run["slopes"][0][0] == pytest.approx(run["slopes"][0][1], rel=1e-3)
    assert run["measured again"][0] == run["measured again"][1]
    assert run["future"] == 0 and run["held"] == run["fresh"] and max(run["norm after"]) == runs.CLIP


@pytest.mark.parametrize("letter", clinic.CASES)
def test_a_sign_of_its_own_tells_a_run_from_all_others(letter):
    word = clinic.CASES[letter]
    signs = [clinic.SIGNS[name] for name in clinic.TELLS[word]]
    assert any(clinic.differs(sign, clinic.runs[letter], clinic.healthy) for sign in signs), word
    for other in clinic.WORDS:
        if other != word:
            tells = {*clinic.TELLS[word], *clinic.TELLS[other]}
            mine, theirs = clinic.runs[letter], clinic.STORED[other]
            assert any(clinic.differs(clinic.SIGNS[name], mine, theirs) for name in tells), (word, other)
            said = clinic.evidence(letter, other)
            assert f"run {letter} has" in said and f'with "{other}" it is' in said


@pytest.mark.parametrize("run", ["healthy", *clinic.CASES])
def test_what_is_shown_of_a_run_does_not_say_its_fault(run):
    figure, text = clinic.draw(run)
    shown = [line.get_label() for ax in figure.axes for line in ax.lines]
    assert not any(word in text or word in shown for word in runs.HABITS if word != "healthy")
    assert len(figure.axes) == 4 and ("healthy, training" in shown) == (run != "healthy")
