"""Registered predictions: they hold still, they come first, and they are scored beside what needs no law."""

import datetime
import hashlib
import json
import pathlib

import numpy as np
import pytest
from test_scaling import TRUE

from minillm import bootstrap, registration, runs

AT = {"N": 1e11, "D": 1e12}


def some_runs(k=5, sigma=0.003):
    N, D = map(np.ravel, np.meshgrid(np.geomspace(1e7, 1e10, k), np.geomspace(1e9, 1e11, k)))
    loss = TRUE.loss(N, D) * np.exp(sigma * np.random.default_rng(0).standard_normal(k * k))
    rows = tuple({"N": n, "D": d, "loss": l} for n, d, l in zip(N, D, loss, strict=True))
    return runs.Runs(rows, sha256="0" * 64)


def later(seconds=60):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat()


def done(**more):
    return {**AT, "loss": float(TRUE.loss(**AT)), "status": "done", "started": later(1), "finished": later()} | more


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "shot.json"
    data = some_runs().without(some_runs().D < 2e9, "the shortest runs are mostly warm-up")
    registration.predict(path, data, **AT, C=6.5e23, model={"width": 4096}, replicates=100, floor=1.69)
    return path


def test_a_registration_holds_all_that_it_should(path):
    told = json.loads(path.read_text("utf-8"))
    assert told["model"] == {"width": 4096} and (told["N"], told["D"], told["C"]) == (1e11, 1e12, 6.5e23)
    (low, high), (least, most) = told["intervals"]["80"], told["intervals"]["95"]
    assert least < low < told["median"] < high < most
    assert told["method"]["floor"] == 1.69 and told["method"]["estimator"] == "huber" and told["method"]["converged"]
    assert told["exclusions"] == [{"why": "the shortest runs are mostly warm-up", "runs": 5}]
    assert len(told["data"]["rows"]) == 20 and told["data"]["file_sha256"] == "0" * 64
    assert set(told["baselines"]) == {"no law", "no floor"}
    assert datetime.datetime.fromisoformat(told["registered"]).utcoffset() == datetime.timedelta(0)


def test_the_interval_is_the_prediction_interval_of_the_bootstrap(path):
    told = json.loads(path.read_text("utf-8"))
    N, D, loss = np.array(told["data"]["rows"]).T
    made = bootstrap.bootstrap(N, D, loss, replicates=100, floor=1.69)
    assert np.allclose(told["intervals"]["95"], made.prediction(1e11, 1e12), rtol=1e-9)
    assert np.ptp(told["intervals"]["95"]) > np.ptp(made.confidence(1e11, 1e12))


def test_the_hash_is_that_of_the_rest_written_in_one_way(path):
    told = json.loads(path.read_text("utf-8"))
    claimed = told.pop("sha256")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    assert claimed == hashlib.sha256(text.encode()).hexdigest()
    rows = json.dumps(told["data"]["rows"], separators=(",", ":"))
    assert told["data"]["rows_sha256"] == hashlib.sha256(rows.encode()).hexdigest()
    assert told["code"]["sha256"] == registration.code_hash()


def test_the_hash_of_the_code_changes_with_any_of_its_files(tmp_path, monkeypatch):
    before = registration.code_hash()
    folder = pathlib.Path(registration.__file__).parent
    for name in registration.CODE:
        (tmp_path / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(registration, "__file__", str(tmp_path / "registration.py"))
    assert registration.code_hash() == before  # ends of lines are no difference
    for name in registration.CODE:
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole + b"#")
        assert registration.code_hash() != before
        (tmp_path / name).write_bytes(whole)


def test_a_prediction_is_made_once(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="made once"):
        registration.predict(path, some_runs(), **AT, replicates=10)
    assert path.read_bytes() == before


def test_a_file_that_came_while_the_law_was_fitted_is_kept_too(tmp_path, monkeypatch):
    path, honest = tmp_path / "a.json", bootstrap.bootstrap

    def slow(*arguments, **options):
        path.write_text("another's", encoding="utf-8")
        return honest(*arguments, **options)

    monkeypatch.setattr(bootstrap, "bootstrap", slow)
    with pytest.raises(FileExistsError):
        registration.predict(path, some_runs(), **AT, replicates=5)
    assert path.read_text("utf-8") == "another's"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["intervals"]["95"].__setitem__(1, 9.0),
        lambda told: told.update(median=told["median"] + 1e-12),
        lambda told: told.update(registered="2020-01-01T00:00:00+00:00"),
        lambda told: told["exclusions"].clear(),
        lambda told: told.update(note="added later"),
        lambda told: told.pop("sha256"),
    ],
)
def test_a_change_after_the_fact_is_noticed(path, change):
    assert registration.score(path, done())["inside"]["95"] in (True, False)
    told = json.loads(path.read_text("utf-8"))
    change(told)
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ValueError, match="was changed after it was registered"):
        registration.score(path, done())


def test_the_same_words_laid_out_otherwise_are_the_same_prediction(path):
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(dict(reversed(told.items())), indent=7), encoding="utf-8")
    assert registration.read(path) == told


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON", '{"kind": "other"}', '{"kind": ["a"]}'])
def test_another_file_is_no_registration(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="no registered prediction"):
        registration.read(path)


@pytest.mark.parametrize(
    "run, sentence",
    [
        ({"finished": later(-60)}, "before the prediction was registered"),
        ({"finished": None}, "finished is None"),
        ({"finished": "2099-01-01T00:00:00"}, "does not say the time zone"),
        ({"N": 1.01e11}, "N of the run is 1.01e\\+11, but a run of 1e\\+11 was predicted"),
        ({"D": 2e12}, "D of the run"),
        ({"status": "diverged"}, "no truth to tell"),
        ({"loss": float("nan")}, "no truth to tell"),
        ({"loss": None, "status": "failed"}, "no truth to tell"),
    ],
)
def test_a_run_that_is_no_test_of_the_prediction_is_refused(path, run, sentence):
    with pytest.raises(ValueError, match=sentence):
        registration.score(path, done(**run))


def test_a_run_of_the_data_is_no_test(tmp_path):
    data, path = some_runs(), tmp_path / "a.json"
    row = data.rows[-1]
    registration.predict(path, data, N=row["N"], D=row["D"], replicates=10)
    with pytest.raises(ValueError, match="nothing was predicted"):
        registration.score(path, {**row, "finished": later()})


def test_a_run_that_began_before_the_registration_is_told(path):
    assert registration.score(path, done())["before_start"] is True
    assert registration.score(path, done(started=later(-5)))["before_start"] is False
    assert registration.score(path, done(started=None))["before_start"] is None


def test_the_score_is_what_one_works_out_by_hand(path):
    told = registration.read(path)
    truth = told["intervals"]["95"][1] + 0.01
    found = registration.score(path, done(loss=truth))
    error = told["median"] - truth
    assert found["error_percent"] == pytest.approx(100 * error / truth)
    assert found["error_percent_of_reducible"] == pytest.approx(100 * error / (truth - 1.69))
    assert found["inside"] == {"80": False, "95": False}
    low, high = told["intervals"]["95"]
    assert found["width_percent"]["95"] == pytest.approx(100 * (high - low) / truth)
    assert found["interval_score"]["95"] == pytest.approx(high - low + 0.01 * 2 / 0.05)
    assert registration.score(path, done(loss=told["median"]))["inside"] == {"80": True, "95": True}
    assert registration.score(path, done(loss=truth, floor=1.0))["error_percent_of_reducible"] == pytest.approx(
        100 * error / (truth - 1.0)
    )


def test_the_law_does_better_than_no_law_and_than_a_law_without_a_floor(path):
    found = registration.score(path, done())
    assert abs(found["error_percent"]) < 0.5 and found["inside"]["95"]
    for name in ("no law", "no floor"):
        assert abs(found["baselines"][name]["error_percent"]) > 2 * abs(found["error_percent"])
        assert found["baselines"][name]["interval_score"]["95"] > found["interval_score"]["95"]


def test_without_a_floor_nothing_is_said_of_the_reducible_loss(tmp_path):
    registration.predict(tmp_path / "a.json", some_runs(), **AT, replicates=10)
    assert registration.score(tmp_path / "a.json", done())["error_percent_of_reducible"] is None


def test_the_interval_score_rewards_narrow_and_punishes_missing():
    score = registration.interval_score
    assert score(1, 3, 0.9, 2) == 2 and score(0, 100, 0.9, 2) == 100
    assert score(1, 3, 0.9, 3.5) == pytest.approx(2 + 20 * 0.5) and score(1, 3, 0.9, 0.5) == pytest.approx(2 + 20 * 0.5)
    assert score([1, 1], 3, 0.8, [2, 4]).tolist() == pytest.approx([2, 12])


def test_the_interval_score_is_least_at_the_true_quantiles(rng):
    truth = rng.standard_normal(200_000)
    mean = lambda low, high: registration.interval_score(low, high, 0.8, truth).mean()
    z = 1.2816  # the normal quantile of 0.9
    assert all(mean(-z, z) < mean(-z * f, z * f) for f in (0.7, 1.4)) and mean(-z, z) < mean(-z + 0.5, z + 0.5)


def test_the_straight_line_is_least_squares_over_the_last_of_the_frontier():
    C = np.geomspace(1, 1e5, 6)
    loss = np.array([9, 5, 4.0, 3.1, 2.4, 1.5])
    found = registration.straight_line(np.append(C, 1e3), np.append(loss, 8.0), 1e6)
    slope, intercept = np.polyfit(np.log(C[-3:]), loss[-3:], 1)
    assert found["runs"] == 3 and found["median"] == pytest.approx(intercept + slope * np.log(1e6))
    s = np.sqrt(((loss[-3:] - intercept - slope * np.log(C[-3:])) ** 2).sum())
    spread = ((np.log(C[-3:]) - np.log(C[-3:]).mean()) ** 2).sum()
    reach = 12.7062 * s * np.sqrt(1 + 1 / 3 + (np.log(1e6) - np.log(C[-3:]).mean()) ** 2 / spread)
    assert np.ptp(found["intervals"]["95"]) / 2 == pytest.approx(reach, rel=1e-4)


def test_numbers_that_are_no_run_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be above 0 and finite"):
        registration.predict(tmp_path / "a.json", some_runs(), N=0, D=1e9)
    with pytest.raises(ValueError, match="the floor is 9"):
        registration.predict(tmp_path / "a.json", some_runs(), **AT, floor=9.0)
    assert list(tmp_path.iterdir()) == []
