"""Right answers to `exponent_interval`, written in other ways than ours."""

import numpy as np


def with_polyfit(x, reducible, runs, draws, level=0.95):
    """NumPy's polyfit and percentile."""
    alphas = []
    for drawn in draws:
        rows = [i for run in drawn for i in range(len(runs)) if runs[i] == run]
        alphas.append(-np.polyfit(np.log(x)[rows], np.log(reducible)[rows], 1)[0])
    tail = 100 * (1 - level) / 2
    return np.percentile(alphas, [tail, 100 - tail])


def by_weights(x, reducible, runs, draws, level=0.95):
    """All replicates at once, by weights."""
    weights = (np.asarray(draws)[:, :, None] == np.asarray(runs)).sum(1)
    u, v = np.log(x), np.log(reducible)
    total = weights.sum(1)
    mean = lambda z: (weights * z).sum(1) / total
    alphas = -(mean(u * v) - mean(u) * mean(v)) / (mean(u * u) - mean(u) ** 2)
    return tuple(np.quantile(alphas, ((1 - level) / 2, 1 - (1 - level) / 2)))


def by_lstsq(x, reducible, runs, draws, level=0.95):
    """With an explicit matrix."""
    found = np.empty(len(draws))
    for i, drawn in enumerate(draws):
        rows = np.hstack([np.where(runs == run)[0] for run in drawn])
        design = np.column_stack([np.ones(len(rows)), -np.log(x[rows])])
        found[i] = np.linalg.lstsq(design, np.log(reducible[rows]), rcond=None)[0][1]
    return list(np.quantile(found, [0.5 - level / 2, 0.5 + level / 2]))


ANSWERS = (("np.polyfit", with_polyfit), ("weights for all replicates", by_weights), ("lstsq", by_lstsq))
