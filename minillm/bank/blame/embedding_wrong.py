"""Wrong answers to embedding that people really write; each has one step that is not the right one."""

import numpy as np

from .steps import mistakes_in


def summed(v, table=None):
    """The right gradient, in new zeros or where it is told to."""
    dtable = np.zeros_like(v.table) if table is None else table
    np.add.at(dtable, v.ids, v.dy)
    return dtable


wrong = mistakes_in(
    lambda table, *, ids: None,
    {"y": lambda v: v.table[v.ids]},
    {"grads": summed},
)


def uses(v):
    """How often each row was looked up, (V, 1)."""
    return np.bincount(v.ids.reshape(-1), minlength=len(v.table))[:, None]


def last_wins(v):
    """d[ids] += dy, which reads all rows before it writes any."""
    dtable = np.zeros_like(v.table)
    dtable[v.ids] += v.dy
    return dtable


def first_wins(v):
    """Only where an id stands for the first time."""
    dtable = np.zeros_like(v.table)
    used, first = np.unique(v.ids, return_index=True)
    dtable[used] = v.dy.reshape(-1, v.table.shape[1])[first]
    return dtable


def along_the_first_axis(v):
    """A loop over the sequences, with d[ids] += dy inside."""
    dtable = np.zeros_like(v.table)
    for ids, dy in zip(v.ids, v.dy, strict=True):
        dtable[ids] += dy
    return dtable


def shifted(v):
    """Blame for the row above."""
    dtable = np.zeros_like(v.table)
    np.add.at(dtable, v.ids - 1, v.dy)
    return dtable


def into_the_table(v):
    """The table's own memory is cleared and filled."""
    v.table[...] = 0
    return summed(v, v.table)


MISTAKES = (
    wrong(
        "used twice, blamed once",
        "Of several equal ids only the last is counted. With dtable[ids] = dy they overwrite each other, and with += "
        "too, which reads all rows before it writes any. A row used twice is blamed twice: np.add.at adds one after "
        "the other.",
        grads=last_wins,
    ),
    wrong(
        "the first use alone",
        "Of several equal ids only the first is counted. A row used twice is blamed twice: add up.",
        grads=first_wins,
    ),
    wrong(
        "a loop over the sequences",
        "Within one sequence equal ids overwrite each other, though those of different sequences add up: the loop runs "
        "over the first axis alone, and inside stands dtable[ids] += dy.",
        grads=along_the_first_axis,
    ),
    wrong(
        "a mean over the uses",
        "Each row gets the mean of its blame here. A row used twice moves the loss twice: a sum.",
        grads=lambda v: summed(v) / np.maximum(uses(v), 1),
    ),
    wrong(
        "divided by the number of tokens",
        "The gradient is divided by the number of tokens. The mean belongs to the loss, which has put it into dy "
        "already.",
        grads=lambda v: summed(v) / v.ids.size,
    ),
    wrong(
        "how often, not how much",
        "This is how often each row was looked up. Each look-up adds its dy, and not 1.",
        grads=lambda v: 0 * v.table + uses(v),
    ),
    wrong(
        "the same blame for all rows",
        "Every row gets the sum of all dy here. A row hears only from the places where it was looked up.",
        grads=lambda v: 0 * v.table + v.dy.reshape(-1, v.table.shape[1]).sum(0),
    ),
    wrong(
        "the table in the gradient",
        "The gradient is multiplied by the table here. A row goes into y as it is, with a factor of 1.",
        grads=lambda v: summed(v) * v.table,
    ),
    wrong(
        "dy itself",
        "dy came back as it was. It has one row for each token; the gradient has one for each row of the table.",
        grads=lambda v: v.dy + 0,
    ),
    wrong(
        "only the rows that were used",
        "Only the rows that were looked up came back. The gradient has the shape of the table, with zeros for the "
        "others.",
        grads=lambda v: summed(v)[np.unique(v.ids)],
    ),
    wrong(
        "blame one row too high",
        "The blame goes to row id - 1. Ids count from 0, so id 0 is the first row.",
        grads=shifted,
    ),
    wrong(
        "ids from 1",
        "This looks up row id - 1. Ids count from 0, so id 0 is the first row.",
        y=lambda v: v.table[v.ids - 1],
        grads=shifted,
    ),
    wrong(
        "columns for rows",
        "This looks up columns. A token's vector is its row: table[ids].",
        y=lambda v: v.table.T[v.ids],
    ),
    wrong(
        "columns, with a colon",
        "This looks up columns: in table[:, ids] the ids stand at the second axis. A token's vector is its row: "
        "table[ids].",
        y=lambda v: v.table[:, v.ids],
    ),
    wrong(
        "the gradient in the table",
        "The gradient is written into the table itself, which is gone then. Make new zeros: np.zeros_like(table).",
        grads=into_the_table,
    ),
)
