"""A rung: branches are runs trained alone, losses are expected ones, and what diverges says so."""

import json
import math
import pathlib

import numpy as np
import pytest

from minillm import counts, gpt, ladder, optim, rung, sources
from minillm.exam import Exam
from minillm.trees import leaves

MARKOV = {"kind": "markov"}
SMALL = {"warmup": 4, "n_heldout": 40, "n_ctx": 16, "batch_size": 4}
STORED = pathlib.Path(rung.__file__).parent / "ladders" / "quick.jsonl"


def small(width=8, tokens=(640, 1280, 2560), **changes):
    return rung.Rung(changes.pop("language", MARKOV), width, tokens, **SMALL | changes)


def without_time(run):
    return {key: value for key, value in run.items() if key != "seconds"}


def test_each_branch_is_the_run_that_one_would_have_trained_alone():
    together = list(rung.train(small()))
    assert [run["D"] for run in together] == [640, 1280, 2560]
    for run in together:
        (alone,) = rung.train(small(tokens=(run["D"],)))
        assert without_time(alone) == without_time(run)
    assert len({run["loss"] for run in together}) == 3


def test_a_curve_is_the_one_of_the_run_alone():
    together = list(rung.train(small(), watch=2))
    for run in together:
        (alone,) = rung.train(small(tokens=(run["D"],)), watch=2)
        assert alone["curve"] == run["curve"]
        assert [tokens for tokens, _ in run["curve"]] == list(range(128, run["D"] + 1, 128))
        assert run["curve"][-1] == [run["D"], run["loss"]]
    assert "curve" not in next(rung.train(small()))


def test_a_trunk_that_diverges_has_a_curve_up_to_there():
    rows = list(rung.train(small(rate=1e6, clip=None), watch=1))
    assert all(row["status"] == "diverged" for row in rows)
    assert len({len(row["curve"]) for row in rows}) == 1


def test_distinct_tokens_are_read_again_and_fresh_ones_are_not():
    again, fresh = small(distinct=3 * 64), small()
    assert [again.batch_of(step) for step in range(1, 8)] == [0, 1, 2, 0, 1, 2, 0]
    assert [fresh.batch_of(step) for step in range(1, 8)] == list(range(7))
    first, second = (next(rung.train(small(tokens=(6400,), distinct=n))) for n in (640, None))
    assert first["loss"] > second["loss"] + 0.03
    with pytest.raises(ValueError, match="63 distinct tokens are less than one step has, 64"):
        small(distinct=63)


def test_positions_and_the_rule_for_the_rate_are_what_the_rung_says():
    learned = small(width=16, positions="learned")
    assert learned.config(16).positions == "learned" and small().config(16).positions == "rotary"
    for each, hidden in ((small(width=16), 2.0), (small(width=16, per_width=False), 1.0)):
        optimizer = rung.Optimizer(rung.init(each.config(16), np.random.default_rng(0)), each)
        assert [factor for _, _, factor in optimizer.parts] == [1.0, hidden, 1.0, 1.0]


def test_a_run_alone_is_steps_of_adamw_at_the_rates_of_the_schedule():
    """Against a loop that updates each array by itself."""
    each = small(width=16, tokens=(640,))
    (run,) = rung.train(each)
    source = sources.make(MARKOV)
    config, data = each.config(16), sources.training(source, batch_size=4, n_ctx=16, seed=0)
    params = rung.init(config, np.random.default_rng(0))
    memory = {path: (np.zeros_like(w), np.zeros_like(w)) for path, w in leaves(params)}
    for step in range(1, 11):
        ids, targets = data.batch(step - 1)
        grads = dict(leaves(gpt.loss(params, ids=ids, targets=targets, config=config)[1]()))
        length = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        rate = optim.schedule(step, kind="constant", steps=10, warmup=4, rate=9e-3, cooldown=0.25)
        for path, w in leaves(params):
            hidden = path.startswith("blocks") and w.ndim == 2
            g = np.ascontiguousarray(grads[path] * min(1, 1 / length))
            own = rate * 32 / 16 if hidden else rate
            decay = 0.01 if w.ndim == 2 else 0.0
            optim.adamw(w, g, *memory[path], step=step, rate=own, betas=(0.9, 0.98), decay=decay)
    loss, nll = Exam(source, 40, 16).mark(params, config)
    assert (run["loss"], run["nll"]) == pytest.approx((loss, nll), rel=1e-4)


def test_weights_begin_with_the_deviations_that_the_widths_share():
    config = small(width=64).config(64)
    params = rung.init(config, np.random.default_rng(0))
    deviations = {
        "tokens": 0.3,
        "unembed": 0.02,
        "blocks.0.attn.w_q": 1 / 8,
        "blocks.1.attn.w_o": 1 / 16,  # 2 blocks: sqrt(2 * 2) smaller
        "blocks.0.ffn.w_up": 1 / 8,
        "blocks.1.ffn.w_down": 1 / 32,
    }
    for path, w in leaves(params):
        if path in deviations:
            assert w.std() == pytest.approx(deviations[path], rel=0.06), path
    assert (params["norm"]["g"] == 1).all() and config.rotary_base == 100 and config.n_head == 8


def test_the_expected_loss_has_less_noise_than_the_sampled_one():
    each = small(width=16, tokens=(6400,))
    optimizer = rung.Optimizer(rung.init(each.config(16), np.random.default_rng(0)), each)
    source = sources.make(MARKOV)
    data = sources.training(source, batch_size=4, n_ctx=16, seed=0)
    for step in range(100):
        rung.learn(optimizer, *data.batch(step), each.config(16), 3e-3)
    exam = Exam(source, 400, 16)
    losses, nlls = [], []
    for i in range(0, 400, 20):
        part = Exam.__new__(Exam)
        part.ids, part.floor = exam.ids[i : i + 20], exam.floor
        part.law, part.entropies = exam.law[i : i + 20], exam.entropies[i : i + 20]
        loss, nll = part.mark(optimizer.params, each.config(16))
        losses.append(loss)
        nlls.append(nll)
    assert np.std(losses) < np.std(nlls) / 2 and np.mean(losses) == pytest.approx(np.mean(nlls), abs=0.05)


@pytest.mark.parametrize("width, N", [(16, 6304), (24, 14064)])
def test_N_and_C_are_what_counts_says(width, N):
    each = rung.Rung(MARKOV, width, (131072,))
    flops = counts.flops_per_token(each.config(64))["total"]
    assert each.flops_per_step(64) == 512 * (flops["forward"] + flops["backward"])
    (run,) = rung.train(small(width, tokens=(700,)))
    parts = counts.count_parameters(small(width).config(16))
    assert (run["N"], run["N_readout"], run["N_all"]) == (N, N + 16 * width, parts["total"])
    assert run["D"] == 640 and run["C"] == 10 * small(width).flops_per_step(16)


def test_steps_in_all_are_those_that_are_told():
    told = []
    list(rung.train(small(), told.append))
    assert told[-1] == small().steps_in_all() == 30 + 10 + 5 + 2 and told == sorted(told)


def test_a_run_whose_loss_is_no_number_has_diverged_and_so_have_all_that_come_after_it():
    runs = list(rung.train(small(rate=1e38)))
    assert [run["status"] for run in runs] == ["diverged"] * 3 and [run["loss"] for run in runs] == [None] * 3
    assert all("at step" in run["why"] for run in runs)
    assert len({run["why"] for run in runs}) == 1  # it happened once, on the trunk
    json.dumps(runs, allow_nan=False)


@pytest.mark.parametrize("step", [8, 15])  # the last one before the first branch, and before the second
def test_a_trunk_that_diverges_where_a_branch_would_leave_it_is_told_of_too(step, monkeypatch):
    learn = rung.learn

    def breaks(optimizer, *rest):
        learn(optimizer, *rest)
        if optimizer.steps == step and rest[-1] == 9e-3:
            raise rung.Diverged(f"its loss was nan at step {step}.")

    monkeypatch.setattr(rung, "learn", breaks)
    runs = list(rung.train(small()))
    done = 0 if step == 8 else 1
    assert [run["status"] for run in runs] == ["done"] * done + ["diverged"] * (3 - done)
    assert {run["why"] for run in runs[done:]} == {f"its loss was nan at step {step}."}


def test_a_branch_that_diverges_leaves_the_trunk_alone(monkeypatch):
    rate_of = rung.Rung.learning_rate
    spoil = lambda self, step, steps: math.inf if (step, steps) == (9, 10) else rate_of(self, step, steps)
    good = [without_time(run) for run in rung.train(small())]
    monkeypatch.setattr(rung.Rung, "learning_rate", spoil)
    runs = [without_time(run) for run in rung.train(small())]
    assert runs[0]["status"] == "diverged" and runs[1:] == good[1:]


def test_a_loss_above_that_of_guessing_has_diverged_but_is_told():
    (run,) = rung.train(small(tokens=(640,), rate=30.0))
    assert run["status"] == "diverged" and run["loss"] > math.log(16) and "above that of guessing" in run["why"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: small(width=12), "width 12 is no multiple of 8"),
        (lambda: small(tokens=(256,)), "256 tokens are 4 steps, and 4 of warm-up end later"),
    ],
)
def test_a_rung_that_cannot_be_gets_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", ["spectral", "facts"])
def test_a_stored_run_comes_out_again(kind):
    """To four digits where numbers are those of the machine that stored it; elsewhere to one per cent."""
    rows = [json.loads(line) for line in STORED.read_text("utf-8").splitlines()]
    row = min((r for r in rows if r["language"]["kind"] == kind and r["seed"] == 1), key=lambda r: r["C"])
    settings = {name: row[name] for name in small().settings() if name in row}
    (run,) = rung.train(rung.Rung(row["language"], row["width"], (row["D"],), row["seed"], **settings))
    if run["checksum"] != row["checksum"]:
        pytest.skip("this build of NumPy draws other tokens")
    alike = (run["numpy"], ladder.kind()) == (row["numpy"], row.get("machine"))
    assert run["floor"] == pytest.approx(row["floor"], rel=1e-12) and run["C"] == row["C"]
    assert run["loss"] == pytest.approx(row["loss"], rel=1e-4 if alike else 0.01)


def test_a_run_that_ends_a_little_above_guessing_has_diverged_too():
    (run,) = rung.train(small(width=16, tokens=(640,), rate=1.0))
    assert math.log(16) < run["loss"] < 10 * math.log(16) and run["status"] == "diverged"


def test_a_long_gradient_is_clipped_before_it_is_remembered():
    each = small()
    optimizer = rung.Optimizer(rung.init(each.config(16), np.random.default_rng(0)), each)
    optimizer.dw[...] = 3.0
    assert optimizer.step(1e-3) == pytest.approx(3 * len(optimizer.dw) ** 0.5, rel=1e-5)
    assert np.linalg.norm(optimizer.m) == pytest.approx(0.1 * each.clip, rel=1e-4)
