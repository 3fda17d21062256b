"""The exercise "there and back": a layer that keeps the promise  y, backward = layer(x, ...);  dx, ... = backward(dy)."""

import copy
import dataclasses
import inspect
import typing

import numpy as np

from . import guard
from .check import check_gradients
from .counterexample import TOLERANCE, differing, equal, show
from .exercise import Changed, Exercise, Sighting, article
from .guard import Trouble
from .kernels import cpu
from .sink import Sink
from .trees import leaves, map_leaves

BUDGET = 15.0  # seconds for all probes of one direction
HUGE = 1_000_000  # numbers; nothing that is asked here has so many
UNREACHED = Trouble("unreached", "not reached, since y was not")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThereAndBack(Exercise):
    """A layer to be written.  Its parts are "y", "d" and the name of each array, and "arguments" (leaves them alone)."""

    spec: typing.Any  # what it means, in loops: spec(*first, *arrays, **options) -> y
    by_hand: tuple  # probes that can be followed by hand; they come first, so that they are what is shown
    draw: typing.Any  # draw(rng) -> probes in float64, of shapes and numbers drawn anew

    def probes(self, seed):
        """Those made by hand, those drawn with this seed, and one of these in float32."""
        drawn = [dataclasses.replace(probe, drawn=True) for probe in self.draw(np.random.default_rng(seed))]
        return [*self.by_hand, *drawn, in_float32(drawn[0])]

    def borrowed(self, answer):
        """Whether the code of minillm's own function runs when the answer does, however it is wrapped."""
        own = [self.answer, self.spec, getattr(cpu, self.name, None)]
        codes = {inspect.unwrap(f).__code__ for f in own if f is not None}
        run = Run(self.by_hand[0])
        return bool(codes & guard.codes_run(run.ask, answer)[0])

    def watch(self, answer, probes):
        """Ask all probes; the ways back in reverse order, as a model does, so that nothing may be kept in one place."""
        sink, there, back = Sink(), Stage(answer), Stage(answer)
        runs = [Run(probe) for probe in probes]
        for run in runs:
            run.go(answer, there, sink)
        for run in reversed(runs):
            run.come_back(back, sink)
        seen = {part.name: [run.seen[part.name] for run in runs] for part in self.parts}
        notes = [sink.says(), dtype_note(runs)]
        return Sighting(seen, tuple(note for note in notes if note))

    def truth(self, probes):
        """What each part should be, by two witnesses each: the library, and the loops with their finite differences."""
        wanted = {part.name: [] for part in self.parts}
        for probe in probes:
            arrays = map_leaves(lambda a: a.astype(np.float64), probe.arrays)
            dy = probe.dy.astype(np.float64)
            y, backward = self.answer(*probe.first, *arrays.values(), **probe.options)
            both = lambda *a, f=probe.first, **o: (self.spec(*f, *a, **o), self.answer(*f, *a, **o)[1])
            meant = self.spec(*probe.first, *arrays.values(), **probe.options)
            if differing(y, meant, 1e-9).any():
                raise Changed(f"minillm's own {self.name} does not give the y of its definition")
            try:
                check_gradients(both, *arrays.values(), tol=1e-5, **probe.options)
            except AssertionError as error:
                raise Changed(f"minillm's own {self.name} has a wrong gradient: {error}") from error
            grads = backward(dy)
            grads = grads if isinstance(grads, tuple) else (grads,)
            whole = {"y": {"y": y}, "arguments": {}}
            for name, grad in zip(arrays, grads, strict=True):
                whole[f"d{name}"] = dict(leaves(grad, f"d{name}"))
            for part in wanted:
                wanted[part].append(whole[part])
        return wanted

    def compare(self, part, got, want, probe):
        """As for every exercise; for "arguments", what was changed or shared."""
        if part.name != "arguments":
            return super().compare(part, got, want, probe)
        return next((alteration(name, change) for name, change in got.items()), None)

    def excuse(self, answer, part, faults, probes, seen):
        """If y is wrong, a gradient may still be right for that y: then y is what is to be mended."""
        if part.name not in ("y", "arguments") and faults["y"] and self.fits_own_y(answer, part.name[1:], probes, seen):
            return f"{part.name} is right for your y; mend y first"
        return None

    def fits_own_y(self, answer, name, probes, seen):
        """Whether this gradient of the answer agrees with finite differences of its own forward pass."""

        def check():
            for probe in [*probes[:2], *[probe for probe in probes if probe.drawn][:3]]:
                place = [*probe.arrays].index(name)

                def one(array, probe=probe, place=place):
                    own = copy.deepcopy([*probe.arrays.values()])
                    own[place] = array
                    y, backward = answer(*probe.first, *own, **copy.deepcopy(probe.options))
                    return y, lambda dy: unpacked(backward(dy), len(own))[place]

                check_gradients(one, copy.deepcopy(probe.arrays[name]), tol=1e-5)

        clean = all(not isinstance(got, Trouble) for got in seen[f"d{name}"] + seen["y"])
        return clean and guard.call(check, author=answer).trouble is None


def unpacked(grads, n):
    """The gradients as a tuple; one array has one bare gradient."""
    return (grads,) if n == 1 and not issubclass(type(grads), (tuple, list)) else tuple(grads)


class Stage:
    """One direction.  Once it has run out of time it is not run again, so that a learner does not wait for every probe."""

    def __init__(self, author):
        self.author, self.left, self.over = author, BUDGET, None

    def call(self, function, *arguments, sink):
        """What guard.call gives, or the trouble that ended this direction before."""
        if self.over:
            return guard.Outcome(trouble=self.over)
        seconds = min(guard.SECONDS, self.left)
        outcome = guard.call(function, *arguments, seconds=seconds, sink=sink, author=self.author)
        self.left -= outcome.seconds
        if outcome.trouble and outcome.trouble.kind == "timeout":
            self.over = outcome.trouble
        elif self.left <= 0:
            self.over = Trouble("timeout", f"was stopped: its first probes took {BUDGET - self.left:.0f} seconds")
        return outcome


class Run:
    """One probe: what the answer is given (copies), and what is seen of it."""

    def __init__(self, probe):
        self.probe = probe
        parts = (probe.first, probe.arrays, probe.options, probe.dy)
        self.first, self.arrays, self.options, self.dy = copy.deepcopy(parts)
        self.backward, self.y, self.dtypes, self.shared = None, None, {}, {}
        self.gradients = [f"d{name}" for name in probe.arrays]
        self.seen = dict.fromkeys(["y", *self.gradients, "arguments"], UNREACHED)

    def given(self):
        """Every array that the answer was given, by its name."""
        return dict(leaves({**self.arrays, **self.options, "dy": self.dy}))

    def ask(self, answer):
        """There and back, with nothing looked at."""
        _, backward = answer(*self.first, *self.arrays.values(), **self.options)
        return backward(self.dy)

    def go(self, answer, stage, sink):
        """There."""

        def forward():
            value = answer(*self.first, *self.arrays.values(), **self.options)
            y, backward = pair(value)
            if not callable(backward):
                backward = Trouble("backward", f"backward is {article(backward)}, but a function is due")
            return self.plain("y", y), backward

        outcome = stage.call(forward, sink=sink)
        if outcome.trouble:
            self.seen["y"] = outcome.trouble
            if outcome.trouble.unwritten:
                self.seen = dict.fromkeys(self.seen, outcome.trouble)
            return
        y, backward = outcome.value
        if isinstance(backward, Trouble):
            self.seen.update(dict.fromkeys(self.gradients, backward))
        else:
            self.backward = backward
        self.seen["y"] = y if isinstance(y, Trouble) else {"y": y}

    def come_back(self, stage, sink):
        """And back."""
        if self.backward is None:
            return
        grads, n = self.gradients, len(self.gradients)

        def back():
            value = self.backward(self.dy)
            if n > 1 and not issubclass(type(value), (tuple, list)):
                raise guard.Unfit(f"backward returned {article(value)}, but {n} gradients are due: {', '.join(grads)}")
            parts = unpacked(value, n)
            if len(parts) != n:
                raise guard.Unfit(f"backward returned {len(parts)} gradients, but {n} are due: {', '.join(grads)}")
            return [self.tree(name, part) for name, part in zip(grads, parts, strict=True)]

        outcome = stage.call(back, sink=sink)
        for name, value in zip(grads, outcome.value or [outcome.trouble] * len(grads), strict=True):
            self.seen[name] = value
        if outcome.trouble is None:
            self.seen["arguments"] = {**self.changed(), **self.shared}
        else:
            self.seen["arguments"] = outcome.trouble if outcome.trouble.unwritten else UNREACHED

    def tree(self, name, value):
        """A gradient as {path: array}, or the Trouble with it."""
        like = dict(leaves(self.probe.arrays[name[1:]], name))
        if [*like] == [name]:
            plain = self.plain(name, value)
            return plain if isinstance(plain, Trouble) else {name: plain}
        if not issubclass(type(value), (dict, list)):
            return Trouble(
                f"{name} {type(value).__name__}",
                f"{name} is {article(value)}, but a tree with the keys of {name[1:]} is due: {', '.join(like)}",
            )
        mine = dict(leaves(value, name))
        if mine.keys() != like.keys():
            return Trouble(f"{name} keys", f"{name} has {', '.join(map(str, mine))}, but {', '.join(like)} are due")
        found = {path: self.plain(path, mine[path]) for path in like}
        return next((a for a in found.values() if isinstance(a, Trouble)), found)

    def plain(self, name, value):
        """A copy of what was returned as a plain array, or the Trouble with it; remembers what it shares."""
        if not issubclass(type(value), (np.ndarray, np.floating, float)):
            return Trouble(f"{name} {type(value).__name__}", f"{name} is {article(value)}, but an array is due")
        array = np.asarray(value)
        if array.dtype.kind != "f":
            return Trouble(
                f"{name} {array.dtype.kind}",
                f"{name} holds {KINDS.get(array.dtype.kind, 'no numbers')} "
                f"({array.dtype}), but floating-point numbers are due",
            )
        if array.size > HUGE:
            return Trouble(f"{name} {array.shape}", f"{name} has shape {array.shape}")
        for other, given in self.given().items():
            if isinstance(given, np.ndarray) and np.may_share_memory(array, given):
                self.shared[f"{name} {other}"] = np.zeros(())
        if name == "y":
            self.y = array
        self.dtypes[name] = array.dtype
        return np.array(array)

    def changed(self):
        """{name: by how much}, for everything that is not what it was: arguments, dy, and y since it was returned."""
        was = dict(leaves({**self.probe.arrays, **self.probe.options, "dy": self.probe.dy}))
        now = self.given()
        if isinstance(self.seen["y"], dict):
            was["y"], now["y"] = self.seen["y"]["y"], self.y
        found = {}
        for name, before in was.items():
            after = now.get(name)
            if isinstance(before, np.ndarray) and not same(before, after):
                fits = isinstance(after, np.ndarray) and after.shape == before.shape
                found[name] = np.asarray(after - before if fits else np.nan)
        return found


KINDS = {"i": "integers", "u": "integers", "b": "booleans", "c": "complex numbers", "O": "objects"}


def same(before, after):
    """Whether an array is what it was, to the last bit; NaN is NaN."""
    return isinstance(after, np.ndarray) and np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def pair(value):
    """(y, backward) of what a layer returned.  Unfit for anything else."""
    due = "but  return y, backward  is due"
    if not issubclass(type(value), (tuple, list)):
        raise guard.Unfit(f"returned {article(value)}, {due}")
    if len(value) != 2:
        raise guard.Unfit(f"returned {len(value)} things, {due}")
    return value


def alteration(name, change):
    """One line about an argument that is no longer what it was, or that the result shares its memory with."""
    if " " in name:
        result, given = name.split(" ")
        return f"{result} is {given} itself or a view of it: whoever changes one changes both; return a new array"
    when = "y was changed after it had been returned" if name == "y" else f"{name} was changed in place"
    return f"{when}, by {show(change)}" if change.size <= 8 else f"{when}, by up to {show(np.nanmax(np.abs(change)))}"


def dtype_note(runs):
    """A remark if float32 does not stay float32, or float64 float64."""
    for run in runs:
        for name, dtype in run.dtypes.items():
            if dtype != run.probe.dy.dtype:
                return f"{run.probe.dy.dtype} goes in, but {name} comes out as {dtype}. It costs no points here."
    return None


def in_float32(probe):
    """The same probe in float32."""
    cast = lambda a: a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
    return dataclasses.replace(probe, arrays=map_leaves(cast, probe.arrays), dy=cast(probe.dy))
