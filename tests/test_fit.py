"""python -m minillm fit: exactly the keys that are promised, and one sentence for what is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_main import said
from test_scaling import TRUE, square

from minillm import bootstrap, scaling

KEYS = ["E", "A", "B", "alpha", "beta", "objective", "estimator", "converged", "flags"]


@pytest.fixture
def table(tmp_path):
    """A .csv of 25 runs with noise, and the runs."""
    columns = square(5, 0.003)
    path = tmp_path / "runs.csv"
    lines = [",".join(map(repr, map(float, row))) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(["N,D,loss", *lines]) + "\n", encoding="utf-8")
    return path, columns


def as_json(capsys, *words):
    code, out, err = said(capsys, "fit", *words, "--json")
    assert (code, err) == (0, "") and out.count("\n") == 1
    return json.loads(out)


def test_it_prints_exactly_what_scaling_fit_finds(table, capsys):
    path, columns = table
    told, found = as_json(capsys, path), scaling.fit(*columns)
    assert list(told) == KEYS
    assert [told[key] for key in KEYS[:6]] == [*vars(found.law).values(), found.objective]
    assert told["estimator"] == "huber" and told["converged"] is True and told["flags"] == []


@pytest.mark.parametrize(
    "words, options",
    [
        (["--floor", "1.69"], {"floor": 1.69}),
        (["--floor", "0"], {"floor": 0.0}),
        (["--estimator", "ols"], {"estimator": "ols"}),
        (["--estimator", "lad"], {"estimator": "lad"}),
        (["--delta", "0.01"], {"delta": 0.01}),
    ],
)
def test_every_option_reaches_the_fit(table, capsys, words, options):
    path, columns = table
    told, found = as_json(capsys, path, *words), scaling.fit(*columns, **options)
    assert [told[key] for key in KEYS[:6]] == [*vars(found.law).values(), found.objective]
    assert told["objective"] != as_json(capsys, path)["objective"]


def test_intervals_and_a_prediction_come_when_they_are_asked_for(table, capsys):
    path, columns = table
    told = as_json(capsys, path, "--bootstrap", 40, "--predict", "1e11,2e12", "--seed", 3)
    assert list(told) == [*KEYS, "intervals", "prediction"]
    made = bootstrap.bootstrap(*columns, replicates=40, seed=3)
    assert {name: tuple(pair) for name, pair in told["intervals"].items()} == made.constants()
    at = told["prediction"]
    assert (at["N"], at["D"]) == (1e11, 2e12) and at["loss"] == float(made.fit.law.loss(1e11, 2e12))
    assert tuple(at["95"]) == made.prediction(1e11, 2e12) and at["95"][0] < at["80"][0] < at["80"][1] < at["95"][1]
    assert list(as_json(capsys, path, "--bootstrap", 5)) == [*KEYS, "intervals"]
    alone = as_json(capsys, path, "--predict", "1e11,2e12")
    assert list(alone) == [*KEYS, "prediction"] and list(alone["prediction"]) == ["N", "D", "loss"]


def test_results_of_a_ladder_are_read_and_trunks_are_drawn_whole(tmp_path, capsys):
    N, D, loss = square(4, 0.003)
    seeds = [{"N": n, "D": d, "loss": l * (1 + s / 500), "width": n, "seed": s, "n_layer": 2, "status": "done"}
             for n, d, l in zip(N, D, loss, strict=True) for s in (0, 1)]  # fmt: skip
    rows = [*seeds, {"N": 1, "D": 1, "loss": None, "status": "failed"}]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    told = as_json(capsys, path, "--bootstrap", 20)
    columns = [np.array([row[key] for row in seeds]) for key in ("N", "D", "loss")]
    groups = [f"{row['width']} {row['seed']}" for row in seeds]
    assert len(set(groups)) == 8
    widths = bootstrap.bootstrap(*columns, groups=groups, replicates=300).constants()["alpha"]
    alone = bootstrap.bootstrap(*columns, replicates=300).constants()["alpha"]
    wide = as_json(capsys, path, "--bootstrap", 300)["intervals"]["alpha"]
    assert told["alpha"] == pytest.approx(0.34, abs=0.1)
    assert abs(np.ptp(wide) / np.ptp(widths) - 1) < abs(np.ptp(wide) / np.ptp(alone) - 1)
    assert "left out: 1 (the run's status is 'failed')" in said(capsys, "fit", path)[1]


def test_without_json_it_says_the_same_in_sentences(table, capsys):
    path, columns = table
    code, out, err = said(capsys, "fit", path, "--floor", 1.69, "--bootstrap", 20, "--predict", "1e11,2e12")
    found = scaling.fit(*columns, floor=1.69)
    assert (code, err) == (0, "")
    assert "over 25 runs" in out and "1.69   fixed" in out and f"{found.law.alpha:.6g}" in out
    assert f"the loss is {found.law.loss(1e11, 2e12):.4f}" in out and "95 % of new runs between" in out
    assert "converged; minima within 1 %: 1" in out and "!" not in out


def test_flags_are_told_and_the_exit_code_stays_0(tmp_path, capsys):
    N = np.geomspace(1e7, 1e10, 9)
    path = tmp_path / "ray.csv"
    rows = [f"{n!r},{20 * n!r},{float(TRUE.loss(n, 20 * n))!r}" for n in map(float, N)]
    path.write_text("N,D,loss\n" + "\n".join(rows), encoding="utf-8")
    assert scaling.FLAGS["ray"] in as_json(capsys, path)["flags"]
    code, out, _ = said(capsys, "fit", path)
    assert code == 0 and f"! {scaling.FLAGS['ray']}" in out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--floor", "9"], "the floor is 9, but a run has loss"),
        (["--floor", "low"], "invalid float value: 'low'"),
        (["--estimator", "mean"], "invalid choice: 'mean'"),
        (["--delta", "0"], "delta is 0.0"),
        (["--bootstrap", "0"], "--bootstrap is 0"),
        (["--predict", "1e9"], "--predict is '1e9', but must be two numbers"),
        (["--predict", "1e9,-2"], "must be above 0 and finite"),
        (["--predict", "1e9,nan"], "must be above 0 and finite"),
        (["--seed", "-1"], "--seed is -1"),
        (["--flor", "2"], "did you mean --floor?"),
    ],
)
def test_a_bad_option_is_exit_code_2_and_one_sentence(table, capsys, words, sentence):
    code, out, err = said(capsys, "fit", table[0], *words)
    assert (code, out) == (2, "") and sentence in err and err.startswith("Error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("N,D,loss\n1,2,3\n", "there are 1 runs for 5 parameters"),
        ("N,D,loss\n1,2,x\n", "line 2: loss is 'x'"),
        ("N,D\n1,2\n", "has no column 'loss'"),
        ("", "has no column 'N'"),
    ],
)
def test_a_bad_file_is_exit_code_2_and_one_sentence(tmp_path, capsys, text, sentence):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    code, out, err = said(capsys, "fit", path, "--json")
    assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1
    code, out, err = said(capsys, "fit", tmp_path / "none.csv")
    assert (code, out) == (2, "") and "none.csv" in err and err.count("\n") == 1


def test_it_runs_in_a_process_of_its_own_and_warns_of_nothing(table):
    words = [sys.executable, "-W", "error", "-m", "minillm", "fit", str(table[0]), "--json"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0 and done.stderr == "" and list(json.loads(done.stdout)) == KEYS
