"""Wrong answers to tied_logits that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def looked_up(v):
    """The part of the gradient that comes from the bottom: every row gets what all its places are blamed for."""
    d = np.zeros_like(v.tokens)
    np.add.at(d, v.ids, v.dx)
    return d


def read_out(v):
    """The part that comes from the top: for each token, how much its logit is blamed, times what was there."""
    V, C = v.tokens.shape
    return v.dlogits.reshape(-1, V).T @ v.h.reshape(-1, C)


def added_without_repeats(v):
    """tokens[ids] += dx, in which NumPy adds once for each row."""
    d = read_out(v)
    d[v.ids] += v.dx
    return d


def last_place_wins(v):
    """dtokens[ids] = dx."""
    d = read_out(v)
    d[v.ids] = v.dx
    return d


def rows_overwritten(v):
    """The rows that were read get what the bottom says, in place of what the top says."""
    d = read_out(v)
    at = np.unique(v.ids)
    d[at] = looked_up(v)[at]
    return d


def only_rows_read(v):
    """The blame of the top for the rows of the tokens that were read, and for no other."""
    d = np.zeros_like(v.tokens)
    at = np.unique(v.ids)
    d[at] = read_out(v)[at]
    return d + looked_up(v)


# The steps of a right answer; v holds all that is known when a step is taken.
STEPS = types.SimpleNamespace(
    logits=lambda v: v.h @ v.tokens.T,
    dh=lambda v: v.dlogits @ v.tokens,
    dx=lambda v: v.back(v.dh)[0],
    dp=lambda v: v.back(v.dh)[1],
    dtokens=lambda v: looked_up(v) + read_out(v),
    grads=lambda v: (v.dtokens, v.dp),
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def tied_logits(stack, tokens, p, *, ids):
        v = types.SimpleNamespace(tokens=tokens, p=p, ids=ids)
        v.x = tokens[ids]
        v.h, v.back = stack(v.x, p)
        logits = do.logits(v)

        def backward(dlogits):
            v.dlogits = dlogits
            v.dh = do.dh(v)
            v.dx, v.dp = do.dx(v), do.dp(v)
            v.dtokens = do.dtokens(v)
            return do.grads(v)

        return logits, backward

    return Mistake(name, says, tied_logits)


def changed_in_place(v):
    """The gradient written into the table itself, as a step of training would be."""
    v.tokens -= 0.1 * (looked_up(v) + read_out(v))
    return looked_up(v) + read_out(v)


def scaled_in_place(v):
    """dlogits made smaller where it lies."""
    d = looked_up(v) + read_out(v)
    v.dlogits *= 0.5
    return d


def position_by_position(v):
    """The right gradient, of the last position of each sequence alone at the top."""
    return looked_up(v) + v.dlogits[:, -1].T @ v.h[:, -1]


MISTAKES = (
    wrong(
        "the top's part lost",
        "Only the look-up is blamed. The table is used a second time, as the read-out, and that part is added to it.",
        dtokens=looked_up,
    ),
    wrong(
        "the bottom's part lost",
        "Only the read-out is blamed. The table was used before, to look the tokens up, and that part is added to it.",
        dtokens=read_out,
    ),
    wrong(
        "the bottom overwrites the top",
        "The rows that were read hold the blame of the look-up only: it was written over what the read-out had put "
        "there. The two are added.",
        dtokens=rows_overwritten,
    ),
    wrong(
        "a token that comes twice blamed once",
        "dtokens[ids] += dx adds once for each row, however often its id stands in ids. np.add.at or layers.embedding "
        "adds every time.",
        dtokens=added_without_repeats,
    ),
    wrong(
        "the last of the same token's blames",
        "dtokens[ids] = dx writes over what the read-out had put there, and of a token that comes twice the last place "
        "alone counts. Everything is added: np.add.at.",
        dtokens=last_place_wins,
    ),
    wrong(
        "the top's part not turned",
        "The read-out multiplies by tokens.T, so its part of the gradient has the shape (C, V). Turn it, with .T, "
        "before the two are added.",
        dtokens=lambda v: looked_up(v) + read_out(v).T,
    ),
    wrong(
        "the top's part reshaped",
        "reshape gives a (C, V) array the shape (V, C), but leaves its numbers in their old order. .T turns it.",
        dtokens=lambda v: looked_up(v) + read_out(v).T.reshape(v.tokens.shape),
    ),
    wrong(
        "only the tokens that were read",
        "Every row of the table makes a logit, also those of tokens that are not in ids: the read-out blames them all.",
        dtokens=only_rows_read,
    ),
    wrong(
        "mean of the two parts",
        "The two parts are added. Their mean is half of the gradient.",
        dtokens=lambda v: (looked_up(v) + read_out(v)) / 2,
    ),
    wrong(
        "the top's part twice",
        "The part of the read-out is counted twice.",
        dtokens=lambda v: looked_up(v) + 2 * read_out(v),
    ),
    wrong(
        "the bottom's part twice",
        "The part of the look-up is counted twice.",
        dtokens=lambda v: 2 * looked_up(v) + read_out(v),
    ),
    wrong(
        "the top's part with x for h",
        "The read-out multiplied the table with h, what comes out of the stack. Here its part is made with x, what "
        "went in.",
        dtokens=lambda v: looked_up(v) + v.dlogits.reshape(-1, len(v.tokens)).T @ v.x.reshape(-1, v.x.shape[-1]),
    ),
    wrong(
        "past the stack on the way back",
        "The blame for h went straight to the look-up. The stack lies between: dx comes out of its backward.",
        dx=lambda v: v.dh,
    ),
    wrong(
        "past the stack on the way there",
        "The logits are made of x. The stack lies between: they are made of what comes out of it.",
        logits=lambda v: v.x @ v.tokens.T,
        dtokens=lambda v: looked_up(v) + v.dlogits.reshape(-1, len(v.tokens)).T @ v.x.reshape(-1, v.x.shape[-1]),
        dx=lambda v: v.dh,
        dp=lambda v: {"w": 0 * v.p["w"]},
    ),
    wrong(
        "the last position alone at the top",
        "Every position makes logits in training, and every one blames the read-out. Here only the last of each "
        "sequence does.",
        dtokens=position_by_position,
    ),
    wrong(
        "the top's part as a mean",
        "The part of the read-out is divided by the number of positions. Dividing is the loss's business: dlogits "
        "has it in it.",
        dtokens=lambda v: looked_up(v) + read_out(v) / v.ids.size,
    ),
    wrong(
        "no gradient for p",
        "The parameters of the stack get zeros. Its backward gives dx and dp.",
        dp=lambda v: {"w": 0 * v.p["w"]},
    ),
    wrong(
        "dtokens and dp exchanged",
        "dtokens and dp stand in each other's place: gradients come in the order of the arguments.",
        grads=lambda v: (v.dp, v.dtokens),
    ),
    wrong(
        "two gradients for the two uses",
        "The two parts came back one beside the other. There is one table, and it has one gradient: their sum.",
        grads=lambda v: (looked_up(v), read_out(v), v.dp),
    ),
    wrong(
        "tokens changed in place",
        "Something like tokens -= ..., and the caller's table is no longer what it was. The step comes later.",
        dtokens=changed_in_place,
    ),
    wrong(
        "dlogits changed in place",
        "Something like dlogits *= ..., and whoever gave it still needs it.",
        dtokens=scaled_in_place,
    ),
)
