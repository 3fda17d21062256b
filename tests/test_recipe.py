"""Recipes: what they read, and what they say about mistakes."""

import pytest

from minillm import recipe


def write(tmp_path, text, name="mine.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_recipe_on_the_shelf_is_sound():
    assert {"shakespeare", "shakespeare-long", "pydocs"} <= set(recipe.names())
    for name in recipe.names():
        mine = recipe.load(name)
        assert mine.name == name
        assert mine.tokens_per_step() == mine.batch_size * mine.accumulate * mine.model["n_ctx"]


def test_the_recipes_are_as_large_as_the_course_says():
    small, long = recipe.load("shakespeare"), recipe.load("shakespeare-long")
    assert small.tokens_per_step() == 512 and small.tokens_per_step() * small.steps == 4_608_000
    assert (small.model["n_layer"], small.model["width"], small.model["positions"]) == (2, 96, "rotary")
    assert small.betas == [0.9, 0.98] and small.clip == 1.0
    assert long.model["n_layer"] > small.model["n_layer"] and long.model["n_ctx"] > small.model["n_ctx"]


def test_a_file_is_read_and_named_after_itself(tmp_path):
    mine = recipe.load(write(tmp_path, "steps: 7\nmodel:\n  width: 32\n  n_head: 2\n"))
    assert (mine.name, mine.steps, mine.model) == ("mine", 7, {"width": 32, "n_head": 2})
    assert mine.config(50).width == 32 and mine.config(50).vocab_size == 50
    assert recipe.load(write(tmp_path, "# nothing\n")) == recipe.Recipe(name="mine")


def test_single_keys_are_overridden():
    mine = recipe.load("shakespeare", ["steps=12", "model.width=48", "rate=1e-3", "clip=null", "prompt=To be"])
    assert (mine.steps, mine.model["width"], mine.rate, mine.clip, mine.prompt) == (12, 48, 0.001, None, "To be")
    assert mine.model["n_ctx"] == recipe.load("shakespeare").model["n_ctx"]


def test_numbers_are_read_as_people_write_them(tmp_path):
    mine = recipe.load(write(tmp_path, "rate: 1e-3\nsteps: 1e3\nfinal_rate: 0\n"))  # YAML itself reads 1e-3 as a word
    assert (mine.rate, mine.steps, mine.final_rate) == (0.001, 1000, 0.0)
    assert type(mine.steps) is int and type(mine.final_rate) is float


def test_a_recipe_survives_being_a_dict():
    mine = recipe.load("shakespeare", ["model.dropout=0.1"])
    assert recipe.make(mine.to_dict()) == mine


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("stesp=3", r"no key 'stesp'; did you mean steps\?"),
        ("model.widht=3", r"no key 'widht'; did you mean width\?"),
        ("model.vocab_size=3", r"no key 'vocab_size'"),
        ("zzz=3", r"no key 'zzz'; there are accumulate, "),
        ("rate.x=3", "only model has keys of its own"),
        ("steps", "key=value, as in steps=500"),
        ("steps=soon", "steps must be a whole number, but it is 'soon'"),
        ("steps=2.5", "steps must be a whole number, but it is 2.5"),
        ("steps=true", "steps must be a whole number, but it is True"),
        ("steps=0", "steps must be at least 1, but it is 0"),
        ("batch_size=-1", "batch_size must be at least 1, but it is -1"),
        ("rate=0", "rate must be above 0, but it is 0.0"),
        ("rate=.nan", "rate must be a finite number, but it is nan"),
        ("rate=[", "not valid YAML"),
        ("final_rate=1", "final_rate must be at most rate, 0.004, but it is 1.0"),
        ("cooldown=2", "cooldown must be a fraction from 0 to 1, but it is 2.0"),
        ("betas=0.9", "betas must be a list, but it is 0.9"),
        ("betas=[0.9, 1.0]", "betas must be two numbers from 0 to below 1"),
        ("clip=0", "clip must be above 0, or null for no limit, but it is 0.0"),
        ("evaluate_tokens=0", "evaluate_tokens must be at least 1, or null"),
        ("label_smoothing=1", "label_smoothing must be from 0 to below 1"),
        ("schedule=cosinus", "schedule must be one of cosine, linear, constant, but it is 'cosinus'"),
        ("device=tpu", "device must be cpu or gpu, but it is 'tpu'"),
        ("threads=many", "threads must be a number of at least 1, or all, but it is 'many'"),
        ("threads=0", "threads must be a number of at least 1, or all, but it is 0"),
        ("tokenizer=bpe:100", "bpe:N with a vocabulary of N >= 256 tokens, but it is 'bpe:100'"),
        ("name=a/b", "name must be the name of a folder in runs/, .* but it is 'a/b'"),
        (r"name=a\b", r"name must be the name of a folder"),
        ("name=..", r"name must be the name of a folder"),
        ("name=''", r"name must be the name of a folder"),
        ("model={width: 8, width: 16}", "not valid YAML"),
        ("prompt=''", "prompt must be at least one character, but it is ''"),
        ("model=large", "model must be a list of key: value lines, but it is 'large'"),
        ("model.bias=3", "model.bias must be true or false, but it is 3"),
        ("model.width=wide", "model.width must be a whole number, but it is 'wide'"),
        ("model.width=65", "width 65 cannot be shared evenly by n_head 2"),
        ("model.positions=rotory", "positions must be one of learned, rotary, none"),
    ],
)
def test_a_mistake_gets_one_sentence(change, says):
    with pytest.raises(ValueError, match=says) as caught:
        recipe.load("pydocs", [change])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps: 3\nmodel: {width: 3\nrate: 2\n", r"mine.yaml is not valid YAML in line \d"),
        ("steps: 3\n\tx: 4\n", "not valid YAML in line 2"),
        ("steps: 3\nrate: 2\nsteps: 4\n", "not valid YAML in line 3: the key steps is there twice"),
        ("model:\n  width: 8\n  bias: true\n  width: 9\n", "not valid YAML in line 4: the key width is there twice"),
        ("? [a]\n: 1\n", "not valid YAML in line 1"),
        ("- steps\n- rate\n", "is not a recipe"),
        ("just a sentence", "is not a recipe"),
        ("x: !!python/object/apply:os.getcwd []\n", "not valid YAML in line 1"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, text, says):
    with pytest.raises(ValueError, match=says) as caught:
        recipe.load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"text: caf\xe9\n")
    with pytest.raises(ValueError, match="not UTF-8 text: byte 9"):
        recipe.load(path)


def test_a_recipe_that_does_not_exist_is_named_with_the_nearest_that_does(tmp_path):
    with pytest.raises(ValueError, match=r"'shakespear'; did you mean shakespeare\?"):
        recipe.load("shakespear")
    with pytest.raises(ValueError, match="no file .*gone.yaml.*shakespeare"):
        recipe.load(tmp_path / "gone.yaml")


def test_differences_name_the_keys_that_changed():
    one, two = recipe.load("pydocs"), recipe.load("pydocs", ["steps=9", "model.width=32", "model.dropout=0.0"])
    assert recipe.differences(one.to_dict(), one.to_dict()) == {}
    assert recipe.differences(one.to_dict(), two.to_dict()) == {"steps": (1500, 9), "model.width": (64, 32)}


def test_threads_are_a_number_at_last():
    assert recipe.Recipe(threads=3).n_threads() == 3
    assert recipe.Recipe().n_threads() >= 1


@pytest.mark.parametrize("device, precision, words", [
    ("cpu", "tf32", "precision must be fp32 on device cpu, but it is 'tf32'."),
    ("gpu", "fp16", "precision must be one of fp32, tf32, bf16, but it is 'fp16'."),
])  # fmt: skip
def test_a_precision_that_cannot_be_is_refused(device, precision, words):
    with pytest.raises(ValueError, match=words):
        recipe.Recipe(device=device, precision=precision)
    assert recipe.Recipe(device="gpu", precision="bf16").precision == "bf16"
