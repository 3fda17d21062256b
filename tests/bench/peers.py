"""The other side: the same GPT as a PyTorch user would write it, with the same weights to start from."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minillm.trees import leaves


class SelfAttention(nn.Module):
    """Causal self-attention through PyTorch's own fused kernel."""

    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.o = nn.Linear(config.width, config.width)

    def forward(self, x, cache=None):
        B, T, C = x.shape
        q, k, v = (z.view(B, T, self.n_head, -1).transpose(1, 2) for z in self.qkv(x).split(C, dim=2))
        if cache is not None:
            k, v = cache.extend(k, v)
        h = F.scaled_dot_product_attention(q, k, v, is_causal=T > 1)
        return self.o(h.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    """Pre-norm: gather, then think."""

    def __init__(self, config):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attn = SelfAttention(config)
        self.up = nn.Linear(config.width, config.ffn_width)
        self.down = nn.Linear(config.ffn_width, config.width)

    def forward(self, x, cache=None):
        x = x + self.attn(self.norm1(x), cache)
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """GPT-2 with learned positions, tied embeddings and biases, as minillm's Config has it by default."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.n_ctx, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, ids, caches=None, start=0):
        x = self.tokens(ids) + self.positions(torch.arange(start, start + ids.shape[1], device=ids.device))
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        return F.linear(self.norm(x), self.tokens.weight)

    def loss(self, ids, targets):
        """Mean surprise in nats per token."""
        logits = self(ids)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def slots(model, take):
    """{our path: take(their parameter), laid out as ours}, where take gives the value or the gradient."""
    C = model.config.width
    found = {"tokens": take(model.tokens.weight), "positions": take(model.positions.weight)}
    found |= {"norm.g": take(model.norm.weight), "norm.b": take(model.norm.bias)}
    for i, block in enumerate(model.blocks):
        at = f"blocks.{i}."
        for name, norm in (("norm1", block.norm1), ("norm2", block.norm2)):
            found |= {f"{at}{name}.g": take(norm.weight), f"{at}{name}.b": take(norm.bias)}
        for j, name in enumerate("qkv"):
            part = slice(j * C, (j + 1) * C)
            found[f"{at}attn.w_{name}"] = take(block.attn.qkv.weight)[part].T
            found[f"{at}attn.b_{name}"] = take(block.attn.qkv.bias)[part]
        for name, layer in (("attn.{}_o", block.attn.o), ("ffn.{}_up", block.up), ("ffn.{}_down", block.down)):
            found |= {at + name.format("w"): take(layer.weight).T, at + name.format("b"): take(layer.bias)}
    return found


def copy_of(params, config, device="cpu"):
    """Their GPT with our weights."""
    model = GPT(config)
    mine = dict(leaves(params))
    with torch.no_grad():
        theirs = slots(model, lambda w: w.data)
        if set(theirs) != set(mine):
            raise ValueError(f"the two models differ in {sorted(set(theirs) ^ set(mine))}.")
        for path, slot in theirs.items():
            slot.copy_(torch.tensor(mine[path]))
    return model.to(device)


def optimizer_of(model, *, rate, betas, eps, decay):
    """Their AdamW, fused, which decays matrices and tables and no gains and biases, as ours does."""
    matrices = [w for w in model.parameters() if w.ndim >= 2]
    vectors = [w for w in model.parameters() if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=eps, fused=True)


def gradients(model):
    """{our path: gradient}, as NumPy arrays."""
    return {path: g.detach().cpu().numpy() for path, g in slots(model, lambda w: w.grad).items()}


class Step:
    """One whole training step of PyTorch: loss, backward, clip, AdamW.  Calling it takes a step."""

    def __init__(self, params, ids, targets, *, config, rate, betas, eps, decay, clip, compiled=False, device="cpu"):
        self.model = copy_of(params, config, device)
        self.loss = torch.compile(self.model.loss) if compiled else self.model.loss
        self.optimizer = optimizer_of(self.model, rate=rate, betas=betas, eps=eps, decay=decay)
        self.ids, self.targets, self.clip = (torch.tensor(a, device=device) for a in (ids, targets)), None, clip
        self.ids, self.targets = self.ids

    def __call__(self):
        self.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def backward(self):
        """Loss and gradients alone; returns the loss."""
        value = self.loss(self.ids, self.targets)
        value.backward()
        return float(value.detach())
