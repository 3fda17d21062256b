"""A plan: which runs a ladder is made of, as data, with what they cost.

A run is one line of a results file, in JSON:

    language                       its parameters, with "kind"
    width n_layer head n_ctx       the model: channels in all and per head, blocks, tokens of a window
    N  N_readout  N_all            weights: without embeddings and read-out, with the read-out, all
    D  C                           tokens trained on, cooldown included; training FLOPs, exactly as counts has them
    seed                           of the first weights and of the batches
    loss  nll                      nats per token on the held-out windows: expected, where the law is known, and sampled
    floor                          the exact lowest loss on such windows, or null
    status  why                    "done", "diverged" or "failed", and why where it is not "done"
    role  plan  command            "fit" or "heldout"; the plan's name; what was typed to make it
    batch_size rate warmup cooldown decay clip n_heldout positions per_width distinct
                                   how it was trained and measured, see rung.Rung; the last three are not in older rows
    started  finished              when its trunk was begun and the run was measured, ISO 8601, UTC
    seconds                        of processor time, the beginning that it shares with others included
    checksum  code                 of the language and its first tokens; of the source files
    numpy  machine                 NumPy's version; system, processor and BLAS
"""

import dataclasses
import functools
import json
import pathlib
import time
from dataclasses import dataclass, field

import numpy as np

from . import counts, recipe, rung, sources

SHELF = pathlib.Path(__file__).parent / "ladders"


@dataclass(frozen=True)
class Plan:
    """widths x tokens x seeds, for each of the languages that are taken; heldout are larger runs, made afterwards.

    languages are {name: description with n_ctx}; more_seeds {width: [seeds]} are beside the seeds, for some widths;
    model holds what is to differ from rung.Rung; registered is what was decided before the first run, in words that
    nothing reads but people.  ValueError, in one sentence, for a plan that cannot be.
    """

    name: str
    languages: dict
    widths: list
    tokens: list
    seeds: list = field(default_factory=lambda: [0])
    take: list = field(default_factory=list)
    more_seeds: dict = field(default_factory=dict)
    heldout: list = field(default_factory=list)
    model: dict = field(default_factory=dict)
    registered: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in self.take:
            if name not in self.languages:
                raise ValueError(f"the plan {self.name} has no language {name!r}{recipe.nearest(name, self.languages)}")
        for what in ("widths", "tokens", "seeds", "take"):
            values = getattr(self, what)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"the plan {self.name} needs {what}, each once, but they are {values}.")

        kinds = {f.name: f.type for f in dataclasses.fields(rung.Rung)}
        for key in self.model:
            if key not in kinds:
                raise ValueError(f"the model of a plan has no {key!r}{recipe.nearest(key, kinds)}")
        model = {key: recipe.typed(f"model.{key}", value, kinds[key]) for key, value in self.model.items()}
        object.__setattr__(self, "model", model)

    def rungs(self, heldout=False):
        """The Rungs to fit, or those held out, in the order in which they are trained: the widest first."""
        found = []
        for name in self.take:
            language = dict(self.languages[name])
            model = self.model | {"n_ctx": language.pop("n_ctx")}
            make = lambda width, tokens, seed, a=language, b=model: rung.Rung(a, width, tuple(tokens), seed, **b)
            for seed in self.seeds:
                if heldout:
                    found += [make(run["width"], [run["tokens"]], seed) for run in self.heldout]
                else:
                    found += [make(width, self.tokens, seed) for width in self.widths]
            if not heldout:
                found += [make(w, self.tokens, seed) for w, seeds in self.more_seeds.items() for seed in seeds]
        return sorted(found, key=lambda each: -each.width)  # sorted() keeps ties in order


def load(name, **changes):
    """The Plan of a name, quick, full or shakespeare, or of a YAML file, with keys changed where they are not None.

    OSError if the file cannot be read; ValueError, in one sentence, if it is no plan.
    """
    path, known = pathlib.Path(name), sorted(path.stem for path in SHELF.glob("*.yaml"))
    if str(name) in known:
        path = SHELF / f"{name}.yaml"
    elif not path.is_file():
        raise ValueError(f"no ladder is called {str(name)!r}{recipe.nearest(str(name), known)} A file ends in .yaml.")
    values = {"name": path.stem} | recipe.parse(path)
    keys = [f.name for f in dataclasses.fields(Plan)]
    for key in values:
        if key not in keys:
            raise ValueError(f"a plan has no key {key!r}{recipe.nearest(key, keys)}")
    for key in ("languages", "widths", "tokens"):
        if key not in values:
            raise ValueError(f"{path} is no plan of a ladder: it lacks {key}.")
    values |= {key: value for key, value in changes.items() if value is not None}
    return Plan(**({"take": list(values["languages"])} | values))


def source_of(each):
    """The source of a Rung, made once."""
    return _source(json.dumps(each.language, sort_keys=True))


@functools.cache
def _source(text):
    return sources.make(json.loads(text))


def flops(rungs):
    """FLOPs to be computed, with a trunk for each rung, and of all runs if each were trained alone."""
    shared = alone = 0
    for each in rungs:
        step = each.flops_per_step(source_of(each).vocab_size)
        shared += step * each.steps_in_all()
        alone += step * sum(map(each.steps, each.tokens))
    return shared, alone


def minutes(rungs, steps=12):
    """Processor minutes that these rungs will take on this machine: a few steps of each width are timed."""
    import threadpoolctl

    per_step, total = {}, 0.0
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for each in rungs:
            key = (str(each.language), each.width, each.n_ctx, each.batch_size, each.n_layer)
            if key not in per_step:
                per_step[key] = _time(each, steps)
            total += per_step[key] * each.steps_in_all()
    return total / 60


def _time(each, steps):
    """Seconds of one step: the median of a few, on tokens drawn alike."""
    vocab_size = source_of(each).vocab_size
    config, rng = each.config(vocab_size), np.random.default_rng(0)
    optimizer = rung.Optimizer(rung.init(config, rng), each)
    ids = rng.integers(0, vocab_size, (each.batch_size, each.n_ctx + 1))
    seconds = []
    for _ in range(steps):
        start = time.process_time()
        rung.learn(optimizer, ids[:, :-1], ids[:, 1:], config, 1e-3)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


def describe(plan, rungs, jobs, left=None):
    """The plan in a few lines: sizes, FLOPs and expected minutes; left are the rungs that are still to be trained."""
    left = rungs if left is None else left
    runs, missing = (sum(len(each.tokens) for each in some) for some in (rungs, left))
    lines = [f"{plan.name}: {_count(runs, 'run')}; {_count(len(rungs), 'trunk')}, with a branch for each D"]
    for language in {str(each.language): each.language for each in rungs}.values():
        some = [each for each in rungs if each.language == language]
        source = source_of(some[0])
        floor = source.floor(some[0].n_ctx)
        known = f"lowest loss {floor:.4f} nats" if floor is not None else "lowest loss unknown"
        lines.append(f"  {', '.join(f'{key} {value}' for key, value in source.describe().items())}: {known}")
        for width in sorted({each.width for each in some}):
            mine = [each for each in some if each.width == width]
            N = counts.count_by_convention(mine[0].config(source.vocab_size))["N"]
            tokens = ", ".join(f"{D:,}" for D in sorted({D for each in mine for D in each.tokens}))
            seeds = ", ".join(str(seed) for seed in sorted({each.seed for each in mine}))
            lines.append(f"    width {width:3}  N = {N:7,}  D = {tokens}  seed {seeds}")
    shared, alone = flops(rungs)
    lines.append(f"{shared:.2e} FLOPs; {alone:.2e} if no two runs shared their beginning")
    if missing < runs:
        lines.append(f"{runs - missing} of the {runs} runs are there already")
    if missing:
        processes = min(jobs, len(left))
        lines.append(f"about {minutes(left) / processes:.1f} minutes; processes: {processes}")
    return "\n".join(lines)


def _count(n, what):
    return f"{n} {what}{'s' * (n != 1)}"
