"""allocation: what it is asked, and what each part is worth."""

import math

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import allocation_right, allocation_wrong


def allocation(C, E, A, B, alpha, beta):
    """The best N and D for C = 6 N D FLOPs under L = E + A / N^alpha + B / D^beta, and the loss there."""
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N = G * (C / 6) ** (beta / (alpha + beta))
    D = C / (6 * N)
    return N, D, E + A / N**alpha + B / D**beta


def by_search(C, E, A, B, alpha, beta):
    """The same by looking: the slope of the loss along ln N, with D = C / (6 N), is bisected."""
    low, high = math.log(C / 6) / 2 - 80, math.log(C / 6) / 2 + 80
    for _ in range(200):
        x = (low + high) / 2
        y = math.log(C / 6) - x
        size, tokens = alpha * A * math.exp(-alpha * x), beta * B * math.exp(-beta * y)
        low, high = (x, high) if size > tokens else (low, x)
    N, D = math.exp(x), math.exp(y)
    return N, D, E + A / N**alpha + B / D**beta


def ask(C, E, A, B, alpha, beta):
    """A question about this law and budget."""
    return Question("best", {"C": C, "E": E, "A": A, "B": B, "alpha": alpha, "beta": beta})


def draw(rng):
    """Laws and budgets of all sizes."""
    for _ in range(12):
        E, A, B = rng.uniform([0.5, 5, 5], [3, 2000, 2000])
        alpha, beta = rng.uniform(0.15, 0.6, 2)
        yield ask(float(10 ** rng.uniform(12, 24)), float(E), float(A), float(B), float(alpha), float(beta))


EXERCISE = Values(
    name="allocation",
    notebook="17_law",
    answer=allocation,
    spec=by_search,
    parts=(Part("best", 3, "N, D and the loss are those of the best model"),),
    by_hand=(
        ask(600.0, 1.0, 10.0, 10.0, 1.0, 1.0),
        ask(600.0, 1.0, 40.0, 10.0, 1.0, 1.0),
        ask(6e6, 2.0, 20.0, 10.0, 0.5, 1.0),
        ask(6e6, 2.0, 10.0, 20.0, 1.0, 0.5),
    ),
    draw=draw,
    mistakes=allocation_wrong.MISTAKES,
    right=allocation_right.ANSWERS,
    hints=(
        "Put D = C / (6 N) into the law, and ask where its slope along N is zero.",
        "At the best N, alpha A / N^alpha equals beta B / D^beta. With D = C / (6 N) that is an equation for N alone.",
        "N^(alpha + beta) = (alpha A) / (beta B) * (C / 6)^beta; D is what is left of C / 6; the loss is the law's.",
    ),
    lines=4,
    minutes=20,
    difficulty=2,
)
