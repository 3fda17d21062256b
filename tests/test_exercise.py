"""A right answer in any style is right, a wrong one never is, and what is wrong is said with numbers and by name."""

import dataclasses
import functools
import re
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minillm.grader import guard, trial
from minillm.grader.counterexample import TOLERANCE, differing, equal, first_fault, inputs, plain_to_see, show
from minillm.grader.diagnosis import TWICE, Diagnosis
from minillm.grader.exercise import Changed, Exercise, Mistake, Part, Probe, article
from minillm.grader.there_and_back import LATE, ThereAndBack

# A small exercise, y = w * x ** power, so that every test is fast and can be followed.


def power(x, w, *, power=2):
    """The answer key."""

    def backward(dy):
        return power * w * x ** (power - 1) * dy, (x**power * dy).reshape(-1, len(w)).sum(0)

    return w * x**power, backward


def in_loops(x, w, *, power=2):
    """The same, one number at a time."""
    y = np.zeros(x.shape)
    for *n, c in np.ndindex(x.shape):
        y[*n, c] = w[c] * x[*n, c] ** power
    return y


def made(there=None, dx=None, dw=None, grads=None):
    """An answer with some of its steps written differently."""

    def answer(x, w, *, power=2):
        y = there(x, w, power) if there else w * x**power

        def backward(dy):
            d = dx(x, w, power, dy) if dx else power * w * x ** (power - 1) * dy
            e = dw(x, w, power, dy) if dw else (x**power * dy).reshape(-1, len(w)).sum(0)
            return grads(d, e) if grads else (d, e)

        return y, backward

    return answer


def draw(rng):
    for shape in [(3, 2), (2, 3, 4), (5,)]:
        yield Probe(
            {"x": rng.normal(size=shape), "w": rng.normal(size=shape[-1])}, rng.normal(size=shape), {"power": 3}
        )


HAND = Probe({"x": np.array([[1.0, 3.0]]), "w": np.array([2.0, 1.0])}, np.array([[1.0, 0.0]]))
HALVES = Mistake(
    "the 2 forgotten", "The power comes down as a factor.", made(dx=lambda x, w, n, dy: w * x ** (n - 1) * dy)
)
PLUS = Mistake("added", "It is w times, not w plus.", made(lambda x, w, n: w + x**n))
UNSUMMED = Mistake("not summed", "Every row used w.", made(dw=lambda x, w, n, dy: x**n * dy))
EXERCISE = ThereAndBack(
    name="power",
    notebook="00_power",
    answer=power,
    spec=in_loops,
    parts=(
        Part("y", 1, "on {drawn} random arrays", shows=("x", "w", "power")),
        Part("dx", 2, "fine", shows=("x", "w", "power", "dy")),
        Part("dw", 1, "fine", shows=("x", "power", "dy")),
        Part("arguments", 1, "left alone", needs=("dx", "dw")),
    ),
    by_hand=(HAND,),
    draw=draw,
    mistakes=(HALVES, PLUS, UNSUMMED),
    hints=("a", "b", "c"),
    lines=3,
    minutes=5,
    difficulty=1,
)


def judged(answer, exercise=EXERCISE, seed=0):
    """The rows by part, and the notes."""
    judgement = exercise.judge(answer, seed)
    return {row.check: row for row in judgement.rows}, judgement.notes


def got(answer, **options):
    return {name: row.got for name, row in judged(answer, **options)[0].items()}


FULL = {"y": 1, "dx": 2, "dw": 1, "arguments": 1}


def test_the_librarys_own_and_right_answers_have_all_points():
    for answer in (power, made(), made(grads=lambda d, e: [d, e]), functools.partial(made())):
        rows, notes = judged(answer)
        assert {name: row.got for name, row in rows.items()} == FULL and notes == ()
    assert rows["y"].message == "on 4 random arrays" and EXERCISE.points == 5


def test_the_first_thing_shown_was_made_by_hand_and_each_thing_is_said_once():
    rows, _ = judged(PLUS.answer)
    assert rows["y"].message == (
        "x = [[1. 3.]]  w = [2. 1.]\nexpected [[2. 9.]]  yours [[3. 10.]]\nIt is w times, not w plus."
    )
    rows, _ = judged(made(lambda x, w, n: w + x**n, dx=lambda x, w, n, dy: dy))
    assert rows["dx"].message == "the same  dy = [[1. 0.]]\nexpected [[4. 0.]]  yours [[1. 0.]]"


def test_where_it_is_only_seen_at_random_the_worst_number_is_shown():
    rows, _ = judged(made(lambda x, w, n: w * x**n * (1 + (x.ndim == 3))))
    assert re.search(r"x \(2, 3, 4\)  w \(4,\)  power = 3\ny\[\d, \d, \d\]: expected \S+  yours", rows["y"].message)
    assert "(24 of 24 numbers are off)" in rows["y"].message


def test_a_known_mistake_is_named_and_an_unknown_one_is_not():
    rows, _ = judged(HALVES.answer)
    assert rows["dx"].mistake == "the 2 forgotten" and rows["dx"].message.endswith(
        "\nThe power comes down as a factor."
    )
    assert rows["y"].mistake is None and rows["y"].got == 1
    rows, _ = judged(made(dx=lambda x, w, n, dy: 5 * dy))
    assert rows["dx"].mistake is None and rows["dx"].message.count("\n") == 1


def test_of_two_mistakes_at_once_each_is_named_in_its_own_part():
    rows, _ = judged(made(dx=lambda x, w, n, dy: w * x ** (n - 1) * dy, dw=lambda x, w, n, dy: x**n * dy))
    assert (rows["dx"].mistake, rows["dw"].mistake) == ("the 2 forgotten", "not summed")


def test_an_answer_is_named_only_if_it_agrees_at_every_probe():
    nearly = made(dx=lambda x, w, n, dy: w * x ** (n - 1) * dy * (1 + (x.ndim == 1)))
    assert judged(nearly)[0]["dx"].mistake is None


def test_not_a_number_tells_mistakes_apart():
    void = lambda x, w, n, dy: np.where(x == 1, np.nan, dy)
    zero = lambda x, w, n, dy: np.where(x == 1, 0.0, dy)
    bank = (Mistake("zero", "", made(dx=zero)), Mistake("void", "", made(dx=void)))
    exercise = dataclasses.replace(EXERCISE, mistakes=bank)
    assert judged(made(dx=void), exercise)[0]["dx"].mistake == "void"
    assert judged(made(dx=zero), exercise)[0]["dx"].mistake == "zero"


def test_a_gradient_that_is_right_for_a_wrong_y_waits_for_y():
    rows, _ = judged(made(lambda x, w, n: x**n + 5 * w * x, dx=lambda x, w, n, dy: (n * x ** (n - 1) + 5 * w) * dy))
    assert rows["dx"].status == "FAIL" and rows["dx"].message.endswith("dx is right for your y: mend y first.")
    assert "mend" not in rows["dw"].message


def test_a_gradient_of_a_y_that_is_not_a_number_is_not_called_right():
    far = Probe({"x": np.array([[9.0, 1]]), "w": np.ones(2)}, np.ones((1, 2)))
    exercise = dataclasses.replace(EXERCISE, by_hand=(HAND, HAND, far))
    void = lambda f: lambda x, w, n, *dy: np.where(x == 9, np.nan, f(x, w, n, *dy))
    there, dx = lambda x, w, n: 2 * w * x**n, lambda x, w, n, dy: 2 * n * w * x ** (n - 1) * dy
    assert "mend y first" in judged(made(there, dx), exercise)[0]["dx"].message
    assert "mend" not in judged(made(void(there), void(dx)), exercise)[0]["dx"].message


def test_a_gradient_that_fits_its_y_elsewhere_but_not_where_it_is_shown_is_not_called_right():
    far = Probe({"x": np.array([[9.0, 1]]), "w": np.ones(2)}, np.ones((1, 2)))
    exercise = dataclasses.replace(EXERCISE, by_hand=(HAND, HAND, far))
    clipped = made(
        lambda x, w, n: w * np.minimum(x, 8) ** n, lambda x, w, n, dy: n * w * np.minimum(x, 8) ** (n - 1) * dy
    )
    assert judged(clipped, exercise)[0]["dx"].message.startswith("the same") and clipped
    assert "mend" not in judged(clipped, exercise)[0]["dx"].message


def test_a_mistake_is_not_named_under_a_part_that_was_not_reached():
    def crash(x, w, n):
        if x.ndim == 3:
            raise KeyError(x.size)
        return w * x**n

    bank = (Mistake("crash", "Too many axes.", made(lambda x, w, n: crash(x, w, n) + (x.ndim == 1))),)
    rows, _ = judged(made(crash), dataclasses.replace(EXERCISE, mistakes=bank))
    assert rows["dx"].message == "not reached: what comes before it failed" and rows["dx"].mistake is None


def test_a_number_that_is_an_option_is_shown_where_an_answer_raised_something():
    def answer(x, w, *, power=2):
        return w * [0, 0, x**2][power], None

    assert "power = 3\nraised IndexError" in judged(answer)[0]["y"].message
    assert inputs(dataclasses.replace(HAND, options={"loud": True}), ("loud",)) == "loud = True"


def test_both_gradients_by_finite_differences_alone_would_pass_a_wrong_answer():
    wrong = made(lambda x, w, n: 2 * w * x**n, lambda x, w, n, dy: 2 * n * w * x ** (n - 1) * dy)
    assert got(wrong)["dx"] == 0


def test_what_backward_needs_must_belong_to_its_own_call():
    kept = {}

    def answer(x, w, *, power=2):
        kept.update(x=x, power=power)

        def backward(dy):
            x, n = kept["x"], kept["power"]
            return n * w * x ** (n - 1) * dy, (x**n * dy).reshape(-1, len(w)).sum(0)

        return w * x**power, backward

    rows, _ = judged(answer)
    assert rows["y"].got == 1 and rows["dx"].mistake == LATE[0] and LATE[1] in rows["dx"].message


# What comes back is not what was asked for

NO_Y = "not reached: what comes before it failed"


@pytest.mark.parametrize(
    "value, says",
    [
        (None, "returned None, but `return y, backward` is due"),
        ("y", "returned a str, but `return y, backward` is due"),
        (np.ones((1, 2)), "returned an array (1, 2), but `return y, backward` is due"),
        ((1, 2, 3), "returned 3 things, but `return y, backward` is due"),
        ({}, "returned a dict, but"),
        ((None, len), "y is None, but an array of floating-point numbers is due"),
        (([1.0], len), "y is a list, but an array"),
        ((np.array([[1, 2]]), len), "y holds integers (int64), but an array of floating-point numbers is due"),
        ((np.array([[True, False]]), len), "y holds booleans (bool), but"),
        ((np.array([[1j, 0]]), len), "y holds complex numbers (complex128), but"),
        ((np.array([[None, 0]]), len), "y holds objects (object), but"),
        ((np.array([["a", "b"]]), len), "y holds no numbers (<U1), but"),
        ((np.ones((2, 2)), len), "y has shape (2, 2), but it must be (1, 2)"),
        ((np.float64(3), len), "y is one number, but it must have shape (1, 2)"),
        ((np.ones((2, 1)), len), "y has shape (2, 1), but it must be (1, 2)"),
        ((np.full((1, 2), np.nan), len), "expected [[2. 9.]]  yours [[nan nan]]"),
        ((np.full((1, 2), np.inf), len), "expected [[2. 9.]]  yours [[inf inf]]"),
        ((np.broadcast_to(1.0, (10**6, 10**6)), len), "y has shape (1000000, 1000000): far more numbers than went in"),
    ],
)
def test_a_wrong_y_is_said_in_one_line(value, says):
    rows, _ = judged(lambda x, w, *, power=2: value)
    assert says in rows["y"].message and rows["y"].status == "FAIL" and rows["y"].got == 0


@pytest.mark.parametrize(
    "value, says",
    [
        (None, "backward returned None, but 2 gradients are due: dx, dw"),
        (np.ones((1, 2)), "backward returned an array (1, 2), but 2 gradients are due: dx, dw"),
        ((np.ones((1, 2)),), "backward returned 1 gradients, but 2 are due: dx, dw"),
        ((1, 2, 3), "backward returned 3 gradients, but 2 are due"),
        ("ab", "backward returned a str, but"),
        ((g for g in ()), "backward returned a generator, but"),
        (("a", "b"), "dx is a str, but an array of floating-point numbers is due"),
        ((None, None), "dx is None, but an array"),
        ((np.array(["a"]), 0), "dx holds no numbers (<U1)"),
        ((np.ones(2), np.ones(2)), "dx has shape (2,), but it must be (1, 2)"),
    ],
)
def test_a_wrong_gradient_is_said_in_one_line_and_y_keeps_its_points(value, says):
    rows, _ = judged(lambda x, w, *, power=2: (w * x**power, lambda dy: value))
    assert says in rows["dx"].message and rows["y"].got == 1 and rows["dx"].got == 0


def test_a_backward_that_is_no_function_is_said_so():
    rows, _ = judged(lambda x, w, *, power=2: (w * x**power, 5))
    assert rows["dx"].message == "backward is an int, but a function is due"
    assert rows["dw"].message == "" and rows["y"].got == 1


def test_a_stub_gets_nothing_and_is_no_failure():
    def stub(x, w, *, power=2):
        raise NotImplementedError("your turn: y, dx, dw")

    rows, _ = judged(stub)
    assert {row.status for row in rows.values()} == {"todo"} and not any(row.got for row in rows.values())
    assert rows["y"].message == "not written yet: your turn: y, dx, dw" and rows["dx"].message == ""


def test_half_an_answer_gets_what_it_has():
    def half(x, w, *, power=2):
        def backward(dy):
            raise NotImplementedError("your turn: dx, dw")

        return w * x**power, backward

    rows, _ = judged(half)
    assert [row.got for row in rows.values()] == [1, 0, 0, 0]
    assert [row.status for row in rows.values()] == ["ok", "todo", "todo", "todo"]


def test_an_exception_shows_its_line_and_what_went_in_and_the_rest_is_judged():
    def answer(x, w, *, power=2):
        y = w * x**power
        return y, lambda dy: dy @ w @ w

    rows, _ = judged(answer)
    assert rows["y"].got == 1
    given, says = rows["dx"].message.split("\n")
    assert given == "x = [[1. 3.]]  w = [2. 1.]"
    assert re.match(r"raised ValueError: matmul: .* in line \d+: return y, lambda dy: dy @ w @ w$", says)


def test_an_error_for_some_shapes_only_is_an_error():
    def answer(x, w, *, power=2):
        B, C = x.shape
        return made()(x, w, power=power)

    rows, _ = judged(answer)
    assert "raised ValueError: too many values to unpack" in rows["y"].message and rows["dx"].got == 0


def test_a_loop_that_does_not_end_costs_one_wait_and_the_other_parts_go_on(monkeypatch):
    monkeypatch.setattr(guard, "SECONDS", 0.1)
    waits = []

    def answer(x, w, *, power=2):
        def backward(dy):
            waits.append(1)
            while True:
                pass

        return w * x**power, backward

    rows, _ = judged(answer)
    assert rows["y"].got == 1 and rows["dx"].message.startswith("was stopped after 0.1 seconds, in line")
    assert rows["dw"].message == "" and rows["arguments"].status == "FAIL"
    assert len(waits) == 1


def test_an_answer_that_ends_but_is_slow_is_stopped_too(monkeypatch):
    monkeypatch.setattr(trial, "BUDGET", 0.05)
    slow = lambda x, w, n: (time.sleep(0.03), w * x**n)[1]
    rows, _ = judged(made(slow))
    assert rows["y"].message.startswith("was stopped") and rows["dx"].got == 0


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, w, *, power=2: (np.zeros_like(x), lambda dy: (np.zeros_like(x), np.zeros_like(w))),
        lambda x, w, *, power=2: (x * 1, lambda dy: (dy * 1, w * 1)),
        lambda x, w, *, power=2: (np.ones_like(x), lambda dy: (np.ones_like(x), np.ones_like(w))),
        lambda x, w, *, power=2: (x, lambda dy: dy),
        lambda *a, **k: None,
        print,
        len,
        dict,
        type,
        Exercise,
        lambda: 1,
        lambda x: x,
    ],
)
def test_garbage_earns_nothing(answer):
    assert set(got(answer).values()) == {0}


# Arguments are left alone


def in_place(array):
    array[...] = -array
    return array


def total(rows, w):
    return rows.reshape(-1, len(w)).sum(0)


@pytest.mark.parametrize(
    "answer, says",
    [
        (made(lambda x, w, n: (w * x**n, in_place(x))[0]), "x was changed in place, by [[-2. -6.]]"),
        (made(lambda x, w, n: (w * x**n, in_place(w))[0]), "w was changed in place, by [-4. -2.]"),
        (made(dw=lambda x, w, n, dy: (total(x**n * dy, w), in_place(dy))[0]), "dy was changed in place, by [[-2. 0.]]"),
    ],
)  # fmt: skip
def test_what_was_changed_in_place_is_named_with_by_how_much(answer, says):
    rows, _ = judged(answer)
    assert rows["arguments"].message.startswith(says) and rows["arguments"].got == 0 and rows["y"].got == 1


def test_a_y_that_backward_changes_later_is_noticed():
    def answer(x, w, *, power=2):
        y = w * x**power
        _, back = made()(x, w, power=power)
        return y, lambda dy: (back(dy), in_place(y))[0]

    rows, _ = judged(answer)
    assert rows["arguments"].message.startswith("y was changed after it had been returned, by [[-4. -18.]]")
    assert rows["y"].got == 1


def test_a_result_that_is_its_argument_or_a_view_of_it_is_noticed():
    same = dataclasses.replace(
        EXERCISE,
        spec=lambda x, w, *, power=2: x * 1,
        answer=lambda x, w, *, power=2: (x * 1, lambda dy: (dy * 1, w * 0)),
    )
    rows, _ = judged(lambda x, w, *, power=2: (x[:], lambda dy: (dy[..., ::1], w * 0)), same)
    assert rows["arguments"].message == (
        "y is x itself, or a view of it: whoever changes one changes both; return a new array"
    )
    assert rows["y"].got == 1 and rows["dx"].got == 2
    rows, _ = judged(lambda x, w, *, power=2: (x * 1, lambda dy: (dy, w * 0)), same)
    assert rows["arguments"].message.startswith("dx is dy itself")


def test_an_array_among_the_options_is_left_alone_too():
    option = lambda rng: (dataclasses.replace(p, options={"power": 3, "mask": np.ones(2)}) for p in draw(rng))
    takes = lambda f: lambda x, w, *, power=2, mask=None: f(x, w, power=power)

    def changes(x, w, *, power=2, mask=None):
        if mask is not None:
            mask[0] = 5
        return made()(x, w, power=power)

    exercise = dataclasses.replace(EXERCISE, answer=takes(power), spec=takes(in_loops), draw=option, mistakes=())
    assert judged(takes(made()), exercise)[0]["arguments"].got == 1
    assert judged(changes, exercise)[0]["arguments"].message.startswith("mask was changed in place, by [4. 0.]")


def test_not_a_number_in_an_argument_is_no_change():
    with_nan = dataclasses.replace(HAND, options={"mask": np.array([np.nan, -0.0])})
    run = trial.Trial(with_nan)
    assert run.changed() == {}
    run.options["mask"][0] = 0
    assert [*run.changed()] == ["mask"]


def test_leaving_arguments_alone_is_worth_nothing_before_a_gradient_is_right():
    rows, _ = judged(made(dx=lambda x, w, n, dy: 0 * x, dw=lambda x, w, n, dy: 0 * w))
    assert rows["arguments"].status == "todo" and rows["arguments"].got == 0
    assert rows["arguments"].message == "counts once dx or dw is right"


def test_probes_are_never_changed_by_an_answer():
    wild = made(lambda x, w, n: (w * x**n, in_place(x))[0])
    judged(wild)
    assert (HAND.arrays["x"] == [[1, 3]]).all() and (HAND.dy == [[1, 0]]).all()


# dtypes and rounding


def test_float32_in_and_float64_out_is_a_remark_and_costs_nothing():
    lifted = made(lambda x, w, n: np.float64(1) * w * x**n)
    rows, notes = judged(lifted)
    assert {name: row.got for name, row in rows.items()} == FULL
    assert notes == ("float32 goes in, but y comes out as float64. It costs no points here, but a model slows down.",)


def test_a_single_number_in_float64_slows_nothing_down():
    def total(x, *, weight=1.0):
        return weight * (x * x).sum(), lambda dy: 2 * weight * x * dy

    spec = lambda x, *, weight=1.0: np.array(weight * sum(a * a for a in x.ravel()))
    probe = lambda x: Probe({"x": np.array(x, float)}, np.array(1.0))
    parts = (Part("y", 1, "fine"), Part("dx", 1, "fine"), Part("arguments", 1, "fine", needs=("dx",)))
    sum_of_squares = dataclasses.replace(
        EXERCISE,
        answer=total,
        spec=spec,
        by_hand=(probe([1, 2]),),
        parts=parts,
        mistakes=(),
        draw=lambda rng: [probe(rng.normal(size=3))],
    )
    lifted = lambda x, *, weight=1.0: (float(total(x)[0]), total(x)[1])
    rows, notes = judged(lifted, sum_of_squares)
    assert sum(row.got for row in rows.values()) == 3 and notes == ()
    rows, _ = judged(lambda x, *, weight=1.0: (total(x)[0], lambda dy: (2 * x * dy, None)), sum_of_squares)
    assert rows["dx"].message == "backward returned 2 gradients, but 1 is due: dx"


def test_float64_in_and_float32_out_is_a_remark_unless_the_numbers_suffer():
    lowered = made(lambda x, w, n: (w * x**n).astype(np.float32))
    rows, notes = judged(lowered)
    assert rows["y"].got == 1 and notes[0].startswith("float64 goes in, but y comes out as float32")
    assert got(made(lambda x, w, n: np.round(w * x**n, 1).astype(np.float32)))["y"] == 0


@pytest.mark.parametrize("miss, right", [(1e-12, True), (1e-9, True), (1e-5, False), (1e-3, False)])
def test_rounding_is_forgiven_and_errors_are_not(miss, right):
    off = made(lambda x, w, n: w * x**n * (1 + miss), dx=lambda x, w, n, dy: n * w * x ** (n - 1) * dy * (1 + miss))
    points = got(off)
    assert (points["y"], points["dx"]) == ((1, 2) if right else (0, 0))


def test_a_subclass_of_an_array_is_judged_by_its_numbers():
    class Odd(np.ndarray):
        def __eq__(self, other):
            raise SystemError

        def __array_ufunc__(self, *a, **k):
            raise SystemError

        __hash__ = None

    odd = lambda a: np.ndarray.view(a, Odd)
    rows, _ = judged(made(lambda x, w, n: odd(w * x**n), grads=lambda d, e: (odd(d), np.ma.masked_array(e))))
    assert {name: row.got for name, row in rows.items()} == FULL


def test_what_is_printed_is_told_once():
    def chatty(x, w, *, power=2):
        print("x is", x.shape)
        return made()(x, w, power=power)

    rows, notes = judged(chatty)
    assert notes == ("It printed 5 lines; the first: x is (1, 2); x is (3, 2); x is (2, 3, 4)",)
    assert {name: row.got for name, row in rows.items()} == FULL


# Who judges the judge


@pytest.mark.parametrize(
    "answer, says",
    [
        (PLUS.answer, "minillm's own power does not give what its definition says"),
        (HALVES.answer, "minillm's own power has a wrong gradient"),
    ],
)
def test_if_the_two_witnesses_disagree_nobody_is_blamed(answer, says):
    with pytest.raises(Changed, match=says):
        judged(made(), dataclasses.replace(EXERCISE, answer=answer))


def test_an_answer_has_done_all_its_work_before_the_truth_is_computed():
    log = []

    class Logged(ThereAndBack):
        def truth(self, probes):
            log.append("truth")
            return super().truth(probes)

    def answer(x, w, *, power=2):
        log.append("answer")
        y, back = made()(x, w, power=power)
        return y, lambda dy: (log.append("answer"), back(dy))[1]

    fields = {f.name: getattr(EXERCISE, f.name) for f in dataclasses.fields(EXERCISE)}
    Logged(**fields).judge(answer, 0)
    assert log == ["answer"] * 10 + ["truth"]


def test_other_seeds_ask_other_questions_and_the_same_seed_the_same():
    numbers = lambda seed: [probe.arrays["x"].tobytes() for probe in EXERCISE.probes(seed)]
    assert numbers(1) == numbers(1)
    assert numbers(1)[0] == numbers(2)[0] and not set(numbers(1)[1:]) & set(numbers(2)[1:])


def test_minillms_own_function_is_recognised_however_it_is_wrapped():
    thin = lambda x, w, **options: power(x, w, **options)

    def later(x, w, *, power=2):
        return in_loops(x, w, power=power), lambda dy: (dy, w)

    for answer in (power, functools.partial(power), thin, lambda *a, **k: thin(*a, **k), later):
        assert EXERCISE.judge(answer, 0).borrowed
    assert not EXERCISE.judge(made(), 0).borrowed


def test_a_tree_is_judged_leaf_by_leaf():
    def tree(x, p, *, power=2):
        y, back = made()(x, p["w"], power=power)
        return y, lambda dy: (lambda dx, dw: (dx, {"w": dw}))(*back(dy))

    as_tree = lambda probe: dataclasses.replace(probe, arrays={"x": probe.arrays["x"], "p": {"w": probe.arrays["w"]}})
    exercise = dataclasses.replace(
        EXERCISE,
        answer=tree,
        spec=lambda x, p, **o: in_loops(x, p["w"], **o),
        by_hand=(as_tree(HAND),),
        draw=lambda rng: map(as_tree, draw(rng)),
        parts=(
            *EXERCISE.parts[:2],
            Part("dp", 1, "fine", shows=("x", "dy")),
            Part("arguments", 1, "fine", needs=("dp",)),
        ),
        mistakes=(),
    )
    back = lambda f: lambda x, p, **o: (lambda y, b: (y, lambda dy: (b(dy)[0], f(b(dy)[1]))))(*tree(x, p, **o))
    assert judged(back(lambda dp: dict(dp)), exercise)[0]["dp"].got == 1
    for f, says in [
        (lambda dp: dp["w"], "dp is an array (2,), but it must have the key w"),
        (lambda dp: {}, "dp has nothing in it, but it must have the key w"),
        (lambda dp: {"w": None}, "dp.w is None, but an array"),
        (lambda dp: {**dp, "v": 1.0}, "dp has the keys w, v, but it must have the key w"),
        (lambda dp: {"w": 2 * dp["w"]}, "expected [1. 0.]  yours [2. 0.]"),
    ]:
        rows, _ = judged(back(f), exercise)
        assert says in rows["dp"].message and rows["dx"].got == 2, says


def test_what_strains_an_answer_is_said_and_costs_nothing():
    far = Probe({"x": np.array([[1e6, 1.0]]), "w": np.ones(2)}, np.ones((1, 2)))
    exercise = dataclasses.replace(EXERCISE, strain=((far, "far from 0"),))
    weak = made(lambda x, w, n: w * np.where(x > 1e5, 0, x) ** n)
    assert judged(made(), exercise) == (judged(made())[0], ())
    rows, notes = judged(weak, exercise)
    assert notes == ("far from 0",) and {name: row.got for name, row in rows.items()} == FULL


# Whatever comes back

DTYPES = ["f8", "f4", "f2", "i4", "?", "c16", "O", "U3", "M8[s]", "V4", [("a", "f8")]]
ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.sampled_from([object(), len, int, ..., NotImplemented, range(3), np.float32(1), np.int8(3), np, 1j]),
        st.sampled_from(DTYPES).map(lambda t: np.zeros((1, 2), t)),
        st.sampled_from([(), (0,), (2,), (1, 2), (2, 1), (1, 2, 1)]).map(np.ones),
        st.sampled_from([np.nan, np.inf, -np.inf, 1e308]).map(lambda v: np.full((1, 2), v)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=1), inner, max_size=2),
        inner.map(lambda v: lambda *a: v),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(whole=ODD, y=ODD, back=ODD, where=st.sampled_from(["whole", "y", "backward", "both"]))
def test_whatever_is_returned_is_judged_and_never_raises(whole, y, back, where):
    def answer(x, w, *, power=2):
        if where == "whole":
            return whole
        return (y if where != "backward" else w * x**power), (lambda dy: back) if where != "y" else back

    rows, _ = judged(answer)
    assert all(row.status in ("ok", "FAIL", "todo") and type(row.message) is str for row in rows.values())
    assert sum(row.got for row in rows.values()) <= 1  # y, where it was left right


class Hostile:
    """An object that raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise SystemExit(name)

    def __len__(self):
        raise RecursionError

    __iter__ = __eq__ = __bool__ = __hash__ = __repr__ = __str__ = __array__ = __float__ = __call__ = __len__


class HostileTuple(tuple):
    __iter__ = __len__ = __getitem__ = __eq__ = Hostile.__len__
    __hash__ = None


class HostileDict(dict):
    items = keys = __iter__ = __len__ = __getitem__ = values = Hostile.__len__


def test_hostile_objects_do_no_harm():
    for thing in (Hostile(), Hostile, HostileTuple((1, 2)), HostileDict(a=1)):
        for answer in (
            lambda x, w, *, power=2, thing=thing: thing,
            lambda x, w, *, power=2, thing=thing: (thing, thing),
            lambda x, w, *, power=2, thing=thing: (w * x**power, lambda dy: thing),
            lambda x, w, *, power=2, thing=thing: (w * x**power, lambda dy: (thing, thing)),
        ):
            rows, _ = judged(answer)
            assert sum(row.got for row in rows.values()) <= 1


def test_a_coroutine_is_a_wrong_type_and_nobody_complains_later(recwarn):
    async def answer(x, w, *, power=2):
        return 1

    assert judged(answer)[0]["y"].message.startswith("returned a coroutine")
    assert not recwarn.list


# Numbers on a line


@pytest.mark.parametrize(
    "array, text",
    [
        ([[1.0, 3]], "[[1. 3.]]"),
        ([[1, 3], [123456, -2]], "[[1 3] [123456 -2]]"),
        ([[0.5, -0.5]], "[[0.5 -0.5]]"),
        ([158.11388, 1e-9], "[158.1 1e-09]"),
        ([2.56e17, 384.0, 0.5], "[2.56e+17 384. 0.5]"),
        ([20000.0, 1.5], "[20000. 1.5]"),
        ([True, False], "[True False]"),
        (np.True_, "True"),
        ([[1.0, 2.0], [3.0, 4.0]], "[[1. 2.] [3. 4.]]"),
        ([-0.0, 1, -1e-20], "[-0. 1. -1e-20]"),
        (-1e-20, "-1e-20"),
        ([50000.0, 123456.0, 123456.7], "[50000. 123456. 123500.]"),
        ([np.nan, np.inf, -np.inf, 1], "[nan inf -inf 1.]"),
        (1e20, "1e+20"),
        (2.0, "2."),
        (2, "2"),
    ],
)  # fmt: skip
def test_an_array_is_shown_as_on_paper(array, text):
    assert show(array) == text


def test_beside_another_what_is_tiny_is_nothing():
    assert (show([0.5, 5e-6], [1.0, 2.0]), show([-0.0, 1, -1e-20], [1, 1, 1])) == ("[0.5 0.]", "[0. 1. 0.]")
    assert show([2.56e17, 384.0, 0.5, 1e-5], [1.0] * 4) == "[2.56e+17 384. 0.5 0.]"
    assert (show([0.9, 1e-5], [0.9, 2e-5]), show([1e-9, 1e-8], [1, 1])) == ("[0.9 1e-05]", "[0. 0.]")
    assert show([1e-9, 1e-8, 1e-14], [0, 0, 0]) == "[1e-09 1e-08 0.]"


def test_two_arrays_that_differ_never_look_alike():
    assert (show([1, 3], [1, 2.5]), show([1, 2.5], [1, 3])) == ("[1. 3.]", "[1. 2.5]")
    assert (show([1.00001], [1.0]), show([1.0], [1.00001])) == ("[1.00001]", "[1.]")
    assert show([0.1], [0.1 + 2e-16]) != show([0.1 + 2e-16], [0.1])
    assert show([1.0, 5.0], [1.0, 5.0]) == "[1. 5.]"
    assert (show([1, 2], []), show([], [1, 2])) == ("[1 2]", "[]")
    assert (show([True, False], [2, 0]), show([2, 0], [True, False])) == ("[True False]", "[2 0]")
    assert show([1.0, 1e-14], [1.0, 2e-14]) != show([1.0, 2e-14], [1.0, 1e-14])
    with np.printoptions(precision=1, suppress=True, legacy="1.13"):
        assert show([0.125]) == "[0.125]"


def test_differing_knows_nan_infinity_and_scale():
    want = np.array([1.0, 1e6, np.nan, np.inf, 0.0])
    assert not differing(want.copy(), want, 1e-7).any()
    assert differing(want + [0, 0, 0, 0, 0.2], want, 1e-7).tolist() == [False] * 4 + [True]
    assert differing(want + [0, 0, 0, 0, 0.05], want, 1e-7).tolist() == [False] * 5  # beside a million
    assert differing(np.array([np.nan, np.inf, -np.inf]), np.array([1.0, 1.0, np.inf]), 1e-7).all()


def test_dicts_of_arrays_are_equal_by_keys_shapes_and_numbers():
    one = {"a": np.ones(2)}
    assert equal(one, {"a": np.ones(2) + 1e-9}) and not equal(one, {"a": np.ones(2) + 1e-6})
    assert not equal(one, {"b": np.ones(2)}) and not equal(one, {"a": np.ones((1, 2))}) and not equal(one, {})
    assert equal({"a": np.ones(2, np.float32)}, {"a": np.ones(2) + 1e-6})
    assert plain_to_see(one, {"a": np.ones(2) * 1.1}) and not plain_to_see(one, {"a": np.ones(2) * 1.001})
    assert plain_to_see(one, {"a": np.ones(3)}) and plain_to_see(one, {"b": np.ones(2)})


def test_the_tolerance_is_that_of_the_coarsest_dtype():
    off = {"a": np.ones((1, 2)) * (1 + 1e-5)}
    assert first_fault(off, {"a": np.ones((1, 2))}, HAND)
    assert not first_fault({"a": off["a"].astype(np.float32)}, {"a": np.ones((1, 2))}, HAND)
    assert TOLERANCE["float64"] < TOLERANCE["float32"] <= 1e-3


def test_what_went_in_is_shown_whole_only_if_it_is_small():
    probe = dataclasses.replace(HAND, options={"eps": 0.5, "ids": np.arange(3)}, label="twice:")
    assert inputs(probe, ("x", "eps", "dy")) == "twice:  x = [[1. 3.]]  eps = 0.5  dy = [[1. 0.]]"
    assert inputs(probe, ("x", "nothing"), label=False) == "x = [[1. 3.]]"
    large = dataclasses.replace(HAND, arrays={"x": np.ones((3, 3)), "w": np.ones(2)})
    assert inputs(large, ("x", "w")) == "x (3, 3)  w (2,)"


def test_the_gradient_that_comes_in_has_the_name_that_the_exercise_gives_it():
    parts = [
        dataclasses.replace(part, shows=tuple("dz" if name == "dy" else name for name in part.shows))
        for part in EXERCISE.parts
    ]
    named = dataclasses.replace(EXERCISE, parts=tuple(parts), by_hand=(dataclasses.replace(HAND, back="dz"),))
    rows, _ = judged(made(dx=lambda x, w, n, dy: dy), named)
    assert rows["dx"].message == "x = [[1. 3.]]  w = [2. 1.]  dz = [[1. 0.]]\nexpected [[4. 0.]]  yours [[1. 0.]]"

    def halves(x, w, n, dy):
        dy *= 0.5
        return n * w * x ** (n - 1) * dy * 2

    assert judged(made(dx=halves), named)[0]["arguments"].message.startswith("dz was changed in place")
    rows, _ = judged(made(grads=lambda d, e: (d, e), dx=lambda x, w, n, dy: dy), named)
    assert rows["arguments"].message.startswith("dx is dz itself")


def test_a_thing_is_called_by_its_type():
    named = type("", (), {})
    assert [article(t) for t in (None, 1, [], np.ones(2), named())] == [
        "None",
        "an int",
        "a list",
        "an array (2,)",
        "a ",
    ]


# An exercise without a function

CLINIC = Diagnosis(
    name="clinic",
    notebook="00_clinic",
    cases={"A": "healthy", "B": "ill"},
    words=("healthy", "ill", "dead"),
    evidence=lambda case, word: f"{case} is not {word}, as you see",
    parts=(Part("A", 1, "yes"), Part("B", 1, "yes")),
    mistakes=(),
    hints=("a", "b", "c"),
    lines=1,
    minutes=1,
    difficulty=1,
)


@pytest.mark.parametrize(
    "answer, points, says",
    [
        ({"A": "healthy", "B": "ill"}, 2, "yes"),
        ({" b ": "Ill", "a": "  healthy"}, 2, "yes"),
        ({"A": "healthy"}, 1, "no diagnosis yet"),
        ({}, 0, "no diagnosis yet"),
        ({"A": None, "B": "?"}, 0, "no diagnosis yet"),
        ({"A": ..., "B": "..."}, 0, "no diagnosis yet"),
        ({"A": "healthy", "B": "dead"}, 1, "B is not dead, as you see"),
        ({"A": "healty", "B": "ill"}, 1, "'healty' is none of the diagnoses; did you mean 'healthy'?"),
        ({"A": "x", "B": "ill"}, 1, "'x' is none of the diagnoses; they are: healthy; ill; dead"),
        ({"A": 3, "B": "ill"}, 1, "a diagnosis is a few words, but this is an int"),
        ({"A": "ill", "B": "ill"}, 0, "'ill' was said of 2 cases"),
        ({"A": "word " * 10**5, "B": HostileDict()}, 0, "a diagnosis is a few words, but this is a HostileDict"),
    ],
)
def test_a_diagnosis_is_judged_case_by_case(answer, points, says):
    judgement = CLINIC.judge(answer, 0)
    assert sum(row.got for row in judgement.rows) == points
    assert any(row.message.startswith(says) for row in judgement.rows)


def test_a_wrong_diagnosis_has_a_name_and_strange_cases_are_passed_over():
    judgement = CLINIC.judge({"A": "dead", "B": "ill", "C": "ill", 4: "x"}, 0)
    assert [row.mistake for row in judgement.rows] == ["A is not dead", None]
    assert judgement.notes == ("Passed over, since the cases are A, B: 'C', 4.",)
    assert {row.mistake for row in CLINIC.judge({"A": "ill", "B": "ill"}, 0).rows} == {TWICE}


@pytest.mark.parametrize("answer", [None, [], "A", len, 3, {"A"}])
def test_only_a_dict_is_a_diagnosis(answer):
    assert CLINIC.unfit(answer) == f'it must be a dict like {{"A": "healthy", ...}}, but it is {article(answer)}'
    swapped = 'it must be a dict like {"A": "healthy", ...}; here cases and words stand in each other\'s place'
    assert CLINIC.unfit({"ill": "B", " Healthy": "A"}) == swapped
    assert CLINIC.unfit({"ill": "B", "A": "healthy"}) is CLINIC.unfit({}) is None
    assert CLINIC.unfit(HostileDict()) is None and not any(row.got for row in CLINIC.judge(HostileDict(A=1), 0).rows)


def test_the_solution_is_the_source_or_the_right_words():
    assert EXERCISE.solution().startswith("def power(") and CLINIC.solution() == "A: healthy\nB: ill"
