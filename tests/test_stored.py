"""stored.py: the models that come with minillm are small, hold no code, and give the loss that is stored with them."""

import math
import re
import warnings
import zipfile

import numpy as np
import pytest

from minillm import checkpoints, corpus, gpt, recipe, report, runlog, sample, stored, tokenizer, trees

each = pytest.mark.parametrize("name", stored.names())


def test_there_is_a_model_of_shakespeare():
    assert "shakespeare" in stored.names()


@each
def test_a_stored_model_is_small_and_holds_weights_in_half_precision_and_no_code(name):
    path = stored.SHELF / f"{name}.npz"
    assert path.stat().st_size < 500_000
    with np.load(path, allow_pickle=False) as file:
        kinds = {key: file[key].dtype for key in file.files}
    assert kinds.pop("meta") == np.uint8 and set(kinds.values()) == {np.dtype(np.float16)}
    assert not any(".pkl" in inner for inner in zipfile.ZipFile(path).namelist())


@each
def test_a_stored_model_gives_its_loss_on_the_passage_without_any_text_from_elsewhere(name, monkeypatch):
    monkeypatch.setattr(corpus, "load", lambda *names: pytest.fail("a text was loaded"))
    params, config, tok, known = stored.load(name)
    assert {str(a.dtype) for _, a in trees.leaves(params)} == {"float32"}
    loss = report.evaluate(params, tok.encode(known["passage"]), config=config)
    assert loss == pytest.approx(known["passage_loss"], abs=1e-4)
    assert len(known["passage"]) == stored.PASSAGE + 1 and loss < 0.5 * math.log(config.vocab_size)


@each
@pytest.mark.slow
def test_a_stored_model_gives_its_loss_on_the_whole_validation_text(name):
    params, config, tok, known = stored.load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it cannot be downloaded, another takes its place
        text = corpus.load(known["text"]["name"])
    if text.name != known["text"]["name"]:
        pytest.skip(f"{known['text']['name']} is not here")
    assert text.validation.startswith(known["passage"])
    loss = report.evaluate(params, tok.encode(text.validation), config=config)
    assert loss == pytest.approx(known["loss"], abs=1e-4)


@each
def test_the_log_beside_it_is_of_the_run_that_made_it(name):
    *_, config, _, known = stored.load(name)
    log = runlog.read(stored.SHELF / f"{name}.txt")
    assert recipe.differences(log.recipe, known["recipe"]) == {} and log["step"][-1] == known["step"]
    assert recipe.make(known["recipe"]).config(config.vocab_size) == config
    (said,) = [note for note in log.notes if "On the whole validation text the loss is" in note]
    before = float(re.search(r"the loss is ([\d.]+) nats", said)[1])
    assert abs(known["loss"] - before) < 1e-3  # rounding to half precision costs next to nothing


def test_the_command_in_the_docstring_is_the_recipe_of_the_stored_model():
    (line,) = [line for line in stored.__doc__.splitlines() if "minillm train" in line]
    name, *changes = line.split("train ")[1].split("  ")[0].replace("--set ", "").split()
    assert recipe.differences(recipe.load(name, changes).to_dict(), stored.load()[3]["recipe"]) == {}


def run(folder, step, steps=3):
    """A folder as a run of this many steps leaves it."""
    tok = tokenizer.Characters("abc \n")
    config = gpt.Config(vocab_size=5, n_ctx=8, n_layer=1, n_head=1, width=4)
    params = gpt.init(config, np.random.default_rng(0))
    plan = recipe.Recipe(steps=steps, model={"n_ctx": 8, "n_layer": 1, "n_head": 1, "width": 4}).to_dict()
    meta = dict.fromkeys(checkpoints.META) | {"step": step, "recipe": plan, "config": config.to_dict()}
    checkpoints.Checkpoints(folder).save(
        {"params": params, "m": np.zeros(1), "v": np.zeros(1)},
        meta | {"tokenizer": tok.to_dict(), "text": {"name": "a"}},
    )
    np.save(folder / "validation.npy", tok.encode("abc cab\n" * 40))
    (folder / "log.txt").write_text("a log", encoding="utf-8")
    return params


def test_what_is_kept_is_the_model_rounded_its_loss_and_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "SHELF", tmp_path / "shelf")
    (tmp_path / "run").mkdir()
    params = run(tmp_path / "run", 3)
    known = stored.keep(tmp_path / "run", tmp_path / "shelf" / "mine.npz")
    again, config, tok, meta = stored.load("mine")
    assert known["passage"] == "abc cab\n" * 40 and meta == known
    for (path, a), (_, b) in zip(trees.leaves(params), trees.leaves(again), strict=True):
        assert (a.astype(np.float16) == b).all(), path
    assert known["loss"] == report.evaluate(again, tok.encode(known["passage"]), config=config)
    assert (tmp_path / "shelf" / "mine.txt").read_text(encoding="utf-8") == "a log"
    options = {"config": config, "rng": np.random.default_rng(0), "max_tokens": 5}
    assert len("".join(sample.write(again, "abc", tokenizer=tok, **options))) == 5


def test_a_run_that_is_not_finished_is_not_kept(tmp_path):
    run(tmp_path, 2)
    with pytest.raises(ValueError, match="is at step 2 of 3; finish it"):
        stored.keep(tmp_path, tmp_path / "mine.npz")
    assert not (tmp_path / "mine.npz").exists()


def test_an_unknown_or_foreign_model_gets_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="did you mean shakespeare"):
        stored.load("shakespear")
    monkeypatch.setattr(stored, "SHELF", tmp_path)
    trees.save(tmp_path / "other.npz", {"a": np.zeros(1)}, {"format": "something else", "version": 1})
    with pytest.raises(ValueError, match="but something else, 1"):
        stored.load("other")


def test_the_command_keeps_a_run_or_says_why_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stored, "SHELF", tmp_path / "shelf")
    (tmp_path / "run").mkdir()
    run(tmp_path / "run", 3)
    assert stored.main([str(tmp_path / "run"), "mine"]) == 0 and stored.names() == ["mine"]
    assert "nats per token in half precision" in capsys.readouterr().out
    assert stored.main([str(tmp_path / "nowhere"), "mine"]) == 2 and stored.main([]) == 2
    assert "Error: there is no checkpoint" in (said := capsys.readouterr().err) and "usage: " in said
