"""Wrong answers to unscale that people really write."""

import types

import numpy as np

from ...grader.exercise import Mistake
from ...trees import leaves


def divide(arrays, scale):
    """In place."""
    for a in arrays:
        a /= scale


def halve(state):
    """After a bad step."""
    state["scale"] /= 2
    state["good"] = 0


def count(state, patience):
    """After a good one."""
    state["good"] += 1
    if state["good"] == patience:
        state["scale"] *= 2
        state["good"] = 0


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    arrays=lambda grads: [a for _, a in leaves(grads)],
    fine=lambda arrays: all(np.isfinite(a).all() for a in arrays),
    divide=divide,
    good=count,
    bad=halve,
    result=bool,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def unscale(grads, state, *, patience=1000):
        arrays = do.arrays(grads)
        with np.errstate(all="ignore"):
            fine = bool(do.fine(arrays))
            if fine:
                do.divide(arrays, state["scale"])
                do.good(state, patience)
            else:
                do.bad(state)
        return do.result(fine)

    return Mistake(name, says, unscale)


def grown_too_early(grads, state, *, patience=1000):
    """The scale changes before it is used."""
    arrays = [a for _, a in leaves(grads)]
    if not STEPS.fine(arrays):
        halve(state)
        return False
    count(state, patience)
    divide(arrays, state["scale"])
    return True


def each_alone(grads, state, *, patience=1000):
    """Every array is judged by itself, and one good one is enough."""
    arrays = [a for _, a in leaves(grads)]
    fine = [np.isfinite(a).all() for a in arrays]
    if not any(fine):
        halve(state)
        return False
    divide([a for a, good in zip(arrays, fine, strict=True) if good], state["scale"])
    count(state, patience)
    return True


def halved_for_each(grads, state, *, patience=1000):
    """Every array with a bad number in it halves the scale."""
    arrays = [a for _, a in leaves(grads)]
    bad = [a for a in arrays if not np.isfinite(a).all()]
    for _ in bad:
        halve(state)
    if not bad:
        divide(arrays, state["scale"])
        count(state, patience)
    return not bad


def zeros_instead(grads, state, *, patience=1000):
    """What is not finite becomes 0, and the step is taken."""
    for _, a in leaves(grads):
        a[~np.isfinite(a)] = 0
        a /= state["scale"]
    count(state, patience)
    return True


def on_top(grads):
    """The arrays of the uppermost dict alone."""
    return [a for a in grads.values() if isinstance(a, np.ndarray)]


def late(state, patience):
    """One more than asked for."""
    state["good"] += 1
    if state["good"] > patience:
        state["scale"] *= 2
        state["good"] = 0


def at_once(state, patience):
    """At every good step."""
    state["scale"] *= 2
    state["good"] = 0


def without_reset(state, patience):
    """The count goes on."""
    state["good"] += 1
    if state["good"] >= patience:
        state["scale"] *= 2


def not_counted(state, patience):
    """Good steps are not counted."""


def count_kept(state):
    """Good steps before a bad one still count."""
    state["scale"] /= 2


def counted(state):
    """A bad step counts as one more."""
    state["scale"] /= 2
    state["good"] += 1


def double(state):
    """The wrong way."""
    state["scale"] *= 2
    state["good"] = 0


def not_below_one(state):
    """A floor that nobody asked for."""
    state.update(scale=max(state["scale"] / 2, 1.0), good=0)


def whole(state):
    """Half of 1 is 0."""
    state.update(scale=state["scale"] // 2, good=0)


def back_to_one(state):
    """No scale at all from here on."""
    state.update(scale=1.0, good=0)


def unmoved(state):
    """The scale stays, so the next step is bad again."""
    state["good"] = 0


MISTAKES = (
    wrong(
        "not divided",
        "The gradients are still those of scale * loss. Divide each by the scale, in place: a = a / scale is new, and "
        "nobody sees it.",
        divide=lambda arrays, scale: None,
    ),
    wrong(
        "multiplied",
        "The gradients were multiplied by the scale once more. The loss was multiplied by it, so they are divided.",
        divide=lambda arrays, scale: [np.multiply(a, scale, out=a) for a in arrays],
    ),
    Mistake(
        "divided by the next scale",
        "The scale was doubled first and then used. The gradients carry the scale that the loss was multiplied with, "
        "the one from before.",
        grown_too_early,
    ),
    wrong(
        "the step is taken all the same",
        "After a bad gradient it says that the step may be taken. One infinite number makes a weight NaN, and from the "
        "next step on all that it touches: return False.",
        result=lambda fine: True,
    ),
    wrong("nothing returned", "It must say whether the step may be taken: True or False.", result=lambda fine: None),
    wrong(
        "True for False",
        "It returns True where the gradients are bad and False where they are good. True means: take the step.",
        result=lambda fine: not fine,
    ),
    wrong(
        "NaN alone noticed",
        "Infinite gradients pass as good ones. An overflow gives infinity first; np.isfinite sees both.",
        fine=lambda arrays: not any(np.isnan(a).any() for a in arrays),
    ),
    wrong(
        "infinity alone noticed",
        "A NaN passes as good. An infinity less an infinity is NaN by the time it arrives; np.isfinite sees both.",
        fine=lambda arrays: not any(np.isinf(a).any() for a in arrays),
    ),
    wrong(
        "minus infinity not noticed",
        "Minus infinity passes as good. It is as bad as plus infinity; np.isfinite sees both.",
        fine=lambda arrays: not any((np.isnan(a) | (a == np.inf)).any() for a in arrays),
    ),
    wrong(
        "large numbers refused",
        "A finite gradient above 65,504 was refused. float16 would have made it infinite already; what is finite here "
        "is good.",
        fine=lambda arrays: all((np.abs(a) <= 65504).all() for a in arrays),
    ),
    wrong(
        "the sum looked at",
        "Sums, or sums of squares, of finite numbers can be infinite, and then a good step is refused. Look at each "
        "number: np.isfinite(a).all().",
        fine=lambda arrays: np.isfinite(sum(a.sum() for a in arrays)),
    ),
    wrong(
        "the first gradient alone",
        "Only the first of the gradients was looked at. One bad number anywhere spoils the step.",
        fine=lambda arrays: np.isfinite(arrays[0]).all(),
    ),
    Mistake(
        "each gradient by itself",
        "Each gradient was judged by itself, and the step is taken with those that are good. It is one step: all or "
        "none.",
        each_alone,
    ),
    Mistake(
        "zero for infinity",
        "What was infinite was set to 0, and the step is taken. Then the largest gradients are those that are left "
        "out, and the scale never comes down.",
        zeros_instead,
    ),
    wrong(
        "lower branches not visited",
        "Only the arrays of the uppermost dict were visited. A model's gradients are dicts in dicts, with a list of "
        "blocks; `leaves` visits them all.",
        arrays=on_top,
    ),
    wrong(
        "not halved",
        "After a bad step the scale stays as it was, so the next one overflows too. Halve it.",
        bad=unmoved,
    ),
    Mistake(
        "halved for each bad gradient",
        "The scale was halved once for each gradient that is bad. It is one step: halve it once.",
        halved_for_each,
    ),
    wrong(
        "never below 1",
        "The scale stops at 1 here. If the gradients are too large even so, it must go on falling: halve it.",
        bad=not_below_one,
    ),
    wrong(
        "halved to a whole number",
        "The scale was halved with //, and half of 1 became 0. It may be less than 1: write / 2.",
        bad=whole,
    ),
    wrong(
        "doubled after a bad step",
        "After a bad step the scale was doubled. The gradients were too large for the format: halve it.",
        bad=double,
    ),
    wrong(
        "back to 1",
        "After a bad step the scale went back to 1, where the small gradients are flushed to 0. Halve it.",
        bad=back_to_one,
    ),
    wrong(
        "good steps before a bad one still count",
        "After a bad step the count of good ones went on. They are counted in a row: start again from 0.",
        bad=count_kept,
    ),
    wrong(
        "a bad step counts",
        "A bad step was counted among the good ones. Start again from 0.",
        bad=counted,
    ),
    wrong(
        "not doubled in time",
        "With a patience of 3 the scale is doubled after the third good step in a row, and the count begins anew.",
        good=late,
    ),
    wrong(
        "doubled at every good step",
        "The scale is doubled after each good step. It waits for `patience` of them in a row.",
        good=at_once,
    ),
    wrong(
        "count goes on after doubling",
        "After the scale was doubled, the count was not set to 0: from then on it doubles at every step.",
        good=without_reset,
    ),
    wrong(
        "good steps not counted",
        "Good steps are not counted in the state that was given, so the scale can never grow again. (state = {...} is "
        "another one.)",
        good=not_counted,
    ),
)
