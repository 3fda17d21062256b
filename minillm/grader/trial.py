"""One probe put to one answer: what it was given (copies), what came back, and what it did to what was not its own."""

import copy
import inspect

import numpy as np

from ..trees import leaves
from . import guard
from .exercise import article
from .guard import Trouble, Unfit

BUDGET = 15.0  # seconds for all probes in one direction
HUGE = 1_000_000  # numbers; nothing that is asked here has so many
KINDS = {"i": "integers", "u": "integers", "b": "booleans", "c": "complex numbers", "O": "objects"}
UNREACHED = Trouble("unreached", "not reached: what comes before it failed")


class Direction:
    """There, or back.  Once it has run out of time it is not run again: a learner does not wait for every probe."""

    def __init__(self, author, sink):
        self.author, self.sink, self.left, self.over, self.codes = author, sink, BUDGET, None, set()

    def call(self, function):
        """What guard.call gives, or the trouble that ended this direction before.  Notes which code the first ran."""
        if self.over:
            return guard.Outcome(trouble=self.over)
        if not self.codes:
            function = guard.noting(self.codes, function)
        seconds = max(0.01, min(guard.SECONDS, self.left))  # an alarm of 0 seconds would be none
        outcome = guard.call(function, seconds=seconds, sink=self.sink, author=self.author)
        self.left -= outcome.seconds
        if outcome.trouble and outcome.trouble.kind == "timeout":
            self.over = outcome.trouble
        elif self.left <= 0:
            self.over = Trouble("timeout", f"was stopped: the probes so far took {BUDGET - self.left:.0f} seconds")
        return outcome


class Trusted(Direction):
    """A direction for our own functions, of which we know that they end; it is ten times as fast."""

    def call(self, function):
        """What guard.call gives, without its guard."""
        try:
            return guard.Outcome(function())
        except Exception as error:
            return guard.Outcome(trouble=guard.trouble(error, self.author, guard.SECONDS))


class Trial:
    """What an answer did with one probe: seen["y"], seen["dx"], ... are dicts of arrays, or the Trouble with them.

    seen["arguments"] says what is no longer as it was, and what is shared: it is empty if all is well.
    """

    def __init__(self, probe):
        self.probe = probe
        given = (probe.first, probe.arrays, probe.options, probe.dy)
        self.first, self.arrays, self.options, self.dy = copy.deepcopy(given)
        self.given = arrays_of(self, probe.back)
        self.gradients = [f"d{name}" for name in probe.arrays]
        self.seen = dict.fromkeys(["y", *self.gradients, "arguments"], UNREACHED)
        self.y, self.backward, self.dtypes, self.shared = None, None, {}, {}

    def go(self, answer, direction):
        """There: y, and the function that leads back."""

        def forward():
            y, backward = pair(answer(*self.first, *self.arrays.values(), **self.options))
            self.y = self.plain("y", y)
            return backward

        outcome = direction.call(forward)
        if outcome.trouble:
            self.seen["y"] = outcome.trouble
            if outcome.trouble.unwritten:
                self.seen = dict.fromkeys(self.seen, outcome.trouble)
            return
        self.seen["y"] = self.y if isinstance(self.y, Trouble) else {"y": np.array(self.y)}
        if callable(outcome.value):
            self.backward = outcome.value
        else:
            no = Trouble("backward", f"backward is {article(outcome.value)}, but a function is due")
            self.seen.update(dict.fromkeys(self.gradients, no))

    def come_back(self, direction):
        """And back: one gradient for each array."""
        if self.backward is None:
            return
        outcome = direction.call(lambda: self.blame(self.backward(self.dy)))
        if outcome.trouble is None:
            self.seen.update(outcome.value)
            self.seen["arguments"] = {**self.changed(), **self.shared}
        else:
            self.seen.update(dict.fromkeys(self.gradients, outcome.trouble))
            self.seen["arguments"] = outcome.trouble if outcome.trouble.unwritten else UNREACHED

    def blame(self, value):
        """{"dx": {path: array} or Trouble, ...} of what backward returned.  Unfit if the number is not right."""
        n, due = len(self.gradients), ", ".join(self.gradients)
        if n > 1 and not issubclass(type(value), (tuple, list)):
            raise Unfit(f"backward returned {article(value)}, but {n} gradients are due: {due}")
        if n == 1 and issubclass(type(value), (tuple, list)) and len(value) == 1:
            raise Unfit(f"backward returned {article(value)} with {due} in it, but {due} alone is due")
        grads = unpacked(value, n)
        if len(grads) != n:
            raise Unfit(f"backward returned {len(grads)} gradients, but {n} {'is' if n == 1 else 'are'} due: {due}")
        return {name: self.tree(name, grad) for name, grad in zip(self.gradients, grads, strict=True)}

    def tree(self, name, value):
        """A gradient as {path: array}, or the Trouble with it."""
        like = dict(leaves(self.probe.arrays[name[1:]], name))
        bare = lambda paths: ", ".join(str(path).removeprefix(f"{name}.") for path in paths)
        keys = lambda paths: f"the key{'s' * (len(paths) > 1)} {bare(paths)}"
        if [*like] == [name]:
            mine = {name: value}
        elif issubclass(type(value), (dict, list)):
            mine = dict(leaves(value, name))
        else:
            return Trouble(f"{name} {type(value)}", f"{name} is {article(value)}, but it must have {keys(like)}")
        if mine.keys() != like.keys():
            has = f"{name} has {keys(mine) if mine else 'nothing in it'}"
            in_any_order = ", ".join(sorted(map(str, mine)))
            return Trouble(f"{name} has {in_any_order}", f"{has}, but it must have {keys(like)}")
        found = {path: self.plain(path, mine[path]) for path in like}
        return next((a for a in found.values() if isinstance(a, Trouble)), found)

    def plain(self, name, value):
        """What was returned as a plain array, or the Trouble with it; remembers its dtype and what it shares."""
        no = lambda says: Trouble(f"{name} {says}", f"{name} {says}, but an array of floating-point numbers is due")
        if not issubclass(type(value), (np.ndarray, np.floating, float)):
            return no(f"is {article(value)}")
        array = np.asarray(value)
        if array.dtype.kind != "f":
            return no(f"holds {KINDS.get(array.dtype.kind, 'no numbers')} ({array.dtype})")
        if array.size > HUGE:
            return Trouble(f"{name} is huge", f"{name} has shape {array.shape}: far more numbers than went in")
        for other, given in self.given.items():
            if np.may_share_memory(array, given):
                self.shared[f"{name} {other}"] = np.zeros(())
        if array.ndim:  # a single number, such as a loss, slows nothing down
            self.dtypes[name] = array.dtype
        return array if name == "y" else np.array(array)

    def changed(self):
        """{name: by how much}, for all that is not what it was: arguments, dy, and y since it was returned."""
        was, now = (arrays_of(asked, self.probe.back) for asked in (self.probe, self))
        if isinstance(self.seen["y"], dict):
            was["y"], now["y"] = self.seen["y"]["y"], self.y
        found = {}
        for name, before in was.items():
            after = now.get(name)
            fits = isinstance(after, np.ndarray) and (after.shape, after.dtype) == (before.shape, before.dtype)
            if not fits or after.tobytes() != before.tobytes():
                found[name] = np.asarray(after - before if fits else np.nan, float)
        return found


def arrays_of(asked, back):
    """Every array that an answer is given, by its name, `back` for dy; of a Probe, or of a Trial."""
    given = leaves({**asked.arrays, **asked.options, back: asked.dy})
    return {name: a for name, a in given if isinstance(a, np.ndarray)}


def pair(value):
    """(y, backward) of what a layer returned.  Unfit for anything else."""
    due = "but `return y, backward` is due; until you have backward, `return y, None`"
    if not issubclass(type(value), (tuple, list)):
        if inspect.iscoroutine(value):
            value.close()  # one that nobody waits for would complain later
        raise Unfit(f"returned {article(value)}, {due}")
    if len(value) != 2:
        raise Unfit(f"returned {len(value)} things, {due}")
    return value


def unpacked(grads, n):
    """The gradients as a tuple; a layer with one array gives one bare gradient."""
    return (grads,) if n == 1 and not issubclass(type(grads), (tuple, list)) else tuple(grads)
