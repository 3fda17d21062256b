"""Training: it learns, it resumes to the last bit, and it loses nothing when something goes wrong."""

import errno
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types

import fake_cupy
import numpy as np
import pytest
import scipy
import threadpoolctl
from matplotlib.figure import Figure

import minillm
from minillm import batches, checkpoints, gpt, material, plots, report, runlog, tokenizer, train, trees
from minillm.backend import plain
from minillm.config import Config
from minillm.kernels import gpu
from minillm.optim import AdamW
from minillm.recipe import Recipe

WORDS = "the of and to in that it is was he for on are as with his they at be this from have or by one had not".split()


def prose(seed, n_words):
    """Lines of random words: no two windows of it are alike."""
    words = np.random.default_rng(seed).choice(WORDS, n_words)
    return textwrap.fill(" ".join(words), 60) + "\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(prose(0, 2000), encoding="utf-8")
    return path


@pytest.fixture
def make(text):
    """make(steps=3, width=8): a recipe small enough for seconds; keys of the model go where they belong."""

    def make(**changes):
        model = {"n_layer": 1, "n_head": 2, "width": 8, "n_ctx": 16, "positions": "rotary", "dropout": 0.1}
        model |= {key: changes.pop(key) for key in list(changes) if key in model}
        values = {"name": "tiny", "text": str(text), "model": model, "steps": 12, "batch_size": 3, "warmup": 2}
        values |= {"rate": 0.01, "evaluate_every": 6, "evaluate_tokens": 64, "log_every": 2, "checkpoint_every": 4}
        return Recipe(**(values | {"threads": 1, "prompt": "the "} | changes))

    return make


@pytest.fixture
def run(make, tmp_path, monkeypatch):
    """run(steps=3, folder="a", resume=True): train by make()'s recipe in a folder of its own.

    Drawing and writing take longer than these trainings: without whole_report, both are kept short.
    """

    def run(*, folder="run", resume=False, fresh=False, whole_report=False, **changes):
        if not whole_report:
            monkeypatch.setattr(plots, "training", lambda log, ladder: Figure())
            monkeypatch.setattr(report, "SAMPLE_LENGTH", 20)
        return train.train(make(**changes), folder=tmp_path / folder, resume=resume, fresh=fresh, progress=False)

    return run


def stop_at(monkeypatch, step, action):
    """Do something while that step is being taken."""
    learn = train.learn

    def stop(*arguments, **options):
        if options["step"] == step:
            action()
        return learn(*arguments, **options)

    monkeypatch.setattr(train, "learn", stop)


def weights(folder):
    return checkpoints.read(pathlib.Path(folder) / "last.npz")


def assert_same_run(one, two):
    """Weights, moments and log are equal to the last bit; only the clock may differ."""
    (tree1, meta1), (tree2, meta2) = weights(one), weights(two)
    for (path, a), (same, b) in zip(trees.leaves(tree1), trees.leaves(tree2), strict=True):
        assert path == same and a.tobytes() == b.tobytes(), path
    assert meta1["step"] == meta2["step"]
    log1, log2 = runlog.read(one / "log.txt"), runlog.read(two / "log.txt")
    for column in set(log1.columns) - {"seconds"}:
        np.testing.assert_array_equal(log1[column], log2[column], err_msg=column)


# It learns


def test_one_batch_is_learned_by_heart(make, rng):
    recipe = make(width=32, dropout=0.0)
    config = recipe.config(20)
    optimizer = AdamW(gpt.init(config, rng), clip=1.0)
    ids = rng.integers(0, 20, (3, 17))
    ids[:, 0] = 0, 1, 2  # or else nobody could know which sequence it is
    for step in range(1, 201):
        loss = train.learn(optimizer, ids[:, :-1], ids[:, 1:], config=config, recipe=recipe, step=step)
        optimizer.step(0.01)
    assert loss < 0.02  # log(20) = 3 nats at the start


def test_a_run_ends_with_everything_in_its_folder(run, capsys):
    outcome = run(steps=150, width=16, dropout=0.0, whole_report=True)
    log = runlog.read(outcome.folder / "log.txt")
    assert outcome.finished and outcome.step == 150 and log["step"][-1] == 150
    assert log["loss"][-5:].mean() < log["loss"][:5].mean() - 0.3
    assert outcome.validation < outcome.ladder[1].nats < outcome.ladder[0].nats  # better than counting letters
    assert log.validations()[0].tolist() == list(range(6, 151, 6))
    assert np.array_equal(log["tokens"], log["step"] * 3 * 16)
    assert (outcome.folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert outcome.sample.startswith("the ") and len(outcome.sample) > 300
    out = capsys.readouterr().out
    assert f"the loss is {outcome.validation:.4f} nats per token, {outcome.bits_per_byte:.4f} bits per byte" in out
    assert "Our model is better than the unigram and not as good as the" in out
    assert any(outcome.sample.splitlines()[0] in note for note in log.notes)


def test_the_last_checkpoint_is_a_model_that_can_be_loaded(run):
    outcome = run()
    for path in (outcome.folder, outcome.folder / "last.npz"):
        params, config, tok, meta = checkpoints.load_model(path)
        assert meta["step"] == 12 and config.width == 8
        loss = report.evaluate(params, np.load(outcome.folder / "validation.npy"), config=config)
        assert loss == pytest.approx(outcome.validation, rel=1e-6)
        assert set(tok.alphabet) == set("\n " + "".join(WORDS))


def test_micro_batches_give_the_gradient_of_one_batch(make, rng):
    config = Config(vocab_size=11, n_ctx=16, n_layer=1, n_head=2, width=8)
    params = gpt.init(config, rng, dtype=np.float64)
    ids = rng.integers(0, 11, (12, 17))
    results = []
    for parts in (1, 2, 4):
        optimizer = AdamW(params)
        recipe = make(batch_size=12 // parts, accumulate=parts, dropout=0.0)
        loss = train.learn(optimizer, ids[:, :-1], ids[:, 1:], config=config, recipe=recipe, step=1)
        results.append((loss, optimizer.dw))
    for loss, dw in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-12)
        np.testing.assert_allclose(dw, results[0][1], rtol=1e-9, atol=1e-15)


def test_a_run_in_micro_batches_reads_the_same_tokens(run, make):
    whole, parts = (
        run(folder="whole", batch_size=4, dropout=0.0),
        run(folder="parts", accumulate=4, batch_size=1, dropout=0.0),
    )
    a, b = runlog.read(whole.folder / "log.txt"), runlog.read(parts.folder / "log.txt")
    np.testing.assert_allclose(a["loss"], b["loss"], atol=2e-4)
    assert make(batch_size=1, accumulate=4).tokens_per_step() == 64


def test_the_learning_rate_follows_the_recipe(run, make):
    outcome = run(schedule="constant", cooldown=0.5, log_every=1)
    expected = [make(schedule="constant", cooldown=0.5).learning_rate(step) for step in range(1, 13)]
    np.testing.assert_allclose(runlog.read(outcome.folder / "log.txt")["rate"], expected, rtol=1e-3)
    assert expected[0] == 0.005 and expected[4] == 0.01 and expected[-1] < 0.002


def test_the_seed_decides_everything(run):
    one, same, other = run(folder="one"), run(folder="same"), run(folder="other", seed=1)
    assert_same_run(one.folder, same.folder)
    assert one.sample == same.sample
    assert one.validation != other.validation


@pytest.mark.parametrize(
    "change",
    [
        {"label_smoothing": 0.2},
        {"decay": 0.9},
        {"clip": 0.01},
        {"eps": 0.1},
        {"betas": [0.5, 0.98]},
        {"betas": [0.9, 0.5]},
    ],
)
def test_every_key_of_the_recipe_reaches_the_weights(run, change):
    plain, changed = run(folder="plain"), run(folder="changed", **change)
    assert not np.array_equal(*(weights(a.folder)[0]["params"]["tokens"] for a in (plain, changed)))


def test_the_seed_decides_the_order_of_the_text(make, tmp_path):
    ids = [train.Run(make(seed=seed), tmp_path / f"{seed}").batches.batch(0)[0] for seed in (0, 1)]
    assert not np.array_equal(*ids)


def test_the_run_uses_as_many_threads_as_the_recipe_says(run, monkeypatch):
    pools = []
    stop_at(monkeypatch, 3, lambda: pools.extend(threadpoolctl.threadpool_info()))
    assert weights(run(threads=2).folder)[1]["arithmetic"]["threads"] == 2
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} <= {2}  # no pools on macOS


def test_validation_is_on_a_part_while_training_and_on_all_at_the_end(run, monkeypatch):
    limits, evaluate = [], report.evaluate
    monkeypatch.setattr(
        report, "evaluate", lambda *a, limit, **o: limits.append(limit) or evaluate(*a, limit=limit, **o)
    )
    run()
    assert limits == [64, 64, None]


def test_dropout_is_new_in_every_step_and_every_part(make, rng):
    config = make(dropout=0.5).config(11)
    params, ids = gpt.init(config, rng), np.tile(rng.integers(0, 11, (1, 17)), (2, 1))
    recipe, losses = make(batch_size=1, accumulate=2, dropout=0.5), []
    for step in (1, 1, 2):
        losses.append(
            float(train.learn(AdamW(params), ids[:, :-1], ids[:, 1:], config=config, recipe=recipe, step=step))
        )
    assert losses[0] == losses[1] != losses[2]
    first = train.learn(
        AdamW(params), ids[:1, :-1], ids[:1, 1:], config=config, recipe=make(batch_size=1, dropout=0.5), step=1
    )
    assert losses[0] != float(first)  # the second part, though of the same tokens, dropped out something else


# It resumes


@pytest.mark.parametrize("step", [1, 5, 8, 11])
def test_a_run_stopped_by_ctrl_c_resumes_bit_for_bit(run, monkeypatch, tmp_path, capsys, step):
    whole = run(folder="whole", accumulate=2)
    with monkeypatch.context() as patch:
        stop_at(patch, step, lambda: signal.raise_signal(signal.SIGINT))
        stopped = run(accumulate=2)
    assert not stopped.finished and stopped.step == step == weights(stopped.folder)[1]["step"]
    assert f"Stopped and saved at step {step} of 12. To continue, give the same command with --resume." in (
        capsys.readouterr().out
    )
    resumed = run(resume=True, accumulate=2)
    assert f"Resumed at step {step} of 12." in capsys.readouterr().out
    assert_same_run(whole.folder, resumed.folder)
    assert (resumed.validation, resumed.sample) == (whole.validation, whole.sample)


def test_ctrl_c_never_cuts_a_step_in_two(run, monkeypatch):
    seen = []
    step = AdamW.step

    def interrupted(self, rate):
        if self.steps == 4:
            signal.raise_signal(signal.SIGINT)
            seen.append(self.w.copy())
        return step(self, rate)

    monkeypatch.setattr(AdamW, "step", interrupted)
    outcome = run()
    assert outcome.step == 5 and seen  # the step was taken whole, then saved


def test_a_second_ctrl_c_is_not_held_back(run, monkeypatch):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    stop_at(monkeypatch, 6, twice)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_where_ctrl_c_cannot_be_held_back(run):
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run()))
    thread.start()
    thread.join()
    assert outcomes[0].finished


def test_what_was_logged_after_the_checkpoint_is_cut_back(run, monkeypatch):
    class PowerCut(Exception):
        pass

    def cut():
        raise PowerCut

    whole = run(folder="whole")
    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        stop_at(patch, 7, cut)
        run()
    folder = whole.folder.with_name("run")
    with open(folder / "log.txt", "a", encoding="utf-8") as f:
        f.write("      8     38")
    assert weights(folder)[1]["step"] == 4
    assert runlog.read(folder / "log.txt")["step"].tolist() == [2, 4, 6]
    run(resume=True)
    assert_same_run(whole.folder, folder)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_killed_at_any_moment_resumes_bit_for_bit(make, run, tmp_path):
    recipe = make(steps=60, checkpoint_every=3, log_every=1, evaluate_every=1000)
    script = tmp_path / "go.py"
    script.write_text(
        f"from minillm import train, recipe\n"
        f"train.train(recipe.make({recipe.to_dict()!r}), folder={str(tmp_path / 'run')!r},"
        " resume=__import__('sys').argv[1] == 'resume', progress=False)\n",
        encoding="utf-8",
    )
    rng, folder, steps = np.random.default_rng(), tmp_path / "run", []
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for attempt in range(5):
        process = subprocess.Popen([sys.executable, script, "resume" if attempt else "new"], env=env)
        while not (folder / "last.npz").exists() and process.poll() is None:
            time.sleep(0.001)
        target = min(57, (steps[-1] if steps else 0) + 9)
        while process.poll() is None and reached(folder) < target:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        steps.append(checkpoints.Checkpoints(folder).load()[1]["step"])
        assert steps[-1] >= reached(folder) - 4  # at most checkpoint_every steps are lost
    whole = run(
        folder="whole",
        **{key: getattr(recipe, key) for key in ("steps", "checkpoint_every", "log_every")},
        evaluate_every=1000,
    )
    run(resume=True, steps=60, checkpoint_every=3, log_every=1, evaluate_every=1000)
    assert_same_run(whole.folder, folder)
    assert not list(folder.glob("*.part"))


def reached(folder):
    """The last step that the log has."""
    try:
        steps = runlog.read(folder / "log.txt")["step"]
    except (OSError, ValueError):
        return 0
    return int(steps[-1]) if steps.size else 0


def test_a_finished_run_that_is_resumed_reports_again(run):
    first = run()
    before = weights(first.folder)[0]["m"]
    again = run(resume=True)
    assert (again.validation, again.sample, again.step) == (first.validation, first.sample, 12)
    trees.map_leaves(np.testing.assert_array_equal, before, weights(first.folder)[0]["m"])
    notes = runlog.read(first.folder / "log.txt").notes
    assert sum(note.startswith("Trained for") for note in notes) == 1


def test_steps_may_grow(run, capsys):
    run(schedule="constant", cooldown=0.0)
    longer = run(resume=True, schedule="constant", cooldown=0.0, steps=16)
    assert "The run now ends at step 16, not 12" in capsys.readouterr().out
    assert longer.step == 16
    assert_same_run(run(folder="whole", schedule="constant", cooldown=0.0, steps=16).folder, longer.folder)


def test_another_recipe_is_refused_by_the_names_of_its_keys(run):
    run()
    with pytest.raises(
        ValueError, match=r"another recipe: (rate was 0.01 and is 0.1, )?model.width was 8 and is 16"
    ) as c:
        run(resume=True, width=16)
    assert "only steps may change, and only grow" in str(c.value)
    with pytest.raises(ValueError, match="steps was 12 and is 11"):
        run(resume=True, steps=11)
    with pytest.raises(ValueError, match="rate was 0.01 and is 0.02, seed was 0 and is 3"):
        run(resume=True, rate=0.02, seed=3)


def test_what_only_watches_may_change(run):
    whole = run(folder="whole")
    stopped = run(evaluate_every=5, prompt="of", evaluate_tokens=None)
    resumed = run(resume=True, evaluate_every=3, checkpoint_every=2, prompt="it ", name="other")
    assert resumed.sample.startswith("it ")
    for (_, a), (_, b) in zip(*(trees.leaves(weights(f.folder)[0]) for f in (whole, stopped)), strict=True):
        assert np.array_equal(a, b)


def test_a_difference_in_what_decides_the_arithmetic_is_announced(run, monkeypatch, capsys):
    run()
    run(resume=True)
    assert "bit for bit" not in capsys.readouterr().out
    monkeypatch.setattr(np, "__version__", "9.9.9")
    run(resume=True)
    out = capsys.readouterr().out
    assert "not bit for bit" in out and "and is 9.9.9" in out


def test_a_checkpoint_knows_what_decided_its_arithmetic(run):
    arithmetic = weights(run().folder)[1]["arithmetic"]
    wanted = {"minillm", "threads", "workers", "device", "blas", "numpy", "scipy", "python", "machine"}
    assert set(arithmetic) == wanted
    assert (arithmetic["minillm"], arithmetic["scipy"]) == (minillm.__version__, scipy.__version__)
    assert (arithmetic["threads"], arithmetic["device"], arithmetic["numpy"]) == (1, "cpu", np.__version__)


# It loses nothing


def test_two_runs_in_one_folder_do_not_disturb_each_other(run, monkeypatch, tmp_path):
    whole, folder = run(folder="whole"), tmp_path / "run"

    def another():
        number = (folder / "lock").read_text(encoding="utf-8").strip()
        assert number == str(os.getpid())
        for options in ({}, {"resume": True}, {"fresh": True}):
            with pytest.raises(ValueError, match=rf"another run is at work in .*run \(process {number}\): wait for it"):
                run(**options)

    with monkeypatch.context() as patch:
        stop_at(patch, 6, another)
        run()
    assert_same_run(whole.folder, folder)
    assert not (folder / "lock").exists()


def test_another_process_is_kept_out_and_a_killed_one_leaves_no_lock(run, tmp_path):
    folder = tmp_path / "run"
    code = (
        "import pathlib, sys, time; from minillm import machine\n"
        "with machine.alone(pathlib.Path(sys.argv[1])): print('here', flush=True); time.sleep(60)"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, folder], env=env, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(ValueError, match=f"another run is at work in .*process {process.pid}"):
            run()
        process.kill()
    assert (folder / "lock").exists()  # the file, but nobody holds it
    assert run().finished and not (folder / "lock").exists()


def test_a_run_that_fails_leaves_its_folder_to_the_next(run, monkeypatch, tmp_path):
    def fail():
        raise RuntimeError

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        stop_at(patch, 6, fail)
        run()
    assert not (tmp_path / "run" / "lock").exists() and run(resume=True).finished


def test_a_run_that_cannot_start_leaves_no_empty_folder(run, tmp_path):
    with pytest.raises(ValueError, match="no run to resume"):
        run(resume=True)
    assert not (tmp_path / "run").exists()


def test_a_new_run_does_not_overwrite_an_old_one(run):
    first = run()
    before = (first.folder / "last.npz").read_bytes()
    with pytest.raises(ValueError, match="holds a run already: give --resume .* another --folder .* --fresh"):
        run()
    assert (first.folder / "last.npz").read_bytes() == before
    fresh = run(fresh=True, steps=3)
    assert fresh.step == weights(fresh.folder)[1]["step"] == 3


def test_a_fresh_run_keeps_nothing_of_the_old_one(run, monkeypatch):
    folder = run().folder

    def fail():
        raise RuntimeError

    stop_at(monkeypatch, 1, fail)
    with pytest.raises(RuntimeError):
        run(fresh=True)
    assert weights(folder)[1]["step"] == 0
    assert not (folder / "previous.npz").exists()
    assert runlog.read(folder / "log.txt")["step"].size == 0


def test_fresh_leaves_the_old_run_alone_if_the_new_one_cannot_start(run, text):
    folder = run().folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for n_ctx, part in ((10**6, "training"), (2000, "validation")):
        with pytest.raises(ValueError, match=f"the part for {part} is too short: .*n_ctx {n_ctx}"):
            run(fresh=True, n_ctx=n_ctx, tokenizer="bytes")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_there_must_be_something_to_resume(run):
    with pytest.raises(ValueError, match="no run to resume in .*leave out --resume"):
        run(resume=True)


def spoil(monkeypatch, step, value=float("nan")):
    """The loss of that step is not a number."""
    monkeypatch.setattr(
        train, "learn", lambda *a, learn=train.learn, **o: learn(*a, **o) * (value if o["step"] == step else 1)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_run(run, monkeypatch, tmp_path, value):
    spoil(monkeypatch, 7, value)
    with pytest.raises(
        train.Diverged,
        match=r"step 7 went wrong: the loss is (nan|inf) .*of step 4, is .*anew with --fresh .*rate=0.003",
    ) as c:
        run()
    assert weights(tmp_path / "run")[1]["step"] == 4
    assert any(str(c.value) in note for note in runlog.read(tmp_path / "run" / "log.txt").notes)


def test_a_checkpoint_that_the_next_step_shows_to_be_spoilt_is_given_up(run, monkeypatch, tmp_path):
    spoil(monkeypatch, 9)  # the weights of step 8, just saved, are to blame
    with pytest.raises(train.Diverged, match="last good checkpoint, of step 4"):
        run()
    assert weights(tmp_path / "run")[1]["step"] == 4


def test_a_rate_that_is_far_too_large_ends_in_a_sentence(run, tmp_path):
    with pytest.raises(train.Diverged, match="went wrong"):
        run(rate=1e30, clip=None, warmup=0, log_every=1)
    assert all(np.isfinite(a).all() for _, a in trees.leaves(weights(tmp_path / "run")[0]))


def test_a_validation_loss_that_is_no_number_stops_the_run(run, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "evaluate", lambda *a, **o: float("nan"))
    with pytest.raises(train.Diverged, match="step 6 went wrong: after it, the validation loss is nan.* of step 4"):
        run()


def no_space(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("module", "name"), [(os, "fsync"), (np, "savez"), (os, "replace")])
def test_a_full_disk_leaves_the_checkpoint_before_intact(run, monkeypatch, tmp_path, module, name):
    whole = run(folder="whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 8, lambda: patch.setattr(module, name, no_space))
        with pytest.raises(
            OSError, match=r"step 8 could not be saved .*the disk is full.* step 4 is intact.*--resume"
        ) as c:
            run()
    assert str(c.value).startswith("step 8")  # no "[Errno 28]"
    folder = tmp_path / "run"
    assert weights(folder)[1]["step"] == 4 and not list(folder.glob("*.part")) and not list(folder.glob("new.npz"))
    run(resume=True)
    assert_same_run(whole.folder, folder)


def test_a_full_disk_while_the_log_is_written_is_a_sentence(run, monkeypatch, tmp_path):
    stop_at(monkeypatch, 6, lambda: monkeypatch.setattr(runlog.LogFile, "row", no_space))
    with pytest.raises(OSError, match="step 6 could not be saved .*the disk is full.*step 4 is intact"):
        run()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_must_not_be_written_to_is_a_sentence(run, tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    with pytest.raises(OSError, match="cannot be written: permission is denied. Choose another --folder"):
        run()


def test_a_folder_that_cannot_be_written_to_is_a_sentence(run, monkeypatch, text):
    def denied(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", denied)
    with pytest.raises(OSError, match="run cannot be written: permission is denied. Choose another --folder."):
        run()


def test_a_folder_whose_place_is_taken_by_a_file_is_a_sentence(run, tmp_path):
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    with pytest.raises(OSError, match="run cannot be written: .* Choose another --folder."):
        run()
    assert (tmp_path / "run").read_text(encoding="utf-8") == "mine"


def test_a_checkpoint_that_is_cut_short_is_replaced_by_the_one_before(run, capsys):
    whole = run()
    bytes_ = (whole.folder / "last.npz").read_bytes()
    (whole.folder / "last.npz").write_bytes(bytes_[: len(bytes_) // 2])
    with pytest.raises(ValueError, match="last.npz cannot be read: it is cut short"):
        checkpoints.load_model(whole.folder / "last.npz")
    run(resume=True)
    out = capsys.readouterr().out
    assert "cut short" in out and "The one before it, previous.npz, takes its place." in out
    assert "Resumed at step 8 of 12." in out
    assert_same_run(run(folder="whole").folder, whole.folder)


def test_a_checkpoint_of_a_newer_version_is_refused(run):
    folder = run().folder
    tree, meta = trees.load(folder / "last.npz")
    trees.save(folder / "last.npz", tree, meta | {"version": 99})
    with pytest.raises(ValueError, match="newer minillm .*99.*update minillm"):
        run(resume=True)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(OSError, match="no trained model in"):
        checkpoints.load_model(tmp_path)
    with pytest.raises(OSError, match="no checkpoint .*gone.npz"):
        checkpoints.load_model(tmp_path / "gone.npz")
    trees.save(tmp_path / "x.npz", {"a": np.zeros(2)}, {})
    with pytest.raises(ValueError, match="is no checkpoint"):
        checkpoints.load_model(tmp_path / "x.npz")
    trees.save(tmp_path / "y.npz", {"a": np.zeros(2)}, {"format": checkpoints.FORMAT, "version": 1})
    with pytest.raises(ValueError, match="is damaged: it has no step"):
        checkpoints.load_model(tmp_path / "y.npz")


def test_a_checkpoint_of_another_model_is_refused(run):
    folder = run().folder
    tree, meta = trees.load(folder / "last.npz")
    tree["m"]["tokens"] = np.zeros((3, 8), np.float32)
    trees.save(folder / "last.npz", tree, meta)
    with pytest.raises(ValueError, match=r"m.tokens has shape \(3, 8\) there"):
        run(resume=True)


@pytest.mark.parametrize("damage", ["gone", "short", "spoilt"])
def test_a_log_that_is_damaged_is_put_aside_and_a_new_one_begins(run, monkeypatch, capsys, damage):
    whole = run(folder="whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        path = run().folder / "log.txt"
    before = path.read_bytes()
    old = {"gone": None, "short": before[: len(before) // 2], "spoilt": before[:-9] + b" x y z w\n"}[damage]
    path.unlink() if old is None else path.write_bytes(old)
    capsys.readouterr()
    outcome = run(resume=True)
    says = {"gone": "is missing", "short": "is shorter than the checkpoint remembers", "spoilt": "cannot be read"}
    out = capsys.readouterr().out
    assert says[damage] in out and "A new one begins after step 5" in out
    log = runlog.read(path)
    assert log["step"].tolist() == [6, 8, 10, 12] and log.recipe["name"] == "tiny"
    aside = path.with_name("log.damaged.txt")
    assert (aside.read_bytes() if aside.exists() else None) == old
    assert outcome.validation == whole.validation and (path.parent / "loss.png").exists()


@pytest.mark.parametrize(
    ("module", "name", "part"),
    [
        (report, "ladder", "ladder"),
        (report, "write", "sample"),
        (plots, "training", "plot"),
        (train.Run, "tell", "log"),
    ],
)
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), MemoryError(), RuntimeError("bug")])
def test_a_report_that_fails_does_not_lose_the_outcome(
    run, make, monkeypatch, tmp_path, capsys, module, name, part, error
):
    whole = run()

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(module, name, fail)
    outcome = train.train(make(), folder=tmp_path / "run", resume=True, progress=False)
    assert outcome.finished and (outcome.validation, outcome.bits_per_byte) == (whole.validation, whole.bits_per_byte)
    out = capsys.readouterr().out
    assert f"The {part} of the report failed" in out and "is safe in" in out and "with --resume" in out
    assert ("the disk is full" in out) == isinstance(error, OSError)
    assert part == "sample" or outcome.sample == whole.sample
    assert part == "ladder" or outcome.ladder == whole.ladder


@pytest.mark.parametrize("whole", [True, False])
def test_a_kill_between_two_renamings_costs_nothing(run, monkeypatch, capsys, whole):
    compare, replace = run(folder="whole"), os.replace

    def killed(source, goal):
        if pathlib.Path(source).name == "new.npz":
            raise KeyboardInterrupt
        replace(source, goal)

    def kill():
        patch.setattr(os, "replace", killed)
        patch.setattr(pathlib.Path, "unlink", lambda *a, **o: None)  # a dead process tidies nothing

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, 8, kill)
        run()
    folder = compare.folder.with_name("run")
    assert not (folder / "last.npz").exists() and (folder / "new.npz").exists()
    if not whole:
        (folder / "new.npz").write_bytes(b"PK")
    assert checkpoints.load_model(folder)[3]["step"] == (8 if whole else 4)
    name = "new.npz" if whole else "previous.npz"
    assert re.search(f"last.npz is missing: .* {name}, takes its place", checkpoints.load_model(folder)[3]["warning"])
    run(resume=True)
    assert f"{name}, takes its place" in capsys.readouterr().out
    assert_same_run(compare.folder, folder)


def test_a_run_that_goes_on_without_last_can_still_diverge(run, monkeypatch):
    folder = run(steps=8).folder
    (folder / "last.npz").unlink()
    spoil(monkeypatch, 7)
    with pytest.raises(train.Diverged, match="last good checkpoint, of step 4"):
        run(resume=True, steps=8)


CONFIGS = [{}, {"bias": False}, {"norm": "post"}, {"tied": False}, {"positions": "learned"}, {"ffn_width": 5}]


@pytest.mark.parametrize("change", CONFIGS)
def test_the_shapes_of_a_model_are_those_that_init_makes(change, rng):
    config = Config(
        **{"vocab_size": 7, "n_ctx": 6, "n_layer": 11, "n_head": 2, "width": 4, "positions": "none"} | change
    )
    made = [(path, a.shape) for path, a in trees.leaves(gpt.init(config, rng))]
    assert list(checkpoints.shapes(config).items()) == made


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_layer": 2}, r"its config asks for blocks.1.norm1.g, which it does not have"),
        ({"width": 4}, r"tokens has shape \(\d+, 8\), but its config asks for \(\d+, 4\)"),
        ({"positions": "learned"}, r"its config asks for positions, which it does not have"),
        ({"norm": "post"}, r"it has norm.g, which its config does not ask for"),
        ({"tied": False}, r"its config asks for unembed, which it does not have"),
        ({"bias": False}, r"it has blocks.0.attn.b_q, which its config does not ask for"),
        ({"n_head": 3}, r"its config is .*'n_head': 3"),
    ],
)
def test_a_model_that_is_not_the_one_its_config_describes_is_refused(run, change, says):
    path = run().folder / "last.npz"
    tree, meta = trees.load(path)
    trees.save(path, tree, meta | {"config": meta["config"] | change})
    with pytest.raises(ValueError, match=f"last.npz is damaged: {says}") as caught:
        checkpoints.load_model(path)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_another_model_is_refused(run):
    path = run().folder / "last.npz"
    tree, meta = trees.load(path)
    trees.save(path, tree, meta | {"tokenizer": tokenizer.Bytes().to_dict()})
    with pytest.raises(ValueError, match="its tokenizer has 256 tokens, but its config asks for"):
        checkpoints.load_model(path)


@pytest.mark.parametrize("change", [{"step": -1}, {"step": 2.0}, {"step": None}, {"step": True}, {"recipe": "tiny"}])
def test_a_checkpoint_whose_step_or_recipe_is_none_is_refused(run, change):
    path = run().folder / "last.npz"
    tree, meta = trees.load(path)
    trees.save(path, tree, meta | change)
    with pytest.raises(ValueError, match=f"last.npz is damaged: its {next(iter(change))} must be"):
        checkpoints.read(path)


# What it reads


def test_training_and_validation_share_no_window(run, text, rng):
    lines = ["".join(line) for line in rng.choice(list("abcdefgh"), (100, 60))]
    text.write_text("\n".join(lines), encoding="utf-8")  # random, so that no window comes twice
    folder = run().folder
    tokens = [batches.read_tokens(folder / name) for name in material.FILES]
    seen, unseen = ({ids[i : i + 17].tobytes() for i in range(len(ids) - 16)} for ids in map(np.asarray, tokens))
    assert len(seen) > 5000 and len(unseen) > 400
    assert not seen & unseen


def test_training_never_looks_at_the_validation_text(run, text, tmp_path):
    first = run(folder="first")
    words = text.read_text(encoding="utf-8")
    n = len(np.load(first.folder / "validation.npy"))
    ending = words[-n:]
    text.write_text(words[:-n] + "".join(sorted(ending, reverse=True)), encoding="utf-8")
    second = run(folder="second")
    same = np.array_equal(np.load(first.folder / "train.npy"), np.load(second.folder / "train.npy"))
    assert same and second.validation != first.validation
    trees.map_leaves(np.testing.assert_array_equal, weights(first.folder)[0], weights(second.folder)[0])


def test_a_resumed_run_needs_its_folder_only(run, text, make, monkeypatch):
    whole = run(folder="whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        run()
    text.unlink()
    assert_same_run(whole.folder, run(resume=True).folder)


def test_token_ids_that_are_gone_are_made_again_from_the_same_text_only(run, text, monkeypatch):
    whole = run(folder="whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        folder = run().folder
    (folder / "train.npy").write_bytes(b"broken")
    assert_same_run(whole.folder, run(resume=True).folder)
    (folder / "train.npy").unlink()
    for other in (prose(1, 2000), prose(0, 2000) + "Z" * 200):
        text.write_text(other, encoding="utf-8")
        with pytest.raises(ValueError, match="no longer the one that this run learned from"):
            run(resume=True)


@pytest.mark.parametrize("kind", ["bytes", "bpe:270"])
def test_other_tokenizers_stand_on_the_same_ladder(run, kind):
    outcome = run(tokenizer=kind)
    characters = run(folder="characters")
    for a, b in zip(outcome.ladder[1:], characters.ladder[1:], strict=True):
        assert a.bits_per_byte == pytest.approx(
            b.bits_per_byte, rel=0.05
        )  # alphabets of 256 and of 30: nearly the same
    tokens, about = np.load(outcome.folder / "validation.npy"), weights(outcome.folder)[1]["text"]
    for name, nats, bits in [*outcome.ladder, ("ours", outcome.validation, outcome.bits_per_byte)]:
        assert bits == pytest.approx(nats * len(tokens) / about["validation_bytes"] / math.log(2)), name


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "characters"),
        ("too short", "characters"),
        ("word " * 30, "part for validation is too short: .* 15 tokens, but one window of n_ctx 16"),
    ],
)
def test_a_text_that_is_too_short_is_a_sentence_before_anything_starts(run, text, tmp_path, content, says):
    text.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        run()
    assert not (tmp_path / "run").exists()


def test_a_text_that_is_missing_or_no_utf8_is_a_sentence(run, text):
    text.write_bytes(b"caf\xe9 " * 100)
    with pytest.raises(ValueError, match="not UTF-8"):
        run()
    text.unlink()
    with pytest.raises((ValueError, OSError), match="text.txt"):
        run()


# Where it stands


def test_evaluation_counts_every_token_but_the_first_once(rng):
    config = Config(vocab_size=11, n_ctx=8, n_layer=1, n_head=2, width=8)
    params, tokens = gpt.init(config, rng), rng.integers(0, 11, 45).astype(np.uint16)
    params["tokens"] *= 30  # so that tokens differ in their loss
    total = 0.0
    for start in range(0, 44, 8):
        window = tokens[start : start + 9].astype(np.int64)
        logits = gpt.gpt(params, ids=window[None, :-1], config=config)[0][0].astype(np.float64)
        total += sum(np.log(np.exp(row).sum()) - row[i] for row, i in zip(logits, window[1:], strict=True))
    assert report.evaluate(params, tokens, config=config) == pytest.approx(total / 44, rel=1e-5)
    some = report.evaluate(params, tokens, config=config, limit=16)
    assert some != pytest.approx(total / 44, rel=1e-3) and math.isfinite(some)
    assert report.evaluate(params, tokens[:41], config=config) == pytest.approx(
        report.evaluate(params, tokens[:41], config=config, limit=40), rel=1e-6
    )


def test_evaluation_does_not_depend_on_how_many_windows_go_together(rng, monkeypatch):
    config = Config(vocab_size=11, n_ctx=8, n_layer=1, n_head=2, width=8, dropout=0.5)
    params, tokens = gpt.init(config, rng), rng.integers(0, 11, 300)
    one = report.evaluate(params, tokens, config=config)
    monkeypatch.setattr(report, "TOKENS_AT_ONCE", 8)
    assert report.evaluate(params, tokens, config=config) == pytest.approx(one, rel=1e-6)


def test_the_model_takes_its_place_on_the_ladder():
    rung = report.ngram.Rung
    rungs = [rung("uniform", 4.0, 5.8), rung("unigram", 3.0, 4.3), rung("bigram", 2.0, 2.9)]
    table = report.place(rungs, rung("ours", 2.5, 3.6))
    assert [line.split()[-3] for line in table[1:-1]] == ["uniform", "unigram", "ours", "bigram"]
    assert table[3].startswith("->")
    assert table[-1] == "Our model is better than the unigram and not as good as the bigram."
    assert (
        "better than every one that counts; the best of them is the bigram"
        in report.place(rungs, rung("x", 1.0, 1))[-1]
    )
    assert "no better than any" in report.place(rungs, rung("x", 5.0, 7))[-1]


def test_a_prompt_that_the_tokenizer_does_not_know_does_not_spoil_the_end(run):
    outcome = run(prompt="Ω")
    assert outcome.finished and "Ω" not in outcome.sample


def test_a_sample_begins_with_token_0_where_there_is_no_prompt_to_begin_with():
    tok = tokenizer.Characters("xab")
    assert [report.opening(prompt, tok) for prompt in ("ab", "Ω", "")] == ["ab", tok.decode([0]), tok.decode([0])]


def test_an_alphabet_too_large_for_six_grams_gets_a_shorter_ladder():
    tok = tokenizer.Characters("".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    ids = np.arange(3000, dtype=np.int32)
    assert [rung.name for rung in report.ladder(tok, ids, ids, 9000)][-1] == "5-gram"


def test_a_run_on_a_pretend_gpu_is_the_run_on_the_cpu(run, monkeypatch):
    with plain():  # a pretend GPU runs the definitions
        here = run(folder="here")
    runtime = types.SimpleNamespace(getDeviceProperties=lambda device: {"name": b"Pretend 1"})
    monkeypatch.setattr(fake_cupy.cuda, "runtime", runtime, raising=False)
    with fake_cupy.installed():
        there = run(folder="there", device="gpu", precision="tf32")
    assert_same_run(here.folder, there.folder)
    arithmetic = weights(there.folder)[1]["arithmetic"]
    assert (arithmetic["device"], arithmetic["gpu"]) == ("gpu", "Pretend 1")
    assert arithmetic["cupy"] == fake_cupy.__version__ and arithmetic["precision"] == "tf32"
    assert gpu._precision == "fp32"  # put back when the run is over
