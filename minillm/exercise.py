"""What an exercise is: its parts, its probes, the mistakes that we know; and how an answer is judged and named."""

import dataclasses
import inspect
import typing

import numpy as np

from . import counterexample
from .guard import Trouble


class Changed(Exception):
    """minillm's own function and its definition in loops do not agree, so that nobody can be judged."""


@dataclasses.dataclass(frozen=True)
class Part:
    """Something that an answer can get right, and what that is worth."""

    name: str  # "y", "dx", "arguments"
    points: float
    says: str  # what `ok` means; {drawn} is the number of random probes
    shows: tuple = ()  # the arguments that a counterexample shows
    needs: tuple = ()  # it counts once one of these parts is right


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A wrong answer that people write: a short name, one or two sentences that say what is wrong, and the answer."""

    name: str
    says: str
    answer: object


@dataclasses.dataclass(frozen=True)
class Probe:
    """What an answer is asked: answer(*first, *arrays, **options), and backward(dy) for what it returns."""

    arrays: dict  # name: array or tree, in the order of the arguments; these are differentiated
    dy: np.ndarray | None = None
    options: dict = dataclasses.field(default_factory=dict)
    first: tuple = ()  # arguments that come before the arrays and are not differentiated
    label: str = ""  # a word about it, for the reader of a counterexample
    drawn: bool = False  # at random, anew at every call


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a grade: a part, its points, what was got, "ok", "FAIL" or "todo", and what a learner reads."""

    check: str
    points: float
    got: float
    status: str
    message: str = ""
    mistake: str | None = None


@dataclasses.dataclass(frozen=True)
class Judgement:
    """All rows, remarks that cost nothing, and whether a random probe told against the answer."""

    rows: tuple
    notes: tuple = ()
    drawn: bool = False


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What an answer did: for each part a list with an entry a probe, a dict of arrays or a Trouble; and remarks."""

    seen: dict
    notes: tuple = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exercise:
    """An exercise.  A kind of exercise says in `probes`, `watch` and `truth` what its answers are asked and should do."""

    name: str
    notebook: str
    parts: tuple
    mistakes: tuple
    right: tuple = ()  # (description, answer): right ones, each written in another way
    hints: tuple  # three, from an idea to nearly the line
    lines: int  # about so many lines
    minutes: int
    difficulty: int  # 1 to 5
    answer: typing.Any = None  # the library's own function: the answer key

    @property
    def points(self):
        """What all parts are worth."""
        return sum(part.points for part in self.parts)

    def solution(self):
        """The answer key as text."""
        return inspect.getsource(self.answer)

    def borrowed(self, answer):
        """Whether the answer is minillm's own, or calls it."""
        return False

    def unfit(self, answer):
        """One sentence if the answer is no answer at all, else None."""
        return None if callable(answer) else f"{self.name} must be a function, but it is {article(answer)}."

    def judge(self, answer, seed):
        """The Judgement of an answer on the probes of this seed.  Changed if minillm itself cannot be trusted."""
        probes = self.probes(seed)
        sighting = self.watch(answer, probes)  # before there is anything that could be copied from
        wanted = self.truth(probes)
        faults = {
            part.name: self.fault(part, sighting.seen[part.name], wanted[part.name], probes) for part in self.parts
        }
        wrong = [part for part in self.parts if faults[part.name] and faults[part.name].status == "FAIL"]
        names = self.named(sighting.seen, wanted, wrong, probes) if wrong else {}
        rows, told = [], set()
        drawn = sum(probe.drawn for probe in probes)
        for part in self.parts:
            fault = faults[part.name]
            if fault is None and part.needs and all(faults[name] for name in part.needs):
                fault = Fault("todo", f"counts as soon as one of {', '.join(part.needs)} is right")
            if fault is None:
                rows.append(Row(part.name, part.points, part.points, "ok", part.says.format(drawn=drawn)))
                continue
            mistake = names.get(part.name)
            lines = [fault.says]
            if fault.status == "FAIL":
                excuse = self.excuse(answer, part, faults, probes, sighting.seen)
                if excuse and not mistake:
                    lines = [excuse]
                elif mistake and mistake.name not in told:
                    lines.append(mistake.says)
                    told.add(mistake.name)
            rows.append(Row(part.name, part.points, 0.0, fault.status, "\n".join(lines), mistake and mistake.name))
        return Judgement(tuple(rows), sighting.notes, any(f is not None and f.drawn for f in faults.values()))

    def fault(self, part, seen, wanted, probes):
        """The Fault at the first probe where this part is not what it should be, or None."""
        for probe, got, want in zip(probes, seen, wanted, strict=True):
            if isinstance(got, Trouble):
                status = "todo" if got.unwritten else "FAIL"
                if status == "todo" or got.kind in ("timeout", "unreached"):
                    return Fault(status, got.says, probe.drawn)
                return Fault(status, f"{got.says}, for {counterexample.inputs(probe, [*probe.arrays])}", probe.drawn)
            says = self.compare(part, got, want, probe)
            if says:
                return Fault("FAIL", says, probe.drawn)
        return None

    def compare(self, part, got, want, probe):
        """One line about how they differ, or None."""
        found = counterexample.first_fault(got, want, precision(probe))
        return found and f"{counterexample.inputs(probe, part.shows)}  {found[1]}".strip()

    def named(self, seen, wanted, wrong, probes):
        """{part: Mistake}: the known mistake that does the same at every probe; else the same in this part."""
        bank = [(mistake, self.watch(mistake.answer, probes).seen) for mistake in self.mistakes]
        whole = [m for m, theirs in bank if all(agree(seen[part.name], theirs[part.name]) for part in self.parts)]
        if whole:
            return {part.name: whole[0] for part in wrong}
        found = {}
        for part in wrong:
            alike = [(m, theirs) for m, theirs in bank if agree(seen[part.name], theirs[part.name])]
            spoils = lambda pair: sum(bool(self.fault(p, pair[1][p.name], wanted[p.name], probes)) for p in self.parts)
            if alike and not all(isinstance(got, Trouble) for got in seen[part.name]):
                found[part.name] = min(alike, key=spoils)[0]
        return found

    def excuse(self, answer, part, faults, probes, seen):
        """A sentence for a part that is wrong only because of something else, or None."""
        return None


@dataclasses.dataclass(frozen=True)
class Fault:
    """Why a part is not right: status "FAIL" or "todo", a sentence, and whether a random probe showed it."""

    status: str
    says: str
    drawn: bool = False


def agree(one, other):
    """Whether two answers did the same at every probe, in one part: the same numbers, or the same trouble."""
    return all(
        a.kind == b.kind
        if isinstance(a, Trouble) and isinstance(b, Trouble)
        else not isinstance(a, Trouble) and not isinstance(b, Trouble) and counterexample.equal(a, b)
        for a, b in zip(one, other, strict=True)
    )


def precision(probe):
    """The tolerance that the dtype of what went in asks for."""
    return counterexample.tolerance(probe.dy) if probe.dy is not None else 0.0


def article(thing):
    """ "a list", "an int", "None": what something is, in words."""
    if thing is None:
        return "None"
    name = type(thing).__name__
    return f"an array {thing.shape}" if type(thing) is np.ndarray else f"a{'n' * (name[0] in 'aeiou')} {name}"
