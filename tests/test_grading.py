"""What a learner sees: whatever is handed in gets clear lines and a score, and nothing that was reached is lost."""

import copy
import functools
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from minillm import backend, bank, gpt, grading, layers, specs
from minillm.bank.norms.layer_norm_right import loops, with_einsum
from minillm.bank.norms.layer_norm_wrong import MISTAKES
from minillm.check import using
from minillm.grader import guard
from minillm.grader import progress as diary
from minillm.grader.score import WIDTH, Score, fold
from minillm.grading import grade, hint, progress, ready, score, solution

MISTAKE = {mistake.name: mistake.answer for mistake in MISTAKES}
PARTS = ["y", "dx", "dg", "db", "arguments"]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No class, no seed, no checks; a progress file of its own; nothing tried and no hint seen yet."""
    for name in ("SEED", "CLASS", "CHECKS", "HEADLESS"):
        monkeypatch.delenv(f"MINILLM_{name}", raising=False)
    monkeypatch.setenv("MINILLM_PROGRESS", str(tmp_path / "kept" / "progress.json"))
    monkeypatch.setattr(diary, "TRIED", set())
    monkeypatch.setattr(grading, "SHOWN", {})
    return tmp_path / "kept" / "progress.json"


@pytest.fixture
def told(capsys):
    """What was printed since the last time."""
    return lambda: capsys.readouterr().out


def named(f, name="layer_norm"):
    """The same function under the exercise's name."""
    f = functools.partial(f)
    f.__name__ = name
    return f


def rows(result):
    return {row.check: row for row in result.rows}


def stub(x, g, b, *, eps=1e-5):
    raise NotImplementedError("your turn: y, dx, dg, db")


# What is printed


def test_a_wrong_answer_is_told_in_lines_that_can_be_followed_by_hand(told):
    result = grade(layer_norm=MISTAKE["variance treated as a constant"])
    lines = told().splitlines()
    assert lines[0] == "layer_norm".ljust(WIDTH - 5) + "3 / 5"
    assert lines[1] == "  ok    y            1 / 1    equals the definition on 17 random arrays"
    assert lines[2] == "  FAIL  dx           0 / 2    x = [[1. 3.]]  g = [1. 1.]  dy = [[1. 0.]]"
    assert lines[3] == "        expected [[0. 0.]]  yours [[0.5 -0.5]]"
    assert lines[4].startswith("        This is what comes out when the variance is treated as a constant.")
    assert lines[-1] == '  hint("layer_norm") says more.'
    assert result == 3 and [row.check for row in result.rows] == PARTS


def test_a_stub_is_told_whose_turn_it_is(told, alone):
    assert grade(layer_norm=stub) == 0
    lines = told().splitlines()
    assert lines[1] == "  ...   y            0 / 1    not written yet: your turn: y, dx, dg, db"
    assert [line[:5] for line in lines[1:]] == ["  ..."] * 5
    assert not alone.exists()


def test_the_seed_is_shown_only_if_a_random_array_told(told):
    grade(layer_norm=MISTAKE["gain forgotten"])
    assert "seed" not in told()

    def only_at_random(x, g, b, *, eps=1e-5):
        y, backward = loops(x, g, b, eps=eps)
        return y * (1 + (x.ndim == 4)), backward

    result = grade(layer_norm=only_at_random)
    assert f"seed {result.seed}: %env MINILLM_SEED={result.seed} brings them back." in told()
    assert score("layer_norm", only_at_random, seed=result.seed).rows == result.rows


def test_lines_are_folded_between_arrays_and_never_wider():
    long = "x = [[1. 2. 3.] [4. 5. 6.]]  dy = [[10.25 2. 3.] [4. 5. 6.]]  expected [1. 2.]  yours [[1. 2.] [3. 4.]]"
    lines = fold(long, "  FAIL  dx           0 / 2    ")
    assert all(len(line) <= WIDTH for line in lines)
    assert [line.strip() for line in lines] == [
        "FAIL  dx           0 / 2    x = [[1. 2. 3.] [4. 5. 6.]]",
        "dy = [[10.25 2. 3.] [4. 5. 6.]]  expected [1. 2.]  yours [[1. 2.] [3. 4.]]",
    ]
    assert all(len(line) <= WIDTH for line in fold("word" * 100 + " [" + "1. " * 100))
    assert fold("", "  head") == ["  head"]
    rows = " ".join(f"[{n}.25 {n}.5 {n}.75]" for n in range(10, 20))
    assert " ".join(line.strip() for line in fold(f"x = [{rows}]", "  FAIL  dx  ")) == f"FAIL  dx  x = [{rows}]"
    assert fold("pairs of this:  x = an array (1000,)  dy = an array (1000,)", "  FAIL  dx           0 / 1.5  ") == [
        "  FAIL  dx           0 / 1.5  pairs of this:  x = an array (1000,)",
        "        dy = an array (1000,)",
    ]
    text = f"text = {'a ' * 20 + 'b ' * 15!r}"
    assert fold(f"{text}  n = 2", "  FAIL  words        0 / 0.5  ") == [
        "  FAIL  words        0 / 0.5",
        f"        {text}",
        "        n = 2",
    ]


def test_a_score_is_a_number_that_prints_as_one_and_survives_copying():
    result = score("layer_norm", MISTAKE["mean for sum in db"], seed=3)
    assert (repr(result), str(result), f"{result}", result + 1) == ("4.5", "4.5", "4.5", 5.5)
    assert result.points == 5 and result.seed == 3 and not result.full and result.tried
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert twin == result and twin.rows == result.rows and twin.to_dict() == result.to_dict()
    told = json.loads(json.dumps(result.to_dict()))
    assert told["exercise"] == "layer_norm" and told["score"] == 4.5 and told["points"] == 5 and told["seed"] == 3
    assert [check["check"] for check in told["checks"]] == PARTS and told["checks"][3][
        "mistake"
    ] == "mean for sum in db"
    assert sum(check["got"] for check in told["checks"]) == 4.5


# What bad input gets: one clear line each, the other parts are still judged


def right_but(y=None, backward=None, before=None):
    """A right layer norm with one thing about it that is not."""

    def layer_norm(x, g, b, *, eps=1e-5):
        if before:
            before(x)
        right, back = loops(x, g, b, eps=eps)
        return (y(right, x) if y else right), (lambda dy: backward(dy, back)) if backward else back

    return layer_norm


def forever(*_):
    while True:
        pass


def negate(a):
    a *= -1
    return a


@pytest.mark.parametrize(
    "answer, part, says, keeps",
    [
        (right_but(backward=lambda dy, back: 1 / 0), "dx", "raised ZeroDivisionError: division by zero, in line", 1),
        (right_but(y=lambda y, x: y.tolist()), "y", "y is a list, but an array of floating-point numbers is due", 4),
        (right_but(y=lambda y, x: "y"), "y", "y is a str, but", 4),
        (right_but(y=lambda y, x: None), "y", "y is None, but", 4),
        (right_but(y=lambda y, x: y[..., :1]), "y", "y has shape (1, 1), but it must be (1, 2)", 4),
        (right_but(y=lambda y, x: y * np.nan), "y", "yours [[nan nan]]", 4),
        (right_but(y=lambda y, x: (y, x.__imul__(2))[0]), "arguments", "x was changed in place, by", 1.5),
        (right_but(backward=lambda dy, back: (back(dy), negate(dy))[0]), "arguments", "dy was changed in place", 4),
        (right_but(backward=lambda dy, back: (*back(dy)[:2], dy)), "db", "db has shape (1, 2), but it must be", 3.5),
        (right_but(backward=lambda dy, back: back(dy)[:2]), "dx", "backward returned 2 gradients, but 3 are due", 1),
        (right_but(backward=lambda dy, back: forever()), "dx", "was stopped after 0.2 seconds, in line", 1),
        (right_but(before=lambda x: input("? ")), "y", "asked for input(), which nobody answers here", 0),
        (right_but(before=lambda x: sys.exit(3)), "y", "raised SystemExit: 3", 0),
        (forever, "y", "was stopped after 0.2 seconds", 0),
        (lambda: None, "y", "raised TypeError: <lambda>() takes 0 positional arguments but 3 were given", 0),
        (lambda x, g, b: loops(x, g, b), "y", "unexpected keyword argument 'eps'", 0),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_answer_is_one_line_and_the_rest_is_judged(answer, part, says, keeps, monkeypatch, told):
    monkeypatch.setattr(guard, "SECONDS", 0.2)
    result = grade(layer_norm=answer)
    assert says in rows(result)[part].message and rows(result)[part].status == "FAIL"
    assert result == keeps, rows(result)
    lines = told().splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= WIDTH


def test_a_million_printed_lines_cost_nothing_and_are_one_line(told, monkeypatch):
    monkeypatch.setattr(guard, "SECONDS", 20)

    def talks(x):
        if x.shape == (1, 2):
            for i in range(100_000):
                print("line", i)

    result = grade(layer_norm=right_but(before=talks))
    text = told()
    assert result == 5 and text.count("line 0") == 1
    assert "  It printed 300,000 lines; the first: line 0; line 1; line 2" in text


def test_a_view_of_an_argument_is_not_a_result_of_its_own():
    identity = right_but(
        backward=lambda dy, back: (*back(dy)[:2], np.einsum("nc->c", dy[None]) if dy.ndim == 1 else back(dy)[2])
    )
    assert score("layer_norm", identity).full
    view = right_but(backward=lambda dy, back: (*back(dy)[:2], dy.reshape(-1) if len(dy) == dy.size else back(dy)[2]))
    assert "db is dy itself, or a view of it" in rows(score("layer_norm", view))["arguments"].message


# What is no answer at all


class Callable:
    def __call__(self, x, g, b, *, eps=1e-5):
        return loops(x, g, b, eps=eps)


class Raises:
    def __getattribute__(self, name):
        raise SystemExit(name)

    def __call__(self):
        raise SystemExit


def norm_layer():
    """A function of nearly the right name."""


@pytest.mark.parametrize(
    "answers, says",
    [
        ((), "grade takes one answer, as in grade(layer_norm), but it got nothing."),
        ((loops, loops), "grade takes one answer, as in grade(layer_norm), but it got 2 answers."),
        ((None,), "There is nothing here yet: it is None. Run the cell that defines layer_norm"),
        (("layer_norm",), 'The answer itself is needed, without quotation marks: layer_norm, and not "layer_norm".'),
        (("layer_nrom",), "There is no exercise called 'layer_nrom'; did you mean layer_norm?"),
        (("x" * 10**6,), "called ...; the name stands in the stub to be filled in."),
        ((lambda x, g, b: 1,), "A lambda has no name to find its exercise by: say it, as in grade(layer_norm=...)."),
        ((functools.partial(loops),), "This partial has no name"),
        ((Callable(),), "This Callable has no name"),
        ((norm_layer,), "no exercise called 'norm_layer'; the name stands in the stub to be filled in. A"),
        ((3,), "This is an int."),
        ((np.ones(3),), "This is an array (3,)."),
        ((os,), "This is a module."),
        (({"A": "healthy"},), "A dict has no name to find its exercise by: say it, as in grade(norm_clinic="),
        ((Score(3),), "This is a score, and not an answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_graded_gets_a_sentence_and_nothing(answers, says, told):
    result = grade(*answers)
    assert type(result) is Score and result == 0 and result.rows == () and len(result.notes) == 1
    text = " ".join(told().split())
    assert says in text and len(text) < 400
    assert ready(*answers) is False


def test_objects_that_raise_at_every_touch_are_no_answer_either(told):
    for answers in ((Raises(),), (Raises,), (Raises(), None)):
        assert grade(*answers) == 0
    assert grade(layer_norm=Raises()) == 0 and grade(norm_clinic=Raises()) == 0
    assert "norm_clinic" in told()


def test_a_keyword_says_which_exercise_is_meant(told):
    assert grade(layer_norm=Callable()) == 5
    assert grade(layer_nrom=loops) == 0
    assert "did you mean layer_norm?" in told()
    assert grade(layer_norm=loops, residual=loops) == 0
    assert rows(grade(layer_norm=3))["y"].message == "layer_norm must be a function, but it is an int"
    assert grade(norm_clinic=loops) == 0
    with pytest.raises(ValueError, match="There is no exercise called 3"):
        score(3, loops)


# Whose work it is

LOOKED_UP = layers.layer_norm
OWN = {
    "itself": layers.layer_norm,
    "another name": LOOKED_UP,
    "its definition": layers.layer_norm.__wrapped__,
    "the loops": lambda x, g, b, **o: (specs.layer_norm(x, g, b, **o), layers.layer_norm(x, g, b, **o)[1]),
    "a partial": functools.partial(layers.layer_norm),
    "a lambda": lambda *a, **o: layers.layer_norm(*a, **o),
    "its forward alone": lambda x, g, b, **o: (layers.layer_norm(x, g, b, **o)[0], loops(x, g, b, **o)[1]),
}


@pytest.mark.parametrize("answer", OWN.values(), ids=OWN)
def test_minillms_own_function_is_recognised_and_earns_nothing_in_class(answer, alone, told):
    result = grade(layer_norm=answer)
    assert result == 5 and not result.tried and not alone.exists()
    assert "This is minillm's own layer_norm, or calls it: it was not your work that was judged." in told().replace(
        "\n        ", " "
    )
    strict = score("layer_norm", answer, strict=True)
    assert strict == 0 and not any(row.got for row in strict.rows)
    assert strict.rows[0].message == "this is minillm's own layer_norm, or calls it; it earns nothing"
    solution("layer_norm")
    assert "def layer_norm" not in told()


def test_ones_own_function_is_ones_own(monkeypatch):
    monkeypatch.setenv("MINILLM_CLASS", "1")
    assert score("layer_norm", loops) == 5 and score("layer_norm", layers.layer_norm) == 0
    own = lambda layer, x, norm, p, **o: bank.exercises()["residual"].right[0][1](layer, x, norm, p, **o)
    assert score("residual", own) == 5  # it calls layers.layer_norm, as it may


def test_a_library_that_was_left_replaced_is_put_right_for_the_grading(monkeypatch):
    wrong = MISTAKE["gain forgotten"]
    monkeypatch.setattr(layers, "layer_norm", wrong)
    assert score("layer_norm", wrong) < 5 and not any("own" in note for note in score("layer_norm", wrong).notes)
    assert score("layer_norm", loops) == 5
    right = bank.exercises()["residual"].right[1][1]  # it calls layers.layer_norm
    assert score("residual", right) == 5
    assert layers.layer_norm is wrong and not backend.is_plain()
    monkeypatch.delattr(gpt, "residual")
    assert score("residual", right) == 5 and not hasattr(gpt, "residual")


def test_a_library_that_was_replaced_before_the_import_judges_nobody():
    code = (
        "from minillm import layers; layers.layer_norm = lambda x, g, b, *, eps=1e-5: (x, None)\n"
        "from minillm.grading import grade\n"
        "from minillm.bank.norms.layer_norm_right import loops\n"
        "print(repr(grade(layer_norm=loops)), repr(grade(layer_norm=layers.layer_norm)))\n"
    )
    env = {**os.environ, "MINILLM_PROGRESS": "off"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout
    assert "not judged: minillm.layers.layer_norm had been replaced before the grader was imported" in " ".join(
        answer.split()
    )
    assert answer.splitlines()[-1] == "0 0" and "FAIL" not in answer


def test_ones_own_function_can_then_run_inside_the_gpt():
    config = gpt.Config(vocab_size=11, n_ctx=6, n_layer=1, n_head=1, width=4)
    params = gpt.init(config, np.random.default_rng(0))
    ids = np.arange(6)[None]
    theirs, _ = gpt.loss(params, ids=ids, targets=ids, config=config)
    with using(layers, layer_norm=loops), using(gpt, residual=bank.exercises()["residual"].right[1][1]):
        ours, _ = gpt.loss(params, ids=ids, targets=ids, config=config)
    assert np.isclose(ours, theirs, rtol=1e-5)


# The environment


def test_a_seed_of_the_environment_draws_the_same_every_time(monkeypatch):
    assert score("layer_norm", loops).seed != score("layer_norm", loops).seed
    monkeypatch.setenv("MINILLM_SEED", "7")
    assert score("layer_norm", loops).seed == 7 and score("layer_norm", loops, seed=8).seed == 8
    for wrong in ("seven", "-1", "1.5"):
        monkeypatch.setenv("MINILLM_SEED", wrong)
        result = score("layer_norm", loops)
        assert (
            result == 5 and f"MINILLM_SEED must be a whole number, 0 or more; '{wrong}' is passed over." in result.notes
        )


def test_headless_nothing_is_printed_or_kept(monkeypatch, told, alone):
    monkeypatch.setenv("MINILLM_HEADLESS", "1")
    assert grade(layer_norm=loops) == 0 and grade() == 0 and ready(named(loops)) is False
    for f in (hint, solution):
        assert f("layer_norm") is None and f(3) is None
    assert progress() is None
    assert told() == "" and not alone.exists()
    assert score("layer_norm", loops) == 5


def test_in_class_solutions_are_refused_and_no_progress_is_kept(monkeypatch, told, alone):
    monkeypatch.setenv("MINILLM_CLASS", "1")
    assert grade(layer_norm=loops) == 5 and not alone.exists()
    told()
    solution("layer_norm")
    assert told() == "In class, solutions come from your teacher.\n"


# ready, hint, solution


def test_a_cell_that_is_not_ready_says_when_it_will_be(told):
    assert ready(named(loops)) is True and told() == ""
    assert ready(layer_norm=loops) is True
    assert ready(named(stub)) is False
    assert told() == "layer_norm has 0 of 5 points: when it has all, this cell trains a GPT with it.\n"
    assert ready(layer_norm=MISTAKE["mean for sum in db"], then="draws a curve") is False
    assert told() == "layer_norm has 4.5 of 5 points: when it has all, this cell draws a curve.\n"
    assert ready(named(loops), residual=stub) is False and "residual has 0 of 5" in told()
    assert ready() is False


def test_each_call_of_hint_gives_the_next_and_then_the_last_again(told):
    texts = []
    for _ in range(4):
        hint("layer_norm")
        texts.append(told())
    assert [text[:12] for text in texts] == ["Hint 1 of 3:", "Hint 2 of 3:", "Hint 3 of 3:", "Hint 3 of 3:"]
    assert len(set(texts)) == 3
    hint(named(stub), level=1)
    assert told() == texts[0]
    hint("residual")
    assert told().startswith("Hint 1 of 3:")


@pytest.mark.parametrize("wrong", [0, 4, "a", 1.5, True])
def test_a_hint_of_another_level_there_is_not(wrong, told):
    hint("layer_norm", level=wrong)
    assert told() == f"level must be a whole number from 1 to 3, but it is {wrong!r}.\n"


def test_the_solution_is_shown_after_a_real_try(told):
    solution("layer_norm")
    assert told().startswith("Try layer_norm first")
    for no_try in (stub, 3, layers.layer_norm):
        grade(layer_norm=no_try)
    told()
    solution("layer_norm")
    assert told().startswith("Try layer_norm first")
    grade(layer_norm=MISTAKE["no eps"])
    told()
    solution(named(stub))
    assert "def layer_norm(x, g, b, *, eps=1e-5):" in told()
    solution("residual")
    assert told().startswith("Try residual first")
    solution("nothing")
    assert "There is no exercise called 'nothing'" in told()


def test_a_try_is_remembered_even_if_nothing_can_be_kept(monkeypatch, told):
    monkeypatch.setenv("MINILLM_PROGRESS", "off")
    grade(layer_norm=MISTAKE["no eps"])
    told()
    solution("layer_norm")
    assert "def layer_norm" in told()


# Progress


def test_an_empty_progress_says_what_to_do(told, monkeypatch):
    progress()
    first = next(iter(bank.exercises().values()))
    expected = (
        f"Nothing has been graded yet: open exercises/{first.notebook}.ipynb, write {first.name}, run the cells.\n"
    )
    assert " ".join(told().split()) == expected.strip()
    monkeypatch.setenv("MINILLM_PROGRESS", "off")
    grade(layer_norm=loops)
    told()
    progress()
    assert " ".join(told().split()) == expected.strip()


def test_the_best_score_is_kept_and_tries_are_counted(told, alone):
    for answer in (MISTAKE["no eps"], with_einsum, stub, MISTAKE["gain forgotten"]):
        grade(layer_norm=answer)
    assert json.loads(alone.read_text("utf-8"))["exercises"] == {"layer_norm": {"best": 5.0, "points": 5.0, "tries": 3}}
    told()
    progress()
    head, *lines = told().splitlines()
    assert head == "exercise            notebook                  best   tries"
    assert [line.split()[0] for line in lines] == [*bank.NAMES]
    place = bank.NAMES.index("layer_norm")
    assert lines[place : place + 3] == [
        "layer_norm          06_layer_norm            5 / 5       3",
        "residual            06_layer_norm                -       0",
        "norm_clinic         06_layer_norm                -       0",
    ]


def test_a_score_of_other_points_begins_anew(alone):
    diary.record("layer_norm", 4.5, 5.0)
    diary.record("layer_norm", 6.0, 7.0)
    assert diary.load()[0]["layer_norm"] == {"best": 6.0, "points": 7.0, "tries": 2}


def kept(alone, text):
    alone.parent.mkdir(exist_ok=True)
    alone.write_bytes(text)


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"exercises": 3}',
    b'{"exercises": {"residual": {"best": NaN}}}',
    b"[" * 10**5,
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_kept_aside_and_said_so(text, alone, told):
    kept(alone, text)
    progress()
    said = " ".join(told().split())
    assert said.startswith("The progress file was damaged. What it held is kept beside it, in progress-damaged.json.")
    assert grade(layer_norm=loops) == 5
    assert "The progress file was damaged." in told()
    assert (alone.parent / "progress-damaged.json").read_bytes() == text
    assert diary.load() == ({"layer_norm": {"best": 5.0, "points": 5.0, "tries": 1}}, None)


def test_what_makes_sense_in_a_damaged_file_is_not_lost_nor_an_older_copy(alone):
    good = {"best": 4.0, "points": 5.0, "tries": 2}
    kept(alone, b"{")
    diary.load()
    text = json.dumps({"exercises": {"residual": good, "layer_norm": {**good, "best": 9.0}, "x": [1]}}).encode()
    kept(alone, text)
    entries, note = diary.load()
    assert entries == {"residual": good}
    assert note == (
        "The progress file was damaged; residual could be read. "
        "What it held is kept beside it, in progress-damaged-2.json."
    )
    assert (alone.parent / "progress-damaged.json").read_bytes() == b"{"
    assert (alone.parent / "progress-damaged-2.json").read_bytes() == text
    assert diary.load()[1] == note and len(list(alone.parent.iterdir())) == 3  # looking again makes no other copy
    diary.record("layer_norm", 1.0, 5.0)
    assert diary.load()[0] == {"residual": good, "layer_norm": {"best": 1.0, "points": 5.0, "tries": 1}}


def test_exercises_that_this_version_does_not_know_are_kept(alone):
    later = {"best": 1, "points": 2, "tries": 1, "more": "of a later version"}
    kept(alone, json.dumps({"version": 2, "exercises": {"of_tomorrow": later}}).encode())
    diary.record("layer_norm", 1.0, 5.0)
    assert diary.load()[0]["of_tomorrow"] == later


def test_where_nothing_can_be_written_one_sentence_says_so(monkeypatch, tmp_path, told):
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("MINILLM_PROGRESS", str(tmp_path / "file" / "progress.json"))
    assert grade(layer_norm=loops) == 5
    assert "Your progress could not be kept: " in told()
    solution("layer_norm")
    assert "def layer_norm" in told()


def test_a_file_that_cannot_be_read_is_not_overwritten(alone, told):
    alone.mkdir(parents=True)
    assert grade(layer_norm=loops) == 5 and "Your progress could not be kept" in told()
    progress()
    assert "cannot be read" in told() and alone.is_dir()


def test_kernels_at_the_same_time_lose_nothing_of_each_other(alone):
    code = (
        "import sys; from minillm.grader import progress\n"
        "for n in range(10): progress.record('layer_norm', (int(sys.argv[1]) + n) % 5, 5.0)\n"
        "progress.record(f'of_kernel_{sys.argv[1]}', 1.0, 1.0)\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, str(k)]) for k in range(3)]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0, 0]
    entries, note = diary.load()
    assert note is None and entries["layer_norm"] == {"best": 4.0, "points": 5.0, "tries": 30}
    assert {f"of_kernel_{k}" for k in range(3)} <= entries.keys()
    assert [path.name for path in alone.parent.iterdir()] == [alone.name]


def test_a_lock_that_was_left_behind_does_not_stop_anybody(alone, monkeypatch):
    monkeypatch.setattr(diary, "PATIENCE", 0.05)
    alone.parent.mkdir()
    lock = alone.with_name("progress.json.lock")
    lock.write_bytes(b"")
    assert diary.record("layer_norm", 1.0, 5.0) is None  # a young one: after a while it writes all the same
    lock.write_bytes(b"")
    os.utime(lock, (1, 1))
    monkeypatch.setattr(diary, "PATIENCE", 1e9)
    assert diary.record("layer_norm", 2.0, 5.0) is None and not lock.exists()  # an old one is removed


def test_the_usual_place_is_the_users_own(monkeypatch):
    monkeypatch.delenv("MINILLM_PROGRESS")
    assert diary.place().parts[-2:] == ("minillm", "progress.json")
    monkeypatch.setenv("MINILLM_PROGRESS", "~/x.json")
    assert diary.place() == diary.pathlib.Path.home() / "x.json"
    monkeypatch.setenv("MINILLM_PROGRESS", "~no one of this name/x.json")
    assert diary.place().name == "x.json"


# A teacher's own checks

CHECKS = '''
import numpy as np

def check_long(layer_norm):
    """works for a thousand positions

    more words"""
    y, _ = layer_norm(np.ones((1, 1000, 2)), np.ones(2), np.zeros(2))
    assert y.shape == (1, 1000, 2)

def check_never(layer_norm):
    """is never right"""
    assert False, "this never holds"
check_never.points = 2.5

def check_silent(layer_norm):
    """is silent"""
    assert layer_norm is None

def check_raises(layer_norm):
    layer_norm("x", 1, 2)

def check_residual(residual):
    pass

def check_two(layer_norm, residual):
    pass

def check_unknown(perceptron):
    pass

def check_dear(layer_norm):
    pass
check_dear.points = "many"

def helper(layer_norm):
    pass
'''


@pytest.fixture
def checks(tmp_path):
    path = tmp_path / "checks.py"
    path.write_text(CHECKS, "utf-8")
    return path


def test_a_teachers_checks_add_rows(checks, monkeypatch):
    monkeypatch.setenv("MINILLM_CHECKS", str(checks))
    result = score("layer_norm", loops)
    more = result.rows[5:]
    assert [(row.check, row.points, row.got, row.status) for row in more] == [
        ("long", 1, 1, "ok"), ("never", 2.5, 0, "FAIL"), ("silent", 1, 0, "FAIL"), ("raises", 1, 0, "FAIL"),
    ]  # fmt: skip
    assert more[0].message == "works for a thousand positions" and more[1].message == "this never holds"
    assert more[2].message == "does not hold: is silent"
    assert more[3].message.startswith("raised AttributeError: 'str' object has no attribute 'shape', in line")
    assert result == 6 and result.points == 10.5
    assert sum(note.startswith("To the teacher: check_") for note in result.notes) == 3
    assert score("layer_norm", stub).rows[5].status == "todo"
    assert score("layer_norm", loops, checks="") == 5 and len(score("norm_clinic", {}).rows) == 5
    assert score("layer_norm", layers.layer_norm, strict=True) == 0
    assert score("layer_norm", 3).points == 10.5 and list(checks.parent.glob("*.pyc")) == []


@pytest.mark.parametrize("text", ["def check_(", "1 / 0", "import nothing_of_this_name", "raise SystemExit", None])
def test_checks_that_are_broken_are_a_word_to_the_teacher(text, tmp_path):
    path = tmp_path / "checks.py"
    if text is not None:
        path.write_text(text, "utf-8")
    result = score("layer_norm", loops, checks=path)
    assert result == 5 and result.points == 5
    (note,) = [note for note in result.notes if note.startswith("To the teacher: the checks in")]
    assert "cannot be used: the file raised" in note


def test_a_mistake_is_named_in_whatever_order_its_keys_come():
    mistake = next(each for each in bank.exercises()["residual"].mistakes if each.name == "dnorm and dp exchanged")

    def residual(*arrays, **options):
        y, backward = mistake.answer(*arrays, **options)
        turned = lambda grad: dict(reversed(grad.items())) if isinstance(grad, dict) else grad
        return y, lambda dy: tuple(map(turned, backward(dy)))

    rows = grading.score("residual", residual, seed=0).rows
    assert {row.mistake for row in rows if row.status == "FAIL"} == {mistake.name}
