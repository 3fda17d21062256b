"""Wrong answers to pad_left that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def refuse(lengths):
    """Nothing to write, or nothing to begin with."""
    if not lengths or 0 in lengths:
        raise ValueError(lengths)


# The steps of a right answer; `gap` is how many places of a row are padding.
STEPS = types.SimpleNamespace(
    refuse=refuse,
    order=lambda prompts: prompts,
    length=lambda lengths: max(lengths, default=0),
    ids=lambda prompt, gap, fill: [fill] * gap + prompt,
    positions=lambda n, gap: [0] * gap + [*range(n)],
    mask=lambda n, gap: [True] * gap + [False] * n,
    hide=lambda ids, mask, fill: mask,
    back=lambda ids, positions, mask: (ids, positions, mask),
)


def inserted(prompts, fill=0):
    """The prompts themselves are made longer."""
    lengths = [len(prompt) for prompt in prompts]
    refuse(lengths)
    for prompt in prompts:
        while len(prompt) < max(lengths):
            prompt.insert(0, fill)
    place = np.arange(max(lengths)) - max(lengths) + np.array(lengths)[:, None]
    return np.array(prompts), np.maximum(place, 0), place < 0


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def pad_left(prompts, fill=0):
        do.refuse([len(prompt) for prompt in prompts])
        prompts = do.order([list(prompt) for prompt in prompts])
        T = do.length([len(prompt) for prompt in prompts])
        prompts = [prompt[-T:] if T else prompt for prompt in prompts]
        pairs = [(len(prompt), T - len(prompt)) for prompt in prompts]
        ids = np.array([do.ids(prompt, gap, fill) for prompt, (_, gap) in zip(prompts, pairs, strict=True)])
        positions = np.array([do.positions(n, gap) for n, gap in pairs])
        mask = np.array([do.mask(n, gap) for n, gap in pairs])
        return do.back(ids, positions, do.hide(ids, mask, fill))

    return Mistake(name, says, pad_left)


MISTAKES = (
    wrong(
        "padded on the right",
        "The padding stands on the right. Then the last column, from which the next token is drawn, is padding in all "
        "rows but the longest.",
        ids=lambda prompt, gap, fill: prompt + [fill] * gap,
        positions=lambda n, gap: [*range(n)] + [0] * gap,
        mask=lambda n, gap: [False] * n + [True] * gap,
    ),
    wrong(
        "only the ids on the left",
        "The ids stand on the right side, with the padding before them; positions and mask are those of padding behind "
        "them.",
        positions=lambda n, gap: [*range(n)] + [0] * gap,
        mask=lambda n, gap: [False] * n + [True] * gap,
    ),
    wrong(
        "positions of the columns",
        "The positions are the numbers of the columns. A prompt begins at position 0, wherever its row begins.",
        positions=lambda n, gap: [*range(n + gap)],
    ),
    wrong(
        "positions below 0",
        "Padding got positions below 0. Nobody looks at it, but a table of positions has no such rows: 0 is due.",
        positions=lambda n, gap: [*range(-gap, n)],
    ),
    wrong(
        "padding counts 1",
        "Padding got position 1. It is 0 there; 1 is what masked_fill(..., 1) puts there in another library.",
        positions=lambda n, gap: [1] * gap + [*range(n)],
    ),
    wrong(
        "positions from 1",
        "The positions count from 1. The first token of a prompt is at position 0.",
        positions=lambda n, gap: [0] * gap + [*range(1, n + 1)],
    ),
    wrong(
        "positions backwards",
        "The positions run backwards. The first token of a prompt is at 0, its last at the highest.",
        positions=lambda n, gap: [0] * gap + [*range(n)][::-1],
    ),
    wrong(
        "mask inverted",
        "The mask is True for what is no padding. True marks padding here. (Other libraries have it the other way "
        "round.)",
        mask=lambda n, gap: [False] * gap + [True] * n,
    ),
    wrong(
        "every token like the padding hidden",
        "Every token that equals `fill` is masked, the real ones too. Padding is known by its place, not by its id.",
        hide=lambda ids, mask, fill: ids == fill,
    ),
    wrong(
        "nothing hidden",
        "The mask hides nothing, so padding is attended to like any token.",
        mask=lambda n, gap: [False] * (n + gap),
    ),
    wrong(
        "one place of padding seen",
        "The mask ends one place too early: the last place of padding is seen.",
        mask=lambda n, gap: [True] * max(0, gap - 1) + [False] * (n + min(1, gap)),
    ),
    wrong(
        "cut to the shortest",
        "All prompts were cut to the length of the shortest. Then no padding is needed, and the beginnings are lost.",
        length=lambda lengths: min(lengths, default=0),
    ),
    wrong(
        "one column too many",
        "There is one column more than the longest prompt has tokens.",
        length=lambda lengths: max(lengths, default=0) + 1,
    ),
    wrong(
        "fill forgotten",
        "The padding is always 0. It should be `fill`.",
        ids=lambda prompt, gap, fill: [0] * gap + prompt,
    ),
    wrong(
        "first token repeated",
        "The padding is the first token of the prompt, repeated. It should be `fill`.",
        ids=lambda prompt, gap, fill: prompt[:1] * gap + prompt,
    ),
    wrong(
        "prompts reversed",
        "Each prompt stands backwards: somebody padded on the right and turned the rows.",
        ids=lambda prompt, gap, fill: [fill] * gap + prompt[::-1],
    ),
    wrong(
        "sorted by length",
        "The prompts were sorted by length. Row i belongs to prompt i.",
        order=lambda prompts: sorted(prompts, key=len),
    ),
    wrong(
        "positions of the columns, 0 for padding",
        "The positions are the numbers of the columns, with 0 for padding. A prompt begins at position 0, wherever its "
        "row begins.",
        positions=lambda n, gap: [0] * gap + [*range(gap, n + gap)],
    ),
    wrong(
        "-1 for padding",
        "Padding got position -1: that is what a running count less 1 begins with. 0 is due.",
        positions=lambda n, gap: [-1] * gap + [*range(n)],
    ),
    wrong(
        "ids are floats",
        "The ids are floating-point numbers: np.zeros makes those, unless it is told int. Ids are places in a table, "
        "and an array of floats cannot be used to look anything up.",
        back=lambda ids, positions, mask: (ids.astype(float), positions, mask),
    ),
    wrong(
        "positions are floats",
        "The positions are floating-point numbers: np.zeros makes those, unless it is told int. A table of positions "
        "is looked up by integers.",
        back=lambda ids, positions, mask: (ids, positions.astype(float), mask),
    ),
    wrong(
        "mask of numbers",
        "The mask holds the integers 0 and 1. True and False are due: attention takes no others, and ~ turns only "
        "those round.",
        back=lambda ids, positions, mask: (ids, positions, mask.astype(int)),
    ),
    wrong(
        "lists",
        "What came back are lists. Make arrays of them: a model asks for their shape.",
        back=lambda ids, positions, mask: (ids.tolist(), positions.tolist(), mask.tolist()),
    ),
    wrong(
        "stacked in one array",
        "ids, positions and mask were put together. That takes the mask for numbers: return three arrays, with commas "
        "between them.",
        back=lambda ids, positions, mask: np.array([ids, positions, mask]),
    ),
    Mistake(
        "prompts changed in place",
        "The padding was put into the prompts themselves, and whoever gave them still needs them as they were.",
        inserted,
    ),
    wrong(
        "empty prompts not refused",
        "An empty prompt, or none at all, has no last token to go on from. A ValueError is due.",
        refuse=lambda lengths: None,
    ),
)
