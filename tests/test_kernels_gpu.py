"""The kernels for a GPU: they compile, run thread by thread on the CPU as their definitions say, and on a GPU too."""

import inspect
import re

import cuda_on_cpu
import numpy as np
import pytest

from minillm import __main__, backend, gpt, layers, optim, recipe, train, trees
from minillm.config import Config
from minillm.kernels import checks, gpu

CASES = checks.cases()
SOURCES = sorted(path.stem for path in gpu.FOLDER.glob("*.cu"))


@pytest.fixture
def machine():
    if not cuda_on_cpu.compiler():
        pytest.skip("this needs g++, on Linux, to compile the kernels for the CPU")
    with cuda_on_cpu.installed() as machine:
        yield machine


@pytest.fixture
def device():
    if not backend.gpu_available():
        pytest.skip("there is no GPU that CuPy can use")


def copy(tree):
    return trees.map_leaves(np.copy, tree)


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def describe(case):
    return f"{case.kernel} {case.sizes} {case.precision}"


def definition(name):
    return checks.DEFINITIONS[name].__wrapped__


def assert_close(found, exact, tolerance=1e-5):
    """Every leaf within the tolerance of the largest number in it, and NaN where NaN belongs."""
    pairs = zip(trees.leaves(list(found)), trees.leaves(list(exact)), strict=True)
    errors = {path: checks.error(np.asarray(a), np.asarray(b)) for (path, a), (_, b) in pairs}
    assert all(error <= tolerance for error in errors.values()), errors


# The sources


def test_every_source_belongs_to_a_noun_and_every_kernel_is_launched():
    assert SOURCES == sorted([*gpu.NOUNS, "warp"])
    text = inspect.getsource(gpu)
    for noun in gpu.NOUNS:
        for kernel in cuda_on_cpu.signatures(gpu.source(noun)):
            assert kernel in text or kernel.partition("_")[2] in text


@pytest.mark.parametrize("noun", SOURCES)
def test_a_kernel_computes_in_float32_alone(noun):
    code = re.sub(r"//.*", "", (gpu.FOLDER / f"{noun}.cu").read_text(encoding="utf-8"))
    assert not re.search(r"\bdouble\b", code)
    assert re.findall(r"\d+\.\d*(?:[eE]-?\d+)?(?![\dfeE.])", code) == []  # 0.5 would be a double, 0.5f is not
    assert re.findall(r"(?<!\w)(?:exp|log|sqrt|tanh|fmax|fabs|pow)\(", code) == []  # and so would what exp() returns


@pytest.mark.parametrize("noun", gpu.NOUNS)
def test_no_kernel_adds_to_one_place_from_two_threads(noun):
    assert "atomic" not in gpu.source(noun)  # sums in another order would be another run


@pytest.mark.parametrize("noun", gpu.NOUNS)
def test_every_kernel_compares_its_place_with_a_size(noun):
    source = gpu.source(noun)
    for kernel in cuda_on_cpu.signatures(source):
        body = source[source.index(f"{kernel}(") :].partition("\n}\n")[0]
        assert re.search(r"\b(n|i|f|c) (>=|<) [NnFC]\b|\bt < T\b|store\(", body), kernel


@pytest.mark.parametrize("name", [name for name in checks.DEFINITIONS if name != "model"])
def test_a_fast_version_has_the_signature_of_its_definition(name):
    assert inspect.signature(getattr(gpu, name)) == inspect.signature(checks.DEFINITIONS[name])
    assert checks.DEFINITIONS[name].__wrapped__  # it is marked @fused, so that the fast version is found


@pytest.mark.parity
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("noun", gpu.NOUNS)
def test_the_kernels_compile_for_a_gpu_and_fit_into_it(noun, arch):
    pytest.importorskip("cupy")
    try:
        from cupy_backends.cuda.libs import nvrtc

        nvrtc.getVersion()
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"NVIDIA's compiler library is missing: {error}")
    for K in (1, 24, 64) if noun == "attention" else (0,):
        program = nvrtc.createProgram(gpu.source(noun), f"{noun}.cu", (), ())
        options = [*gpu.OPTIONS, f"-arch={arch}", "--ptxas-options=-v", f"-DK={K}"]
        try:
            nvrtc.compileProgram(program, options)
        finally:
            log = nvrtc.getProgramLog(program)
        assert nvrtc.getCUBIN(program)
        assert "warning" not in log and "error" not in log, log
        assert set(re.findall(r"Compiling entry function '(\w+)'", log)) == set(
            cuda_on_cpu.signatures(gpu.source(noun))
        )
        used = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
        shared = [int(n) for n in re.findall(r"(\d+) bytes smem", log)]
        spilt = [int(n) for n in re.findall(r"(\d+) bytes spill", log)]
        assert len(used) and max(used) <= 255 and max(shared, default=0) <= 48 * 1024
        assert max(spilt, default=0) <= 16, log  # registers that had to be put aside in memory
        nvrtc.destroyProgram(program)


# Thread by thread on the CPU


@pytest.mark.parametrize("case", CASES, ids=describe)
def test_a_kernel_gives_what_its_definition_gives(machine, rng, case):
    row = checks.check(case, rng, copy)
    assert row.ok, checks.table([row])
    assert machine.ran or case.kernel == "linear"


def test_every_kernel_is_run_by_these_cases(machine, rng):
    few = {(case.kernel, case.options.get("causal")): case for case in CASES if case.precision == "fp32"}
    for case in few.values():
        checks.check(case, rng, copy)
    known = {kernel for noun in gpu.NOUNS for kernel in cuda_on_cpu.signatures(gpu.source(noun))}
    assert set(machine.ran) == known


def test_arguments_may_lie_in_memory_as_they_like(machine, rng):
    x, g, b = normal(rng, 7, 6).T, np.broadcast_to(normal(rng, 1), 7), normal(rng, 14)[::2]
    y, backward = gpu.layer_norm(x, g, b)
    dy = normal(rng, 7, 6).T
    exact, exact_backward = definition("layer_norm")(x, g, b)
    assert_close([y, *backward(dy)], [exact, *exact_backward(dy)])
    q, k, v, dy = (normal(rng, 2, 5, 3, 4)[:, ::-1].transpose(2, 0, 1, 3) for _ in range(4))
    y, backward = gpu.attention(q, k, v, causal=True)
    exact, exact_backward = definition("attention")(q, k, v, causal=True)
    assert_close([y, *backward(dy)], [exact, *exact_backward(dy)])
    x, w, dy = normal(rng, 5, 6).T, normal(rng, 7, 10)[:5, ::2].T.T, normal(rng, 5, 6).T
    w, dy = w.copy(order="F"), dy
    y, backward = gpu.linear(x, w)
    exact, exact_backward = definition("linear")(x, w)
    assert_close([y, *backward(dy)], [exact, *exact_backward(dy)])


def test_backward_can_be_called_again_and_leaves_dy_alone(machine, rng):
    config = Config(width=5, n_head=1, ffn_width=9)
    p = {"w_up": normal(rng, 5, 9), "w_down": normal(rng, 9, 5), "b_up": normal(rng, 9), "b_down": normal(rng, 5)}
    q = normal(rng, 2, 3, 4, 5)
    calls = [
        gpu.layer_norm(normal(rng, 4, 5), normal(rng, 5), normal(rng, 5)),
        gpu.attention(q, q, q, causal=True),
        gpu.ffn(normal(rng, 4, 5), p, config=config),
        gpu.linear(normal(rng, 4, 5), p["w_up"], p["b_up"]),
        gpu.embedding(normal(rng, 9, 5), ids=np.array([1, 1, 8])),
        gpu.cross_entropy(normal(rng, 4, 5), targets=np.array([1, 0, 4, 4])),
    ]
    for y, backward in calls:
        dy = normal(rng, *y.shape) if y.ndim else np.float32(0.3)
        before, kept = np.copy(dy), np.copy(y)
        first = copy(list(backward(dy))) if isinstance(backward(dy), tuple) else [np.copy(backward(dy))]
        second = list(backward(dy)) if isinstance(backward(dy), tuple) else [backward(dy)]
        for (_, a), (_, b) in zip(trees.leaves(first), trees.leaves(second), strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(dy, before) and np.array_equal(y, kept)


def test_a_query_with_nothing_to_attend_to_yields_zeros_and_zero_gradients(machine, rng):
    q, k, v, dy = (normal(rng, 2, 1, n, 5) for n in (35, 35, 35, 35))
    hidden = np.zeros((2, 35), bool)
    hidden[1] = True
    y, backward = gpu.attention(q, k, v, causal=True, key_padding_mask=hidden)
    assert not y[1].any() and y[0].all()
    for grad in backward(dy):
        assert not grad[1].any() and grad[0].any()
    y, backward = gpu.attention(q, k[:, :, :5], v[:, :, :5], causal=True)  # the first 30 queries come before all keys
    assert not y[:, :, :30].any() and y[:, :, 30:].all()
    assert not backward(dy)[0][:, :, :30].any()


def test_scores_as_far_apart_as_float32_holds_do_not_overflow(machine, rng):
    q, k, v = 1e4 * normal(rng, 1, 1, 40, 8), normal(rng, 1, 1, 40, 8), normal(rng, 1, 1, 40, 8)
    assert_close([gpu.attention(q, k, v)[0]], [definition("attention")(q, k, v)[0]], 1e-3)
    logits = 1e4 * normal(rng, 3, 40)
    y, backward = gpu.cross_entropy(logits, targets=np.array([1, 2, 39]))
    exact, exact_backward = definition("cross_entropy")(logits, targets=np.array([1, 2, 39]))
    assert_close([y, backward()], [exact, exact_backward()])


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_what_is_no_number_stays_none(machine, rng, spoilt):
    x, g, b = normal(rng, 3, 40), normal(rng, 40), normal(rng, 40)
    x[1, 35] = spoilt
    y, backward = gpu.layer_norm(x, g, b)
    assert np.isnan(y[1]).all() and not np.isnan(y[[0, 2]]).any() and np.isnan(backward(y)[0][1]).all()
    assert np.isnan(gpu.cross_entropy(x, targets=np.array([1, 1, 1]))[0])
    q = normal(rng, 1, 2, 40, 5)
    q[0, 1, 7, 3] = spoilt
    y, backward = gpu.attention(q, q, q, causal=True)
    assert np.isnan(y[0, 1, 7]).all() and not np.isnan(y[0, 0]).any()
    w, dw, m, v = (normal(rng, 40) ** 2 for _ in range(4))
    dw[3] = spoilt
    theirs = [a.copy() for a in (w, m, v)]
    with np.errstate(invalid="ignore"):
        definition("adamw")(theirs[0], dw, *theirs[1:], step=1, rate=0.1)
    assert gpu.adamw(w, dw, m, v, step=1, rate=0.1)
    assert_close([w, m], theirs[:2])
    assert np.array_equal(np.isfinite(v), np.isfinite(theirs[2]))


def test_a_target_outside_the_vocabulary_is_nan_and_reads_nobodys_memory(machine):
    for target in (-1, 7, 2**31 - 1):
        value, _ = gpu.cross_entropy(np.zeros((2, 7), np.float32), targets=np.array([0, target]))
        assert np.isnan(value)


def test_what_a_kernel_does_not_cover_the_definition_answers(machine, rng):
    q, wide = normal(rng, 1, 1, 3, 4), normal(rng, 1, 1, 3, 65)
    x, g = normal(rng, 3, 4), normal(rng, 4)
    p = {"w_up": normal(rng, 4, 5), "w_down": normal(rng, 5, 4)}
    mask = np.ones((3, 3), bool)
    declined = [
        gpu.attention(q, q, q, mask=mask),
        gpu.attention(q, q, q, dropout=0.1, rng=rng),
        gpu.attention(wide, wide, wide),
        gpu.attention(q, q, normal(rng, 1, 1, 3, 5)),
        gpu.attention(q, q.astype(float), q),
        gpu.attention(q, q, q, key_padding_mask=mask),
        gpu.attention(q[:, :, :0], q, q),
        gpu.layer_norm(x, g[:3], g),
        gpu.layer_norm(x[:0], g, g),
        gpu.ffn(x, p, config=Config(activation="relu")),
        gpu.ffn(x, p | {"b_up": g}, config=Config()),
        gpu.linear(x, normal(rng, 3, 4)),
        gpu.linear(x, normal(rng, 4, 4), normal(rng, 3)),
        gpu.embedding(x, ids=np.zeros(2)),
        gpu.cross_entropy(x, targets=np.array([1, 2])),
        gpu.cross_entropy(x, targets=np.array([1, 2, 3]), label_smoothing=2.0),
        gpu.adamw(g, g, g, g, step=0, rate=0.1),
        gpu.adamw(g, g, g, g[:3], step=1, rate=0.1),
    ]
    assert declined == [None] * len(declined)
    assert machine.ran == []
    with pytest.raises(ValueError, match="layer_norm: x has 4 channels"):
        layers.layer_norm(x, g[:3], g)


def test_two_steps_of_training_give_the_weights_of_the_definitions(machine, rng):
    config = Config(vocab_size=11, n_ctx=9, n_layer=2, n_head=2, width=12)
    params = gpt.init(config, rng)
    ids = rng.integers(0, 11, (3, 10))

    def learn():
        optimizer = optim.AdamW(params, decay=0.1, clip=0.5)
        for _ in range(2):
            _, backward = gpt.loss(optimizer.params, ids=ids[:, :-1], targets=ids[:, 1:], config=config)
            optimizer.add(backward())
            optimizer.step(1e-3)
        return optimizer.w

    fast = learn()
    assert {"adamw", "attention_backward_kv", "embedding_backward", "gelu_backward"} <= set(machine.ran)
    with backend.plain():
        exact = learn()
    assert np.abs(fast - exact).max() < 1e-5 and not np.array_equal(fast, exact)


def test_a_function_of_the_learner_is_not_passed_by(machine, rng):
    from minillm.check import using

    calls = []

    def mine(x, g, b, *, eps=1e-5):
        calls.append(1)
        return definition("layer_norm")(x, g, b, eps=eps)

    config = Config(vocab_size=5, n_ctx=3, n_layer=1, n_head=1, width=4)
    with using(layers, layer_norm=mine):
        gpt.gpt(gpt.init(config, rng), ids=np.array([[1, 2]]), config=config)
    assert len(calls) == 3 and machine.ran == []


# Products


def test_a_precision_rounds_what_is_multiplied_and_nothing_that_is_kept(machine, rng):
    x, w = normal(rng, 6, 300), normal(rng, 300, 5)
    errors = []
    for name in gpu.PRECISIONS:
        with gpu.precision(name):
            y, backward = gpu.linear(x, w)
            assert all(a.dtype == np.float32 for a in (y, *backward(y)))
        errors.append(np.abs(y - x.astype(float) @ w).max())
    assert errors[0] < errors[1] / 100 and errors[1] < errors[2] / 4
    assert gpu._precision == "fp32"


def test_there_are_three_precisions():
    with pytest.raises(ValueError, match="precision must be one of fp32, tf32, bf16, but it is 'fp16'"):
        gpu.set_precision("fp16")


# The machine that runs them: it must notice what a GPU would not tell about


WARP = (gpu.FOLDER / "warp.cu").read_text(encoding="utf-8")
RACE = """
extern "C" __global__ void shift(const float* x, float* y, int n)
{
    __shared__ float held[64];
    int i = threadIdx.x;
    if (i < n) held[i] = x[i];
    SYNC
    if (i < n) y[i] = held[(i + 1) % n];
}
"""


def plant(monkeypatch, tmp_path, code):
    """Let gpu.source("planted") be this code."""
    (tmp_path / "warp.cu").write_text(WARP, encoding="utf-8")
    (tmp_path / "planted.cu").write_text(code, encoding="utf-8")
    monkeypatch.setattr(gpu, "FOLDER", tmp_path)


def test_a_missing_barrier_shows(machine, monkeypatch, tmp_path, rng):
    x, y = normal(rng, 64), np.zeros(64, np.float32)
    plant(monkeypatch, tmp_path, RACE.replace("SYNC", "__syncthreads();"))
    machine.launch("planted", "shift", (1,), (64,), (x, y, 64))
    assert np.array_equal(y, np.roll(x, -1))
    plant(monkeypatch, tmp_path, RACE.replace("SYNC", ""))
    machine.launch("planted", "shift", (1,), (64,), (x, y, 64))
    assert np.isnan(y).any()


MISDEEDS = {
    "writes outside of y": "y[n + blockIdx.x] = x[0];",
    "writes outside of y ": "y[-1] = x[0];",
    "changes x": "((float*)x)[0] = 5;",
    "threads wait for each other for ever": "if (threadIdx.x < 7) y[0] = warp_sum(x[0]);",
    "threads wait for each other for ever ": "if (threadIdx.x < 7) warp_sum(x[0]); else __syncthreads();",
}


@pytest.mark.parametrize("words", MISDEEDS)
def test_a_misdeed_is_named(machine, monkeypatch, tmp_path, rng, words):
    body = f'extern "C" __global__ void planted(const float* x, float* y, int n)\n{{\n    {MISDEEDS[words]}\n}}\n'
    plant(monkeypatch, tmp_path, body)
    with pytest.raises(AssertionError, match=words.strip()):
        machine.launch("planted", "planted", (1,), (32,), (normal(rng, 5), normal(rng, 5), 5))


def test_an_argument_of_the_wrong_kind_is_named(machine, rng):
    w = normal(rng, 4)
    numbers = (0.1, 0.1, 1.0, 0.1, 1.0, 1e-8)
    with pytest.raises(AssertionError, match="dw is float64"):
        machine.launch("adamw", "adamw", (1,), (32,), (w, w.astype(float), w, w, np.int64(4), *numbers))
    with pytest.raises(AssertionError, match="n is 4, but the kernel takes long long"):
        machine.launch("adamw", "adamw", (1,), (32,), (w, w, w, w, 4, *numbers))
    with pytest.raises(AssertionError, match="takes 11 arguments, not 10"):
        machine.launch("adamw", "adamw", (1,), (32,), (w, w, w, w, np.int64(4), *numbers[1:]))


def test_every_bug_to_be_planted_still_has_its_place():
    import kernel_faults

    kernel_faults.check_table()


@pytest.mark.slow
def test_every_third_planted_bug_is_noticed():
    """`python tests/kernel_faults.py` plants them all, which takes minutes where they have to be compiled."""
    import kernel_faults

    if not cuda_on_cpu.compiler():
        pytest.skip("this needs g++, on Linux, to compile the kernels for the CPU")
    assert {kernel_faults.wrong(name) for name in {name for *_, name in kernel_faults.FAULTS}} == {""}  # as they are
    assert kernel_faults.plant(range(0, len(kernel_faults.FAULTS), 3)) == 0


# python -m minillm doctor --gpu


def test_without_a_gpu_the_check_is_one_sentence_and_exit_code_2(monkeypatch, capsys):
    monkeypatch.setattr(backend, "gpu_available", lambda: False)
    assert __main__.main(["doctor", "--gpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("Error: no GPU was found") and printed.err.count("\n") == 1


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_check_prints_a_row_for_every_case_and_fails_if_one_is_wrong(machine, monkeypatch, capsys, spoilt):
    few, check = [checks.norm(2, 5), checks.step(9, 0.1), checks.line((2, 3), 4, 5, "bf16")], checks.check
    monkeypatch.setattr(backend, "gpu_available", lambda: True)
    monkeypatch.setattr(checks, "cases", lambda large: few)
    monkeypatch.setattr(checks, "check", lambda case, rng: check(case, rng, copy))
    if spoilt:
        monkeypatch.setattr(gpu, "adamw", lambda w, dw, m, v, **options: m.fill(0) or True)
        monkeypatch.setattr(gpu.adamw, "__signature__", inspect.signature(optim.adamw), raising=False)
    assert __main__.main(["doctor", "--gpu"]) == spoilt
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["ok", "wrong" if spoilt else "ok", "ok"]
    assert "bf16" in lines[3] and "db" in lines[3] and lines[-1].startswith(f"{3 - spoilt} of 3 are right.")


@pytest.mark.parametrize("misdeed", ["declined", "wrote outside", "gave another number the second time"])
def test_the_check_notices_a_kernel_that(machine, monkeypatch, rng, misdeed):
    def wrong(x, g, b, *, eps=1e-5):
        if misdeed == "declined":
            return None
        y = gpu.empty(x.shape, x)
        y[...] = definition("layer_norm")(x, g, b, eps=eps)[0]
        if misdeed == "wrote outside":
            y.base[0] = 1
        else:
            y += len(seen) * 1e-7
            seen.append(1)
        return y, definition("layer_norm")(x, g, b, eps=eps)[1]

    seen = []
    monkeypatch.setattr(gpu, "layer_norm", wrong)
    try:
        assert not checks.check(checks.norm(2, 5), rng, copy).same
    except ValueError as error:
        assert misdeed in str(error)


# On a GPU


@pytest.mark.gpu
@pytest.mark.parametrize("kernel", checks.DEFINITIONS)
def test_on_a_gpu_a_kernel_gives_what_its_definition_gives(device, rng, kernel):
    rows = [checks.check(case, rng) for case in checks.cases(large=True) if case.kernel == kernel]
    assert all(row.ok for row in rows), checks.table(rows)


@pytest.mark.gpu
def test_on_a_gpu_a_precision_rounds_what_is_multiplied(device, rng):
    x, w = normal(rng, 64, 512), normal(rng, 512, 64)
    errors = []
    for name in gpu.PRECISIONS:
        with gpu.precision(name):
            y, _ = gpu.linear(*backend.to_gpu([x, w]))
        errors.append(np.abs(backend.to_cpu(y) - x.astype(float) @ w).max())
    assert errors[0] < errors[1] / 50 and errors[1] < errors[2] / 2


@pytest.mark.gpu
@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_on_a_gpu_a_run_learns_and_can_be_repeated_bit_for_bit(device, tmp_path, precision):
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be, that is the question. " * 400, encoding="utf-8")
    model = {"n_layer": 2, "n_head": 2, "width": 32, "n_ctx": 32}
    plan = recipe.Recipe(text=str(text), model=model, steps=60, warmup=5, rate=1e-2, device="gpu", precision=precision)
    runs = [train.train(plan, folder=tmp_path / name, progress=False) for name in "ab"]
    assert runs[0].validation < 1.5 and runs[0].validation == runs[1].validation
