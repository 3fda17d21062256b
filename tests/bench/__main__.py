"""The benchmark: python tests/bench, or `python course.py bench`, which installs what it needs first.

Each run is made of fresh processes. Nothing here is asserted about time: the table says which targets are met.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results"
PARTS = ("steps", "memory", "generation", "bpe")
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # NumPy and PyTorch are told inside

if str(ROOT) not in sys.path:
    sys.path.insert(1, str(ROOT))


def say(line):
    print(line, flush=True)


def options(words):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="how often everything is measured, in fresh processes")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}, with commas")
    parser.add_argument("--quick", action="store_true", help="the smallest cases, briefly: does it work?")
    parser.add_argument("--profile", metavar="SIZE", help="how one of our steps divides: tiny, small, medium, large")
    parser.add_argument("--plain", action="store_true", help="with --profile: the definitions, not the fast versions")
    parser.add_argument("--quote", action="store_true", help="put this machine's stored table into the README")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the results are written")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    given.only = given.only.split(",")
    unknown = [part for part in given.only if part not in PARTS]
    if unknown or given.runs < 1:
        parser.error(f"--only takes {', '.join(PARTS)}; --runs takes a number of at least 1.")
    return given


def child(given):
    """Measure one part in this process; its rows go to the file --out."""
    import cases

    command = [sys.executable, str(HERE)]
    sizes, writers = (cases.STEPS[:1], cases.WRITERS[:1]) if given.quick else (cases.STEPS, cases.WRITERS)
    if given.child == "steps":
        import steps

        rows = steps.measure(given.threads, sizes=sizes, quick=given.quick, say=say)
    elif given.child == "memory":
        import memory

        rows = memory.measure(command, sizes=sizes, say=say)
    elif given.child == "generation":
        import generation

        rows = generation.measure(sizes=writers, quick=given.quick, say=say)
    else:
        import vocabulary

        rows = vocabulary.measure(quick=given.quick, say=say)
    given.out.write_text(json.dumps([row.to_dict() for row in rows]), encoding="utf-8")


def ask(part, threads, quick, out):
    """The rows of one part, from a process of its own.  SystemExit if it fails."""
    command = [sys.executable, str(HERE), "--child", part, "--threads", str(threads), "--out", str(out)]
    env = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")} | ONE_THREAD
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    if subprocess.run([*command, *(["--quick"] if quick else [])], env=env).returncode:
        raise SystemExit(f"The benchmark stopped in {part}: the reason stands above.")
    return json.loads(out.read_text(encoding="utf-8"))


def measure(given):
    """All runs; the results, ready for table.py."""
    import here
    import table

    company, machine, runs = here.Company(), here.describe(), []
    if company.load and company.load > here.IDLE:
        say(f"Warning: the machine is not idle (load {company.load:.2f}); the figures will be a rough guide.")
    with tempfile.TemporaryDirectory() as folder:
        for run in range(1, given.runs + 1):
            rows, start = [], time.perf_counter()
            for part in given.only:
                for threads in (1, machine["cores"]) if part == "steps" and machine["cores"] > 1 else (1,):
                    say(f"Run {run} of {given.runs}: {part}, {threads} thread{'s' if threads > 1 else ''}")
                    rows += ask(part, threads, given.quick, Path(folder) / "rows.json")
            runs.append(rows)
            say(f"Run {run} took {time.perf_counter() - start:.0f} seconds.")
    found = company.report()
    idle = here.idle(found)
    rows = table.collect(runs)
    order = list(table.PARTS)
    rows.sort(key=lambda row: order.index(row["part"]))
    return {"machine": machine, "company": found, "idle": idle, "quick": given.quick, "runs": given.runs, "rows": rows}


def main(words):
    given = options(words)
    import here
    import table

    if given.peak:
        import cases
        import memory

        return print(memory.peak(given.peak[0], cases.size(given.peak[1])))
    if given.child:
        return child(given)
    if given.profile:
        import cases
        import passes

        try:
            size = cases.size(given.profile)
        except ValueError as error:
            raise SystemExit(f"--profile: {error}") from None
        return print(passes.profile(size, plain=given.plain))
    name = here.slug(here.describe())
    if not given.quote:
        results = measure(given)
        print("\n" + table.page(results))
        given.folder.mkdir(parents=True, exist_ok=True)
        name = name + ("-quick" if given.quick else "" if set(given.only) == set(PARTS) else "-part")
        (given.folder / f"{name}.json").write_text(table.dump(results), encoding="utf-8")
        (given.folder / f"{name}.md").write_text(table.page(results), encoding="utf-8")
        return say(f"Written to {given.folder / name}.md and .json.")
    stored = given.folder / f"{name}.json"
    if not stored.exists():
        raise SystemExit(f"There are no results of this machine to quote in {stored}: run the benchmark first.")
    results = json.loads(stored.read_text(encoding="utf-8"))
    readme = ROOT / "README.md"
    readme.write_text(table.requote(readme.read_text(encoding="utf-8"), name, results), encoding="utf-8")
    return say(f"README.md quotes {name}.json.")


if __name__ == "__main__":
    main(sys.argv[1:])
