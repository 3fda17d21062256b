"""The exercise `schedule`: how the learning rate rises and falls."""

import math

from ... import optim
from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import schedule_right, schedule_wrong


def question(part, step, raises=None, **options):
    """A Question about one step."""
    return Question(part, {"step": step}, options, raises=raises)


def part_of(step, kind, steps, warmup):
    """The part in which a step counts."""
    return "warm-up" if step < max(warmup, 1) else kind


def along_the_curve(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
    """The same, by walking: where the fall begins, how long it is, and how much of it lies behind."""
    shapes = {
        "linear": lambda gone: gone,
        "constant": lambda gone: gone,
        "cosine": lambda gone: math.sin(math.pi / 2 * gone) ** 2,
    }
    if kind not in shapes:
        raise ValueError(kind)
    for now in range(1, warmup):
        if now == step:
            return rate / warmup * now
    top = warmup if warmup > 0 else 1
    if kind == "constant":
        top = max(warmup, steps - int(round(cooldown * steps)))
    gone = min(max((step - top) / (steps + 1 - top), 0.0), 1.0)
    return rate + (final - rate) * shapes[kind](gone)


def draw(rng):
    """Runs of several lengths, and steps at their beginning, middle and end."""
    for kind in optim.KINDS:
        for _ in range(5):
            steps, warmup = int(rng.integers(20, 60)), int(rng.integers(0, 9))
            options = {"kind": kind, "steps": steps, "warmup": warmup, "rate": float(rng.uniform(0.5, 3))}
            options |= {"final": float(rng.uniform(0, 0.4)), "cooldown": float(rng.uniform(0.2, 0.5))}
            for step in {1, max(1, warmup - 1), warmup + 1, int(rng.integers(warmup + 2, steps)), steps - 1, steps}:
                yield question(part_of(step, kind, steps, warmup), step, **options)


EXERCISE = Values(
    name="schedule",
    notebook="09_training",
    answer=optim.schedule,
    spec=along_the_curve,
    parts=(
        Part("warm-up", 1, "the rate rises to its top in a straight line"),
        Part("linear", 0.5, "and falls in a straight line"),
        Part("cosine", 1, "or along half a wave"),
        Part("constant", 0.5, "or stays, and falls in the last part of the run"),
    ),
    by_hand=(
        question("warm-up", 1, kind="linear", steps=10, warmup=4, rate=8.0),
        question("warm-up", 3, kind="cosine", steps=10, warmup=4, rate=8.0),
        question("warm-up", 2, kind="linear", steps=10, warmup=4, rate=8.0, final=4.0),
        question("warm-up", 4, kind="constant", steps=10, warmup=6, rate=6.0, cooldown=0.8),
        question("linear", 4, kind="linear", steps=10, warmup=4, rate=7.0),
        question("linear", 10, kind="linear", steps=10, warmup=4, rate=7.0),
        question("linear", 6, kind="linear", steps=10, warmup=4, rate=9.0, final=2.0),
        question("linear", 1, kind="linear", steps=4, rate=8.0),
        question("linear", 13, kind="linear", steps=10, warmup=4, rate=7.0),
        question("linear", 3, ValueError, kind="triangle", steps=10),
        question("cosine", 3, kind="cosine", steps=4, warmup=1, rate=8.0),
        question("cosine", 5, kind="cosine", steps=6, warmup=4, rate=8.0),
        question("constant", 5, kind="constant", steps=10, rate=6.0, cooldown=0.5),
        question("constant", 10, kind="constant", steps=10, rate=10.0, cooldown=0.9),
        question("constant", 6, kind="constant", steps=10, warmup=6, rate=9.0, cooldown=0.8),
        question("constant", 8, kind="constant", steps=10, rate=6.0, cooldown=0.5),
    ),
    draw=draw,
    mistakes=schedule_wrong.MISTAKES,
    right=schedule_right.ANSWERS,
    hints=(
        "Three questions, in this order: is the warm-up still going on? Has the fall begun? If so, what share of it is "
        "left?",
        "The fall of linear and cosine begins at step `warmup` (at step 1, if there is none) with the whole rate, and "
        "would reach `final` at step steps + 1. So a share of (steps + 1 - step) / (steps + 1 - start) is left of it.",
        "The cosine takes that share, call it left, and bends it: (1 - cos(pi left)) / 2. The rate is final + (rate - "
        "final) * left in each case; for constant, start is steps - round(cooldown * steps), but not before the "
        "warm-up is over.",
    ),
    lines=12,
    minutes=20,
    difficulty=2,
)
