"""GPT-2's published weights: read from a safetensors file, and poured into our parameters."""

import json
import math
import pathlib

import numpy as np

from . import download
from .config import Config
from .tokenizer import BPE

FILES = ("config.json", "model.safetensors", "merges.txt")
# GPT-2 small as Hugging Face keeps it, at one commit: for each file its size in bytes and its SHA-256.
HOME = "https://huggingface.co/openai-community/gpt2/resolve/607a30d783dfa663caf39e06633721c8d4cfcd7e"
GPT2 = {
    "config.json": (665, "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4"),
    "model.safetensors": (548_105_171, "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"),
    "merges.txt": (456_318, "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"),
}
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "u1"}
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu", "relu": "relu"}
# What else a config.json of GPT-2 may ask for, and the only value that our model has.
FIXED = {
    "model_type": "gpt2",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}


def gpt2(dtype=np.float32):
    """GPT-2 small, as load() gives it: 549 MB that are downloaded once, checked, and kept in the cache.

    OSError if there is no network, and download.WrongHash if what comes is not what was published.
    """
    return read(*(download.fetch(f"{HOME}/{name}", GPT2[name][1], name=f"gpt2-{name}") for name in FILES), dtype)


def load(folder, dtype=np.float32):
    """The parameters, Config and tokenizer of a GPT-2 in a folder: config.json, model.safetensors and merges.txt.

    FileNotFoundError if one of the three is missing.  ValueError, in one sentence, if a file is damaged, if it
    describes another architecture, or if they do not fit together.
    """
    paths = [pathlib.Path(folder) / name for name in FILES]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path.name} in {folder}; a GPT-2 is the files {', '.join(FILES)}.")
    return read(*paths, dtype)


def read(description, weights, merges, dtype=np.float32):
    """As load(), for three files that may lie anywhere."""
    try:
        description = json.loads(pathlib.Path(description).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{description} is no JSON ({error}); download it again.") from error
    config = config_of(description)
    params = pour(read_safetensors(weights), config, dtype)
    with open(merges, encoding="utf-8") as lines:
        tok = BPE.from_merges(lines, special=("<|endoftext|>",))
    if tok.vocab_size != config.vocab_size:
        raise ValueError(
            f"{pathlib.Path(merges).name} makes a vocabulary of {tok.vocab_size} tokens, but the model has "
            f"{config.vocab_size}; do both files belong to one model?"
        )
    return params, config, tok


def config_of(description):
    """The Config of what a config.json of GPT-2 says, a dict.  ValueError, in one sentence, for another architecture.

    Dropout is left at 0: what is read is there to be used, and a notebook that trains it says how much it wants.
    """
    if not isinstance(description, dict):
        raise ValueError(f"a config.json holds keys and values, but this one holds {type(description).__name__}.")
    for key, ours in FIXED.items():
        theirs = description.get(key, ours if key != "model_type" else None)
        if theirs != ours:
            raise ValueError(f"this is no GPT-2 that we can read: its {key} is {theirs!r}, and we have {ours!r} only.")
    activation = description.get("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise ValueError(f"the activation function {activation!r} is not one that we have: {', '.join(ACTIVATIONS)}.")
    keys = ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd")
    missing = [key for key in keys if key not in description]
    if missing:
        raise ValueError(f"the config.json has no {missing[0]}, without which nobody knows the model's size.")
    vocab_size, n_ctx, n_layer, n_head, width = (description[key] for key in keys)
    return Config(
        vocab_size=vocab_size,
        n_ctx=n_ctx,
        n_layer=n_layer,
        n_head=n_head,
        width=width,
        ffn_width=description.get("n_inner"),
        tied=description.get("tie_word_embeddings", True),
        activation=ACTIVATIONS[activation],
        eps=description.get("layer_norm_epsilon", 1e-5),
    )


def read_safetensors(path):
    """{name: array} of a safetensors file, in the file's order.  The numbers are read from it when they are used.

    The file is the length of a header (8 bytes, little endian), the header in JSON, which says of each tensor what its
    dtype and shape are and from which byte to which it lies, and the numbers.  bfloat16 comes as float32.  ValueError,
    in one sentence, if it is cut short or is something else.
    """
    path = pathlib.Path(path)
    size = path.stat().st_size
    if size < 8:
        raise ValueError(f"{path.name} has {size} bytes, too few for a safetensors file; download it again.")
    raw = np.memmap(path, np.uint8, "r")
    start = 8 + int(raw[:8].view("<u8")[0])
    if start > size:
        raise ValueError(f"{path.name} is cut short, or no safetensors file: its header would end at byte {start:,}, "
                         f"but it has {size:,}.")  # fmt: skip
    try:
        header = dict(json.loads(raw[8:start].tobytes()))
        header.pop("__metadata__", None)
        ends = [start + int(entry["data_offsets"][1]) for entry in header.values()]
        if size < max(ends, default=start):
            raise Short(f"{path.name} is cut short: it has {size:,} bytes, but its header speaks of {max(ends):,}; "
                        "download it again.")  # fmt: skip
        return {name: tensor(name, entry, raw[start:]) for name, entry in header.items()}
    except Short:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} is no safetensors file, or is damaged ({error}).") from error


class Short(ValueError):
    """A file that ends before it should."""


def tensor(name, entry, raw):
    """One array of a safetensors file, as its header describes it.  ValueError if that cannot be."""
    code, shape, (first, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if code not in DTYPES:
        raise ValueError(f"{name} has the dtype {code}, which we cannot read")
    wanted = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if not 0 <= first <= end <= len(raw) or end - first != wanted:
        raise ValueError(f"{name} needs {wanted:,} bytes, but its place is {first:,} to {end:,}")
    array = raw[first:end].view(DTYPES[code]).reshape(shape)
    if code == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)  # bfloat16 is the upper half of float32
    return array


def shapes(config):
    """{name: shape} of the tensors in a file of GPT-2, by the names that they have there."""
    V, C, F = config.vocab_size, config.width, config.ffn_width
    found = {"wte.weight": (V, C), "wpe.weight": (config.n_ctx, C)}
    for i in range(config.n_layer):
        found |= {
            f"h.{i}.ln_1.weight": (C,), f"h.{i}.ln_1.bias": (C,),
            f"h.{i}.attn.c_attn.weight": (C, 3 * C), f"h.{i}.attn.c_attn.bias": (3 * C,),
            f"h.{i}.attn.c_proj.weight": (C, C), f"h.{i}.attn.c_proj.bias": (C,),
            f"h.{i}.ln_2.weight": (C,), f"h.{i}.ln_2.bias": (C,),
            f"h.{i}.mlp.c_fc.weight": (C, F), f"h.{i}.mlp.c_fc.bias": (F,),
            f"h.{i}.mlp.c_proj.weight": (F, C), f"h.{i}.mlp.c_proj.bias": (C,),
        }  # fmt: skip
    found |= {"ln_f.weight": (C,), "ln_f.bias": (C,)}
    return found if config.tied else found | {"lm_head.weight": (V, C)}


def pour(tensors, config, dtype=np.float32):
    """GPT-2's tensors {name: array} as our parameters, a tree as gpt.init() makes it; all of them are copies.

    Two things differ: GPT-2 keeps queries, keys and values in one matrix (C, 3 C), and it has other names.
    ValueError, in one sentence, for a tensor that is missing, that has another shape, or that has no place in ours.
    """
    tensors = {name.removeprefix("transformer."): a for name, a in tensors.items() if not is_mask(name)}
    head = tensors.get("lm_head.weight")
    if config.tied and head is not None:
        if not np.array_equal(head, tensors.get("wte.weight")):
            raise ValueError("lm_head.weight differs from wte.weight, although the config says that they are one.")
        del tensors["lm_head.weight"]
    check(tensors, shapes(config), config)
    take = lambda name: np.array(tensors[name], dtype, order="C")

    def norm(name):
        return {"g": take(f"{name}.weight"), "b": take(f"{name}.bias")}

    def maps(**names):
        return {f"{kind[0]}_{ours}": take(f"{theirs}.{kind}") for kind in ("weight", "bias")
                for ours, theirs in names.items()}  # fmt: skip

    def attention(name):
        thirds = {
            f"{kind[0]}_{ours}": np.array(third, order="C")
            for kind in ("weight", "bias")
            for ours, third in zip("qkv", np.split(take(f"{name}.c_attn.{kind}"), 3, axis=-1), strict=True)
        }
        thirds |= maps(o=f"{name}.c_proj")
        return {path: thirds[path] for path in ("w_q", "w_k", "w_v", "w_o", "b_q", "b_k", "b_v", "b_o")}

    params = {"tokens": take("wte.weight"), "positions": take("wpe.weight")}
    params["blocks"] = [
        {
            "norm1": norm(f"h.{i}.ln_1"),
            "attn": attention(f"h.{i}.attn"),
            "norm2": norm(f"h.{i}.ln_2"),
            "ffn": maps(up=f"h.{i}.mlp.c_fc", down=f"h.{i}.mlp.c_proj"),
        }
        for i in range(config.n_layer)
    ]
    params["norm"] = norm("ln_f")
    if not config.tied:
        params["unembed"] = take("lm_head.weight")
    return params


def is_mask(name):
    """Whether a tensor is one of the causal masks that old files of GPT-2 hold beside the weights."""
    return name.endswith((".attn.bias", ".attn.masked_bias"))


def check(tensors, wanted, config):
    """ValueError, in one sentence, unless these are exactly the tensors that are wanted."""
    model = f"a GPT-2 of {config.n_layer} layers and width {config.width}"
    for name, shape in wanted.items():
        if name not in tensors:
            raise ValueError(
                f"the file has no tensor {name}, which {model} needs; is its config that of another model?"
            )
        if tensors[name].shape != shape:
            raise ValueError(
                f"the tensor {name} has shape {tensors[name].shape}, but {model} needs {shape}; is its config "
                "that of another model?"
            )
    for name in tensors:
        if name not in wanted:
            raise ValueError(f"the file has a tensor {name}, for which {model} has no place; is it another model?")
