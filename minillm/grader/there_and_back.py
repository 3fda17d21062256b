"""The exercise "there and back": a layer with the promise  y, backward = layer(x, ...);  dx, ... = backward(dy)."""

import copy
import dataclasses
import inspect
import typing

import numpy as np

from ..check import check_gradients
from ..kernels import cpu
from ..trees import leaves, map_leaves
from . import guard
from .counterexample import differing, show
from .exercise import Changed, Exercise, Sighting
from .guard import Trouble
from .sink import Sink
from .trial import Direction, Trial, Trusted, unpacked

LATE = (
    "backward uses what the last call left",
    "It is right if nothing comes between, and wrong once the layer has been called again before backward runs, as in "
    "every model: what backward needs must belong to its own call.",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThereAndBack(Exercise):
    """A layer to be written.  Its parts: "y", "d" and the name of each array, and "arguments" (they are left alone)."""

    spec: typing.Any  # what it means, in loops: spec(*first, *arrays, **options) -> y
    by_hand: tuple  # probes that can be followed by hand; they come first, so that they are what is shown
    draw: typing.Any  # draw(rng) -> probes in float64, of shapes and numbers drawn anew
    strain: tuple = ()  # (probe, sentence): y may be off there; it costs nothing, but the sentence is said

    def probes(self, seed):
        """Those made by hand, those drawn with this seed, and one of these in float32."""
        drawn = [dataclasses.replace(probe, drawn=True) for probe in self.draw(np.random.default_rng(seed))]
        return [*self.by_hand, *drawn, in_float32(drawn[0])]

    def watch(self, answer, probes, direction=Direction):
        """Ask all probes; the ways back in reverse order, as a model does, so that nothing may be kept in one place."""
        sink = Sink()
        there, back = direction(answer, sink), direction(answer, sink)
        trials = [Trial(probe) for probe in probes]
        for trial in trials:
            trial.go(answer, there)
        for trial in reversed(trials):
            trial.come_back(back)
        seen = {part.name: [trial.seen[part.name] for trial in trials] for part in self.parts}
        notes = tuple(note for note in (sink.says(), dtypes(trials)) if note)
        return Sighting(seen, notes, bool(self.own_code() & (there.codes | back.codes)))

    def watch_all(self, mistakes, probes):
        """[(mistake, what it does)] for some of our own mistakes."""
        with guard.quiet(Sink()):
            return [(mistake, self.watch(mistake.answer, probes, Trusted).seen) for mistake in mistakes]

    def own_code(self):
        """The code of minillm's own function, of its fast version and of its definition in loops."""
        own = [self.answer, self.spec, getattr(cpu, self.name, None)]
        return {inspect.unwrap(f).__code__ for f in own if f is not None}

    def truth(self, probes):
        """What each part should be, by two witnesses each: the library, and the loops with their finite differences."""
        wanted = {part.name: [] for part in self.parts}
        for probe in probes:
            probe = in_float64(probe)
            ask = lambda f, *arrays, probe=probe, **options: f(*probe.first, *arrays, **options)
            arrays = probe.arrays.values()
            y, backward = ask(self.answer, *arrays, **probe.options)
            grads = unpacked(backward(probe.dy), len(arrays))
            if differing(y, ask(self.spec, *arrays, **probe.options), 1e-9).any():
                raise Changed(f"minillm's own {self.name} does not give what its definition says")
            both = lambda *a, ask=ask, **o: (ask(self.spec, *a, **o), ask(self.answer, *a, **o)[1])
            try:
                check_gradients(both, *copy.deepcopy([*arrays]), tol=1e-5, **probe.options)
            except AssertionError as error:
                raise Changed(f"minillm's own {self.name} has a wrong gradient: {error}") from error
            right = {f"d{name}": grad for name, grad in zip(probe.arrays, grads, strict=True)}
            right = {name: dict(leaves(grad, name)) for name, grad in right.items()}
            right |= {"y": {"y": y}, "arguments": {}}
            for part in wanted:
                wanted[part].append(right[part])
        return wanted

    def compare(self, part, got, want, probe):
        """As for every exercise; for "arguments", what was changed or shared."""
        if part.name != "arguments":
            return super().compare(part, got, want, probe)
        return next((alteration(name, change) for name, change in got.items()), None)

    def excuse(self, answer, part, fault, faults, probes, seen, wanted):
        """(name, sentence) if only the time of the call is wrong, or only the y that a gradient belongs to."""
        name, place = part.name, fault.place
        if name in ("y", "arguments") or any(isinstance(got, Trouble) and got.kind == "timeout" for got in seen[name]):
            return None  # after a time limit nothing is asked again
        if not faults["y"]:
            alone = self.watch(answer, [probes[place]]).seen[name]
            return None if self.fault(part, alone, [wanted[name][place]], [probes[place]]) else LATE
        if all(map(clean, seen["y"] + seen[name])) and self.fits_own_y(answer, name[1:], probes, place):
            return None, f"{name} is right for your y: mend y first."
        return None

    def fits_own_y(self, answer, name, probes, shown):
        """Whether a gradient agrees with finite differences of the answer's own y, where it is shown and elsewhere."""

        def check():
            for probe in [in_float64(probes[shown]), *probes[:2], *[probe for probe in probes if probe.drawn][:3]]:
                place = [*probe.arrays].index(name)

                def layer(array, probe=probe, place=place):
                    arrays = copy.deepcopy([*probe.arrays.values()])
                    arrays[place] = array
                    y, backward = answer(*probe.first, *arrays, **copy.deepcopy(probe.options))
                    return y, lambda dy: unpacked(backward(dy), len(arrays))[place]

                check_gradients(layer, copy.deepcopy(probe.arrays[name]), tol=1e-5)

        return guard.call(check, author=answer).trouble is None

    def remarks(self, answer):
        """What is not wrong, but would be with harder numbers."""
        for probe, sentence in self.strain:
            got = self.watch(answer, [probe]).seen["y"][0]
            want = self.spec(*probe.first, *probe.arrays.values(), **probe.options)
            if isinstance(got, Trouble) or got["y"].shape != want.shape or differing(got["y"], want, 1e-3).any():
                yield sentence


def clean(got):
    """Whether this is no Trouble, and holds finite numbers alone: what is not a number has no slope."""
    return not isinstance(got, Trouble) and all(np.isfinite(a).all() for a in got.values())


def alteration(name, change):
    """One line about an argument that is no longer what it was, or that the result shares its memory with."""
    if " " in name:
        result, given = name.split(" ")
        return f"{result} is {given} itself, or a view of it: whoever changes one changes both; return a new array"
    what = "y was changed after it had been returned" if name == "y" else f"{name} was changed in place"
    much = show(change, change) if change.size <= 8 else f"up to {show(np.abs(change).max())}"
    return f"{what}, by {much}: x = x - m makes a new array, x -= m writes into the one that was given"


def dtypes(trials):
    """A remark if float32 does not stay float32, or float64 float64."""
    for trial in trials:
        went = trial.probe.dy.dtype
        for name, came in trial.dtypes.items():
            if came != went:
                return (
                    f"{went} goes in, but {name} comes out as {came}. It costs no points here, but a model slows down."
                )
    return None


def in_float32(probe):
    """The same probe in float32."""
    return dataclasses.replace(converted(probe, np.float32), label=f"in float32: {probe.label}".strip())


def in_float64(probe):
    """The same probe in float64."""
    return converted(probe, np.float64)


def converted(probe, dtype):
    """The same probe in another dtype."""
    cast = lambda a: a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
    return dataclasses.replace(probe, arrays=map_leaves(cast, probe.arrays), dy=cast(probe.dy))
