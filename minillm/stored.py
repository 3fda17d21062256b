"""Trained models that come with minillm: models/NAME.npz in half precision, and beside it the log of its run.

python -m minillm train shakespeare --set model.n_ctx=128 name=writer     trains one, ten minutes on one core
python -m minillm.stored runs/writer shakespeare                          keeps it as models/shakespeare.npz
"""

import difflib
import pathlib
import sys

import numpy as np

from . import atomic, checkpoints, report, tokenizer, trees
from .config import Config

SHELF = pathlib.Path(__file__).parent / "models"
FORMAT, VERSION = "minillm model", 1
PASSAGE = 5120  # tokens of the validation text that are kept with a model, so that it can be measured anywhere


def names():
    """The names of the models that come with minillm."""
    return sorted(path.stem for path in SHELF.glob("*.npz"))


def load(name="shakespeare"):
    """The parameters (float32), Config and tokenizer of a model that comes with minillm, and what is known of it.

    That is a dict: "recipe", "step" and "text" of its run; "loss", in nats per token on the whole validation text, with
    the weights as they are stored; "passage", the beginning of that text, and "passage_loss".
    ValueError if there is no such model, or if its file is damaged.
    """
    if name not in names():
        near = difflib.get_close_matches(str(name), names(), n=1)
        raise ValueError(
            f"no stored model is called {name!r}; " + (f"did you mean {near[0]}?" if near else f"{names()}.")
        )
    path = SHELF / f"{name}.npz"
    params, meta = trees.load(path)
    kind = meta.pop("format", None), meta.pop("version", None)
    if kind != (FORMAT, VERSION):
        raise ValueError(f"{path} is no {FORMAT} of version {VERSION}, but {kind[0]}, {kind[1]}.")
    config = Config(**meta.pop("config"))
    if words := checkpoints.difference(params, config):
        raise ValueError(f"{path} is damaged: {words}.")
    return trees.map_leaves(np.float32, params), config, tokenizer.from_dict(meta.pop("tokenizer")), meta


def keep(folder, path):
    """Store the model of a finished run as `path` (.npz), and its log as .txt beside it; returns what is known of it.

    ValueError or OSError, in one sentence, if the folder holds no finished run.
    """
    folder, path = pathlib.Path(folder), pathlib.Path(path)
    params, config, tok, found = checkpoints.load_model(folder)
    if found["step"] < found["recipe"]["steps"]:
        raise ValueError(
            f"the run in {folder} is at step {found['step']:,} of {found['recipe']['steps']:,}; finish it."
        )
    half = trees.map_leaves(np.float16, params)
    tokens = np.load(folder / "validation.npy", allow_pickle=False)
    measure = lambda ids: report.evaluate(trees.map_leaves(np.float32, half), ids, config=config)
    passage = tokens[: PASSAGE + 1]
    known = {key: found[key] for key in ("recipe", "step", "text")}
    known |= {"loss": measure(tokens), "passage": tok.decode(passage), "passage_loss": measure(passage)}
    described = {"format": FORMAT, "version": VERSION, "config": config.to_dict(), "tokenizer": tok.to_dict()}
    log = (folder / "log.txt").read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    trees.save(path, half, described | known)
    with atomic.writing(path.with_suffix(".txt"), "w") as file:
        file.write(log)
    return known


def main(arguments):
    """Keep the model of a run: FOLDER NAME.  Returns the exit code."""
    if len(arguments) != 2:
        print("usage: python -m minillm.stored FOLDER NAME", file=sys.stderr)
        return 2
    folder, name = arguments
    path = SHELF / f"{name}.npz"
    try:
        known = keep(folder, path)
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {known['loss']:.4f} nats per token in half precision.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
