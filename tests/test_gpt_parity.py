"""The whole model against Hugging Face's GPT-2 and PyTorch's transformer: outputs and every gradient, in float64."""

import numpy as np
import pytest
from test_gpt import tiny_config, tiny_gpt

from minillm import gpt
from minillm.trees import leaves

pytestmark = pytest.mark.parity


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def close(ours, theirs):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * max(1, np.abs(theirs).max()))


def gpt2_weights(params, model, take):
    """Pairs (path of ours, theirs) where take(parameter) is the value or the gradient."""
    C = params["tokens"].shape[1]
    pairs = {"tokens": take(model.transformer.wte.weight), "positions": take(model.transformer.wpe.weight),
             "norm.g": take(model.transformer.ln_f.weight), "norm.b": take(model.transformer.ln_f.bias)}  # fmt: skip
    for i, h in enumerate(model.transformer.h):
        at = f"blocks.{i}."
        for n, norm in (("norm1", h.ln_1), ("norm2", h.ln_2)):
            pairs |= {f"{at}{n}.g": take(norm.weight), f"{at}{n}.b": take(norm.bias)}
        for j, name in enumerate("qkv"):
            pairs[f"{at}attn.w_{name}"] = take(h.attn.c_attn.weight)[:, j * C : (j + 1) * C]
            pairs[f"{at}attn.b_{name}"] = take(h.attn.c_attn.bias)[j * C : (j + 1) * C]
        for name, map in (("attn.{}_o", h.attn.c_proj), ("ffn.{}_up", h.mlp.c_fc), ("ffn.{}_down", h.mlp.c_proj)):
            pairs |= {at + name.format("w"): take(map.weight), at + name.format("b"): take(map.bias)}
    return pairs


@pytest.mark.parametrize("ours, theirs", [("gelu_tanh", "gelu_new"), ("gelu", "gelu"), ("relu", "relu")])
def test_hugging_face_gpt2_gives_the_same_logits_loss_and_gradients(rng, torch, ours, theirs):
    transformers = pytest.importorskip("transformers")
    config = tiny_config(activation=ours)
    params = tiny_gpt(rng, config)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=11,
            n_positions=12,
            n_embd=8,
            n_layer=2,
            n_head=2,
            activation_function=theirs,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
        )  # fmt: skip
    ).double()
    mine = dict(leaves(params))
    with torch.no_grad():
        slots = gpt2_weights(params, model, lambda w: w.data)
        assert set(slots) == set(mine)
        for path, slot in slots.items():
            slot.copy_(torch.tensor(mine[path]))
    ids, targets = rng.integers(0, 11, (2, 3, 9))
    logits, _ = gpt.gpt(params, ids=ids, config=config)
    value, backward = gpt.loss(params, ids=ids, targets=targets, config=config)
    out = model(torch.tensor(ids))
    their_loss = torch.nn.functional.cross_entropy(out.logits.reshape(-1, 11), torch.tensor(targets).reshape(-1))
    their_loss.backward()
    close(logits, out.logits)
    close(value, their_loss)
    grads = dict(leaves(backward()))
    for path, grad in gpt2_weights(params, model, lambda w: w.grad).items():
        close(grads[path], grad)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_pytorch_encoder_layer_with_a_causal_mask_is_our_block(rng, torch, norm):
    config = tiny_config(norm=norm, activation="relu", ffn_width=20, positions="none")
    p = tiny_gpt(rng, config)["blocks"][0]
    layer = torch.nn.TransformerEncoderLayer(
        8, 2, 20, dropout=0.0, batch_first=True, norm_first=norm == "pre", dtype=torch.float64
    )
    at = p["attn"]
    t = lambda a: torch.tensor(np.ascontiguousarray(a))
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": t(np.concatenate([at["w_q"].T, at["w_k"].T, at["w_v"].T])),
            "self_attn.in_proj_bias": t(np.concatenate([at["b_q"], at["b_k"], at["b_v"]])),
            "self_attn.out_proj.weight": t(at["w_o"].T), "self_attn.out_proj.bias": t(at["b_o"]),
            "linear1.weight": t(p["ffn"]["w_up"].T), "linear1.bias": t(p["ffn"]["b_up"]),
            "linear2.weight": t(p["ffn"]["w_down"].T), "linear2.bias": t(p["ffn"]["b_down"]),
            "norm1.weight": t(p["norm1"]["g"]), "norm1.bias": t(p["norm1"]["b"]),
            "norm2.weight": t(p["norm2"]["g"]), "norm2.bias": t(p["norm2"]["b"]),
        }
    )  # fmt: skip
    x, dy = rng.normal(size=(2, 3, 5, 8))
    y, backward = gpt.block(x, p, config=config)
    dx, dp = backward(dy)
    theirs_x = torch.tensor(x, requires_grad=True)
    theirs = layer(theirs_x, src_mask=torch.triu(torch.ones(5, 5, dtype=torch.bool), 1))
    theirs.backward(torch.tensor(dy))
    close(y, theirs)
    close(dx, theirs_x.grad)
    close(np.concatenate([dp["attn"][w].T for w in ("w_q", "w_k", "w_v")]), layer.self_attn.in_proj_weight.grad)
    close(np.concatenate([dp["attn"][b] for b in ("b_q", "b_k", "b_v")]), layer.self_attn.in_proj_bias.grad)
    close(dp["attn"]["w_o"].T, layer.self_attn.out_proj.weight.grad)
    close(dp["ffn"]["w_up"].T, layer.linear1.weight.grad)
    close(dp["ffn"]["b_up"], layer.linear1.bias.grad)
    close(dp["ffn"]["w_down"].T, layer.linear2.weight.grad)
    for n, norm_layer in (("norm1", layer.norm1), ("norm2", layer.norm2)):
        close(dp[n]["g"], norm_layer.weight.grad)
        close(dp[n]["b"], norm_layer.bias.grad)
