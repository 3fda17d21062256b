"""Train the runs of a plan, here or on a cluster; each finished run is one line that is never rewritten."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import tempfile
import threading

from . import machine, plan, rung, sources

LOCAL = ("sequential", "loky", "multiprocessing", "threading")


def climb(rungs, path, *, jobs=1, backend=None, scheduler=None, more=None, progress=True):
    """Train what is missing of these Rungs, and append one line a run to the results file at path; returns all rows.

    jobs trunks are trained at a time, each in a process of its own with one BLAS thread.  backend is a name that joblib
    knows: "sequential" (no other process), "loky" (processes of this machine; the default where jobs is above 1),
    "dask" with scheduler the address of one, or "ray".  more is added to each row.  Runs that are "done" or "diverged"
    in the file are not trained again; "failed" ones are.  After Ctrl-C, the same call goes on.
    ValueError for another backend, or a file that holds something else.
    """
    path = pathlib.Path(path)
    left = missing(rungs, mend(path))
    if left:
        with machine.writing(path.parent, "Choose another --out."):
            path.parent.mkdir(parents=True, exist_ok=True)
        total, _ = plan.flops(left)
        with Bar(left, total, progress) as bar, workers(left, jobs, backend, scheduler, bar.folder) as finished:
            for rows in finished:
                for row in rows:
                    append(path, row | (more or {}))
                    bar.note(row)
    return mend(path)


def missing(rungs, rows):
    """The rungs with those of their D of which there is no row yet, that is "done" or "diverged"."""
    there = {name(row) for row in rows if row["status"] != "failed"}
    left = []
    for each in rungs:
        about = {"language": plan.source_of(each).describe(), "width": each.width, "seed": each.seed, **each.settings()}
        length = each.batch_size * each.n_ctx
        tokens = tuple(D for D in each.tokens if name(about | {"D": each.steps(D) * length}) not in there)
        if tokens:
            left.append(dataclasses.replace(each, tokens=tokens))
    return left


def name(row):
    """What makes a run this one and no other: its language, model, training, seed and D."""
    usual = rung.Rung({}, row["width"], head=row["width"]).settings()  # a row says nothing of a setting younger than it
    found = [row.get(key) for key in ("language", "width", "seed", "D")] + [row.get(key, usual[key]) for key in usual]
    return json.dumps([float(value) if type(value) is int else value for value in found], sort_keys=True)


@contextlib.contextmanager
def workers(rungs, jobs, backend, scheduler, folder):
    """Lists of rows as they are finished, by joblib:  with workers(...) as finished: for rows in finished: ..."""
    import joblib

    if backend == "sequential" or (backend is None and jobs == 1):
        yield ([row] for i, each in enumerate(rungs) for row in safely(each, beat(folder, i)))
        return
    options = {}
    if backend == "ray":
        from ray.util.joblib import register_ray

        register_ray()
    elif backend == "dask":
        import distributed

        options["client"] = distributed.Client(scheduler) if scheduler else distributed.get_client()
    elif backend not in (None, *LOCAL):
        raise ValueError(f"there is no backend {backend!r}; there are {', '.join(LOCAL)}, dask and ray.")
    try:
        with joblib.parallel_config(backend or "loky", n_jobs=jobs if backend in (None, *LOCAL) else -1, **options):
            task = joblib.delayed(collect)
            yield joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")(
                task(each, folder, i) for i, each in enumerate(rungs)
            )
    finally:
        if scheduler and "client" in options:
            options["client"].close()


def collect(each, folder, i):
    """The rows of a rung, as a list: what a worker does."""
    return list(safely(each, beat(folder, i)))


def safely(each, tell=lambda steps: None):
    """The rows of a rung, one by one; what goes wrong becomes rows with the status "failed", and is not raised."""
    made, started = set(), now()
    try:
        for row in rung.train(each, tell):
            made.add(row["D"])
            yield row | {"machine": kind(), "started": started, "finished": now()}
    except Exception as error:  # whatever it is: a run that failed is told of, never dropped
        length = each.batch_size * each.n_ctx
        try:
            about = rung.describe(each, sources.make(each.language))
        except Exception:
            about = {"language": each.language, "width": each.width, "seed": each.seed, **each.settings()}
            about["code"] = rung.code()
        for D in (each.steps(D) * length for D in each.tokens):
            if D not in made:
                why = {"status": "failed", "why": f"{type(error).__name__}: {error}"}
                yield {**about, "D": D, "loss": None, **why, "started": started, "finished": now()}


def now():
    """The time, in UTC, as ISO 8601 has it: a prediction must be older than the end of its run."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def kind():
    """The kind of this machine, as far as it decides the last bits of a run: one that differs gives other losses."""
    found = machine.arithmetic(1)
    return f"{found['machine']}, {found['blas']}"


def beat(folder, i):
    """A function that leaves the number of steps taken in a file of the folder, where the bar finds it."""

    def tell(steps):
        with contextlib.suppress(OSError):  # on another machine there is no such folder: the bar moves less often
            pathlib.Path(folder, str(i)).write_text(str(steps), encoding="ascii")

    return tell


class Bar:
    """How much of the ladder has been climbed, by FLOPs, within runs and over them."""

    def __init__(self, rungs, total, shown):
        from tqdm import tqdm

        self.done, self.runs, self.climbed = 0, sum(len(each.tokens) for each in rungs), 0
        self.flops = [plan.flops([each])[0] / each.steps_in_all() for each in rungs]
        form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        self.bar = tqdm(total=total, disable=None if shown else True, dynamic_ncols=True, bar_format=form)
        self.over = threading.Event()

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.folder = self.temporary.name
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.bar.set_description(f"0 of {self.runs} runs")
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        self.look()
        self.bar.close()
        self.temporary.cleanup()

    def watch(self):
        """Look twice a second."""
        while not self.over.wait(0.5):
            self.look()

    def look(self):
        """Bring the bar to where the runs are."""
        done = 0
        for i, each in enumerate(self.flops):
            with contextlib.suppress(OSError, ValueError):  # not begun, or being written
                done += each * int(pathlib.Path(self.folder, str(i)).read_text(encoding="ascii"))
        self.climbed = min(done, self.bar.total)
        self.bar.update(max(0, self.climbed - self.bar.n))

    def note(self, row):
        """A run is finished."""
        self.done += 1
        self.bar.set_description(f"{self.done} of {self.runs} runs")
        told = f"{row['loss']:.4f}" if row["loss"] is not None else row["why"]
        if not self.bar.disable:
            self.bar.write(f"width {row['width']}, D {row['D']:,}, seed {row['seed']}: {row['status']}, {told}")


def append(path, row):
    """Write a run at the end of the file, and wait until it is on the disk."""
    with open(path, "a", encoding="utf-8", newline="\n") as f:
        f.write(json.dumps(row) + "\n")
        f.flush()
        os.fsync(f.fileno())


def mend(path):
    """The rows of a results file, [] if there is none; half a line at its end, left by a crash, is cut off.

    ValueError, with the line, if it holds something else.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with open(path, "r+b") as f:
            f.truncate(whole)
    rows = []
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            row = json.loads(line)
            rows.append({key: row[key] for key in ("language", "width", "D", "seed", "status")} | row)
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"line {number} of {path} is not a run of a ladder; choose another --out.") from None
    return rows


def main(options):
    """python -m minillm ladder: print the plan, train it, say what came out; returns the exit code."""
    chosen = plan.load(options.plan, take=options.language, seeds=options.seed)
    path = pathlib.Path(options.out or pathlib.Path("runs") / f"{chosen.name}{'-heldout' * options.heldout}.jsonl")
    rungs = chosen.rungs(options.heldout)
    if not rungs:
        raise ValueError(f"the plan {chosen.name} holds no run back: give it heldout.")
    before = mend(path)
    left = missing(rungs, before)
    print(plan.describe(chosen, rungs, options.jobs, left), flush=True)
    others = {row.get("code") for row in before} - {rung.code()}
    if others:
        print(f"{path} holds runs of another version of the code ({', '.join(map(str, others))}).")
    if options.dry_run:
        return 0
    more = {"role": "heldout" if options.heldout else "fit", "plan": chosen.name, "command": command(options)}
    how = {"jobs": options.jobs, "backend": options.backend, "scheduler": options.scheduler}
    rows = climb(rungs, path, more=more, **how)
    wrong = [row for row in rows if row["status"] != "done"]
    print(f"Runs in {path}: {len(rows)}." + (f" {len(wrong)} of them are not done:" if wrong else ""))
    for row in wrong:
        print(f"  width {row['width']}, D {row['D']:,}, seed {row['seed']}: {row['status']}, {row['why']}")
    return 0


def command(options):
    """What was typed, as far as it decides the runs."""
    words = ["python", "-m", "minillm", "ladder", pathlib.Path(options.plan).name]
    words += ["--language", *options.language] if options.language else []
    words += ["--seed", *map(str, options.seed)] if options.seed else []
    return shlex.join(words + ["--heldout"] * options.heldout)
