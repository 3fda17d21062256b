"""A ladder: every run is told of once, whatever stops it, and wherever it is trained."""

import dataclasses
import json
import sys
import types

import pytest
from test_plan import TINY

from minillm import __main__ as main
from minillm import ladder, plan, rung


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "tiny.jsonl"


@pytest.fixture
def rungs(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return plan.load(tmp_path / "tiny.yaml").rungs()


def losses(rows):
    return {(row["width"], row["seed"], row["D"]): row["loss"] for row in rows}


def test_a_ladder_writes_a_line_for_each_run_and_a_second_call_trains_nothing(rungs, path, monkeypatch):
    rows = ladder.climb(rungs, path, more={"plan": "tiny"}, progress=False)
    text = path.read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == rows and len(losses(rows)) == 4
    assert all(row["plan"] == "tiny" and row["status"] == "done" for row in rows)
    needed = (
        "language width n_layer n_ctx N N_readout N_all D C seed loss floor status seconds checksum code numpy rate"
    )
    assert all(set(needed.split()) <= set(row) for row in rows)
    monkeypatch.setattr(rung, "train", None)
    assert ladder.climb(rungs, path, progress=False) == rows and path.read_text("utf-8") == text


def test_an_interrupted_ladder_goes_on_where_it_stopped_and_ends_alike(rungs, path, tmp_path, monkeypatch):
    whole = ladder.climb(rungs, tmp_path / "whole.jsonl", progress=False)
    train, made = rung.train, []

    def stops(each, tell):
        for row in train(each, tell):
            if len(made) == 3:
                raise KeyboardInterrupt
            made.append(row)
            yield row

    monkeypatch.setattr(rung, "train", stops)
    with pytest.raises(KeyboardInterrupt):
        ladder.climb(rungs, path, progress=False)
    first = path.read_text("utf-8")
    assert first.count("\n") == 3
    monkeypatch.setattr(rung, "train", train)
    path.write_text(first + '{"language": {"kind"', "utf-8")  # it was stopped while it wrote
    assert [each.tokens for each in ladder.missing(rungs, ladder.mend(path))] == [(2560,)]
    rows = ladder.climb(rungs, path, progress=False)
    assert path.read_text("utf-8").startswith(first) and losses(rows) == losses(whole) and len(rows) == 4


def test_a_run_of_other_settings_or_another_seed_is_another_run(rungs, path):
    rows = ladder.climb(rungs[:1], path, progress=False)
    assert ladder.missing(rungs[:1], rows) == []
    for changes in ({"seed": 1}, {"rate": 1e-3}, {"language": {"kind": "markov", "seed": 1}}, {"width": 24}):
        other = dataclasses.replace(rungs[0], **changes)
        assert ladder.missing([other], rows) == [other]


def test_what_fails_is_told_of_and_tried_again_and_what_diverges_is_told_of_once(rungs, path, monkeypatch):
    learn = rung.learn

    def breaks(optimizer, ids, targets, config, rate):
        if config.width == 16 and optimizer.steps == 33:  # in the second branch of the wider trunk
            raise RuntimeError("the roof fell in")
        if config.width == 8:
            raise rung.Diverged("its loss was nan at step 1.")
        learn(optimizer, ids, targets, config, rate)

    monkeypatch.setattr(rung, "learn", breaks)
    rows = ladder.climb(rungs, path, progress=False)
    statuses = [(row["width"], row["D"], row["status"], row.get("why")) for row in rows]
    assert statuses == [
        (16, 1280, "done", None),
        (16, 2560, "failed", "RuntimeError: the roof fell in"),
        (8, 1280, "diverged", "its loss was nan at step 1."),
        (8, 2560, "diverged", "its loss was nan at step 1."),
    ]
    assert all(row["loss"] is None for row in rows[1:])
    monkeypatch.setattr(rung, "learn", learn)
    again = ladder.climb(rungs, path, progress=False)
    assert again[:4] == rows and len(again) == 5
    assert (again[4]["width"], again[4]["D"], again[4]["status"]) == (16, 2560, "done")


def test_a_language_that_cannot_be_made_on_a_worker_is_a_failure_too(rungs, monkeypatch):
    def gone(description):
        raise ValueError("the text is not at hand.")

    monkeypatch.setattr(rung.sources, "make", gone)
    rows = ladder.collect(rungs[0], "nowhere", 0)
    assert [(row["D"], row["status"], row["why"]) for row in rows] == [
        (D, "failed", "ValueError: the text is not at hand.") for D in (1280, 2560)
    ]


def test_two_processes_come_to_what_one_comes_to(rungs, path, tmp_path):
    one = ladder.climb(rungs, tmp_path / "one.jsonl", progress=False)
    two = ladder.climb(rungs, path, jobs=2, progress=False)
    assert losses(one) == losses(two)


def test_a_cluster_of_two_dask_workers_comes_to_the_same(rungs, path, tmp_path):
    distributed = pytest.importorskip("distributed")
    one = ladder.climb(rungs, tmp_path / "one.jsonl", progress=False)
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(**options, local_directory=tmp_path) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tcp://127.0.0.1:")
        rows = ladder.climb(rungs, path, backend="dask", scheduler=address, progress=False)
        with distributed.Client(address) as client:
            work = client.run(lambda dask_worker: dask_worker.state.transition_counter)
    assert losses(rows) == losses(one)
    assert len(work) == 2 and all(work.values())  # each of the two has had something to do


def test_ray_is_registered_with_joblib_before_it_is_asked(rungs, path, monkeypatch):
    """A stand-in for Ray, which is not installed for the tests."""
    import joblib
    from joblib._parallel_backends import SequentialBackend

    class Backend(SequentialBackend):
        pass

    module = types.ModuleType("ray.util.joblib")
    module.register_ray = lambda: joblib.register_parallel_backend("ray", Backend)
    for name in ("ray", "ray.util"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "ray.util.joblib", module)
    assert len(ladder.climb(rungs[1:], path, backend="ray", progress=False)) == 2


def test_another_backend_and_another_file_get_a_sentence(rungs, path):
    with pytest.raises(ValueError, match="no backend 'sun'; there are sequential, loky"):
        ladder.climb(rungs, path, backend="sun", progress=False)
    path.write_text('{"width": 3}\n', "utf-8")
    with pytest.raises(ValueError, match="line 1 of .* is not a run of a ladder"):
        ladder.climb(rungs, path, progress=False)


def test_the_bar_moves_within_runs_and_over_them(rungs, capsys):
    total, _ = plan.flops(rungs)
    with ladder.Bar(rungs, total, False) as bar:
        assert bar.climbed == 0
        ladder.beat(bar.folder, 0)(10)
        bar.look()
        assert bar.climbed == pytest.approx(10 * rungs[0].flops_per_step(16))
        for i, each in enumerate(rungs):
            ladder.beat(bar.folder, i)(each.steps_in_all())
        bar.note({"width": 8, "D": 1280, "seed": 0, "status": "done", "loss": 2.0})
    assert bar.climbed == pytest.approx(total) and bar.done == 1
    ladder.beat("a folder on another machine", 0)(3)  # which does not matter


def test_the_command_prints_its_plan_trains_it_and_says_what_came_out(tmp_path, capsys, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["ladder", "tiny.yaml", "--seed", "3", "--jobs", "1"]
    assert main.main([*words, "--dry-run"]) == 0 and not (tmp_path / "runs").exists()
    plan_words = capsys.readouterr().out
    assert "tiny: 4 runs; 2 trunks" in plan_words and "seed 3" in plan_words
    assert main.main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith("tiny: 4 runs") and "tiny.jsonl: 4." in out
    rows = ladder.mend(tmp_path / "runs" / "tiny.jsonl")
    assert {row["role"] for row in rows} == {"fit"} and {row["seed"] for row in rows} == {3}
    assert {row["command"] for row in rows} == {"python -m minillm ladder tiny.yaml --seed 3"}
    assert main.main(["ladder", "tiny.yaml", "--jobs", "1", "--heldout"]) == 0
    (row,) = ladder.mend(tmp_path / "runs" / "tiny-heldout.jsonl")
    assert (row["role"], row["width"], row["command"]) == (
        "heldout",
        24,
        "python -m minillm ladder tiny.yaml --heldout",
    )


def test_the_command_says_what_is_not_done_and_what_another_version_made(tmp_path, capsys, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(TINY, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rung, "code", lambda: "older")
    monkeypatch.setattr(rung, "describe", lambda each, source: 1 / 0)
    assert main.main(["ladder", "tiny.yaml", "--jobs", "1", "--out", "a.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "4 of them are not done" in out and "width 16, D 1,280, seed 0: failed, ZeroDivisionError" in out
    monkeypatch.setattr(rung, "code", lambda: "newer")
    main.main(["ladder", "tiny.yaml", "--jobs", "1", "--out", "a.jsonl", "--dry-run"])
    assert "another version of the code (older)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["quik"], "no ladder is called 'quik'; did you mean quick"),
        (["quick", "--language", "klingon"], "has no language 'klingon'"),
        (["quick", "--seed", "x"], "invalid int value"),
        (["quick", "--backends", "dask"], "did you mean --backend"),
    ],
)
def test_wrong_words_are_refused_in_one_sentence(words, message, capsys):
    assert main.main(["ladder", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_name_of_a_run_is_that_of_its_numbers_however_they_are_written():
    (row,) = rung.train(rung.Rung({"kind": "markov"}, 8, (640,), warmup=4, n_heldout=40, n_ctx=16, batch_size=4))
    older = {key: value for key, value in row.items() if key not in ("positions", "per_width", "distinct")}
    assert ladder.name(row) == ladder.name(row | {"D": 640.0, "clip": 1}) == ladder.name(older)
    for key, value in {"D": 641, "cooldown": 0, "positions": "learned", "per_width": False, "distinct": 640}.items():
        assert ladder.name(row | {key: value}) != ladder.name(row)
