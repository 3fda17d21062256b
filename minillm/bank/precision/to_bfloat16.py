"""The exercise `to_bfloat16`: the 16 bits that are nearest to a float32."""

import math

import numpy as np

from ... import precision
from ...grader.exercise import Part, Sighting
from ...grader.sink import Sink
from ...grader.trial import Direction
from ...grader.values import Call, Question, Values
from . import to_bfloat16_right, to_bfloat16_wrong

LARGEST = precision.FORMATS["bf16"].largest


class Patterns(Values):
    """A function whose results must be arrays of uint16; that they are is a matter of its part "arguments"."""

    def watch(self, answer, probes, direction=Direction):
        """Ask all questions, and look at the dtypes too."""
        sink = Sink()
        way = direction(answer, sink)
        calls = [Packed(question).go(answer, way) for question in probes]
        seen = {part.name: [call.seen(part.name) for call in calls] for part in self.parts}
        return Sighting(seen, tuple(note for note in (sink.says(),) if note), bool(self.own_code() & way.codes))

    def compare(self, part, got, want, probe):
        """As for other functions, but for the dtype."""
        if [*got] == ["dtype"]:
            return "the result is no array of uint16, but one is due"
        return super().compare(part, got, want, probe)


class Packed(Call):
    """A Call that notes whether the patterns took up 16 bits each."""

    def go(self, answer, way):
        """Ask, and look at the dtype before the result is taken apart."""
        dtypes = []

        def watched(*arguments, **options):
            result = answer(*arguments, **options)
            dtypes.append(result.dtype if isinstance(result, np.ndarray) else None)
            return result

        super().go(watched, way)
        if dtypes and dtypes[0] != np.uint16:
            self.change["dtype"] = np.zeros(())
        return self


def by_the_nearest(x):
    """One number after the other: of the two bfloat16 around it the nearer, or else the one whose pattern is even."""
    found = [nearest(float(a)) for a in x.ravel()]
    return np.array(found, np.uint16).reshape(x.shape)


def nearest(a):
    """The pattern for one number, by looking at both neighbours."""
    if math.isnan(a):
        return 0x7FC0
    sign = 0x8000 if math.copysign(1, a) < 0 else 0
    a = abs(a)
    below, above = 0, 0x7F80
    while above - below > 1:  # patterns stand in the order of their numbers
        middle = (below + above) // 2
        below, above = (middle, above) if number(middle) <= a else (below, middle)
    too_far = 2.0**128 if above == 0x7F80 else number(above)  # where the next number would be, were it not infinite
    left, right = (0, 1) if math.isinf(a) else (a - number(below), too_far - a)
    if math.isinf(a) or left > right or (left == right and below % 2):
        return sign | above
    return sign | below


def number(pattern):
    """What a pattern without a sign stands for."""
    exponent, fraction = divmod(pattern, 2**7)
    return (1 + fraction / 2**7) * 2.0 ** (exponent - 127) if exponent else fraction / 2**7 * 2.0**-126


def question(part, *numbers, label=""):
    """A Question about a few numbers."""
    return Question(part, {"x": np.array(numbers, np.float32)}, label=label)


def pattern(part, bits, label):
    """A Question about the float32 that has these bits."""
    return Question(part, {"x": np.array([bits], np.uint32).view(np.float32)}, label=label)


def draw(rng):
    """Numbers of all sizes, of several shapes; ties; and what lies at the edges."""
    for shape in ((6,), (2, 3), (2, 1, 4)):
        size = 10.0 ** rng.uniform(-30, 30, shape)
        yield Question("nearest", {"x": np.asarray(rng.normal(size=shape) * size, np.float32)})
    for _ in range(2):
        upper = rng.integers(0x0080, 0x7F00, 6).astype(np.uint32) | (rng.integers(0, 2, 6).astype(np.uint32) << 15)
        yield Question("ties", {"x": ((upper << 16) | 0x8000).view(np.float32)})
    tiny = rng.integers(1, 2**23, 5).astype(np.uint32).view(np.float32)
    yield Question("edges", {"x": tiny * rng.choice([-1, 1], 5).astype(np.float32)}, label="subnormal")
    yield Question("edges", {"x": (rng.choice([-1, 1], 4) * rng.uniform(3.3955e38, 3.4e38, 4)).astype(np.float32)})


EXERCISE = Patterns(
    name="to_bfloat16",
    notebook="11_precision",
    answer=precision.to_bfloat16,
    spec=by_the_nearest,
    parts=(
        Part("nearest", 1.5, "the nearest bfloat16, bit by bit"),
        Part("ties", 1, "a number halfway between two goes to the even one"),
        Part("edges", 1, "signed zeros, subnormals, what becomes infinite, and NaN"),
        Part("arguments", 0.5, "x is left alone, and the result is new, and uint16", needs=("nearest", "ties")),
    ),
    by_hand=(
        question("nearest", 1, label="0x3F80, or 16256, is 1"),
        question("nearest", 1 + 3 / 512, label="1 + 3/512, where 1 is 16256, 1 + 1/128 is 16257"),
        question("nearest", 1 + 1 / 512, -2, label="1 + 1/512 and -2, where 1 is 16256, -2 is 49152"),
        question("nearest", 1 + 1 / 128, label="1 + 1/128, where 1 is 16256"),
        question("nearest", 2 - 1 / 512, label="2 - 1/512, where 2 is 16384"),
        question("nearest", -1 - 3 / 512, label="-1 - 3/512, where -1 is 49024, -1 - 1/128 is 49025"),
        question("ties", 1 + 1 / 256, label="1 + 1/256, where 1 is 16256, 1 + 1/128 is 16257"),
        question("ties", 1 + 3 / 256, label="1 + 3/256, where 1 + 1/128 is 16257, 1 + 2/128 is 16258"),
        question("ties", -1 - 3 / 256, label="-1 - 3/256, where -1 - 1/128 is 49025, -1 - 2/128 is 49026"),
        question("edges", 0.0, -0.0, label="-0 is 0x8000"),
        question("edges", math.inf, -math.inf, label="inf is 0x7F80, or 32640"),
        question("edges", 3.4e38, label=f"the largest is {LARGEST:.5g}, or 32639"),
        question("edges", 1e-39, label="subnormal"),
        question("edges", math.nan, label="NaN is 0x7FC0, or 32704"),
        pattern("edges", 0x7FFFFFFF, "x is the NaN with the bits 0x7FFFFFFF"),
        pattern("edges", 0xFFC00000, "x is a NaN with a sign, 0xFFC00000"),
    ),
    draw=draw,
    mistakes=to_bfloat16_wrong.MISTAKES,
    right=to_bfloat16_right.ANSWERS,
    hints=(
        "Cutting off the lower 16 bits rounds towards zero. How much must be added first, so that what is more than "
        "half a step above goes up? Patterns stand in the order of the numbers, so a carry does the right thing.",
        "Half a step is 0x8000. Adding 0x8000 sends a tie up, adding 0x7FFF sends it down. Which of the two it should "
        "be, the last bit that stays decides: bit 16.",
        "bits = x.view(np.uint32); even = (bits >> 16) & 1; (bits + 0x7FFF + even) >> 16, in a new array. Then put "
        "0x7FC0 where np.isnan(x), and make it uint16.",
    ),
    lines=5,
    minutes=20,
    difficulty=3,
)
