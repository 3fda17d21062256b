"""Predictions of a plan: made from the right runs, once, before the truth; and scored with it."""

import dataclasses
import datetime
import json

import numpy as np
import pytest

from minillm import counts, ladder, plan, registration, rung, scaling, sources, wager
from minillm.__main__ import main

LANGUAGE = {"kind": "zipf", "vocab_size": 16}
PLAN = plan.Plan(
    name="small",
    languages={"zipf": LANGUAGE | {"n_ctx": 8}},
    widths=[8, 16, 24],
    tokens=[8192, 16384, 32768],
    seeds=[0, 1],
    take=["zipf"],
    more_seeds={16: [5]},
    heldout=[{"width": 32, "tokens": 65536}],
)
LAW = scaling.Law(2.0, 5.0, 20.0, 0.5, 0.4)


def told(each, D, rng, **more):
    """What a rung would have come to if the law were true."""
    about = rung.describe(each, sources.make(each.language))
    loss = float(LAW.loss(about["N"], D) * np.exp(0.001 * rng.standard_normal()))
    return {**about, "D": D, "C": 1.0, "loss": loss, "status": "done", "floor": 2.0} | more


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A results file of the plan, and one of its held-out runs that end in an hour."""
    monkeypatch.setattr(plan, "load", lambda name, **changes: PLAN)
    rng, later = np.random.default_rng(0), datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    for name, heldout, more in (("runs", False, {}), ("heldout", True, {"finished": later.isoformat()})):
        with open(tmp_path / f"{name}.jsonl", "w", encoding="utf-8") as f:
            for each in PLAN.rungs(heldout):
                for D in each.tokens:
                    f.write(json.dumps(told(each, D, rng, **more)) + "\n")
    return tmp_path


@pytest.fixture(autouse=True)
def known_floor(monkeypatch):
    """The law of these tests has its floor at 2."""
    describe = rung.describe
    monkeypatch.setattr(rung, "describe", lambda each, source: describe(each, source) | {"floor": 2.0})


def test_each_prediction_rests_on_its_own_seed_and_on_the_seeds_beside(files):
    made = wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    assert [path.name for path in made] == ["zipf-width-32-seed-0.json", "zipf-width-32-seed-1.json"]
    for seed, path in enumerate(made):
        written = registration.read(path)
        assert len(written["data"]["rows"]) == 12 and written["method"]["floor"] == 2.0
        rows = [json.loads(line) for line in (files / "runs.jsonl").read_text().splitlines()]
        mine = [[float(r[k]) for k in ("N", "D", "loss")] for r in rows if r["seed"] in (seed, 5)]
        assert sorted(written["data"]["rows"]) == sorted(mine)
        assert written["model"]["seed"] == seed and written["D"] == 65536
        run = PLAN.rungs(heldout=True)[seed]
        assert written["N"] == counts.count_by_convention(run.config(16))["N"]
        assert written["C"] == 65536 // 128 * run.flops_per_step(16)


def test_a_prediction_is_made_once(files):
    (first, _) = wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    before = first.read_bytes()
    assert wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False) == []
    assert first.read_bytes() == before


def test_an_unfinished_ladder_is_a_sentence(files):
    lines = (files / "runs.jsonl").read_text().splitlines()
    (files / "runs.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="lack 1 runs of the plan, first width 8, D 32,768, seed 1"):
        wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)


def test_the_scores_are_those_of_the_runs_with_the_same_seed(files):
    wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    found = wager.score(files / "registered", files / "heldout.jsonl")
    rows = {row["seed"]: row for row in map(json.loads, (files / "heldout.jsonl").read_text().splitlines())}
    for seed in (0, 1):
        worth = found[f"zipf-width-32-seed-{seed}.json"]
        assert worth["loss"] == rows[seed]["loss"]
        assert abs(worth["error_percent"]) < 1 and worth["inside"]["95"]
        truth = rows[seed]["loss"]
        assert worth["error_percent_of_reducible"] == pytest.approx(worth["error_percent"] * truth / (truth - 2.0))


def test_a_run_that_was_there_before_is_no_prediction(files):
    wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    early = (files / "heldout.jsonl").read_text().replace(str(datetime.date.today().year), "2001")
    (files / "heldout.jsonl").write_text(early)
    with pytest.raises(ValueError, match="before the prediction was registered"):
        wager.score(files / "registered", files / "heldout.jsonl")


def test_the_commands_register_and_score(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["predict", "small", "--runs", "runs.jsonl", "--out", "registered"]) == 0
    out = capsys.readouterr().out
    assert out.count("SHA-256") == 2 and "95 % from" in out
    assert main(["predict", "small", "--runs", "runs.jsonl", "--out", "registered"]) == 0
    assert "already" in capsys.readouterr().out
    assert main(["score", "registered", "heldout.jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "prediction" and [line.split()[-2] for line in lines[1:]] == ["yes", "yes"]
    assert main(["score", "empty", "heldout.jsonl"]) == 2
    assert "no prediction in empty" in capsys.readouterr().err


def test_a_run_of_a_ladder_says_when_it_began_and_ended():
    each = dataclasses.replace(PLAN.rungs()[-1], tokens=(8192,))
    before = ladder.now()
    (row,) = ladder.safely(each)
    assert before <= row["started"] < row["finished"] <= ladder.now()


def test_a_run_that_is_there_twice_counts_once(files):
    text = (files / "runs.jsonl").read_text(encoding="utf-8")
    (files / "runs.jsonl").write_text(text + text, encoding="utf-8")
    made = wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    assert [len(registration.read(path)["data"]["rows"]) for path in made] == [12, 12]


def test_the_table_says_on_which_side_the_prediction_was(files):
    wager.register(PLAN, files / "runs.jsonl", files / "registered", replicates=50, second=False)
    rows = [json.loads(line) for line in (files / "heldout.jsonl").read_text(encoding="utf-8").splitlines()]
    for factor in (0.9, 1.1):
        text = "".join(json.dumps(row | {"loss": factor * row["loss"]}) + "\n" for row in rows)
        (files / "heldout.jsonl").write_text(text, encoding="utf-8")
        _, *lines = wager.table(files / "registered", files / "heldout.jsonl").splitlines()
        errors = [float(line.split()[6]) for line in lines]  # after the name, the median, the interval and the truth
        assert len(errors) == 2 and all(error > 5 if factor < 1 else error < -5 for error in errors)
