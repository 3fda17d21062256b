"""A prediction written down before the truth is known, and what it was worth afterwards."""

import datetime
import hashlib
import json
import os
import pathlib

import numpy as np

from . import bootstrap, isoflop

LEVELS = {"80": 0.80, "95": 0.95}
CODE = ("descent.py", "surface.py", "scaling.py", "bootstrap.py", "isoflop.py", "runs.py", "registration.py")
KIND = "minillm prediction, version 1"


def predict(path, data, *, N, D, C=None, model=None, groups=None, replicates=1000, seed=0, kind="runs", **options):
    """Fit a law to the Runs of data, predict a run of N parameters and D tokens, and write both to path, a new file.

    The JSON holds the model (a dict of your own words), N, D, C (6 N D if not given), the median and the 80 % and 95 %
    prediction intervals, the law and how it was fitted, the runs it was fitted to, what was left out and why, hashes of
    the data and of the code, two baselines, the time, and the SHA-256 of all this.  Returns it as a dict.
    groups, replicates, seed and kind as in bootstrap.bootstrap, options as in scaling.fit.
    FileExistsError if there is something at path: a prediction is made once.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already, and a prediction is made once; choose another name.")
    N, D = float(N), float(D)
    C = 6 * N * D if C is None else float(C)
    if not all(0 < number < float("inf") for number in (N, D, C)):
        raise ValueError(f"N, D and C of the run to come must be above 0 and finite, but they are {N}, {D} and {C}.")
    resampling = {"groups": groups, "replicates": replicates, "seed": seed, "kind": kind}
    made = bootstrap.bootstrap(data.N, data.D, data.loss, **resampling, **options)
    fit = made.fit
    bare = bootstrap.bootstrap(data.N, data.D, data.loss, **resampling, **(options | {"floor": 0.0}))
    rows = [[float(x) for x in row] for row in zip(data.N, data.D, data.loss, strict=True)]
    body = {
        "kind": KIND,
        "registered": datetime.datetime.now(datetime.UTC).isoformat(),
        "model": model or {},
        "N": N,
        "D": D,
        "C": C,
        **_told(made, N, D),
        "law": {"name": "E + A / N^alpha + B / D^beta", **vars(fit.law)},
        "method": {
            "estimator": fit.estimator,
            "delta": fit.delta,
            "floor": options.get("floor"),
            "converged": fit.converged,
            "flags": list(fit.flags),
            "bootstrap": {"kind": kind, "replicates": replicates, "seed": seed, "groups": made.n_groups},
            "converged_replicates": int(made.converged.sum()),
        },
        "exclusions": list(data.exclusions),
        "data": {"file_sha256": data.sha256, "rows_sha256": _digest(rows), "rows": rows},
        "code": {"sha256": code_hash(), "files": list(CODE), "numpy": np.__version__},
        "baselines": {"no law": straight_line(data.C, data.loss, C), "no floor": _told(bare, N, D)},
    }
    whole = body | {"sha256": _digest(body)}
    with open(path, "x", encoding="utf-8", newline="\n") as f:  # "x" refuses even if the file came a moment ago
        f.write(json.dumps(whole, indent=1, allow_nan=False) + "\n")
        f.flush()
        os.fsync(f.fileno())
    return whole


def read(path):
    """The registration at path, as a dict.  ValueError if it is none, or if it was changed after it was written."""
    try:
        whole = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        body = {key: value for key, value in whole.items() if key != "sha256"}
        known = whole["kind"] == KIND
    except (ValueError, AttributeError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"{path} is no registered prediction of this version.")
    if whole.get("sha256") != _digest(body):
        raise ValueError(f"{path} was changed after it was registered: its SHA-256 is not that of what it says.")
    return whole


def score(path, run):
    """What the prediction at path was worth, now that the run is there: a dict.

    run is a row of a results file with N, D, loss, `finished` (the time at which it ended, ISO 8601) and, if known,
    `started` and `floor`.  Errors are in per cent, predicted less measured; of the reducible loss, where a floor is
    known (the run's, or the one that the fit was given).  interval_score is in nats, lower is better; the baselines
    have theirs beside it.  ValueError if the file was changed, if the run is another one or was among the data, or if
    it had finished when the prediction was registered: then it is none.  The clock of the machine is believed.
    """
    told = read(path)
    truth = float("nan" if run["loss"] is None else run["loss"])
    if run.get("status", "done") != "done" or not 0 < truth < float("inf"):
        raise ValueError(f"the run has no truth to tell: its status is {run.get('status')!r}, its loss {truth}.")
    for name in ("N", "D"):
        if abs(float(run[name]) / told[name] - 1) > 1e-6:
            raise ValueError(f"{name} of the run is {run[name]:.10g}, but a run of {told[name]:.10g} was predicted.")
    if [float(run[name]) for name in ("N", "D", "loss")] in told["data"]["rows"]:
        raise ValueError("this run is one of those that the law was fitted to, so nothing was predicted.")
    registered, finished = _time(told["registered"], "registered"), _time(run.get("finished"), "finished")
    if finished <= registered:
        raise ValueError(f"the run finished at {finished}, before the prediction was registered, at {registered}.")
    floor = run.get("floor") if run.get("floor") is not None else told["method"]["floor"]
    started = run.get("started")
    return {
        "loss": truth,
        "registered": told["registered"],
        "before_start": None if started is None else _time(started, "started") > registered,
        **_worth(told, truth, floor),
        "baselines": {name: _worth(baseline, truth, floor) for name, baseline in told["baselines"].items()},
        "sha256": told["sha256"],
    }


def interval_score(low, high, level, truth):
    """(high - low) + 2 / (1 - level) * what the truth lies outside: narrow is good, and missing is costly.

    Gneiting and Raftery 2007, Journal of the American Statistical Association 102, equation 43.  Arrays broadcast.
    """
    low, high, truth = (np.asarray(a, float) for a in (low, high, truth))
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return (high - low) + 2 / (1 - level) * outside


def straight_line(C, loss, at):
    """No law at all: the ruler laid against loss over ln C, along the efficient runs.  Median and intervals at `at`.

    The last half of the frontier, three runs at least, by least squares; the intervals are those of a new observation
    of a line (Student's t), which is what somebody would claim who believes in straight lines.
    """
    from scipy.stats import t

    C, loss = np.asarray(C, float), np.asarray(loss, float)
    efficient = np.flatnonzero(isoflop.frontier(C, loss))
    efficient = efficient[np.argsort(C[efficient])]
    last = efficient[-max(3, (len(efficient) + 1) // 2) :]
    if len(last) < 3:
        last = np.argsort(C, kind="stable")[-max(3, len(C) // 2) :]
    x, y = np.log(C[last]), loss[last]
    spread = ((x - x.mean()) ** 2).sum()
    if spread < 1e-18:
        return {"median": float(y.min()), "intervals": {key: [float(y.min())] * 2 for key in LEVELS}, "runs": len(last)}
    slope = ((x - x.mean()) * y).sum() / spread
    residuals, away = y - y.mean() - slope * (x - x.mean()), np.log(at) - x.mean()
    median = y.mean() + slope * away
    size = np.sqrt((residuals**2).sum() / (len(x) - 2) * (1 + 1 / len(x) + away**2 / spread))
    reach = {key: float(size * t.ppf((1 + level) / 2, len(x) - 2)) for key, level in LEVELS.items()}
    intervals = {key: [float(median - width), float(median + width)] for key, width in reach.items()}
    return {"median": float(median), "intervals": intervals, "runs": len(last)}


def code_hash():
    """SHA-256 of the files that made the prediction, line ends made equal."""
    here, whole = pathlib.Path(__file__).parent, hashlib.sha256()
    for name in CODE:
        whole.update((here / name).read_bytes().replace(b"\r\n", b"\n"))
    return whole.hexdigest()


def _told(made, N, D):
    """Median and prediction intervals of a Bootstrap."""
    losses = made.new_runs(N, D)
    quantiles = lambda level: [float(x) for x in np.quantile(losses, [(1 - level) / 2, (1 + level) / 2])]
    return {"median": float(np.median(losses)), "intervals": {key: quantiles(level) for key, level in LEVELS.items()}}


def _worth(told, truth, floor):
    """Errors, widths and scores of one median with its intervals."""
    error = told["median"] - truth
    inside = {key: bool(low <= truth <= high) for key, (low, high) in told["intervals"].items()}
    return {
        "median": told["median"],
        "error_percent": 100 * error / truth,
        "error_percent_of_reducible": None if floor is None or floor >= truth else 100 * error / (truth - floor),
        "inside": inside,
        "width_percent": {key: 100 * (high - low) / truth for key, (low, high) in told["intervals"].items()},
        "interval_score": {
            key: float(interval_score(*told["intervals"][key], level, truth)) for key, level in LEVELS.items()
        },
    }


def _digest(body):
    """SHA-256 of a value written in one way: keys in order, no spaces."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _time(text, name):
    try:
        time = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {text!r}, but must be a time such as 2026-01-31T12:00:00+00:00.") from None
    if time.tzinfo is None:
        raise ValueError(f"{name} is {text!r}, which does not say the time zone; end it with +00:00 for UTC.")
    return time
