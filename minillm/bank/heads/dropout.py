"""dropout, there and back.  Nobody can know which mask an answer draws, so it is judged by what any mask must do."""

import dataclasses
import functools

import numpy as np

from ... import layers, specs
from ...grader.exercise import Part, Sighting
from ...grader.guard import Unfit
from ...grader.sink import Sink
from ...grader.trial import Direction, pair
from ...grader.values import Call, Question, Values
from . import dropout_right, dropout_wrong


@dataclasses.dataclass(frozen=True)
class Sight(Question):
    """A question of which not the answer itself is compared, but what `look(answer, ...)` sees of it."""

    look: object = None


class Chance(Values):
    """A function that draws at random.  Its questions are Sights, whose results are the same whatever was drawn."""

    def watch(self, answer, probes, direction=Direction):
        """Look at the answer in the way of each question."""
        sink = Sink()
        way = direction(answer, sink)
        calls = [Call(question).go(functools.partial(question.look, answer), way) for question in probes]
        seen = {part.name: [call.seen(part.name) for call in calls] for part in self.parts}
        return Sighting(seen, tuple(note for note in (sink.says(),) if note), bool(self.own_code() & way.codes))


def meaning(x, *, rate, rng):
    """What dropout is, in loops, with a mask of its own."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate {rate}")
    keep = np.ones(x.shape, bool) if rate == 0 else rng.uniform(size=x.shape) > rate
    return specs.dropout(x, rate=rate, keep=keep), lambda dy: specs.dropout(dy, rate=rate, keep=keep)


def there(dropout, x, rate, rng):
    """y and backward.  Unfit if they are something else."""
    y, backward = pair(dropout(x, rate=rate, rng=rng))
    return array("y", y, x.shape), backward


def array(name, value, shape):
    """A result that has the shape of x and holds numbers.  Unfit if it has not."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise Unfit(f"{name} must be an array of floating-point numbers")
    if value.shape != shape:
        raise Unfit(f"{name} has shape {value.shape}, but it must have that of x, {shape}")
    return value


def back(backward, dy):
    """dx.  Unfit if it is something else."""
    if not callable(backward):
        raise Unfit("there is no backward yet: it is the second thing that is returned")
    grads = backward(dy)
    return array("dx", grads[0] if isinstance(grads, (tuple, list)) and len(grads) == 1 else grads, dy.shape)


def factors(dropout, x, *, rate, rng):
    """By what the numbers were multiplied: all different values of y / x, in order."""
    was = x.copy()
    return np.unique(np.round(there(dropout, x, rate, rng)[0] / was, 6))


def share(dropout, x, *, rate, rng):
    """Which part of the numbers became 0, to the nearest twentieth."""
    y, _ = there(dropout, x, rate, rng)
    return np.round(20 * np.mean(y == 0)) / 20


def alone(dropout, x, *, rate, rng):
    """Whether each number has a chance of its own: no two rows of the mask are alike, nor two columns."""
    y, _ = there(dropout, x, rate, rng)
    dropped = y == 0
    return {axis: len(np.unique(dropped, axis=i)) == len(np.moveaxis(x, i, 0)) for i, axis in enumerate(ROWS)}


ROWS = ("each row has its own mask", "each column has its own mask")


def both_ways(dropout, x, dy, *, rate, rng):
    """All different pairs of a factor on the way there, y / x, and of the factor on the way back, dx / dy."""
    x_was, dy_was = x.copy(), dy.copy()
    y, backward = there(dropout, x, rate, rng)
    y = y.copy()
    dx = back(backward, dy)
    return np.unique(np.round(np.stack([y / x_was, dx / dy_was], -1).reshape(-1, 2), 6), axis=0)


def late(dropout, x, dy, *, rate, rng):
    """The same, where the layer was called again before the way back."""
    x_was, dy_was = x.copy(), dy.copy()
    y, backward = there(dropout, x, rate, rng)
    y = y.copy()
    there(dropout, x_was.copy(), rate, rng)
    dx = back(backward, dy)
    return np.unique(np.round(np.stack([y / x_was, dx / dy_was], -1).reshape(-1, 2), 6), axis=0)


def by_zeros(dropout, x, dy, *, rate, rng):
    """All different factors dx / dy where x is 0, which y cannot tell."""
    dy_was = dy.copy()
    _, backward = there(dropout, 0 * x, rate, rng)
    return np.unique(np.round(back(backward, dy) / dy_was, 6))


def by_itself(dropout, x, *, rate, rng):
    """What becomes of one number alone, in sixty calls."""
    kept = [bool(there(dropout, x.copy(), rate, rng)[0][0] != 0) for _ in range(60)]
    return {"sometimes dropped": not all(kept), "sometimes kept": any(kept)}


def draws(dropout, x, *, rate, rng):
    """Where the chance comes from: the generator that was handed in, and nothing else."""
    first = np.array(there(dropout, x.copy(), rate, np.random.default_rng(5))[0])
    again = np.array(there(dropout, x.copy(), rate, np.random.default_rng(5))[0])
    one, two = (np.array(there(dropout, x.copy(), rate, rng)[0]) for _ in range(2))
    return {"the same seed gives the same": np.array_equal(first, again), "the next call differs": (one != two).any()}


def identity(dropout, x, dy, *, rate, rng):
    """y and dx, where nothing is dropped."""
    y, backward = there(dropout, x, rate, rng)
    return {"y": np.array(y), "dx": np.array(back(backward, dy))}


def refused(dropout, x, *, rate, rng):
    """What y is, if there is one."""
    return np.array(there(dropout, x, rate, rng)[0])


def sight(look, part, rate, *shape, rng=None, dy=False, label="", **more):
    """A question about numbers 1, 2, 3, ... or drawn ones, none of which is 0."""
    n = int(np.prod(shape))
    seed = 0 if rng is None else int(rng.integers(2**31))
    numbers = lambda: np.arange(1.0, n + 1).reshape(shape) if rng is None else rng.uniform(1, 2, shape)
    arguments = {"x": numbers()} | ({"dy": numbers()[..., ::-1].copy()} if dy else {})
    options = {"rate": rate, "rng": np.random.default_rng(seed)}
    return Sight(part, arguments, options, label=label, look=look, **more)


def draw(rng):
    """All looks, with rates drawn anew, in arrays of one to four axes."""
    for shape in [(4000,), (40, 100), (2, 4, 20, 25)]:
        rate = round(float(rng.integers(2, 8)) / 10, 1)
        yield sight(factors, "y", rate, *shape, rng=rng)
        yield sight(share, "share", rate, *shape, 5, rng=rng)
        yield sight(both_ways, "dx", rate, *shape, rng=rng, dy=True, label=PAIRS)
    yield sight(identity, "edges", 0.0, 3, 4, rng=rng, dy=True)


PAIRS = "pairs (y / x, dx / dy):"

EXERCISE = Chance(
    name="dropout",
    notebook="05_heads",
    answer=layers.dropout,
    spec=meaning,
    parts=(
        Part("y", 1, "each number is multiplied by 0 or by 1 / (1 - rate)"),
        Part("share", 1, "as many become 0 as the rate says, each by a chance of its own"),
        Part("dx", 1.5, "the mask on the way back is that of the way there"),
        Part("rng", 0.5, "all chance comes from rng"),
        Part("edges", 0.5, "rate 0 changes nothing, and a rate that is none is a ValueError"),
        Part("arguments", 0.5, "x and dy are left alone", needs=("y", "dx")),
    ),
    by_hand=(
        sight(factors, "y", 0.5, 1000, label="all values of y / x:"),
        sight(factors, "y", 0.2, 1000, label="all values of y / x:"),
        sight(share, "share", 0.5, 20_000, label="share of zeros:"),
        sight(share, "share", 0.2, 20_000, label="share of zeros:"),
        sight(alone, "share", 0.5, 64, 64),
        sight(by_itself, "share", 0.5, 1, label="one number by itself, in sixty calls:"),
        sight(both_ways, "dx", 0.5, 1000, dy=True, label=PAIRS),
        sight(both_ways, "dx", 0.2, 1000, dy=True, label=PAIRS),
        sight(late, "dx", 0.5, 1000, dy=True, label=f"called again before backward, {PAIRS}"),
        sight(by_zeros, "dx", 0.5, 1000, dy=True, label="all values of dx / dy where x is 0:"),
        sight(draws, "rng", 0.5, 100),
        sight(identity, "edges", 0.0, 3, dy=True),
        dataclasses.replace(
            sight(identity, "edges", 0.0, 3, dy=True), options={"rate": 0.0, "rng": None}, label="without rng:"
        ),
        sight(refused, "edges", 1.0, 3, raises=ValueError),
        sight(refused, "edges", -0.5, 3, raises=ValueError),
    ),
    draw=draw,
    mistakes=dropout_wrong.MISTAKES,
    right=dropout_right.ANSWERS,
    hints=(
        "Everything that chance decides can be in one array that has the shape of x: 0 where a number is dropped, and "
        "where it is kept what it is multiplied by. Then y is one product, and so is dx.",
        "rng.random(x.shape) gives numbers between 0 and 1, and a part of them as large as `rate` lies below `rate`. "
        "Comparing gives booleans; dividing by 1 - rate makes up for what is lost. Draw once, and let backward use "
        "what was drawn.",
        "mask = (rng.random(x.shape) >= rate) / (1 - rate); y = x * mask; dx = dy * mask. Before that: a rate outside "
        "0 <= rate < 1 is a ValueError, and at rate 0 nothing is drawn, since rng may be None.",
    ),
    lines=8,
    minutes=15,
    difficulty=2,
)
