"""Right answers to flops_per_token, each written in another way: none of them may be refused."""


def two_a_weight(config, n_tokens=None):
    """Two FLOPs for every weight that a token meets, and for every number of the keys and values that it looks at."""
    length = config.n_ctx if n_tokens is None else n_tokens
    weights = {
        "embedding": 0,
        "projections": config.n_layer * 4 * config.width**2,
        "attention": config.n_layer * 2 * length * config.width,
        "ffn": config.n_layer * 2 * config.width * config.ffn_width,
        "output": config.vocab_size * config.width,
    }
    weights["total"] = sum(weights.values())
    return {part: {"forward": 2 * n, "backward": 4 * n} for part, n in weights.items()}


def block_by_block(config, n_tokens=None):
    """One block, and one head, after the other; as floats."""
    length = n_tokens if n_tokens else config.n_ctx
    width, per_head = config.width, config.width / config.n_head
    found = {part: {"forward": 0.0, "backward": 0.0} for part in ("output", "ffn", "attention", "projections")}

    def product(part, n_in, n_out):
        found[part]["forward"] += 2.0 * n_in * n_out
        found[part]["backward"] += 2.0 * n_in * n_out + 2.0 * n_out * n_in

    for _ in range(config.n_layer):
        for _ in "qkvo":
            product("projections", width, width)
        for _ in range(config.n_head):
            product("attention", per_head, length)
            product("attention", length, per_head)
        product("ffn", width, config.ffn_width)
        product("ffn", config.ffn_width, width)
    product("output", width, config.vocab_size)
    total = {way: sum(ways[way] for ways in found.values()) for way in ("forward", "backward")}
    return found | {"total": total, "embedding": {"forward": 0, "backward": 0}}


ANSWERS = (("two FLOPs a weight", two_a_weight), ("block by block and head by head, as floats", block_by_block))
