"""Right answers to `within_budget`, written in other ways than ours."""

import numpy as np


def by_cumsum(budget, rungs, cooldown=0.25):
    """With NumPy's cumulative sum and a stable sort."""
    costs = []
    for flops, lengths in rungs:
        n = np.array(lengths)
        branch = np.round(cooldown * n).astype(int)
        costs.append(flops * int((n - branch).max() + branch.sum()))
    order = np.argsort(costs, kind="stable")
    return [int(i) for i in order[np.cumsum(np.array(costs)[order]) <= budget]]


def by_taking_turns(budget, rungs, cooldown=0.25):
    """The cheapest of those that are left, again and again."""

    def price(rung):
        flops, lengths = rung
        longest = max(lengths)
        steps = longest - round(cooldown * longest)
        for n in lengths:
            steps += round(cooldown * n)
        return flops * steps

    left, taken = {i: price(rung) for i, rung in enumerate(rungs)}, []
    while left:
        i = min(left, key=left.get)
        if left[i] > budget:
            return taken
        budget = budget - left.pop(i)
        taken.append(i)
    return taken


ANSWERS = (("cumulative sums", by_cumsum), ("the cheapest that is left", by_taking_turns))
