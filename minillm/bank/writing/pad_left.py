"""pad_left: prompts of unequal length as one batch; what it is asked, and what each part is worth."""

import numpy as np

from ... import sample
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import pad_left_right, pad_left_wrong


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


def ask(part, prompts, raises=None, **options):
    """A question about these prompts."""
    return Question(part, {"prompts": prompts}, options, raises=raises)


def draw(rng):
    """Two to five prompts of one to seven tokens, any of which may be the one that fills; and some of one length."""
    for i in range(8):
        n = rng.integers(1, 8, size=rng.integers(2, 6)) if i % 4 else np.full(3, 4)
        yield ask("ids", [rng.integers(0, 4, size=size).tolist() for size in n], fill=int(rng.integers(0, 4)))


EXERCISE = Values(
    name="pad_left",
    notebook="10_writing",
    answer=sample.pad_left,
    spec=in_loops,
    parts=(
        Part("ids", 2.5, "ids, positions and mask equal the definition on {drawn} random batches"),
        Part("refusals", 0.5, "no prompt, or an empty one, is refused", needs=("ids",)),
    ),
    by_hand=(
        ask("ids", [[7]]),
        ask("ids", [[5, 6], [7]]),
        ask("ids", [[5], [6, 7, 8]], fill=9),
        ask("ids", [[0, 5], [0]]),
        ask("ids", [[1, 2], [3, 4]]),
        ask("refusals", [], raises=ValueError),
        ask("refusals", [[1, 2], []], raises=ValueError),
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
