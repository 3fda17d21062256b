"""The layers against PyTorch and Transformers, which nobody here wrote: outputs and every gradient, in float64."""

import numpy as np
import pytest

from minillm import layers
from minillm.check import saved

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def same(a, b, tol=1e-12):
    np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def compare(torch, ours, theirs, *arrays, tol=1e-12):
    """ours(*arrays) keeps the promise; theirs(*tensors) is PyTorch's.  Outputs and gradients must be the same."""
    y, backward = ours(*arrays)
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = theirs(*tensors)
    assert expected.dtype == torch.float64
    same(y, expected.detach().numpy(), tol)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    expected.backward(torch.tensor(dy))
    grads = backward(dy)
    grads = grads if isinstance(grads, tuple) else (grads,)
    for grad, tensor in zip(grads, tensors, strict=True):
        same(grad, tensor.grad.numpy(), tol)


def test_linear(torch, rng):
    F = torch.nn.functional
    x, w, b = rng.normal(size=(2, 3, 5)), rng.normal(size=(5, 7)), rng.normal(size=7)
    compare(torch, layers.linear, lambda x, w, b: F.linear(x, w.T, b), x, w, b)
    compare(torch, layers.linear, lambda x, w: F.linear(x, w.T), x, w)


def test_embedding(torch, rng):
    ids = rng.integers(0, 5, (3, 4))
    theirs = lambda table: torch.nn.functional.embedding(torch.tensor(ids), table)
    compare(torch, lambda table: layers.embedding(table, ids=ids), theirs, rng.normal(size=(5, 7)))


@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_layer_norm(eps, torch, rng):
    x, g, b = rng.normal(2, 3, size=(2, 3, 7)), rng.normal(size=7), rng.normal(size=7)
    theirs = lambda x, g, b: torch.nn.functional.layer_norm(x, (7,), g, b, eps)
    compare(torch, lambda x, g, b: layers.layer_norm(x, g, b, eps=eps), theirs, x, g, b)


@pytest.mark.parametrize("approximate", ["tanh", "none"])
def test_gelu(approximate, torch, rng):
    x = np.concatenate([rng.normal(size=50), np.linspace(-9, 9, 61), [-1e4, 1e4]])
    theirs = lambda x: torch.nn.functional.gelu(x, approximate=approximate)
    compare(torch, lambda x: layers.gelu(x, approximate=approximate), theirs, x)


def test_relu(torch, rng):
    compare(torch, layers.relu, torch.relu, np.concatenate([rng.normal(size=50), [0.0]]))  # the slope at 0 is 0


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax(axis, torch, rng):
    theirs = lambda x: torch.softmax(x, dim=axis)
    compare(torch, lambda x: layers.softmax(x, axis=axis), theirs, 10 * rng.normal(size=(2, 3, 7)))


@pytest.mark.parametrize("ignore", [None, 4, -100])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(smoothing, ignore, torch, rng):
    targets = np.array([[1, 4, 0], [6, 2, 4]])
    if ignore == -100:
        targets[0, :2] = -100
    theirs = lambda logits: torch.nn.functional.cross_entropy(
        logits.reshape(-1, 7),
        torch.tensor(targets).reshape(-1),
        ignore_index=-1 if ignore is None else ignore,
        label_smoothing=smoothing,
    )
    ours = lambda logits: layers.cross_entropy(logits, targets=targets, ignore=ignore, label_smoothing=smoothing)
    compare(torch, ours, theirs, 3 * rng.normal(size=(2, 3, 7)))


def masks(B, H, T, S):
    """Masks that leave something to attend to for every query."""
    rng = np.random.default_rng(2)
    seen = rng.random((B, H, T, S)) < 0.6
    seen[..., 0] = True
    floats = np.where(seen, rng.normal(size=seen.shape), -np.inf)
    return [None, seen[0, 0], seen[:, :1], seen[:1], seen[:, :, :1], floats[0, 0], floats[:, :1, :1], floats]


@pytest.mark.parametrize("n", range(8))
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("T, S", [(5, 5), (3, 6), (1, 4)])
def test_attention_against_scaled_dot_product_attention(T, S, causal, n, torch, rng):
    B, H, K = 2, 3, 5
    q, k, v = (rng.normal(size=(B, H, length, width)) for length, width in ((T, K), (S, K), (S, 4)))
    mask = masks(B, H, T, S)[n]
    past = np.tri(T, S, S - T, dtype=bool)  # bottom-right; is_causal=True there is top-left, so the mask is spelled out
    theirs_mask = mask
    if causal:
        hidden = False if mask is not None and mask.dtype == bool else -np.inf
        theirs_mask = past if mask is None else np.where(past, mask, hidden)
    theirs = lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=None if theirs_mask is None else torch.tensor(theirs_mask)
    )
    compare(torch, lambda q, k, v: layers.attention(q, k, v, causal=causal, mask=mask), theirs, q, k, v)


def test_causal_attention_with_as_many_queries_as_keys_against_is_causal(torch, rng):
    theirs = lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    ours = lambda q, k, v: layers.attention(q, k, v, causal=True)
    compare(torch, ours, theirs, *rng.normal(size=(3, 2, 3, 5, 4)))


def heads(x, n_head):
    """(B, T, C) -> (B, H, T, K)"""
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head).swapaxes(1, 2)


@pytest.mark.parametrize("causal", [False, True])
def test_key_padding_mask_against_multihead_attention(causal, torch, rng):
    B, H, T, C = 3, 2, 5, 6
    padding = np.arange(T) >= np.array([[5], [3], [1]])
    theirs = torch.nn.MultiheadAttention(C, H, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():  # without projections what is left is attention itself
        theirs.in_proj_weight.copy_(torch.eye(C, dtype=torch.float64).repeat(3, 1))
        theirs.out_proj.weight.copy_(torch.eye(C, dtype=torch.float64))
    blocked = torch.tensor(~np.tri(T, dtype=bool)) if causal else None  # True means blocked there

    x = [rng.normal(size=(B, T, C)) for _ in range(3)]
    tensors = [torch.tensor(a, requires_grad=True) for a in x]
    expected, weights = theirs(
        *tensors, key_padding_mask=torch.tensor(padding), attn_mask=blocked, average_attn_weights=False
    )
    y, backward = layers.attention(*(heads(a, H) for a in x), causal=causal, key_padding_mask=padding)
    same(y, heads(expected.detach().numpy(), H))
    same(saved(backward)["weights"], weights.detach().numpy())

    dy = rng.normal(size=expected.shape)
    expected.backward(torch.tensor(dy))
    for grad, tensor in zip(backward(heads(dy, H)), tensors, strict=True):
        same(grad, heads(tensor.grad.numpy(), H))


@pytest.fixture
def llama():
    pytest.importorskip("transformers")
    from transformers.models.llama import modeling_llama

    return modeling_llama


@pytest.mark.parametrize("positions", [np.arange(5), np.array([[0, 1, 2, 3, 4], [0, 0, 0, 7, 100]])])
def test_rotary_against_llama(positions, torch, llama, rng):
    B, H, T, K, base = 2, 3, 5, 8, 500
    rows = np.broadcast_to(positions, (B, T))
    angles = torch.tensor(rows[..., None] * base ** (-np.arange(0, K, 2) / K))  # in float64; Llama's own are float32
    cos, sin = (torch.cat([f(angles), f(angles)], dim=-1) for f in (torch.cos, torch.sin))
    theirs = lambda x: llama.apply_rotary_pos_emb(x, x, cos, sin)[0]
    ours = lambda x: layers.rotary(x, positions=positions, base=base)
    compare(torch, ours, theirs, rng.normal(size=(B, H, T, K)))


def test_rotary_turns_as_fast_as_llama_does(torch, llama, rng):
    config = llama.LlamaConfig(hidden_size=24, num_attention_heads=3)  # 8 channels per head; base 10,000, the default
    x, positions = rng.normal(size=(2, 3, 5, 8)), np.array([0, 1, 2, 50, 1000])
    cos, sin = llama.LlamaRotaryEmbedding(config)(torch.tensor(x), torch.tensor(positions)[None])
    expected, _ = llama.apply_rotary_pos_emb(torch.tensor(x), torch.tensor(x), cos, sin)
    same(layers.rotary(x, positions=positions)[0], expected.numpy(), 2e-4)  # its angles, up to 1000, are float32
