"""The command line: python -m minillm doctor | train | write | grade | ladder | fit | predict | score."""

import argparse
import contextlib
import difflib
import errno
import os
import pathlib
import re
import sys
import warnings

EXAMPLES = """\
  python -m minillm doctor                        is everything there? what to do about what is not
  python -m minillm train shakespeare             about three minutes
  python -m minillm doctor --gpu                  do its kernels compute what they should?
  python -m minillm train my.yaml --set steps=500 model.width=64
  python -m minillm train shakespeare --resume    go on after a stop
  python -m minillm write --prompt "ROMEO." --temperature 0.8 --top-p 0.9
  python -m minillm grade submissions             every notebook in the folder: its score, and the first mistake
  python -m minillm fit runs.csv --floor 2.25 --predict 1e6,2e7
"""
BROKEN_PIPE = 141  # what a shell reports for a program whose reader went away


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are one sentence, raised as a ValueError."""

    def error(self, message):
        raise ValueError(f"{message.rstrip('.')}; {self.prog} --help lists what there is.")


def parser():
    """The top parser, and those of the commands by name."""
    form = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    top = Parser(
        "python -m minillm",
        description="Train a language model, let it write, grade exercises, and fit scaling laws.",
        epilog=f"examples:\n{EXAMPLES}",
        **form,
    )
    from . import __version__

    top.add_argument("--version", action="version", version=f"minillm {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    parts = {
        "doctor": _doctor_options,
        "train": _train_options,
        "write": _write_options,
        "grade": _grade_options,
        "ladder": _ladder_options,
        "fit": _fit_options,
        "predict": _predict_options,
        "score": _score_options,
    }
    for name, add in parts.items():
        parts[name] = add(lambda words, name=name: commands.add_parser(name, help=words, description=words, **form))
    return top, parts


def _doctor_options(make):
    part = make("Look at this machine and say what is missing.")
    part.add_argument("--folder", default="runs", help="where runs are to go (default: runs)")
    part.add_argument("--gpu", action="store_true", help="run every kernel on the GPU, and compare with its definition")
    return part


def _train_options(make):
    part = make("Train a model by a recipe.")
    part.add_argument("recipe", metavar="NAME", help="shakespeare, shakespeare-long, pydocs, or your own file.yaml")
    part.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="change single keys of the recipe, as in --set steps=500 model.width=64",
    )
    part.add_argument("--resume", action="store_true", help="go on with the run that is in the folder")
    part.add_argument("--fresh", action="store_true", help="delete the run that is in the folder, and start anew")
    part.add_argument("--folder", "--out", help="where the run goes (default: runs/ and the recipe's name)")
    part.add_argument("--device", choices=("cpu", "gpu"), help="the same as --set device=...")
    return part


def _write_options(make):
    part = make("Let a trained model continue a text; what is said about it goes to standard error.")
    part.add_argument("--prompt", help=r"the text to continue; \n is a new line (default: the recipe's)")
    part.add_argument("--temperature", type=float, default=0.8, metavar="T", help="0 is the likeliest (default: 0.8)")
    part.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens only")
    part.add_argument("--top-p", type=float, metavar="P", help="draw from the likeliest that add up to P, 0 to 1")
    part.add_argument("--penalty", type=float, default=1.0, metavar="X", help="above 1: repeat less (default: 1)")
    part.add_argument(
        "--stop",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help=r"stop before this text; \n is a new line",
    )
    part.add_argument("--length", type=int, default=500, metavar="N", help="tokens to write (default: 500)")
    part.add_argument("--seed", type=int, help="the same seed writes the same text (default: another each time)")
    part.add_argument("--model", metavar="FOLDER", help="a run's folder or a checkpoint (default: the newest in runs/)")
    return part


def _grade_options(make):
    part = make("Grade notebooks: each is run in a fresh process, and its answers are found by name.")
    part.add_argument("paths", metavar="PATH", nargs="*", help="a notebook, a .py file, or a folder of notebooks")
    part.add_argument("--json", action="store_true", help='print {"files": [...]}, with every check of every file')
    part.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for each file (default: 60)")
    part.add_argument("--class", dest="class_mode", action="store_true", help="minillm's own function earns nothing")
    part.add_argument("--checks", metavar="FILE", help="a teacher's own checks, beside ours")
    part.add_argument("--exercise", metavar="NN_name", help="what the files answer, where their names do not say")
    part.add_argument("--seed", type=int, help="the same seed asks every file the same (default: another for each)")
    part.add_argument("--jobs", type=int, default=1, metavar="N", help="files at a time (default: 1)")
    part.add_argument("--self-test", action="store_true", help="judge the wrong answers that we know, and count")
    return part


def _ladder_options(make):
    part = make("Train a ladder of models, for a scaling law; the plan and its cost are printed first.")
    part.add_argument("plan", metavar="NAME", help="quick, full, shakespeare, or a plan of your own, file.yaml")
    part.add_argument("--language", nargs="+", metavar="NAME", help="of those in the plan, instead of its choice")
    part.add_argument("--seed", nargs="+", type=int, metavar="N", help="instead of the plan's seeds")
    part.add_argument("--heldout", action="store_true", help="train the larger runs that are kept back for the end")
    part.add_argument("--out", metavar="FILE", help="results, a line a run (default: runs/NAME.jsonl)")
    part.add_argument("--jobs", type=int, metavar="N", help="trunks at a time (default: one for each core)")
    part.add_argument("--backend", metavar="NAME", help="joblib's: sequential, loky, dask or ray")
    part.add_argument("--scheduler", metavar="ADDRESS", help="of dask, such as tcp://127.0.0.1:8786")
    part.add_argument("--dry-run", action="store_true", help="print the plan, and train nothing")
    return part


def _fit_options(make):
    from . import fit

    return fit.options(make)


def _predict_options(make):
    part = make("Register what the larger runs of a plan will come to, before they are trained.")
    part.add_argument("plan", metavar="NAME", help="quick, full, shakespeare, or a plan of your own, file.yaml")
    part.add_argument("--language", nargs="+", metavar="NAME", help="of those in the plan, instead of its choice")
    part.add_argument("--seed", nargs="+", type=int, metavar="N", help="instead of the plan's seeds")
    part.add_argument("--runs", metavar="FILE", help="results of the ladder (default: runs/NAME.jsonl)")
    part.add_argument("--out", metavar="FOLDER", default="runs/registered", help="default: runs/registered")
    return part


def _score_options(make):
    part = make("Compare registered predictions with the runs that were made afterwards.")
    part.add_argument("folder", metavar="FOLDER", help="of the predictions")
    part.add_argument("runs", metavar="FILE", help="results of the held-out runs, such as runs/quick-heldout.jsonl")
    return part


def doctor(options):
    """Look at the machine; returns the exit code."""
    from . import doctor
    from .kernels import checks

    return checks.main() if options.gpu else doctor.main(options.folder)


def train(options):
    """Train by a recipe."""
    from . import recipe, train

    changes = options.set + ([f"device={options.device}"] if options.device else [])
    plan = recipe.load(options.recipe, changes)
    outcome = train.train(plan, folder=options.folder, resume=options.resume, fresh=options.fresh)
    if not outcome.finished:
        return 130
    print(f"Let it write: python -m minillm write --model {_quoted(outcome.folder)}")
    return 0


def write(options):
    """Continue a text: the text goes to standard output, what is said about it to standard error."""
    import numpy as np

    from . import checkpoints, report, sample

    path = newest() if options.model is None else named(options.model)
    params, config, tokenizer, meta = checkpoints.load_model(path)
    if options.prompt is None:
        prompt = report.opening(meta["recipe"]["prompt"], tokenizer)
    else:
        prompt = unescape(options.prompt)
    seed = int(np.random.SeedSequence().entropy % 2**32) if options.seed is None else options.seed
    if seed < 0:
        raise ValueError(f"--seed is {seed}, but must be 0 or more.")
    pieces = sample.write(
        params,
        prompt,
        tokenizer=tokenizer,
        config=config,
        rng=np.random.default_rng(seed),
        max_tokens=options.length,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        penalty=options.penalty,
        stop=[unescape(text) for text in options.stop],
    )
    steps = meta["recipe"]["steps"]
    done = f"step {meta['step']:,}" + (f" of {steps:,}, not finished" if meta["step"] < steps else "")
    if meta["warning"]:
        say(meta["warning"])
    say(f"The model in {path} ({done}) writes, with seed {seed}.")
    n_prompt = len(tokenizer.encode(prompt))
    if n_prompt > config.n_ctx:
        say(f"The prompt has {n_prompt:,} tokens; the model reads at most {config.n_ctx}, so it sees only its end.")
    text = prompt
    show(prompt)
    for text in pieces:
        show(text)
    if not text.endswith("\n"):
        show("\n")
    return 0


def grade(options):
    """Grade files, or the grader itself."""
    from .grader import marks

    return marks.main(options)


def ladder(options):
    """Train the runs of a plan."""
    from . import ladder, machine

    options.jobs = machine.cores() if options.jobs is None else options.jobs
    return ladder.main(options)


def fit(options):
    """Fit a scaling law to a file of runs."""
    from . import fit

    return fit.main(options)


def predict(options):
    """Register predictions."""
    from . import wager

    return wager.predict(options)


def score(options):
    """Score predictions."""
    from . import wager

    return wager.main(options)


def newest(folder="runs"):
    """The folder of the run whose checkpoint is the newest.  FileNotFoundError if there is none."""
    found = [path for name in ("last", "new", "previous") for path in pathlib.Path(folder).glob(f"*/{name}.npz")]
    if not found:
        raise FileNotFoundError(
            f"there is no trained model in {folder} yet: make one with python -m minillm train shakespeare (about "
            "three minutes), or say where it is with --model FOLDER."
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent


def named(model):
    """The path of a model: as it is given, or the run of that name in runs/."""
    run = pathlib.Path("runs") / model
    return run if not pathlib.Path(model).exists() and run.is_dir() else pathlib.Path(model)


def unescape(text):
    r"""Text as typed: \n is a new line, \t a tab, \\ a backslash; another backslash stays what it is."""
    return re.sub(r"\\([nt\\])", lambda found: {"n": "\n", "t": "\t", "\\": "\\"}[found[1]], text)


def show(text):
    """Write a piece of text at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say(sentence):
    """Say something about the text that is being written."""
    print(sentence, file=sys.stderr, flush=True)


def _quoted(path):
    return f'"{path}"' if " " in str(path) else str(path)


def main(argv=None):
    """Run one command; returns its exit code: 0, 1 for a machine that is not ready, 2 for bad input, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):  # a Windows console would refuse what its code page lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *rest, **more: say(f"Warning: {message}")
        try:
            code = _run(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()  # here, where a reader that has gone away is expected
            return code
        except KeyboardInterrupt:
            say("\nStopped.")
            return 130
        except OSError as error:
            if isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL):
                with contextlib.suppress(OSError, ValueError):  # or Python complains once more when it closes the pipe
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return BROKEN_PIPE
            say(f"Error: {_sentence(error)}")
        except ModuleNotFoundError as error:
            say(f"Error: the package {error.name} is missing; python -m minillm doctor says what to do about it.")
        except MemoryError:
            say("Error: the memory is not enough; close other programs, or take a smaller model or batch_size.")
        except ValueError as error:
            say(f"Error: {error}")
        return 2


def _run(argv):
    top, parts = parser()
    if not argv or argv[0] == "help":
        top.print_help()
        return 0
    if not argv[0].startswith("-") and argv[0] not in parts:
        near = difflib.get_close_matches(argv[0], parts, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(parts)}."
        raise ValueError(f"there is no command {argv[0]!r}; {hint}")
    try:
        options, unknown = top.parse_known_args(argv)
    except SystemExit as end:  # --help and --version print and leave
        return end.code
    if unknown:
        word = unknown[0].partition("=")[0]
        known = re.findall(r"--[a-z][a-z-]+", parts[options.command].format_help()) if options.command else []
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"see python -m minillm {options.command or ''} --help"
        raise ValueError(f"{options.command or 'minillm'} does not know {word!r}; {hint}")
    if options.command is None:
        top.print_help()
        return 0
    commands = {
        "doctor": doctor,
        "train": train,
        "write": write,
        "grade": grade,
        "ladder": ladder,
        "fit": fit,
        "predict": predict,
        "score": score,
    }
    return commands[options.command](options)


def _sentence(error):
    """What an OSError says, with the file's name first where the system only gave a code."""
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


if __name__ == "__main__":
    sys.exit(main())
