"""objective: what it is asked, and what each part is worth."""

import decimal
import math

import numpy as np

from ... import scaling
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import objective_right, objective_wrong


def objective(theta, N, D, loss, delta):
    """The sum over runs of Huber's function of ln loss - ln(E + A / N^alpha + B / D^beta).

    theta = (ln E, ln A, ln B, alpha, beta); N, D, loss (rows,); delta in log loss -> a number.  arXiv:2203.15556, D.3
    """
    e, a, b, alpha, beta = theta
    N, D = np.log(np.asarray(N, float)), np.log(np.asarray(D, float))
    terms = np.stack(np.broadcast_arrays(e, a - alpha * N, b - beta * D))
    residual = np.log(np.asarray(loss, float)) - np.logaddexp.reduce(terms)
    size = np.abs(residual)
    return float(np.where(size <= delta, residual**2 / 2, delta * (size - delta / 2)).sum())


def in_decimals(theta, N, D, loss, delta):
    """The same with fifty decimal digits and no logarithm of a sum, in which nothing overflows."""
    with decimal.localcontext(prec=50):
        e, a, b, alpha, beta, delta = (decimal.Decimal(float(x)) for x in (*theta, delta))
        total = decimal.Decimal(0)
        for n, d, y in zip(N, D, loss, strict=True):
            n, d, y = (decimal.Decimal(float(x)) for x in (n, d, y))
            law = e.exp() + a.exp() / n**alpha + b.exp() / d**beta
            size = abs(y.ln() - law.ln())
            total += size * size / 2 if size <= delta else delta * (size - delta / 2)
        return float(total)


def ask(part, theta, N, D, loss, delta=0.01):
    """A question about these runs."""
    arguments = {"theta": np.array(theta, float), "N": np.array(N), "D": np.array(D), "loss": np.array(loss, float)}
    return Question(part, arguments | {"delta": delta})


def draw(rng):
    """Laws and runs of many sizes, with residuals on both sides of delta."""
    for part in ("sum", "sum", "sum", "far", "far", "safe"):
        rows = int(rng.integers(3, 8))
        law = scaling.Law(*rng.uniform([1, 5, 5, 0.2, 0.2], [3, 50, 50, 0.6, 0.6]))
        N, D = (10.0 ** rng.uniform(3, 9, rows) for _ in range(2))
        theta = [math.log(law.E), math.log(law.A), math.log(law.B), law.alpha, law.beta]
        delta, spread = float(rng.uniform(0.005, 0.02)), {"sum": 0.002, "far": 0.05, "safe": 0.01}[part]
        loss = law.loss(N, D) * np.exp(spread * rng.standard_normal(rows))
        if part == "safe":
            theta[1] += 600
            theta[3] += 600 / math.log(1e6)
        yield ask(part, theta, N, D, loss, delta)


EXERCISE = Values(
    name="objective",
    notebook="17_law",
    answer=objective,
    spec=in_decimals,
    parts=(
        Part("sum", 2, "small residuals count with half their square, and all runs are added"),
        Part("far", 1, "beyond delta the residual counts with its size"),
        Part("safe", 1, "nothing overflows on the way"),
        Part("arguments", 0.5, "what was given is left alone", needs=("sum",)),
    ),
    by_hand=(
        ask("sum", [0, 0, 0, 1, 1], [1], [1], [3.0]),
        ask("sum", [0, 0, 0, 1, 1], [1, 1], [1, 1], [3.003, 3.006]),
        ask("sum", [math.log(2), 0, 0, 1, 1], [2, 1], [4, 4], [2.76, 3.24]),
        ask("sum", [0.5, 1, 2, 0.5, 0.25], [100, 400], [16, 81], [4.02, 4.19], 0.05),
        ask("far", [0, 0, 0, 1, 1], [1], [1], [6.0], 0.1),
        ask("far", [0, 0, 0, 1, 1], [1, 2], [1, 1], [3.6, 2.0], 0.01),
        ask("safe", [0, 800, 0, 200, 1], [math.exp(4)], [1], [3.0], 0.01),
        ask("safe", [0, 0, 800, 1, 200], [1], [math.exp(4)], [2.99], 0.01),
    ),
    draw=draw,
    mistakes=objective_wrong.MISTAKES,
    right=objective_right.ANSWERS,
    hints=(
        "Four steps: ln N and ln D; the three terms e, a - alpha ln N and b - beta ln D; the log of the sum of their "
        "exponentials, which is the log of the law; Huber's function of the difference, added up.",
        "np.logaddexp(x, y) is ln(exp(x) + exp(y)), and it takes the largest out first. It takes two terms; the "
        "third goes in with another call.",
        "Huber: where |r| is at most delta, r * r / 2; elsewhere delta * (|r| - delta / 2). At |r| = delta both say "
        "delta * delta / 2, which is how one remembers the second half.",
    ),
    lines=6,
    minutes=25,
    difficulty=3,
)
