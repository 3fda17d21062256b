"""Wrong answers to schedule that people really write; each has a step that is not the right one."""

import math
import types

from ...grader.exercise import Mistake


def bent(left):
    """Half a wave: 1 where the fall begins, 0 where it ends."""
    return (1 - math.cos(math.pi * left)) / 2


def cooled(s):
    """The step at which the last `cooldown` of all steps begins."""
    return s.steps - round(s.cooldown * s.steps)


# The steps of a right answer.  s holds the arguments, and start and left as they become known.
STEPS = types.SimpleNamespace(
    known=lambda s: s.kind in ("cosine", "linear", "constant"),
    warm=lambda s: s.rate * s.step / s.warmup,
    warming=lambda s: s.step < s.warmup,
    start=lambda s: max(s.warmup, 1),
    rest=lambda s: max(s.warmup, cooled(s)),
    waiting=lambda s: s.step <= s.start,
    left=lambda s: (s.steps + 1 - s.step) / (s.steps + 1 - s.start),
    ends=lambda left: max(0.0, left),
    wave=bent,
    line=lambda left: left,
    rate=lambda s: s.final + (s.rate - s.final) * s.left,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def schedule(step, *, kind, steps, warmup=0, rate=1.0, final=0.0, cooldown=0.0):
        s = types.SimpleNamespace(step=step, kind=kind, steps=steps, warmup=warmup, rate=rate, final=final)
        s.cooldown = cooldown
        if not do.known(s):
            raise ValueError(kind)
        if do.warming(s):
            return do.warm(s)
        s.start = do.rest(s) if kind == "constant" else do.start(s)
        if do.waiting(s):
            return rate
        s.left = do.ends(do.left(s))
        s.left = do.wave(s.left) if kind == "cosine" else do.line(s.left)
        return do.rate(s)

    return Mistake(name, says, schedule)


MISTAKES = (
    wrong(
        "warm-up one step late",
        "The warm-up is one step late, and step 1 has a rate of 0: it learns nothing. Steps count from 1: "
        "rate * step / warmup.",
        warm=lambda s: s.rate * (s.step - 1) / s.warmup,
    ),
    wrong(
        "warm-up forgotten",
        "There is no warm-up: before step `warmup` the rate is rate * step / warmup.",
        warming=lambda s: False,
    ),
    wrong(
        "warm-up from final",
        "The warm-up begins at `final` here. It begins at 0: rate * step / warmup.",
        warm=lambda s: s.final + (s.rate - s.final) * s.step / s.warmup,
    ),
    wrong(
        "warm-up of nothing",
        "With warmup = 0 this divides by zero. Without a warm-up the rate is at its top from step 1.",
        warming=lambda s: s.step <= s.warmup or s.step / s.warmup < 1,
    ),
    wrong(
        "the last step has no rate",
        "The fall arrives at `final` at the last step, so that with final = 0 nothing is learned there. It would "
        "arrive one step later: steps + 1.",
        left=lambda s: (s.steps - s.step) / (s.steps - s.start) if s.steps > s.start else 0.0,
    ),
    wrong(
        "the fall counted from the beginning",
        "The fall is counted from step 0, warm-up and all, so that the rate jumps down where the warm-up ends. It "
        "begins at step `warmup`.",
        left=lambda s: (s.steps + 1 - s.step) / (s.steps + 1),
    ),
    wrong(
        "the fall counted from step 1",
        "The fall is counted from step 1, warm-up and all, so that the rate jumps down where the warm-up ends. It "
        "begins at step `warmup`.",
        start=lambda s: 1,
    ),
    wrong(
        "final ignored",
        "The rate falls to 0. It falls to `final`.",
        rate=lambda s: s.rate * s.left,
    ),
    wrong(
        "final added on top",
        "final was added to the whole fall, so that the curve begins at rate + final. What falls is rate - final.",
        rate=lambda s: s.final + s.rate * s.left,
    ),
    wrong(
        "stopped at final",
        "The rate falls as if to 0, and stops where it meets `final`. The whole fall goes to `final`: what falls is "
        "rate - final.",
        rate=lambda s: max(s.final, s.rate * s.left),
    ),
    wrong(
        "negative after the end",
        "After the last step the line goes on, below `final`. It stays there.",
        ends=lambda left: left,
    ),
    wrong(
        "a quarter of a wave",
        "This is a quarter of a wave, which begins flat and ends steep. Half a wave is flat at both ends: "
        "(1 + cos) / 2, with an angle from 0 to pi.",
        wave=lambda left: math.sin(math.pi / 2 * left),
    ),
    wrong(
        "a whole wave",
        "The cosine goes through a whole wave, down and up again: the angle should run from 0 to pi, not to 2 pi.",
        wave=lambda left: (1 + math.cos(2 * math.pi * left)) / 2,
    ),
    wrong(
        "a wave that rises",
        "The wave begins at `final` and rises. It falls: it is 1 where all of the fall is left, and 0 where none is.",
        waiting=lambda s: s.kind != "cosine" and s.step <= s.start,
        wave=lambda left: 1 - bent(left),
    ),
    wrong(
        "twice the angle",
        "(1 - cos(2 pi a)) / 2 is a whole wave, from `final` up and down again. The angle is pi a.",
        waiting=lambda s: s.kind != "cosine" and s.step <= s.start,
        wave=lambda left: (1 - math.cos(2 * math.pi * left)) / 2,
    ),
    wrong(
        "cosine for linear",
        'With kind = "linear" this falls along the wave. "linear" is a straight line.',
        line=bent,
    ),
    wrong(
        "linear for cosine",
        'With kind = "cosine" this falls in a straight line. "cosine" bends it.',
        wave=lambda left: left,
    ),
    wrong(
        "constant never falls",
        'With kind = "constant" the rate stays to the end. In the last `cooldown` of all steps it falls.',
        rest=lambda s: s.steps + 1,
        left=lambda s: (s.steps + 1 - s.step) / (s.steps + 1 - s.start) if s.start <= s.steps else 1.0,
    ),
    wrong(
        "cooldown as a number of steps",
        "cooldown was taken for a number of steps. It is a fraction of all steps: round(cooldown * steps).",
        rest=lambda s: max(s.warmup, s.steps - round(s.cooldown)),
    ),
    wrong(
        "cooldown counted from the beginning",
        "Here the rate falls after a share of `cooldown` of all steps. It is the last `cooldown` of them in which it "
        "falls.",
        rest=lambda s: max(s.warmup, s.steps - round((1 - s.cooldown) * s.steps)),
    ),
    wrong(
        "constant without a warm-up",
        'With kind = "constant" the warm-up is forgotten: all three kinds have one.',
        warming=lambda s: s.step < s.warmup and s.kind != "constant",
        rest=cooled,
    ),
    wrong(
        "the fall begins in the warm-up",
        "Where the cooldown would begin before the warm-up is over, the warm-up stops and the rate falls. The fall "
        "waits until the rate is at its top.",
        warming=lambda s: s.step < s.warmup and (s.kind != "constant" or s.step < cooled(s)),
        rest=lambda s: cooled(s) if s.step < s.warmup else STEPS.rest(s),
    ),
    wrong(
        "the fall counted from within the warm-up",
        "The cooldown would begin before the warm-up is over, and its line is counted from there, so that the rate "
        "jumps down where the warm-up ends. The fall begins at step `warmup` then.",
        rest=cooled,
    ),
    wrong(
        "any kind accepted",
        "A kind that does not exist was accepted, so that a slip of the pen trains a model in another way than was "
        "meant. A ValueError is due.",
        known=lambda s: True,
    ),
)
