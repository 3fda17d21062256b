"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import dataclasses
import math
from collections import Counter, OrderedDict, defaultdict
from fractions import Fraction

import numpy as np
from scipy import sparse

from minillm import checkpoints, gpt, layers, trees

# Parameters.  `counted` is what most of the wrong answers have right.


def counted(config, **instead):
    V, N, L, C, F = config.vocab_size, config.n_ctx, config.n_layer, config.width, config.ffn_width
    found = {
        "embedding": V * C + N * C * (config.positions == "learned"),
        "projections": L * (4 * C * C + 4 * C * config.bias),
        "ffn": L * (2 * C * F + (F + C) * config.bias),
        "norms": L * 4 * C + 2 * C * (config.norm == "pre"),
        "output": 0 if config.tied else V * C,
    } | instead
    return {"total": sum(found.values())} | found


def one_block(config):
    L = config.n_layer
    right = counted(config)
    return counted(config, projections=right["projections"] // L, ffn=right["ffn"] // L)


def as_gpt2(config):
    return counted(dataclasses.replace(config, positions="learned", norm="pre", tied=True, bias=True))


def biased_readout(config):
    return counted(config, output=0 if config.tied else config.vocab_size * (config.width + 1))


def rotary_has_a_table(config):
    table = config.n_ctx if config.positions != "none" else 0
    return counted(config, embedding=(config.vocab_size + table) * config.width)


def always_a_last_norm(config):
    return counted(config, norms=(2 * config.n_layer + 1) * 2 * config.width)


def no_last_norm(config):
    return counted(config, norms=4 * config.n_layer * config.width)


def one_norm_a_block(config):
    return counted(config, norms=2 * config.width * (config.n_layer + (config.norm == "pre")))


def gains_without_shifts(config):
    return counted(config, norms=config.width * (2 * config.n_layer + (config.norm == "pre")))


def bias_takes_shifts_of_norms(config):
    norms = counted(config)["norms"]
    return counted(config, norms=norms if config.bias else norms // 2)


def every_head_full_width(config):
    C, H = config.width, config.n_head
    each = 3 * H * (C * C + C * config.bias) + C * C + C * config.bias
    return counted(config, projections=config.n_layer * each)


def three_maps(config):
    C = config.width
    return counted(config, projections=config.n_layer * 3 * (C * C + C * config.bias))


def always_four_times(config):
    C = config.width
    return counted(config, ffn=config.n_layer * (8 * C * C + 5 * C * config.bias))


def no_shift_of_down(config):
    C, F = config.width, config.ffn_width
    return counted(config, ffn=config.n_layer * (2 * C * F + F * config.bias))


def biases_always(config):
    C, F, L = config.width, config.ffn_width, config.n_layer
    return counted(config, projections=L * 4 * (C * C + C), ffn=L * (2 * C * F + F + C))


def readout_always(config):
    return counted(config, output=config.vocab_size * config.width)


def tied_the_wrong_way_round(config):
    return counted(config, output=config.vocab_size * config.width * config.tied)


def total_without_output(config):
    found = counted(config)
    return found | {"total": found["total"] - found["output"]}


def mask_too(config):
    found = counted(config)
    return found | {"total": found["total"] + config.n_layer * config.n_ctx**2}


def total_alone(config):
    return counted(config)["total"]


def in_millions(config):
    return {part: round(n / 1e6, 1) for part, n in counted(config).items()}


def text_with_commas(config):
    return {part: f"{n:,}" for part, n in counted(config).items()}


def names_of_another_library(config):
    return counted(config, projections=4 * config.n_layer * config.n_embd**2)


KEPT = Counter()


def one_counter_for_all(config):
    KEPT.update(counted(config))
    return KEPT


def forgets_to_return(config):
    counted(config)


def branches(config):
    V, C, F = config.vocab_size, config.width, config.ffn_width
    out = {"embedding": V * C, "projections": 0, "ffn": 0, "norms": 0, "output": 0}
    if config.positions == "learned":
        out["embedding"] += config.n_ctx * C
    for _ in range(config.n_layer):
        out["projections"] += 4 * C**2
        out["ffn"] += C * F + F * C
        out["norms"] += 2 * C + 2 * C
        if config.bias:
            out["projections"] += 4 * C
            out["ffn"] += F + C
    if config.norm == "pre":
        out["norms"] += 2 * C
    if not config.tied:
        out["output"] += V * C
    out["total"] = sum(out.values())
    return out


def weigh_the_model(config):
    part_of = {"tokens": "embedding", "positions": "embedding", "attn": "projections", "unembed": "output"}
    out = dict.fromkeys(("embedding", "projections", "ffn", "norms", "output", "total"), 0)
    for path, a in trees.leaves(gpt.init(config, np.random.default_rng(0))):
        name = path.split(".")[2 if path.startswith("blocks") else 0]
        out[part_of.get(name, "norms" if "norm" in name else name)] += a.size
        out["total"] += a.size
    return out


def from_a_checkpoint(config):
    out = Counter(embedding=0, projections=0, ffn=0, norms=0, output=0)
    for path, shape in checkpoints.shapes(config).items():
        if "norm" in path:
            part = "norms"
        elif "attn" in path:
            part = "projections"
        elif "ffn" in path:
            part = "ffn"
        else:
            part = "output" if path == "unembed" else "embedding"
        out[part] += math.prod(shape)
    out["total"] = out.total()
    return out


def matrix_of_sizes(config):
    V, N, L, C, F = config.vocab_size, config.n_ctx, config.n_layer, config.width, config.ffn_width
    learned, pre, untied = config.positions == "learned", config.norm == "pre", not config.tied
    #                 VC, NC, LCC, LCF, LC, LF, C
    rows = np.array(
        [
            [1, learned, 0, 0, 0, 0, 0],
            [0, 0, 4, 0, 4 * config.bias, 0, 0],
            [0, 0, 0, 2, config.bias, config.bias, 0],
            [0, 0, 0, 0, 4, 0, 2 * pre],
            [untied, 0, 0, 0, 0, 0, 0],
        ]
    )
    found = rows @ np.array([V * C, N * C, L * C * C, L * C * F, L * C, L * F, C])
    names = ("embedding", "projections", "ffn", "norms", "output", "total")
    return dict(zip(names, np.append(found, found.sum()), strict=True))


def head_by_head(config):
    C, H = config.width, config.n_head
    K = C // H
    linear = lambda m, n: m * n + (n if config.bias else 0)
    heads = sum(3 * linear(C, K) for _ in range(H))
    return OrderedDict(sorted(counted(config, projections=config.n_layer * (heads + linear(C, C))).items()))


@dataclasses.dataclass
class Size:
    embedding: int
    projections: int
    ffn: int
    norms: int
    output: int
    total: int = 0

    def __post_init__(self):
        self.total = sum(dataclasses.astuple(self))


def dataclass_as_dict(config):
    c, L, bias = config.width, config.n_layer, int(config.bias)
    tables = [config.vocab_size] + [config.n_ctx] * (config.positions == "learned")
    return dataclasses.asdict(
        Size(
            c * sum(tables),
            4 * L * c * (c + bias),
            L * (config.ffn_width * (c + bias) + c * (config.ffn_width + bias)),
            2 * c * (2 * L + {"pre": 1, "post": 0}[config.norm]),
            (1 - config.tied) * config.vocab_size * c,
        )
    )


def whole_floats(config):
    return {part: float(n) for part, n in counted(config).items()}


# FLOPs.  `spent` is what most of the wrong answers have right.


def spent(config, n_tokens=None, **instead):
    T = config.n_ctx if n_tokens is None else n_tokens
    V, L, C, F = config.vocab_size, config.n_layer, config.width, config.ffn_width
    found = {
        "embedding": 0,
        "projections": 8 * L * C * C,
        "attention": 4 * L * T * C,
        "ffn": 4 * L * C * F,
        "output": 2 * C * V,
    } | instead
    found["total"] = sum(found.values())
    return found


def both_ways(found):
    return {part: {"forward": n, "backward": 2 * n} for part, n in found.items()}


def as_you_would(config, n_tokens=None):
    return both_ways(spent(config, n_tokens))


def one_for_both(config, n_tokens=None):
    return both_ways({part: n // 2 for part, n in spent(config, n_tokens).items()})


def free_readout(config, n_tokens=None):
    return both_ways(spent(config, n_tokens, output=0 if config.tied else 2 * config.width * config.vocab_size))


def half_is_masked(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, attention=2 * config.n_layer * (T + 1) * config.width))


def scores_only(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, attention=2 * config.n_layer * T * config.width))


def whole_text(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways({part: n * T for part, n in spent(config, n_tokens).items()})


def quadratic_attention(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, attention=4 * config.n_layer * T * T * config.width))


def times_the_heads(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, attention=4 * config.n_layer * config.n_head * T * config.width))


def one_head_alone(config, n_tokens=None):
    T, K = n_tokens or config.n_ctx, config.width // config.n_head
    return both_ways(spent(config, n_tokens, attention=4 * config.n_layer * T * K))


def always_the_context(config, n_tokens=None):
    return both_ways(spent(config))


def never_the_context(config, n_tokens=128):
    return both_ways(spent(config, n_tokens))


def one_block_of_work(config, n_tokens=None):
    return both_ways(spent(dataclasses.replace(config, n_layer=1), n_tokens))


def readout_in_each_block(config, n_tokens=None):
    return both_ways(spent(config, n_tokens, output=2 * config.n_layer * config.width * config.vocab_size))


def back_as_there(config, n_tokens=None):
    return {part: {"forward": n, "backward": n} for part, n in spent(config, n_tokens).items()}


def back_three_times(config, n_tokens=None):
    return {part: {"forward": n, "backward": 3 * n} for part, n in spent(config, n_tokens).items()}


def no_weights_no_second_product(config, n_tokens=None):
    found = as_you_would(config, n_tokens)
    n = found["attention"]["forward"]
    found["attention"]["backward"] = n
    found["total"]["backward"] -= n
    return found


def gradient_of_the_look_up(config, n_tokens=None):
    found, n = as_you_would(config, n_tokens), 2 * config.vocab_size * config.width
    found["embedding"]["backward"] = n
    found["total"]["backward"] += n
    return found


def look_up_by_product(config, n_tokens=None):
    return both_ways(spent(config, n_tokens, embedding=2 * config.vocab_size * config.width))


def shifts_too(config, n_tokens=None):
    L, C, F = config.n_layer, config.width, config.ffn_width
    right, b = spent(config, n_tokens), int(config.bias)
    return both_ways(
        spent(config, n_tokens, projections=right["projections"] + 4 * L * C * b, ffn=right["ffn"] + L * (F + C) * b)
    )


def softmax_too(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, attention=config.n_layer * T * (4 * config.width + 3 * config.n_head)))


def rule_of_thumb(config, n_tokens=None):
    return {part: {"forward": 2 * n, "backward": 4 * n} for part, n in counted(config).items() if part != "norms"}


def one_ffn_map(config, n_tokens=None):
    return both_ways(spent(config, n_tokens, ffn=2 * config.n_layer * config.width * config.ffn_width))


def four_times_the_width(config, n_tokens=None):
    return both_ways(spent(config, n_tokens, ffn=16 * config.n_layer * config.width**2))


def last_position_only(config, n_tokens=None):
    T = n_tokens or config.n_ctx
    return both_ways(spent(config, n_tokens, output=2 * config.width * config.vocab_size / T))


def plain_tuples(config, n_tokens=None):
    return {part: (n, 2 * n) for part, n in spent(config, n_tokens).items()}


def there_and_back_above(config, n_tokens=None):
    found = spent(config, n_tokens)
    return {"forward": found, "backward": {part: 2 * n for part, n in found.items()}}


def total_of_one_way(config, n_tokens=None):
    found = as_you_would(config, n_tokens)
    return found | {"total": sum(found["total"].values())}


def list_of_products(config, n_tokens=None):
    T = config.n_ctx if n_tokens is None else n_tokens
    V, C, F, H = config.vocab_size, config.width, config.ffn_width, config.n_head
    K = C // H
    products = [("projections", T, C, C)] * 4 + [("attention", T, K, T), ("attention", T, T, K)] * H
    products = (products + [("ffn", T, C, F), ("ffn", T, F, C)]) * config.n_layer + [("output", T, C, V)]
    parts = ("embedding", "projections", "attention", "ffn", "output", "total")
    out = {part: {"forward": 0, "backward": 0} for part in parts}
    for part, m, k, n in products:
        for name in (part, "total"):
            out[name]["forward"] += 2 * m * k * n
            out[name]["backward"] += 2 * m * n * k + 2 * k * m * n  # dA = dY B^T, dB = A^T dY
    return {part: {way: n / T for way, n in ways.items()} for part, ways in out.items()}


class Watched(np.ndarray):
    """An array that notes what each @ costs."""

    bill = Counter()
    part = None

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        bare = [np.asarray(a) for a in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(a) for a in out)
        result = getattr(ufunc, method)(*bare, **options)
        if ufunc is np.matmul:
            Watched.bill[self.part or "?"] += 2 * result.size * bare[0].shape[-1]
        return result.view(Watched) if isinstance(result, np.ndarray) else result


def watch_a_text(config, n_tokens=None):
    T = config.n_ctx if n_tokens is None else n_tokens
    C, F, H = config.width, config.ffn_width, config.n_head
    ones = lambda *shape: np.ones(shape).view(Watched)
    Watched.bill = Counter()
    for _ in range(config.n_layer):
        Watched.part, x = "projections", ones(T, C)
        q, k, v = (x @ ones(C, C) for _ in range(3))
        Watched.part = "attention"
        heads = [np.hsplit(z, H) for z in (q, k, v)]
        mixed = [(q @ k.T) @ v for q, k, v in zip(*heads, strict=True)]
        Watched.part, x = "projections", np.hstack(mixed).view(Watched)
        x = x @ ones(C, C)
        Watched.part = "ffn"
        x = (x @ ones(C, F)) @ ones(F, C)
    Watched.part = "output"
    ones(T, C) @ ones(config.vocab_size, C).T
    Watched.part = None
    there = {part: Watched.bill[part] // T for part in ("embedding", "projections", "attention", "ffn", "output")}
    return both_ways(there | {"total": sum(there.values())})


def from_the_weights(config, n_tokens=None):
    shapes = checkpoints.shapes(dataclasses.replace(config, tied=False, bias=False))
    cost = defaultdict(int)
    for path, shape in shapes.items():
        part = "projections" if ".attn." in path else "ffn" if ".ffn." in path else "output"
        if path == "unembed" or part != "output":
            cost[part] += 2 * math.prod(shape)
    cost["attention"] = 2 * 2 * (n_tokens or config.n_ctx) * config.width * config.n_layer
    cost["embedding"] = 0
    cost["total"] = sum(cost.values())
    return {part: dict(zip(("forward", "backward"), (n, n + n), strict=True)) for part, n in cost.items()}


def numpy_numbers(config, n_tokens=None):
    T = np.int64(config.n_ctx if n_tokens is None else n_tokens)
    L, C = config.n_layer, config.width
    there = np.array([0, 4 * C * C * L, 2 * T * C * L, 2 * C * config.ffn_width * L, C * config.vocab_size]) * 2
    table = np.stack([there, 2 * there], axis=1)
    table = np.vstack([table, table.sum(0)])
    names = "embedding projections attention ffn output total".split()
    return {name: {"forward": row[0], "backward": row[1]} for name, row in zip(names, table, strict=True)}


def fractions_of_six(config, n_tokens=None):
    out = OrderedDict()
    out["total"] = {"backward": 0, "forward": 0}
    for part, n in spent(config, n_tokens).items():
        whole = 3 * n
        out[part] = {"backward": Fraction(2, 3) * whole, "forward": Fraction(1, 3) * whole}
    return out


def floats_throughout(config, n_tokens=None):
    T = float(n_tokens or config.n_ctx)
    K = config.width / config.n_head
    scores = config.n_head * 2 * T * K * T
    found = spent(config, n_tokens, attention=config.n_layer * 2 * scores / T)
    return {part: {"forward": 1.0 * n, "backward": 2.0 * n} for part, n in found.items()}


# Tied logits.  The table's gradient has a part of each end, and most of the wrong answers put them together wrongly.


def with_ends(join):
    """A tied_logits whose gradient of the table is join(bottom, top), with top as it lies, (C, V)."""

    def tied_logits(stack, tokens, p, *, ids):
        x, back_tokens = layers.embedding(tokens, ids=ids)
        h, back = stack(x, p)
        logits, back_readout = layers.linear(h, tokens.T)

        def backward(dlogits):
            dh, top = back_readout(dlogits)
            dx, dp = back(dh)
            return join(back_tokens(dx), top), dp

        return logits, backward

    return tied_logits


three_layers = with_ends(lambda bottom, top: bottom + top.T)
look_up_only = with_ends(lambda bottom, top: bottom)
readout_only = with_ends(lambda bottom, top: top.T.copy())
not_turned = with_ends(lambda bottom, top: bottom + top)
reshaped = with_ends(lambda bottom, top: bottom + top.reshape(bottom.shape))
mean_of_both = with_ends(lambda bottom, top: (bottom + top.T) / 2)
difference = with_ends(lambda bottom, top: bottom - top.T)
only_rows_that_were_read = with_ends(lambda bottom, top: bottom + top.T * bottom.any(-1, keepdims=True))
lies_on_its_side = with_ends(lambda bottom, top: bottom.T + top)
one_over_the_other = with_ends(lambda bottom, top: np.where(bottom != 0, bottom, top.T))
pair_of_ends = with_ends(lambda bottom, top: (bottom, top.T))


def top(h, dlogits):
    return dlogits.reshape(-1, dlogits.shape[-1]).T @ h.reshape(-1, h.shape[-1])


def repeats_lost(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)

    def backward(dlogits):
        dtokens = top(h, dlogits)
        dx, dp = back(dlogits @ tokens)
        dtokens[ids] += dx
        return dtokens, dp

    return h @ tokens.T, backward


def rows_replaced(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)

    def backward(dlogits):
        dtokens = top(h, dlogits)
        dx, dp = back(dlogits @ tokens)
        dtokens[ids] = dx
        return dtokens, dp

    return h @ tokens.T, backward


def x_for_h(stack, tokens, p, *, ids):
    x, back_tokens = layers.embedding(tokens, ids=ids)
    h, back = stack(x, p)

    def backward(dlogits):
        dx, dp = back(dlogits @ tokens)
        return back_tokens(dx) + top(x, dlogits), dp

    return h @ tokens.T, backward


def around_the_stack(stack, tokens, p, *, ids):
    x, back_tokens = layers.embedding(tokens, ids=ids)
    h, back = stack(x, p)

    def backward(dlogits):
        dh = dlogits @ tokens
        _, dp = back(dh)
        return back_tokens(dh) + top(h, dlogits), dp

    return h @ tokens.T, backward


def as_a_residual(stack, tokens, p, *, ids):
    x, back_tokens = layers.embedding(tokens, ids=ids)
    h, back = stack(x, p)

    def backward(dlogits):
        dh = dlogits @ tokens
        dx, dp = back(dh)
        return back_tokens(dx + dh) + top(h, dlogits), dp

    return h @ tokens.T, backward


def first_text_only(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)

    def backward(dlogits):
        dtokens = dlogits[0].T @ h[0]
        dx, dp = back(dlogits @ tokens)
        np.add.at(dtokens, ids, dx)
        return dtokens, dp

    return h @ tokens.T, backward


def mean_over_positions(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)

    def backward(dlogits):
        dtokens = top(h, dlogits) / ids.size
        dx, dp = back(dlogits @ tokens)
        np.add.at(dtokens, ids, dx)
        return dtokens, dp

    return h @ tokens.T, backward


def table_not_turned(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)
    return h @ tokens, lambda dlogits: (top(h, dlogits), back(dlogits @ tokens)[1])


def reads_out_x(stack, tokens, p, *, ids):
    x, back_tokens = layers.embedding(tokens, ids=ids)
    h, back = stack(x, p)
    logits, back_readout = layers.linear(x, tokens.T)

    def backward(dlogits):
        dh, dtop = back_readout(dlogits)
        dx, dp = back(dh)
        return back_tokens(dx) + dtop.T, dp

    return logits, backward


def softmax_at_the_end(stack, tokens, p, *, ids):
    logits, back = three_layers(stack, tokens, p, ids=ids)
    shares, back_softmax = layers.softmax(logits)
    return shares, lambda dshares: back(back_softmax(dshares))


def dp_first(stack, tokens, p, *, ids):
    logits, back = three_layers(stack, tokens, p, ids=ids)
    return logits, lambda dlogits: back(dlogits)[::-1]


def table_alone(stack, tokens, p, *, ids):
    logits, back = three_layers(stack, tokens, p, ids=ids)
    return logits, lambda dlogits: back(dlogits)[0]


def one_tree(stack, tokens, p, *, ids):
    logits, back = three_layers(stack, tokens, p, ids=ids)

    def backward(dlogits):
        dtokens, dp = back(dlogits)
        return {"tokens": dtokens} | dp

    return logits, backward


def into_the_table(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)
    logits = h @ tokens.T

    def backward(dlogits):
        dx, dp = back(dlogits @ tokens)
        tokens[:] = top(h, dlogits)
        np.add.at(tokens, ids, dx)
        return tokens, dp

    return logits, backward


GRADIENTS = {}


def never_cleared(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)
    dtokens = GRADIENTS.setdefault(tokens.shape, np.zeros(tokens.shape))

    def backward(dlogits):
        dx, dp = back(dlogits @ tokens)
        dtokens[:] += top(h, dlogits)
        np.add.at(dtokens, ids, dx)
        return dtokens.copy(), dp

    return h @ tokens.T, backward


def one_memory_for_all(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)
    one_memory_for_all.kept = h, back, ids

    def backward(dlogits):
        h, back, ids = one_memory_for_all.kept
        dx, dp = back(dlogits @ tokens)
        dtokens = top(h, dlogits)
        np.add.at(dtokens, ids, dx)
        return dtokens, dp

    return h @ tokens.T, backward


def stack_not_unpacked(stack, tokens, p, *, ids):
    x, _ = layers.embedding(tokens, ids=ids)
    h = stack(x, p)
    return layers.linear(h, tokens.T)


def add_at(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)

    def backward(dlogits):
        dx, dp = back(dlogits @ tokens)
        dtokens = top(h, dlogits)
        np.add.at(dtokens, ids, dx)
        return dtokens, dp

    return h @ tokens.T, backward


def ones_and_zeros(stack, tokens, p, *, ids):
    hot = (ids[..., None] == np.arange(len(tokens))).astype(tokens.dtype)
    h, back = stack(hot @ tokens, p)

    def backward(dlogits):
        dx, dp = back(np.einsum("btv,vc->btc", dlogits, tokens))
        return np.einsum("btv,btc->vc", hot, dx) + np.einsum("btv,btc->vc", dlogits, h), dp

    return np.einsum("btc,vc->btv", h, tokens), backward


def loops(stack, tokens, p, *, ids):
    B, T = ids.shape
    x = np.array([[tokens[i] for i in row] for row in ids])
    h, back = stack(x, p)
    logits = np.empty((B, T, len(tokens)), tokens.dtype)
    for b, t in np.ndindex(B, T):
        for i, row in enumerate(tokens):
            logits[b, t, i] = row @ h[b, t]

    def backward(dlogits):
        dtokens, dh = np.zeros(tokens.shape, tokens.dtype), np.zeros(h.shape, h.dtype)
        for b, t, i in np.ndindex(dlogits.shape):
            dh[b, t] += dlogits[b, t, i] * tokens[i]
            dtokens[i] += dlogits[b, t, i] * h[b, t]
        dx, dp = back(dh)
        for b, t in np.ndindex(B, T):
            dtokens[ids[b, t]] += dx[b, t]
        return dtokens, dp

    return logits, backward


def two_tables(stack, tokens, p, *, ids):
    def untied(lower, upper):
        x, back_lower = layers.embedding(lower, ids=ids)
        h, back_stack = stack(x, p)
        logits, back_upper = layers.linear(h, np.swapaxes(upper, 0, 1))

        def backward(dlogits):
            dh, dupper = back_upper(dlogits)
            dx, dp = back_stack(dh)
            return back_lower(dx), dupper.swapaxes(0, 1), dp

        return logits, backward

    logits, back = untied(tokens.copy(), tokens.copy())

    def backward(dlogits):
        *ends, dp = back(dlogits)
        return sum(ends), dp

    return logits, backward


def sparse_rows(stack, tokens, p, *, ids):
    (B, T), (V, C) = ids.shape, tokens.shape
    hot = sparse.csr_array((np.ones(B * T, tokens.dtype), (np.arange(B * T), ids.ravel())), shape=(B * T, V))
    h, back = stack((hot @ tokens).reshape(B, T, C), p)
    H = h.reshape(-1, C)

    def backward(dlogits):
        D = dlogits.reshape(-1, V)
        dx, dp = back((D @ tokens).reshape(B, T, C))
        return hot.T @ dx.reshape(-1, C) + D.T @ H, dp

    return (H @ tokens.T).reshape(B, T, V), backward


def counted_channels(stack, tokens, p, *, ids):
    V, C = tokens.shape
    h, back = stack(np.take(tokens, ids, axis=0), p)

    def backward(dlogits):
        dx, dp = back(np.tensordot(dlogits, tokens, 1))
        flat = ids.ravel()
        columns = [np.bincount(flat, dx[..., c].ravel(), minlength=V) for c in range(C)]
        d = np.stack(columns, axis=1) + np.tensordot(dlogits, h, ((0, 1), (0, 1)))
        return d.astype(tokens.dtype), dp

    return np.tensordot(h, tokens.T, 1), backward


def sorted_runs(stack, tokens, p, *, ids):
    h, back = stack(tokens[ids], p)
    order = np.argsort(ids, axis=None, kind="stable")
    rows, starts = np.unique(ids.ravel()[order], return_index=True)

    def backward(dlogits):
        dx, dp = back(dlogits @ tokens)
        dtokens = top(h, dlogits)
        dtokens[rows] += np.add.reduceat(dx.reshape(-1, dx.shape[-1])[order], starts, axis=0)
        return dtokens, dp

    return np.matmul(h, np.transpose(tokens)), backward


class Tied:
    def __init__(self, stack, tokens, ids):
        self.stack, self.tokens, self.ids = stack, tokens, ids

    def forward(self, p):
        self.h, self.back = self.stack(self.tokens[self.ids], p)
        return np.stack([text @ self.tokens.T for text in self.h])

    def __call__(self, dlogits):
        dx, dp = self.back(np.stack([d @ self.tokens for d in dlogits]))
        grad = sum(d.T @ text for d, text in zip(dlogits, self.h, strict=True))
        for i in np.unique(self.ids):
            grad[i] += dx[self.ids == i].sum(axis=0)
        return grad, dp


def small_class(stack, tokens, p, *, ids):
    model = Tied(stack, tokens, ids)
    return model.forward(p), model


COUNT_PARAMETERS = {
    "wrong": [
        ("one block in place of L", one_block),
        ("everything as in GPT-2, whatever the config says", as_gpt2),
        ("the untied read-out has biases", biased_readout),
        ("rotary positions have a table, too", rotary_has_a_table),
        ("a last norm for post-norm, too", always_a_last_norm),
        ("no last norm at all", no_last_norm),
        ("one norm in each block", one_norm_a_block),
        ("norms have gains, and no shifts", gains_without_shifts),
        ("without bias the norms lose their shifts", bias_takes_shifts_of_norms),
        ("every head has maps of the full width", every_head_full_width),
        ("queries, keys and values, but no output map", three_maps),
        ("the hidden width is always 4 C", always_four_times),
        ("w_down has no shifts", no_shift_of_down),
        ("the linear maps always have biases", biases_always),
        ("a tied read-out is counted once more", readout_always),
        ("tied and untied the wrong way round", tied_the_wrong_way_round),
        ("the total leaves out the output", total_without_output),
        ("the total counts the causal masks", mask_too),
        ("the total alone", total_alone),
        ("millions, rounded", in_millions),
        ("texts with commas", text_with_commas),
        ("n_embd, as other libraries call the width", names_of_another_library),
        ("one Counter that is never emptied", one_counter_for_all),
        ("no return", forgets_to_return),
    ],
    "right": [
        ("block by block, with an if for each variant", branches),
        ("the arrays that gpt.init makes", weigh_the_model),
        ("the shapes of a checkpoint, in a Counter", from_a_checkpoint),
        ("a matrix of counts times a vector of sizes, NumPy's integers", matrix_of_sizes),
        ("head by head, in an OrderedDict", head_by_head),
        ("a dataclass turned into a dict", dataclass_as_dict),
        ("whole numbers as floats", whole_floats),
    ],
}
FLOPS_PER_TOKEN = {
    "wrong": [
        ("a multiplication and its addition count as one", one_for_both),
        ("a tied read-out is free", free_readout),
        ("half of the scores, since the mask hides the rest", half_is_masked),
        ("the scores without the averages", scores_only),
        ("of the whole text, not of a token", whole_text),
        ("attention of the whole text, the rest of a token", quadratic_attention),
        ("attention times the heads", times_the_heads),
        ("attention of one head", one_head_alone),
        ("n_tokens is ignored", always_the_context),
        ("128 tokens, if n_tokens is not given", never_the_context),
        ("one block in place of L", one_block_of_work),
        ("a read-out in every block", readout_in_each_block),
        ("backward costs as much as forward", back_as_there),
        ("backward is three times forward", back_three_times),
        ("attention has no weights, so backward costs as much as forward", no_weights_no_second_product),
        ("the look-up has a product on the way back", gradient_of_the_look_up),
        ("the look-up is a product with ones and zeros", look_up_by_product),
        ("the biases are added, too", shifts_too),
        ("softmax is counted, too", softmax_too),
        ("two FLOPs for each parameter, and four", rule_of_thumb),
        ("one of the two maps of the feed-forward layer", one_ffn_map),
        ("the hidden width is always 4 C", four_times_the_width),
        ("only the last position is read out", last_position_only),
        ("pairs as tuples", plain_tuples),
        ("forward and backward above, parts below", there_and_back_above),
        ("the total is one number", total_of_one_way),
    ],
    "right": [
        ("formulas for the way there, doubled for the way back", as_you_would),
        ("a list of products of a whole text, divided by T", list_of_products),
        ("arrays that watch what is multiplied", watch_a_text),
        ("twice the size of each matrix in a checkpoint", from_the_weights),
        ("a table of NumPy's integers", numpy_numbers),
        ("thirds of the whole, as Fractions, backward first", fractions_of_six),
        ("floats throughout", floats_throughout),
    ],
}
TIED_LOGITS = {
    "wrong": [
        ("only the look-up is blamed", look_up_only),
        ("only the read-out is blamed", readout_only),
        ("the read-out's part is added as it lies", not_turned),
        ("the read-out's part is reshaped, not turned", reshaped),
        ("the mean of the two parts", mean_of_both),
        ("the difference of the two parts", difference),
        ("the read-out blames only the rows that were read", only_rows_that_were_read),
        ("the gradient lies on its side", lies_on_its_side),
        ("the look-up's part written over the read-out's", one_over_the_other),
        ("two gradients, not added", pair_of_ends),
        ("dtokens[ids] += dx, so that repeats are lost", repeats_lost),
        ("dtokens[ids] = dx", rows_replaced),
        ("the read-out's part is made of x, not of h", x_for_h),
        ("the look-up is blamed with dh, past the stack", around_the_stack),
        ("dh is added to dx as in a residual", as_a_residual),
        ("the read-out's part of the first text only", first_text_only),
        ("the read-out's part is a mean over the positions", mean_over_positions),
        ("logits = h @ tokens", table_not_turned),
        ("x is read out, not h", reads_out_x),
        ("shares in place of logits", softmax_at_the_end),
        ("backward returns dp, dtokens", dp_first),
        ("backward returns dtokens alone", table_alone),
        ("backward returns one tree", one_tree),
        ("the gradient is written into the table", into_the_table),
        ("the gradient is added to that of the last batch", never_cleared),
        ("one memory for all calls", one_memory_for_all),
        ("the stack's pair is not unpacked", stack_not_unpacked),
    ],
    "right": [
        ("three layers there, three back", three_layers),
        ("np.add.at on top of the read-out's part", add_at),
        ("a product with ones and zeros, and einsum", ones_and_zeros),
        ("loops over texts, positions and rows", loops),
        ("two tables that happen to be equal", two_tables),
        ("a sparse matrix of ones", sparse_rows),
        ("a bincount for each channel", counted_channels),
        ("ids sorted, and their runs added up", sorted_runs),
        ("a small class with __call__", small_class),
    ],
}
ANSWERS = {"count_parameters": COUNT_PARAMETERS, "flops_per_token": FLOPS_PER_TOKEN, "tied_logits": TIED_LOGITS}
NAMED = {"count_parameters": 14, "flops_per_token": 19, "tied_logits": 15}
