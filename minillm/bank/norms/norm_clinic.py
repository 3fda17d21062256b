"""The clinic of layer norms: five sealed ones, each with a fault or none; which has which?

from minillm.bank.norms.norm_clinic import norms, FAULTS
y, backward = norms["A"](x, g, b)
grade(norm_clinic={"A": "healthy", ...})
"""

import copy
import functools

import numpy as np

from ...grader import diagnosis
from ...grader.counterexample import inputs, plain_to_see, show
from ...grader.diagnosis import Diagnosis
from ...grader.exercise import Part, article
from .layer_norm import by_hand
from .layer_norm_steps import wrong
from .layer_norm_wrong import MISTAKES

# What may be said, and which of layer norm's known mistakes it is.
KNOWN = {mistake.name: mistake.answer for mistake in MISTAKES}
NORMS = {
    "healthy": wrong("", "").answer,  # with no step changed
    "no epsilon": KNOWN["no eps"],
    "epsilon outside the root": KNOWN["eps outside the root"],
    "n - 1 in the variance": KNOWN["n - 1 in the variance"],
    "statistics over the batch": KNOWN["statistics over the batch"],
    "mean term missing": KNOWN["mean treated as a constant"],
    "variance term missing": KNOWN["variance treated as a constant"],
    "gain forgotten on the way back": KNOWN["gain forgotten on the way back"],
    "x changed in place": KNOWN["x changed in place"],
}
FAULTS = (*NORMS,)
SEALED = diagnosis.sealed(FAULTS[::2])


class Sealed:
    """A layer norm whose code is not to be read:  y, backward = norm(x, g, b).

    ValueError at the door for what does not fit, so that no traceback leads inside.
    """

    def __init__(self, letter):
        self.letter = letter

    def __call__(self, x, g, b, *, eps=1e-5):
        self.fit("x", x, np.shape(x) or ("C",))
        for name, a in {"g": g, "b": b}.items():
            self.fit(name, a, np.shape(x)[-1:])
        y, back = NORMS[CASES[self.letter]](x, g, b, eps=eps)

        def backward(dy):
            self.fit("dy", dy, np.shape(x))
            return back(dy)

        return y, backward

    def fit(self, name, a, shape):
        """ValueError if a is not an array of floating-point numbers of this shape."""
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f" or a.shape != shape:
            found = f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else article(a)
            due = f"an array of floating-point numbers of shape ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
            raise ValueError(f'norms["{self.letter}"]: {name} must be {due}, but it is {found}.')

    def __repr__(self):
        return f"<norm {self.letter}, sealed>"


CASES = dict(zip("ABCDE", SEALED, strict=True))
norms = {letter: Sealed(letter) for letter in CASES}

# Each two of the norms differ on one of these, and one can see by how much.
PROBES = (
    by_hand([[1, 3]], [[1, 0]]),
    by_hand([[5, 5]], [[1, 0]]),
    by_hand([[0, 0.002]], [[1, 0]]),
    by_hand([[1, 3], [7, 5]], [[1, 0], [0, 2]], (1, 2), (0, 1)),
    by_hand([[0, 3, 0]], [[0, 0, 1]], (1, 2, 3), (0, 0, 1)),
)


def observed(norm, probe):
    """What one can see of a norm: y, the three gradients, and what x is afterwards."""
    arrays = copy.deepcopy(probe.arrays)
    with np.errstate(all="ignore"):
        y, backward = norm(*arrays.values())
        dx, dg, db = backward(probe.dy.copy())
    return {"y": y, "dx": dx, "dg": dg, "db": db, "x afterwards": arrays["x"]}


def evidence(letter, word):
    """The first probe on which the norm does not do what a norm with this fault would do."""
    for probe in PROBES:
        ours, theirs = observed(norms[letter], probe), observed(NORMS[word], probe)
        for name, seen in ours.items():
            if plain_to_see({name: seen}, {name: theirs[name]}):
                given = inputs(probe, ("x", "g", "b") if name in ("y", "x afterwards") else ("x", "g", "dy"))
                would = f'"{word}" would give {show(theirs[name], seen)}'
                return f'{given}\nnorms["{letter}"]: {name} = {show(seen, theirs[name])}, but {would}'
    raise AssertionError(f"no probe tells {letter} and {word} apart")


confused = functools.partial(diagnosis.confused, CASES, evidence)


def letter_of(word):
    """The letter under which a fault is sealed."""
    return next(letter for letter, right in CASES.items() if right == word)


HEALTHY, OUTSIDE, BATCH, VARIANCE, IN_PLACE = (letter_of(FAULTS[n]) for n in (0, 2, 4, 6, 8))

EXERCISE = Diagnosis(
    name="norm_clinic",
    notebook="06_layer_norm",
    cases=CASES,
    words=FAULTS,
    evidence=evidence,
    parts=tuple(Part(letter, 1, "yes") for letter in CASES),
    mistakes=(
        confused(**{OUTSIDE: "no epsilon"}),
        confused(**{OUTSIDE: "n - 1 in the variance"}),
        confused(**{HEALTHY: "no epsilon"}),
        confused(**{HEALTHY: "gain forgotten on the way back"}),
        confused(**{VARIANCE: "mean term missing"}),
        confused(**{VARIANCE: "gain forgotten on the way back"}),
        confused(**{BATCH: "n - 1 in the variance"}),
        confused(**{IN_PLACE: FAULTS[0], HEALTHY: FAULTS[8]}),
        confused(**{IN_PLACE: FAULTS[0]}),
    ),
    right=diagnosis.in_other_ways(CASES),
    hints=(
        "Ask each norm something whose answer you know: two numbers that are alike; two rows that are very different; "
        "numbers that are tiny. Look at x again afterwards.",
        "y tells faults of epsilon, on [[5, 5]] and [[0, 0.002]]; of the divisor, on [[1, 3]]; and statistics over the "
        "batch, on two rows. The others show in dx: there two channels can hide what three show, and a gain of ones "
        "hides a forgotten gain.",
        "dx of a right layer norm sums to 0 in each row, and dx * xhat nearly does: the mean term sees to the one, "
        "the variance term to the other. Compare x before and after with np.array_equal.",
    ),
    lines=12,
    minutes=20,
    difficulty=2,
)
