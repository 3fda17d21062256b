"""within_budget: what it is asked, and what each part is worth."""

import itertools

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import within_budget_right, within_budget_wrong


def within_budget(budget, rungs, cooldown=0.25):
    """Which rungs a budget of FLOPs pays for: their numbers, the cheapest rung first.

    rungs is a list of (FLOPs of a step, [steps of each run]).  The runs of a rung share a trunk: one of n steps leaves
    it when round(cooldown * n) steps are left, and takes these on a branch of its own.  So a rung costs the trunk, as
    far as its longest run needs it, and all branches.  Rungs are taken from the cheapest on, while all that are taken
    cost no more than the budget together; of two that cost the same, the first.
    """
    costs = []
    for flops, lengths in rungs:
        branches = [round(cooldown * steps) for steps in lengths]
        trunk = max(steps - branch for steps, branch in zip(lengths, branches, strict=True))
        costs.append(flops * (trunk + sum(branches)))
    taken, spent = [], 0
    for i in sorted(range(len(rungs)), key=lambda i: costs[i]):
        spent += costs[i]
        if spent > budget:
            break
        taken.append(i)
    return taken


def step_by_step(budget, rungs, cooldown=0.25):
    """Every step that is taken is put into a set: those of the trunk are the same for all runs."""
    costs = []
    for flops, lengths in rungs:
        steps = set()
        for run, n in enumerate(lengths):
            fork = n - round(cooldown * n)
            steps |= {("trunk", i) for i in range(fork)} | {(run, i) for i in range(fork, n)}
        costs.append(flops * len(steps))
    order = [i for _, i in sorted(zip(costs, itertools.count(), strict=False))]
    sums = [*itertools.accumulate(costs[i] for i in order)]
    return order[: sum(total <= budget for total in sums)]


def ask(part, budget, *rungs, **options):
    """A question about these rungs."""
    return Question(part, {"budget": budget, "rungs": [(flops, list(steps)) for flops, steps in rungs]}, options)


def cost(flops, lengths, cooldown=0.25):
    """FLOPs of a rung."""
    branches = [round(cooldown * n) for n in lengths]
    return flops * (max(n - b for n, b in zip(lengths, branches, strict=True)) + sum(branches))


def draw(rng):
    """Plans with a budget that pays for some of their rungs, and one that is a FLOP short of the next."""
    for part, cooldown in (
        ("cost", 0.25),
        ("cost", 0.5),
        ("sum", 0.25),
        ("order", 0.25),
        ("sum", 0.25),
        ("order", 0.1),
    ):
        n = int(rng.integers(3, 6)) if part != "cost" else 1
        lengths = [20 * int(x) for x in sorted(rng.choice(range(2, 60, 2), int(rng.integers(2, 5)), replace=False))]
        flops = sorted(int(x) for x in rng.choice(range(50, 900), n, replace=False))
        rungs = [(f, lengths) for f in flops]
        if part == "order":
            rungs = [rungs[i] for i in rng.permutation(n)]
        options = {} if cooldown == 0.25 else {"cooldown": cooldown}
        total = list(itertools.accumulate(sorted(cost(*rung, cooldown) for rung in rungs)))
        last = int(rng.integers(0, n))
        for short in (0, 1):
            yield ask(part, total[last] - short, *rungs, **options)


EXERCISE = Values(
    name="within_budget",
    notebook="18_shot",
    answer=within_budget,
    spec=step_by_step,
    parts=(
        Part("cost", 2, "a rung costs its trunk once, and a branch for each run"),
        Part("sum", 1, "what is taken costs no more than the budget, all together"),
        Part("order", 1, "the cheapest rungs come first, wherever they stand"),
        Part("arguments", 0.5, "what was given is left alone", needs=("cost",)),
    ),
    by_hand=(
        ask("cost", 1000, (10, [100])),
        ask("cost", 999, (10, [100])),
        ask("cost", 1250, (10, [40, 60, 100])),
        ask("cost", 1249, (10, [40, 60, 100])),
        ask("cost", 1400, (10, [40, 100]), cooldown=1.0),
        ask("cost", 1399, (10, [40, 100]), cooldown=1.0),
        ask("cost", 1000, (10, [40, 100]), cooldown=0.0),
        ask("cost", 1250, (10, [100, 60, 40])),
        ask("cost", 1249, (10, [100, 60, 40])),
        *(ask("cost", budget, (10, [55, 59, 63, 100])) for budget in (1450, 1449, 1441, 1439, 1100)),
        ask("sum", 300, (1, [100]), (2, [100]), (4, [100])),
        ask("sum", 650, (1, [100]), (2, [100]), (4, [100])),
        ask("sum", 700, (1, [100]), (2, [100]), (4, [100])),
        ask("sum", 0, (1, [100]), (2, [100])),
        ask("order", 350, (4, [100]), (1, [100]), (2, [100])),
        ask("order", 500, (3, [100]), (1, [400]), (2, [80])),
        ask("order", 300, (2, [100]), (1, [100]), (2, [100])),
        ask("order", 500, (2, [100]), (1, [100]), (2, [100])),
        ask("order", 400, (4, [100]), (2, [200])),
        ask("order", 1920, (10, [100]), (8, [60, 100])),
    ),
    draw=draw,
    mistakes=within_budget_wrong.MISTAKES,
    right=within_budget_right.ANSWERS,
    hints=(
        "Two parts: what each rung costs, and then how many of them can be paid for, beginning with the cheapest.",
        "Of a run of 100 steps with cooldown=0.25, 75 are on the trunk and 25 on a branch. Runs of 40, 60, 100 steps "
        "need 75 steps of trunk, and branches of 10, 15 and 25: 125 steps.",
        "sorted(range(len(rungs)), key=lambda i: costs[i]) gives the numbers, the cheapest first; of equal ones, the "
        "first. Add up, and stop at the first that is too much.",
    ),
    lines=12,
    minutes=30,
    difficulty=3,
)
