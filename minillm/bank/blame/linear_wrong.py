"""Wrong answers to linear that people really write; each has one step that is not the right one."""

import numpy as np

from .steps import mistakes_in

rows = lambda a: a.reshape(-1, a.shape[-1])

wrong = mistakes_in(
    lambda x, w, b=None: None,
    {"y": lambda v: v.x @ v.w + v.b},
    {
        "dx": lambda v: v.dy @ v.w.T,
        "dw": lambda v: rows(v.x).T @ rows(v.dy),
        "db": lambda v: rows(v.dy).sum(0),
        "grads": lambda v: (v.dx, v.dw, v.db),
    },
)


def written_over(v):
    """The right gradients, and dy multiplied where it lies."""
    v.dy *= 2
    return v.dx, v.dw, v.db


MISTAKES = (
    wrong(
        "shift forgotten",
        "The shift is missing: y = x w + b.",
        y=lambda v: v.x @ v.w,
    ),
    wrong(
        "w turned on its side",
        "This is x times w.T. Here w is (channels of x, channels of y), so that y = x @ w.",
        y=lambda v: v.x @ v.w.T + v.b,
    ),
    wrong(
        "w not turned on the way back",
        "This is dy @ w. On the way back each channel of x collects from the channels of y that it went into: "
        "dy @ w.T.",
        dx=lambda v: v.dy @ v.w,
    ),
    wrong(
        "dw turned on its side",
        "dw is turned on its side here: dy.T @ x. It has the shape of w, so it is x.T @ dy.",
        dw=lambda v: rows(v.dy).T @ rows(v.x),
    ),
    wrong(
        "dy forgotten in dx",
        "dx is the sum of each row of w here, whatever dy is. Each weight is multiplied by the dy of its channel.",
        dx=lambda v: 0 * v.x + v.w.sum(1),
    ),
    wrong(
        "dy forgotten in dw",
        "dw is the sum of x here, whatever dy is. Each x is multiplied by the dy of its own position first.",
        dw=lambda v: rows(v.x).sum(0)[:, None] + 0 * v.w,
    ),
    wrong(
        "x forgotten in dw",
        "dw is the sum of dy here, whatever x is. A weight moves y by x times as much as it moves itself.",
        dw=lambda v: rows(v.dy).sum(0) + 0 * v.w,
    ),
    wrong(
        "w for x in dw",
        "dw is made of w here. A weight moves y by x times as much as it moves itself: dw is made of x and dy.",
        dw=lambda v: v.w * rows(v.dy).sum(0),
    ),
    wrong(
        "means for sums",
        "dw and db are means over the positions here. All positions used the same w and b, so their blame adds up: "
        "sums.",
        dw=lambda v: rows(v.x).T @ rows(v.dy) / len(rows(v.x)),
        db=lambda v: rows(v.dy).mean(0),
    ),
    wrong(
        "mean for sum in db",
        "db is a mean over the positions here. All positions used the same b, so their blame adds up: a sum.",
        db=lambda v: rows(v.dy).mean(0),
    ),
    wrong(
        "overwritten, not added",
        "dw and db are those of the last position alone, as from a loop with = in place of +=. Every position is "
        "counted.",
        dw=lambda v: np.outer(rows(v.x)[-1], rows(v.dy)[-1]),
        db=lambda v: rows(v.dy)[-1].copy(),
    ),
    wrong(
        "product of the sums",
        "dw is the sum of x times the sum of dy here. First the product, position by position, and then the sum.",
        dw=lambda v: np.outer(rows(v.x).sum(0), rows(v.dy).sum(0)),
    ),
    wrong(
        "db not summed",
        "db is dy itself here. The same b served every position: sum over all axes but the last.",
        db=lambda v: v.dy + 0,
    ),
    wrong(
        "db summed to one number",
        "db is the sum of all of dy here. Each channel has a shift of its own: sum over all axes but the last.",
        db=lambda v: v.dy.sum() + 0 * v.b,
    ),
    wrong(
        "db summed over the first axis",
        "db is summed over the first axis alone. b served every position of every sequence: sum over all axes but the "
        "last.",
        db=lambda v: v.dy.sum(0),
    ),
    wrong(
        "one dw for each sequence",
        "dw has one matrix for each sequence here. All of them used the same w: make every position a row with "
        "reshape(-1, C), or sum over the batch.",
        dw=lambda v: np.atleast_2d(v.x).swapaxes(-1, -2) @ np.atleast_2d(v.dy),
    ),
    wrong(
        "x.T with three axes",
        "x.T turns all axes round, not only the last two, so that x.T @ dy is right for two axes alone. Make every "
        "position a row first.",
        dw=lambda v: v.x.T @ v.dy,
    ),
    wrong(
        "x.T and a first axis",
        "x.T @ dy and dy.sum(0) are right for two axes alone. Make every position a row first.",
        dw=lambda v: v.x.T @ v.dy,
        db=lambda v: v.dy.sum(0),
    ),
    wrong(
        "dx left as rows",
        "dx is left as rows here. It has the shape of x, so bring it back: reshape(x.shape).",
        dx=lambda v: rows(v.dy) @ v.w.T,
    ),
    wrong(
        "the shift in db",
        "b has come into db. The shift goes into y as it is, so its blame is the sum of dy, however large it is.",
        db=lambda v: rows(v.dy * v.b).sum(0),
    ),
    wrong(
        "shift on the way back",
        "The shift has come into dx. It is added on the way there, so a step in x is as large with it as without: "
        "dx = dy @ w.T.",
        dx=lambda v: (v.dy + v.b) @ v.w.T,
    ),
    wrong(
        "dw and dx exchanged",
        "dw stands before dx: gradients come back in the order of the arguments, dx, dw, db.",
        grads=lambda v: (v.dw, v.dx, v.db),
    ),
    wrong(
        "dy changed in place",
        "dy was multiplied where it lies, and whoever gave it still needs it as it was.",
        grads=written_over,
    ),
)
