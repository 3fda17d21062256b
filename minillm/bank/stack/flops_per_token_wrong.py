"""Wrong answers to flops_per_token that people really write; each has a step that is not the right one."""

import types

from ...grader.exercise import Mistake
from .count_parameters_wrong import sizes

NAMES = ("embedding", "projections", "attention", "ffn", "output")

# The steps of a right answer.  c is a config, with V, T, L, H, C and F for its sizes; here T is the text's own length.
STEPS = types.SimpleNamespace(
    length=lambda config, n_tokens: config.n_ctx if n_tokens is None else n_tokens,
    embedding=lambda c: 0,
    projections=lambda c: c.L * 8 * c.C * c.C,
    attention=lambda c: c.L * 4 * c.T * c.C,
    ffn=lambda c: c.L * 4 * c.C * c.F,
    output=lambda c: 2 * c.C * c.V,
    each=lambda c, n: n,
    back=lambda c, part, forward: 2 * forward,
    total=lambda parts: sum(parts.values()),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def flops_per_token(config, n_tokens=None):
        c = sizes(config)
        c.T = do.length(config, n_tokens)
        forward = {part: do.each(c, getattr(do, part)(c)) for part in NAMES}
        backward = {part: do.back(c, part, n) for part, n in forward.items()}
        forward["total"], backward["total"] = do.total(forward), do.total(backward)
        return {part: {"forward": n, "backward": backward[part]} for part, n in forward.items()}

    return Mistake(name, says, flops_per_token)


MISTAKES = (
    wrong(
        "additions not counted",
        "A weighted sum of C numbers takes C multiplications and as many additions: 2 C FLOPs.",
        each=lambda c, n: n / 2,
    ),
    wrong(
        "the whole sequence counted",
        "These are the FLOPs of all T tokens. What is asked is the cost of one.",
        each=lambda c, n: n * c.T,
    ),
    wrong(
        "attention of the whole sequence",
        "T x T scores belong to T tokens, so a single token has T of them.",
        attention=lambda c: c.L * 4 * c.T * c.T * c.C,
    ),
    wrong(
        "scores without averages",
        "Attention has two products: queries with keys, and then the shares with the values.",
        attention=lambda c: c.L * 2 * c.T * c.C,
    ),
    wrong(
        "only what the mask leaves",
        "Here only the scores are counted that the causal mask leaves. layers.attention computes all T x T of them "
        "and hides some afterwards; count what is done.",
        attention=lambda c: c.L * 2 * (c.T + 1) * c.C,
    ),
    wrong(
        "attention once for each head",
        "A head works on C / H channels, not on all C: the heads together cost as much as one head of the whole width.",
        attention=lambda c: c.L * c.H * 4 * c.T * c.C,
    ),
    wrong(
        "attention of one head",
        "This is the attention of one head, with its C / H channels. There are H of them.",
        attention=lambda c: c.L * 4 * c.T * (c.C // c.H),
    ),
    wrong(
        "attention forgotten",
        "Queries meet keys and shares meet values. These products have no weights, but a cost: 4 T C in each block.",
        attention=lambda c: 0,
    ),
    wrong(
        "n_tokens ignored",
        "The cost of attention grows with the length of the text: if n_tokens is given, it counts, and not n_ctx.",
        length=lambda config, n_tokens: config.n_ctx,
    ),
    wrong(
        "back as cheap as there",
        "On the way back every product becomes two: one for the gradient of either factor.",
        back=lambda c, part, forward: forward,
    ),
    wrong(
        "there counted again in back",
        "Three times the way there is the whole step, there and back. backward alone is twice.",
        back=lambda c, part, forward: 3 * forward,
    ),
    wrong(
        "attention's way back as cheap as its way there",
        "The products of attention have no weights, but both of their factors have a gradient: two products on the way "
        "back, as everywhere.",
        back=lambda c, part, forward: forward if part == "attention" else 2 * forward,
    ),
    wrong(
        "a product on the way back of looking up",
        "On the way back of looking up, each row's blame is added to its place in the table: additions, no product.",
        back=lambda c, part, forward: 2 * c.V * c.C if part == "embedding" else 2 * forward,
    ),
    wrong(
        "the last position alone read out",
        "In training every position is read out, not only the last of a text: 2 C V for each token.",
        output=lambda c: 2 * c.C * c.V / c.T,
    ),
    wrong(
        "looking up as a product",
        "Looking a row up multiplies nothing: it costs no FLOPs.",
        embedding=lambda c: 2 * c.V * c.C,
    ),
    wrong(
        "tied read-out forgotten",
        "Tied or not, the read-out is a product with V columns. Sharing the table saves memory, but no FLOPs.",
        output=lambda c: 0 if c.tied else 2 * c.C * c.V,
    ),
    wrong(
        "read-out forgotten",
        "The last product, from C channels to V logits, costs 2 C V.",
        output=lambda c: 0,
    ),
    wrong(
        "output projection forgotten",
        "Attention has four maps: queries, keys, values, and the output projection.",
        projections=lambda c: c.L * 6 * c.C * c.C,
    ),
    wrong(
        "the feed-forward layer always four times as wide",
        "The feed-forward layer's hidden width is config.ffn_width. It is 4 * width only if nobody says otherwise.",
        ffn=lambda c: c.L * 16 * c.C * c.C,
    ),
    wrong(
        "one product in the feed-forward layer",
        "The feed-forward layer goes up and down again: two products.",
        ffn=lambda c: c.L * 2 * c.C * c.F,
    ),
    wrong(
        "one block for all",
        "Every token passes all blocks: what one costs is multiplied by n_layer.",
        projections=lambda c: 8 * c.C * c.C,
        attention=lambda c: 4 * c.T * c.C,
        ffn=lambda c: 4 * c.C * c.F,
    ),
    wrong(
        "biases counted",
        "Only products count here. The additions of the biases are left out, like the norms and the softmax.",
        projections=lambda c: c.L * (8 * c.C * c.C + 4 * c.C),
        ffn=lambda c: c.L * (4 * c.C * c.F + c.F + c.C),
    ),
    wrong(
        "total without attention",
        "The total is that of all parts. This one is what the rule of thumb has, two FLOPs a parameter, which leaves "
        "the scores out.",
        total=lambda parts: sum(n for part, n in parts.items() if part != "attention"),
    ),
)
