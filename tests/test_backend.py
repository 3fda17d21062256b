"""Which version of a function runs: the fast one for float32, the definition for the rest and under plain()."""

import functools
import inspect
import textwrap

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_gpt import tiny_config

from minillm import backend, gpt, layers, plots, report, train
from minillm.backend import plain
from minillm.check import using
from minillm.kernels import cpu
from minillm.recipe import Recipe

NAMES = {"layer_norm": layers, "rotary": layers, "attention": layers, "cross_entropy": layers, "ffn": gpt}


@pytest.fixture
def asked(monkeypatch):
    """How often each fast version was asked."""
    asked = dict.fromkeys(NAMES, 0)

    def counting(name, f):
        def mine(*arrays, **options):
            asked[name] += 1
            return f(*arrays, **options)

        return mine

    for name in NAMES:
        monkeypatch.setattr(cpu, name, counting(name, getattr(cpu, name)))
    return asked


def call(name, dtype=np.float32):
    """One call of the public function; returns its result."""
    x = np.linspace(-1, 1, 48, dtype=dtype).reshape(1, 2, 4, 6)
    if name == "layer_norm":
        return layers.layer_norm(x, x[0, 0, 0], x[0, 0, 1], eps=0.1)[0]
    if name == "attention":
        return layers.attention(x, x, x, causal=True)[0]
    if name == "rotary":
        return layers.rotary(x, positions=np.arange(4))[0]
    if name == "cross_entropy":
        return layers.cross_entropy(x, targets=np.ones((1, 2, 4), int))[0]
    config = tiny_config(width=6, n_head=1, ffn_width=4, bias=False)
    return gpt.ffn(x[0], {"w_up": x[0, 0].T, "w_down": x[0, 0]}, config=config)[0]


def model_step(**changes):
    """One loss of a tiny float32 model with its gradient: (its config, the loss)."""
    config, rng = tiny_config(**changes), np.random.default_rng(0)
    ids, targets = rng.integers(0, 11, (2, 2, 6))
    value, backward = gpt.loss(gpt.init(config, rng), ids=ids, targets=targets, config=config)
    backward()
    return config, value


EVERY_NAME = pytest.mark.parametrize("name", NAMES)


@EVERY_NAME
def test_float32_asks_the_fast_version(name, asked):
    call(name)
    assert asked == dict.fromkeys(NAMES, 0) | {name: 1}


@EVERY_NAME
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.longdouble])
def test_another_precision_does_not(name, dtype, asked):
    call(name, dtype)
    assert asked == dict.fromkeys(NAMES, 0)


@EVERY_NAME
def test_plain_does_not_and_it_may_be_nested(name, asked):
    with plain():
        call(name)
        with plain():
            call(name)
        call(name)  # the outer one is still open
        assert backend.is_plain() and asked[name] == 0
    assert not backend.is_plain()
    call(name)
    assert asked[name] == 1


def test_plain_ends_with_an_error_too(asked):
    with pytest.raises(RuntimeError), plain(), plain():
        raise RuntimeError
    with pytest.raises(RuntimeError), using(layers, relu=len):
        raise RuntimeError
    with pytest.raises(ValueError), using(layers, no_such_layer=len):
        pass
    assert not backend.is_plain()
    call("layer_norm")
    assert asked["layer_norm"] == 1


@EVERY_NAME
def test_where_the_fast_version_declines_or_is_not_there_the_definition_answers(name, monkeypatch):
    with plain():
        expected = call(name)
    monkeypatch.setattr(cpu, name, lambda *arrays, **options: None)
    assert (call(name) == expected).all()
    monkeypatch.delattr(cpu, name)
    assert (call(name) == expected).all()


@EVERY_NAME
def test_what_the_fast_version_gives_is_the_answer_and_it_is_given_every_option(name, monkeypatch):
    given, answer = {}, object()
    monkeypatch.setattr(cpu, name, lambda *arrays, **options: given.update(options) or (answer, None))
    assert call(name) is answer
    wanted = {"layer_norm": "eps", "attention": "causal", "cross_entropy": "targets", "ffn": "config"}
    assert set(given) == {wanted.get(name, "positions")}


@EVERY_NAME
def test_the_public_function_looks_like_its_definition(name):
    public = getattr(NAMES[name], name)
    body = public.__wrapped__
    assert (public.__name__, public.__doc__) == (name, body.__doc__) and body.__doc__
    assert inspect.signature(public) == inspect.signature(body)
    assert inspect.getsource(public).startswith(f"@fused\ndef {name}(")


def test_arrays_may_be_given_by_name_and_the_definition_answers(asked):
    x, g, b = np.ones((2, 3), np.float32), *np.ones((2, 3), np.float32)
    assert (layers.layer_norm(x=x, g=g, b=b)[0] == 1).all() and asked["layer_norm"] == 0
    with pytest.raises(TypeError, match="missing 3 required positional arguments: 'x', 'g', and 'b'"):
        layers.layer_norm()


def test_a_training_step_asks_each_as_often_as_the_model_has_it_and_is_never_declined(monkeypatch):
    answered = dict.fromkeys(NAMES, 0)

    def counting(name, f):
        def mine(*arrays, **options):
            answer = f(*arrays, **options)
            answered[name] += answer is not None
            return answer

        return mine

    for name in NAMES:
        monkeypatch.setattr(cpu, name, counting(name, getattr(cpu, name)))
    config, _ = model_step(n_layer=3, positions="rotary")
    assert answered == {"layer_norm": 7, "rotary": 6, "attention": 3, "cross_entropy": 1, "ffn": 3}


# A learner's own function


def counted(name, module=layers):
    """A function of the learner's, which does what the definition does and counts its calls."""
    f = getattr(module, name)

    @functools.wraps(f)
    def mine(*arrays, **options):
        mine.calls += 1
        return f(*arrays, **options)

    mine.calls = 0
    return mine


EXPECTED = {"linear": 13, "embedding": 2, "layer_norm": 5, "gelu": 2, "softmax": 2, "attention": 2, "dropout": 7,
            "cross_entropy": 1}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_learners_function_is_called_as_often_as_the_model_has_it_and_nothing_fast_runs(name, asked):
    mine = counted(name)
    with using(layers, **{name: mine}):
        model_step()
        assert backend.is_plain()
    assert mine.calls == EXPECTED[name] and asked == dict.fromkeys(NAMES, 0)
    model_step(positions="rotary")
    assert mine.calls == EXPECTED[name] and min(asked.values()) > 0  # put back, and fast again


def test_a_learners_ffn_runs_inside_the_model(asked):
    mine = counted("ffn", gpt)
    with using(gpt, ffn=mine):
        model_step(n_layer=3)
    assert mine.calls == 3 and asked == dict.fromkeys(NAMES, 0)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A training of a few seconds, with dropout, evaluations, a sample and a report."""
    monkeypatch.setattr(plots, "training", lambda log, ladder: Figure())
    monkeypatch.setattr(report, "SAMPLE_LENGTH", 20)
    words = np.random.default_rng(0).choice("the of and to in that it is was he for on".split(), 2000)
    (tmp_path / "text.txt").write_text(textwrap.fill(" ".join(words), 60) + "\n", encoding="utf-8")
    model = {"n_layer": 2, "n_head": 2, "width": 8, "n_ctx": 16, "dropout": 0.1}
    return Recipe(
        name="tiny", text=str(tmp_path / "text.txt"), model=model, steps=4, batch_size=3, warmup=2, rate=0.01,
        evaluate_every=2, evaluate_tokens=64, log_every=2, checkpoint_every=2, threads=1, prompt="the ",
    )  # fmt: skip


@pytest.fixture
def passes(monkeypatch):
    """How often the whole model ran."""
    model = counted("gpt", gpt)
    monkeypatch.setattr(gpt, "gpt", model)
    return model


def test_during_a_whole_training_a_learners_layer_norm_is_called_for_every_layer_norm(recipe, tmp_path, passes, asked):
    mine = counted("layer_norm")
    with using(layers, layer_norm=mine):
        train.train(recipe, folder=tmp_path / "run", progress=False)
    assert passes.calls >= 4 and mine.calls == passes.calls * (2 * 2 + 1)
    assert asked == dict.fromkeys(NAMES, 0)


def test_a_whole_training_asks_for_the_fast_versions(recipe, tmp_path, passes, asked):
    train.train(recipe, folder=tmp_path / "run", progress=False)
    learning = {"layer_norm": 4 * 5, "attention": 4 * 2, "ffn": 4 * 2, "cross_entropy": 4}  # in four steps alone
    assert passes.calls >= 4 and all(asked[name] >= n for name, n in learning.items())
