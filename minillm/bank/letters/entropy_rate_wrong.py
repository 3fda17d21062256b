"""Wrong answers to entropy_rate that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ... import languages
from ...grader.exercise import Mistake


def steps_of(n, start=None):
    """Power iteration, n whole steps, from the same share for every token or from the first token alone."""

    def law(table):
        shares = np.full(len(table), 1 / len(table)) if start is None else np.eye(len(table))[start]
        return shares @ np.linalg.matrix_power(table, n)

    return law


def last_two(table):
    """Whole steps, and the mean of the last two of them."""
    before = np.full(len(table), 1 / len(table)) @ np.linalg.matrix_power(table, 5000)
    return (before + before @ table) / 2


def roughly(table):
    """Half steps until np.allclose says that nothing changes."""
    shares = np.full(len(table), 1 / len(table))
    while not np.allclose(after := (shares + shares @ table) / 2, shares):
        shares = after
    return after


def logs(p):
    """ln p, and 0 where p is 0."""
    return np.log(p, out=np.zeros_like(p), where=p > 0)


def entropy(p):
    """-sum p ln p over everything."""
    return -(p * logs(p)).sum()


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    law=languages.stationary,
    rows=lambda table: -(table * logs(table)).sum(-1),
    rate=lambda law, rows, table: (law * rows).sum(),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})
    return Mistake(name, says, lambda table: do.rate(do.law(table), do.rows(table), table))


def zeros_in_place(table):
    """The rows' entropies, with the zeros of the table made ones."""
    table[table == 0] = 1
    return -(table * np.log(table)).sum(-1)


MISTAKES = (
    wrong(
        "every row counts the same",
        "The mean over the rows was taken, as if all tokens were equally frequent. Weigh each row with how often its "
        "token occurs. (Repeating table @ shares comes to the same: a token later they are shares @ table.)",
        rate=lambda law, rows, table: rows.mean(),
    ),
    wrong(
        "the rows' entropies added up",
        "The entropies of the rows were added up. Their mean is due, each weighted with how often its token occurs.",
        rate=lambda law, rows, table: rows.sum(),
    ),
    wrong(
        "one step only",
        "The shares were taken after one token, table.mean(0). How a text begins matters for longer than that: take "
        "steps until nothing changes.",
        law=steps_of(1),
    ),
    wrong(
        "too few steps",
        "The shares were taken after ten tokens. Some languages forget slowly: take steps until nothing changes, not a "
        "fixed small number.",
        law=steps_of(10),
    ),
    wrong(
        "a ring that swings for ever",
        "A language that goes round in a ring swings for ever, and after a fixed number of steps the shares are "
        "those of one side. Take the mean of before and after, or solve for the shares.",
        law=steps_of(10_000),
    ),
    wrong(
        "a ring that swings for ever, seen a step later",
        "After a fixed number of steps the shares are those of one place on the ring, and they never settle: a "
        "language that goes round in a ring swings for ever. Go half the way at every step, or solve for the shares.",
        law=steps_of(5_000),  # in a ring of three another place than after 10,000
    ),
    wrong(
        "the mean of the last two steps only",
        "The steps are whole ones, and the mean was taken of the last two. That helps in a ring of two, and not in one "
        "of three. Take the mean of before and after at every step.",
        law=last_two,
    ),
    wrong(
        "content with five digits",
        "The steps stopped too early: np.allclose is content with five digits, and in a language that forgets slowly "
        "much is still to come after that. Go on until the change is about 1e-15, or take thousands of steps.",
        law=roughly,
    ),
    wrong(
        "the shares of the first token's text",
        "The steps began with the first token alone. In a language that goes round in a ring that is never forgotten.",
        law=steps_of(10_000, start=0),
    ),
    wrong(
        "shares that do not add up to 1",
        "The shares of the tokens have a length of 1, as eigenvectors do. Divide them by their sum.",
        rate=lambda law, rows, table: (law * rows).sum() / np.linalg.norm(law),
    ),
    wrong(
        "the entropy of single tokens",
        "This is the entropy of single tokens, the floor of a unigram. It forgets what went before.",
        rate=lambda law, rows, table: entropy(law),
    ),
    wrong(
        "the entropy of pairs",
        "This is the entropy of two tokens in a row, -sum q ln q with q = share * p. The first of them is given: "
        "inside the logarithm stands p alone.",
        rate=lambda law, rows, table: entropy(law[:, None] * table),
    ),
    wrong(
        "what the token before tells",
        "This is how much lower the floor is with the token before than without it. The floor itself is due.",
        rate=lambda law, rows, table: entropy(law) - (law * rows).sum(),
    ),
    wrong(
        "the entropy of a mean row",
        "The rows were averaged first and the entropy was taken of that. First the entropy of each row, then the mean.",
        rate=lambda law, rows, table: entropy(table.mean(0)),
    ),
    wrong(
        "logarithms to base 2",
        "This is in bits. In nats it is ln 2 times that: np.log.",
        rate=lambda law, rows, table: (law * rows).sum() / np.log(2),
    ),
    wrong(
        "the minus forgotten",
        "The sum of p ln p is negative. The entropy has a minus in front of it.",
        rate=lambda law, rows, table: -(law * rows).sum(),
    ),
    wrong(
        "the perplexity",
        "This is exp of the entropy rate. The rate itself is due, in nats.",
        rate=lambda law, rows, table: np.exp((law * rows).sum()),
    ),
    wrong(
        "0 times ln 0",
        "Where the table has a 0 this is 0 times minus infinity, which is no number. What never happens costs nothing: "
        "leave it out of the sum.",
        rows=lambda table: -(table * np.log(table)).sum(-1),
    ),
    wrong(
        "a little added to every p",
        "A small number was added to p so that its logarithm is finite. That changes the answer; leave p = 0 out of "
        "the sum.",
        rows=lambda table: -(table * np.log(table + 1e-4)).sum(-1),
    ),
    wrong(
        "columns for rows",
        "The entropies are those of the columns. Row a of the table is what follows a, so its sum runs along the last "
        "axis.",
        rows=lambda table: -(table * logs(table)).sum(0),
    ),
    wrong(
        "zeros replaced in the table itself",
        "The table was changed, and whoever gave it still needs it. Work on a copy.",
        rows=zeros_in_place,
    ),
)
