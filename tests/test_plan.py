"""A plan: its runs, their cost against counts, and what is no plan."""

import json

import pytest

from minillm import counts, plan, rung

TINY = """
languages:
  letters: {kind: markov, n_ctx: 16}
  facts: {kind: facts, vocab_size: 6, keys: 30, n_ctx: 15}
take: [letters]
widths: [8, 16]
tokens: [1280, 2560]
heldout: [{width: 24, tokens: 5120}]
model: {warmup: 4, n_heldout: 8, batch_size: 4}
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_the_rungs_are_widths_times_seeds_times_languages_and_the_widest_come_first(tiny):
    rungs = plan.load(tiny, take=["letters", "facts"], seeds=[0, 7]).rungs()
    assert len({(each.language["kind"], each.width, each.seed) for each in rungs}) == len(rungs) == 8
    assert [each.width for each in rungs] == [16] * 4 + [8] * 4
    assert {(each.language["kind"], each.n_ctx) for each in rungs} == {("markov", 16), ("facts", 15)}
    assert all(each.tokens == (1280, 2560) and each.warmup == 4 and each.batch_size == 4 for each in rungs)
    (held,) = plan.load(tiny).rungs(heldout=True)
    assert (held.width, held.tokens, held.seed) == (24, (5120,), 0)


def test_more_seeds_are_those_of_one_width(tiny):
    rungs = plan.load(tiny, more_seeds={16: [1, 2]}).rungs()
    assert [(each.width, each.seed) for each in rungs] == [(16, 0), (16, 1), (16, 2), (8, 0)]
    assert len(plan.load(tiny, more_seeds={16: [1, 2]}).rungs(heldout=True)) == 1


def test_the_flops_of_a_plan_are_those_of_counts(tiny):
    (each,) = plan.load(tiny, widths=[8]).rungs()
    token = counts.flops_per_token(each.config(16))["total"]
    token = token["forward"] + token["backward"]
    shared, alone = plan.flops([each])
    assert alone == (1280 + 2560) * token
    assert shared == (30 + 5 + 10) * 64 * token  # a trunk of 30 steps, branches of a quarter of 20 and of 40
    runs = list(rung.train(each))
    assert sum(run["C"] for run in runs) == alone
    assert plan.flops([each, each]) == (2 * shared, 2 * alone)


def test_a_plan_says_what_it_will_cost_before_it_starts(tiny):
    chosen = plan.load(tiny, take=["letters", "facts"])
    rungs = chosen.rungs()
    words = plan.describe(chosen, rungs, jobs=2)
    shared, alone = plan.flops(rungs)
    assert "tiny: 8 runs; 4 trunks" in words and f"{shared:.2e} FLOPs; {alone:.2e} if" in words
    assert "lowest loss 2.0227 nats" in words.replace(f"{plan.source_of(rungs[0]).floor(16):.4f}", "2.0227")
    assert "width   8  N =   1,616  D = 1,280, 2,560  seed 0" in words
    assert "minutes; processes: 2" in words
    words = plan.describe(chosen, rungs, jobs=2, left=rungs[:1])
    assert "6 of the 8 runs are there already" in words and "processes: 1" in words
    words = plan.describe(chosen, rungs, jobs=2, left=[])
    assert "8 of the 8 runs are there already" in words and "minutes" not in words


def test_the_minutes_are_those_that_training_takes(tiny):
    rungs = plan.load(tiny, tokens=[12_800]).rungs()
    expected = 60 * plan.minutes(rungs)
    seconds = sum(run["seconds"] for each in rungs for run in rung.train(each))
    assert 0.3 < expected / seconds < 3


@pytest.mark.parametrize("name", ["quick", "full", "shakespeare"])
def test_the_plans_on_the_shelf_can_be_loaded(name):
    chosen = plan.load(name)
    assert chosen.name == name and json.dumps(chosen.registered)
    fitted = [counts.count_by_convention(each.config(64))["N"] * each.tokens[-1] for each in chosen.rungs()]
    (held, *_) = chosen.rungs(heldout=True)
    assert counts.count_by_convention(held.config(64))["N"] * held.tokens[0] > 3 * max(fitted)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"take": ["klingon"]}, "has no language 'klingon'; there are facts, letters"),
        ({"take": ["fact"]}, "did you mean facts"),
        ({"seeds": []}, "needs seeds, each once"),
        ({"widths": [8, 8]}, "needs widths, each once"),
        ({"widths": [12]}, "width 12 is no multiple of 8"),
        ({"tokens": [64]}, "64 tokens are 1 steps"),
    ],
)
def test_a_plan_that_cannot_be_gets_a_sentence(tiny, change, message):
    with pytest.raises(ValueError, match=message):
        plan.load(tiny, **change).rungs()


@pytest.mark.parametrize(
    "text, message", [("width: 3", "no key 'width'; did you mean widths"), ("widths: [8]", "lacks languages")]
)
def test_what_is_no_plan_gets_a_sentence(tmp_path, text, message):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        plan.load(path)
    with pytest.raises(ValueError, match="no ladder is called 'quik'; did you mean quick"):
        plan.load("quik")


def test_the_model_of_a_plan_holds_numbers_and_known_names(tiny):
    text = tiny.read_text(encoding="utf-8")
    tiny.write_text(text.replace("warmup: 4", "warmup: 4, rate: 3e-3"), encoding="utf-8")  # a word, YAML says
    assert plan.load(tiny).rungs()[0].rate == 3e-3
    for wrong, says in {
        "rate: fast": "model.rate must be a number, but it is 'fast'",
        "warmup: 1.5": "model.warmup must be a whole number, but it is 1.5",
        "warm_up: 4": "the model of a plan has no 'warm_up'; did you mean warmup?",
    }.items():
        tiny.write_text(text.replace("warmup: 4", wrong), encoding="utf-8")
        with pytest.raises(ValueError, match=says):
            plan.load(tiny)
