"""__main__.py: what people type, and what they get when they mistype it."""

import argparse
import io
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minillm import __main__ as cli
from minillm import bank, checkpoints, doctor, gpt, grading, recipe, sample, tokenizer, train
from minillm.grader import headless, selftest

ALPHABET = "\n abcdefghij.R汉"


def save(folder, *, prompt="a b", alphabet=ALPHABET, step=70, n_ctx=16, seed=0, **meta):
    """A run's folder with one tiny, untrained model, as train.py leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = gpt.Config(vocab_size=len(alphabet), n_ctx=n_ctx, n_layer=1, n_head=2, width=8)
    params = gpt.init(config, np.random.default_rng(seed))
    params["tokens"] *= 30
    plan = recipe.Recipe(name=folder.name, prompt=prompt, steps=100).to_dict()
    described = dict.fromkeys(checkpoints.META) | {"step": step, "recipe": plan, "config": config.to_dict()}
    described["tokenizer"] = tokenizer.Characters(alphabet).to_dict()
    checkpoints.Checkpoints(folder).save({"params": params, "m": np.zeros(1), "v": np.zeros(1)}, described | meta)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here):
    """A folder to stand in, with one run in runs/."""
    return save(here / "runs" / "tiny")


def said(capsys, *words):
    """The exit code, standard output and standard error of one command."""
    code = cli.main([str(word) for word in words])
    return code, *capsys.readouterr()


def command(*words, **options):
    """The same in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "PYTHONIOENCODING": ""}
    environment.pop("PYTHONUNBUFFERED", None)
    environment |= options.pop("env", {})
    words = [sys.executable, "-m", "minillm", *map(str, words)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options)


# --- help


def test_without_words_it_helps_with_examples(capsys):
    code, out, err = said(capsys)
    assert (code, err) == (0, "")
    assert cli.EXAMPLES in out
    assert said(capsys, "help")[:2] == (0, out) == said(capsys, "--help")[:2]


def test_every_example_in_the_help_is_understood():
    top, _ = cli.parser()
    examples = [shlex.split(line.partition("   ")[0]) for line in map(str.strip, cli.EXAMPLES.splitlines())]
    assert len(examples) == 8
    for words in examples:
        assert words[:3] == ["python", "-m", "minillm"]
        assert isinstance(top.parse_args(words[3:]), argparse.Namespace)
    assert recipe.find("shakespeare").exists()


def test_the_help_of_a_command_lists_its_options(capsys):
    assert "--top-p" in said(capsys, "write", "--help")[1]
    assert "--resume" in said(capsys, "train", "-h")[1]
    assert re.fullmatch(r"minillm \d+\.\d+\.\d+\n", said(capsys, "--version")[1])


def test_help_does_not_wait_for_numpy():
    code = (
        "import sys; from minillm.__main__ import main; assert main(['--help']) == 0;"
        "slow = {'numpy', 'yaml', 'scipy', 'matplotlib', 'tqdm'} & sys.modules.keys(); assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# --- what is mistyped


@pytest.mark.parametrize(
    "words, sentence",
    [
        ("trian shakespeare", "there is no command 'trian'; did you mean train?"),
        ("docter", "did you mean doctor?"),
        ("quux", "there is no command 'quux'; there are doctor, train, write, grade, ladder, fit, predict, score."),
        ("write --temprature 0.8", "write does not know '--temprature'; did you mean --temperature?"),
        ("write --temprature=0.8", "did you mean --temperature?"),
        ("train pydocs --resum", "did you mean --resume?"),
        ("write extra", "write does not know 'extra'"),
        ("--quick", "minillm does not know '--quick'"),
        ("train", "required: NAME"),
        ("write --length many", "--length: invalid int value: 'many'"),
        ("train pydocs --device tpu", "--device: invalid choice: 'tpu'"),
        ("train shakespear", "no recipe is called 'shakespear'; did you mean shakespeare?"),
        ("train pydocs --set stepz=5", "no key 'stepz'; did you mean steps?"),
        ("train pydocs --set steps", "key=value"),
        ("train none.yaml", "there is no file none.yaml"),
        ("write --temperature -1", "temperature is -1.0"),
        ("write --top-k 0", "top_k is 0"),
        ("write --top-p 1.5", "top_p is 1.5"),
        ("write --penalty 0", "penalty is 0"),
        ("write --length 0", "max_tokens is 0"),
        ("write --seed -3", "--seed is -3"),
        ("write --prompt ''", "the prompt is empty"),
        ("write --stop ''", "stop string is empty"),
        ("write --prompt aß", "the character 'ß' (U+00DF) at position 1"),
        ("write --model nowhere", "there is no checkpoint nowhere"),
        ("grade", "grade needs the PATH of a notebook, a .py file or a folder, or --self-test."),
        ("grade a.ipynb --self-test", "--self-test looks at no file; leave a.ipynb out."),
        ("grade nowhere.ipynb", "there is no file nowhere.ipynb."),
        ("grade runs", "there is no notebook in the folder runs."),
        ("grade runs/tiny/last.npz", "last.npz is neither a notebook (.ipynb) nor a Python file (.py)."),
        ("grade runs --timeout 0", "--timeout is 0, but must be a positive number of seconds."),
        ("grade runs --timeout nan", "--timeout is nan, but must be a positive number of seconds."),
        ("grade runs --timeout soon", "--timeout: invalid float value: 'soon'"),
        ("grade runs --seed -1", "--seed is -1"),
        ("grade runs --jobs 0", "--jobs is 0, but must be 1 or more."),
        ("grade runs --checks runs", "--checks is runs, which is a folder; give the file that holds your checks."),
        ("grade runs --checks mine.py", "--checks is mine.py, which is not there"),
        ("grade runs --exercise 06_layernorm", "there is no exercise '06_layernorm'; did you mean 06_layer_norm?"),
        ("grade runs --exercise x", "there is no exercise 'x'; there are "),
        ("grade runs --clas", "did you mean --class?"),
    ],
)
def test_a_mistake_gets_one_sentence_and_exit_code_2(run, capsys, words, sentence):
    code, out, err = said(capsys, *shlex.split(words))
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.startswith("Error: ") and err.endswith("\n") and err.count("\n") == 1
    assert sorted(path.name for path in run.parent.parent.iterdir()) == ["runs"]  # nothing was started


def test_without_a_model_it_says_how_to_get_one(here, capsys):
    code, out, err = said(capsys, "write")
    assert (code, out) == (2, "") and "no trained model in runs yet" in err and "train shakespeare" in err
    (here / "runs" / "just-begun").mkdir(parents=True)
    assert said(capsys, "write") == (code, out, err)


def test_a_checkpoint_that_is_cut_short_or_newer_or_something_else_gets_a_sentence(run, capsys):
    data = (run / "last.npz").read_bytes()
    (run / "last.npz").write_bytes(data[: len(data) // 2])
    code, out, err = said(capsys, "write")
    assert (code, out) == (2, "") and "last.npz" in err and "cut short" in err and err.count("\n") == 1
    save(run.parent / "later", version=99)
    code, out, err = said(capsys, "write", "--model", "later")
    assert (code, out) == (2, "") and "newer minillm" in err
    (run.parent / "notes.txt").write_text("not a model", encoding="utf-8")
    code, out, err = said(capsys, "write", "--model", run.parent / "notes.txt")
    assert (code, out) == (2, "") and "notes.txt" in err


@pytest.mark.parametrize(
    "error, sentence",
    [
        (PermissionError(13, "Permission denied", "runs/x"), "Error: runs/x: Permission denied.\n"),
        (OSError(28, "No space left on device"), "Error: No space left on device.\n"),
        (OSError("the disk is full; make room."), "Error: the disk is full; make room.\n"),
        (ModuleNotFoundError("No module named 'yaml'", name="yaml"), "Error: the package yaml is missing; python -m "),
        (MemoryError(), "Error: the memory is not enough; "),
    ],
)
def test_what_the_system_refuses_is_a_sentence_too(run, monkeypatch, capsys, error, sentence):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(train, "train", fail)
    code, out, err = said(capsys, "train", "pydocs")
    assert (code, out) == (2, "") and err.startswith(sentence)


def test_a_mistake_of_ours_is_not_hidden(run, monkeypatch):
    monkeypatch.setattr(train, "train", lambda *arguments, **options: {}["bug"])
    with pytest.raises(KeyError):
        cli.main(["train", "pydocs"])


# --- write


def expected(run, prompt, seed, n=500, **options):
    params, config, characters, _ = checkpoints.load_model(run)
    options = {"temperature": 0.8} | options
    rng = np.random.default_rng(seed)
    return prompt + "".join(
        sample.write(params, prompt, tokenizer=characters, config=config, rng=rng, max_tokens=n, **options)
    )


def test_the_text_goes_to_standard_output_and_all_else_to_standard_error(run, capsys):
    code, out, err = said(capsys, "write", "--prompt", "abc", "--seed", 4)
    assert code == 0
    assert out.rstrip("\n") == expected(run, "abc", 4).rstrip("\n") and out.endswith("\n")
    assert f"The model in {run.relative_to(run.parents[1])} (step 70 of 100, not finished) writes, with seed 4." in err


@pytest.mark.parametrize("pieces, out", [(["b", "c"], "abc\n"), (["b\n"], "ab\n"), ([], "a\n")])
def test_the_text_ends_with_one_new_line(run, monkeypatch, capsys, pieces, out):
    monkeypatch.setattr(sample, "write", lambda *arguments, **options: iter(pieces))
    assert said(capsys, "write", "--prompt", "a")[1] == out


def test_every_option_reaches_the_sampler(run, capsys):
    plain = expected(run, "abc", 1, 60)
    words = {"temperature": 1.3, "top_k": 3, "top_p": 0.5, "penalty": 1.5, "stop": plain[20:22]}
    for name, value in words.items():
        option = [f"--{name.replace('_', '-')}", value]
        out = said(capsys, "write", "--prompt", "abc", "--seed", 1, "--length", 60, *option)[1]
        assert out.rstrip("\n") == expected(run, "abc", 1, 60, **{name: value}).rstrip("\n") != plain.rstrip("\n")
    both = said(capsys, "write", "--prompt", "abc", "--seed", 1, "--length", 60, "--stop", "RRRRR", plain[20:22])[1]
    assert both == out


def test_without_a_seed_each_text_is_new_and_its_seed_is_told(run, capsys):
    first, second = said(capsys, "write"), said(capsys, "write")
    assert first[1] != second[1]
    seed = re.search(r"seed (\d+)", first[2])[1]
    assert said(capsys, "write", "--seed", seed)[1] == first[1]


def test_the_newest_run_writes_unless_another_is_named(run, capsys):
    older, newer = save(run.parent / "a", seed=1, step=100), save(run.parent / "b", seed=2, step=100)
    for age, folder in enumerate((newer, run, older)):
        os.utime(folder / "last.npz", (time.time() - 100 * age,) * 2)
    told = lambda *words: said(capsys, "write", "--seed", 1, *words)[1:]
    assert told()[0].rstrip() == expected(newer, "a b", 1).rstrip()
    assert "b (step 100) writes" in told()[1]
    assert told("--model", "a") == told("--model", older.relative_to(run.parents[1]))
    assert told("--model", "a")[0] == told("--model", older / "last.npz")[0]
    assert told("--model", "a")[0].rstrip() == expected(older, "a b", 1).rstrip()


def test_without_a_prompt_it_begins_as_the_recipe_does_or_with_token_0(here, capsys):
    save(here / "runs" / "known", prompt="R.\n")
    save(here / "runs" / "unknown", prompt="ROMEO.\n")
    assert said(capsys, "write", "--model", "known")[1].startswith("R.\n")
    assert said(capsys, "write", "--model", "unknown", "--seed", 1)[1].startswith(ALPHABET[0])


def test_a_run_whose_prompt_is_empty_begins_with_token_0(run, capsys):
    plan = checkpoints.read(run / "last.npz")[1]["recipe"] | {"prompt": ""}
    save(run, recipe=plan, alphabet="xyz")
    assert said(capsys, "write")[1].startswith("x")


def test_a_damaged_last_checkpoint_is_told_and_the_one_before_writes(run, capsys):
    save(run, step=80)
    (run / "last.npz").write_bytes((run / "last.npz").read_bytes()[:500])
    code, out, err = said(capsys, "write", "--length", 5)
    assert code == 0 and out and "step 70" in err
    assert "last.npz cannot be read" in err and "previous.npz, takes its place" in err


def test_a_new_line_can_be_typed(run, capsys):
    assert said(capsys, "write", "--prompt", r"R.\nab")[1].startswith("R.\nab")
    whole = expected(run, "a", 0)
    assert "\n" in whole
    assert said(capsys, "write", "--prompt", "a", "--seed", 0, "--stop", r"\n")[1] == whole.partition("\n")[0] + "\n"
    assert cli.unescape(r"a\nb\tc\\nd\q") == "a\nb\tc\\nd\\q"


def test_a_prompt_longer_than_the_context_is_continued_and_said_so(run, capsys):
    assert "sees only its end" not in said(capsys, "write", "--prompt", "a" * 16)[2]
    code, out, err = said(capsys, "write", "--prompt", "ab" * 20)
    assert code == 0 and out.startswith("ab" * 20)
    assert "40 tokens" in err and "at most 16" in err and "sees only its end" in err


def test_each_piece_is_shown_before_the_next_is_computed(run, monkeypatch):
    shown, reader = [], io.BytesIO()

    def slowly(*arguments, **options):
        for piece in ("eins ", "zwei ", "drei"):
            yield piece
            shown.append(reader.getvalue().decode())

    monkeypatch.setattr(sample, "write", slowly)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(reader, 8192), encoding="utf-8"))
    assert cli.main(["write", "--prompt", "a"]) == 0
    assert shown == ["aeins ", "aeins zwei ", "aeins zwei drei"]


def test_ctrl_c_while_it_writes_is_quiet(run, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        yield "so far"
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "write", interrupted)
    code, out, err = said(capsys, "write", "--prompt", "a")
    assert (code, out) == (130, "aso far") and err.endswith("Stopped.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console")
def test_a_real_ctrl_c_ends_with_130_and_no_traceback(run):
    # who starts the tests in the background has them ignore Ctrl-C, and their children with them: not this one
    listen = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    process = command("write", "--length", 10**8, preexec_fn=listen)
    process.stdout.read(50)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in err and b"Stopped." in err


@pytest.mark.parametrize(
    "words, n_read, lines", [("write --length 100000000", 50, 1), ("doctor", 0, 0), ("help", 0, 0)]
)
def test_a_reader_that_goes_away_is_no_error(run, words, n_read, lines):
    process = command(*words.split())
    process.stdout.read(n_read)
    process.stdout.close()
    err = process.stderr.read().decode()
    process.wait(timeout=60)
    process.stderr.close()
    assert process.returncode == cli.BROKEN_PIPE
    assert err.count("\n") == lines and err.startswith("The model in" * lines)


def test_text_comes_out_as_utf8_whatever_the_console_would_have_taken(run):
    process = command("write", "--prompt", "汉汉", "--length", 1, env={"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.decode("utf-8").startswith("汉汉")


# --- train and doctor


def test_train_passes_on_what_was_typed(here, monkeypatch, capsys):
    seen = []

    def pretend(plan, **options):
        seen.append((plan, options))
        return train.Outcome(here / "x y", 7, True)

    monkeypatch.setattr(train, "train", pretend)
    code, out, _ = said(capsys, *"train pydocs --set steps=7 model.width=32 --set seed=3 --resume --folder f".split())
    assert code == 0 and out == f'Let it write: python -m minillm write --model "{here / "x y"}"\n'
    plan, options = seen.pop()
    assert plan == recipe.load("pydocs", ["steps=7", "model.width=32", "seed=3"])
    assert options == {"folder": "f", "resume": True, "fresh": False}
    said(capsys, *"train pydocs --fresh --out g --device gpu".split())
    plan, options = seen.pop()
    assert plan.device == "gpu" and options == {"folder": "g", "resume": False, "fresh": True}
    said(capsys, "train", "pydocs", "--set", "device=gpu")
    assert seen.pop()[0].device == "gpu"


def test_a_run_that_was_stopped_ends_with_130_and_one_that_fails_with_2(here, monkeypatch, capsys):
    monkeypatch.setattr(train, "train", lambda *a, **o: train.Outcome(here, 3, False))
    assert said(capsys, "train", "pydocs")[:2] == (130, "")

    def diverge(*arguments, **options):
        raise train.Diverged("step 3 went wrong.")

    monkeypatch.setattr(train, "train", diverge)
    assert said(capsys, "train", "pydocs") == (2, "", "Error: step 3 went wrong.\n")


def test_train_then_write_from_a_text_of_ones_own(here, capsys):
    (here / "mine.txt").write_text("the cat sat on the mat.\n\n" * 400, encoding="utf-8")
    plan = "text: mine.txt\nsteps: 30\nmodel: {n_layer: 1, n_head: 2, width: 16, n_ctx: 16}\nthreads: 1\n"
    (here / "mine.yaml").write_text(plan + "prompt: the\nrate: 0.02\nwarmup: 5\n", encoding="utf-8")
    code, out, _ = said(capsys, "train", "mine.yaml")
    assert code == 0 and out.splitlines()[-1].startswith("Let it write: python -m minillm write --model ")
    assert (here / "runs" / "mine" / "loss.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = said(capsys, "write", "--length", 20, "--seed", 1)
    assert code == 0 and out.startswith("the") and len(out.rstrip("\n")) <= 23 and "(step 30)" in err
    code, _, err = said(capsys, "train", "mine.yaml")
    assert code == 2 and "--resume" in err and "--fresh" in err


@pytest.mark.filterwarnings("default")
def test_a_warning_is_a_sentence_without_a_line_of_code(here, monkeypatch, capsys):
    import warnings

    def warn(*arguments, **options):
        warnings.warn("the works are not here, so pydocs takes their place.", stacklevel=1)
        return train.Outcome(here, 1, True)

    monkeypatch.setattr(train, "train", warn)
    assert said(capsys, "train", "pydocs")[2] == "Warning: the works are not here, so pydocs takes their place.\n"


def test_doctor_gives_the_exit_code_of_what_it_found(here, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "rows", lambda folder: [doctor.Row("disk", "missing", str(folder))])
    code, out, _ = said(capsys, "doctor", "--folder", "elsewhere")
    assert code == 1 and "elsewhere" in out and "Not ready: disk." in out
    monkeypatch.setattr(doctor, "rows", lambda folder: [doctor.Row("disk", "ok", str(folder))])
    code, out, _ = said(capsys, "doctor")
    assert code == 0 and "runs" in out and out.endswith("Ready.\n")


# --- grade


OWN = "from minillm.layers import layer_norm"
STUB = "def layer_norm(x, g, b, *, eps=1e-5):\n    raise NotImplementedError"
MARKED = "06_layer_norm"


def hand_in(path, *sources):
    """A notebook with these cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"cell_type": "code", "source": source} for source in sources]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


def test_one_file_gets_the_lines_that_grade_prints(here, capsys):
    hand_in(here / "anna.ipynb", "1 / 0", OWN)
    expected = "\n".join(grading.score("layer_norm", gpt.layers.layer_norm, seed=3).lines())
    code, out, err = said(capsys, "grade", "anna.ipynb", "--seed", 3, "--exercise", "layer_norm")
    note = "Note: code cell 1 raised ZeroDivisionError: division by zero, in line 1."
    assert (code, out, err) == (0, f"{expected}\n{note}\n", "")


def test_a_folder_gets_a_table_and_its_mean_and_what_cannot_be_graded_a_sentence(here, capsys):
    hand_in(here / "all" / "anna" / f"{MARKED}.ipynb", OWN)
    hand_in(here / "all" / "ben" / f"{MARKED} (2).ipynb", STUB)
    hand_in(here / "all" / "ben" / ".ipynb_checkpoints" / f"{MARKED}.ipynb", OWN)
    (here / "all" / "broken.ipynb").write_text("{", encoding="utf-8")
    code, out, err = said(capsys, "grade", "all", "nowhere.py", "--exercise", "layer_norm", "--jobs", 2)
    assert (code, err) == (2, "")
    columns = [re.split("  +", line) for line in out.splitlines()]
    folder = os.path.join("all", "")
    assert columns[0] == ["file", "score", "points", "remark"]
    assert columns[1][:3] == [os.path.join("all", "anna", f"{MARKED}.ipynb"), "5", "5"]
    assert columns[2] == [os.path.join("all", "ben", f"{MARKED} (2).ipynb"), "0", "5", "layer_norm y: not written yet"]
    assert columns[3][:3] == [f"{folder}broken.ipynb", "-", "-"] and "its JSON is broken at line 1" in columns[3][3]
    assert columns[4] == ["nowhere.py", "-", "-", "there is no file nowhere.py."]
    assert columns[5:] == [["mean of 2", "2.50", "5.00"]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_the_name_of_a_file_does_nothing_to_the_terminal(here, capsys):
    (here / "\x1b[2J\n.ipynb").write_text("{", encoding="utf-8")
    assert "\x1b" not in said(capsys, "grade", ".")[2]
    (here / "b.ipynb").write_text("{", encoding="utf-8")
    out = said(capsys, "grade", ".")[1]
    assert "\\x1b[2J .ipynb" in out and "\x1b" not in out and out.count("\n") == 3


def test_json_is_one_shape_for_one_file_and_for_many(here, capsys):
    hand_in(here / f"{MARKED}.ipynb", STUB)
    code, out, err = said(capsys, "grade", f"{MARKED}.ipynb", "--json", "--seed", 4)
    found = json.loads(out)
    assert (code, err, [*found]) == (0, "", ["files"])
    (one,) = found["files"]
    asked = {name: exercise for name, exercise in bank.exercises().items() if exercise.notebook == MARKED}
    points = sum(exercise.points for exercise in asked.values())
    assert (one["file"], one["score"], one["points"], one["error"]) == (f"{MARKED}.ipynb", 0, points, None)
    assert [exercise["exercise"] for exercise in one["exercises"]] == [*asked]
    assert one["exercises"][0]["seed"] == 4 and one["exercises"][0]["checks"][0]["status"] == "todo"
    code, out, err = said(capsys, "grade", "nowhere.ipynb", "--json")
    (one,) = json.loads(out)["files"]
    assert (code, one["error"], one["score"]) == (2, "there is no file nowhere.ipynb.", 0)


def test_a_file_belongs_to_the_exercise_of_its_name_or_to_what_it_defines(here, capsys):
    (here / "mine.py").write_text(f"{STUB}\n", encoding="utf-8")
    (here / "other.py").write_text("x = 1\n", encoding="utf-8")
    code, out, _ = said(capsys, "grade", "mine.py", "--json")
    assert code == 0 and [each["exercise"] for each in json.loads(out)["files"][0]["exercises"]] == ["layer_norm"]
    code, out, err = said(capsys, "grade", "other.py")
    assert (code, out) == (2, "") and "answers no exercise that we know" in err and "--exercise" in err
    code, out, err = said(capsys, "grade", "other.py", "--exercise", "layer_norm")
    assert (code, err) == (0, "") and "the file defines no layer_norm" in out


def test_in_class_mode_ours_earns_nothing(here, capsys, monkeypatch):
    hand_in(here / "a.ipynb", OWN)

    def score(*more):
        (one,) = json.loads(said(capsys, "grade", "a.ipynb", "--exercise", "layer_norm", "--json", *more)[1])["files"]
        assert "This is minillm's own layer_norm" in str(one) or "this is minillm's own layer_norm" in str(one)
        return one["score"]

    assert score() == 5
    assert score("--class") == 0
    monkeypatch.setenv("MINILLM_CLASS", "1")
    assert score() == 0


TEACHING = (pathlib.Path(__file__).parent.parent / "exercises" / "TEACHING.md").read_text(encoding="utf-8")


def test_every_command_for_teachers_is_understood():
    top, _ = cli.parser()
    typed = re.findall(r"python -m minillm (grade [^`\n]*)", TEACHING)
    assert len(typed) == 6 and all(top.parse_args(shlex.split(words)).class_mode for words in typed)
    assert top.parse_args(["grade", "x"]).timeout == headless.TIMEOUT == 60 and "A file has 60 seconds" in TEACHING
    options = set(re.findall(r"`(--[a-z]+ \S+)`", TEACHING))
    assert len(options) == 4 and top.parse_args(["grade", "x", *shlex.split(" ".join(options))])


def test_the_check_that_teachers_are_shown_works(here, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", TEACHING, re.DOTALL)
    (here / "checks.py").write_text(example, encoding="utf-8")
    hand_in(here / "a.ipynb", OWN)
    hand_in(here / "b.ipynb", "layer_norm = lambda x, g, b, **o: (x[:, :1], None)")
    words = ["grade", "a.ipynb", "b.ipynb", "--exercise", "layer_norm", "--checks", "checks.py", "--json"]
    right, wrong = (one["exercises"][0]["checks"][-1] for one in json.loads(said(capsys, *words)[1])["files"])
    assert (right["check"], right["got"], right["points"]) == ("long", 2, 2)
    assert (wrong["got"], wrong["message"]) == (0, "y has shape (1, 1, 4)")


CHECKS = """
def check_twice(layer_norm):
    \"\"\"gives the same twice\"\"\"
    import numpy as np
    y, _ = layer_norm(np.ones((1, 3)), np.ones(3), np.zeros(3))
    assert (y == 0).all(), "ones must give zeros"
check_twice.points = 2
def check_never(layer_norm):
    assert False, "nobody passes this"
"""


def test_a_teachers_own_checks_are_rows_beside_ours(here, capsys):
    (here / "checks.py").write_text(CHECKS, encoding="utf-8")
    hand_in(here / "good.ipynb", OWN)
    hand_in(here / "gone.ipynb", "import os", "def layer_norm(*a, **o):\n    os._exit(1)")
    words = ["grade", "good.ipynb", "gone.ipynb", "--exercise", "layer_norm", "--checks", "checks.py", "--json"]
    code, out, _ = said(capsys, *words)
    good, gone = json.loads(out)["files"]
    assert (good["score"], good["points"]) == (7, 8) and (gone["score"], gone["points"]) == (0, 8)
    twice, never = good["exercises"][0]["checks"][-2:]
    assert (twice["check"], twice["got"], twice["message"]) == ("twice", 2, "gives the same twice")
    assert (never["check"], never["got"], never["message"]) == ("never", 0, "nobody passes this")
    assert [row["message"] for row in gone["exercises"][0]["checks"][-2:]] == ["not reached", "not reached"]


def test_the_self_test_is_a_table_or_json(capsys, monkeypatch):
    figures = {"wrong_answers": 38, "named": 37, "accepted": 0, "right_answers": 8, "refused": 1}
    found = {"exercises": {"layer_norm": figures}, "all": figures}
    monkeypatch.setattr(selftest, "self_test", lambda: found)
    assert json.loads(said(capsys, "grade", "--self-test", "--json")[1]) == found
    head, one, total = said(capsys, "grade", "--self-test")[1].splitlines()
    assert head.split() == ["exercise", *figures]
    assert one.split() == ["layer_norm", "38", "37", "0", "8", "1"] and total.split()[0] == "all"
    assert len(head) == len(one) == len(total)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console")
def test_ctrl_c_while_files_are_graded_ends_their_process_too(here):
    for name in "ab":
        hand_in(
            here / f"{name}.ipynb",
            "import os, time",
            "open(os.environ['PIDS'], 'a').write(f'{os.getpid()}\\n')",
            "time.sleep(60)",
        )
    listen = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    words = ["grade", "a.ipynb", "b.ipynb", "--exercise", "layer_norm", "--jobs", "2"]
    process = command(*words, preexec_fn=listen, env={"PIDS": str(here / "pids")})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (
        not (here / "pids").exists() or (here / "pids").read_text("utf-8").count("\n") < 2
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in err and b"Stopped." in err
    pids = [int(pid) for pid in (here / "pids").read_text("utf-8").split()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
