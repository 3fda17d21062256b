"""The workers of a run: together they compute what one computes, and whatever ends one of them ends the run cleanly."""

import math
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from test_train import assert_same_run, make, run, text, weights  # noqa: F401  fixtures

import minillm
from minillm import gpt, layers, machine, passes, runlog, shared, train, trees, workers
from minillm.backend import plain
from minillm.check import using
from minillm.optim import AdamW
from minillm.recipe import Recipe
from minillm.workers import Workers

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
MODEL = {"n_layer": 1, "n_head": 2, "width": 8, "n_ctx": 12, "positions": "rotary", "norm": "pre", "tied": False}


def recipe(**changes):
    model = MODEL | {key: changes.pop(key) for key in list(changes) if key in {*MODEL, "dropout"}}
    return Recipe(model=model, **changes)


def batch(rng, plan, V=11):
    ids = rng.integers(0, V, (plan.batch_size * plan.accumulate, plan.config(V).n_ctx + 1))
    return ids[:, :-1], ids[:, 1:]


def optimizer_for(plan, rng, dtype=np.float32, V=11):
    return AdamW(gpt.init(plan.config(V), rng, dtype), clip=1.0)


def crew_for(n, optimizer, plan, V=11):
    return Workers(n, optimizer, plan.config(V), plan)


def loss_and_gradient(n, plan, rng, step=1):
    """Of a random model and a random batch, in float32, by n workers."""
    optimizer = optimizer_for(plan, rng)
    with crew_for(n, optimizer, plan) as crew:
        loss = crew.learn(*batch(rng, plan), step)
    return float(loss), optimizer.dw.copy()


@pytest.fixture
def started(monkeypatch):
    """The processes that are started while the test runs; none of them may be alive at its end."""
    processes, popen = [], subprocess.Popen

    def start(*arguments, **options):
        processes.append(popen(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(workers.subprocess, "Popen", start)
    yield processes
    assert [process.pid for process in processes if process.poll() is None] == []


# They compute what one computes


@pytest.mark.parametrize(
    ("n", "plan"),
    [
        (2, {"batch_size": 4}),
        (3, {"batch_size": 4, "positions": "learned"}),  # 2, 1 and 1 sequences
        (2, {"batch_size": 5, "accumulate": 3, "n_layer": 2}),  # 8 and 7, three at a time
        (4, {"batch_size": 3, "norm": "post"}),  # a worker without a sequence
        (3, {"batch_size": 1, "accumulate": 7, "label_smoothing": 0.1}),  # a part has but one sequence
        (2, {"batch_size": 1}),
        (4, {"batch_size": 8, "width": 24}),
    ],
)
def test_several_workers_give_the_loss_and_the_gradient_of_one(n, plan, rng, started):
    plan = recipe(**plan)
    many, one = (optimizer_for(plan, np.random.default_rng(0), np.float64) for _ in range(2))
    with crew_for(n, many, plan) as crew:
        for seed in range(5):
            for optimizer in (many, one):
                optimizer.w[...] = np.random.default_rng(seed).normal(0, 0.3, optimizer.w.size)
            ids, targets = batch(rng, plan)
            if seed == 3:  # no number, in the last share alone
                ids[ids == 10], ids[-1, 0] = 9, 10
                for optimizer in (many, one):
                    optimizer.params["tokens"][10] = math.nan
            with np.errstate(invalid="ignore"):
                losses = [
                    crew.learn(ids, targets, seed),
                    train.learn(one, ids, targets, config=plan.config(11), recipe=plan, step=seed),
                ]
            assert math.isnan(losses[1]) == (seed == 3)
            np.testing.assert_allclose(*losses, rtol=1e-12)
            np.testing.assert_allclose(many.dw, one.dw, rtol=1e-9, atol=1e-12)
            many.step(0.01), one.step(0.01)
    assert len(started) == n - 1


def test_a_whole_training_of_two_workers_is_that_of_one_up_to_rounding(run):
    one, two = (run(folder=f"{n}", workers=n, dropout=0.0, log_every=1, steps=8) for n in (1, 2))
    np.testing.assert_allclose(*(runlog.read(outcome.folder / "log.txt")["loss"] for outcome in (one, two)), atol=2e-4)
    assert weights(two.folder)[1]["arithmetic"]["workers"] == 2 and not np.array_equal(
        *(weights(outcome.folder)[0]["params"]["tokens"] for outcome in (one, two))
    )


def test_the_same_number_of_workers_gives_the_same_bits_each_time():
    plan = recipe(batch_size=5, dropout=0.3)
    found = [loss_and_gradient(3, plan, np.random.default_rng(0)) for _ in range(3)]
    for loss, gradient in found[1:]:
        assert loss == found[0][0] and gradient.tobytes() == found[0][1].tobytes()


def test_a_crew_of_one_is_this_process_alone_to_the_last_bit(started):
    plan = recipe(batch_size=4, accumulate=2, dropout=0.3)
    loss, gradient = loss_and_gradient(1, plan, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    optimizer = optimizer_for(plan, rng)
    alone = train.learn(optimizer, *batch(rng, plan), config=plan.config(11), recipe=plan, step=1)
    assert loss == pytest.approx(float(alone), rel=1e-6) and gradient.tobytes() == optimizer.dw.tobytes()
    assert started == []


def test_each_worker_and_each_step_drops_out_something_else(rng):
    plan = recipe(batch_size=2, dropout=0.5)
    optimizer = optimizer_for(plan, rng)
    ids, targets = (np.repeat(a[:1], 2, axis=0) for a in batch(rng, plan))  # the same sequence for both
    with crew_for(2, optimizer, plan) as crew:
        crew.learn(ids, targets, 1)
        theirs = crew.others[0].gradient.copy()
        mine = optimizer.dw - theirs
        assert np.abs(mine - theirs).max() > 1e-3
        crew.learn(ids, targets, 2)
        assert np.abs(crew.others[0].gradient - theirs).max() > 1e-3


def test_a_smaller_batch_after_a_larger_one_meets_no_old_gradient(rng):
    plan, less = recipe(batch_size=3), recipe(batch_size=1)
    many, one = (optimizer_for(plan, np.random.default_rng(0), np.float64) for _ in range(2))
    with crew_for(3, many, plan) as crew:
        crew.learn(*batch(rng, plan), 1)
        many.forget()
        ids, targets = batch(rng, less)
        crew.learn(ids[:, :7], targets[:, :7], 2)
    train.learn(one, ids[:, :7], targets[:, :7], config=less.config(11), recipe=less, step=2)
    np.testing.assert_allclose(many.dw, one.dw, rtol=1e-9, atol=1e-12)


def test_several_workers_together_need_the_memory_of_one(rng, monkeypatch):
    sizes, loss = [], gpt.loss
    monkeypatch.setattr(
        passes.gpt, "loss", lambda params, *, ids, **o: sizes.append(len(ids)) or loss(params, ids=ids, **o)
    )
    plan = recipe(batch_size=4, accumulate=3)
    with crew_for(2, optimizer_for(plan, rng), plan) as crew:
        crew.learn(*batch(rng, plan), 1)
    assert sizes == [2, 2, 2]


def test_what_a_worker_prints_is_not_taken_for_an_answer(rng, monkeypatch, tmp_path, capfd):
    talkative = 'print("Hello, parent.", flush=True)\n\n\ndef threadpool_limits(*a, **o):\n    pass\n'
    (tmp_path / "threadpoolctl.py").write_text(talkative, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plan = recipe(batch_size=2)
    with crew_for(2, optimizer_for(plan, rng), plan) as crew:
        assert crew.learn(*batch(rng, plan), 1) == pytest.approx(math.log(11), abs=0.1)
    assert capfd.readouterr().err == "Hello, parent.\n"


def test_a_worker_can_change_nothing_but_its_own_gradient():
    with shared.Memory(3, np.float32) as memory:
        view = shared.attach(*memory.address(), write=False)
        memory.array[:] = 1, 2, 3
        assert view.tolist() == [1, 2, 3] and not view.flags.writeable
        with pytest.raises(ValueError):
            view.flags.writeable = True


def test_the_parameters_outlive_the_crew_in_the_same_memory(rng):
    plan = recipe(batch_size=2)
    optimizer = optimizer_for(plan, rng)
    before = optimizer.w.copy()
    with crew_for(2, optimizer, plan) as crew:
        crew.learn(*batch(rng, plan), 1)
    assert np.array_equal(optimizer.w, before)
    optimizer.step(0.1)
    assert not np.array_equal(optimizer.w, before)
    assert all(np.shares_memory(a, optimizer.w) for _, a in trees.leaves(optimizer.params))


@pytest.mark.skipif(not pathlib.Path("/proc/self/maps").exists(), reason="only Linux lists its memory")
def test_the_shared_memory_is_gone_with_its_last_array(rng):
    def blocks():
        return pathlib.Path("/proc/self/maps").read_text(encoding="utf-8").count("memfd:minillm")

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    plan, before = recipe(batch_size=2), (blocks(), descriptors())
    for _ in range(2):
        optimizer = optimizer_for(plan, rng)
        with crew_for(2, optimizer, plan) as crew:
            crew.learn(*batch(rng, plan), 1)
            assert blocks() > before[0]
        del optimizer, crew
    assert (blocks(), descriptors()) == before


# A run with workers


def test_a_run_with_workers_resumes_bit_for_bit(run, monkeypatch, started):
    whole = run(folder="whole", workers=2, accumulate=2)
    learn = Workers.learn

    def interrupted(self, ids, targets, step, n=None):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
        return learn(self, ids, targets, step, n)

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "learn", interrupted)
        stopped = run(workers=2, accumulate=2)
    assert not stopped.finished and stopped.step == 5
    assert all(process.poll() is not None for process in started)
    assert_same_run(whole.folder, run(resume=True, workers=2, accumulate=2).folder)
    assert len(started) == 3


def test_another_number_of_workers_is_announced_when_a_run_goes_on(run, capsys):
    run(steps=4)
    run(steps=8, resume=True, workers=2)
    assert "but not bit for bit as it would have without the stop: workers was 1 and is 2." in capsys.readouterr().out


@pytest.mark.parametrize("fastest", [1, 2])
def test_auto_chooses_says_so_and_leaves_the_run_untouched(run, monkeypatch, capsys, fastest):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    whole = run(folder="whole", workers=fastest)
    choose, cheapest = workers.choose, lambda cost: fastest if set(cost) == {1, 2} else None
    step = AdamW.step

    def interrupted(self, rate):
        if self.steps == 7:
            signal.raise_signal(signal.SIGINT)
        return step(self, rate)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "cheapest", cheapest)
        patch.setattr(workers, "choose", lambda *a: choose(*a, seconds=0.05))
        patch.setattr(AdamW, "step", interrupted)
        stopped = run(workers="auto")
    assert stopped.step == 8 and weights(stopped.folder)[1]["arithmetic"]["workers"] == fastest
    words = f"workers: auto is {fastest} here: the gradient of a step took "
    assert words in capsys.readouterr().out
    assert any(note.startswith(words) for note in runlog.read(stopped.folder / "log.txt").notes)
    monkeypatch.setattr(workers, "choose", None)  # what was chosen once is repeated
    resumed = run(workers="auto", resume=True)
    assert "not bit for bit" not in capsys.readouterr().out
    assert_same_run(whole.folder, resumed.folder)


def test_choosing_takes_no_step_and_leaves_no_gradient(rng, monkeypatch, started):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    plan = recipe(batch_size=2, dropout=0.1)
    optimizer = optimizer_for(plan, rng)
    before = optimizer.w.tobytes()
    n, words = workers.choose(optimizer, *batch(rng, plan), plan.config(11), plan, seconds=0.05)
    assert n in (1, 2) and "ms with 1, " in words and words.endswith("ms with 2.")
    assert optimizer.w.tobytes() == before and optimizer.steps == 0 and not optimizer.m.any()
    assert len(started) == 1
    with pytest.raises(ValueError, match="no gradient to follow"):
        optimizer.step(0.1)


def test_a_worker_more_must_save_a_twentieth():
    assert workers.cheapest({1: 1.00, 2: 0.96, 3: 1.2}) == 1
    assert workers.cheapest({1: 1.00, 2: 0.60, 4: 0.58}) == 2
    assert workers.cheapest({1: 1.00, 2: 0.60, 4: 0.40}) == 4


def test_only_numbers_that_make_the_largest_share_smaller_are_tried():
    assert workers.worth_trying(16, 8) == [1, 2, 3, 4, 8]
    assert workers.worth_trying(2, 8) == [1, 2]
    assert workers.worth_trying(64, 1) == workers.worth_trying(1, 64) == [1]


def test_auto_needs_neither_processes_nor_time_on_a_single_core(run, monkeypatch, started, capsys):
    monkeypatch.setattr(machine, "cores", lambda: 1)
    run(steps=2, workers="auto")
    assert started == [] and "workers: auto is 1, with 1 cores" in capsys.readouterr().out


def test_a_learners_function_is_called_in_every_layer_whatever_the_recipe_says(run, started, capsys):
    calls = []

    def mine(x, g, b, **options):
        calls.append(x.shape)
        return theirs(x, g, b, **options)

    theirs = layers.layer_norm
    for wanted in (2, "auto"):
        calls.clear()
        with using(layers, layer_norm=mine):
            folder = run(folder=f"{wanted}", workers=wanted, n_layer=3, steps=4, evaluate_every=100).folder
        assert len([shape for shape in calls if shape == (3, 16, 8)]) >= 4 * (2 * 3 + 1)
        assert f"workers: {wanted} is 1 inside plain() and using()" in capsys.readouterr().out
        assert weights(folder)[1]["arithmetic"]["workers"] == 1
    assert started == []


def test_a_crew_and_plain_do_not_go_together(rng):
    plan = recipe(batch_size=2)
    optimizer = optimizer_for(plan, rng)
    with plain(), pytest.raises(ValueError, match="there is one process"):
        crew_for(2, optimizer, plan)
    with crew_for(2, optimizer, plan) as crew:
        with plain(), pytest.raises(ValueError, match="there is one process"):
            crew.learn(*batch(rng, plan), 1)
        crew.learn(*batch(rng, plan), 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workers": 0}, "workers must be a number of at least 1, or auto, but it is 0"),
        ({"workers": "all"}, "workers must be a number of at least 1, or auto, but it is 'all'"),
        ({"workers": 2, "device": "gpu"}, "workers must be 1 on a GPU"),
        ({"workers": "auto", "device": "gpu"}, "workers must be 1 on a GPU"),
        ({"workers": 2, "threads": "all"}, "threads must be a number, such as 1, where workers is not 1"),
    ],
)
def test_a_recipe_for_workers_that_cannot_be_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**change)


def test_each_process_has_the_threads_of_the_recipe(rng, monkeypatch):
    seen, popen = [], subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *a, env, **o: seen.append(env) or popen(*a, env=env, **o))
    plan = recipe(batch_size=2, threads=3)
    with crew_for(2, optimizer_for(plan, rng), plan):
        assert {seen[0][name] for name in workers.THREADS} == {"3"}


# Something goes wrong


@POSIX
def test_a_worker_that_is_killed_ends_the_run_and_the_checkpoint_goes_on(run, monkeypatch, tmp_path, started):
    whole = run(folder="whole", workers=2)
    step = AdamW.step

    def kill(self, rate):
        if self.steps == 6:
            started[-1].kill()
        return step(self, rate)

    with monkeypatch.context() as patch:
        patch.setattr(AdamW, "step", kill)
        words = (
            rf"a worker \(process \d+\) was killed by SIGKILL, as systems do when memory runs out. The checkpoint of "
            rf"step 4 is intact. {train.CONTINUE}"
        )
        with pytest.raises(ChildProcessError, match=words):
            run(workers=2)
    assert any("was killed by SIGKILL" in note for note in runlog.read(tmp_path / "run" / "log.txt").notes)
    assert weights(tmp_path / "run")[1]["step"] == 4
    assert_same_run(whole.folder, run(workers=2, resume=True).folder)


@POSIX
def test_a_worker_that_dies_in_the_middle_of_its_share_is_noticed(rng, monkeypatch, started):
    plan = recipe(batch_size=3)
    crew = crew_for(3, optimizer_for(plan, rng), plan)
    own = passes.learn

    def slow(*a, **o):
        started[1].kill()
        return own(*a, **o)

    monkeypatch.setattr(passes, "learn", slow)
    with pytest.raises(ChildProcessError, match=rf"process {started[1].pid}\) was killed by SIGKILL"):
        for _ in range(2):  # it may have answered before the signal came
            crew.learn(*batch(rng, plan), 1)
    with pytest.raises(ValueError, match="this crew has been dismissed"):
        crew.learn(*batch(rng, plan), 1)


def test_a_worker_that_raises_passes_its_sentence_on(rng, started):
    plan = recipe(batch_size=2)
    ids, targets = batch(rng, plan)
    ids[1, 3] = 99  # in the share of the other
    with crew_for(2, optimizer_for(plan, rng), plan) as crew:
        with pytest.raises(
            ChildProcessError, match=r"process \d+\) failed: token 99 is outside the vocabulary, 0 to 10"
        ):
            crew.learn(ids, targets, 1)
        assert started[0].poll() is not None


def test_whatever_goes_wrong_here_ends_the_others(rng, monkeypatch, started):
    plan = recipe(batch_size=2)
    ids, targets = batch(rng, plan)
    ids[0, 3] = 99  # in our own share
    with crew_for(2, optimizer_for(plan, rng), plan) as crew:
        with pytest.raises(ValueError, match="token 99 is outside the vocabulary"):
            crew.learn(ids, targets, 1)
        assert started[0].poll() is not None
    with pytest.raises(KeyboardInterrupt), crew_for(2, optimizer_for(plan, rng), plan):
        raise KeyboardInterrupt
    monkeypatch.setattr(workers.sys, "executable", "no-such-python")
    with pytest.raises(OSError, match="a worker cannot be started: No such file or directory. Take fewer workers."):
        crew_for(2, optimizer_for(plan, rng), plan)


def test_a_worker_that_cannot_begin_is_a_sentence(rng, monkeypatch, tmp_path, capfd):
    plan = recipe(batch_size=2)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ChildProcessError, match=r"a worker \(process \d+\) ended with exit code 1."):
        crew_for(2, optimizer_for(plan, rng), plan)


def test_a_run_that_diverges_leaves_no_process_behind(run, started):
    with pytest.raises(train.Diverged):
        run(workers=2, rate=1e30, warmup=0, clip=None, steps=8)
    assert len(started) == 1


def test_a_batch_larger_than_the_recipe_says_is_refused(rng):
    plan = recipe(batch_size=2)
    with crew_for(2, optimizer_for(plan, rng), plan) as crew:
        with pytest.raises(ValueError, match="a batch of 4 x 12 tokens is larger than that of the recipe, 24."):
            crew.learn(*batch(rng, recipe(batch_size=4)), 1)


@POSIX
def test_workers_leave_ctrl_c_to_their_parent(rng, started):
    plan = recipe(batch_size=2)
    optimizer = optimizer_for(plan, rng)
    with crew_for(2, optimizer, plan) as crew:
        for number in (signal.SIGINT, signal.SIGTERM):
            started[0].send_signal(number)
        assert crew.learn(*batch(rng, plan), 1) > 0 and started[0].poll() is None


SCRIPT = """
import os, signal, sys
import numpy as np
from minillm import gpt
from minillm.optim import AdamW
from minillm.recipe import Recipe
from minillm.workers import Workers

plan = Recipe(model={"n_layer": 1, "n_head": 2, "width": 8, "n_ctx": 12}, batch_size=3)
optimizer = AdamW(gpt.init(plan.config(11), np.random.default_rng(0)))
ids = np.random.default_rng(0).integers(0, 11, (3, 13))
crew = Workers(3, optimizer, plan.config(11), plan)
print("loss", crew.learn(ids[:, :-1], ids[:, 1:], 1), flush=True)
END
"""


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit()",  # without a word to the crew
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", marks=POSIX),
    ],
)
def test_a_script_without_a_guard_works_and_its_workers_end_with_it(end):
    env = os.environ | {"PYTHONPATH": str(pathlib.Path(minillm.__file__).parent.parent)}
    # All processes write to one standard error: it ends when the last of them has ended.
    done = subprocess.run(
        [sys.executable, "-"],
        input=SCRIPT.replace("END", end),
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    assert done.stdout.count("loss") == 1 and done.stderr == ""


# The cores of this process


def test_a_quota_of_the_container_counts_as_fewer_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for quota, usable, whole in (("350000 100000", 3.5, 3), ("50000 100000", 0.5, 1), ("max 100000", 8, 8)):
        monkeypatch.setattr(pathlib.Path, "read_text", lambda path, encoding, quota=quota: quota)
        assert (machine.usable_cores(), machine.cores()) == (usable, whole)
        assert Recipe(threads="all").n_threads() == whole
