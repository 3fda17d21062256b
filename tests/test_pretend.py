"""The pretend GPU: NumPy's numbers, and a ledger of what would cross."""

import sys
import types

import numpy as np
import pytest

from minillm import backend, gpt, optim, pretend
from minillm.backend import to_cpu, to_gpu


def steps(params, batch, put):
    """Two training steps, each with a batch that is sent: the loss and the optimizer."""
    config = gpt.Config(vocab_size=11, n_ctx=6, n_layer=2, n_head=2, width=8, positions="rotary")
    optimizer = optim.AdamW(params or gpt.init(config, np.random.default_rng(0)), decay=0.1, clip=1.0)
    for _ in range(2):
        ids, targets = map(put, batch)
        loss, backward = gpt.loss(optimizer.params, ids=ids, targets=targets, config=config)
        optimizer.add(backward())
        optimizer.step(0.01)
    return loss, optimizer


def test_a_training_step_there_gives_the_same_bits_and_sends_nothing_but_the_batch():
    batch = np.random.default_rng(0).integers(0, 11, (2, 3, 6))
    with backend.plain():
        loss, ours = steps(None, batch, np.asarray)
    with pretend.gpu() as ledger:
        import cupy

        config = gpt.Config(vocab_size=11, n_ctx=6, n_layer=2, n_head=2, width=8, positions="rotary")
        params = to_gpu(gpt.init(config, np.random.default_rng(0)))
        ledger.clear()
        there, theirs = steps(params, batch, cupy.asarray)
        total = ledger.totals()
        assert (total["to the GPU"], total["to the computer"], total["waits"], total["float64"]) == (4, 0, 0, 0)
        assert ledger.bytes("to the GPU") == 2 * batch.nbytes and total["kernels"] > 500
        assert to_cpu(theirs.w).tobytes() == ours.w.tobytes() and float(there) == float(loss)


WATCHED = {  # what is done with x (3, 4), on the GPU, and {kind: how often} that writes down
    "nothing": (lambda x: x.T.reshape(-1)[2:5], {}),
    "a product": (lambda x: x @ x.T, {"kernels": 1}),
    "a sum": (lambda x: x.sum(), {"kernels": 1}),
    "float": (lambda x: float(x.sum()), {"kernels": 1, "to the computer": 1}),
    "print": (lambda x: str(x), {"to the computer": 1}),
    "a text with a format": (lambda x: f"{x.sum():.2f}", {"kernels": 1, "to the computer": 1}),
    "if": (lambda x: 1 if x[0, 0] > 0 else 2, {"kernels": 1, "to the computer": 1}),
    "item": (lambda x: x[0, 0].item(), {"to the computer": 1}),
    "a mask": (lambda x: x[x > 0], {"kernels": 2, "to the computer": 1}),
    "a list": (lambda x: x[[0, 2]], {"kernels": 1, "to the GPU": 1}),
    "the end of a slice": (lambda x: x[: int((x > 0).sum())], {"kernels": 2, "to the computer": 1}),
    "a NumPy scalar": (lambda x: x * np.float64(2), {"kernels": 1, "float64": 1}),
    "a number of Python's": (lambda x: x * 2.0, {"kernels": 1}),
    "in place": (lambda x: x.__iadd__(1), {"kernels": 1}),
    "a loop over the rows": (lambda x: [row * 2 for row in x], {"kernels": 3}),
}


@pytest.mark.parametrize("what", WATCHED)
def test_the_ledger_writes_down(what):
    do, wanted = WATCHED[what]
    with pretend.gpu() as ledger:
        x = to_gpu(np.arange(12, dtype=np.float32).reshape(3, 4) - 5)
        assert ledger.totals()["to the GPU"] == 1
        ledger.clear()
        do(x)
        assert ledger.totals() == dict.fromkeys(pretend.KINDS, 0) | wanted


def test_it_knows_on_which_line():
    with pretend.gpu() as ledger:
        x = to_gpu(np.ones(3, np.float32))
        y = x.sum()
        if y > 2:
            x = x * 2
        assert ledger.lines("to the computer") == ["if y > 2:"]
        assert ledger.lines("to the GPU") == ["x = to_gpu(np.ones(3, np.float32))"]


def test_arrays_of_the_two_do_not_mix_and_none_comes_back_by_itself():
    with pretend.gpu():
        x, ours = to_gpu(np.ones(3)), np.ones(3)
        for mixed in (
            lambda: x + ours,
            lambda: ours + x,
            lambda: np.exp(x),
            lambda: np.asarray(x),
            lambda: ours[: x.sum()],
        ):
            with pytest.raises(TypeError):
                mixed()


def test_a_stopwatch_waits_there():
    with pretend.gpu() as ledger:
        watch = backend.Stopwatch(to_gpu(np.ones(3)))
        watch.seconds()
        assert ledger.totals()["waits"] == 2


def test_no_two_of_the_steps_in_the_exercise_look_alike_and_each_shows_its_own_line():
    from minillm.bank.precision import hidden_copies

    seen = {word: hidden_copies.seen(word) for word in hidden_copies.WORDS}
    assert len(set(seen.values())) == len(seen)
    for letter, word in hidden_copies.CASES.items():
        shown = seen[word].partition("`")[2].rpartition("`")[0]
        assert shown in hidden_copies.code(letter) and word not in hidden_copies.code(letter)
        total = hidden_copies.watch(letter)
        crosses = {"a constant is sent again", "noise comes from the computer", "a mask is counted"}
        crosses |= {"a condition waits", "the end of a slice is fetched"}
        assert bool(total["to the GPU"] + total["to the computer"]) == (word in crosses)


def test_outside_it_the_computer_finds_what_it_found_before(monkeypatch):
    theirs = types.ModuleType("cupy")
    for before in (theirs, None):
        monkeypatch.delitem(sys.modules, "cupy", raising=False)
        if before:
            monkeypatch.setitem(sys.modules, "cupy", before)
        with pretend.gpu():
            assert backend.gpu_available() and sys.modules["cupy"] is not before
        assert sys.modules.get("cupy") is before
    backend.gpu_available.cache_clear()
