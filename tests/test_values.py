"""values.py: a plain function is asked, its result taken apart and compared, and what it changed is told."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from minillm.grader import values
from minillm.grader.exercise import Fault, Mistake, Part, Told
from minillm.grader.guard import Unfit
from minillm.grader.sink import Sink
from minillm.grader.trial import Trusted
from minillm.grader.values import Call, Question, Values


def scale(w, dw, *, rate):
    """w is changed in place."""
    if rate < 0:
        raise ValueError("rate")
    w -= rate * dw
    return {"largest": abs(w).max(), "name": "w"}


def in_loops(w, dw, *, rate):
    if rate < 0:
        raise ValueError("rate")
    for i in range(len(w)):
        w[i] = w[i] - rate * dw[i]
    return {"largest": max(abs(float(a)) for a in w), "name": "w"}


def uphill(w, dw, *, rate):
    return scale(w, -dw, rate=rate)


def question(part, w, dw, rate, **more):
    return Question(part, {"w": np.array(w, float), "dw": np.array(dw, float)}, {"rate": rate}, writes=("w",), **more)


def draw(rng):
    for n in (3, 5):
        yield question("step", rng.normal(size=n), rng.normal(size=n), 0.1)


EXERCISE = Values(
    name="scale",
    notebook="00_test",
    answer=scale,
    spec=in_loops,
    parts=(
        Part("step", 2, "as it should, {drawn} times"),
        Part("refusal", 1, "refuses a negative rate"),
        Part("arguments", 1, "dw is left alone", needs=("step",)),
    ),
    by_hand=(question("step", [1, 2], [1, 1], 0.5), question("refusal", [1], [1], -1.0, raises=ValueError)),
    draw=draw,
    mistakes=(Mistake("uphill", "The sign is wrong.", uphill),),
    hints=("", "", ""),
    lines=3,
    minutes=5,
    difficulty=1,
)


def rows(answer):
    """{part: (points got, message, mistake)} of an answer."""
    return {row.check: (row.got, row.message, row.mistake) for row in EXERCISE.judge(answer, 0).rows}


def test_a_right_answer_gets_all_and_our_own_is_known():
    def mine(w, dw, *, rate):
        if rate < 0:
            raise ValueError
        w[:] = w - rate * dw
        return {"name": "w", "largest": float(np.abs(w).max())}

    judged = EXERCISE.judge(mine, 0)
    assert [row.got for row in judged.rows] == [2, 1, 1] and not judged.borrowed
    assert EXERCISE.judge(scale, 0).borrowed and EXERCISE.judge(in_loops, 0).borrowed


def test_a_known_mistake_is_named_and_shown_by_hand():
    got, message, mistake = rows(lambda w, dw, *, rate: scale(w, -dw, rate=rate))["step"]
    assert (got, mistake) == (0, "uphill")
    assert message.startswith("w = [1. 2.]  dw = [1. 1.]  rate = 0.5\nlargest: expected 1.5  yours 2.5")
    assert message.endswith("The sign is wrong.")


def test_what_should_have_changed_is_compared_and_what_should_not_is_told():
    def elsewhere(w, dw, *, rate):
        dw *= rate
        return {"largest": abs(w - dw).max(), "name": "w"}

    found = rows(elsewhere)
    assert "w afterwards: expected [0.5 1.5]  yours [1. 2.]" in found["step"][1]
    assert "ValueError is due" in found["refusal"][1]
    assert found["arguments"][0] == 0

    def right_but(w, dw, *, rate):
        result = scale(w, dw, rate=rate)
        dw *= 0
        return result

    assert rows(right_but)["arguments"][1].startswith("dw was changed in place")


def test_an_answer_that_is_not_written_or_raises_gets_nothing():
    def stub(w, dw, *, rate):
        raise NotImplementedError("your turn")

    judged = EXERCISE.judge(stub, 0)
    assert {row.status for row in judged.rows} == {"todo"}
    assert [row.got for row in judged.rows] == [0, 0, 0]
    found = rows(lambda w, dw, *, rate: 1 / 0)
    assert "ZeroDivisionError" in found["step"][1] and found["arguments"][0] == 0


def test_a_result_that_shares_memory_with_an_argument_is_told():
    pieces, shared = values.taken_apart([x := np.ones(3)], {"x": x, "y": np.ones(3)})
    assert shared == ["x"] and pieces.keys() == {""}
    assert values.alteration("result x", None).startswith("the result is x itself, or a view of it")
    assert values.taken_apart(ids := [1, 2], {"ids": ids, "pair": (1, 2), "other": [1, 2]})[1] == ["ids"]
    assert values.taken_apart([*ids], {"ids": ids})[1] == []


@pytest.mark.parametrize(
    "one, other, same",
    [
        ([1, 2], (1, 2), True),
        ([1, 2], np.array([1, 2]), True),
        ([1.0, 2.0], [1, 2], True),
        (True, 1, True),
        ("1", 1, False),
        ("ab", b"ab", False),
        ("ab\0", "ab", False),
        (None, 0, False),
        ([[1], [2, 3]], [[1], [2, 3]], True),
        ([[1], [2, 3]], [[1], [2, 4]], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (124_439_808, 124_439_809, False),
        (1e9, 1e9 * (1 + 1e-12), True),
        (np.float32(0.1), 0.1, True),
        (0.1001, 0.1, False),
        (np.float16(0.1), 0.1, False),
        (np.float16(0.125), 0.125, True),
        ([], [], True),
        (np.ones((2, 1)), np.ones(2), False),
        (float("nan"), float("nan"), True),
        (2**70, 2**70, True),
        (Fraction(4, 2), 2, True),
        (Fraction(1, 3), 0.3, False),
        ([Fraction(1, 3), 1], [1 / 3, 1.0], True),
        ([True, False], [True, True], False),
        ([True, False], [1.0, 0.0], True),
        (1 + 1e-5, True, False),
        ([(98, 99)], [[98, 99]], True),
    ],
)
def test_what_counts_as_the_same(one, other, same):
    assert (values.mismatch(values.leaves(one), values.leaves(other)) is None) == same
    assert values.mismatch(values.leaves(other), values.leaves(other)) is None


@pytest.mark.parametrize("thing", [object(), 1j, {1, 2}, iter([]), [object()], np.array([object()])])
def test_what_cannot_be_compared_is_said(thing):
    with pytest.raises(Unfit, match="nothing that can be compared"):
        values.leaves(thing)


def test_a_difference_is_said_in_a_line_that_can_be_read():
    say = lambda got, want: values.mismatch(values.leaves(got), values.leaves(want))
    assert say("cat", "cut") == "expected 'cut'  yours 'cat'"
    assert say("x" * 200 + "a", "x" * 200 + "b").startswith("expected '") is False
    assert say(3, "cut") == "it returned a number (3), but 'cut' is due"
    assert say(None, "x" * 200) == "it returned None, but a text is due"
    assert say(True, b"cut") == "it returned True, but b'cut' is due"
    assert say([True, False], [False, False]) == "expected [False False]  yours [True False]"
    assert say([1, 0], [False, False]) == "expected [False False]  yours [1 0]"
    assert say([True] * 9, [True] * 8 + [False]) == "result[8]: expected False  yours True  (1 of 9 numbers are off)"
    assert say([1, 2, 3], [1, 2]) == "the result has shape (3,), but it must be (2,): expected [1 2]  yours [1 2 3]"
    assert say([0] * 9, [1, 2]) == "the result has shape (9,), but it must be (2,)"
    assert say({"b": 1}, {"a": 1}) == "it returned b, but a is due"


def test_of_several_results_it_is_said_which_one_is_meant():
    say = lambda got, want: values.mismatch(values.leaves(got), values.leaves(want))
    due = (np.ones(2), np.ones((2, 2)))
    assert say((np.zeros(2), due[1]), due) == "result[0]: expected [1. 1.]  yours [0. 0.]"
    assert say((due[0], np.ones(2)), due).startswith("result[1] has shape (2,), but it must be (2, 2)")
    assert say(([0, "b"]), [0, "a"]) == "result[1]: expected 'a'  yours 'b'"
    assert say([[1, 2], [3]], [[1, 2], [3, 4]]).startswith("result[1] has shape (1,), but it must be (2,)")
    assert say(due[0], due) == "it returned an array (2,) ([1. 1.]), but 2 things are due"
    assert say([b"a", b"b"], [1, 2]) == "it returned a list with bytes in it, but an array (2,) ([1 2]) is due"
    assert say([("a", "b"), ("c", "d")], "abcd") == "it returned a list with texts in it, but 'abcd' is due"
    assert say(3, [3]) == "the result is one number, but it must have shape (1,): expected [3]  yours 3"
    assert say([3], 3) == "the result has shape (1,), but it must be one number: expected 3  yours [3]"


def test_a_tree_that_is_built_otherwise_is_told_by_its_first_branch():
    say = lambda got, want: values.mismatch(values.leaves(got), values.leaves(want))
    due = {"ffn": {"there": 1, "back": 2}, "total": {"there": 1, "back": 2}}
    pairs = {"ffn": (1, 2), "total": (1, 2)}
    assert say(due | {"total": 3}, due) == "total must have the keys there, back, but it is a number (3)"
    assert say(pairs, due) == "ffn must have the keys there, back, but it is an array (2,) ([1 2])"
    assert say({"there": {"ffn": 1, "total": 1}, "back": {"ffn": 2}}, due) == "the key ffn is missing"
    assert say({"ffn": due["ffn"]}, due) == "the key total is missing"
    assert say({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": 3}) == "b must be a number (3), but it has c, d"
    assert say({"a": 1, "b": "3"}, {"a": 1, "b": 3}) == "b must be a number (3), but it is '3'"


def test_what_is_written_is_compared_in_the_order_of_the_question_and_apart_from_what_came_back():
    both = Question("step", {"w": np.ones(1), "m": np.ones(1)}, writes=("m", "w"))
    result = lambda f: Call(both).go(f, Trusted(f, Sink())).result
    told = lambda answer, right: values.mismatch(result(answer), result(right))

    def doubled(w, m):
        w *= 2
        m *= 2

    assert told(lambda w, m: None, doubled) == "m afterwards: expected [2.]  yours [1.]"
    assert told(lambda w, m: w + 1, doubled) == "it returned an array (1,) ([2.]), but None is due"


def test_the_same_fault_at_another_question_is_said_again():
    asked = [question("step", [1, 2], [1, 1], 0.5), question("step", [3, 4], [1, 1], 0.5)]
    told = Told(asked)
    fault = lambda place, shows=("w",): Fault("FAIL", "the result has shape (3,)", place, shows)
    assert told.anew(fault(0), "A name.") == "w = [1. 2.]\nthe result has shape (3,)\nA name."
    assert told.anew(fault(1), "A name.") == "w = [3. 4.]\nthe result has shape (3,)"
    assert told.anew(fault(1, ("w", "rate")), "A name.") == "the same  rate = 0.5"
    error = lambda place: Fault("FAIL", "raised ValueError: a long one", place, ("w",))
    assert told.anew(error(0), "").endswith("raised ValueError: a long one")
    assert told.anew(error(1), "") == "w = [3. 4.]\nraised the same"


def test_a_question_is_shown_with_what_is_needed():
    asked = Question("y", {"text": "aaab", "n": 2, "p": np.array([0.5, 0.5]), "f": scale}, {"k": None}, label="twice:")
    assert asked.shown(asked.names) == "twice:  text = 'aaab'  n = 2  p = [0.5 0.5]  f = scale  k = None"
    large = Question("y", {"x": np.ones((2, 9))}, label="twice")
    assert large.shown(["x"]) == "twice:  x = an array (2, 9)"


def test_numbers_that_went_in_have_all_their_digits_if_these_are_few():
    asked = Question("y", {"N": 98944.0, "loss": 2.8801, "rate": 1 / 3, "yes": np.True_, "counts": [2097152.0, -3.0]})
    assert asked.shown(asked.names) == (
        "N = 98944  loss = 2.8801  rate = 0.3333  yes = True  counts = [2097152.0, -3.0]"
    )


def test_of_a_long_dict_the_keys_that_matter_are_shown_whole():
    told = {"hash": "0123456789" * 7, "rows": [[1, 2.5]], "N": 3.0, "note": "no " * 50}
    asked = Question("y", {"told": told}, keys={"told": ("N", "rows", "hash", "none")})
    assert asked.shown(["told"]) == "told = {'N': 3.0, 'rows': [[1, 2.5]], 'hash': '01234567...', ...}"
    assert Question("y", {"told": {"N": 3}}, keys={"told": ("N",)}).shown(["told"]) == "told = {'N': 3}"


REFUSAL = (
    question("refusal", [1], [1], -1.0, raises=ValueError),
    question("refusal", [2], [1], -2.0, raises=ValueError),
)


def raising(error, at=-1.5):
    """An answer that raises this where a rate is less than `at`, and accepts other negative ones."""

    def answer(w, dw, *, rate):
        if rate < at:
            raise error
        w -= rate * dw
        return {"largest": abs(w).max(), "name": "w"}

    return answer


@pytest.mark.parametrize(
    "answer, named",
    [
        (raising(IndexError("list index out of range")), "an index"),
        (raising(IndexError("index 3 is out of bounds for axis 0 with size 3")), "an index"),
        (raising(KeyError("3")), None),
        (raising(IndexError("list index out of range"), at=0.05), None),  # elsewhere too
        (raising(IndexError("the same"), at=-0.5), None),  # nothing else is seen of it
    ],
)
def test_a_mistake_that_raises_is_known_by_the_type_and_by_what_it_does_elsewhere(answer, named):
    mistakes = (
        Mistake("an index", "It counts.", raising(IndexError("list index out of range"))),
        Mistake("always", "It counts.", raising(IndexError("always"), at=-0.5)),
        *EXERCISE.mistakes,
    )
    exercise = dataclasses.replace(EXERCISE, by_hand=EXERCISE.by_hand[:1] + REFUSAL, mistakes=mistakes)
    found = {row.check: row.mistake for row in exercise.judge(answer, 0).rows}
    assert found["refusal"] == named


def test_two_mistakes_that_raise_the_same_in_other_words_are_not_taken_for_each_other():
    mistakes = tuple(Mistake(words, words, raising(IndexError(words))) for words in ("one", "two"))
    exercise = dataclasses.replace(EXERCISE, by_hand=EXERCISE.by_hand[:1] + REFUSAL, mistakes=mistakes)
    name = lambda words: exercise.judge(raising(IndexError(words)), 0).rows[1].mistake
    assert (name("one"), name("two"), name("three")) == ("one", "two", None)
