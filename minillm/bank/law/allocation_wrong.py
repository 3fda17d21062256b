"""Wrong answers to `allocation` that people write, and what each of them does."""

from ...grader.exercise import Mistake


def wrong(name, says, best, six=6, floor=True, tokens=lambda C, N, six: C / (six * N), size=True):
    """The Mistake of an answer whose N is best(C / six, A, B, alpha, beta)."""

    def allocation(C, E, A, B, alpha, beta):
        N = best(C / six, A, B, alpha, beta)
        D = tokens(C, N, six)
        return N, D, E * floor + A / N**alpha * size + B / D**beta

    return Mistake(name, says, allocation)


def right(c, A, B, alpha, beta):
    """The N that is right, for c = C / 6."""
    return (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * c ** (beta / (alpha + beta))


MISTAKES = (
    wrong(
        "exponents swapped",
        "The exponents of C have changed places: N grows as C^(beta / (alpha + beta)). Where tokens help quickly, beta "
        "is large, and compute goes into size.",
        lambda c, A, B, alpha, beta: (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * c ** (alpha / (alpha + beta)),
    ),
    wrong(
        "G upside down",
        "G stands upside down: a larger A means that size costs more loss, so that N must grow, and not D.",
        lambda c, A, B, alpha, beta: (beta * B / (alpha * A)) ** (1 / (alpha + beta)) * c ** (beta / (alpha + beta)),
    ),
    wrong(
        "no six",
        "The 6 is missing: training costs 6 N D FLOPs, so N D is C / 6.",
        right,
        six=1,
    ),
    wrong(
        "terms made equal",
        "Here A / N^alpha equals B / D^beta. At the best size their slopes are equal: alpha and beta stand in front.",
        lambda c, A, B, alpha, beta: (A / B) ** (1 / (alpha + beta)) * c ** (beta / (alpha + beta)),
    ),
    wrong(
        "half and half",
        "Here N and D share the budget equally, whatever the law says.",
        lambda c, A, B, alpha, beta: c**0.5,
    ),
    wrong(
        "no G",
        "G is missing: C^(beta / (alpha + beta)) says how N grows, and not yet where it stands.",
        lambda c, A, B, alpha, beta: c ** (beta / (alpha + beta)),
    ),
    wrong(
        "G without its root",
        "G is the power 1 / (alpha + beta) of alpha A / (beta B), and this is alpha A / (beta B) itself.",
        lambda c, A, B, alpha, beta: alpha * A / (beta * B) * c ** (beta / (alpha + beta)),
    ),
    wrong("no floor", "The loss lacks its floor E.", right, floor=False),
    wrong(
        "six twice",
        "N is right. D is C / (6 N), and it lacks the 6 here.",
        right,
        tokens=lambda C, N, six: C / N,
    ),
    wrong(
        "twenty tokens a parameter",
        "Here D is 20 N, a rule of thumb for one law. The best D follows from the law at hand.",
        lambda c, A, B, alpha, beta: (c / 20) ** 0.5,
    ),
    wrong(
        "D in place of N",
        "N and D have changed places.",
        lambda c, A, B, alpha, beta: c / right(c, A, B, alpha, beta),
    ),
    wrong(
        "size is free",
        "The loss lacks A / N^alpha: no model of this size comes below it.",
        right,
        size=False,
    ),
)
