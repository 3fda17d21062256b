"""Wrong answers to adamw that people really write; each has a step that is not the right one."""

import types

import numpy as np

from ...grader.exercise import Mistake


def keep(a, new):
    """a is changed in place."""
    a[...] = new


# The steps of a right answer.  s holds w, dw, m, v, old_m, old_v, step, rate, b1, b2, eps, decay.
STEPS = types.SimpleNamespace(
    refuse=lambda step: step < 1,
    gradient=lambda s: s.dw,
    mean=lambda s: s.b1 * s.m + (1 - s.b1) * s.g,
    square=lambda s: s.b2 * s.v + (1 - s.b2) * s.g**2,
    keep=keep,
    corrected_mean=lambda s: s.m / (1 - s.b1**s.step),
    corrected_square=lambda s: s.v / (1 - s.b2**s.step),
    below=lambda s: np.sqrt(s.vhat) + s.eps,
    move=lambda s: s.w - s.rate * s.mhat / s.d - s.rate * s.decay * s.w,
    keep_w=keep,
    after=lambda s: None,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def adamw(w, dw, m, v, *, step, rate, betas=(0.9, 0.999), eps=1e-8, decay=0.0):
        if do.refuse(step):
            raise ValueError("steps count from 1")
        s = types.SimpleNamespace(w=w, dw=dw, m=m, v=v, step=step, rate=rate, eps=eps, decay=decay)
        s.b1, s.b2 = betas
        with np.errstate(all="ignore"):
            s.g = do.gradient(s)
            new_m, new_v = do.mean(s), do.square(s)
            s.old_m, s.old_v = m.copy(), v.copy()
            do.keep(m, new_m)
            do.keep(v, new_v)
            s.m, s.v = new_m, new_v
            s.mhat, s.vhat = do.corrected_mean(s), do.corrected_square(s)
            s.d = do.below(s)
            do.keep_w(w, do.move(s))
        s.m, s.v = m, v
        do.after(s)

    return Mistake(name, says, adamw)


def forgotten(a, new):
    """The name gets another array, and the caller's stays as it was."""


def store_corrected(s):
    """m and v hold the corrected means."""
    s.m[...], s.v[...] = s.mhat, s.vhat


def spoil(s):
    """dw is scaled in place."""
    s.dw *= 1 - s.b1


MISTAKES = (
    wrong(
        "bias correction missing",
        "m and v begin as zeros, and that pulls them down in the first steps. Dividing by 1 - b1^step and 1 - b2^step "
        "gives back what is missing.",
        corrected_mean=lambda s: s.m,
        corrected_square=lambda s: s.v,
    ),
    wrong(
        "only the mean is corrected",
        "m is divided by 1 - b1^step, but v by nothing. It began as zeros too.",
        corrected_square=lambda s: s.v,
    ),
    wrong(
        "bias correction from step 0",
        "The correction is one step behind: at step 1 it divides by 1 - b^0, which is 0. Steps count from 1.",
        corrected_mean=lambda s: s.m / (1 - np.float64(s.b1) ** (s.step - 1)),
        corrected_square=lambda s: s.v / (1 - np.float64(s.b2) ** (s.step - 1)),
    ),
    wrong(
        "bias correction of the next step",
        "The correction is one step ahead: at step 1 it divides by 1 - b^2. At step s it divides by 1 - b^s.",
        corrected_mean=lambda s: s.m / (1 - s.b1 ** (s.step + 1)),
        corrected_square=lambda s: s.v / (1 - s.b2 ** (s.step + 1)),
    ),
    wrong(
        "bias correction of the first step",
        "1 - b is right at step 1 alone. At step s, m and v hold a share of 1 - b^s: the power is missing.",
        corrected_mean=lambda s: s.m / (1 - s.b1),
        corrected_square=lambda s: s.v / (1 - s.b2),
    ),
    wrong(
        "w moves before m and v",
        "w moves by the m and v from before this step, so that the gradient of this step has no say. m and v come "
        "first.",
        corrected_mean=lambda s: s.old_m / (1 - s.b1**s.step),
        corrected_square=lambda s: s.old_v / (1 - s.b2**s.step),
    ),
    wrong(
        "epsilon inside the root",
        "eps is under the root here. In Adam it is added to the root: sqrt(v) + eps.",
        below=lambda s: np.sqrt(s.vhat + s.eps),
    ),
    wrong(
        "epsilon forgotten",
        "Where every gradient so far was 0, this divides 0 by 0. eps is added to the root.",
        below=lambda s: np.sqrt(s.vhat),
    ),
    wrong(
        "decay through the gradient",
        "decay * w was added to the gradient, so that Adam divides it by the root like all else: a weight with large "
        "gradients is hardly decayed. That is Adam with L2. AdamW takes rate * decay * w off the weight itself.",
        gradient=lambda s: s.dw + s.decay * s.w,
        move=lambda s: s.w - s.rate * s.mhat / s.d,
    ),
    wrong(
        "decay without the rate",
        "The weights shrink by decay at each step, whatever the rate is. They should shrink by rate * decay.",
        move=lambda s: s.w - s.rate * s.mhat / s.d - s.decay * s.w,
    ),
    wrong(
        "decay forgotten",
        "decay does nothing here: each step also takes rate * decay * w off the weights.",
        move=lambda s: s.w - s.rate * s.mhat / s.d,
    ),
    wrong(
        "decay of the new weights",
        "The weights are moved first, and then a share of the moved ones is taken off. The decay is a share of the w "
        "from before the step.",
        move=lambda s: (1 - s.rate * s.decay) * (s.w - s.rate * s.mhat / s.d),
    ),
    wrong(
        "decay lets the weights grow",
        "rate * decay * w was added to the weights. It is taken off, so that they shrink.",
        move=lambda s: s.w - s.rate * s.mhat / s.d + s.rate * s.decay * s.w,
    ),
    wrong(
        "the two betas exchanged",
        "The two betas stand in each other's place: betas[0] is for m, betas[1] for v.",
        mean=lambda s: s.b2 * s.m + (1 - s.b2) * s.g,
        square=lambda s: s.b1 * s.v + (1 - s.b1) * s.g**2,
        corrected_mean=lambda s: s.m / (1 - s.b2**s.step),
        corrected_square=lambda s: s.v / (1 - s.b1**s.step),
    ),
    wrong(
        "betas of its own",
        "0.9 and 0.999 are written into the function, whatever `betas` says.",
        mean=lambda s: 0.9 * s.m + (1 - 0.9) * s.g,
        square=lambda s: 0.999 * s.v + (1 - 0.999) * s.g**2,
        corrected_mean=lambda s: s.m / (1 - 0.9**s.step),
        corrected_square=lambda s: s.v / (1 - 0.999**s.step),
    ),
    wrong(
        "old and new exchanged",
        "What was remembered is weighted with 1 - b, and the new gradient with b. It is the other way round: "
        "m = b1 m + (1 - b1) dw.",
        mean=lambda s: (1 - s.b1) * s.m + s.b1 * s.g,
        square=lambda s: (1 - s.b2) * s.v + s.b2 * s.g**2,
    ),
    wrong(
        "old and new exchanged in m",
        "m weights what was remembered with 1 - b1, and the new gradient with b1. It is the other way round: "
        "m = b1 m + (1 - b1) dw. v is right.",
        mean=lambda s: (1 - s.b1) * s.m + s.b1 * s.g,
    ),
    wrong(
        "the new gradient not weighted",
        "The new gradient is added whole: m = b1 m + dw. A running mean weights it with 1 - b1.",
        mean=lambda s: s.b1 * s.m + s.g,
        square=lambda s: s.b2 * s.v + s.g**2,
    ),
    wrong(
        "m takes the whole gradient",
        "m = b1 m + dw, as in some kinds of momentum. Here m is a running mean, and weights the new gradient with "
        "1 - b1; v is right.",
        mean=lambda s: s.b1 * s.m + s.g,
    ),
    wrong(
        "root forgotten",
        "The step is divided by v, which is a square. It is divided by its root.",
        below=lambda s: s.vhat + s.eps,
    ),
    wrong(
        "uphill",
        "The step goes along the gradient, so the loss grows. It goes against it.",
        move=lambda s: s.w + s.rate * s.mhat / s.d - s.rate * s.decay * s.w,
    ),
    wrong(
        "nothing changed in place",
        "w, m and v of the caller are what they were. m = ... gives the name m to a new array; m[...] = ... changes "
        "the array itself, and so for v and w.",
        keep=forgotten,
        keep_w=forgotten,
    ),
    wrong(
        "w not changed in place",
        "w = w - ... gives the name w to a new array, and the caller's w stays as it was. w -= ... or w[...] = ... "
        "changes the array itself.",
        keep_w=forgotten,
    ),
    wrong(
        "m and v not changed in place",
        "m = ... and v = ... make new arrays, and what was remembered is lost at the next step. m[...] = ... changes "
        "the array itself.",
        keep=forgotten,
    ),
    wrong(
        "corrected means remembered",
        "The corrected means were stored in m and v, so that the next step corrects them once more. m and v stay "
        "uncorrected.",
        after=store_corrected,
    ),
    wrong(
        "dw changed in place",
        "Something like dw *= 1 - b1, and whoever gave dw still needs it.",
        after=spoil,
    ),
    wrong(
        "step 0 not refused",
        "At step 0 the correction divides by zero. A ValueError says that steps count from 1.",
        refuse=lambda step: False,
    ),
)
