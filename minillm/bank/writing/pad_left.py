"""pad_left: prompts of unequal length as one batch; what it is asked, and what each part is worth."""

import numpy as np

from ... import sample
from ...grader.exercise import Part
from ...grader.guard import Unfit
from ..heads.dropout import Chance, Sight
from . import pad_left_right, pad_left_wrong

KINDS = {"ids": ("iu", "integers"), "positions": ("iu", "integers"), "mask": ("b", "booleans")}


def in_loops(prompts, fill=0):
    """What it means, one place at a time."""
    if not prompts or not all(len(prompt) for prompt in prompts):
        raise ValueError
    T = max(len(prompt) for prompt in prompts)
    rows = []
    for prompt in prompts:
        row = [(fill, 0, True)] * (T - len(prompt))
        for place, token in enumerate(prompt):
            row.append((int(token), place, False))
        rows.append(row)
    return tuple(np.array([[cell[i] for cell in row] for row in rows]) for i in range(3))


def three(pad_left, prompts, fill=0):
    """The three arrays by name.  Unfit if they are something else: numbers of another kind are of no use to gpt."""
    back = pad_left(prompts, fill=fill)
    if isinstance(back, np.ndarray) and back.ndim == 3:
        raise Unfit("one array came back, and three are due: ids, positions and mask")
    if not isinstance(back, (tuple, list)) or len(back) != len(KINDS):
        raise Unfit("three arrays are due: ids, positions and mask")
    for (name, (kinds, words)), a in zip(KINDS.items(), back, strict=True):
        if not isinstance(a, np.ndarray):
            raise Unfit(f"{name} is no array, and three arrays are due")
        if a.dtype.kind not in kinds:
            raise Unfit(f"{name} is an array of {a.dtype}, and {words} are due")
    return dict(zip(KINDS, back, strict=True))


def refused(pad_left, prompts):
    """What came back, where nothing should."""
    back = pad_left(prompts)
    three = isinstance(back, (tuple, list)) and len(back) == len(KINDS)
    return dict(zip(KINDS, back, strict=True)) if three else back


def left_alone(pad_left, prompts):
    """The lengths of the prompts afterwards."""
    pad_left(prompts)
    return {"lengths afterwards": [len(prompt) for prompt in prompts]}


def ask(part, prompts, look=three, raises=None, **options):
    """A question about these prompts."""
    return Sight(part, {"prompts": prompts}, options, raises=raises, look=look)


def draw(rng):
    """Two to five prompts of one to seven tokens, any of which may be the one that fills; and some of one length."""
    for i in range(8):
        n = rng.integers(1, 8, size=rng.integers(2, 6)) if i % 4 else np.full(3, 4)
        yield ask("ids", [rng.integers(0, 4, size=size).tolist() for size in n], fill=int(rng.integers(0, 4)))


EXERCISE = Chance(
    name="pad_left",
    notebook="10_writing",
    answer=sample.pad_left,
    spec=in_loops,
    parts=(
        Part("ids", 2.5, "ids, positions and mask equal the definition on {drawn} random batches"),
        Part("refusals", 0.5, "no prompt, or an empty one, is refused, and the prompts are left alone", needs=("ids",)),
    ),
    by_hand=(
        ask("ids", [[7]]),
        ask("ids", [[5, 6], [7]]),
        ask("ids", [[5], [6, 7, 8]], fill=9),
        ask("ids", [[0, 5], [0]]),
        ask("ids", [[1, 2], [3, 4]]),
        ask("refusals", [], refused, raises=ValueError),
        ask("refusals", [[1, 2], []], refused, raises=ValueError),
        ask("refusals", [[5, 6], [7]], left_alone),
    ),
    draw=draw,
    mistakes=pad_left_wrong.MISTAKES,
    right=pad_left_right.ANSWERS,
    hints=(
        "How many places are empty in each row? The length of the longest prompt less its own. What stands to the left "
        "of that number is padding, in all three arrays.",
        "The column number less the number of empty places is the position; where that is below 0, there is padding. "
        "So one array (B, T) gives the mask by a comparison, and the positions once what is below 0 has been set to 0.",
        "lengths = np.array([len(prompt) for prompt in prompts]); T = lengths.max(); positions = np.arange(T) - (T - "
        "lengths)[:, None]; the mask is positions < 0. Then ids = np.full((B, T), fill), and a loop: "
        "ids[i, T - len(prompt):] = prompt.",
    ),
    lines=10,
    minutes=15,
    difficulty=2,
)
