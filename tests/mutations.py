"""Planted bugs: do the tests notice?  Each is put into a copy of the repository, alone, and the tests are run on it.

python tests/mutations.py                   all of them; exit code 1 if one survives
python tests/mutations.py layer_norm clip   those with one of these words in their name
python tests/mutations.py --list            their names

The list was written down, whole, before its first run.  A survivor asks for a better test, or for a reason why it
changes nothing, which then stands beside it as `nothing`.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TESTS = (
    "test_layers.py",
    "test_gpt.py",
    "test_door.py",
    "test_check.py",
    "test_config.py",
    "test_optim.py",
    "test_gpu_rules.py",
    "test_kernels_cpu.py",
    "test_kernels.py",
    "test_one_token.py",
    "test_backend.py",
    "test_passes.py",
)

OWN = {  # the tests of files that are far from the layers
    f"{name}.py": (f"test_{name}.py",)
    for name in "exam facts plan ladder scaling bootstrap isoflop gamma registration wager lawplot cone".split()
} | {
    "rung.py": ("test_rung.py",),
    "spectral.py": ("test_languages.py", "test_sources.py", "test_rung.py"),
    "surface.py": ("test_descent.py", "test_scaling.py"),
    "panels/fitlab.py": ("test_panel_fitlab.py",),
    "bank/law/confounder.py": ("test_traps.py",),
}

PARITY = ("test_layers_parity.py", "test_gpt_parity.py")  # against PyTorch and Transformers, where they are installed


@dataclasses.dataclass(frozen=True)
class Mutation:
    name: str
    file: str  # in minillm/
    old: str
    new: str
    which: int | None = None  # the occurrence of old, from 0, where it has several
    nothing: str = ""  # the reason, if it changes nothing that the library promises

    def apply(self, source):
        """The source with this bug in it.  ValueError if it no longer fits."""
        pieces = source.split(self.old)
        if len(pieces) == 1 or (self.which is None and len(pieces) > 2) or (self.which or 0) > len(pieces) - 2:
            raise ValueError(
                f"{self.name}: {self.file} has {len(pieces) - 1} times {self.old!r}, wanted {self.which or 'one'}."
            )
        i = (self.which or 0) + 1
        return self.old.join(pieces[:i]) + self.new + self.old.join(pieces[i:])


def planted(file, prefix, *rows):
    return [Mutation(f"{prefix}: {name}", file, *rest) for name, *rest in rows]


# fmt: off
MUTATIONS = [
    *planted("layers.py", "linear",
        ("shift forgotten",                   "        y += b",                        "        y += 0 * b"),
        ("dx through w, not its transpose",   "dy_rows @ w.T",                         "dy_rows @ w"),
        ("dw is a mean over the rows",        "dw = rows.T @ dy_rows",                 "dw = rows.T @ dy_rows / len(rows)"),
        ("db is a mean over the rows",        "dy_rows.sum(0)",                        "dy_rows.mean(0)"),
    ),
    *planted("layers.py", "embedding",
        ("a token used twice is blamed once", "dtable += used.T @ dy_rows[i:i + n]",   "dtable[flat_ids[i:i + n, 0]] = dy_rows[i:i + n]"),
        ("only the first part of many ids",   "for i in range(0, len(flat_ids), n):",  "for i in range(0, 1, n):"),
        ("a part overwrites the one before",  "dtable += used.T",                      "dtable = used.T"),
    ),
    *planted("layers.py", "layer_norm",
        ("variance over n - 1",               "rstd = 1 / xp.sqrt((xhat * xhat).mean(-1, keepdims=True) + eps)",
                                              "rstd = 1 / xp.sqrt((xhat * xhat).sum(-1, keepdims=True) / (C - 1) + eps)"),
        ("eps outside the root",              "rstd = 1 / xp.sqrt((xhat * xhat).mean(-1, keepdims=True) + eps)",
                                              "rstd = 1 / (xp.sqrt((xhat * xhat).mean(-1, keepdims=True)) + eps)"),
        ("mean over the wrong axis",          "x - x.mean(-1, keepdims=True)",         "x - x.mean(0, keepdims=True)"),
        ("mean stays",                        "xhat = x - x.mean(-1, keepdims=True)",  "xhat = x * 1"),
        ("no mean term on the way back",      "dx = dxhat - dxhat.mean(-1, keepdims=True)", "dx = dxhat * 1"),
        ("no variance term on the way back",  "        dx -= xhat * along\n",          ""),
        ("no rstd on the way back",           "        dx *= rstd\n",                  ""),
        ("no gain on the way back",           "dxhat = dy * g",                        "dxhat = dy * 1"),
        ("dg without xhat",                   "(dy * xhat).reshape(-1, C).sum(0)",     "dy.reshape(-1, C).sum(0)"),
        ("db is a mean",                      " dy.reshape(-1, C).sum(0)",             " dy.reshape(-1, C).mean(0)"),
        ("x is changed in place",             "xhat = x - x.mean(-1, keepdims=True)",  "x -= x.mean(-1, keepdims=True)\n    xhat = x.copy()"),
        ("dy is changed in place",            "dxhat = dy * g",                        "dxhat = dy\n        dxhat *= g"),
        ("y is made in the memory of xhat",   "y = g * xhat",                          "y = xhat\n    y *= g"),
    ),
    *planted("layers.py", "gelu",
        ("0.0447 for 0.044715",               "0.044715\n",                            "0.0447\n"),
        ("2 / pi without its root",           "c, a = math.sqrt(2 / math.pi)",         "c, a = 2 / math.pi"),
        ("3 of the derivative forgotten",     "pdf *= 6 * c * a",                      "pdf *= 2 * c * a"),
        ("second term of the product rule",   "        pdf += cdf",                    "        pdf += 0 * cdf"),
        ("slope of tanh is halved",           "        pdf *= 1 - cdf",                "        pdf *= 0.5"),
        ("erf without 1 / sqrt 2",            "erf(x * math.sqrt(0.5))",               "erf(x)"),
        ("density without its 2",             "1 / math.sqrt(2 * math.pi)",            "1 / math.sqrt(math.pi)"),
        ("dy is changed in place",            "        pdf *= dy\n        return pdf", "        dy *= pdf\n        return dy"),
    ),
    *planted("layers.py", "relu",
        ("slope at 0 is 1",                   "dy * (x > 0)",                          "dy * (x >= 0)"),
        ("the gradient passes everywhere",    "dy * (x > 0)",                          "dy * 1"),
        ("it leaks",                          "xp.maximum(x, 0)",                      "xp.maximum(x, 0.01 * x)"),
    ),
    *planted("layers.py", "dropout",
        ("not rescaled",                      "    mask *= 1 / (1 - rate)\n",          ""),
        ("rescaled by the rate",              "mask *= 1 / (1 - rate)",                "mask *= 1 / rate"),
        ("another mask on the way back",      "return dy * mask",                      "return dy * (draw.random(x.shape, dtype=xp.float32) >= rate) / (1 - rate)"),
        ("no mask on the way back",           "return dy * mask",                      "return dy / (1 - rate)"),
        ("keeps what it should drop",         ">= rate",                               "< rate"),
        ("one mask for the whole batch",      "draw.random(x.shape,",                  "draw.random(x.shape[1:],"),
        ("the same mask in every call",       "int(rng.integers(2**63))",              "0"),
        ("the mask is drawn in float64",      "dtype=xp.float32)",                     "dtype=xp.float64)"),
    ),
    *planted("layers.py", "softmax",
        ("may overflow",                      "y = x - top",                           "y = x * 1"),
        ("a hidden row divides by zero",      "    total += total == 0",               "    total += 0"),
        ("the top of a hidden row is -inf",   "top = xp.maximum(x.max(axis, keepdims=True), xp.finfo(x.dtype).min)", "top = x.max(axis, keepdims=True)"),
        ("sums over the last axis always",    "y.sum(axis, keepdims=True)",            "y.sum(-1, keepdims=True)"),
        ("sums over axis 0 on the way back",  "dx.sum(axis, keepdims=True)",           "dx.sum(0, keepdims=True)"),
        ("what one gains nobody loses",       "dx -= y * dx.sum(axis, keepdims=True)", "dx -= 0"),
        ("all lose alike",                    "dx -= y * dx.sum(axis, keepdims=True)", "dx -= dx.sum(axis, keepdims=True)"),
    ),
    *planted("layers.py", "rotary",
        ("turned the wrong way back",         "turn(dy, -sin)",                        "turn(dy, sin)"),
        ("turned the other way, both ways",   "xp.cos(angles), xp.sin(angles)",        "xp.cos(angles), -xp.sin(angles)"),
        ("speeds fall half as fast",          "-math.log(base) / half",                "-math.log(base) / K"),
        ("another base",                      "base=10_000",                           "base=1_000"),
        ("positions count from 1",            "positions.astype(x.dtype)[..., None]",  "(positions.astype(x.dtype) + 1)[..., None]"),
        ("every row has the first's places",  "angles = angles.reshape(len(positions),", "angles = angles[:1].reshape(1,"),
    ),
    *planted("layers.py", "attention",
        ("scale forgotten",                   "    scores *= scale\n",                 ""),
        ("scale forgotten in dq",             "        dq *= scale\n",                 ""),
        ("scale forgotten in dk",             "        dk *= scale\n",                 ""),
        ("scaled by K, not its root",         "1 / math.sqrt(K)",                      "1 / K"),
        ("the scale is a NumPy float64",      "    scale = 1 / math.sqrt(K)",          "    import numpy\n    scale = 1 / numpy.sqrt(K)"),
        ("masks are scaled too",              "        scores += added",               "        scores += added * scale"),
        ("masks after softmax",               "    for added in hidden(scores, causal, mask, key_padding_mask):\n"
                                              "        scores += added                                            # -inf where a query may not look\n"
                                              "    shares, back_softmax = softmax(scores)",
                                              "    shares, back_softmax = softmax(scores)\n"
                                              "    for added in hidden(scores, causal, mask, key_padding_mask):\n"
                                              "        shares = shares * (added > -math.inf)"),
        ("softmax over the queries",          "softmax(scores)",                       "softmax(scores, axis=-2)"),
        ("dropout only on the way back",      "y = weights @ v",                       "y = shares @ v"),
        ("dv without dropout",                "dv = weights.swapaxes",                 "dv = shares.swapaxes"),
        ("dq and dk without dropout",         "back_softmax(back_dropout(dweights))",  "back_softmax(dweights)"),
        ("sees the next token",               "S - T + 1)",                            "S - T + 2)"),
        ("cannot see itself",                 "S - T + 1)",                            "S - T)"),
        ("causal is aligned top-left",        "S - T + 1)",                            "1)"),
        ("causal only where T = S",           "    if causal:",                        "    if causal and T == S:"),
        ("boolean mask inverted",             "xp.where(mask, zero, never)",           "xp.where(mask, never, zero)"),
        ("padding inverted",                  "xp.where(key_padding_mask, never, zero)", "xp.where(key_padding_mask, zero, never)"),
        ("padding hides queries, not keys",   "[:, None, None, :]",                    "[:, None, :, None]"),
        ("-10,000 for -inf",                  "scores.dtype.type(-math.inf)",          "scores.dtype.type(-10_000)"),
    ),
    *planted("layers.py", "cross_entropy",
        ("sum, not mean",                     "share = 1 / max(1, len(flat))",         "share = 1"),
        ("ignored targets count in the mean", "xp.maximum(counts.sum(), 1).astype(logits.dtype)", "len(flat)"),
        ("only ignored targets count",        "counts = flat != ignore",               "counts = flat == ignore"),
        ("may overflow",                      "z = z - z.max(-1, keepdims=True)",      "z = z * 1"),
        ("logits are changed in place",       "z = z - z.max(-1, keepdims=True)",      "z -= z.max(-1, keepdims=True)"),
        ("smoothing only in the loss",        "dlogits = probs - label_smoothing / V", "dlogits = probs * 1"),
        ("smoothing takes nothing from the target", "dlogits[n, flat] -= 1 - label_smoothing", "dlogits[n, flat] -= 1"),
        ("smoothing only on the way back",    "    if label_smoothing:",               "    if False:"),
        ("smoothing over the other V - 1",    "label_smoothing * z.mean(-1)",          "label_smoothing * z.sum(-1) / (V - 1)"),
        ("dloss is ignored",                  "dlosses = share * dloss",               "dlosses = share * 1"),
        ("shares do not sum to 1",            "    probs /= total[:, None]\n",         ""),
        ("a second backward is another",      "dlogits = probs - label_smoothing / V", "dlogits = probs\n        dlogits -= label_smoothing / V"),
        ("row numbers from the host",         "    n = xp.arange(len(flat))",          "    import numpy\n    n = numpy.arange(len(flat))"),
        ("waits for the device",              "    if ignore is not None:",            "    if ignore is not None and bool((flat == ignore).any() or True):"),
    ),
    *planted("gpt.py", "init",
        ("deep weights as large as others",   "0.02 / math.sqrt(2 * config.n_layer)",  "0.02"),
        ("one writer per layer, not two",     "math.sqrt(2 * config.n_layer)",         "math.sqrt(config.n_layer)"),
        ("gains are 0",                       '"g": np.ones(C, dtype)',                '"g": np.zeros(C, dtype)'),
        ("float64 always",                    "(std * rng.standard_normal(shape)).astype(dtype)", "std * rng.standard_normal(shape)"),
    ),
    *planted("gpt.py", "self_attention",
        ("heads cut across positions",        "z.reshape(B, T, H, C // H).swapaxes(1, 2)", "z.reshape(B, H, T, C // H)"),
        ("values turn too",                   "    v = split(xv)",                     "    v, _ = turn(split(xv))"),
        ("keys do not turn",                  "turn(split(xk))",                       "(split(xk), lambda d: d)"),
        ("dq does not turn back",             "merge(back_turn_q(dq))",                "merge(dq)"),
        ("the values' part of dx is lost",    "dx_q + dx_k + dx_v",                    "dx_q + dx_k"),
        ("sees the future",                   "causal=True",                           "causal=False"),
        ("padding is seen",                   "causal=True, key_padding_mask=key_padding_mask", "causal=True"),
        ("no dropout on the weights",         "rate = config.dropout if rng is not None else 0.0\n    h, back_attn", "rate = 0.0\n    h, back_attn"),
    ),
    *planted("gpt.py", "ffn",
        ("no bend on the way back",           "back_up(back_activation(dh))",          "back_up(dh)"),
        ("gelu is its approximation",         'approximate="none"',                    'approximate="tanh"'),
    ),
    *planted("gpt.py", "residual",
        ("pre and post swapped",              'if config.norm == "pre":\n        h, back_norm', 'if config.norm == "post":\n        h, back_norm'),
        ("pre: the way around is lost",       "return dy + dx, {",                     "return dx, {"),
        ("post: the way around is lost",      "return ds + dx, {",                     "return dx, {"),
        ("post: the way around skips the norm", "return ds + dx, {",                   "return dy + dx, {"),
        ("the stream is changed in place",    "        y = x + r ",                    "        x += r\n        y = x "),
        ("pre: no dropout",                   "r, back_dropout = layers.dropout(a, rate=rate, rng=rng)", "r, back_dropout = a, lambda d: d", 0),
        ("post: no dropout",                  "r, back_dropout = layers.dropout(a, rate=rate, rng=rng)", "r, back_dropout = a, lambda d: d", 1),
        ("pre: no dropout on the way back",   "back_layer(back_dropout(dy))",          "back_layer(dy)"),
        ("post: no dropout on the way back",  "back_layer(back_dropout(ds))",          "back_layer(ds)"),
        ("eps is not the config's",           "eps=config.eps)",                       "eps=1e-5)", 0),
    ),
    *planted("gpt.py", "block",
        ("one norm twice",                    'x, p["norm1"], p["attn"]',              'x, p["norm2"], p["attn"]'),
        ("gradients of the norms swapped",    '"norm1": dnorm1, "attn": dattn, "norm2": dnorm2', '"norm1": dnorm2, "attn": dattn, "norm2": dnorm1'),
    ),
    *planted("gpt.py", "gpt",
        ("positions start at 0 with a cache", "xp.arange(start, start + T)",           "xp.arange(T)"),
        ("given positions are not looked up", "ids=positions)",                        "ids=xp.arange(start, start + T))"),
        ("positions learn from one row",      "dx.sum(0) if positions.ndim == 1 else dx", "dx[0] if positions.ndim == 1 else dx"),
        ("tied gradient overwritten",         'grads["tokens"] += dreadout.T',         'grads["tokens"] = dreadout.T'),
        ("tied gradient of the read-out lost", 'grads["tokens"] += dreadout.T',        "pass"),
        ("untied reads out with the tokens",  '"tokens" if config.tied else "unembed"', '"tokens"'),
        ("no dropout on the embedding",       "x, back_dropout = layers.dropout(x, rate=config.dropout if rng is not None else 0.0, rng=rng)",
                                              "x, back_dropout = x, lambda d: d"),
        ("embedding dropout not on the way back", "        dx = back_dropout(dx)\n",  ""),
        ("the last norm is skipped on the way back", "dx, dg, db = back_norm(dx)\n            grads", "_, dg, db = back_norm(dx)\n            grads"),
        ("eps of the last norm",              "eps=config.eps)",                       "eps=1e-5)", 1),
        ("blocks' gradients in reverse",      "dblocks[::-1]",                         "dblocks"),
        ("back through the blocks forwards",  "back_blocks.pop()(dx)",                 "back_blocks.pop(0)(dx)"),
        ("the memory of the blocks is kept",  "while back_blocks:\n            dx, dp = back_blocks.pop()(dx)",
                                              "for back in back_blocks[::-1]:\n            dx, dp = back(dx)"),
        ("gradients in another order",        "return {key: grads[key] for key in params}", "return grads"),
    ),
    *planted("door.py", "gpt",  # these five stood in gpt.py when the list was written
        ("one id too many",                   "ids.max() < config.vocab_size)",        "ids.max() <= config.vocab_size)"),
        ("negative ids wrap around",          "0 <= ids.min() and ",                   ""),
        ("one position too few",              "start + T > config.n_ctx",              "start + T >= config.n_ctx"),
        ("one position too many",             "start + T > config.n_ctx",              "start + T > config.n_ctx + 1"),
        ("cached positions are not counted",  "start + T > config.n_ctx",              "T > config.n_ctx"),
    ),
    *planted("gpt.py", "loss",
        ("label smoothing is lost",           "ignore=ignore, label_smoothing=label_smoothing)", "ignore=ignore)"),
        ("ignore is lost",                    "ignore=ignore, label_smoothing",        "label_smoothing"),
        ("padding is lost",                   "key_padding_mask=key_padding_mask, rng=rng\n    )\n    value", "rng=rng\n    )\n    value"),
        ("positions are lost",                "params, ids=ids, config=config, positions=positions,", "params, ids=ids, config=config,"),
        ("dloss is lost",                     "back_gpt(back_loss(dloss))",            "back_gpt(back_loss())"),
    ),
    *planted("cache.py", "cache",
        ("growing forgets the last position", "room[:, :, :start] = store[:, :, :start]", "room[:, :, : start - 1] = store[:, :, : start - 1]"),
        ("a prompt counts as one position",   "self.length = end",                     "self.length = start + 1"),
        ("keys for values",                   "return self.k[:, :, :end], self.v[:, :, :end]", "return self.k[:, :, :end], self.k[:, :, :end]"),
        ("it grows by as much as it needs",   "max(end, 2 * start)",                   "end"),
    ),
    *planted("config.py", "config",
        ("ffn is twice as wide",              "4 * self.width)",                       "2 * self.width)"),
        ("heads need not fit",                "if self.width % self.n_head:",          "if False:"),
        ("rotary heads may be odd",           "// self.n_head % 2:",                   "// self.n_head % 2 > 1:"),
        ("dropout may be 1",                  "0 <= self.dropout < 1",                 "0 <= self.dropout <= 1"),
        ("true is a number",                  " or (wanted is not bool and isinstance(value, bool))", ""),
    ),
    *planted("optim.py", "adamw",
        ("no bias correction of m",           "rate / (1 - b1**step)",                 "rate"),
        ("no bias correction of v",           "1 / math.sqrt(1 - b2**step)",           "1.0"),
        ("bias correction of m off by one",   "1 - b1**step",                          "1 - b1 ** (step + 1)"),
        ("bias correction of v off by one",   "1 - b2**step",                          "1 - b2 ** (step + 1)"),
        ("eps inside the root",               "xp.sqrt(vi, out=t)\n        t *= root\n        t += eps", "xp.add(vi, eps, out=t)\n        xp.sqrt(t, out=t)\n        t *= root"),
        ("eps before the bias correction",    "        t *= root\n        t += eps",   "        t += eps\n        t *= root"),
        ("no root",                           "xp.sqrt(vi, out=t)",                    "t[...] = vi"),
        ("betas swapped",                     "b1, b2 = betas",                        "b2, b1 = betas"),
        ("v for m",                           "xp.divide(mi, t, out=t)",               "xp.divide(vi, t, out=t)"),
        ("no momentum",                       "        mi += t ",                      "        mi[...] = dwi "),
        ("v of dw times m",                   "xp.multiply(dwi, dwi, out=t)",          "xp.multiply(dwi, mi, out=t)"),
        ("decay through the gradient too",    "        xp.subtract(dwi, mi, out=t)",   "        dwi = dwi + decay * wi\n        xp.subtract(dwi, mi, out=t)"),
        ("decay without the rate",            "1 - rate * decay",                      "1 - decay"),
        ("decay after the step",              "        if decay:\n            wi *= shrink\n        wi -= t", "        wi -= t\n        if decay:\n            wi *= shrink"),
        ("no decay",                          "        if decay:",                     "        if False:"),
        ("only the first block",              "range(0, w.size, block or 1)",          "range(0, min(block, w.size), block or 1)"),
    ),
    *planted("optim.py", "clip",
        ("missing",                           "dw *= limit / xp.maximum(norm, limit)", "pass"),
        ("short gradients grow",              "limit / xp.maximum(norm, limit)",       "limit / norm"),
        ("each number by itself",             "dw *= limit / xp.maximum(norm, limit)", "xp.clip(dw, -limit, limit, out=dw)"),
        ("the norm is squared",               "norm = xp.sqrt(xp.dot(dw, dw))",        "norm = xp.dot(dw, dw)"),
        ("the norm waits for the device",     "norm = xp.sqrt(xp.dot(dw, dw))",        "norm = float(xp.sqrt(xp.dot(dw, dw)))"),
        ("the norm after clipping",           "without dividing by zero\n    return norm", "without dividing by zero\n    return xp.sqrt(xp.dot(dw, dw))"),
        ("each tensor by itself",             "norm = clip(self.dw, self.clip)",       "norm = clip(self.dw, None)\n        for _, g in trees.leaves(self.grads):\n            clip(g.reshape(-1), self.clip)"),
    ),
    *planted("optim.py", "AdamW",
        ("gains decay",                       "return a.ndim >= 2",                    "return a.ndim >= 1"),
        ("all decay",                         "(slice(self.n_decayed, None), 0.0)",    "(slice(self.n_decayed, None), self.decay)"),
        ("gains never change",                "(slice(self.n_decayed, None), 0.0)",    "(slice(self.n_decayed, self.n_decayed), 0.0)"),
        ("steps count from 2",                "step=self.steps, rate",                 "step=self.steps + 1, rate"),
        ("weights of later parts ignored",    "total += a if weight == 1 else weight * a", "total += a"),
        ("weight of the first part ignored",  "array_module(a).multiply(a, weight, out=total)", "total[...] = a"),
        ("the gradient is not forgotten",     "        self.empty = True\n        return norm", "        return norm"),
        ("restore forgets the step",          "self.steps, self.empty = steps, True",  "self.empty = True"),
        ("restore forgets m and v",           "trees.map_leaves(_copy, self.state(), state)", 'trees.map_leaves(_copy, self.params, state["params"])'),
    ),
    *planted("optim.py", "schedule",
        ("warm-up starts at zero",            "return rate * step / warmup",           "return rate * (step - 1) / warmup"),
        ("cosine upside down",                "(1 - math.cos(math.pi * left)) / 2",    "(1 + math.cos(math.pi * left)) / 2"),
        ("falls to zero, not to final",       "final + (rate - final) * left",         "rate * left"),
        ("arrives one step early",            "(steps + 1 - step) / (steps + 1 - start)", "(steps - step) / max(1, steps - start)"),
        ("cooldown in steps",                 "round(cooldown * steps)",               "round(cooldown)"),
        ("below final after the end",         "max(0.0, (steps + 1 - step) / (steps + 1 - start))", "(steps + 1 - step) / (steps + 1 - start)"),
    ),
    *planted("passes.py", "passes",
        ("every part counts alike",           "share * len(ids[some]) / B",           "share / -(-B // (rows or B))"),
        ("the share is forgotten",            "weight = share * len",                 "weight = len"),
        ("the last sequence is left out",     "range(0, B, rows or max(1, B))",       "range(0, B - 1, rows or max(1, B))"),
        ("parts overlap by a sequence",       "slice(first, first + (rows or B))",    "slice(max(0, first - 1), first + (rows or B))"),
        ("the loss of the last part alone",   "total = total + weight * value",       "total = weight * value"),
        ("dropout forgets the step",          "if worker else (step, part)",          "if worker else (0, part)"),
        ("dropout forgets the part",          "if worker else (step, part)",          "if worker else (step, 0)"),
        ("dropout forgets the worker",        "(step, part, worker) if worker",       "(step, part) if worker"),
        ("dropout forgets the seed",          "SeedSequence(recipe.seed,",            "SeedSequence(0,"),
        ("parts are as large as they may be", "    return -(-n // max(1, parts))",     "    return max(1, min(n, most))"),
        ("the limit is passed by one",        "parts = -(-n // max(1, most))",        "parts = n // max(1, most)"),
    ),
    *planted("kernels/cpu.py", "fast layer_norm",
        ("the last block is short by a row",  "min(i + n, rows)) for i",               "min(i + n, rows - (i > 0))) for i"),
        ("mean over C + 1",                   "        mean *= 1 / C",                 "        mean *= 1 / (C + 1)"),
        ("variance over C - 1",               "        r *= 1 / C",                    "        r *= 1 / max(1, C - 1)"),
        ("eps is fixed",                      "        r += eps",                      "        r += 1e-5"),
        ("no root",                           "        np.sqrt(r, out=r)\n",           ""),
        ("shift forgotten",                   "        y[i] += b\n",                   ""),
        ("xhat and y share memory",           "xhat, y, rstd = np.empty_like(rows), np.empty_like(rows), np.empty((N, 1), x.dtype)",
                                              "xhat, rstd = np.empty_like(rows), np.empty((N, 1), x.dtype)\n    y = xhat"),
        ("x is changed in place",             "np.subtract(rows[i], mean[:, None], out=h)", "rows[i].__isub__(mean[:, None])\n        h[...] = rows[i]"),
        ("dg of the last block only",         "dg += each @ t",                        "dg[...] = each @ t"),
        ("db of the last block only",         "db += each @ dyi",                      "db[...] = each @ dyi"),
        ("scratch of the whole block",        "scratch[: len(xhat[i])]",               "np.resize(scratch, xhat[i].shape) * 1"),
        ("no mean term on the way back",      "            d -= (dyi @ share)[:, None]\n", ""),
        ("share without g",                   "share = dy.reshape(-1, C), g * (1 / C)", "share = dy.reshape(-1, C), np.full_like(g, 1 / C)"),
        ("no rstd on the way back",           "            d *= rstd[i]\n",            ""),
        ("shapes of g and b are not checked", "if g.shape != (C,) or b.shape != (C,) or x.size == 0 or", "if x.size == 0 or"),
    ),
    *planted("kernels/cpu.py", "fast rotary",
        ("turned the wrong way back",         "lambda dy: turn(dy, -sin)",             "lambda dy: turn(dy, sin)"),
        ("halves are not exchanged",          "exchanged[..., 0, :] = halves[..., 1, :]", "exchanged[..., 0, :] = halves[..., 0, :]"),
        ("base is fixed",                     "hands(positions, K, x.dtype, base)",    "hands(positions, K, x.dtype)"),
        ("positions are not checked",         "    if positions.shape not in ((T,), (B, T)):\n        return None\n", ""),
    ),
    *planted("kernels/cpu.py", "fast attention",
        ("scale forgotten",                   "np.multiply(q, scale, out=scaled)",     "np.multiply(q, 1.0, out=scaled)"),
        ("scale forgotten in dq",             "        dq *= scale\n",                ""),
        ("scale twice in dk",                 "np.matmul(dscores.swapaxes(-1, -2), scaled[here], out=dk)", "np.matmul(dscores.swapaxes(-1, -2), scaled[here] * scale, out=dk)"),
        ("scaled in dq for K, not its root",  "    scale = 1 / math.sqrt(K)\n    blocks", "    scale = 1 / K\n    blocks"),
        ("sees the next token",               "-math.inf, q.dtype), 1)",               "-math.inf, q.dtype), 2)"),
        ("cannot see itself but for the first", "-math.inf, q.dtype), 1)",             "-math.inf, q.dtype), 0)"),
        ("-100 for -inf",                     "np.full((QUERIES, QUERIES), -math.inf, q.dtype)", "np.full((QUERIES, QUERIES), -100.0, q.dtype)"),
        ("the corner lies at the left",       "scores[..., start:] += corner",         "scores[..., : stop - start] += corner"),
        ("a block of queries sees the next",  "blocks = [(start, min(start + QUERIES, T)) for", "blocks = [(start, min(start + QUERIES + 1, T)) for"),
        ("never redone safely",               "if not (TINY < z.min() and z.max() < HUGE):", "if False:"),
        ("redone for large sums only",        "if not (TINY < z.min() and z.max() < HUGE):", "if not z.max() < HUGE:"),
        ("redone for small sums only",        "if not (TINY < z.min() and z.max() < HUGE):", "if not TINY < z.min():"),
        ("redone when all rows are small",    "TINY < z.min()",                        "TINY < z.max()"),
        ("redone when all rows are large",    "z.max() < HUGE",                        "z.min() < HUGE"),
        ("NaN is not redone",                 "if not (TINY < z.min() and z.max() < HUGE):", "if z.min() <= TINY or z.max() >= HUGE:",),
        ("thresholds that are too wide",      "TINY, HUGE = 1e-12, 1e12",              "TINY, HUGE = 0.0, 3e38"),
        ("safe takes off the maximum of all", "scores.max(-1, keepdims=True)",         "scores.max()"),
        ("thresholds before they were narrowed", "TINY, HUGE = 1e-12, 1e12",           "TINY, HUGE = 1e-30, 1e30"),
        ("a row of -inf shares nothing",      "                z += z == 0 ",          "                pass "),
        ("-inf takes off -inf",               "np.maximum(scores.max(-1, keepdims=True), lowest)", "scores.max(-1, keepdims=True)"),
        ("safe forgets the new sums",         "        np.matmul(scores, ones[:stop], out=total[:, :, start:stop])\n",
                                              "        if not safe:\n            np.matmul(scores, ones[:stop], out=total[:, :, start:stop])\n"),
        ("warnings leak",                     'np.errstate(over="ignore", invalid="ignore")', "np.errstate()"),
        ("y is not divided",                  "    y /= total\n",                     ""),
        ("q is changed in place",             "np.multiply(q, scale, out=scaled)",     "q *= scale\n    scaled[...] = q"),
        ("dy is changed in place",            "        share = dy / total\n",         "        dy /= total\n        share = dy\n"),
        ("no offset on the way back",         "            dscores -= offset[here]\n", ""),
        ("dk of the last block only",         "dk[seen] += dscores",                   "dk[seen] += 0 * dscores"),
        ("dv of the last block only",         "dv[seen] += w.swapaxes",                "dv[seen] += 0 * w.swapaxes"),
        ("backward spoils the weights",       "            dscores *= w\n",            "            w *= dscores\n            dscores = w\n"),
        ("backward runs once",                "zip(reversed(blocks), reversed(weights), strict=True):", "[(b, weights.pop()) for b in reversed(blocks)]:"),
        ("padding is not declined",           " and key_padding_mask is None and not dropout", " and not dropout"),
        ("dropout is not declined",           "key_padding_mask is None and not dropout and", "key_padding_mask is None and"),
        ("all attention is causal",           "if not (fits and causal and mask",      "if not (fits and mask"),
        ("one memory for all calls",          "    weights = []\n    with np",          "    weights = attention.__dict__.setdefault('w', [])\n    weights.clear()\n    with np"),
        ("one answer for all calls",          "scaled, y, total = heads_like(q), heads_like(v), np.empty((B, H, T, 1), q.dtype)",
                                              "scaled, y, total = attention.__dict__.setdefault((q.shape, v.shape, q.dtype), (heads_like(q), heads_like(v), np.empty((B, H, T, 1), q.dtype)))"),
    ),
    *planted("kernels/cpu.py", "fast cross_entropy",
        ("may overflow",                      "powers = rows - rows.max(-1, keepdims=True)", "powers = rows * 1"),
        ("maximum of the whole batch",        "rows.max(-1, keepdims=True)",           "rows.max()"),
        ("logits are changed in place",       "powers = rows - rows.max(-1, keepdims=True)", "powers = np.subtract(rows, rows.max(-1, keepdims=True), out=rows)"),
        ("sum, not mean",                     "share = np.arange(len(flat)), 1 / len(flat)", "share = np.arange(len(flat)), 1.0"),
        ("ignore is not declined",            "if ignore is not None or label_smoothing or logits.size == 0:", "if label_smoothing or logits.size == 0:"),
        ("smoothing is not declined",         "if ignore is not None or label_smoothing or logits.size == 0:", "if ignore is not None or logits.size == 0:"),
        ("targets that are booleans",         'targets.dtype.kind not in "iu"',        'targets.dtype.kind not in "iub"'),
        ("the target takes nothing",          "dlogits[n, flat] -= dlosses",            "dlogits[n, flat] -= 0 * dlosses"),
        ("dloss only for the rest",           "dlogits[n, flat] -= dlosses",            "dlogits[n, flat] -= share"),
        ("the target's index wraps",          "    flat = targets.reshape(-1)\n    n, share", "    flat = targets.reshape(-1) % V\n    n, share"),
    ),
    *planted("kernels/cpu.py", "fast ffn",
        ("every activation is GPT-2's",       'config.activation != "gelu_tanh" or ',  ""),
        ("the shift down is forgotten",       '        y += p["b_down"]\n',           "        pass\n"),
        ("no slope on the way back",          "        du *= slope\n",                ""),
        ("a parameter is changed in place",   "    slope = gelu(h",                     "    p['w_down'] *= 1.0\n    slope = gelu(h"),
        ("db_up is a mean",                   '(("b_up", du), ',                       '(("b_up", du / len(rows)), '),
        ("slope overflows first",             "        s *= square\n        s *= x\n",  "        square *= x\n        s *= square\n"),
        ("shapes are not checked",            "x.shape[-1] != C or any(a.shape != shapes[name] for name, a in p.items())", "x.shape[-1] != C"),
        ("dw_up and dw_down from x",          '"w_down": h.T @ dy_rows}',              '"w_down": np.tanh(h).T @ dy_rows}'),
        ("0.0447 for 0.044715",               "0.044715",                              "0.0447"),
        ("3 of the derivative forgotten",     "square *= 6 * c * a",                   "square *= 2 * c * a"),
        ("slope without cdf",                 "        s += cdf  #",                   "        s += 0 * cdf  #"),
        ("the shift is added to block one",   "        if b is not None:",             "        if b is not None and i.start == 0:"),
    ),
    *planted("kernels/cpu.py", "memory",
        ("layer_norm keeps x",                "return dx.reshape(shape), dg, db",      "return dx.reshape(x.shape), dg, db"),
        ("attention keeps q",                 "dq, dk, dv = heads_like(scaled)",       "dq, dk, dv = heads_like(q)"),
        ("cross_entropy keeps the logits",    "dlogits.reshape(*targets.shape, V)",    "dlogits.reshape(logits.shape)"),
    ),
    *planted("kernels/one_token.py", "one token",
        ("without a cache too",               "if cache is None or T != 1",            "if T != 1"),
        ("any number of tokens",              " or T != 1 or ",                        " or "),
        ("chance is not declined",            " or rng is not None",                   ""),
        ("padding is not declined",           " or key_padding_mask is not None",      ""),
        ("nothing is not declined",           " or x.size == 0",                       ""),
        ("post-norm is pre-norm",             'config.norm != "pre" or ',              ""),
        ("every activation is GPT-2's",       ' or config.activation != "gelu_tanh"',  ""),
        ("integers are not declined",         ' or x.dtype.kind != "f"',               ""),
        ("positions are not checked",         "        if positions.shape not in ((1,), (B, 1)):\n            return None\n", ""),
        ("keys are not turned",               "turned(q, cos, sin), turned(k, cos, sin)", "turned(q, cos, sin), k"),
        ("scale forgotten",                   "    weights *= 1 / math.sqrt(K)\n",     ""),
        ("may overflow",                      "    weights -= np.maximum.reduce(weights, axis=-1, keepdims=True)\n", ""),
        ("not divided",                       "    weights /= np.add.reduce(weights, axis=-1, keepdims=True)\n", ""),
        ("the stream is not added to",        "    stream += projected(",              "    stream = projected("),
        ("x is changed in place",             "stream = stream + projected(",          "stream += projected("),
        ("eps forgotten for one sequence",    "np.dot(y[0], y[0]) * share + eps",      "np.dot(y[0], y[0]) * share"),
        ("eps forgotten for several",         "np.vecdot(y, y) * share + eps",         "np.vecdot(y, y) * share"),
        ("no shift in the norm",              '    y += p["b"]\n',                     ""),
        ("no shift in the maps",              '    if "b_" + name in p:\n',            "    if False:\n"),
        ("0.0447 for 0.044715",               "0.044715",                              "0.0447"),
        ("the other sign",                    "np.concatenate([-sin, sin], -1)",       "np.concatenate([sin, -sin], -1)"),
        ("speeds fall half as fast",          "-math.log(base) / half",                "-math.log(base) / K"),
        ("halves are not exchanged",          "np.concatenate([x[..., half:], x[..., :half]], -1)", "x.copy()"),
        ("backward gives nothing",            'raise ValueError("a pass',              'return str("a pass'),
    ),
    *planted("backend.py", "plain",
        ("it has no effect",                  "None if _plain or not arrays else",      "None if not arrays else"),
        ("it is not ended by an error",       "    try:\n        yield\n    finally:\n        _plain -= 1", "    yield\n    _plain -= 1"),
        ("the inner one ends the outer",      "    finally:\n        _plain -= 1",     "    finally:\n        _plain = 0"),
        ("float64 has fast versions",         "    if x.dtype != np.float32:\n        return None\n", ""),
        ("arrays must come first",            "None if _plain or not arrays else",     "None if _plain else"),
        ("a fast version may not decline",    "if answer is None else answer",         "if fast is None else answer"),
    ),
    *planted("check.py", "using",
        ("it does not imply plain",           "        with plain():\n            yield", "        yield"),
    ),
    # The scaling part; each file with its own tests, which stand in OWN.
    *planted("rung.py", "rung",
        ("cooldown one step late",            "self.steps(D) - round(self.cooldown * self.steps(D))", "self.steps(D) + 1 - round(self.cooldown * self.steps(D))"),
        ("a branch goes on from the last",    "            optimizer.take_back(trunk)\n            status", "            status"),
        ("narrow models learn slower",        "WIDTH / rung.width if",             "rung.width / WIDTH if"),
        ("all widths at one rate",            "if rung.per_width else 1.0",        "if False else 1.0"),
        ("old tokens begin one step early",   "return (step - 1) %",               "return step %"),
        ("diverged only far above guessing",  "not loss <= math.log",              "not loss <= 10 * math.log"),
        ("a curve holds other branches",      "del curve[beginning:]",             "del curve[:0]"),
        ("unclipped",                         "norm = clip(self.dw, self.clip)",   "norm = clip(self.dw, None)"),
        ("tables too small",                  "*= 0.3 / 0.02",                     "*= 1.0"),
    ),
    *planted("exam.py", "exam",
        ("entropy of the law left in",        " - self.entropies[i : i + at_once]", ""),
        ("the floor twice",                   "else self.floor + float(",          "else 2 * self.floor + float("),
    ),
    *planted("spectral.py", "spectral",
        ("variance of the parts left",        "return a / a.std()",                "return a"),
        ("before and last exchanged",         "p.last * last + p.before * before[:, None]", "p.before * last + p.last * before[:, None]"),
        ("all regularities of one size",      "** -p.decay).reshape",              "** -0.0).reshape"),
    ),
    *planted("facts.py", "facts",
        ("a value costs nothing",             "+ value_entropy(self.parameters)) / 3", ") / 3"),
        ("noise is never right",              "= noise / V",                       "= noise / (V - 1)"),
        ("another exponent",                  "self.s / (1 + self.s)",             "self.s / (2 + self.s)"),
        ("keys by their table, not rank",     "self.keys[ranks], noisy",           "ranks, noisy"),
    ),
    *planted("plan.py", "plan",
        ("a trunk for each run",              "step * each.steps_in_all()",        "step * sum(map(each.steps, each.tokens))"),
        ("a second seed for every width",     "for w, seeds in self.more_seeds.items()", "for w in self.widths for seeds in self.more_seeds.values()"),
        ("words for numbers",                 'object.__setattr__(self, "model", model)', "pass"),
    ),
    *planted("ladder.py", "ladder",
        ("failed runs are not tried again",   'for row in rows if row["status"] != "failed"}', "for row in rows}"),
        ("seeds are one run",                 '("language", "width", "seed", "D")]', '("language", "width", "D")]'),
        ("half a line stays",                 "if whole < len(data):",             "if False:"),
        ("a run is written twice",            "if D not in made:",                 "if True:"),
    ),
    *planted("surface.py", "surface",
        ("the mean for the sum",              "return descent.huber(residuals, path(estimator, delta)[-1])[0].sum(-1)", "return descent.huber(residuals, path(estimator, delta)[-1])[0].mean(-1)"),
    ),
    *planted("scaling.py", "scaling",
        ("size grows with its own exponent",  "return self.beta / (self.alpha",    "return self.alpha / (self.alpha"),
        ("G upside down",                     "(self.alpha * self.A / (self.beta * self.B))", "(self.beta * self.B / (self.alpha * self.A))"),
    ),
    *planted("bootstrap.py", "bootstrap",
        ("a new run has no noise",            "np.exp(noise + seed_noise",         "np.exp(seed_noise"),
        ("rows are drawn, not groups",        "rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups))[groups]", "rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)))"),
        ("an interval of one side",           "[(1 - level) / 2, (1 + level) / 2], axis=0", "[0, level], axis=0"),
        ("residuals not enlarged",            "(rows / spare) ** 0.5",             "1.0"),
    ),
    *planted("isoflop.py", "isoflop",
        ("the minimum twice as far",          "place = -b / (2 * a)",              "place = -b / a"),
        ("equal runs are both efficient",     "efficient[order] = loss[order] <",  "efficient[order] = loss[order] <="),
        ("never off centre",                  "> math.log(CENTRED)",               "> 100 * CENTRED"),
        ("the last of a budget",              "N[g[loss[g].argmin()]]",            "N[g[-1]]"),
    ),
    *planted("gamma.py", "gamma",
        ("the bend upside down",              "(first ** (1 / self.gamma) + second ** (1 / self.gamma)) ** self.gamma", "(first ** self.gamma + second ** self.gamma) ** (1 / self.gamma)"),
        ("always misspecified",               "return not self.interval[0] <= 1",  "return not self.interval[0] <= 0"),
    ),
    *planted("registration.py", "registration",
        ("half the fine",                     "2 / (1 - level) * outside",         "1 / (1 - level) * outside"),
        ("a seal is not looked at",           'if whole.get("sha256") != _digest(body):', "if False:"),
        ("afterwards is early enough",        "if finished <= registered:",        "if False:"),
        ("of the loss, for of the reducible", "100 * error / (truth - floor)",     "100 * error / truth"),
        ("a fitted run may be predicted",     'if [float(run[name]) for name in ("N", "D", "loss")] in', "if False and [] in"),
        ("a prediction is made over",         "    if path.exists():\n        raise FileExistsError", "    path.unlink(missing_ok=True)\n    if path.exists():\n        raise FileExistsError"),
        ("the ruler along all runs",          "efficient = np.flatnonzero(isoflop.frontier(C, loss))", "efficient = np.arange(len(C))"),
    ),
    *planted("wager.py", "wager",
        ("the floor is forgotten",            'floor = {} if about["floor"] is None else {"floor": about["floor"]}', "floor = {}"),
        ("any seed will do",                  'for key in ("language", "width", "seed"))', 'for key in ("language", "width"))'),
        ("runs that are there twice",         "key not in wanted or first[key] != i for", "key not in wanted for"),
        ("a table without signs",             """f"{worth['error_percent']:.2f}",""", """f"{abs(worth['error_percent']):.2f}","""),
    ),
    *planted("lawplot.py", "lawplot",
        ("residuals upside down",             "np.log(loss[mine] / law.loss(size, D[mine]))", "np.log(law.loss(size, D[mine]) / loss[mine])"),
        ("runs with their floor",             "above.scatter(D[mine], loss[mine] - law.E,", "above.scatter(D[mine], loss[mine],"),
        ("a parabola of half the bend",       "bowl.curvature / 2 * np.log",       "bowl.curvature / 4 * np.log"),
    ),
    *planted("cone.py", "cone",
        ("the star in another place",         "ax.scatter([along[-1]], [truth]",   "ax.scatter([along[0]], [truth]"),
        ("the 80 % in the place of the 95 %", "low, high = ends[i], ends[-1 - i]", "low, high = ends[1], ends[-2]"),
        ("a smaller run has a cone",          "if not 6 * N * D > C.max():",       "if False:"),
    ),
    *planted("panels/fitlab.py", "fitlab",
        ("always many starts",                'if starts == "many":',              "if True:"),
        ("one N for both",                    '"N" if counted == COUNTS[0] else "N_all"', '"N"'),
        ("left out is known",                 '"left out": 0.0',                   '"left out": truth'),
        ("all runs for one seed",             '"one seed": seeds == 0',            '"one seed": seeds >= 0'),
    ),
    *planted("bank/law/confounder.py", "confounder",
        ("blocks alone counted",              'ladder(first, N="N_all")',          "ladder(first)"),
        ("the worst of three seeds",          "np.min([each.loss",                 "np.max([each.loss"),
        ("seed 1 for the quick ladder",       '"nothing": quick[0]',               '"nothing": quick[1]'),
    ),
]
# fmt: on


def copy(folder):
    """What the tests need, in a folder outside the repository."""
    for name in ("minillm", "tests"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(REPOSITORY / "pyproject.toml", folder)


def run(folder, tests, parity=False, seconds=600):
    """The first test that fails in a copy of the repository, or None if all pass."""
    which = "not slow and not gpu" + ("" if parity else " and not parity")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", "-m", which]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | threads | {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # plugins that nothing here needs take most of the start
    try:
        done = subprocess.run(
            command + [f"tests/{name}" for name in tests],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {seconds} seconds"
    if done.returncode in (0, 5):  # all passed, or there was none to run
        return None
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if not found:
        raise RuntimeError(f"pytest ended with {done.returncode} and no failed test:\n{done.stdout}")
    return found.group(1)


def try_one(mutation, clean, tests=None, parity=False):
    """Plant one bug in a copy of `clean` and run the tests there; returns the first that fails, or None."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, "copy")
        shutil.copytree(clean, folder)
        path = folder / "minillm" / mutation.file
        path.write_text(mutation.apply(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        # one file at a time: most bugs die in the first
        for name in tests or nearest_first(mutation.file) + list(PARITY * parity):
            if killer := run(folder, [name], parity=parity):
                return killer
    return None


def nearest_first(file):
    """TESTS, beginning with those of this file (the cache has none of its own); or its OWN alone."""
    if file in OWN:
        return [*OWN[file]]
    elsewhere = {"cache.py": "test_gpt.py", "kernels/one_token.py": "test_one_token.py"}
    nearest = elsewhere.get(file, f"test_{file.replace('/', '_')}")
    return sorted(TESTS, key=lambda name: name != nearest)


def main():
    parser = argparse.ArgumentParser(description="Plant one bug at a time in a copy of the library and run the tests.")
    parser.add_argument("word", nargs="*", help="only mutations with one of these words in their name")
    parser.add_argument("--list", action="store_true", help="print their names and stop")
    parser.add_argument(
        "--parity", action="store_true", help="run the tests against PyTorch, Transformers and CuPy too"
    )
    asked = parser.parse_args()
    chosen = [m for m in MUTATIONS if not asked.word or any(word in m.name for word in asked.word)]
    if not chosen:
        sys.exit(f"no mutation has {' or '.join(asked.word)} in its name; --list shows them all.")
    if asked.list:
        print(*(m.name for m in chosen), sep="\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        clean = pathlib.Path(folder, "clean")
        clean.mkdir()
        copy(clean)
        needed = sorted({name for mutation in chosen for name in nearest_first(mutation.file)})
        if failed := run(clean, (*needed, *PARITY * asked.parity), parity=asked.parity):
            sys.exit(f"without any bug {failed} fails already; repair that first.")
        survived = []
        for i, mutation in enumerate(chosen, start=1):
            start = time.perf_counter()
            killer = try_one(mutation, clean, parity=asked.parity)
            if killer is None and not mutation.nothing:
                survived.append(mutation)
            verdict = "killed " if killer else "nothing" if mutation.nothing else "SURVIVED"
            seconds = f"{time.perf_counter() - start:.0f} s"
            remark = killer or mutation.nothing
            print(f"{i}/{len(chosen)} {seconds}  {verdict}  {mutation.name}  {remark}", flush=True)
    nothing = sum(bool(m.nothing) for m in chosen)
    print(
        f"{len(chosen)} planted, {nothing} of them change nothing, {len(survived)} survived"
        + "".join(f"\n  {m.name}" for m in survived)
    )
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
