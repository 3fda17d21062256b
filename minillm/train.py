"""Training: batch, loss, backward, step, log, evaluate, checkpoint, resume."""

import contextlib
import math
import pathlib
import time
from dataclasses import dataclass, field

import numpy as np

from . import batches, checkpoints, gpt, machine, material, ngram, passes, report, runlog, tokenizer, workers
from . import recipe as recipes
from .backend import array_module, is_plain, to_cpu, to_gpu
from .kernels.gpu import precision
from .optim import AdamW

CONTINUE = "To continue, give the same command with --resume."


class Diverged(ValueError):
    """The loss or the gradient is not a number any more."""


@dataclass
class Outcome:
    """What a run came to: validation in nats per token of the tokenizer, ladder a list of ngram.Rung."""

    folder: pathlib.Path
    step: int
    finished: bool
    validation: float | None = None
    bits_per_byte: float | None = None
    ladder: list = field(default_factory=list)
    sample: str = ""


def train(recipe, *, folder=None, resume=False, fresh=False, progress=True):
    """Train a model by a Recipe, in a folder (runs/NAME if none is given); returns an Outcome.

    The folder gets log.txt, loss.png, the token ids of both texts, and the checkpoints last.npz and previous.npz.
    resume goes on from the last checkpoint, bit for bit if nothing that decides the arithmetic has changed; fresh
    starts anew where a run is already.  Ctrl-C saves and stops.  A folder is for one run at a time.
    ValueError or OSError, in one sentence, for what cannot be; Diverged (a ValueError) if the loss becomes NaN;
    ChildProcessError (an OSError) if one of several workers dies.  Inside plain() and using() there is one worker.
    """
    import threadpoolctl

    machine.keep_memory()
    folder = pathlib.Path(folder or pathlib.Path("runs") / recipe.name)
    with machine.alone(folder), threadpoolctl.threadpool_limits(recipe.n_threads(), user_api="blas"):
        run = Run(recipe, folder, resume=resume, fresh=fresh)
        # A loss that becomes NaN is our own business: NumPy need not warn.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            with precision(recipe.precision):
                with run.crew() as crew, machine.patience() as interrupted:
                    finished = run.loop(crew, interrupted, progress)
                if finished:
                    return run.finish()
    say(f"Stopped and saved at step {run.step:,} of {recipe.steps:,}. {CONTINUE}")
    return Outcome(folder, run.step, finished=False)


def learn(optimizer, ids, targets, *, config, recipe, step):
    """Add up the gradient of one batch in the optimizer; returns the mean loss, 0-d, on the optimizer's device.

    ids and targets (B, T) go through the model batch_size sequences at a time, or on a CPU fewer, where that saves
    memory and costs hardly any time.  Several processes do the same in workers.py, each with some of the sequences.
    """
    rows = recipe.batch_size
    if array_module(optimizer.w) is np:
        rows = passes.rows_at_once(rows, config)
    options = {"config": config, "recipe": recipe, "step": step, "rows": rows}
    return passes.learn(optimizer.params, ids, targets, optimizer.add, **options)


class Run:
    """One run at one moment: the text, the model and its optimizer, the log, the checkpoints."""

    def __init__(self, recipe, folder, *, resume=False, fresh=False):
        self.recipe, self.folder = recipe, folder
        self.log, self.checkpoints = runlog.LogFile(folder / "log.txt"), checkpoints.Checkpoints(folder)
        stored, meta = self.stored(resume, fresh)
        with machine.writing(folder, "Choose another --folder."):
            self.checkpoints.sweep()
        if resume:
            tok = tokenizer.from_dict(meta["tokenizer"])
            self.material = material.find(recipe, folder, tok, meta["text"])
        else:
            self.material = material.prepare(recipe, folder, say)
        self.config = recipe.config(self.material.tokenizer.vocab_size)
        self.batches = batches.Batches(
            self.material.train,
            batch_size=recipe.batch_size * recipe.accumulate,
            n_ctx=self.config.n_ctx,
            seed=recipe.seed,
        )
        params = gpt.init(self.config, np.random.default_rng(recipe.seed))
        self.optimizer = AdamW(
            to_gpu(params) if recipe.device == "gpu" else params,
            betas=recipe.betas,
            eps=recipe.eps,
            decay=recipe.decay,
            clip=recipe.clip,
        )
        self.workers, sentence = self.hire(meta)
        self.arithmetic = machine.arithmetic(recipe.n_threads(), recipe.device, self.workers, recipe.precision)
        self.losses = meta.get("losses", [])  # of the steps since the log's last line
        self.pending = []  # (step, loss, norm): they may still be on their way from a GPU
        self.first = meta.get("step", 0)  # where this part of the run begins
        self.seconds, self.started = meta.get("seconds", 0.0), time.perf_counter()
        if resume:
            self.optimizer.restore(stored, meta["step"])
            with machine.writing(folder, "Put that right first."):
                fault = self.log.mend(meta["log_length"], recipe.to_dict())
                if fault:
                    self.tell(f"The log {fault}. A new one begins after step {self.step:,}; nothing else is lost.")
            say(f"Resumed at step {self.step:,} of {recipe.steps:,}.")
            say(sentence)
            say(machine.changes(meta["arithmetic"], self.arithmetic))
        else:
            with machine.writing(folder, "Choose another --folder."):
                self.log.start(recipe.to_dict())
                self.introduce()
                self.tell(sentence)
                self.save()
                self.checkpoints.forget_previous()

    @property
    def step(self):
        """Steps taken so far."""
        return self.optimizer.steps

    def stored(self, resume, fresh):
        """The tree and the meta of the checkpoint to go on from: (None, {}) for a new run."""
        if not resume:
            if self.checkpoints.exist() and not fresh:
                raise ValueError(
                    f"{self.folder} holds a run already: give --resume to go on with it, another --folder to leave it "
                    "alone, or --fresh to delete it and start anew."
                )
            return None, {}
        stored, meta, warning = self.checkpoints.load()
        say(warning)
        say(recipes.continued(recipes.make(meta["recipe"]), self.recipe, self.folder))
        return stored, meta

    def hire(self, meta):
        """How many workers there will be, and a sentence about it, "" if it is what the recipe says."""
        wanted = self.recipe.workers
        if wanted != 1 and is_plain():
            return 1, f"workers: {wanted} is 1 inside plain() and using(), so that what runs is what stands there."
        if wanted == "auto" and meta:
            return meta["arithmetic"].get("workers", 1), ""  # as it was found when the run began
        if wanted == "auto":
            return workers.choose(self.optimizer, *self.batches.batch(0), self.config, self.recipe)
        return wanted, ""

    def crew(self):
        """The processes that learn from each batch together; None, in a `with` too, if we are alone."""
        if self.workers == 1:
            return contextlib.nullcontext()
        return workers.Workers(self.workers, self.optimizer, self.config, self.recipe)

    def introduce(self):
        """Say what is about to happen."""
        recipe, mine = self.recipe, self.material
        self.tell(
            f"{recipe.name}: {self.optimizer.w.size:,} parameters learn from {len(mine.train):,} tokens of "
            f"{mine.about['name']} ({recipe.tokenizer}, {mine.tokenizer.vocab_size} different ones); "
            f"{len(mine.validation):,} tokens are kept for validation."
        )
        machine_words = ", ".join(f"{key} {value}" for key, value in self.arithmetic.items())
        self.tell(f"{recipe.steps:,} steps of {recipe.tokens_per_step():,} tokens in {self.folder}; {machine_words}.")

    def loop(self, crew, interrupted, progress=True):
        """Steps until the last one, or until interrupted() is true; returns whether the last one was taken."""
        recipe, saved = self.recipe, self.step
        with progress_bar(self.step, recipe.steps, progress) as bar:
            try:
                while self.step < recipe.steps:
                    step = self.step + 1
                    ids, targets = self.batches.batch(self.step)
                    if crew:
                        value = crew.learn(ids, targets, step)
                    else:
                        value = learn(self.optimizer, ids, targets, config=self.config, recipe=recipe, step=step)
                    rate = recipe.learning_rate(step)
                    norm = self.optimizer.step(rate)
                    self.pending.append((step, value, norm))
                    bar.update()
                    last, stop = step == recipe.steps, interrupted()
                    evaluate = last or step % recipe.evaluate_every == 0
                    if recipe.device == "cpu" or len(self.pending) == 10:  # asking a GPU makes it wait: not every step
                        self.settle()
                    if evaluate or step % recipe.log_every == 0:
                        self.write_line(rate, evaluate, bar)
                    if last or stop or step % recipe.checkpoint_every == 0:
                        self.save()
                        saved = step
                    if stop and not last:
                        return False
            except ChildProcessError as error:
                sentence = f"{error} The checkpoint of step {saved:,} is intact. {CONTINUE}"
                self.log.note(sentence)
                raise ChildProcessError(sentence) from error
            except OSError as error:
                raise OSError(
                    f"step {self.step:,} could not be saved in {self.folder}: {machine.reason(error)}. The checkpoint "
                    f"of step {saved:,} is intact. Put that right first. {CONTINUE}"
                ) from error
        return True

    def write_line(self, rate, evaluate, bar):
        """One line of the log: the mean loss since the line before, and where it is due, the validation loss."""
        self.settle()
        loss, self.losses = float(np.mean(self.losses)), []
        tokens = self.step * self.recipe.tokens_per_step()
        speed = (self.step - self.first) * self.recipe.tokens_per_step() / (time.perf_counter() - self.started)
        bar.set_postfix_str(f"loss {loss:.3f}, {speed:,.0f} tokens/s", refresh=False)
        line = {"step": self.step, "tokens": tokens, "loss": loss, "norm": self.norm, "rate": rate}
        if evaluate:
            line["validation"] = self.evaluate(self.recipe.evaluate_tokens)
            say(f"step {self.step:,}: loss {loss:.4f}, validation loss {line['validation']:.4f} nats per token")
        self.log.row(**line, seconds=self.elapsed())

    def settle(self):
        """Fetch the losses of the last steps.  Diverged if one of them, or a gradient, is NaN or infinite."""
        for step, value, norm in self.pending:
            value, self.norm = number(value), number(norm)
            if not (math.isfinite(value) and math.isfinite(self.norm)):
                words = f"the loss is {value:.4g} and the length of the gradient is {self.norm:.4g}"
                self.give_up(step - 1, f"step {step:,} went wrong: {words}")
            self.losses.append(value)
        self.pending = []

    def evaluate(self, limit=None):
        """The validation loss in nats per token, on about `limit` tokens spread over the text, or on all."""
        value = report.evaluate(self.optimizer.params, self.material.validation, config=self.config, limit=limit)
        if not math.isfinite(value):
            self.give_up(self.step, f"step {self.step:,} went wrong: after it, the validation loss is {value}")
        return value

    def give_up(self, spoilt, words):
        """Stop with the last good checkpoint kept: not the one of the step whose weights turned out to be spoilt."""
        if self.checkpoints.load()[1]["step"] == spoilt:
            self.checkpoints.go_back()
        good = self.checkpoints.load()[1]["step"]
        sentence = (
            f"{words}. The last good checkpoint, of step {good:,}, is {self.checkpoints.last}. Start anew "
            f"with --fresh and a smaller rate, such as --set rate={self.recipe.rate / 3:.1g}, a longer warmup or a "
            "smaller clip."
        )
        self.log.note(sentence)
        raise Diverged(sentence)

    def save(self):
        """Write a checkpoint."""
        self.settle()
        meta = {
            "step": self.step,
            "recipe": self.recipe.to_dict(),
            "config": self.config.to_dict(),
            "tokenizer": self.material.tokenizer.to_dict(),
            "text": self.material.about,
            "arithmetic": self.arithmetic,
            "losses": self.losses,
            "log_length": self.log.length(),
            "seconds": self.elapsed(),
        }
        self.checkpoints.save(to_cpu(self.optimizer.state()), meta)

    def finish(self):
        """Place the trained model on the ladder, let it write, draw its loss; returns the Outcome."""
        recipe, mine = self.recipe, self.material
        n_bytes, n_tokens = mine.about["validation_bytes"], len(mine.validation)
        seconds, validation = self.elapsed(), self.evaluate()
        ours = ngram.Rung(recipe.name, validation, ngram.bits_per_byte(validation, n_tokens, n_bytes))
        outcome = Outcome(self.folder, self.step, True, validation, ours.bits_per_byte)
        with self.attempt("The log"):
            self.tell(
                f"Trained for {self.step:,} steps in {seconds:,.0f} seconds. On the whole validation text the "
                f"loss is {validation:.4f} nats per token, {ours.bits_per_byte:.4f} bits per byte."
            )
        with self.attempt("The ladder"):
            say("Counting n-grams, to see where that stands.")
            outcome.ladder = report.ladder(mine.tokenizer, mine.train, mine.validation, n_bytes)
            self.tell("\n".join(report.place(outcome.ladder, ours)))
        with self.attempt("The sample"):
            params, seed = self.optimizer.params, recipe.seed
            outcome.sample = report.write(params, recipe.prompt, config=self.config, tok=mine.tokenizer, seed=seed)
            self.tell(f"A sample:\n{outcome.sample}")
        with self.attempt("The plot"):
            from . import plots

            log = runlog.read(self.log.path)
            plots.training(log, outcome.ladder or None).savefig(self.folder / "loss.png", dpi=150)
        return outcome

    @contextlib.contextmanager
    def attempt(self, part):
        """Say so if a part of the report fails, whatever the reason: what was trained must not be lost over it."""
        try:
            yield
        except Exception as error:
            words = machine.reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            say(
                f"{part} of the report failed ({words}). The trained model is safe in {self.checkpoints.last}; "
                "the same command with --resume reports again."
            )

    def elapsed(self):
        """Seconds of training so far, pauses between resumed runs left out."""
        return self.seconds + time.perf_counter() - self.started

    def tell(self, sentence):
        """Say it, and write it into the log."""
        say(sentence)
        self.log.note(sentence)


def number(x):
    """A 0-d value as a float, fetched from the GPU if it is there."""
    return float(to_cpu(x))


def progress_bar(done, steps, shown):
    """A bar that tells steps, time left, loss and speed; nothing is drawn where nobody looks (not a terminal)."""
    from tqdm import tqdm

    return tqdm(initial=done, total=steps, unit=" steps", disable=None if shown else True, dynamic_ncols=True)


def say(sentence):
    """Print a sentence, above the progress bar if there is one; nothing for ""."""
    from tqdm import tqdm

    if sentence:
        with contextlib.suppress(BrokenPipeError):  # nobody reads on; the log does
            tqdm.write(sentence)
