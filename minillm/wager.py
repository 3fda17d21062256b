"""Predictions for the larger runs that a plan keeps back: registered before these are trained, scored afterwards."""

import dataclasses
import pathlib

import numpy as np

from . import ladder, plan, registration, rung, runs, sources

COLUMNS = "{:24} {:>9} {:>20} {:>7} {:>8} {:>10} {:>7} {:>7}"


def register(chosen, results, folder, **how):
    """A prediction for each run that the Plan holds out, from the runs in the results file; returns the new files.

    Each rests on the runs of its own language and seed, and of the plan's more_seeds; the floor is that of the runs,
    or free where nobody knows it.  A file is called LANGUAGE-width-W-seed-S.json, and those that are there are left as
    they are: a prediction is made once.  how goes to registration.predict.  ValueError if runs of the plan are missing.
    """
    results, folder = pathlib.Path(results), pathlib.Path(folder)
    everything, made = runs.read(results), []
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen.take:
        for seed in chosen.seeds:
            one = dataclasses.replace(chosen, take=[name], seeds=[seed])
            fitted = rows_of(one.rungs(), everything)
            for each in one.rungs(heldout=True):
                path = folder / f"{name}-width-{each.width}-seed-{seed}.json"
                if path.exists():
                    continue
                source, steps = sources.make(each.language), each.steps(each.tokens[0])
                about = rung.describe(each, source)
                D, C = steps * each.batch_size * each.n_ctx, steps * each.flops_per_step(source.vocab_size)
                model = {"plan": chosen.name, "language": about["language"], "width": each.width, "seed": seed}
                floor = {} if about["floor"] is None else {"floor": about["floor"]}
                registration.predict(path, fitted, N=about["N"], D=D, C=C, model=model, **floor, **how)
                made.append(path)
    return made


def rows_of(rungs, everything):
    """The Runs among everything that are of these Rungs, each once.  ValueError if there is none for one of them."""
    wanted = {}
    for each in rungs:
        about = rung.describe(each, sources.make(each.language))
        for D in each.tokens:
            key = ladder.name(about | {"D": each.steps(D) * each.batch_size * each.n_ctx})
            wanted[key] = f"width {each.width}, D {D:,}, seed {each.seed}"
    keys = [ladder.name(row) for row in everything.rows]
    missing = [says for key, says in wanted.items() if key not in keys]
    if missing:
        raise ValueError(f"the results lack {len(missing)} runs of the plan, first {missing[0]}: finish the ladder.")
    first = {key: i for i, key in reversed([*enumerate(keys)])}
    left = np.array([key not in wanted or first[key] != i for i, key in enumerate(keys)])
    return everything.without(left, "not of this prediction's language and seed") if left.any() else everything


def score(folder, results):
    """What the predictions in a folder were worth: {file name: registration.score(...)}, for those whose run is there.

    results is the file of the held-out runs.  ValueError if there is no prediction in the folder.
    """
    rows, found = runs.read(results).rows, {}
    paths = sorted(pathlib.Path(folder).glob("*.json"))
    if not paths:
        raise ValueError(f"there is no prediction in {folder}: make some with python -m minillm predict.")
    for path in paths:
        model = registration.read(path)["model"]
        same = [row for row in rows if all(row[key] == model[key] for key in ("language", "width", "seed"))]
        if same:
            found[path.name] = registration.score(path, same[0])
    return found


def table(folder, results):
    """The scores as text: the median and the 95 % interval of each, the truth, errors, whether it is inside, width."""
    lines = [
        COLUMNS.format("prediction", "median", "95 % interval", "truth", "error %", "of reduc.", "inside", "width %")
    ]
    for name, worth in score(folder, results).items():
        low, high = registration.read(pathlib.Path(folder) / name)["intervals"]["95"]
        part = worth["error_percent_of_reducible"]
        lines.append(
            COLUMNS.format(
                name.removesuffix(".json"),
                f"{worth['median']:.4f}",
                f"{low:.4f} to {high:.4f}",
                f"{worth['loss']:.4f}",
                f"{worth['error_percent']:.2f}",
                "unknown" if part is None else f"{part:.1f}",
                "yes" if worth["inside"]["95"] else "no",
                f"{worth['width_percent']['95']:.2f}",
            )
        )
    return "\n".join(lines)


def predict(options):
    """python -m minillm predict: register what is not registered yet; returns the exit code."""
    chosen = plan.load(options.plan, take=options.language, seeds=options.seed)
    made = register(chosen, options.runs or pathlib.Path("runs") / f"{chosen.name}.jsonl", options.out)
    if not made:
        print(f"All predictions of this plan are in {options.out} already.")
    for path in made:
        told = registration.read(path)
        low, high = told["intervals"]["95"]
        print(f"{path}: {told['median']:.4f}, 95 % from {low:.4f} to {high:.4f}; SHA-256 {told['sha256'][:16]}...")
        for flag in told["method"]["flags"]:
            print(f"  {flag}")
    return 0


def main(options):
    """python -m minillm score: the table; returns the exit code."""
    print(table(options.folder, options.runs))
    return 0
