"""Wrong answers to count_parameters that people really write; each has a step that is not the right one."""

import types

from ...grader.exercise import Mistake

# The steps of a right answer.  c is a config, with V, T, L, H, C and F for its sizes, and b for 1 with biases, else 0.
STEPS = types.SimpleNamespace(
    embedding=lambda c: c.V * c.C + (c.T * c.C if c.positions == "learned" else 0),
    projections=lambda c: c.L * (4 * c.C * c.C + c.b * 4 * c.C),
    ffn=lambda c: c.L * (2 * c.C * c.F + c.b * (c.F + c.C)),
    norms=lambda c: c.L * 4 * c.C + (2 * c.C if c.norm == "pre" else 0),
    output=lambda c: 0 if c.tied else c.V * c.C,
    total=lambda c, parts: sum(parts.values()),
)


def sizes(config):
    """The config under the letters of the notebook."""
    letters = {"V": "vocab_size", "T": "n_ctx", "L": "n_layer", "H": "n_head", "C": "width", "F": "ffn_width"}
    named = {letter: getattr(config, name) for letter, name in letters.items()}
    return types.SimpleNamespace(**vars(config), **named, b=int(config.bias))


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def count_parameters(config):
        c = sizes(config)
        parts = {part: getattr(do, part)(c) for part in ("embedding", "projections", "ffn", "norms", "output")}
        return parts | {"total": do.total(c, parts)}

    return Mistake(name, says, count_parameters)


MISTAKES = (
    wrong(
        "table of positions forgotten",
        "Learned positions have a table too: n_ctx rows of width numbers.",
        embedding=lambda c: c.V * c.C,
    ),
    wrong(
        "table of positions always counted",
        'Only positions = "learned" has a table. Rotary positions turn what is there, and have no parameters.',
        embedding=lambda c: (c.V + c.T) * c.C,
    ),
    wrong(
        "rotary positions given a table",
        "Rotary positions turn queries and keys by angles that nobody learns: they have no table.",
        embedding=lambda c: (c.V + (c.T if c.positions != "none" else 0)) * c.C,
    ),
    wrong(
        "table counted where there are no positions",
        'A model with positions = "none" has no table of them; ask for "learned", not for what is not rotary.',
        embedding=lambda c: (c.V + (c.T if c.positions != "rotary" else 0)) * c.C,
    ),
    wrong(
        "biases forgotten",
        "The linear maps have biases, one for each channel that comes out of them, unless config.bias is False.",
        projections=lambda c: c.L * 4 * c.C * c.C,
        ffn=lambda c: c.L * 2 * c.C * c.F,
    ),
    wrong(
        "biases always counted",
        "With config.bias = False the linear maps have no biases.",
        projections=lambda c: c.L * 4 * (c.C * c.C + c.C),
        ffn=lambda c: c.L * (2 * c.C * c.F + c.F + c.C),
    ),
    wrong(
        "both biases of the feed-forward layer of one length",
        "The first map of the feed-forward layer gives out ffn_width channels and has as many biases; the second gives "
        "out width.",
        ffn=lambda c: c.L * 2 * (c.C * c.F + c.b * c.C),
    ),
    wrong(
        "biases of the second map forgotten",
        "Only the first map of the feed-forward layer has biases here. The second has width of them.",
        ffn=lambda c: c.L * (2 * c.C * c.F + c.b * c.F),
    ),
    wrong(
        "last norm forgotten",
        "A pre-norm model has one more norm, between the last block and the read-out.",
        norms=lambda c: c.L * 4 * c.C,
    ),
    wrong(
        "last norm always counted",
        "A post-norm model has no norm before the read-out: its last block ends with one.",
        norms=lambda c: c.L * 4 * c.C + 2 * c.C,
    ),
    wrong(
        "one norm a block",
        "A block has two norms, one for attention and one for the feed-forward layer.",
        norms=lambda c: c.L * 2 * c.C + (2 * c.C if c.norm == "pre" else 0),
    ),
    wrong(
        "gains without shifts",
        "A norm has two numbers for every channel, a gain and a shift.",
        norms=lambda c: c.L * 2 * c.C + (c.C if c.norm == "pre" else 0),
    ),
    wrong(
        "no shifts in the norms without bias",
        "config.bias is about the linear maps. The norms keep their shifts without it.",
        norms=lambda c: (1 + c.b) * (c.L * 2 * c.C + (c.C if c.norm == "pre" else 0)),
    ),
    wrong(
        "tied read-out counted",
        "A tied read-out is the table of tokens once more. It is there once, and is counted once.",
        output=lambda c: c.V * c.C,
    ),
    wrong(
        "untied read-out forgotten",
        "With tied = False the read-out has a table of its own, as large as that of the tokens.",
        output=lambda c: 0,
    ),
    wrong(
        "a read-out with biases",
        "The read-out is a table and nothing else: it has no biases.",
        output=lambda c: 0 if c.tied else c.V * c.C + c.b * c.V,
    ),
    wrong(
        "output projection forgotten",
        "Attention has four maps: queries, keys, values, and the output projection after the heads are merged.",
        projections=lambda c: c.L * 3 * (c.C * c.C + c.b * c.C),
    ),
    wrong(
        "projections for each head",
        "The heads share the width between them: all of them together have one C x C map for the queries.",
        projections=lambda c: c.L * c.H * 4 * (c.C * c.C + c.b * c.C),
    ),
    wrong(
        "the feed-forward layer always four times as wide",
        "The feed-forward layer's hidden width is config.ffn_width. It is 4 * width only if nobody says otherwise.",
        ffn=lambda c: c.L * (8 * c.C * c.C + c.b * 5 * c.C),
    ),
    wrong(
        "one map in the feed-forward layer",
        "The feed-forward layer goes up and down again: two maps.",
        ffn=lambda c: c.L * (c.C * c.F + c.b * c.F),
    ),
    wrong(
        "one block for all",
        "Every block has parameters of its own: what one block has is multiplied by n_layer.",
        projections=lambda c: STEPS.projections(c) // c.L,
        ffn=lambda c: STEPS.ffn(c) // c.L,
        norms=lambda c: 4 * c.C + (2 * c.C if c.norm == "pre" else 0),
    ),
    wrong(
        "maps of one block",
        "The norms are those of all blocks, but projections and ffn are those of one. Each is multiplied by n_layer.",
        projections=lambda c: STEPS.projections(c) // c.L,
        ffn=lambda c: STEPS.ffn(c) // c.L,
    ),
    wrong(
        "total without the read-out",
        "An untied read-out is a part of the model like the others: the total has it, too.",
        total=lambda c, parts: sum(parts.values()) - parts["output"],
    ),
    wrong(
        "total without the tables",
        "The total is that of all parts. (Scaling laws leave the tables out, and say so.)",
        total=lambda c, parts: parts["projections"] + parts["ffn"] + parts["norms"],
    ),
)
