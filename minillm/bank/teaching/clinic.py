"""The clinic of training runs: twelve sealed ones, each with a fault of its own; which has which?

from minillm.bank.teaching import clinic
clinic.show()                      a panel: the dashboard of each run, beside the healthy one
clinic.runs["A"]                   its numbers, as a dict
grade(clinic={"A": "no warm-up", ...})

runs.py makes them.
"""

import functools
import itertools
import math
import statistics
import typing

from ...dashboard import dashboard
from ...describe import number
from ...grader import diagnosis
from ...grader.diagnosis import Diagnosis
from ...grader.exercise import Part
from .runs import CLIP, EVERY, HABITS, MEASURE, stored

FAULTS = tuple(name for name in HABITS if name != "healthy")
WORDS = (*FAULTS, "healthy")  # the last is no right word for any run
SEALED = diagnosis.sealed(FAULTS, "clinic ")
CASES = dict(zip("ABCDEFGHIJKL", SEALED, strict=True))


def columns(run):
    """A stored run as the dashboard takes it: columns of one length, with the step of each line."""
    step = [EVERY * (i + 1) for i in range(len(run["train"]))]
    measured = {MEASURE * i: loss for i, loss in enumerate(run["validation"])}
    return run | {"step": step, "validation": [measured.get(s, math.nan) for s in step]}


STORED = {name: columns(run) for name, run in stored().items()}
healthy = STORED["healthy"]
runs = {letter: STORED[word] for letter, word in CASES.items()}


class Sign(typing.NamedTuple):
    """Something that one can see of a run: in words, how much it is, and by how much two runs must differ in it."""

    words: str
    of: typing.Any
    margin: float  # as a share of the larger
    least: float = 0.0


SIGNS = {
    "start": Sign("the loss before the first step", lambda run: run["start"], 0.3),
    "train": Sign("the training loss at the end", lambda run: run["train"][-1], 0.3),
    "future": Sign("how far a change of the last token moves earlier logits", lambda run: run["future"], 0.5, 0.01),
    "again": Sign(
        "how far two measurements of the validation loss are apart",
        lambda run: abs(run["measured again"][0] - run["measured again"][1]),
        0.9,
        0.0005,
    ),
    "third": Sign(
        "how far the loss on a third text is above the validation loss",
        lambda run: run["third text"] - statistics.mean(run["measured again"]),
        0.25,
        0.1,
    ),
    "fresh": Sign(
        "the length of the last gradient, over what it is when computed afresh",
        lambda run: run["held"] / run["fresh"],
        0.1,
    ),
    "table": Sign(
        "the slope of the loss when the token table moves, measured over promised",
        lambda run: run["slopes"][0][0] / run["slopes"][0][1],
        0.1,
    ),
    "gains": Sign("the mean gain at the end", lambda run: run["gains"][-1], 0.1),
    "clipped": Sign("the longest gradient after clipping", lambda run: max(run["norm after"]), 0.3),
    "place": Sign(
        "how many of the first windows begin where the one before ends",
        lambda run: sum(b - a == len(run["windows"][0]) for a, b in itertools.pairwise(run["places"])),
        0.5,
    ),
    "first": Sign("the share by which the first ten steps move the weights", lambda run: run["moved"][0], 0.4),
    "weights": Sign("the length of all weights at the end", lambda run: run["weights"][-1], 0.3),
}
# What gives each fault away.
TELLS = {
    "healthy": ("start", "train", "future", "again", "fresh", "table", "clipped", "place", "weights", "first", "gains"),
    "targets not shifted": ("train",),
    "gradients not cleared": ("fresh",),
    "rate times 100": ("weights",),
    "no warm-up": ("first",),
    "validation text in training": ("third",),
    "mask inverted": ("future",),
    "dropout left on": ("again",),
    "decay on gains": ("gains",),
    "clipped tensor by tensor": ("clipped",),
    "tied gradient lost": ("table",),
    "batches not shuffled": ("place",),
    "loss averaged twice": ("start",),
}


def differs(sign, one, other):
    """Whether two runs differ in a sign, so that one can see it."""
    a, b = sign.of(one), sign.of(other)
    return abs(a - b) > max(sign.least, sign.margin * max(abs(a), abs(b)))


def evidence(letter, word):
    """A sign in which this run does not look like one with this fault."""
    mine, theirs = runs[letter], STORED[word]
    for name in (*TELLS[word], *TELLS[CASES[letter]], *SIGNS):
        sign = SIGNS[name]
        if differs(sign, mine, theirs):
            a, b = number(sign.of(mine)), number(sign.of(theirs))
            return f'{sign.words}: run {letter} has {a}, but with "{word}" it is {b}'
    raise AssertionError(f"nothing tells {letter} and {word} apart")


def chart(run):
    """The numbers of a run that stand beside its curves, as lines."""
    again = " and ".join(f"{loss:.4f}" for loss in run["measured again"])
    windows = "  ".join(f"{place}: {text!r}" for place, text in zip(run["places"], run["windows"], strict=True))
    table, rest = run["slopes"]
    return "\n".join(
        (
            f"Loss before the first step {run['start']:.3f}; training loss at the end {run['train'][-1]:.3f}.",
            f"Validation loss at the end, measured twice: {again}; on a third text {run['third text']:.4f}.",
            f"Other token in the last place: earlier logits move by up to {number(run['future'])}.",
            f"Length of the last gradient, before clipping: {run['held']:.4f}; computed afresh {run['fresh']:.4f}. "
            f"Clipping is to {CLIP}; the weights have the length {run['weights'][-1]:.1f} at the end.",
            "Slope of the loss before the first step: when the token table moves, measured "
            f"{number(table[0])}, promised by backward {number(table[1])}; when all else moves, {number(rest[0])} and "
            f"{number(rest[1])}.",
            f"The first windows of the first batch, and where they begin: {windows}",
            f"It writes: {run['sample']!r}",
        )
    )


def draw(run):
    """The dashboard of a run and its chart."""
    shown = healthy if run == "healthy" else runs[run]
    title = "The healthy run" if run == "healthy" else f"Run {run}"
    return dashboard(shown, None if run == "healthy" else healthy, title=title), chart(shown)


def show():
    """The panel of the clinic."""
    from ... import widgets

    widgets.panel(draw, run=["healthy", *CASES])


confused = functools.partial(diagnosis.confused, CASES, evidence)
exchanged = functools.partial(diagnosis.exchanged, CASES, evidence)


def letter_of(word):
    """The letter under which a fault is sealed."""
    return next(letter for letter, right in CASES.items() if right == word)


EXERCISE = Diagnosis(
    name="clinic",
    notebook="09_training",
    cases=CASES,
    words=WORDS,
    evidence=evidence,
    parts=tuple(Part(letter, 0.5, "yes") for letter in CASES),
    mistakes=(
        exchanged("targets not shifted", "mask inverted"),
        exchanged("mask inverted", "validation text in training"),
        exchanged("no warm-up", "rate times 100"),
        exchanged("decay on gains", "gradients not cleared"),
        exchanged("clipped tensor by tensor", "tied gradient lost"),
        exchanged("batches not shuffled", "validation text in training"),
        exchanged("loss averaged twice", "targets not shifted"),
        confused(**{letter_of("dropout left on"): "healthy"}),
        confused(**{letter_of("batches not shuffled"): "healthy"}),
        confused(**{letter_of("decay on gains"): "healthy"}),
        confused(**{letter_of("clipped tensor by tensor"): "clipped tensor by tensor", "A": CASES["B"]}),
    ),
    right=diagnosis.in_other_ways(CASES),
    hints=(
        "Begin with what a loss must be: ln V before the first step, and not far below the n-grams at the end. Then "
        "ask of each curve where it first leaves the healthy one.",
        "Some faults leave the loss as it is. Look at what they are about: the gains, the length after clipping, the "
        "same measurement made twice, the places where the windows begin.",
        "A loss near 0 has two causes: the target stands in the input, or the future can be seen; change the last "
        "token. A gradient has two faults that a slope or a second computation shows: a part is missing, or an old one "
        "is still there. And a validation text that was learned is easier than any third text.",
    ),
    lines=12,
    minutes=30,
    difficulty=3,
)
