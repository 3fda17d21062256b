"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import itertools
import math
import statistics
from collections import Counter, OrderedDict, defaultdict

import numpy as np
from scipy import optimize, special, stats

from minillm.bank.law.confounder import WORDS

# What a fit makes small.  `predicted` is ln of the law, `huber` the function; most of the wrong ones have one of them.


def predicted(theta, N, D):
    e, a, b, alpha, beta = theta
    return np.logaddexp(np.logaddexp(e, a - alpha * np.log(N)), b - beta * np.log(D))


def huber(r, delta):
    r = np.abs(r)
    return np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))


def with_function(f):
    """An answer that is right but for the function of the residuals."""
    return lambda theta, N, D, loss, delta: f(np.log(loss) - predicted(theta, N, D), delta)


def with_law(law):
    """An answer that is right but for ln of the law."""
    return lambda theta, N, D, loss, delta: huber(np.log(loss) - law(theta, N, D), delta).sum()


o_mean = with_function(lambda r, delta: huber(r, delta).mean())
o_no_half = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2, delta * (2 * abs(r) - delta)).sum())
o_half_in_one = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2, delta * (abs(r) - delta / 2)).sum())
o_squares = with_function(lambda r, delta: (r**2 / 2).sum())
o_absolute = with_function(lambda r, delta: abs(r).sum())
o_steep = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2 / 2, abs(r) - delta / 2).sum())
o_a_step = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2 / 2, delta * (abs(r) - delta)).sum())
o_jump = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2 / 2, delta * abs(r)).sum())
o_flat = with_function(lambda r, delta: (np.minimum(abs(r), delta) ** 2 / 2).sum())
o_thrown_out = with_function(lambda r, delta: (r[abs(r) <= delta] ** 2 / 2).sum())
o_sign = with_function(lambda r, delta: np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)).sum())
o_sign_beyond = with_function(lambda r, delta: np.where(abs(r) <= delta, r**2 / 2, delta * (r - delta / 2)).sum())
o_pseudo = with_function(lambda r, delta: (delta**2 * (np.sqrt(1 + (r / delta) ** 2) - 1)).sum())
o_branches = with_function(lambda r, delta: np.where(abs(r) > delta, r**2 / 2, delta * (abs(r) - delta / 2)).sum())
o_scipy_crossed = with_function(lambda r, delta: special.huber(r, delta).sum())
o_huber_of_the_sum = with_function(lambda r, delta: huber(r.sum(), delta))
o_array = with_function(huber)
o_root = with_function(lambda r, delta: np.sqrt(2 * huber(r, delta).sum()))
o_one_branch = with_function(
    lambda r, delta: (r**2 / 2).sum() if abs(r).max() <= delta else (delta * (abs(r) - delta / 2)).sum()
)


def o_losses(theta, N, D, loss, delta):
    return huber(loss - np.exp(predicted(theta, N, D)), delta).sum()


def o_relative(theta, N, D, loss, delta):
    return huber(loss / np.exp(predicted(theta, N, D)) - 1, delta).sum()


def o_base_ten(theta, N, D, loss, delta):
    return huber(np.log10(loss) - predicted(theta, N, D) / np.log(10), delta).sum()


def o_plain(theta, N, D, loss, delta):
    with np.errstate(all="ignore"):
        law = np.exp(theta[0]) + np.exp(theta[1]) / N ** theta[3] + np.exp(theta[2]) / D ** theta[4]
        return huber(np.log(loss) - np.log(law), delta).sum()


def o_single_terms(theta, N, D, loss, delta):
    e, a, b, alpha, beta = theta
    with np.errstate(all="ignore"):
        law = np.exp(e) + np.exp(a - alpha * np.log(N)) + np.exp(b - beta * np.log(D))
        return huber(np.log(loss / law), delta).sum()


def o_clipped(theta, N, D, loss, delta):
    e, a, b, alpha, beta = np.clip(theta, -20, 20)
    return huber(np.log(loss) - predicted((e, a, b, alpha, beta), N, D), delta).sum()


def o_nansum(theta, N, D, loss, delta):
    e, a, b, alpha, beta = theta
    with np.errstate(all="ignore"):
        law = np.exp(e) + np.exp(a) / np.exp(alpha * np.log(N)) + np.exp(b) / np.exp(beta * np.log(D))
        r = np.log(loss) - np.log(law)
        return huber(r[np.isfinite(r)], delta).sum()


o_no_floor = with_law(
    lambda theta, N, D: np.logaddexp(theta[1] - theta[3] * np.log(N), theta[2] - theta[4] * np.log(D))
)
o_no_tokens = with_law(lambda theta, N, D: np.logaddexp(theta[0], theta[1] - theta[3] * np.log(N)))
o_floor_twice = with_law(
    lambda theta, N, D: np.logaddexp(
        np.logaddexp(theta[0], theta[1] - theta[3] * np.log(N)), np.logaddexp(theta[0], theta[2] - theta[4] * np.log(D))
    )
)
o_grows = with_law(lambda theta, N, D: predicted((*theta[:3], -theta[3], -theta[4]), N, D))
o_sizes_crossed = with_law(lambda theta, N, D: predicted(theta, D, N))
o_exponents_crossed = with_law(lambda theta, N, D: predicted((*theta[:3], theta[4], theta[3]), N, D))
o_floor_third = with_law(lambda theta, N, D: predicted((theta[2], theta[0], theta[1], theta[3], theta[4]), N, D))
o_no_log_inside = with_law(lambda theta, N, D: predicted(theta, np.exp(np.log10(N)), np.exp(np.log10(D))))
o_sum_of_logs = with_law(
    lambda theta, N, D: theta[0] + theta[1] - theta[3] * np.log(N) + theta[2] - theta[4] * np.log(D)
)


def o_theta_itself(theta, N, D, loss, delta):
    E, A, B, alpha, beta = theta
    with np.errstate(all="ignore"):
        return huber(np.log(loss) - np.log(E + A / N**alpha + B / D**beta), delta).sum()


def o_in_place(theta, N, D, loss, delta):
    np.log(loss, out=loss)
    return huber(loss - predicted(theta, N, D), delta).sum()


def o_usual(theta, N, D, loss, delta):
    return np.sum(huber(np.log(loss) - predicted(theta, N, D), delta))


def o_scipy(theta, N, D, loss, delta):
    e, a, b, alpha, beta = theta
    terms = np.stack([np.full(len(N), e), a - alpha * np.log(N), b - beta * np.log(D)])
    return float(special.huber(delta, np.log(loss) - special.logsumexp(terms, axis=0)).sum())


def o_loop(theta, N, D, loss, delta):
    e, a, b, alpha, beta = map(float, theta)
    total = 0
    for n, d, value in zip(N.tolist(), D.tolist(), loss.tolist(), strict=True):
        terms = [e, a - alpha * math.log(n), b - beta * math.log(d)]
        top = max(terms)
        r = abs(math.log(value) - top - math.log(sum(math.exp(t - top) for t in terms)))
        total += r * r / 2 if r <= delta else delta * (r - delta / 2)
    return total


def o_cut(theta, N, D, loss, delta):
    r = np.log(loss) - predicted(theta, N, D)
    c = np.clip(r, -delta, delta)
    return np.dot(c, r - c / 2)


def o_excess(theta, N, D, loss, delta):
    r = np.log(loss) - np.logaddexp.reduce(
        [theta[0] + 0 * N, theta[1] - theta[3] * np.log(N), theta[2] - theta[4] * np.log(D)], axis=0
    )
    return 0.5 * np.sum(r**2) - 0.5 * np.sum(np.maximum(abs(r) - delta, 0) ** 2)


def o_two_sums(theta, N, D, loss, delta):
    r = abs(predicted(theta, N, D) - np.log(loss))
    near = r <= delta
    return 0.5 * (r[near] ** 2).sum() + delta * (r[~near].sum() - (~near).sum() * delta / 2)


def o_matrix(theta, N, D, loss, delta):
    zero, one = np.zeros(len(N)), np.ones(len(N))
    X = np.array(
        [[one, zero, zero, zero, zero], [zero, one, zero, -np.log(N), zero], [zero, zero, one, zero, -np.log(D)]]
    )
    terms = np.einsum("tpr,p->rt", X, theta)
    top = terms.max(1)
    r = np.log(loss) - top - np.log(np.exp(terms - top[:, None]).sum(1))
    return np.piecewise(r, [abs(r) <= delta], [lambda r: r * r / 2, lambda r: delta * (abs(r) - delta / 2)]).sum()


def o_from_the_floor(theta, N, D, loss, delta):
    """In softplus: ln(x + y) = ln x + ln(1 + y/x)."""
    e, a, b, alpha, beta = theta
    two = lambda x, y: np.maximum(x, y) + np.log1p(np.exp(-abs(x - y)))
    r = np.log(loss) - two(two(b - beta * np.log(D), a - alpha * np.log(N)), e)
    m = np.minimum(abs(r), delta)
    return sum(m * (abs(r) - m / 2))


# The best use of a budget.


def best(C, E, A, B, alpha, beta, per=6.0):
    N = (alpha * A / (beta * B) * (C / per) ** beta) ** (1 / (alpha + beta))
    return N, C / per / N


def law(N, D, E, A, B, alpha, beta):
    return E + A / N**alpha + B / D**beta


def a_no_six(C, E, A, B, alpha, beta):
    N, D = best(C, E, A, B, alpha, beta, 1)
    return N, D, law(N, D, E, A, B, alpha, beta)


def a_six_lost_in_D(C, E, A, B, alpha, beta):
    N, _ = best(C, E, A, B, alpha, beta)
    return N, C / N, law(N, C / N, E, A, B, alpha, beta)


def a_six_lost_in_N(C, E, A, B, alpha, beta):
    N, _ = best(C, E, A, B, alpha, beta, 1)
    return N, C / (6 * N), law(N, C / (6 * N), E, A, B, alpha, beta)


def a_own_exponent(C, E, A, B, alpha, beta):
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N, D = G * (C / 6) ** (alpha / (alpha + beta)), (C / 6) ** (beta / (alpha + beta)) / G
    return N, D, law(N, D, E, A, B, alpha, beta)


def a_G_turned(C, E, A, B, alpha, beta):
    G = (beta * B / (alpha * A)) ** (1 / (alpha + beta))
    N, D = G * (C / 6) ** (beta / (alpha + beta)), (C / 6) ** (alpha / (alpha + beta)) / G
    return N, D, law(N, D, E, A, B, alpha, beta)


def a_no_root(C, E, A, B, alpha, beta):
    N = alpha * A / (beta * B) * (C / 6) ** (beta / (alpha + beta))
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_equal_terms(C, E, A, B, alpha, beta):
    N = (A / B * (C / 6) ** beta) ** (1 / (alpha + beta))
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_slopes_without_chain(C, E, A, B, alpha, beta):
    """The slopes along N and D themselves are set equal: alpha A / N^(alpha+1) = beta B / D^(beta+1)."""
    f = lambda n: np.log(alpha * A / (beta * B)) - (alpha + 1) * n + (beta + 1) * (np.log(C / 6) - n)
    N = np.exp(optimize.brentq(f, -50, 100))
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_no_floor(C, E, A, B, alpha, beta):
    N, D = best(C, E, A, B, alpha, beta)
    return N, D, A / N**alpha + B / D**beta


def a_halves(C, E, A, B, alpha, beta):
    N = np.sqrt(C / 6)
    return N, N, law(N, N, E, A, B, alpha, beta)


def a_twenty(C, E, A, B, alpha, beta):
    N = np.sqrt(C / 120)
    return N, 20 * N, law(N, 20 * N, E, A, B, alpha, beta)


def a_N_only(C, E, A, B, alpha, beta):
    return best(C, E, A, B, alpha, beta)[0]


def a_two(C, E, A, B, alpha, beta):
    return best(C, E, A, B, alpha, beta)


def a_tokens_first(C, E, A, B, alpha, beta):
    N, D = best(C, E, A, B, alpha, beta)
    return D, N, law(N, D, E, A, B, alpha, beta)


def a_loss_first(C, E, A, B, alpha, beta):
    N, D = best(C, E, A, B, alpha, beta)
    return law(N, D, E, A, B, alpha, beta), N, D


def a_root_of_product(C, E, A, B, alpha, beta):
    N = (alpha * A / (beta * B) * (C / 6) ** beta) ** (1 / (alpha * beta))
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_hasty(C, E, A, B, alpha, beta):
    N = optimize.minimize(lambda N: law(N[0], C / 6 / N[0], E, A, B, alpha, beta), [np.sqrt(C / 6)]).x[0]
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_coarse_grid(C, E, A, B, alpha, beta):
    N = np.geomspace(1, C / 6, 1000)
    N = N[law(N, C / 6 / N, E, A, B, alpha, beta).argmin()]
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_whole_billions(C, E, A, B, alpha, beta):
    N = float(f"{best(C, E, A, B, alpha, beta)[0]:.2g}")
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_crossed_powers(C, E, A, B, alpha, beta):
    N, D = best(C, E, A, B, alpha, beta)
    return N, D, E + A / D**alpha + B / N**beta


def a_formula(C, E, A, B, alpha, beta):
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N = G * (C / 6) ** (beta / (alpha + beta))
    D = (C / 6) ** (alpha / (alpha + beta)) / G
    return N, D, E + A / N**alpha + B / D**beta


def a_logs(C, E, A, B, alpha, beta):
    budget = np.log(C) - np.log(6)
    n = (np.log(alpha) + np.log(A) - np.log(beta) - np.log(B) + beta * budget) / (alpha + beta)
    d = budget - n
    return np.array([np.exp(n), np.exp(d), E + np.exp(np.log(A) - alpha * n) + np.exp(np.log(B) - beta * d)])


def a_tokens_solved(C, E, A, B, alpha, beta):
    D = (beta * B / (alpha * A) * (C / 6) ** alpha) ** (1 / (alpha + beta))
    N = C / (6 * D)
    return [N, D, E + A * N**-alpha + B * D**-beta]


def a_linear_system(C, E, A, B, alpha, beta):
    n, d = np.linalg.solve([[1, 1], [-alpha, beta]], [np.log(C / 6), np.log(beta * B / (alpha * A))])
    return math.exp(n), math.exp(d), law(math.exp(n), math.exp(d), E, A, B, alpha, beta)


def a_root(C, E, A, B, alpha, beta):
    slope = lambda n: -alpha * A * np.exp(-alpha * n) + beta * B * np.exp(-beta * (np.log(C / 6) - n))
    N = np.exp(optimize.brentq(slope, -20, np.log(C / 6) + 20, xtol=1e-14, rtol=1e-14))
    return N, C / 6 / N, law(N, C / 6 / N, E, A, B, alpha, beta)


def a_bisection(C, E, A, B, alpha, beta):
    low, high = -50.0, 200.0
    for _ in range(200):
        n = (low + high) / 2
        more = alpha * A * math.exp(-alpha * n) > beta * B * math.exp(beta * (n - math.log(C / 6)))
        low, high = (n, high) if more else (low, n)
    return math.exp(n), C / 6 / math.exp(n), law(math.exp(n), C / 6 / math.exp(n), E, A, B, alpha, beta)


def a_searched(C, E, A, B, alpha, beta):
    """Downhill in the logarithm, and then Newton's steps, since a bottom is flat."""
    cost = lambda n: A * np.exp(-alpha * n) + B * np.exp(beta * (n - np.log(C / 6)))
    n = optimize.minimize_scalar(cost, bounds=(0, np.log(C / 6)), method="bounded").x
    for _ in range(5):
        one, two = A * np.exp(-alpha * n), B * np.exp(beta * (n - np.log(C / 6)))
        n -= (beta * two - alpha * one) / (beta**2 * two + alpha**2 * one)
    return np.exp(n), C / 6 / np.exp(n), E + cost(n)


# How sure is an exponent.


def bounds(alphas, level):
    return tuple(np.quantile(alphas, [(1 - level) / 2, (1 + level) / 2]))


def rows_of(runs, draw):
    return np.concatenate([np.flatnonzero(runs == run) for run in draw])


def each(alpha=lambda x, y: -np.polyfit(x, y, 1)[0], rows=rows_of, ends=bounds):
    """An answer in which alpha of some rows, the rows of a draw, or the ends are written differently."""

    def answer(x, reducible, runs, draws, level=0.95):
        lx, ly = np.log(x), np.log(reducible)
        with np.errstate(all="ignore"):
            return ends(np.array([alpha(*(z[rows(runs, draw)] for z in (lx, ly))) for draw in draws]), level)

    return answer


i_no_sign = each(lambda x, y: np.polyfit(x, y, 1)[0])
i_absolute = each(lambda x, y: abs(np.polyfit(x, y, 1)[0]))
i_intercept = each(lambda x, y: np.polyfit(x, y, 1)[1])
i_other_way = each(lambda x, y: -1 / np.polyfit(y, x, 1)[0])
i_through_zero = each(lambda x, y: -(x @ y) / (x @ x))
i_ends_only = each(lambda x, y: -(y[-1] - y[0]) / (x[-1] - x[0]))
i_once_each = each(rows=lambda runs, draw: np.flatnonzero(np.isin(runs, draw)))
i_rows_drawn = each(rows=lambda runs, draw: draw % len(runs))
i_first_row_of_run = each(rows=lambda runs, draw: [np.flatnonzero(runs == run)[0] for run in draw])
i_as_order = each(rows=lambda runs, draw: rows_of(runs, np.unique(runs)[draw % len(np.unique(runs))]))
i_one_sided = each(ends=lambda alphas, level: tuple(np.quantile(alphas, [1 - level, level])))
i_half_level = each(ends=lambda alphas, level: tuple(np.quantile(alphas, [level / 2, 1 - level / 2])))
i_always_95 = each(ends=lambda alphas, level: tuple(np.quantile(alphas, [0.025, 0.975])))
i_percent = each(ends=lambda alphas, level: tuple(np.percentile(alphas, [(1 - level) / 2, (1 + level) / 2])))
i_extremes = each(ends=lambda alphas, level: (alphas.min(), alphas.max()))
i_turned = each(ends=lambda alphas, level: bounds(alphas, level)[::-1])
i_gauss = each(
    ends=lambda alphas, level: stats.norm.interval(level, alphas.mean(), alphas.std(ddof=1) + 1e-300),
)
i_mean_error = each(
    ends=lambda alphas, level: (
        alphas.mean() - 1.96 * alphas.std() / len(alphas) ** 0.5,
        alphas.mean() + 1.96 * alphas.std() / len(alphas) ** 0.5,
    )
)
i_width = each(ends=lambda alphas, level: np.diff(bounds(alphas, level))[0])
i_alphas = each(ends=lambda alphas, level: alphas)
i_nearest = each(
    ends=lambda alphas, level: tuple(np.quantile(alphas, [(1 - level) / 2, (1 + level) / 2], method="nearest"))
)


def i_base_mixed(x, reducible, runs, draws, level=0.95):
    alphas = [-np.polyfit(np.log10(x), np.log(reducible), 1)[0] for _ in [0]]
    alphas = [
        -np.polyfit(np.log10(x[rows]), np.log(reducible[rows]), 1)[0] for rows in (rows_of(runs, d) for d in draws)
    ]
    return bounds(alphas, level)


def i_no_logs(x, reducible, runs, draws, level=0.95):
    rows = [rows_of(runs, draw) for draw in draws]
    return bounds([-np.polyfit(x[r], reducible[r], 1)[0] for r in rows], level)


def i_counts_as_weights(x, reducible, runs, draws, level=0.95):
    """np.polyfit weighs the residuals, not their squares."""
    alphas = []
    for draw in draws:
        w = np.array([np.sum(draw == run) for run in runs], float)
        alphas.append(-np.polyfit(np.log(x), np.log(reducible), 1, w=w)[0])
    return bounds(alphas, level)


def i_means_first(x, reducible, runs, draws, level=0.95):
    names = np.unique(runs)
    lx = np.array([np.log(x[runs == run]).mean() for run in names])
    ly = np.array([np.log(reducible[runs == run]).mean() for run in names])
    at = [np.searchsorted(names, draw) for draw in draws]
    return bounds([-np.polyfit(lx[i], ly[i], 1)[0] for i in at], level)


def i_own_luck(x, reducible, runs, draws, level=0.95):
    rng, alphas = np.random.default_rng(0), []
    for _ in range(len(draws)):
        rows = rows_of(runs, rng.choice(np.unique(runs), len(np.unique(runs))))
        alphas.append(-np.polyfit(np.log(x[rows]), np.log(reducible[rows]), 1)[0])
    return bounds(alphas, level)


def i_all_together(x, reducible, runs, draws, level=0.95):
    alpha = -np.polyfit(np.log(x), np.log(reducible), 1)[0]
    return alpha, alpha


def i_one_pool(x, reducible, runs, draws, level=0.95):
    rows = rows_of(runs, draws.ravel())
    alpha = -np.polyfit(np.log(x[rows]), np.log(reducible[rows]), 1)[0]
    return alpha, alpha


def i_columns(x, reducible, runs, draws, level=0.95):
    return each()(x, reducible, runs, draws.T, level)


def i_without_last(x, reducible, runs, draws, level=0.95):
    return each()(x, reducible, runs, draws[1:] if len(draws) > 1 else draws, level)


def i_sorts_draws(x, reducible, runs, draws, level=0.95):
    x[:] = np.log(x)
    rows = [rows_of(runs, draw) for draw in draws]
    return bounds([-np.polyfit(x[r], np.log(reducible[r]), 1)[0] for r in rows], level)


i_polyfit = each()


def i_roots_of_counts(x, reducible, runs, draws, level=0.95):
    counts = (draws[:, :, None] == runs).sum(1)
    lx, ly = np.log(x), np.log(reducible)
    alphas = [-np.polyfit(lx[c > 0], ly[c > 0], 1, w=np.sqrt(c[c > 0]))[0] for c in counts]
    tail = (1 - level) / 2
    return np.quantile(alphas, tail), np.quantile(alphas, 1 - tail)


def i_sums(x, reducible, runs, draws, level=0.95):
    """All replicates at once."""
    w = np.equal.outer(draws, runs).sum(1).astype(float)
    w /= w.sum(1, keepdims=True)
    lx, ly = np.log(x), np.log(reducible)
    dx = lx - (w @ lx)[:, None]
    slopes = np.einsum("ij,ij,j->i", w, dx, ly) / np.einsum("ij,ij->i", w, dx**2)
    return np.percentile(-slopes, [50 - 50 * level, 50 + 50 * level])


def i_lists(x, reducible, runs, draws, level=0.95):
    points = {}
    for run, a, b in zip(runs.tolist(), x.tolist(), reducible.tolist(), strict=True):
        points.setdefault(run, []).append((math.log(a), math.log(b)))
    alphas = []
    for draw in draws.tolist():
        pairs = list(itertools.chain.from_iterable(points[run] for run in draw))
        alphas.append(-statistics.linear_regression(*zip(*pairs, strict=True)).slope)
    alphas.sort()

    def quantile(q):
        place = q * (len(alphas) - 1)
        i = min(int(place), len(alphas) - 2) if len(alphas) > 1 else 0
        return alphas[i] + (place - i) * (alphas[min(i + 1, len(alphas) - 1)] - alphas[i])

    return quantile((1 - level) / 2), quantile((1 + level) / 2)


def i_least_squares(x, reducible, runs, draws, level=0.95):
    X = np.column_stack([np.ones(len(x)), -np.log(x)])
    alphas = np.empty(len(draws))
    for i, draw in enumerate(draws):
        rows = np.hstack([np.nonzero(runs == run)[0] for run in draw])
        alphas[i] = np.linalg.lstsq(X[rows], np.log(reducible[rows]), rcond=None)[0][1]
    return [float(end) for end in np.quantile(alphas, [0.5 - level / 2, 0.5 + level / 2])]


def i_regression(x, reducible, runs, draws, level=0.95):
    alphas = []
    for draw in draws:
        many = Counter(draw.tolist())
        rows = np.repeat(np.arange(len(runs)), [many[run] for run in runs.tolist()])
        alphas.append(-stats.linregress(np.log10(x[rows]), np.log10(reducible[rows])).slope)
    return tuple(np.quantile(np.array(alphas), np.array([1 - level, 1 + level]) / 2))


def i_covariance(x, reducible, runs, draws, level=0.95):
    alphas = []
    for draw in draws:
        counts = np.array([(draw == run).sum() for run in runs])
        c = np.cov(np.log(x), np.log(reducible), fweights=counts)
        alphas.append(-c[0, 1] / c[0, 0])
    return np.array([np.quantile(alphas, (1 - level) / 2), np.quantile(alphas, level + (1 - level) / 2)])


def i_polynomial(x, reducible, runs, draws, level=0.95):
    line = np.polynomial.Polynomial.fit
    alphas = [
        -line(np.log(x[rows]), np.log(reducible[rows]), 1).convert().coef[1]
        for rows in (sum(([*np.where(runs == run)[0]] for run in draw), []) for draw in draws)
    ]
    return bounds(alphas, level)


OBJECTIVE = {
    "wrong": [
        ("the mean", o_mean),
        ("no half in either piece", o_no_half),
        ("no half in the square", o_half_in_one),
        ("squares everywhere", o_squares),
        ("absolute values everywhere", o_absolute),
        ("delta is lost before the straight piece", o_steep),
        ("delta, not its half, in the straight piece", o_a_step),
        ("delta |r|, so that the function jumps", o_jump),
        ("flat beyond delta", o_flat),
        ("what lies beyond delta is thrown out", o_thrown_out),
        ("r <= delta without |r|", o_sign),
        ("r for |r| beyond delta", o_sign_beyond),
        ("the pseudo-Huber function", o_pseudo),
        ("the pieces have changed places", o_branches),
        ("scipy's huber with r and delta exchanged", o_scipy_crossed),
        ("Huber's function of the sum", o_huber_of_the_sum),
        ("an array, not summed", o_array),
        ("the root of the sum", o_root),
        ("one branch for all runs", o_one_branch),
        ("residuals of the losses", o_losses),
        ("relative residuals", o_relative),
        ("logarithms to base 10", o_base_ten),
        ("exp of theta, and powers", o_plain),
        ("theta is clipped against overflow", o_clipped),
        ("what overflows is left out", o_nansum),
        ("no floor", o_no_floor),
        ("no term of the tokens", o_no_tokens),
        ("the floor counts twice", o_floor_twice),
        ("the exponents have the other sign", o_grows),
        ("N and D are confused", o_sizes_crossed),
        ("alpha and beta are confused", o_exponents_crossed),
        ("theta in the order a, b, e", o_floor_third),
        ("log10 of the sizes", o_no_log_inside),
        ("the logarithms are added", o_sum_of_logs),
        ("theta holds E, A and B themselves", o_theta_itself),
        ("the logarithm is written into loss", o_in_place),
    ],
    "right": [
        ("logaddexp twice, and where", o_usual),
        ("huber and logsumexp of SciPy", o_scipy),
        ("run by run", o_loop),
        ("a clipped residual, and a dot product", o_cut),
        ("the square less what is too much", o_excess),
        ("two sums", o_two_sums),
        ("each term in logarithms, and then exp", o_single_terms),
        ("einsum over a matrix of terms, piecewise", o_matrix),
        ("log1p, and a minimum", o_from_the_floor),
    ],
}
ALLOCATION = {
    "wrong": [
        ("C = N D", a_no_six),
        ("the 6 is lost in D", a_six_lost_in_D),
        ("the 6 is lost in N", a_six_lost_in_N),
        ("N grows with its own exponent", a_own_exponent),
        ("G upside down", a_G_turned),
        ("G without its root", a_no_root),
        ("A / N^alpha = B / D^beta", a_equal_terms),
        ("the slopes along N and D are equal", a_slopes_without_chain),
        ("the loss without E", a_no_floor),
        ("N = D", a_halves),
        ("twenty tokens for each parameter", a_twenty),
        ("N only", a_N_only),
        ("N and D, no loss", a_two),
        ("D, N, loss", a_tokens_first),
        ("loss, N, D", a_loss_first),
        ("the root of alpha beta", a_root_of_product),
        ("an optimizer with its usual settings", a_hasty),
        ("the best of a coarse grid", a_coarse_grid),
        ("rounded to two digits", a_whole_billions),
        ("N and D are confused in the loss", a_crossed_powers),
    ],
    "right": [
        ("the formula of the notebook", a_formula),
        ("in logarithms, in one array", a_logs),
        ("solved for the tokens, as a list", a_tokens_solved),
        ("two linear equations", a_linear_system),
        ("the root of the slope", a_root),
        ("bisection", a_bisection),
        ("a search, made sharp by Newton", a_searched),
    ],
}
INTERVAL = {
    "wrong": [
        ("the sign is not turned", i_no_sign),
        ("the absolute value of the slope", i_absolute),
        ("the intercept", i_intercept),
        ("x is fitted over y", i_other_way),
        ("a line through 0", i_through_zero),
        ("the first row and the last", i_ends_only),
        ("a run that was drawn twice counts once", i_once_each),
        ("rows are drawn, not runs", i_rows_drawn),
        ("one row of each run", i_first_row_of_run),
        ("the numbers of the runs are taken for places", i_as_order),
        ("1 - level and level", i_one_sided),
        ("half the level on each side", i_half_level),
        ("always 95 per cent", i_always_95),
        ("quantiles as percentiles", i_percent),
        ("the smallest and the largest", i_extremes),
        ("high, low", i_turned),
        ("a normal distribution", i_gauss),
        ("the error of the mean", i_mean_error),
        ("the width", i_width),
        ("all alphas", i_alphas),
        ("the nearest of the alphas", i_nearest),
        ("log10 of x and ln of the rest", i_base_mixed),
        ("no logarithms", i_no_logs),
        ("counts as weights of polyfit, not their roots", i_counts_as_weights),
        ("the mean of each run first", i_means_first),
        ("draws of its own", i_own_luck),
        ("one fit, no bootstrap", i_all_together),
        ("all draws in one fit", i_one_pool),
        ("a replicate is a column of draws", i_columns),
        ("the first replicate is forgotten", i_without_last),
        ("the logarithm is written into x", i_sorts_draws),
    ],
    "right": [
        ("polyfit of the rows that were drawn", i_polyfit),
        ("polyfit with the roots of the counts", i_roots_of_counts),
        ("all at once, with weights", i_sums),
        ("lists and statistics, with a quantile by hand", i_lists),
        ("least squares", i_least_squares),
        ("linregress, in base 10", i_regression),
        ("a covariance with counts", i_covariance),
        ("a polynomial", i_polynomial),
    ],
}
# Spot the confounder.
DIAGNOSIS = {
    "A": "a long warm-up",
    "B": "no cooldown",
    "C": "all weights counted",
    "D": "one low rate",
    "E": "old tokens again",
    "F": "learned positions",
    "G": "a large batch",
    "H": "the best of three seeds",
}
COOLDOWN, WARMUP, POSITIONS, BATCH, LOW, OLD, COUNTED, SEEDS, NOTHING = WORDS


def exchanged(one, other):
    return DIAGNOSIS | {one: DIAGNOSIS[other], other: DIAGNOSIS[one]}


def around(letters):
    """Habits handed on from each of these ladders to the next of them."""
    return DIAGNOSIS | {there: DIAGNOSIS[here] for here, there in zip(letters, letters[1:] + letters[0], strict=True)}


class Sheet(dict):
    """A dict that says how many ladders are still open."""

    def left(self):
        return sum(word == "?" for word in self.values())


class Cautious(dict):
    def __missing__(self, letter):
        return NOTHING


def from_pairs():
    answer = {}
    for letter, habit in zip("ABCDEFGH", (WARMUP, COOLDOWN, COUNTED, LOW, OLD, POSITIONS, BATCH, SEEDS), strict=True):
        answer[letter] = habit
    return answer


CONFOUNDER = {
    "right": [
        ("a ninth ladder, which is passed over", DIAGNOSIS | {"I": NOTHING}),
        ("the cell, filled in", dict(DIAGNOSIS)),
        ("in the order in which they were found out", {letter: DIAGNOSIS[letter] for letter in "CHEAGBDF"}),
        ("an OrderedDict", OrderedDict(sorted(DIAGNOSIS.items(), key=lambda item: item[1]))),
        ("words of the list by their place", from_pairs()),
        ("NumPy's strings", dict(zip(DIAGNOSIS, np.array(list(DIAGNOSIS.values())), strict=True))),
        ("a dict that can do more", Sheet(DIAGNOSIS)),
        ("a defaultdict", defaultdict(lambda: "?", DIAGNOSIS)),
        ("in capitals", {letter: habit.upper() for letter, habit in DIAGNOSIS.items()}),
        ("sentences, with a capital at the start", {letter: habit.capitalize() for letter, habit in DIAGNOSIS.items()}),
        ("copied with the spaces and the end of line", {letter: f"  {habit}\n" for letter, habit in DIAGNOSIS.items()}),
    ],
    "wrong": [
        ("the cell as it was", dict.fromkeys(DIAGNOSIS, "?")),
        ("short runs that suffer: warm-up and batch confused", exchanged("A", "G")),
        ("warm-up and the low rate confused", exchanged("A", "D")),
        ("no cooldown and the low rate confused", exchanged("B", "D")),
        ("no cooldown and learned positions confused", exchanged("B", "F")),
        ("no cooldown and old tokens, both seen in long runs", exchanged("B", "E")),
        ("the two that were only kept otherwise confused", exchanged("C", "H")),
        ("learned positions and old tokens confused", exchanged("F", "E")),
        ("the low rate and the batch confused", exchanged("D", "G")),
        ("lower losses laid to the positions", exchanged("F", "H")),
        ("lower losses laid to the missing cooldown", exchanged("B", "H")),
        ("the learned table taken for the counted one", exchanged("C", "F")),
        ("three in a circle: warm-up, rate, batch", around("ADG")),
        ("two pairs confused", exchanged("A", "G") | {"B": LOW, "D": COOLDOWN}),
        ("all shifted by one letter", around("ABCDEFGH")),
        ("all shifted back by one letter", around("HGFEDCBA")),
        ("the words in the order of the list", dict(zip("ABCDEFGH", WORDS, strict=False))),
        ("one word for all", dict.fromkeys(DIAGNOSIS, OLD)),
        ("nothing, for every ladder", dict.fromkeys(DIAGNOSIS, NOTHING)),
        ("nothing, for the ladder that was trained as the quick one", DIAGNOSIS | {"C": NOTHING}),
        ("one habit given to two ladders", DIAGNOSIS | {"G": WARMUP}),
        ("half filled", DIAGNOSIS | dict.fromkeys("EFGH", "?")),
        ("half of the ladders only", {letter: DIAGNOSIS[letter] for letter in "ABCD"}),
        ("a ladder missing", {letter: habit for letter, habit in DIAGNOSIS.items() if letter != "H"}),
        ("a ladder left empty", DIAGNOSIS | {"F": ""}),
        ("a ladder with None", DIAGNOSIS | {"D": None}),
        ("a word misspelt", DIAGNOSIS | {"B": "no cooldwn"}),
        ("a hyphen forgotten", DIAGNOSIS | {"A": "a long warmup"}),
        ("own words", DIAGNOSIS | {"E": "overfitting", "D": "learning rate too small", "H": "cherry-picking"}),
        ("half a word", DIAGNOSIS | {"H": "three seeds"}),
        ("two guesses for one ladder", DIAGNOSIS | {"G": [BATCH, WARMUP]}),
        ("two guesses in one string", DIAGNOSIS | {"G": f"{BATCH} or {WARMUP}"}),
        ("numbers of the list in place of words", {letter: WORDS.index(h) for letter, h in DIAGNOSIS.items()}),
        ("how far the loss lies apart, in place of a word", dict.fromkeys(DIAGNOSIS, 0.1)),
        ("words and letters the wrong way round", {habit: letter for letter, habit in DIAGNOSIS.items()}),
        ("ladders by number", dict(enumerate(DIAGNOSIS.values()))),
        ("a list in place of a dict", list(DIAGNOSIS.values())),
        ("a list of pairs", list(DIAGNOSIS.items())),
        ("a set of words", set(DIAGNOSIS.values())),
        ("one string", ", ".join(f"{letter}: {habit}" for letter, habit in DIAGNOSIS.items())),
        ("a number", 8),
        ("None", None),
        ("an empty dict", {}),
        ("a dict that answers what it does not hold", Cautious({letter: DIAGNOSIS[letter] for letter in "ABCDEFG"})),
        ("a function that gives the dict", from_pairs),
    ],
}
ANSWERS = {
    "objective": OBJECTIVE,
    "allocation": ALLOCATION,
    "exponent_interval": INTERVAL,
    "confounder": CONFOUNDER,
}
NAMED = {"objective": 15, "allocation": 9, "exponent_interval": 10, "confounder": 20}
