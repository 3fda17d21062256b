"""Wrong answers to `within_budget` that people write, and what each of them does."""

import types

from ...grader.exercise import Mistake


def trunk_and_branches(lengths, cooldown):
    """The steps of a rung."""
    branches = [round(cooldown * n) for n in lengths]
    return max(n - b for n, b in zip(lengths, branches, strict=True)) + sum(branches)


def cheapest(costs):
    """The numbers of the rungs, the cheapest first."""
    return sorted(range(len(costs)), key=lambda i: costs[i])


def while_it_lasts(costs, order, budget):
    """Those from the first on that can be paid for together."""
    taken, spent = [], 0
    for i in order:
        spent += costs[i]
        if spent > budget:
            break
        taken.append(i)
    return taken


def below(costs, order, budget):
    """Less than the budget, not equal to it."""
    taken, spent = [], 0
    for i in order:
        spent += costs[i]
        if spent >= budget:
            break
        taken.append(i)
    return taken


def until_it_is_spent(costs, order, budget):
    """Look first, add afterwards: the last is not paid for."""
    taken, spent = [], 0
    for i in order:
        if spent > budget:
            break
        spent += costs[i]
        taken.append(i)
    return taken


def by_another_order(key):
    """An answer in which the rungs are sorted by key(cost, FLOPs of a step, steps of the runs, number)."""

    def within_budget(budget, rungs, cooldown=0.25):
        costs = [flops * trunk_and_branches(lengths, cooldown) for flops, lengths in rungs]
        return while_it_lasts(costs, sorted(range(len(costs)), key=lambda i: key(costs[i], *rungs[i], i)), budget)

    return within_budget


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    steps=trunk_and_branches,
    cost=lambda flops, steps: flops * steps,
    order=cheapest,
    take=while_it_lasts,
    gives=lambda taken: taken,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def within_budget(budget, rungs, cooldown=0.25):
        costs = [do.cost(flops, do.steps(lengths, cooldown)) for flops, lengths in rungs]
        return do.gives(do.take(costs, do.order(costs), budget))

    return Mistake(name, says, within_budget)


MISTAKES = (
    wrong(
        "every run alone",
        "Every run is paid from its first step on. The runs of a rung share the trunk, which is paid once.",
        steps=lambda lengths, cooldown: sum(lengths),
    ),
    wrong(
        "longest run alone",
        "Only the longest run is paid. The others have branches of their own.",
        steps=lambda lengths, cooldown: max(lengths),
    ),
    wrong(
        "trunk too long",
        "The trunk goes to the end of the longest run here, and all branches come on top. The longest run leaves the "
        "trunk too: its last steps are its branch.",
        steps=lambda lengths, cooldown: max(lengths) + sum(round(cooldown * n) for n in lengths),
    ),
    wrong(
        "branches forgotten",
        "Only the trunk is paid here. Each run has a branch, where its rate goes to nothing.",
        steps=lambda lengths, cooldown: max(n - round(cooldown * n) for n in lengths),
    ),
    wrong(
        "a trunk for each",
        "Each run pays for a trunk of its own, which is again every run alone, with the branches twice.",
        steps=lambda lengths, cooldown: sum(lengths) + sum(round(cooldown * n) for n in lengths),
    ),
    wrong(
        "one branch",
        "All branches are as long as that of the longest run here. Each has the length of its own run's cooldown.",
        steps=lambda lengths, cooldown: (
            max(n - round(cooldown * n) for n in lengths) + len(lengths) * round(cooldown * max(lengths))
        ),
    ),
    wrong(
        "the last run is the longest",
        "The trunk is as long as the last run needs it. Runs may come in any order: take the longest.",
        steps=lambda lengths, cooldown: (
            lengths[-1] - round(cooldown * lengths[-1]) + sum(round(cooldown * n) for n in lengths)
        ),
    ),
    wrong(
        "the first run is the longest",
        "The trunk is as long as the first run needs it. Runs may come in any order: take the longest.",
        steps=lambda lengths, cooldown: (
            lengths[0] - round(cooldown * lengths[0]) + sum(round(cooldown * n) for n in lengths)
        ),
    ),
    wrong(
        "trunk too short",
        "The trunk ends where the shortest run leaves it. The longest run needs more of it.",
        steps=lambda lengths, cooldown: (
            min(lengths) - round(cooldown * min(lengths)) + sum(round(cooldown * n) for n in lengths)
        ),
    ),
    wrong(
        "no branch for the longest",
        "The longest run has no branch here. Its last steps are not on the trunk, and are to be paid too.",
        steps=lambda lengths, cooldown: (
            max(n - round(cooldown * n) for n in lengths) + sum(round(cooldown * n) for n in sorted(lengths)[:-1])
        ),
    ),
    wrong(
        "not rounded",
        "Branches of parts of a step are paid here. The branch of a run of n steps has round(cooldown * n) steps.",
        steps=lambda lengths, cooldown: (1 - cooldown) * max(lengths) + cooldown * sum(lengths),
    ),
    wrong(
        "cut, not rounded",
        "Branches are cut to whole steps, as int does it. A branch has round(cooldown * n) steps.",
        steps=lambda lengths, cooldown: (
            max(n - int(cooldown * n) for n in lengths) + sum(int(cooldown * n) for n in lengths)
        ),
    ),
    wrong(
        "rounded together",
        "The branches are added and then rounded. Round each of them.",
        steps=lambda lengths, cooldown: max(n - round(cooldown * n) for n in lengths) + round(cooldown * sum(lengths)),
    ),
    wrong(
        "cooldown of a quarter",
        "The cooldown is a quarter whatever is asked. It is an argument.",
        steps=lambda lengths, cooldown: trunk_and_branches(lengths, 0.25),
    ),
    wrong(
        "trunk and branch changed places",
        "cooldown is the share of the branch, and here it is taken for that of the trunk.",
        steps=lambda lengths, cooldown: trunk_and_branches(lengths, 1 - cooldown),
    ),
    wrong(
        "steps for FLOPs",
        "Steps are added, and a budget is in FLOPs: each step of a rung costs its own.",
        cost=lambda flops, steps: steps,
    ),
    wrong(
        "each for itself",
        "Each rung is compared with the whole budget. They are paid from one purse: add up.",
        take=lambda costs, order, budget: [i for i in order if costs[i] <= budget],
    ),
    wrong("less than the budget", "What costs exactly the budget can be paid for: at most, not less than.", take=below),
    wrong(
        "one too many",
        "The last rung goes beyond the budget: look at what would be spent before the rung is taken.",
        take=until_it_is_spent,
    ),
    wrong(
        "order of the plan",
        "The rungs are taken as they stand in the plan. Take the cheapest first.",
        order=lambda costs: [*range(len(costs))],
    ),
    wrong(
        "the dearest first",
        "The dearest rung is taken first here, and it eats the money of the others.",
        order=lambda costs: sorted(range(len(costs)), key=lambda i: -costs[i]),
    ),
    wrong("how many", "This says how many rungs; their numbers are asked for.", gives=len),
    wrong(
        "in the plan's order",
        "The numbers come sorted as they stand in the plan. Give the cheapest rung first.",
        gives=sorted,
    ),
    wrong("counted from one", "The first rung has the number 0.", gives=lambda taken: [i + 1 for i in taken]),
    Mistake(
        "sorted as if alone",
        "The cheapest is chosen by what its runs would cost alone. Sort by what a rung costs, with its shared trunk.",
        by_another_order(lambda cost, flops, lengths, i: (flops * sum(lengths), i)),
    ),
    Mistake(
        "of two equals the smaller",
        "Of two rungs that cost the same the one with fewer FLOPs a step is taken first. The first in the plan is due.",
        by_another_order(lambda cost, flops, lengths, i: (cost, flops, i)),
    ),
    wrong(
        "the same rung again",
        "A rung is taken twice, and the other one that costs the same never. The index of a cost finds only the first.",
        take=lambda costs, order, budget: [costs.index(costs[i]) for i in while_it_lasts(costs, order, budget)],
    ),
)
