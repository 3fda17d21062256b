"""Find what is hidden: eight training steps for a GPU, each with a copy, a wait or another burden of its own.

from minillm.bank.precision import hidden_copies as steps
print(steps.code("A"))
steps.watch("A")                       what it does on a pretend GPU: {"to the GPU": 0, ...}
grade(hidden_copies={"A": "nothing crosses", ...})
"""

import functools

import numpy as np

from ... import pretend
from ...backend import to_gpu
from ...grader import diagnosis
from ...grader.diagnosis import Diagnosis
from ...grader.exercise import Part
from . import crossings
from .crossings import STEPS, reads_the_clock

WORDS = (*STEPS,)
ORDER = diagnosis.sealed(WORDS, "crossing ")
LEFT_OUT = {"the loss is fetched", "an index list is sent", "all weights are fetched", "float64 creeps in"}
CASES = dict(zip("ABCDEFGH", [word for word in ORDER if word not in LEFT_OUT], strict=True))
MANY = 20  # kernels of one step that are worth a word


def code(letter):
    """The code of a step, as text."""
    return crossings.code(STEPS[CASES[letter]])


def watch(letter):
    """What a step does on a pretend GPU: {"to the GPU": how often, ...}."""
    return ledger(CASES[letter]).totals()


def ledger(word):
    """The Ledger of one step."""
    rng = np.random.default_rng(0)
    w, x, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((8, 4), (16, 8), (16, 4)))
    with pretend.gpu() as found:
        arrays = to_gpu([w, x, dy, np.arange(16)])
        found.clear()
        STEPS[word](*arrays, rng, [])
    return found


def seen(word):
    """What one sees of a step, in words."""
    found = ledger(word)
    total, said = found.totals(), []
    for kind, what in (("to the GPU", "sent"), ("to the computer", "fetched")):
        if total[kind]:
            n = found.bytes(kind)
            said.append(f"{n} byte{'s are' if n > 1 else ' is'} {what}, by `{found.lines(kind)[0]}`")
    if total["float64"]:
        said.append(f"float64 is made, by `{found.lines('float64')[0]}`")
    if total["kernels"] > MANY:
        said.append(f"{total['kernels']} kernels are started for 16 rows")
    if reads_the_clock(STEPS[word]) and not total["waits"]:
        said.append("the clock is read, and nothing has waited for the GPU")
    return "; ".join(said) or "nothing crosses, and few kernels are started"


def evidence(letter, word):
    """What this step does, and what one with the fault that was named does."""
    return f'in {letter} {seen(CASES[letter])};\nwith "{word}", as in another step, {seen(word)}'


confused = functools.partial(diagnosis.confused, CASES, evidence)


LETTER = {word: letter for letter, word in CASES.items()}

EXERCISE = Diagnosis(
    name="hidden_copies",
    notebook="11_precision",
    cases=CASES,
    words=WORDS,
    evidence=evidence,
    parts=tuple(Part(letter, 0.5, "yes") for letter in CASES),
    mistakes=(
        confused(**{LETTER["a condition waits"]: "the loss is fetched"}),
        confused(**{LETTER["a mask is counted"]: "an index list is sent"}),
        confused(**{LETTER["a mask is counted"]: "float64 creeps in"}),
        confused(**{LETTER["a constant is sent again"]: "float64 creeps in"}),
        confused(**{LETTER["noise comes from the computer"]: "an index list is sent"}),
        confused(**{LETTER["nothing crosses"]: "the loss is fetched"}),
        confused(**{LETTER["nothing crosses"]: "float64 creeps in"}),
        confused(**{LETTER["the end of a slice is fetched"]: "all weights are fetched"}),
        confused(**{LETTER["a kernel for each row"]: "all weights are fetched"}),
        confused(**{LETTER["the clock stops too early"]: "float64 creeps in"}),
        confused(
            **{
                LETTER["the clock stops too early"]: "nothing crosses",
                LETTER["nothing crosses"]: "the clock stops too early",
            }
        ),
        confused(**{LETTER["a condition waits"]: "nothing crosses"}),
    ),
    right=diagnosis.in_other_ways(CASES),
    hints=(
        "Go through a step line by line and ask: where does each thing on this line live? And who must know its value "
        "before the next line can start: the GPU, or Python?",
        "Python must know the value for `if`, for float() and printing, for the end of a slice, and for how long "
        "x[mask] will be. Whatever NumPy made, or a list, must be sent.",
        "steps.watch(letter) counts what crosses. Three kinds do not cross at all: more kernels than needed, numbers "
        "that grow wider, and a clock that is read while the GPU still works.",
    ),
    lines=8,
    minutes=20,
    difficulty=2,
)
