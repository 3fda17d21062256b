"""Right answers to count_parameters, each written in another way: none of them may be refused."""

import math

from ...checkpoints import shapes


def from_the_shapes(config):
    """Every array of the model, by its path."""
    parts = {"embedding": 0, "projections": 0, "ffn": 0, "norms": 0, "output": 0}
    for path, shape in shapes(config).items():
        key = path.split(".")[-2] if "." in path else path
        part = {
            "attn": "projections",
            "ffn": "ffn",
            "unembed": "output",
            "tokens": "embedding",
            "positions": "embedding",
        }
        parts[part.get(key, "norms")] += math.prod(shape)
    parts["total"] = sum(parts.values())
    return parts


def map_by_map(config):
    """One linear map at a time, as floats."""

    def linear(n_in, n_out):
        return float(n_in * n_out + (n_out if config.bias else 0))

    width, hidden = config.width, config.ffn_width
    norm = 2.0 * width
    embedding = 1.0 * config.vocab_size * width
    if config.positions == "learned":
        embedding += config.n_ctx * width
    projections = ffn = norms = 0.0
    for _ in range(config.n_layer):
        projections += sum(linear(width, width) for _ in "qkvo")
        ffn += linear(width, hidden) + linear(hidden, width)
        norms += 2 * norm
    norms += norm * (config.norm != "post")
    output = 0.0 if config.tied else 1.0 * config.vocab_size * width
    total = embedding + projections + ffn + norms + output
    return {"total": total, "output": output, "norms": norms, "ffn": ffn, "projections": projections,
            "embedding": embedding}  # fmt: skip


ANSWERS = (("from the shapes of all arrays", from_the_shapes), ("map by map, as floats, in another order", map_by_map))
