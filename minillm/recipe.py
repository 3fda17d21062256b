"""A recipe: everything that decides a training run, read from YAML and checked before anything starts."""

import dataclasses
import difflib
import math
import pathlib
from dataclasses import dataclass, field

from . import machine
from .config import Config
from .kernels.gpu import PRECISIONS
from .optim import KINDS
from .optim import schedule as rate_of

SHELF = pathlib.Path(__file__).parent / "configs"  # the recipes that come with minillm


@dataclass
class Recipe:
    """One training run, whole.  ValueError, in one sentence, for a run that cannot be.

    Lengths are in steps, batches in sequences of model.n_ctx tokens, rates per step.  What `model` may hold is in
    Config, less vocab_size: that comes from the tokenizer.
    """

    name: str = "unnamed"
    text: str = "shakespeare"  # what corpus.load() knows: a name, a file or a folder
    tokenizer: str = "characters"  # "characters", "bytes", or "bpe:512" for a vocabulary of 512
    model: dict = field(default_factory=dict)
    steps: int = 1000
    batch_size: int = 8  # sequences in one pass through the model
    accumulate: int = 1  # passes in one step: a step sees batch_size * accumulate sequences
    schedule: str = "cosine"  # "cosine", "linear" or "constant", see optim.schedule
    rate: float = 1e-3  # the highest learning rate
    final_rate: float = 0.0
    warmup: int = 100
    cooldown: float = 0.25  # for "constant": the last part of the run, as a fraction of its steps
    betas: list = field(default_factory=lambda: [0.9, 0.98])
    eps: float = 1e-8
    decay: float = 0.1
    clip: float | None = 1.0  # the longest gradient; null for no limit
    label_smoothing: float = 0.0
    seed: int = 0
    evaluate_every: int = 500
    evaluate_tokens: int | None = 50_000  # of the validation text, while training; null for all of it, as at the end
    log_every: int = 10
    checkpoint_every: int = 500
    threads: int | str = 1  # of each process, inside a matrix product; or "all", worth trying for a wide model
    workers: int | str = 1  # processes that share each batch; "auto" tries and keeps what is fastest, see workers.py
    device: str = "cpu"  # "cpu" or "gpu"
    precision: str = "fp32"  # of matrix products on a GPU: "fp32", "tf32" or "bf16"; all else stays float32
    prompt: str = "\n"  # what the sample at the end begins with

    def __post_init__(self):
        for f in dataclasses.fields(self):
            setattr(self, f.name, typed(f.name, getattr(self, f.name), f.type))
        if not isinstance(self.model, dict):
            raise ValueError(f"model must be a list of key: value lines, but it is {self.model!r}.")
        kinds = {f.name: f.type for f in dataclasses.fields(Config) if f.name != "vocab_size"}
        for key in self.model:
            if key not in kinds:
                raise ValueError(f"a model has no key {key!r}{nearest(key, kinds)}")
        self.model = {key: typed(f"model.{key}", value, kinds[key]) for key, value in self.model.items()}
        for key in ("steps", "batch_size", "accumulate", "evaluate_every", "log_every", "checkpoint_every"):
            _check(key, getattr(self, key), getattr(self, key) >= 1, "at least 1")
        for key in ("rate", "eps"):
            _check(key, getattr(self, key), getattr(self, key) > 0, "above 0")
        for key in ("final_rate", "warmup", "decay", "seed"):
            _check(key, getattr(self, key), getattr(self, key) >= 0, "0 or more")
        _check("final_rate", self.final_rate, self.final_rate <= self.rate, f"at most rate, {self.rate}")
        _check("cooldown", self.cooldown, 0 <= self.cooldown <= 1, "a fraction from 0 to 1")
        _check("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "from 0 to below 1")
        _check("clip", self.clip, self.clip is None or self.clip > 0, "above 0, or null for no limit")
        _check(
            "evaluate_tokens",
            self.evaluate_tokens,
            self.evaluate_tokens is None or self.evaluate_tokens >= 1,
            "at least 1, or null for the whole validation text",
        )
        good = len(self.betas) == 2 and all(isinstance(b, (int, float)) and 0 <= b < 1 for b in self.betas)
        _check("betas", self.betas, good, "two numbers from 0 to below 1, as [0.9, 0.98]")
        _check("schedule", self.schedule, self.schedule in KINDS, f"one of {', '.join(KINDS)}")
        _check("device", self.device, self.device in ("cpu", "gpu"), "cpu or gpu")
        _check("precision", self.precision, self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}")
        good = self.device == "gpu" or self.precision == "fp32"
        _check("precision", self.precision, good, "fp32 on device cpu")
        good = self.name not in ("", ".", "..") and not set("/\\") & set(self.name)
        _check("name", self.name, good, "the name of a folder in runs/, without / or \\")
        _check("prompt", self.prompt, self.prompt, "at least one character")
        good = self.threads == "all" or (isinstance(self.threads, int) and self.threads >= 1)
        _check("threads", self.threads, good, "a number of at least 1, or all")
        good = self.workers == "auto" or (isinstance(self.workers, int) and self.workers >= 1)
        _check("workers", self.workers, good, "a number of at least 1, or auto")
        good = self.workers == 1 or self.device == "cpu"
        _check("workers", self.workers, good, "1 on a GPU, which shares the work by itself")
        good = self.workers == 1 or self.threads != "all"
        _check("threads", self.threads, good, "a number, such as 1, where workers is not 1")
        kind, _, size = self.tokenizer.partition(":")
        good = self.tokenizer in ("characters", "bytes") or (kind == "bpe" and size.isdecimal() and int(size) >= 256)
        _check("tokenizer", self.tokenizer, good, "characters, bytes, or bpe:N with a vocabulary of N >= 256 tokens")
        self.config(256)

    def config(self, vocab_size):
        """The model's Config.  ValueError if there can be no such model."""
        try:
            return Config(vocab_size=vocab_size, **self.model)
        except ValueError as error:
            raise ValueError(f"model: {error}") from None

    def to_dict(self):
        """All keys as plain values: Recipe(**recipe.to_dict()) == recipe."""
        return dataclasses.asdict(self)

    def tokens_per_step(self):
        """How many tokens one step learns from."""
        return self.batch_size * self.accumulate * self.config(256).n_ctx

    def learning_rate(self, step):
        """The rate of step 1, 2, ..., steps; see optim.schedule."""
        return rate_of(
            step,
            kind=self.schedule,
            steps=self.steps,
            warmup=self.warmup,
            rate=self.rate,
            final=self.final_rate,
            cooldown=self.cooldown,
        )

    def n_threads(self):
        """How many threads the run uses: what it asks for, or as many as there are cores for this process."""
        if self.threads != "all":
            return self.threads
        return machine.cores()


# What a resumed run may change and still be the same run.  A change of threads, workers, device or precision is
# announced, since it changes the last bits, and with dropout another number of workers draws other masks.
FREE = {"name", "evaluate_every", "evaluate_tokens", "log_every", "checkpoint_every", "prompt"}
FREE |= {"threads", "workers", "device", "precision"}


def continued(before, after, folder):
    """A sentence, "" if there is nothing to say, about a run in a folder that goes on by another recipe than before's.

    steps may grow: from there on the learning rate follows the schedule of the longer run.  ValueError, with both
    values, if anything else that is not FREE differs.
    """
    changed = differences(before.to_dict(), after.to_dict())
    changed = {key: change for key, change in changed.items() if key not in FREE}
    longer = after.steps > before.steps
    if longer:
        changed.pop("steps")
    if changed:
        words = ", ".join(f"{key} was {old!r} and is {new!r}" for key, (old, new) in changed.items())
        raise ValueError(
            f"the run in {folder} was made by another recipe: {words}. Take that back, or start anew in another "
            "--folder; of what decides a run, only steps may change, and only grow."
        )
    if longer:
        return f"The run now ends at step {after.steps:,}, not {before.steps:,}; the rate follows from here on."
    return ""


def load(name, overrides=()):
    """The recipe of that name, or in that YAML file, with single keys changed: ["steps=500", "model.width=64"].

    OSError if the file cannot be read; ValueError, in one sentence, if it is no recipe.
    """
    path = find(name)
    values = {"name": path.stem} | parse(path)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ValueError(f"a change is written key=value, as in steps=500, but this one is {override!r}.")
        _set(values, key.strip(), _scalar(override, text))
    return make(values)


def make(values):
    """A Recipe from a dict.  ValueError for a key that does not exist, with the nearest one that does."""
    known = [f.name for f in dataclasses.fields(Recipe)]
    for key in values:
        if key not in known:
            raise ValueError(f"a recipe has no key {key!r}{nearest(key, known)}")
    return Recipe(**values)


def names():
    """The names of the recipes that come with minillm."""
    return sorted(path.stem for path in SHELF.glob("*.yaml"))


def find(name):
    """The path of a recipe: a name from names(), or a path to a YAML file.  ValueError if there is no such thing."""
    path = pathlib.Path(name)
    if str(name) in names():
        return SHELF / f"{name}.yaml"
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise ValueError(f"there is no file {path}; minillm itself has the recipes {', '.join(names())}.")
    raise ValueError(f"no recipe is called {str(name)!r}{nearest(str(name), names())} A file ends in .yaml.")


def parse(path):
    """The keys and values of a YAML file.  ValueError if it is not valid, with the line."""
    import yaml

    try:
        values = _yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: byte {error.start} cannot be read; save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).replace("\n", " ")
        raise ValueError(f"{path} is not valid YAML{where}: {what}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{path} is not a recipe: a recipe is a list of lines such as steps: 1000.")
    return values


def nearest(key, known):
    """The end of a sentence about a key that does not exist: "; did you mean ...?" or the keys that do."""
    close = difflib.get_close_matches(str(key), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}."


def differences(old, new):
    """The keys in which two recipes (as dicts) differ: {key: (old value, new value)}, with model.width and the like."""
    defaults = {f.name: f.default for f in dataclasses.fields(Config) if f.name != "vocab_size"}
    flat = [
        {key: value for key, value in recipe.items() if key != "model"}
        | {f"model.{key}": value for key, value in (defaults | recipe["model"]).items()}
        for recipe in (old, new)
    ]
    return {key: (flat[0].get(key), flat[1][key]) for key in flat[1] if flat[0].get(key) != flat[1][key]}


def _set(values, key, value):
    """values["model"]["width"] = value for the key model.width."""
    outer, dot, inner = key.partition(".")
    if not dot:
        values[key] = value
    elif outer == "model":
        values["model"] = {**(values.get("model") or {}), inner: value}
    else:
        raise ValueError(f"a recipe has no key {key!r}: only model has keys of its own, as in model.width=64.")


def _scalar(override, text):
    import yaml

    try:
        return _yaml(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the value in {override!r} is not valid YAML; put it in quotes.") from error


def _yaml(text):
    """What YAML says, and nothing that runs code; a YAMLError, too, for a key that is there twice."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
            seen = set()
            for key in keys:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            problem=f"the key {key.value} is there twice", problem_mark=key.start_mark
                        )
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return yaml.load(text, Loader)


def typed(key, value, kind):
    """value as the type that its field declares; ValueError if it is none.

    YAML reads 1e-3 as a word (it wants 1.0e-3): we read the number.
    """
    kinds = kind.__args__ if hasattr(kind, "__args__") else (kind,)
    if isinstance(value, str) and str not in kinds and not value.isspace():
        try:
            value = float(value)
        except ValueError:
            pass
        else:
            if int in kinds and value.is_integer():
                value = int(value)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, tuple):
        value = list(value)
    if not any(type(value) is k for k in kinds):
        words = " or ".join(_WORDS[k] for k in kinds)
        raise ValueError(f"{key} must be {words}, but it is {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key} must be a finite number, but it is {value}.")
    return value


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a list of key: value lines",
    type(None): "null",
}


def _check(key, value, good, limit):
    if not good:
        raise ValueError(f"{key} must be {limit}, but it is {value!r}.")
