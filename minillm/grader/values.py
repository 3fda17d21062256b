"""The exercise "values": a plain function, and what it should give for what it is given."""

import copy
import dataclasses
import inspect
import typing
from fractions import Fraction

import numpy as np

from . import guard
from .counterexample import SMALL, differing, in_digits, in_numbers, shapes, show, tolerance
from .exercise import Changed, Exercise, Sighting, article
from .guard import Trouble, Unfit
from .sink import Sink, shorten
from .trial import HUGE, Direction, Trusted

# A result is taken apart into {path: array}.  What is no number has a path that says what it is:
TEXT, BINARY, NOTHING, RAISED = "text", "bytes", "None", "raises"
AFTERWARDS = " afterwards"
WORDS = 60  # characters of a text that are shown


@dataclasses.dataclass(frozen=True)
class Question:
    """What an answer is asked: answer(*arguments.values(), **options), and in which Part the result counts."""

    part: str
    arguments: dict  # name: value, in order
    options: dict = dataclasses.field(default_factory=dict)
    label: str = ""  # what a reader of the counterexample must know beside what is shown
    raises: type | None = None  # the exception that is due
    writes: tuple = ()  # the arguments that it must change in place; part of the result, and compared in this order
    keys: dict = dataclasses.field(default_factory=dict)  # of an argument that is a dict: those that are shown, whole
    drawn: bool = False  # at random, anew at every call

    @property
    def names(self):
        """The arguments that a counterexample shows."""
        return (*self.arguments, *self.options)

    def shown(self, names, label=True):
        """What went in, on one line:  p = [0.5 0.5]  text = 'aaab'"""
        given = {**self.arguments, **self.options}
        said = lambda name: some(given[name], self.keys[name]) if name in self.keys else value(given[name])
        words = [f"{name} = {said(name)}" for name in names]
        return "  ".join([f"{self.label.removesuffix(':')}:"] * bool(label and self.label) + words)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Values(Exercise):
    """A function to be written.  Its parts are those that its questions name, and perhaps "arguments"."""

    spec: typing.Any  # what it means, in loops or in another way: spec(*arguments, **options)
    by_hand: tuple  # questions that can be followed by hand; they come first, so that they are what is shown
    draw: typing.Any  # draw(rng) -> questions drawn anew

    def probes(self, seed):
        """Those made by hand, and those drawn with this seed."""
        drawn = self.draw(np.random.default_rng(seed))
        return [*self.by_hand, *[dataclasses.replace(question, drawn=True) for question in drawn]]

    def watch(self, answer, probes, direction=Direction):
        """Ask all questions, one after the other."""
        sink = Sink()
        way = direction(answer, sink)
        calls = [Call(question).go(answer, way) for question in probes]
        seen = {part.name: [call.seen(part.name) for call in calls] for part in self.parts}
        return Sighting(seen, tuple(note for note in (sink.says(),) if note), bool(self.own_code() & way.codes))

    def watch_all(self, mistakes, probes):
        """[(mistake, what it does)] for some of our own mistakes."""
        with guard.quiet(Sink()):
            return [(mistake, self.watch(mistake.answer, probes, Trusted).seen) for mistake in mistakes]

    def own_code(self):
        """The code of minillm's own function and of its second witness."""
        return {inspect.unwrap(f).__code__ for f in (self.answer, self.spec)}

    def truth(self, probes):
        """What each part should be, by two witnesses: the library, and what it means."""
        with guard.quiet(Sink()):
            wanted, other = (self.watch(f, probes, Trusted).seen for f in (self.answer, self.spec))
        for part in self.parts:
            for want, also, question in zip(wanted[part.name], other[part.name], probes, strict=True):
                if isinstance(want, Trouble):
                    raise Changed(f"minillm's own {self.name} {want.says}")
                if part.name == "arguments":
                    want.clear()  # nothing may change, whatever the function at hand does
                elif isinstance(also, Trouble) or mismatch(also, want):
                    raise Changed(f"minillm's own {self.name} does not give what its definition says")
                elif (
                    bool(question.raises) != any(path.startswith(RAISED) for path in want)
                    and question.part == part.name
                ):
                    raise Changed(f"minillm's own {self.name} raises where it should not, or not where it should")
        return wanted

    def shows(self, part, probe):
        """All that went in."""
        return () if part.name == "arguments" else probe.names

    def compare(self, part, got, want, probe):
        """One line that says how they differ, or None if they do not."""
        if part.name == "arguments":
            return next((alteration(name, change) for name, change in got.items()), None)
        return mismatch(got, want)


class Call:
    """One question put to one answer: what it was given (copies), what came back, and what it changed."""

    def __init__(self, question):
        self.question, self.trouble, self.result, self.change = question, None, {}, {}

    def go(self, answer, way):
        """Ask, and take the result apart."""
        question = self.question
        arguments, options = copy.deepcopy((question.arguments, question.options))
        outcome = way.call(lambda: taken_apart(answer(*arguments.values(), **options), {**arguments, **options}))
        if outcome.trouble:
            due = question.raises and question.raises.__name__
            if due and outcome.trouble.kind.partition(":")[0] == due:
                self.result = {f"{RAISED} {due}": np.zeros(0)}
            else:
                self.trouble = outcome.trouble
            return self
        self.result, shared = outcome.value
        now = {**arguments, **options}
        for name in question.writes:
            after = guard.call(leaves, now[name], name + AFTERWARDS).value
            self.result |= after if after is not None else {f"{name}{AFTERWARDS}": np.zeros(0)}
        for name, before in {**question.arguments, **question.options}.items():
            if name not in question.writes and changed(before, now[name]):
                self.change[name] = np.zeros(())
        self.change |= dict.fromkeys((f"result {name}" for name in shared), np.zeros(()))
        return self

    def seen(self, part):
        """What counts in this part: {path: array}, or the Trouble."""
        if part == "arguments":
            return self.trouble if self.trouble and self.trouble.unwritten else self.change
        if part != self.question.part and not (self.trouble and self.trouble.unwritten):
            return {}
        return self.trouble or self.result


def taken_apart(result, given):
    """({path: array} of a result, the names of the arguments that it is itself, or shares an array's memory with)."""
    pieces = leaves(result)
    arrays = [a for a in walk(result) if isinstance(a, np.ndarray)]
    shared = [
        name
        for name, argument in given.items()
        if (result is argument and isinstance(argument, list))
        or any(isinstance(b, np.ndarray) and any(np.may_share_memory(a, b) for a in arrays) for b in walk(argument))
    ]
    return pieces, shared


def walk(tree):
    """Everything in lists, tuples and dicts."""
    if isinstance(tree, (list, tuple, dict)):
        for item in dict.values(tree) if isinstance(tree, dict) else tree:
            yield from walk(item)
    else:
        yield tree


def leaves(result, path=""):
    """A result as {path: array}, all numbers as float32, float64, int64 or bool, and texts as code points.

    Unfit, in a sentence, for what is none of the kinds that an answer may have.
    """
    at = lambda kind: f"{path} {kind}".strip()
    kind = type(result)
    if result is None:
        return {at(NOTHING): np.zeros(0)}
    if issubclass(kind, str):
        return {at(TEXT): np.array([ord(c) for c in result[:HUGE]], np.int64)}
    if issubclass(kind, (bytes, bytearray)):
        return {at(BINARY): np.array([*result[:HUGE]], np.int64)}
    if issubclass(kind, dict):
        found = {}
        for key, item in dict.items(result):
            found |= leaves(item, at(key if type(key) is str else shorten(repr(key), 40)))
        return found or {at("empty"): np.zeros(0)}
    if issubclass(kind, (list, tuple)):
        if (array := numbers(result)) is not None:
            return {path: array}
        found = {}
        for place, item in enumerate(result):
            found |= leaves(item, f"{path}[{place}]")
        return found
    if issubclass(kind, (np.ndarray, np.generic, float, int, Fraction)) and (array := numbers(result)) is not None:
        return {path: array}
    raise Unfit(f"returned {article(result)}, which is nothing that can be compared")


def numbers(thing):
    """A number, an array of numbers, or lists of them as float32, float64, int64 or bool; None if it is none."""
    if isinstance(thing, (list, tuple)) and not all(
        isinstance(a, (int, float, Fraction, np.generic, np.ndarray)) for a in walk(thing)
    ):
        return None
    try:
        array = np.asarray(thing, float if any(type(a) is Fraction for a in walk(thing)) else None)
    except ValueError:  # rows of different lengths
        return None
    if array.dtype.kind == "O" and array.ndim == 0 and isinstance(thing, int):
        array = np.asarray(float(thing))  # larger than 64 bits
    if array.dtype.kind not in "biuf" or array.size > HUGE:
        return None
    if array.dtype.kind == "f":
        single = array.dtype.itemsize == 4  # what is coarser still is no excuse: it is judged as if it were float64
        return array.astype(np.float32 if single else np.float64)
    return array.astype(bool if array.dtype.kind == "b" else np.int64)


def changed(before, after):
    """Whether an argument is no longer what it was.  Generators may be drawn from."""
    if isinstance(before, np.random.Generator) or callable(before):
        return False
    try:
        was, now = leaves(before), leaves(after)
    except Unfit:
        return False
    return was.keys() != now.keys() or any(a.tobytes() != now[path].tobytes() for path, a in was.items())


def alteration(name, change):
    """One line about an argument that is no longer what it was, or that the result shares its memory with."""
    if name.startswith("result "):
        given = name.removeprefix("result ")
        return f"the result is {given} itself, or a view of it: whoever changes one changes both; return a new one"
    return f"{name} was changed in place: whoever gave it still needs what was in it"


def mismatch(got, want):
    """One line about the first piece of a result that is not what it should be, or None if all are."""
    got, want = in_rows(got, want), in_rows(want, got)
    if got.keys() != want.keys():
        back = [{path: a for path, a in each.items() if AFTERWARDS not in path} for each in (got, want)]
        return unlike(*(back if back[0].keys() != back[1].keys() else (got, want)))
    for path, w in want.items():
        g = got[path]
        kind = path.rpartition(" ")[2]
        name = f"result{path}" if path.startswith("[") else path
        if kind in (TEXT, BINARY):
            if not np.array_equal(g, w):
                before = f"{name.removesuffix(kind).strip()}: ".removeprefix(": ")
                return f"{before}expected {text(kind, w, g)}  yours {text(kind, g, w)}"
        elif g.shape != w.shape:
            both = f": expected {show(w, g)}  yours {show(g, w)}" if max(g.size, w.size) <= SMALL else ""
            return shapes(name or "the result", g, w) + both
        else:
            exact = w.dtype.kind in "bi" and g.dtype.kind in "bi"
            wrong = g != w if exact else differing(g, w, tolerance(g, w))
            if wrong.any():
                return in_numbers(name or "result", g, w, wrong, tree=bool(path))
    return None


def in_rows(mine, other):
    """The pieces of a result; an array as its rows, if the other result has as many pieces, of different shapes."""
    if [*mine] == [""] and mine[""].ndim > 1 and [*other] == [f"[{i}]" for i in range(len(mine[""]))]:
        return dict(zip(other, mine[""], strict=True))
    return mine


def unlike(got, want):
    """One line about two results that are not built alike; of two trees, about the first branch that is not."""
    missing = next((path for path in want if path not in got), "[")
    if min(len(got), len(want)) > 1 and not missing.startswith("["):
        branch = missing.partition(" ")[0]
        of = lambda pieces: {
            path.removeprefix(branch).strip(): a
            for path, a in pieces.items()
            if path == branch or path.startswith((f"{branch} ", f"{branch}["))
        }
        if not of(got):
            return f"the key {branch} is missing"
        is_due = f"have the keys {', '.join(of(want))}" if len(of(want)) > 1 else f"be {kinds(of(want))}"
        return f"{branch} must {is_due}, but it {'is' if len(of(got)) == 1 else 'has'} {kinds(of(got))}"
    return f"{what(got)}, but {due(want)}"


def what(pieces):
    """ "it returned a text": what came, in words."""
    return f"it {'raised' if raised(pieces) else 'returned'} {kinds(pieces)}"


def due(pieces):
    """ "ValueError is due": what should have come, in words."""
    return f"{kinds(pieces)} is due" if raised(pieces) or len(pieces) == 1 else f"{kinds(pieces)} are due"


def raised(pieces):
    """Whether these are not the pieces of a result but the exception that came in its place."""
    return any(path.startswith(RAISED) for path in pieces)


def kinds(pieces):
    """The pieces of a result in words."""
    names = {TEXT: "a text", BINARY: "bytes", NOTHING: "None", "empty": "an empty dict"}
    if len(pieces) == 1:
        ((path, a),) = pieces.items()
        if raised(pieces):
            return path.removeprefix(RAISED).strip()
        if path in (TEXT, BINARY) and a.size <= WORDS:
            return text(path, a, a)
        if path in names:
            return names[path]
        if path == "" and a.ndim == 0 and a.dtype.kind == "b":
            return show(a, a)
        if path == "":
            return ("a number" if a.ndim == 0 else f"an array {a.shape}") + f" ({show(a, a)})" * (0 < a.size <= SMALL)
    if all(path.startswith("[") for path in pieces):
        inside = {path.rpartition(" ")[2] for path in pieces}
        if len(inside) == 1 and inside <= {TEXT, BINARY, NOTHING}:
            return f"a list with {'texts' if inside == {TEXT} else inside.pop()} in it"
        n = len({path.partition("]")[0] for path in pieces})
        return f"{n} thing{'s' * (n > 1)}"
    return shorten(", ".join(path or "a number" for path in pieces), WORDS)


def text(kind, mine, other):
    """A text in quotes, from a little before the first place where it differs from the other."""
    n = min(len(mine), len(other))
    first = int(np.argmax(np.append(mine[:n] != other[:n], True)))
    start = max(0, first - WORDS // 3) if len(mine) > WORDS else 0
    part = [int(code) for code in mine[start : start + WORDS]]
    shown = bytes(part) if kind == BINARY else "".join(map(chr, part))
    return "... " * (start > 0) + repr(shown) + " ..." * (start + WORDS < len(mine))


def value(thing):
    """An argument in a few characters: numbers where they are few, else what it is."""
    if isinstance(thing, (str, bytes)):
        return repr(thing) if len(thing) <= WORDS else f"{repr(thing[:WORDS])} ..."
    if isinstance(thing, (bool, np.bool_, int, np.integer)) or thing is None:
        return str(thing)
    if isinstance(thing, (float, np.floating)):
        return in_digits(thing)
    if isinstance(thing, np.ndarray):
        if thing.size > 2 * SMALL:
            return article(thing)
        return show(thing) if thing.dtype.kind == "f" else str(thing.tolist())
    if isinstance(thing, (list, tuple, dict)):
        return shorten(plain(thing), 2 * WORDS)
    if callable(thing):
        return getattr(thing, "__name__", type(thing).__name__)
    return article(thing)


def plain(tree):
    """Lists, tuples and dicts as Python writes them, with what is inside in a few characters."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {within(item)}" for key, item in tree.items()) + "}"
    inside = ", ".join(map(within, tree))
    return f"[{inside}]" if isinstance(tree, list) else f"({inside}{',' * (len(tree) == 1)})"


def some(tree, keys):
    """A dict as Python writes it, with these of its keys, in this order; the others are three dots."""
    inside = [f"{key!r}: {within(tree[key])}" for key in keys if key in tree]
    return "{" + ", ".join(inside + ["..."] * (len(inside) < len(tree))) + "}"


def within(item):
    """What is inside a list or a dict: a float has its dot there, and of a long word the beginning is shown."""
    if isinstance(item, str) and len(item) > WORDS and " " not in item:
        return repr(f"{item[:8]}...")
    return str(float(item)) if isinstance(item, float) and value(item).lstrip("-").isdigit() else value(item)
