"""The command fit: the law of a file of runs, for people or as JSON."""

import json
import math

LEVELS = {"80": 0.80, "95": 0.95}


def options(make):
    """The parser of the command, as make(words) returns it, with its options."""
    part = make("Fit a scaling law, loss = E + A / N^alpha + B / D^beta, to the runs of a file.")
    part.add_argument("file", metavar="FILE", help="a .csv with the columns N, D, loss (C, seed), or a .jsonl of runs")
    part.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    part.add_argument("--floor", type=float, metavar="E", help="the floor, if it is known; 0 leaves it out")
    part.add_argument("--estimator", choices=("huber", "ols", "lad"), default="huber", help="(default: huber)")
    part.add_argument("--delta", type=float, default=1e-3, help="where Huber's squares end (default: 1e-3)")
    part.add_argument("--bootstrap", type=int, metavar="R", help="fit R times more, to runs drawn from the runs")
    part.add_argument("--predict", metavar="N,D", help="the loss of N parameters on D tokens, as in --predict 1e6,2e7")
    part.add_argument("--seed", type=int, default=0, help="of the draws of --bootstrap (default: 0)")
    return part


def main(options):
    """Read, fit, print; returns the exit code.  ValueError, one sentence, for what cannot be fitted."""
    from . import bootstrap, runs, scaling

    at = None if options.predict is None else place(options.predict)
    if options.bootstrap is not None and options.bootstrap < 1:
        raise ValueError(f"--bootstrap is {options.bootstrap}, but must be at least 1.")
    if options.seed < 0:
        raise ValueError(f"--seed is {options.seed}, but must be 0 or more.")
    data = runs.read(options.file)
    found = scaling.fit(
        data.N, data.D, data.loss, floor=options.floor, estimator=options.estimator, delta=options.delta
    )
    told = vars(found.law) | {
        "objective": found.objective,
        "estimator": found.estimator,
        "converged": found.converged,
        "flags": list(found.flags),
    }
    made = None
    if options.bootstrap:
        groups = trunks(data, found.surface.n_parameters)
        made = bootstrap.resample(found, groups=groups, replicates=options.bootstrap, seed=options.seed)
        told["intervals"] = {name: list(pair) for name, pair in made.constants(0.95).items()}
    if at is not None:
        told["prediction"] = {"N": at[0], "D": at[1], "loss": float(found.law.loss(*at))}
        if made is not None and math.isfinite(found.scatter):
            told["prediction"] |= {key: list(made.prediction(*at, level=level)) for key, level in LEVELS.items()}
    if options.json:
        print(json.dumps(_plain(told), allow_nan=False))
    else:
        print("\n".join(sentences(told, data, found)))
    return 0


def trunks(data, n_parameters):
    """The groups of runs that share a trunk: equal width and seed.  None where there are none, or too few to draw."""
    names = [name for name in ("width", "n_layer", "seed") if data.has(name)]
    groups = data.groups(*names) if {"width", "seed"} <= set(names) else None
    return None if groups is None or groups.max() < n_parameters else groups


def place(text):
    """The text N,D as two numbers above zero."""
    try:
        N, D = (float(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"--predict is {text!r}, but must be two numbers, N,D, as in 1e6,2e7.") from None
    if not (0 < N < math.inf and 0 < D < math.inf):
        raise ValueError(f"--predict is {text!r}, but N and D must be above 0 and finite.")
    return N, D


def sentences(told, data, found):
    """What is printed without --json, line by line."""
    yield "loss = E + A / N^alpha + B / D^beta, in nats per token, over " + f"{len(data)} runs"
    for left in data.exclusions:
        yield f"  left out: {left['runs']} ({left['why']})"
    intervals = told.get("intervals", {})
    for name in ("E", "A", "B", "alpha", "beta"):
        fixed = "   fixed" if name == "E" and found.floor_fixed else ""
        between = "   95 % from {:.5g} to {:.5g}".format(*intervals[name]) if name in intervals and not fixed else ""
        yield f"  {name:<6} {told[name]:>12.6g}{fixed}{between}"
    yield (
        f"objective {told['objective']:.6g} ({told['estimator']}), {'' if told['converged'] else 'not '}converged; "
        f"minima within 1 %: {found.minima}; condition {found.condition:.3g}; residuals {100 * found.scatter:.2g} %"
    )
    if "prediction" in told:
        at = told["prediction"]
        yield f"at N = {at['N']:.6g}, D = {at['D']:.6g} the loss is {at['loss']:.4f}"
        for key in LEVELS:
            if key in at:
                yield f"  {key} % of new runs between {at[key][0]:.4f} and {at[key][1]:.4f}"
    for flag in told["flags"]:
        yield f"! {flag}"


def _plain(value):
    """JSON knows no infinity: it becomes null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
