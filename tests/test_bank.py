"""The bank of mistakes: every wrong answer loses points and hears its own name, and no right one is refused."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
from once import memory  # noqa: F401  (a fixture)

from minillm import bank, grading
from minillm.bank.norms import norm_clinic
from minillm.bank.norms.layer_norm_right import in_one_pass, step_by_step
from minillm.grader import counterexample
from minillm.grader.diagnosis import TWICE, Diagnosis
from minillm.grader.exercise import agree
from minillm.grader.score import WIDTH
from minillm.grader.selftest import KEYS, self_test
from minillm.grader.there_and_back import ThereAndBack, in_float32
from minillm.grader.trial import Trusted
from minillm.grader.values import Values

EXERCISES = bank.exercises()
pytestmark = pytest.mark.usefixtures("memory")
LAYERS = {name: exercise for name, exercise in EXERCISES.items() if isinstance(exercise, ThereAndBack)}
FUNCTIONS = {name: exercise for name, exercise in EXERCISES.items() if isinstance(exercise, (ThereAndBack, Values))}
SEEDS = (0, 1)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("SEED", "CLASS", "CHECKS", "HEADLESS"):
        monkeypatch.delenv(f"MINILLM_{name}", raising=False)
    monkeypatch.setenv("MINILLM_PROGRESS", "off")


WRONG = [(name, mistake) for name, exercise in EXERCISES.items() for mistake in exercise.mistakes]
RIGHT = [(name, says, answer) for name, exercise in EXERCISES.items() for says, answer in exercise.right]


SCORES = {}


def scored(name, mistake, seed):
    """The score of a wrong answer, which is asked for by several tests."""
    key = name, mistake.name, seed
    if key not in SCORES:
        SCORES[key] = grading.score(name, mistake.answer, seed=seed)
    return SCORES[key]


@pytest.mark.parametrize("name, mistake", WRONG, ids=[f"{name}: {mistake.name}" for name, mistake in WRONG])
def test_every_wrong_answer_loses_points_and_hears_its_own_name(name, mistake):
    for seed in SEEDS:
        result = scored(name, mistake, seed)
        named = {row.mistake for row in result.rows if row.status == "FAIL"}
        assert result < result.points and not result.full
        assert named == {mistake.name} or (isinstance(EXERCISES[name], Diagnosis) and mistake.name in named)
        text = "\n".join(row.message for row in result.rows)
        assert mistake.says in text and text.count(mistake.says) == 1 or mistake.name == TWICE


@pytest.mark.parametrize("name, says, answer", RIGHT, ids=[f"{name}: {says}" for name, says, _ in RIGHT])
def test_no_right_answer_is_refused_in_whatever_style(name, says, answer):
    for seed in range(10):
        result = grading.score(name, answer, seed=seed)
        assert result == result.points and result.full and result.tried, result.rows


@pytest.mark.parametrize("name", FUNCTIONS)
def test_minillms_own_function_has_all_points(name):
    for seed in range(5):
        assert grading.score(name, EXERCISES[name].answer, seed=seed).full


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_two_mistakes_are_ever_confused(name):
    exercise = EXERCISES[name]
    for seed in range(6):
        seen = exercise.watch_all(exercise.mistakes, exercise.probes(seed))
        for (one, mine), (other, theirs) in itertools.combinations(seen, 2):
            alike = all(agree(mine[part.name], theirs[part.name]) for part in exercise.parts)
            assert not alike, f"{one.name} and {other.name} do the same with seed {seed}"


def off(seen, wanted, probes):
    """How far an answer is off where it is worst, in tolerances; infinite where there are no numbers to compare."""
    misses = [0.0]
    for part in seen:
        for got, want, probe in zip(seen[part], wanted[part], probes, strict=True):
            if not isinstance(got, dict) or got.keys() != want.keys():
                return np.inf
            for key, w in want.items():
                if got[key].shape != w.shape or not np.isfinite(got[key]).all():
                    return np.inf
                share = counterexample.tolerance(got[key], probe.dy)
                misses.append(np.abs(got[key] - w).max() / max(1, np.abs(w).max()) / share)
    return max(misses)


@pytest.mark.parametrize("name", LAYERS)
def test_the_tolerance_is_far_from_rounding_and_far_from_mistakes(name):
    exercise = EXERCISES[name]
    for seed in SEEDS:
        probes = exercise.probes(seed)
        wanted = exercise.truth(probes)
        for says, answer in [*exercise.right, ("our own", exercise.answer)]:
            lowered = says == "float32 inside and out"  # on every probe, and dx is a small difference there
            assert off(exercise.watch(answer, probes, Trusted).seen, wanted, probes) < (0.5 if lowered else 0.1), says
        subtle = set()  # as the two forms of GELU, which float64 tells apart, and float32 need not
        for mistake, seen in exercise.watch_all(exercise.mistakes, probes):
            much = off(seen, wanted, probes)
            assert much > 1e3, mistake.name
            subtle |= {mistake.name} if much < 1e5 else set()
        single = [in_float32(probe) for probe in probes]
        wanted = exercise.truth(single)
        for mistake, seen in exercise.watch_all(exercise.mistakes, single):
            assert mistake.name in subtle or off(seen, wanted, single) > 20, mistake.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_mistake_is_shown_by_hand_unless_no_small_array_shows_it(name):
    for mistake in EXERCISES[name].mistakes:
        first = next(row for row in scored(name, mistake, 0).rows if row.status == "FAIL")
        by_hand = re.search(r"\w = [-\[({'\"\db]|changed|itself|must have the keys|(is|are) due", first.message)
        assert by_hand or mistake.large, first.message


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_and_garbage_earn_nothing(name):
    def stub(*arguments, **options):
        raise NotImplementedError("your turn")

    garbage = [stub, None, "answer", [], {}, 3, print, len, lambda *a, **o: None, lambda *a, **o: a, object()]
    if name in LAYERS:
        x = len(EXERCISES[name].by_hand[0].first)  # the place of the first array
        garbage += [
            lambda *a, **o: (np.zeros_like(a[x]), lambda dy: tuple(map(zeros, a[x:]))),
            lambda *a, **o: (a[x], lambda dy: a[x:]),
            lambda *a, **o: (np.ones_like(a[x]), lambda dy: dy),
        ]
    for answer in garbage:
        assert grading.score(name, answer, seed=0) == 0


def zeros(tree):
    return {key: np.zeros_like(a) for key, a in tree.items()} if isinstance(tree, dict) else np.zeros_like(tree)


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_printed_is_never_a_wall(name):
    for mistake in EXERCISES[name].mistakes:
        lines = scored(name, mistake, 0).lines()
        assert len(lines) <= 25 and max(map(len, lines)) <= WIDTH, "\n".join(lines)


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_complete(name):
    exercise = EXERCISES[name]
    assert exercise.name == name and re.fullmatch(r"\d\d_[a-z_]+", exercise.notebook)
    assert len(exercise.hints) == 3 and all(len(hint) > 60 for hint in exercise.hints)
    assert len(exercise.mistakes) >= 6 and len(exercise.right) >= 2
    names = [mistake.name for mistake in exercise.mistakes if mistake.name != TWICE]
    assert len(set(names)) == len(names)
    assert 1 <= exercise.points <= 12 and 1 <= exercise.difficulty <= 5 and exercise.lines > 0 and exercise.minutes > 0
    assert all(mistake.says for mistake in exercise.mistakes if mistake.name != TWICE)
    assert len(exercise.solution().splitlines()) >= 5


def test_the_self_test_counts_what_the_tests_above_hold():
    figures = self_test(["norm_clinic", "residual"], seeds=(3,))
    wrong = {name: len(exercise.mistakes) for name, exercise in EXERCISES.items()}
    assert [*figures["exercises"]] == ["norm_clinic", "residual"]
    for name, one in figures["exercises"].items():
        right = len(EXERCISES[name].right) + (EXERCISES[name].answer is not None)
        assert one == dict(zip(KEYS, (wrong[name], wrong[name], 0, right, 0), strict=True))
    assert figures["all"] == {key: sum(one[key] for one in figures["exercises"].values()) for key in KEYS}


def test_the_self_test_sees_what_is_accepted_refused_and_not_named(monkeypatch):
    exercise = EXERCISES["layer_norm"]
    right_as_wrong = dataclasses.replace(exercise.mistakes[0], answer=step_by_step)
    twice = [exercise.mistakes[1], dataclasses.replace(exercise.mistakes[1], name="the same again")]
    bad = dataclasses.replace(
        exercise, mistakes=(right_as_wrong, *twice), right=(("not so right", exercise.mistakes[2].answer),)
    )
    monkeypatch.setattr(bank, "exercises", lambda: {"layer_norm": bad})
    assert self_test(["layer_norm"], seeds=(0,))["all"] == dict(zip(KEYS, (3, 1, 1, 2, 1), strict=True))


def test_an_unknown_exercise_has_no_self_test():
    with pytest.raises(ValueError, match="did you mean layer_norm"):
        self_test(["layer_nrom"])


def test_an_answer_that_is_right_but_fragile_is_told_so():
    (note,) = grading.score("layer_norm", in_one_pass, seed=0).notes
    assert note.startswith("For numbers far from 0, such as 1000000.1, y is off")
    assert grading.score("layer_norm", step_by_step, seed=0).notes == ()


# The clinic


def test_the_norms_are_sealed():
    norms = norm_clinic.norms
    assert [*norms] == list("ABCDE") and len(set(norm_clinic.CASES.values())) == 5
    assert norm_clinic.CASES.keys() == norms.keys() and set(norm_clinic.CASES.values()) < set(norm_clinic.FAULTS)
    for norm in norms.values():
        assert not any(fault in repr(norm) + str(vars(norm)) for fault in norm_clinic.FAULTS)


def test_every_wrong_word_is_answered_with_numbers_that_are_so():
    """What a norm is said to give, it gives; and a norm with the fault that was named would give something else."""
    x, g, b, dy = (np.array([a], float) for a in ([1, 3], [1, 1], [0, 0], [1, 0]))
    for letter, right in norm_clinic.CASES.items():
        for word in set(norm_clinic.FAULTS) - {right}:
            given, says = norm_clinic.evidence(letter, word).split("\n")
            match = re.fullmatch(rf'norms\["{letter}"\]: (.+) = (\[.*\]), but "{word}" would give (\[.*\])', says)
            assert match and match[2] != match[3]
            if given.startswith("x = [[1. 3.]]"):
                own = x.copy()
                y, backward = norm_clinic.norms[letter](own, g[0], b[0])
                dx, dg, db = backward(dy)
                seen = {"y": y, "dx": dx, "dg": dg, "db": db, "x afterwards": own}[match[1]]
                said = [float(number) for number in re.findall(r"[-\d.e]+", match[2])]
                assert np.allclose(seen.ravel(), said, rtol=1e-3, atol=1e-4), (letter, word)


def test_the_clinic_gives_a_point_for_each_right_word_and_one_word_for_all_earns_nothing():
    right = dict(norm_clinic.CASES)
    for n in range(6):
        some = {letter: right[letter] for letter in "ABCDE"[:n]}
        assert grading.score("norm_clinic", some) == n
    for word in norm_clinic.FAULTS:
        assert grading.score("norm_clinic", dict.fromkeys("ABCDE", word)) == 0
