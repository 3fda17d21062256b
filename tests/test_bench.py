"""The benchmark's own arithmetic, its table and what the README quotes; how long anything takes is never asserted."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "tests" / "bench"
sys.path.insert(1, str(BENCH))

import cases  # noqa: E402
import here  # noqa: E402
import measure  # noqa: E402
import plain_bpe  # noqa: E402
import steps  # noqa: E402
import table  # noqa: E402

from minillm import backend, bpe, counts, tokenizer  # noqa: E402

MACHINE = dict.fromkeys(
    ["numpy", "torch", "transformers", "tokenizers", "tiktoken", "python", "minillm", "blas"], "1.0"
)
MACHINE |= {"date": "2026-01-31", "processor": "Some(R) CPU @ 3.0GHz", "cores": 4, "system": "Linux"}


def row(ratio, part="step", target=">= 1.0", **more):
    mine, theirs = (2.0, None if ratio is None else 2.0 * ratio)
    made = cases.Row(part, "tiny: so and so", 1, "fast", "PyTorch eager", "ms", mine, theirs, ratio, target)
    return made.to_dict() | more


def results(*rows, **more):
    company = {"load before": 0.1, "others": 0.01}
    whole = {"machine": MACHINE, "company": company, "idle": True, "quick": False, "runs": 1, "rows": list(rows)}
    return whole | more


# How it measures


def test_contenders_take_turns_and_each_is_called_equally_often():
    order = []
    measure.in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=0.0, warm_up=1)
    assert "".join(order) == "aa" + "bb" + "ab" * 7


def test_what_comes_before_a_call_is_not_timed_and_comes_before_every_call():
    import time

    order = []
    slow = lambda: (time.sleep(0.02), order.append("before"))
    timing = measure.in_turns({"a": lambda: order.append("call")}, before={"a": slow}, repetitions=3, warm_up=1)
    assert order == ["before", "call"] * 5
    assert all(seconds < 0.02 for seconds in timing.repetitions["a"])


def test_the_ratio_is_above_one_when_ours_is_faster():
    assert measure.Timing({"ours": 2.0, "theirs": 3.0}, {}).ratio("ours", "theirs") == 1.5


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells")
def test_the_peak_counts_what_was_freed_again_and_not_what_was_there_before():
    there = np.ones(2**22)
    highest = measure.Peak()
    passing = np.ones(2**23)  # 64 MiB
    assert there[0] == passing[0]
    del passing
    assert 60 * 2**20 < highest.bytes() < 80 * 2**20


def test_the_flops_of_a_step_leave_out_what_the_causal_mask_hides():
    size = cases.size("tiny")
    whole = sum(counts.flops_per_token(size.config())["total"].values())
    attention = sum(counts.flops_per_token(size.config())["attention"].values())
    seen = sum(t + 1 for t in range(size.n_ctx)) / size.n_ctx**2
    assert steps.flops(size) == pytest.approx(32 * 64 * (whole - (1 - seen) * attention), rel=1e-12)


# Gradients


def gradients(rng):
    return {"a": rng.standard_normal((3, 4)), "b": 1e-9 * rng.standard_normal(5)}


def test_rounding_is_no_difference(rng):
    right = gradients(rng)
    mine = {path: g * (1 + 2e-6) for path, g in right.items()}
    mine["b"] = -mine["b"]  # nothing but rounding, beside the other gradient
    assert steps.first_difference(mine, right) is None


@pytest.mark.parametrize("fault", ["scaled", "nan", "one number", "shape", "missing", "zero"])
def test_a_wrong_gradient_is_named(rng, fault):
    right = gradients(rng)
    mine = copy.deepcopy(right)
    mine["a"] = {
        "scaled": mine["a"] * 1.001,
        "nan": mine["a"] * np.nan,
        "one number": mine["a"] + 0.01 * (np.arange(12) == 7).reshape(3, 4),
        "shape": mine["a"][:2],
        "missing": None,
        "zero": 0 * mine["a"],
    }[fault]
    if fault == "missing":
        del mine["a"]
    assert steps.first_difference(mine, right) == "a"


class Side:
    def __init__(self, gradient):
        self.gradient = gradient

    def backward(self):
        pass

    update = backward

    def gradients(self):
        return {"w": self.gradient}


def test_nothing_is_timed_when_a_gradient_is_wrong():
    good, bad = Side(np.ones(3)), Side(np.array([1.0, 1.0, 1.1]))
    steps.check({"ours": Side(np.ones(3)), "theirs": good}, good)
    with pytest.raises(ValueError, match="nothing is timed: ours and PyTorch disagree about the gradient of w"):
        steps.check({"ours": bad, "theirs": good}, good)


def test_our_step_runs_the_definitions_only_where_it_is_told_to():
    size, seen = cases.Size("small", 1, 8, 2, 4, 2, 11), []
    for mode in (backend.plain, None):
        step = steps.Ours(*steps.batch(size), size=size, **({"mode": mode} if mode else {}))
        original = step.optimizer.add
        step.optimizer.add = lambda *a, _add=original: (seen.append(backend.is_plain()), _add(*a))
        step()
    assert seen == [True, False]


def test_our_step_moves_the_weights_and_leaves_the_given_ones_alone():
    size = cases.Size("small", 1, 8, 2, 4, 2, 11)
    params, ids, targets = steps.batch(size)
    before = params["tokens"].copy()
    step = steps.Ours(params, ids, targets, size=size)
    step()
    assert np.array_equal(params["tokens"], before)
    assert not np.array_equal(step.optimizer.params["tokens"], before)


# The plain peer


def test_plain_python_learns_and_encodes_as_ours_does():
    text = "low low low lower lowest newest newest widest aaa aaaa aaaaa " * 3
    words = [word.encode() for word in bpe.split(text)]
    tok = tokenizer.BPE.train(text, 270)
    assert plain_bpe.train(words, 14) == tok.merges
    assert plain_bpe.encode(words, tok.merges) == tok.encode(text).tolist()


# The table


def test_runs_become_medians_and_the_lowest_and_highest_ratio():
    (one,) = table.collect([[row(1.3, mine=5.0)], [row(0.9, mine=1.0)], [row(1.1, mine=2.0)]])
    assert (one["ratio"], one["low"], one["high"], one["mine"]) == (1.1, 0.9, 1.3, 2.0)
    assert one["met"] == "yes, but not in every run"


def test_runs_that_measured_other_things_are_not_mixed():
    with pytest.raises(ValueError, match="do not compare the same things: .*PyTorch nightly"):
        table.collect([[row(1.0)], [row(1.0, peer="PyTorch nightly")]])


@pytest.mark.parametrize(
    ("ratios", "target", "answer"),
    [
        ([1.0], ">= 1.0", "yes"),
        ([0.99], ">= 1.0", "no"),
        ([0.5], "<= 0.50", "yes"),
        ([0.51], "<= 0.50", "no"),
        ([0.9, 0.95, 1.01], ">= 1.0", "no, but in some runs"),
        ([0.45, 0.55, 0.56], "<= 0.50", "no, but in some runs"),
        ([0.9, 1.2, 1.3], ">= 1.0", "yes, but not in every run"),
        ([0.45, 0.48, 0.51], "<= 0.50", "yes, but not in every run"),
        ([1.0, 1.2, 1.3], ">= 1.0", "yes"),
        ([7.0], "", ""),
        ([None], ">= 1.0", ""),
    ],
)
def test_a_target_is_met_by_the_median(ratios, target, answer):
    (one,) = table.collect([[row(ratio, target=target)] for ratio in ratios])
    assert one["met"] == answer


def test_a_comparison_that_could_not_be_made_says_why_in_the_place_of_the_figure():
    (one,) = table.collect([[row(None, note="no C++ compiler here")]])
    assert table.cells(one)[5:] == ["no C++ compiler here", "", "", "≥ 1.0", ""]


def test_a_row_reads_as_it_was_measured():
    (one,) = table.collect([[row(1.25, mine=2.0, theirs=2.5)], [row(1.25, mine=2.0, theirs=2.5)]])
    assert table.cells(one) == [
        "tiny: so and so", "1", "fast", "PyTorch eager", "2.00 ms", "2.50 ms", "1.25", "1.25 to 1.25", "≥ 1.0", "yes",
    ]  # fmt: skip


def test_every_part_that_is_measured_has_its_section():
    rows = table.collect([[row(1.0, part=part) for part in table.PARTS]])
    text = table.page(results(*rows))
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [title for title, _, _ in table.PARTS.values()]
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {len(table.HEAD) + 1}


def test_a_machine_that_was_busy_and_a_quick_run_are_confessed():
    busy = results(idle=False, company={"load before": 3.2, "others": 0.41})
    assert "not idle (load 3.2 before, and other processes took 41 %" in table.page(busy)
    assert "not idle" in table.quote(busy)
    assert "quick run" in table.page(results(quick=True))
    assert "not idle" not in table.page(results()) and "quick run" not in table.page(results())


@pytest.mark.parametrize(
    ("load", "others", "answer"),
    [(0.1, 0.01, True), (0.9, 0.01, False), (0.1, 0.2, False), (None, None, True), (0.1, None, True)],
)
def test_idle_is_a_small_load_before_and_no_company_meanwhile(load, others, answer):
    assert here.idle({"load before": load, "others": others}) is answer


@pytest.mark.parametrize(
    ("processor", "cores", "system", "name"),
    [
        ("AMD EPYC", 2, "Linux", "amd-epyc-2-cores-linux"),
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", 12, "Linux", "intel-core-i7-9750h-12-cores-linux"),
        ("AMD EPYC 7763 64-Core Processor", 4, "Linux", "amd-epyc-7763-4-cores-linux"),
        ("Apple M2", 8, "Darwin", "apple-m2-8-cores-darwin"),
    ],
)
def test_a_machine_has_a_short_name_without_its_host(processor, cores, system, name):
    assert here.slug({"processor": processor, "cores": cores, "system": system}) == name


def test_the_description_of_this_machine_is_complete_and_names_no_host():
    import platform

    machine = here.describe()
    assert machine["cores"] >= 1 and machine["processor"] and set(MACHINE) <= set(machine)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", here.slug(machine))
    assert platform.node() not in machine.values()


# The targets


def test_the_targets_are_those_of_the_design():
    fast = [cases.step_target(size, 1, cases.EAGER) for size in cases.STEPS]
    assert fast == [">= 1.0", ">= 1.0", ">= 1.0", ">= 0.9"]
    assert [cases.step_target(size, 2, cases.EAGER) for size in cases.STEPS] == [">= 1.3", *[">= 1.0"] * 3]
    assert [cases.share_target(size) for size in cases.STEPS] == ["", ">= 0.60", ">= 0.60", ">= 0.70"]


def test_an_unknown_size_is_a_sentence():
    with pytest.raises(ValueError, match="no size 'huge'; there are tiny, small, medium, large"):
        cases.size("huge")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--profile", "huge"], "no size 'huge'"), (["--quote"], "no results of this machine to quote .* run .* first")],
)
def test_what_cannot_be_done_ends_in_one_sentence(tmp_path, words, sentence):
    command = [sys.executable, str(BENCH), "--folder", str(tmp_path), *words]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert answer.returncode == 1 and re.search(sentence, answer.stderr)
    assert "Traceback" not in answer.stderr and answer.stderr.count("\n") == 1


# What is stored, and what the README quotes


def stored():
    """The results of whole runs; those of --quick and --only are nobody's claim."""
    return sorted(path for path in (BENCH / "results").glob("*.json") if not path.stem.endswith(("-quick", "-part")))


@pytest.mark.parametrize("path", stored(), ids=lambda path: path.stem)
def test_a_stored_table_is_what_its_figures_say(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == table.dump(found)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == table.page(found)
    assert path.stem == here.slug(found["machine"])
    assert [one["met"] for one in found["rows"]] == [table.met(one) for one in found["rows"]]


def test_the_readme_quotes_the_stored_figures():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ((name, quoted),) = table.QUOTED.findall(text)
    if name:
        found = json.loads((ROOT / name).read_text(encoding="utf-8"))
        assert table.requote(text, Path(name).stem, found) == text
    else:
        assert quoted == ""


def test_quoting_again_replaces_the_table_and_touches_nothing_else():
    rows = table.collect([[row(1.2), row(0.8, part="faults", target="")]])
    empty = "before\n<!-- no table yet -->\n<!-- end of the table -->\nafter\n"
    old = "before\n<!-- from tests/bench/results/x.json -->\nold\n<!-- end of the table -->\nafter\n"
    text = table.requote(empty, "new", results(*rows))
    assert table.requote(old, "new", results(*rows)) == text
    assert text.startswith("before\n<!-- from tests/bench/results/new.json -->\n|") and text.endswith("-->\nafter\n")
    assert "old" not in text and "| step, tiny | 1 | fast | PyTorch eager | 1.20 | 1.20 to 1.20 | ≥ 1.0 | yes |" in text
    assert "faults" not in text  # no target, so it is not quoted
    assert table.requote(text, "new", results(*rows)) == text
    with pytest.raises(ValueError, match="one pair of markers"):
        table.requote("no markers", "new", results(*rows))


# The whole, beside PyTorch


@pytest.mark.parity
@pytest.mark.slow
def test_a_quick_run_of_the_smallest_case_compares_measures_and_writes(tmp_path):
    for package in ("torch", "transformers", "tokenizers", "tiktoken"):
        pytest.importorskip(package)
    command = [sys.executable, str(BENCH), "--quick", "--runs", "1", "--folder", str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (path,) = tmp_path.glob("*.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["quick"] and path.stem.endswith("-quick")
    assert {one["part"] for one in found["rows"]} == set(table.PARTS)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == table.page(found)
    assert table.page(found) in answer.stdout


@pytest.mark.parity
def test_pytorch_has_our_gradients_and_a_planted_wrong_one_stops_the_benchmark(monkeypatch):
    pytest.importorskip("torch")
    size = cases.Size("small", 2, 8, 2, 5, 3, 11)
    reference, ours = steps.theirs(size), steps.Ours(*steps.batch(size), size=size)
    steps.check({"ours": ours, "theirs": reference}, reference)
    steps.check({"ours": ours, "theirs": reference}, reference)  # after a step, too
    add = ours.optimizer.add

    def wrong(grads, weight=1.0):
        grads["blocks"][1]["ffn"]["w_down"] = grads["blocks"][1]["ffn"]["w_down"] * 1.01
        add(grads, weight)

    monkeypatch.setattr(ours.optimizer, "add", wrong)
    with pytest.raises(ValueError, match="nothing is timed: .* the gradient of blocks.1.ffn.w_down"):
        steps.check({"ours": ours, "theirs": reference}, reference)


@pytest.mark.parity
def test_three_writers_with_a_cache_write_the_same_tokens():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import generation
    import peers

    from minillm import gpt, sample

    config = cases.Size("small", 2, 8, 2, 40, 1, 70).config()
    rng = np.random.default_rng(1)
    params = gpt.init(config, rng)
    params["positions"] *= 50  # so that every position writes something else
    options = {"config": config, "rng": rng, "max_tokens": 30, "temperature": 0}
    ours = list(sample.generate(params, generation.PROMPT, **options))
    assert len(set(ours)) > 5
    assert peers.write(peers.copy_of(params, config), generation.PROMPT, 30) == ours
    assert peers.hugging_face_write(peers.hugging_face(params, config), generation.PROMPT, 30) == ours
