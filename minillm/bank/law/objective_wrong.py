"""Wrong answers to `objective` that people write, and what each of them does."""

import numpy as np

from ...grader.exercise import Mistake


def _logs(theta, N, D):
    e, a, b, alpha, beta = theta
    return e, a - alpha * np.log(np.asarray(N, float)), b - beta * np.log(np.asarray(D, float))


def _law(theta, N, D):
    e, u, v = _logs(theta, N, D)
    return np.logaddexp(np.logaddexp(e, u), v)


def _huber(r, delta):
    size = np.abs(r)
    return np.where(size <= delta, r * r / 2, delta * (size - delta / 2))


def averaged(theta, N, D, loss, delta):
    """The mean over the runs."""
    return float(_huber(np.log(loss) - _law(theta, N, D), delta).mean())


def of_losses(theta, N, D, loss, delta):
    """Of the losses, not their logarithms."""
    return float(_huber(loss - np.exp(_law(theta, N, D)), delta).sum())


def base_ten(theta, N, D, loss, delta):
    """Logarithms to base ten."""
    return float(_huber((np.log(loss) - _law(theta, N, D)) / np.log(10), delta).sum())


def whole_square(theta, N, D, loss, delta):
    """Twice as much."""
    r = np.log(loss) - _law(theta, N, D)
    return float(np.where(np.abs(r) <= delta, r * r, 2 * delta * np.abs(r) - delta**2).sum())


def squares_alone(theta, N, D, loss, delta):
    """No straight part."""
    return float(((np.log(loss) - _law(theta, N, D)) ** 2 / 2).sum())


def sizes_alone(theta, N, D, loss, delta):
    """No square part."""
    return float(np.abs(np.log(loss) - _law(theta, N, D)).sum())


def with_a_jump(theta, N, D, loss, delta):
    """Not continuous at delta."""
    r = np.log(loss) - _law(theta, N, D)
    return float(np.where(np.abs(r) <= delta, r * r / 2, delta * np.abs(r)).sum())


def steep(theta, N, D, loss, delta):
    """A slope of 1 beyond delta."""
    r = np.log(loss) - _law(theta, N, D)
    return float(np.where(np.abs(r) <= delta, r * r / 2, np.abs(r) - delta / 2).sum())


def one_side(theta, N, D, loss, delta):
    """The size is not taken."""
    r = np.log(loss) - _law(theta, N, D)
    return float(np.where(r <= delta, r * r / 2, delta * (r - delta / 2)).sum())


def no_floor(theta, N, D, loss, delta):
    """Without E."""
    _, u, v = _logs(theta, N, D)
    return float(_huber(np.log(loss) - np.logaddexp(u, v), delta).sum())


def swapped(theta, N, D, loss, delta):
    """alpha for beta."""
    e, a, b, alpha, beta = theta
    return averaged((e, a, b, beta, alpha), N, D, loss, delta) * len(loss)


def terms_added(theta, N, D, loss, delta):
    """The logarithms are added."""
    e, u, v = _logs(theta, N, D)
    return float(_huber(np.log(loss) - (e + u + v), delta).sum())


def the_largest(theta, N, D, loss, delta):
    """Only the largest term."""
    e, u, v = _logs(theta, N, D)
    return float(_huber(np.log(loss) - np.maximum(np.maximum(e, u), v), delta).sum())


def taken_as_they_are(theta, N, D, loss, delta):
    """theta taken for E, A and B."""
    E, A, B, alpha, beta = theta
    law = E + A * np.asarray(N, float) ** -alpha + B * np.asarray(D, float) ** -beta
    with np.errstate(all="ignore"):
        return float(_huber(np.log(loss) - np.log(law), delta).sum())


def coefficients_as_they_are(theta, N, D, loss, delta):
    """ln A and ln B taken for A and B."""
    E, A, B, alpha, beta = theta
    law = np.exp(E) + A * np.asarray(N, float) ** -alpha + B * np.asarray(D, float) ** -beta
    with np.errstate(all="ignore"):
        return float(_huber(np.log(loss) - np.log(law), delta).sum())


def overflowing(theta, N, D, loss, delta):
    """exp before the logarithms are added."""
    with np.errstate(all="ignore"):
        E, A, B = np.exp(theta[:3])
        law = E + A * np.asarray(N, float) ** -theta[3] + B * np.asarray(D, float) ** -theta[4]
        return float(_huber(np.log(loss) - np.log(law), delta).sum())


def relative(theta, N, D, loss, delta):
    """The difference as a share."""
    law = np.exp(_law(theta, N, D))
    return float(_huber((loss - law) / law, delta).sum())


MISTAKES = (
    Mistake(
        "averaged",
        "This is the mean over the runs, and the sum is asked for. The minimum is the same, but an optimizer that "
        "stops at small changes stops too early.",
        averaged,
    ),
    Mistake(
        "of losses",
        "Here the losses themselves are subtracted. The residual is the difference of their logarithms, so that one "
        "per cent counts the same at any loss.",
        of_losses,
    ),
    Mistake("base ten", "This is the logarithm to base ten. The residuals are in natural logarithms.", base_ten),
    Mistake(
        "whole square",
        "This is twice what is asked for: Huber's function begins as half the square.",
        whole_square,
    ),
    Mistake(
        "squares alone",
        "Here every residual counts with its square. Beyond delta it counts with its size, so that one bad run does "
        "not rule.",
        squares_alone,
    ),
    Mistake(
        "sizes alone", "Every residual counts with its size here. Up to delta half the square counts.", sizes_alone
    ),
    Mistake(
        "with a jump",
        "Beyond delta this is delta |r|. At |r| = delta that is twice half the square: the function jumps there. "
        "delta / 2 must be taken from |r| first.",
        with_a_jump,
    ),
    Mistake(
        "steep",
        "Beyond delta the slope is 1 here, but half the square arrives there with the slope delta.",
        steep,
    ),
    Mistake(
        "one side",
        "Here r is compared with delta, and not its size: residuals far below zero still count with their square.",
        one_side,
    ),
    Mistake("no floor", "The floor is missing: e is one of the three terms under the logarithm.", no_floor),
    Mistake("swapped", "alpha and beta have changed places: alpha belongs to N, and beta to D.", swapped),
    Mistake(
        "terms added",
        "Here the three logarithms are added, which multiplies the terms. The terms themselves are added: ln of the "
        "sum of their exponentials.",
        terms_added,
    ),
    Mistake(
        "the largest",
        "This takes the largest of the three terms. That is only the part which a log-sum-exp takes out in front.",
        the_largest,
    ),
    Mistake(
        "taken as they are",
        "theta holds ln E, ln A and ln B, and they are used here as if they were E, A and B.",
        taken_as_they_are,
    ),
    Mistake(
        "coefficients as they are",
        "E is right, but theta holds ln A and ln B, and they are used here as if they were A and B.",
        coefficients_as_they_are,
    ),
    Mistake(
        "overflowing",
        "Right for usual numbers. But exp(a) is infinite for a large a, though A / N^alpha is not: add the logarithms "
        "first, and use np.logaddexp.",
        overflowing,
    ),
    Mistake(
        "relative",
        "This is the difference as a share of the law. For small residuals that is nearly the difference of the "
        "logarithms, and for others it is not.",
        relative,
    ),
)
