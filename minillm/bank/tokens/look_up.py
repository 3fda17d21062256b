"""look_up, a plain function: the row of a table for each token."""

import numpy as np

from ... import specs
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def look_up(ids, table):
    """Each id is replaced by its row of the table.

    ids (...) integers, table (V, C) -> (..., C).  ValueError for an id outside 0 to V - 1.
    """
    V = len(table)
    if ids.size and not 0 <= ids.min() <= ids.max() < V:
        raise ValueError(f"ids run from {ids.min()} to {ids.max()}, but the table has the rows 0 to {V - 1}.")
    return table[ids]


def in_loops(ids, table):
    """specs.embedding, with a look at each id before."""
    for i in ids.ravel().tolist():
        if i not in range(len(table)):
            raise ValueError(i)
    return specs.embedding(table, ids=ids)


def one_hot(ids, table):
    """A row of zeros with a single 1, times the table."""
    hot = (ids[..., None] == np.arange(len(table))).astype(table.dtype)
    if not (hot.sum(-1) == 1).all():
        raise ValueError("an id without a row")
    return hot @ table


def stacked(ids, table):
    """One row after the other, and the shape at the end."""
    if ((ids < 0) | (ids >= table.shape[0])).any():
        raise ValueError("an id without a row")
    rows = [table[i].tolist() for i in ids.ravel()]
    return np.array(rows, table.dtype).reshape(*ids.shape, table.shape[1])


# Wrong ones.


def checked(ids, table):
    """What all but the careless ones do first."""
    if np.size(ids) and not 0 <= np.min(ids) <= np.max(ids) < len(table):
        raise ValueError("an id without a row")


def checking(answer):
    """An answer that looks at its ids first."""

    def look_up(ids, table):
        checked(ids, table)
        return answer(ids, table)

    return look_up


def upper_end_only(ids, table):
    """Thinks of ids that are too large."""
    if ids.size and ids.max() >= len(table):
        raise ValueError("an id without a row")
    return table[ids]


def all_for_any(ids, table):
    """Complains only where no id is right."""
    if ((ids < 0) | (ids >= len(table))).all():
        raise ValueError("ids without a row")
    return table[ids]


def and_for_or(ids, table):
    """Complains only where both ends are overstepped."""
    if (ids < 0).any() and (ids >= len(table)).any():
        raise ValueError("ids without a row")
    return table[ids]


def one_past_the_end(ids, table):
    """> where >= is due."""
    if (ids < 0).any() or (ids > len(table)).any():
        raise ValueError("an id without a row")
    return table[ids]


def draw(rng):
    """Tables and ids of several shapes; V and C differ, so that rows are not taken for columns."""
    for V, C, shape in ((7, 3, (5,)), (4, 6, (2, 3)), (9, 2, (2, 1, 4)), (5, 8, (1,)), (6, 4, ())):
        table, ids = rng.normal(size=(V, C)), np.asarray(rng.integers(0, V, shape))
        yield Question("rows", {"ids": ids, "table": table})
        off = np.concatenate([ids.ravel(), [rng.choice([-1, -V, V, V + 3])]])
        yield Question("unknown", {"ids": off, "table": table}, raises=ValueError)


TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
EXERCISE = Values(
    name="look_up",
    notebook="02_tokens",
    answer=look_up,
    spec=in_loops,
    parts=(
        Part("rows", 1.5, "equals the definition, for ids of any shape"),
        Part("unknown", 0.5, "raises a ValueError"),
    ),
    by_hand=(
        Question("rows", {"ids": np.array([2, 0]), "table": TABLE}),
        Question("rows", {"ids": np.array([1, 1]), "table": TABLE}),
        Question("rows", {"ids": np.array([[0, 1], [2, 2]]), "table": TABLE}),
        Question("rows", {"ids": np.array(2), "table": TABLE}),
        Question("rows", {"ids": np.array([0, 1]), "table": TABLE[:2]}),
        Question("unknown", {"ids": np.array([0, 3]), "table": TABLE}, raises=ValueError),
        Question("unknown", {"ids": np.array([0, -1]), "table": TABLE}, raises=ValueError),
        Question("unknown", {"ids": np.array([3, 3]), "table": TABLE}, raises=ValueError),
        Question("unknown", {"ids": np.array([3, -1]), "table": TABLE}, raises=ValueError),
        Question("unknown", {"ids": np.array([0, 4]), "table": TABLE}, raises=ValueError),
    ),
    draw=draw,
    mistakes=(
        Mistake(
            "columns for rows",
            "It takes columns of the table. The table has a row for each token: its first axis is the vocabulary.",
            checking(lambda ids, table: table.T[ids % table.shape[1]]),
        ),
        Mistake(
            "summed over the tokens",
            "The vectors of all tokens were added up. Each token keeps its own: the result has an axis more than ids.",
            checking(lambda ids, table: table[ids].reshape(-1, table.shape[1]).sum(0)),
        ),
        Mistake(
            "mean over the tokens",
            "The mean of all vectors was taken. Each token keeps its own: the result has an axis more than ids.",
            checking(lambda ids, table: table[ids].reshape(-1, table.shape[1]).mean(0)),
        ),
        Mistake(
            "flattened",
            "All tokens stand in one row here. The result has the shape of ids, and the channels as one more axis.",
            checking(lambda ids, table: table[ids.ravel()]),
        ),
        Mistake(
            "one row too early",
            "It counts rows from 1. The row of token 0 is row 0.",
            checking(lambda ids, table: table[ids - 1]),
        ),
        Mistake(
            "each token once",
            "Each different token has one row in the result, in the order of the ids. Look up every place, again and "
            "again.",
            checking(lambda ids, table: table[np.unique(ids)]),
        ),
        Mistake(
            "one-hot rows",
            "This is the row of zeros with a single 1. It is still to be multiplied by the table.",
            checking(lambda ids, table: (ids[..., None] == np.arange(len(table))).astype(float)),
        ),
        Mistake(
            "no check of the ids",
            "NumPy takes a negative id and counts from the end of the table, and for an id that is too large it "
            "raises an IndexError. Check both ends, and raise a ValueError.",
            lambda ids, table: table[ids],
        ),
        Mistake(
            "negative ids let through",
            "An id that is too large is noticed, a negative one is not: NumPy counts it from the end of the table.",
            upper_end_only,
        ),
        Mistake(
            "refused only if all are wrong",
            "It complains only if every id is wrong. One wrong id is enough: any(), not all().",
            all_for_any,
        ),
        Mistake(
            "refused only if both ends are overstepped",
            "It complains only if one id is negative and another too large. Either is enough: `or`, not `and`.",
            and_for_or,
        ),
        Mistake(
            "one past the end let through",
            "The id V was let through, but the last row is V - 1: refuse ids >= len(table), not only those above it.",
            one_past_the_end,
        ),
        Mistake(
            "ids clipped",
            "An id outside the table was moved to its edge, so that it gets the vector of another token. Raise a "
            "ValueError.",
            lambda ids, table: table[np.clip(ids, 0, len(table) - 1)],
        ),
        Mistake(
            "ids wrapped around",
            "An id outside the table was taken modulo V, so that it gets the vector of another token. Raise a "
            "ValueError.",
            lambda ids, table: table[ids % len(table)],
        ),
        Mistake(
            "zeros for unknown ids",
            "An id outside the table gets zeros here. It is a mistake somewhere else: raise a ValueError.",
            lambda ids, table: (ids[..., None] == np.arange(len(table))).astype(table.dtype) @ table,
        ),
    ),
    right=(("one-hot rows times the table", one_hot), ("one row after the other", stacked)),
    hints=(
        "NumPy takes an array as an index: the result has the shape of the index, and behind it the axes of the table "
        "that were not indexed. No loop and no product is needed.",
        "Look at the ids before you use them. NumPy complains about those that are too large, with an IndexError, but "
        "a negative one counts from the end of the table, and nobody notices.",
        "(ids < 0).any() says whether one is negative, also where there are no ids at all. Ask the same for ids >= "
        "len(table), and raise the error if either holds. Then table[ids] is all that is left to write.",
    ),
    lines=4,
    minutes=10,
    difficulty=1,
)
