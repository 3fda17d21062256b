"""The GPU benchmark: a stored result is of the kernels as they are, and what is timed has the same gradients."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import cuda_on_cpu
import numpy as np
import pytest

from minillm import backend, gpt, trees
from minillm.config import Config
from minillm.kernels import gpu

BENCH = Path(__file__).resolve().parent / "bench"


@pytest.fixture
def bench(monkeypatch):
    """tests/bench/gpu.py, which no package holds."""
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    spec = importlib.util.spec_from_file_location("bench_gpu", BENCH / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_was_measured_on_a_gpu_was_measured_with_these_kernels(bench):
    assert bench.stale() == [], "measure again: python tests/bench/gpu.py, on a machine with that GPU"


def test_a_result_of_other_kernels_is_told(bench, tmp_path):
    for name, kernels in (("gpu-now.json", bench.fingerprint()), ("gpu-old.json", "0" * 64), ("gpu-bare.json", None)):
        (tmp_path / name).write_text(json.dumps({"kernels": kernels} if kernels else {}), encoding="utf-8")
    (tmp_path / "laptop.json").write_text("{}", encoding="utf-8")
    assert bench.stale(tmp_path) == ["gpu-bare.json", "gpu-old.json"]


def test_the_fingerprint_knows_every_file_that_runs_on_the_gpu(bench, tmp_path):
    seen = {bench.fingerprint()}
    for path in [gpu.FOLDER / "gpu.py", *gpu.FOLDER.glob("*.cu")]:
        folder = tmp_path / path.name
        shutil.copytree(gpu.FOLDER, folder)
        (folder / path.name).write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
        seen.add(bench.fingerprint(folder))
    assert len(seen) == 2 + len(list(gpu.FOLDER.glob("*.cu")))


def test_a_gradient_that_differs_or_is_nan_stops_the_benchmark(bench, rng):
    right = {"a": rng.standard_normal(5), "b": np.zeros(3)}
    assert bench.difference({key: a.copy() for key, a in right.items()}, right) == 0
    assert bench.difference(right | {"a": right["a"] * 1.1}, right) == pytest.approx(0.1)
    assert np.isnan(bench.difference(right | {"b": np.full(3, np.nan)}, right))
    with pytest.raises(ValueError, match="different parameters: .'b'"):
        bench.difference({"a": right["a"]}, right)


def test_without_a_gpu_it_says_one_sentence(bench, monkeypatch, capsys):
    monkeypatch.setattr(backend, "gpu_available", lambda: False)
    assert bench.main() == 2
    assert capsys.readouterr().err.startswith("Error: no GPU was found")


def test_the_table_shows_times_and_ratios(bench):
    seconds = {"CuPy with kernels": 0.010, "PyTorch": 0.012, "torch.compile": 0.009}
    row = {"size": "tiny", "batch": 2, "precision": "tf32", "seconds": seconds}
    row |= {"ratio to PyTorch": 1.2, "ratio to torch.compile": 0.9}
    found = {"device": "X", "date": "2026-01-01", "versions": {"cupy": "14"}, "kernels": "ab" * 32, "rows": [row]}
    last = bench.table(found).splitlines()[-1]
    assert last == "| tiny, batch 2 | tf32 |  | 10.00 | 12.00 | 9.00 | 1.20 | 0.90 |"


@pytest.mark.parity
@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_ours_thread_by_thread_has_the_gradients_of_pytorch(bench, monkeypatch, rng, precision):
    pytest.importorskip("torch")
    if not cuda_on_cpu.compiler():
        pytest.skip("this needs g++, on Linux, to compile the kernels for the CPU")
    config = Config(vocab_size=19, n_ctx=9, n_layer=2, n_head=2, width=16)
    ids = rng.integers(0, 19, (2, 10))
    data = gpt.init(config, rng), ids[:, :-1], ids[:, 1:], config
    theirs = bench.Theirs(*data, "fp32", False, device="cpu")
    theirs.backward()
    right = theirs.gradients()
    monkeypatch.setattr(bench, "to_gpu", lambda tree: trees.map_leaves(np.copy, tree))
    with cuda_on_cpu.installed() as machine:
        ours = bench.Ours(*data, precision, True)
        ours.backward()
        assert bench.difference(ours.gradients(), right) <= bench.TOLERANCE[precision]
        assert "attention_backward_q" in machine.ran
        before = ours.optimizer.w.copy()
        ours()
        assert not np.array_equal(ours.optimizer.w, before)
    theirs()
    rounded = bench.Theirs(*data, "bf16", False, device="cpu")
    rounded.backward()
    assert bench.difference(rounded.gradients(), right) <= bench.TOLERANCE["bf16"]
