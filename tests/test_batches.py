"""Batches: every window once per epoch, the same for the same seed and step, whatever came before."""

import time

import numpy as np
import pytest

from minillm.batches import Batches, read_tokens, windows, write_tokens


def test_tokens_come_back_from_disk_in_the_smallest_type_that_holds_them(tmp_path):
    for ids, dtype in (([0, 65535], np.uint16), ([3, 65536], np.uint32), ([], np.uint16)):
        path = write_tokens(np.array(ids, np.int64), tmp_path / "tokens.npy")
        tokens = read_tokens(path)
        assert isinstance(tokens, np.memmap) or not ids
        assert tokens.dtype == dtype and tokens.tolist() == ids
        del tokens
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.npy"]


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (np.array([-1, 2]), "these run from -1 to 2"),
        (np.array([2**32]), "these run from 4294967296 to 4294967296"),
        (np.array([0.5]), "these are float64 of shape"),
        (np.array([[1]]), r"these are int64 of shape \(1, 1\)"),
    ],
)
def test_what_is_no_row_of_ids_is_not_written(tmp_path, ids, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_tokens(ids, tmp_path / "tokens.npy")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_short_or_holds_something_else_is_refused(tmp_path):
    path = write_tokens(np.arange(5000), tmp_path / "tokens.npy")
    data = path.read_bytes()
    for wrong in (data[:4000], data[:50], b"", b"To be, or not to be"):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"tokens\.npy cannot be read: it is cut short, or holds no token ids"):
            read_tokens(path)
    np.save(path, np.zeros(3))
    with pytest.raises(ValueError, match="holds no token ids"):
        read_tokens(path)
    with pytest.raises(OSError):
        read_tokens(tmp_path / "nothing.npy")


def epochs_of(batches, n):
    """The first tokens of all windows, in the order of the batches, cut into n epochs."""
    steps = -(-n * batches.per_epoch // batches.batch_size)
    firsts = np.concatenate([batches.batch(step)[0][:, 0] for step in range(steps)])
    return [firsts[i * batches.per_epoch : (i + 1) * batches.per_epoch] for i in range(n)]


@pytest.mark.parametrize(("n_tokens", "n_ctx", "batch_size"), [(1000, 7, 4), (103, 10, 3), (64, 8, 16), (30, 14, 5)])
def test_each_epoch_visits_each_window_once_and_windows_do_not_overlap(n_tokens, n_ctx, batch_size):
    batches = Batches(np.arange(n_tokens), batch_size=batch_size, n_ctx=n_ctx, seed=3)
    for starts in epochs_of(batches, 4):
        starts = np.sort(starts)  # the token at place i is i
        assert len(starts) == batches.per_epoch == max(1, n_tokens // n_ctx - 1)
        assert starts[0] < n_ctx and (np.diff(starts) == n_ctx).all() and starts[-1] + n_ctx < n_tokens


def test_epochs_and_seeds_have_other_orders_and_other_offsets():
    a, b, c = epochs_of(Batches(np.arange(1000), batch_size=4, n_ctx=7, seed=3), 3)
    (d,) = epochs_of(Batches(np.arange(1000), batch_size=4, n_ctx=7, seed=4), 1)
    orders = [tuple(np.argsort(starts)) for starts in (a, b, c, d)]
    assert len(set(orders)) == 4 and len({starts.min() for starts in (a, b, c, d)}) > 1


def test_every_offset_is_drawn_sooner_or_later():
    batches = Batches(np.arange(100), batch_size=9, n_ctx=10, seed=0)
    assert {int(starts.min()) for starts in epochs_of(batches, 200)} == set(range(10))


def test_targets_are_the_ids_shifted_by_one(rng):
    tokens = rng.integers(0, 50, 500).astype(np.uint16)
    ids, targets = Batches(tokens, batch_size=6, n_ctx=9, seed=1).batch(5)
    assert ids.shape == targets.shape == (6, 9) and ids.dtype == targets.dtype == np.int64
    assert (ids[:, 1:] == targets[:, :-1]).all()
    text = tokens.tobytes()
    for row, target in zip(ids, targets, strict=True):
        assert np.append(row, target[-1]).astype(np.uint16).tobytes() in text


def test_a_batch_depends_on_the_seed_and_the_step_and_on_nothing_that_came_before(rng):
    tokens = rng.integers(0, 50, 500)
    whole = Batches(tokens, batch_size=6, n_ctx=9, seed=1)
    uninterrupted = [whole.batch(step) for step in range(60)]
    resumed = Batches(tokens, batch_size=6, n_ctx=9, seed=1)
    for step in [*range(31, 60), 2, 59, 0, 31]:
        for ours, theirs in zip(resumed.batch(step), uninterrupted[step], strict=True):
            assert (ours == theirs).all()
    other = Batches(tokens, batch_size=6, n_ctx=9, seed=2)
    assert any((other.batch(step)[0] != uninterrupted[step][0]).any() for step in range(3))


def test_the_order_never_changes_between_versions():
    """What a seed means is promised: these numbers were written down once."""
    ids, _ = Batches(np.arange(200), batch_size=4, n_ctx=8, seed=42).batch(7)
    assert ids[:, 0].tolist() == [117, 93, 189, 21]


def test_an_epochs_order_is_drawn_once_and_not_at_each_step(monkeypatch):
    drawn, default_rng = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or default_rng(seed))
    batches = Batches(np.arange(1000), batch_size=4, n_ctx=8, seed=5)
    for step in range(3 * batches.per_epoch // 4):
        batches.batch(step)
    assert drawn == [(5, 0), (5, 1), (5, 2)]


def test_a_batch_from_disk_takes_microseconds(tmp_path):
    tokens = read_tokens(write_tokens(np.zeros(1_000_000, np.uint16), tmp_path / "tokens.npy"))
    batches = Batches(tokens, batch_size=8, n_ctx=64, seed=0)
    batches.batch(0)
    times = []
    for step in range(200):
        start = time.perf_counter()
        batches.batch(step)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 500e-6  # about 30 on a quiet machine; a permutation at each step would take 200 more


def test_a_text_too_short_for_one_window_is_refused_with_both_numbers():
    for make in (lambda: Batches(np.arange(8), batch_size=1, n_ctx=8, seed=0), lambda: windows(np.arange(8), 8)):
        with pytest.raises(ValueError, match="the text has 8 tokens, but one window of n_ctx 8 and its targets need 9"):
            make()
    assert Batches(np.arange(9), batch_size=2, n_ctx=8, seed=0).batch(3)[1].tolist() == [list(range(1, 9))] * 2
    with pytest.raises(ValueError, match="batch_size is 0 and n_ctx is 8"):
        Batches(np.arange(9), batch_size=0, n_ctx=8, seed=0)


def test_windows_for_validation_cover_the_text_in_order():
    ids, targets = windows(np.arange(104), 10)
    assert (ids.ravel() == np.arange(100)).all() and (targets.ravel() == np.arange(1, 101)).all()
    assert windows(np.arange(101), 10)[0].shape == (10, 10) and windows(np.arange(100), 10)[0].shape == (9, 10)
    some, _ = windows(np.arange(1001), 10, limit=4)
    assert some[:, 0].tolist() == [0, 250, 500, 750]
    assert windows(np.arange(104), 10, limit=99)[0].shape == (10, 10)
