"""Spot the confounder: eight ladders, sealed; each differs from the quick one in a habit of its own; which has which?

from minillm.bank.law import confounder as climb
climb.show()                     a panel: the losses of each ladder beside those of the quick one
climb.ladders["A"]               its N, D and loss, as arrays of twelve
grade(confounder={"A": "learned positions", ...})

The plans of six of them are in minillm/ladders/traps; two are the quick ladder's runs, badly kept.
"""

import functools
import typing

import numpy as np

from ... import plan, plots
from ... import runs as tables
from ...grader import diagnosis
from ...grader.diagnosis import Diagnosis
from ...grader.exercise import Part

LANGUAGE = "facts"
TRAINED = {
    "no cooldown": "no-cooldown",
    "a long warm-up": "long-warmup",
    "learned positions": "learned-positions",
    "a large batch": "large-batch",
    "one low rate": "one-rate",
    "old tokens again": "read-again",
}
KEPT = ("all weights counted", "the best of three seeds")
WORDS = (*TRAINED, *KEPT, "nothing")  # the last is no right word for any ladder
SEALED = diagnosis.sealed(WORDS[:-1], "confounder ")
CASES = dict(zip("ABCDEFGH", SEALED, strict=True))

BY_SIZE = np.arange(12).reshape(3, 4)  # the places of a ladder's runs, a row for each N


class Ladder(typing.NamedTuple):
    """Twelve runs, (12,) each, by N and then by D."""

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray


@functools.cache
def rows(name):
    """The stored runs of a file, on the language of this exercise."""
    return [row for row in tables.read(plan.SHELF / name).rows if row["language"]["kind"] == LANGUAGE]


def ladder(some, N="N"):
    """The Ladder of these rows."""
    some = sorted(some, key=lambda row: (row["width"], row["D"]))
    return Ladder(*(np.array([row[name] for row in some], float) for name in (N, "D", "loss")))


@functools.cache
def stored():
    """{word: Ladder}: what each habit makes of the quick ladder; "nothing" is that ladder itself."""
    quick = [ladder(row for row in rows("quick.jsonl") if row["seed"] == seed) for seed in range(3)]
    first = [row for row in rows("quick.jsonl") if row["seed"] == 0]
    found = {word: ladder(r for r in rows("traps.jsonl") if r["plan"] == name) for word, name in TRAINED.items()}
    found["all weights counted"] = ladder(first, N="N_all")
    found["the best of three seeds"] = quick[0]._replace(loss=np.min([each.loss for each in quick], 0))
    return found | {"nothing": quick[0]}


def __getattr__(name):
    """`quick`, and `ladders` by letter, are read when somebody asks for them."""
    if name == "quick":
        return stored()["nothing"]
    if name == "ladders":
        return {letter: stored()[word] for letter, word in CASES.items()}
    raise AttributeError(f"there is no {name!r} here; there are quick, ladders and show().")


def floor():
    """The lowest loss that any model can reach on this language."""
    return rows("quick.jsonl")[0]["floor"]


def evidence(letter, word):
    """Where this ladder looks least like one with this habit."""
    mine, theirs, quick = stored()[CASES[letter]], stored()[word], stored()["nothing"]
    if (mine.N != theirs.N).any():
        return f'its smallest model has N = {mine.N[0]:,.0f}, but with "{word}" it has {theirs.N[0]:,.0f}'
    i = abs(mine.loss - theirs.loss).argmax()
    one, other = (each.loss[i] - quick.loss[i] for each in (mine, theirs))
    where = f"at N = {quick.N[i]:,.0f} and D = {quick.D[i]:,.0f}"
    return f'{where}, {letter} lies {one:+.3f} nats from the quick ladder, but with "{word}" it is {other:+.3f}'


def table(shown):
    """The losses of a ladder and how far they lie from those of the quick one, in lines."""
    quick = stored()["nothing"]
    lines = ["D".rjust(16) + "".join(f"{D:16,.0f}" for D in shown.D[:4])]
    for each in BY_SIZE:
        cells = (f"{shown.loss[i]:.3f} ({shown.loss[i] - quick.loss[i]:+.3f})" for i in each)
        lines.append(f"N = {shown.N[each[0]]:<12,.0f}" + "".join(cell.rjust(16) for cell in cells))
    return "\n".join(lines)


def draw(ladder):
    """The losses of a ladder above the floor, those of the quick one dashed beside them, and the table."""
    quick, shown = stored()["nothing"], stored()[CASES.get(ladder, "nothing")]
    above = lambda name, some: {f"{name} = {some.N[i[0]]:,.0f}": some.loss[i] - floor() for i in BY_SIZE}
    beside = above("quick, N", quick) if shown is not quick else {}
    figure = plots.curves(
        shown.D[:4],
        above("N", shown) | beside,
        title=f"Ladder {ladder}" if beside else "The quick ladder",
        x_label="D, tokens trained on",
        y_label="loss above the floor (nats)",
        log_x=True,
        log_y=True,
        beside=[*beside],
    )
    return figure, table(shown)


def show():
    """The panel: one ladder at a time."""
    from ... import widgets

    widgets.panel(draw, ladder=["quick", *CASES])


confused = functools.partial(diagnosis.confused, CASES, evidence)
LETTER = {word: letter for letter, word in CASES.items()}
exchanged = functools.partial(diagnosis.exchanged, CASES, evidence)


EXERCISE = Diagnosis(
    name="confounder",
    notebook="17_law",
    cases=CASES,
    words=WORDS,
    evidence=evidence,
    parts=tuple(Part(letter, 0.5, "yes") for letter in CASES),
    mistakes=(
        exchanged("a long warm-up", "a large batch"),
        exchanged("one low rate", "a large batch"),
        exchanged("learned positions", "one low rate"),
        exchanged("no cooldown", "old tokens again"),
        exchanged("all weights counted", "the best of three seeds"),
        confused(**{LETTER["the best of three seeds"]: "nothing"}),
        confused(**{LETTER["all weights counted"]: "nothing"}),
        confused(**{LETTER["old tokens again"]: "nothing"}),
        confused(**{LETTER["no cooldown"]: "the best of three seeds"}),
    ),
    right=diagnosis.in_other_ways(CASES),
    hints=(
        "Ask of each habit what it would change before you look: N, or the loss? The shortest runs, the longest, or "
        "all? The small models, or the large ones?",
        "Three ladders have no loss that is higher than in the quick one. In one of them the losses are the same; in "
        "one they are a little lower, or the same; and in one they are lower everywhere, since something helps here "
        "that raised every loss on the other language: every window begins with a key.",
        "Of the five others, one loses as much in all runs, one in the shortest alone, and one in the longest, most of "
        "all in the largest model. Two lose most in short runs: with an eighth of the steps by far the most, and with "
        "too low a rate the smallest model suffers most.",
    ),
    lines=8,
    minutes=25,
    difficulty=3,
)
