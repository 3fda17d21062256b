"""embedding, there and back: what it is asked, and what each part is worth."""

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Probe
from ...grader.there_and_back import ThereAndBack
from . import embedding_right, embedding_wrong


def probe(table, ids, dy):
    """What is asked about these ids; a few of them are shown."""
    ids = np.array(ids)
    shown = f"ids = {ids.tolist()}" if ids.size <= 8 else f"ids {ids.shape}"
    return Probe({"table": np.array(table, float)}, np.array(dy, float), {"ids": ids}, label=shown)


def draw(rng):
    """Ids in one to three axes, some of them often and some rows of the table never."""
    for n, V, C in [((4, 6), 5, 3), ((7,), 4, 2), ((2, 3, 2), 6, 1), ((3, 5), 2, 4), ((1,), 3, 3), ((6, 1), 5, 5)] * 2:
        ids = rng.integers(0, V, n)
        ids.reshape(-1)[: ids.size // 2] = rng.integers(V)  # so that one row is surely used twice
        yield probe(rng.normal(size=(V, C)), ids, rng.normal(size=(*n, C)))


EXERCISE = ThereAndBack(
    name="embedding",
    notebook="03_gradients",
    answer=layers.embedding,
    spec=specs.embedding,
    parts=(
        Part("y", 0.5, "equals the definition on {drawn} random arrays", shows=("table",)),
        Part("dtable", 2, "agrees with finite differences", shows=("table", "dy")),
        Part("arguments", 0.5, "table, ids and dy are left alone, and all results are new", needs=("dtable",)),
    ),
    by_hand=(
        probe([[1, 2], [3, 4]], [1, 0], [[1, 0], [0, 2]]),
        probe([[1], [2], [3]], [2, 0, 2], [[1], [5], [10]]),
        probe([[1], [2], [3]], [[2, 2], [0, 2]], [[[1], [10]], [[5], [100]]]),
    ),
    draw=draw,
    mistakes=embedding_wrong.MISTAKES,
    right=embedding_right.ANSWERS,
    hints=(
        "A row that was never looked up did nothing: its gradient is 0. A row that was looked up once gets the dy of "
        "that place. And a row that was looked up three times?",
        "Start from zeros in the shape of the table, and let every token add its dy to its own row. Beware: NumPy's "
        "d[ids] += dy reads all rows first and then writes them, so that of two equal ids one is lost.",
        "np.add.at(dtable, ids, dy) adds one after the other. Or: a matrix with a single 1 in each row, at the token's "
        "id, turned on its side, times the rows of dy.",
    ),
    lines=5,
    minutes=12,
    difficulty=2,
)
