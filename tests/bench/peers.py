"""The other side: the same GPT as a PyTorch user would write it, with the same weights to start from."""

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

    def forward(self, x, memory=None):
        B, T, C = x.shape
        q, k, v = (z.view(B, T, self.n_head, -1).transpose(1, 2) for z in self.qkv(x).split(C, dim=2))
        if memory is not None:
            k, v = memory.extend(k, v)
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

    def forward(self, x, memory=None):
        x = x + self.attn(self.norm1(x), memory)
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

    def forward(self, ids, memories=None, start=0):
        x = self.tokens(ids) + self.positions(torch.arange(start, start + ids.shape[1], device=ids.device))
        for i, block in enumerate(self.blocks):
            x = block(x, memories[i] if memories else None)
        if memories:
            x = x[:, -1:]  # who writes needs the last position only
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


def fill(theirs, params):
    """Copy our parameters into their slots.  ValueError if the two models do not have the same ones."""
    mine = dict(leaves(params))
    if set(theirs) != set(mine):
        raise ValueError(f"the two models differ in {sorted(set(theirs) ^ set(mine))}.")
    for path, slot in theirs.items():
        slot.copy_(torch.from_numpy(mine[path]))


def copy_of(params, config, device="cpu"):
    """Their GPT with our weights."""
    model = GPT(config)
    with torch.no_grad():
        fill(slots(model, lambda w: w.data), params)
    return model.to(device)


def optimizer_of(model, *, rate, betas, eps, decay):
    """Their AdamW, fused, which decays matrices and tables and no gains and biases, as ours does."""
    matrices = [w for w in model.parameters() if w.ndim >= 2]
    vectors = [w for w in model.parameters() if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=tuple(betas), eps=eps, fused=True)


class Step:
    """One whole training step of PyTorch: loss, backward, clip, AdamW.  Calling it takes a step.

    keep_grads leaves the gradients in place, as zeros, between two steps; the default of PyTorch frees them.
    """

    def __init__(
        self, params, ids, targets, *, config, rate, betas, eps, decay, clip, compiled=False, keep_grads=False,
        device="cpu",
    ):  # fmt: skip
        self.model = copy_of(params, config, device)
        self.loss = torch.compile(self.model.loss) if compiled else self.model.loss
        self.optimizer = optimizer_of(self.model, rate=rate, betas=betas, eps=eps, decay=decay)
        self.ids, self.targets = (torch.tensor(a, device=device) for a in (ids, targets))
        self.clip, self.keep_grads = clip, keep_grads

    def __call__(self):
        self.backward()
        return self.update()

    def backward(self):
        """Loss and gradients alone; returns the loss."""
        value = self.loss(self.ids, self.targets)
        value.backward()
        return float(value.detach())

    def update(self):
        """Clip, take the step, forget the gradients; returns their norm before clipping."""
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=not self.keep_grads)
        return float(norm)

    def gradients(self):
        """{our path: gradient}, as NumPy arrays, between backward() and update()."""
        return {path: g.detach().cpu().numpy().copy() for path, g in slots(self.model, lambda w: w.grad).items()}


class Memory:
    """Keys and values of one block, in room that is there from the start."""

    def __init__(self, config):
        shape = (1, config.n_head, config.n_ctx, config.width // config.n_head)
        self.k, self.v, self.length = torch.empty(shape), torch.empty(shape), 0

    def extend(self, k, v):
        """Append k and v (1, H, T, K); returns all so far, as views."""
        start, self.length = self.length, self.length + k.shape[2]
        self.k[:, :, start : self.length], self.v[:, :, start : self.length] = k, v
        return self.k[:, :, : self.length], self.v[:, :, : self.length]


@torch.inference_mode()
def write(model, prompt, n_tokens):
    """The n_tokens likeliest ids after the prompt (a list), one by one, with a cache written by hand."""
    memories = [Memory(model.config) for _ in model.blocks]
    new, start, out = torch.tensor([prompt]), 0, []
    for _ in range(n_tokens):
        logits = model(new, memories, start)
        start += new.shape[1]
        new = logits[:, -1].argmax(-1, keepdim=True)
        out.append(int(new))
    return out


def hugging_face(params, config):
    """Hugging Face's GPT-2 with our weights."""
    import transformers

    transformers.logging.set_verbosity_error()
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=config.vocab_size, n_positions=config.n_ctx, n_embd=config.width, n_layer=config.n_layer,
            n_head=config.n_head, activation_function="gelu_new", layer_norm_epsilon=config.eps,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
        )
    ).eval()  # fmt: skip
    with torch.no_grad():
        fill(hugging_face_slots(model.transformer, config.width), params)
    return model


def hugging_face_slots(model, C):
    """slots(), of their GPT-2: its maps are (in, out) as ours are, with queries, keys and values side by side."""
    found = {"tokens": model.wte.weight, "positions": model.wpe.weight}
    found |= {"norm.g": model.ln_f.weight, "norm.b": model.ln_f.bias}
    for i, block in enumerate(model.h):
        at = f"blocks.{i}."
        for name, norm in (("norm1", block.ln_1), ("norm2", block.ln_2)):
            found |= {f"{at}{name}.g": norm.weight, f"{at}{name}.b": norm.bias}
        for j, name in enumerate("qkv"):
            part = slice(j * C, (j + 1) * C)
            found[f"{at}attn.w_{name}"] = block.attn.c_attn.weight[:, part]
            found[f"{at}attn.b_{name}"] = block.attn.c_attn.bias[part]
        for name, layer in (("attn.{}_o", block.attn.c_proj), ("ffn.{}_up", block.mlp.c_fc),
                            ("ffn.{}_down", block.mlp.c_proj)):  # fmt: skip
            found |= {at + name.format("w"): layer.weight, at + name.format("b"): layer.bias}
    return {path: slot.data for path, slot in found.items()}


@torch.inference_mode()
def hugging_face_write(model, prompt, n_tokens):
    """The same through their generate()."""
    ids = torch.tensor([prompt])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=n_tokens, min_new_tokens=n_tokens, do_sample=False,
        use_cache=True, pad_token_id=0,
    )  # fmt: skip
    return out[0, len(prompt) :].tolist()
