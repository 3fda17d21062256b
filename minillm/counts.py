"""Parameters, FLOPs and bytes of a model: exact, by part, from the Config alone."""


def count_parameters(config):
    """The number of parameters of each part, and their total.

    embedding    the token table, and the position table if positions are learned
    projections  queries, keys, values and output of attention
    ffn          the feed-forward layers
    norms        gains and shifts
    output       the read-out, if it has a table of its own (untied)
    """
    V, C, F, L = config.vocab_size, config.width, config.ffn_width, config.n_layer
    b = int(config.bias)
    parts = {
        "embedding": V * C + (config.n_ctx * C if config.positions == "learned" else 0),
        "projections": L * (4 * C * C + b * 4 * C),
        "ffn": L * (2 * C * F + b * (F + C)),
        "norms": L * 4 * C + (2 * C if config.norm == "pre" else 0),
        "output": 0 if config.tied else V * C,
    }
    return parts | {"total": sum(parts.values())}


def flops_per_token(config, n_tokens=None):
    """FLOPs per token of each part, forward and backward, for sequences of n_tokens (n_ctx if not given).

    Returns {part: {"forward": n, "backward": n}, ..., "total": ...}.  A multiplication and an addition count as
    two FLOPs. Products of matrices are counted, the rest (norms, activations, softmax) is not, as in
    arXiv:2001.08361, section 2.1; looking a row up costs nothing, and neither does adding its gradient up (which
    layers.embedding happens to write as a product).  Attention is counted as layers.py computes it,
    all T x T scores, also those that the causal mask then hides.  Each product has two in its backward pass.
    """
    V, C, F, L = config.vocab_size, config.width, config.ffn_width, config.n_layer
    T = config.n_ctx if n_tokens is None else n_tokens
    forward = {
        "embedding": 0,
        "projections": L * 2 * 4 * C * C,
        "attention": L * 2 * 2 * T * C,  # scores, and the averages of the values
        "ffn": L * 2 * 2 * C * F,
        "output": 2 * C * V,
    }
    forward["total"] = sum(forward.values())
    return {part: {"forward": n, "backward": 2 * n} for part, n in forward.items()}


def count_by_convention(config):
    """The N of a scaling law, counted in the three ways that papers count.

    N          weights that are neither embeddings nor read-out        arXiv:2001.08361
    N_readout  with the read-out, also where it shares the token table: its product is computed for every token
    N_all      every parameter, once                                   arXiv:2203.15556
    """
    parts = count_parameters(config)
    inner = parts["total"] - parts["embedding"] - parts["output"]
    return {"N": inner, "N_readout": inner + config.vocab_size * config.width, "N_all": parts["total"]}


def training_flops(config, n_tokens, length=None, without=()):
    """FLOPs of training on n_tokens tokens in windows of length tokens (n_ctx if not given): an exact int.

    The products of flops_per_token, forward and backward; without names parts to leave out, such as "output" (the last
    layer) or "attention", as some papers do.  The optimizer, which makes no products, is not counted.
    """
    parts = flops_per_token(config, length)
    for part in without:
        if part == "total" or part not in parts:
            raise ValueError(f"there is no part {part!r}; there are {', '.join(parts)}.".replace(", total", ""))
    counted = (n for part, n in parts.items() if part != "total" and part not in without)
    return int(n_tokens) * sum(n["forward"] + n["backward"] for n in counted)


def count_bytes(config, n_tokens=None, itemsize=4):
    """The bytes that must lie in memory, with numbers of itemsize bytes each: 4 is float32.

    weights      the parameters
    gradients    one number for each parameter
    averages     AdamW's two, of the gradients and of their squares
    cache        the keys and values of n_tokens positions (n_ctx if not given) of one text that is being written
    What a training step keeps for its way back is not counted: it depends on the batch, and on who wrote the layers.
    """
    T = config.n_ctx if n_tokens is None else n_tokens
    weights = itemsize * count_parameters(config)["total"]
    cache = itemsize * config.n_layer * 2 * T * config.width
    return {"weights": weights, "gradients": weights, "averages": 2 * weights, "cache": cache}
