"""What an exercise is: its parts, its probes, the mistakes that we know; and how an answer is judged and named."""

import dataclasses
import inspect
import typing

import numpy as np

from .counterexample import equal, first_fault, inputs, plain_to_see
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
    needs: tuple = ()  # it counts once one of these parts is right, so that an answer that does nothing earns nothing


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A wrong answer that people write: a short name, one or two sentences that say what is wrong, and the answer."""

    name: str
    says: str
    answer: typing.Any
    large: bool = False  # no probe that can be followed by hand shows it


@dataclasses.dataclass(frozen=True)
class Probe:
    """What an answer is asked: answer(*first, *arrays, **options), and backward(dy) of what it returns."""

    arrays: dict  # name: array or tree, in the order of the arguments; these are differentiated
    dy: np.ndarray
    options: dict = dataclasses.field(default_factory=dict)
    first: tuple = ()  # arguments that come before the arrays and are not differentiated
    label: str = ""  # what a reader of the counterexample must know beside the numbers
    back: str = "dy"  # what the exercise calls the gradient that backward is given
    drawn: bool = False  # at random, anew at every call

    @property
    def names(self):
        """The arguments that are shown where the answer raised something."""
        return (*self.arrays, *self.options)

    def shown(self, names, label=True):
        """What went in, on one line."""
        return inputs(self, names, label=label)


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What an answer did: for each part a list with an entry a probe, a dict of arrays or a Trouble.

    Also remarks that cost nothing, and whether minillm's own code did the work.
    """

    seen: dict
    notes: tuple = ()
    borrowed: bool = False


@dataclasses.dataclass(frozen=True)
class Fault:
    """Why a part is not right: "FAIL" or "todo", a sentence, at which probe, and which of its arguments are shown."""

    status: str
    says: str
    place: int = 0
    shows: tuple = ()


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
    """All rows; remarks that cost nothing; whether a random probe told, and whether minillm's own code did the work."""

    rows: tuple
    notes: tuple = ()
    drawn: bool = False
    borrowed: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exercise:
    """An exercise.  Each kind says in `probes`, `watch` and `truth` what its answers are asked and should do."""

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

    def unfit(self, answer):
        """One sentence if the answer is of another kind than is asked for, else None."""
        return None if callable(answer) else f"{self.name} must be a function, but it is {article(answer)}"

    def judge(self, answer, seed):
        """The Judgement of an answer on the probes of this seed.  Changed if minillm itself cannot be trusted."""
        probes = self.probes(seed)
        sighting = self.watch(answer, probes)  # before there is anything that could be copied from
        seen, wanted = sighting.seen, self.truth(probes)
        faults = {part.name: self.fault(part, seen[part.name], wanted[part.name], probes) for part in self.parts}
        for part in self.parts:
            if not faults[part.name] and part.needs and all(faults[name] for name in part.needs):
                faults[part.name] = Fault("todo", f"counts once {' or '.join(part.needs)} is right")
        wrong = [part for part in self.parts if faults[part.name] and faults[part.name].status == "FAIL"]
        known = self.named(seen, wanted, wrong, probes) if wrong else {}
        rows, told = [], Told(probes)
        for part in self.parts:
            fault = faults[part.name]
            if fault is None:
                says = part.says.format(drawn=sum(probe.drawn for probe in probes))
                rows.append(Row(part.name, part.points, part.points, "ok", says))
                continue
            name, sentence = known.get(part.name, (None, ""))
            if part in wrong and not name:
                name, sentence = self.excuse(answer, part, fault, faults, probes, seen, wanted) or (None, "")
            rows.append(Row(part.name, part.points, 0.0, fault.status, told.anew(fault, sentence), name))
        notes = sighting.notes + (() if any(faults.values()) else tuple(self.remarks(answer)))
        drawn = any(fault and fault.shows and probes[fault.place].drawn for fault in faults.values())
        return Judgement(tuple(rows), notes, drawn, sighting.borrowed)

    def fault(self, part, seen, wanted, probes):
        """The Fault of a part where it is best seen, at a probe made by hand and in the first digits; or None."""
        found = []
        for place, (probe, got, want) in enumerate(zip(probes, seen, wanted, strict=True)):
            if isinstance(got, Trouble):
                shows = probe.names if got.says.startswith("raised") else ()
                fault = Fault("todo" if got.unwritten else "FAIL", got.says, place, shows)
                found.append((probe.drawn, False, place, fault))
            elif says := self.compare(part, got, want, probe):
                fault = Fault("FAIL", says, place, part.shows or self.shows(part, probe))
                found.append((probe.drawn, not plain_to_see(got, want), place, fault))
        fault = min(found, default=[None])[-1]
        if fault and fault.status == "todo" and len(found) < len(probes):  # one of two cases was written
            good = f" ({part.name} is right on {len(probes) - len(found)} of {len(probes)} probes)"
            fault = dataclasses.replace(fault, says=fault.says + good)
        return fault

    def shows(self, part, probe):
        """What a counterexample shows where the part does not say it."""
        return ()

    def compare(self, part, got, want, probe):
        """One line that says how they differ, or None if they do not."""
        return first_fault(got, want, probe)

    def named(self, seen, wanted, wrong, probes):
        """{part: (name, sentence)} of the known mistake that does the same at every probe; or the same in this part."""
        few = [probe for probe in probes if not probe.drawn]  # enough to leave most mistakes out
        begins = lambda theirs: any(agree(seen[p.name][: len(few)], theirs[p.name], in_kind) for p in wrong)
        hopeful = [mistake for mistake, theirs in self.watch_all(self.mistakes, few) if begins(theirs)]
        bank = self.watch_all(hopeful, probes)
        for mistake, theirs in bank:
            if all(agree(seen[part.name], theirs[part.name]) for part in self.parts):
                return {part.name: (mistake.name, mistake.says) for part in wrong}
        if all(any(isinstance(got, dict) and got for got in seen[part.name]) for part in wrong):
            alike = [m for m, t in bank if all(agree(seen[part.name], t[part.name], in_kind) for part in self.parts)]
            if len(alike) == 1:  # it raises where this mistake does, and is otherwise the same; only the words differ
                return {part.name: (alike[0].name, alike[0].says) for part in wrong}
        found = {}
        for part in wrong:
            shown = seen[part.name][self.fault(part, seen[part.name], wanted[part.name], probes).place]
            if isinstance(shown, Trouble) and shown.kind == "unreached":
                continue  # what came before it is to be named
            alike = [pair for pair in bank if agree(seen[part.name], pair[1][part.name])]
            if alike and not all(isinstance(got, Trouble) for got in seen[part.name]):
                spoilt = lambda pair: sum(
                    bool(self.fault(p, pair[1][p.name], wanted[p.name], probes)) for p in self.parts
                )
                mistake, _ = min(alike, key=spoilt)  # of several, the one that is about this part alone
                found[part.name] = mistake.name, mistake.says
        return found

    def excuse(self, answer, part, fault, faults, probes, seen, wanted):
        """(name or None, sentence) for a part that is wrong in a way that needs no bank to be told; or None."""
        return None

    def remarks(self, answer):
        """Sentences about an answer with full marks, which cost nothing."""
        return ()


class Told:
    """What the rows above have said, so that no row says it again."""

    def __init__(self, probes):
        self.probes, self.lines, self.place, self.names = probes, set(), None, ()

    def anew(self, fault, sentence):
        """The lines of a fault: what went in, what is wrong with what came out, and the mistake that is behind it."""
        given = ""
        if fault.shows:
            same = fault.place == self.place
            new = [name for name in fault.shows if not (same and name in self.names)]
            given = self.probes[fault.place].shown(new, label=not same)
            given = f"the same  {given}".strip() if same else given
            self.place, self.names = fault.place, (*self.names, *new) if same else fault.shows
        anew = self.lines if given.startswith("the same") or not given else ()  # another question has an answer too
        says = "" if fault.says in anew else fault.says
        if says in self.lines and says.startswith("raised"):
            says = "raised the same"
        lines = [given, says, "" if sentence in self.lines else sentence]
        self.lines |= {fault.says, sentence}
        return "\n".join(line for line in lines if line)


def in_words(trouble):
    """What happened, word for word."""
    return trouble.kind


def in_kind(trouble):
    """What happened; of what was raised the type alone, whose words are another's: an array's, a list's."""
    return trouble.kind.partition(":")[0] if trouble.says.startswith("raised") else trouble.kind


def agree(one, other, trouble=in_words):
    """Whether two answers did the same at every probe, in one part: the same numbers, or the same trouble."""
    for a, b in zip(one, other, strict=True):
        if isinstance(a, Trouble) or isinstance(b, Trouble):
            if not (isinstance(a, Trouble) and isinstance(b, Trouble) and trouble(a) == trouble(b)):
                return False
        elif not equal(a, b):
            return False
    return True


def article(thing):
    """ "a list", "an int", "None": what something is, in words."""
    if thing is None:
        return "None"
    name = type(thing).__name__
    return (
        f"an array {thing.shape}" if type(thing) is np.ndarray else f"a{'n' * name.startswith(tuple('aeiou'))} {name}"
    )
