"""Checkpoints: what a run needs to go on as if it had never stopped."""

import os
import pathlib

from . import tokenizer, trees
from .config import Config
from .machine import reason

FORMAT, VERSION = "minillm checkpoint", 1
# Beside the tree {params, m, v}.  There is no state of a random generator: batches and dropout masks follow from the
# recipe's seed and the step alone.
META = ("step", "recipe", "config", "tokenizer", "text", "arithmetic", "losses", "log_length", "seconds")


class Checkpoints:
    """The two checkpoints of a run's folder: last.npz, and previous.npz, the one before.

    Each is complete or absent.  Whatever moment the machine dies at, one of them can be read.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.last, self.previous, self.new = (folder / f"{name}.npz" for name in ("last", "previous", "new"))

    def exist(self):
        """Whether there is anything to resume."""
        return any(path.exists() for path in (self.last, self.new, self.previous))

    def save(self, tree, meta):
        """Write a checkpoint; the last one becomes the previous one.  OSError if it cannot be written, nothing lost."""
        try:
            trees.save(self.new, tree, {"format": FORMAT, "version": VERSION, **meta})
            if self.last.exists():
                os.replace(self.last, self.previous)
            os.replace(self.new, self.last)
        finally:
            self.new.unlink(missing_ok=True)

    def load(self):
        """The tree and the meta of the newest checkpoint that can be read, and a sentence if that is not the last.

        ValueError if none can be read, or if it is from a newer version.
        """
        if not self.exist():
            raise ValueError(f"there is no run to resume in {self.last.parent}; leave out --resume to start one.")
        fault = None
        places = {
            self.last: "",
            self.new: "The one that was to be put there, new.npz, takes its place.",
            self.previous: "The one before it, previous.npz, takes its place.",
        }
        for path, words in places.items():
            if not path.exists():
                fault = fault or ValueError(f"{self.last} is missing: the run was cut off while it saved.")
                continue
            try:
                return *read(path), f"{fault} {words}" if fault else ""
            except Newer:
                raise
            except (OSError, ValueError) as error:
                fault = fault or error
        raise fault

    def sweep(self):
        """Finish or delete what a run that was killed in the middle of writing has left behind."""
        for path in self.last.parent.glob("*.part"):
            path.unlink(missing_ok=True)
        for path in (self.new, self.previous):
            if path.exists() and not self.last.exists():
                os.replace(path, self.last)

    def go_back(self):
        """Give up the last checkpoint for the one before, if there is one."""
        if self.previous.exists():
            os.replace(self.previous, self.last)

    def forget_previous(self):
        """Delete the one before: it belongs to another run."""
        self.previous.unlink(missing_ok=True)


class Newer(ValueError):
    """A checkpoint of a later minillm than this one."""


def read(path):
    """The tree and the meta of one checkpoint file.  OSError or ValueError, in one sentence, if it is none."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}; train a model first, or give another path.")
    try:
        tree, meta = trees.load(path)
    except OSError as error:
        raise OSError(f"{path} cannot be read: {reason(error)}.") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path} is no checkpoint of a training run.")
    if not isinstance(meta.get("version"), int) or meta["version"] > VERSION:
        raise Newer(
            f"{path} was written by a newer minillm (checkpoint version {meta.get('version')!r}); this one reads up to "
            f"{VERSION}: update minillm."
        )
    missing = [key for key in META if key not in meta] + [key for key in ("params", "m", "v") if key not in tree]
    if missing:
        raise ValueError(f"{path} is damaged: it has no {missing[0]}.")
    if type(meta["step"]) is not int or meta["step"] < 0:
        raise ValueError(f"{path} is damaged: its step must be a whole number of 0 or more, not {meta['step']!r}.")
    if not isinstance(meta["recipe"], dict):
        raise ValueError(f"{path} is damaged: its recipe must be keys and values, not {meta['recipe']!r}.")
    return tree, meta


def shapes(config):
    """What gpt.init(config, ...) makes, as {path: shape}, for a comparison that costs no memory."""
    V, C, F = config.vocab_size, config.width, config.ffn_width
    norm = {"g": (C,), "b": (C,)}
    maps = {"attn": dict.fromkeys(("w_q", "w_k", "w_v", "w_o"), (C, C)), "ffn": {"w_up": (C, F), "w_down": (F, C)}}
    if config.bias:
        for part in maps.values():
            part |= {name.replace("w_", "b_"): shape[1:] for name, shape in part.items()}
    block = {"norm1": norm, "attn": maps["attn"], "norm2": norm, "ffn": maps["ffn"]}
    tree = {"tokens": (V, C)}
    if config.positions == "learned":
        tree["positions"] = (config.n_ctx, C)
    tree["blocks"] = [block] * config.n_layer
    if config.norm == "pre":
        tree["norm"] = norm
    if not config.tied:
        tree["unembed"] = (V, C)
    return dict(trees.leaves(tree))


def difference(params, config):
    """The first difference between parameters and the model that config describes, in words; "" if there is none."""
    there, wanted = {path: a.shape for path, a in trees.leaves(params)}, shapes(config)
    for path in wanted | there:
        if path not in there:
            return f"its config asks for {path}, which it does not have"
        if path not in wanted:
            return f"it has {path}, which its config does not ask for"
        if there[path] != wanted[path]:
            return f"{path} has shape {there[path]}, but its config asks for {wanted[path]}"
    return ""


def load_model(path):
    """The parameters, Config and tokenizer of a run's folder or of one checkpoint, and the checkpoint's meta.

    meta["warning"] is a sentence if the last checkpoint could not be read and the one before took its place, else "".
    OSError or ValueError, in one sentence, if there is none, if it is damaged, or from a newer version.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        if not Checkpoints(path).exist():
            raise FileNotFoundError(f"there is no trained model in {path}; train one first, or give another path.")
        tree, meta, warning = Checkpoints(path).load()
    else:
        (tree, meta), warning = read(path), ""
    try:
        config = Config(**meta["config"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its config is {meta['config']!r}.") from error
    if words := difference(tree["params"], config):
        raise ValueError(f"{path} is damaged: {words}.")
    tok = tokenizer.from_dict(meta["tokenizer"])
    if tok.vocab_size != config.vocab_size:
        raise ValueError(
            f"{path} is damaged: its tokenizer has {tok.vocab_size} tokens, but its config asks for "
            f"{config.vocab_size}."
        )
    return tree["params"], config, tok, meta | {"warning": warning}
