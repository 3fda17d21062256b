"""Wrong answers to layer_norm that people really write; each has one step that is not the right one."""

import numpy as np

from .layer_norm_steps import everywhere, in_place, mean, over_all, over_batch, over_batch_sum, total, wrong

MISTAKES = (
    wrong(
        "no eps",
        "This is what comes out without eps: numbers that are all alike have variance 0, and are divided by it.",
        rstd=lambda v: 1 / np.sqrt(v.var),
    ),
    wrong(
        "eps outside the root",
        "eps stands outside the root here. It is added to the variance, sqrt(var + eps), and not to the deviation.",
        rstd=lambda v: 1 / (np.sqrt(v.var) + v.eps),
    ),
    wrong(
        "eps as a lower limit",
        "eps is a lower limit here, max(var, eps). It is added to every variance: var + eps.",
        rstd=lambda v: 1 / np.sqrt(np.maximum(v.var, v.eps)),
    ),
    wrong(
        "eps squared",
        "eps enters squared here. It is added to the variance as it is: var + eps.",
        rstd=lambda v: 1 / np.sqrt(v.var + v.eps**2),
    ),
    wrong(
        "an eps of its own",
        "The eps that is handed in is not used: 1e-5 is written into the code.",
        rstd=lambda v: 1 / np.sqrt(v.var + 1e-5),
    ),
    wrong(
        "n - 1 in the variance",
        "The squared deviations are divided by C - 1 here, as np.var(x, ddof=1) does; layer norm divides by C.",
        var=lambda v: (v.deviation**2).sum(-1, keepdims=True) / (v.x.shape[-1] - 1),
    ),
    wrong(
        "divided by the variance",
        "This divides by var + eps. It is its root that brings the numbers to variance 1.",
        rstd=lambda v: 1 / (v.var + v.eps),
    ),
    wrong(
        "statistics over the whole array",
        "Mean and variance are taken over the whole array here. Each position has its own: over the last axis alone.",
        mean=lambda v: over_all(v.x),
        var=lambda v: over_all(v.deviation**2),
        dx=lambda v: everywhere(v, over_all),
    ),
    wrong(
        "statistics over the batch",
        "Mean and variance are taken over axis 0 here, as batch norm does. Layer norm takes them over the channels, "
        "axis -1, so that no sequence depends on its neighbours.",
        mean=lambda v: over_batch(v.x),
        var=lambda v: over_batch(v.deviation**2),
        dx=lambda v: everywhere(v, over_batch),
    ),
    wrong(
        "keepdims forgotten",
        "x.mean(-1) has lost its last axis, so that NumPy lays it along the wrong one; keepdims=True keeps it.",
        mean=lambda v: v.x.mean(-1),
        var=lambda v: (v.deviation**2).mean(-1),
        dx=lambda v: everywhere(v, lambda z: z.mean(-1)),
    ),
    wrong(
        "mean not subtracted",
        "The mean is not taken away here. That is RMS norm: a layer of its own, but not this one.",
        deviation=lambda v: v.x,
        dx=lambda v: v.rstd * (v.dxhat - v.xhat * mean(v.dxhat * v.xhat)),
    ),
    wrong(
        "the article's formula",
        "This is (x - mean) / std alone. Layer norm has an eps under the root, then a gain g and a shift b.",
        rstd=lambda v: 1 / np.sqrt(v.var),
        y=lambda v: v.xhat,
        dxhat=lambda v: v.dy,
        dg=lambda v: 0 * v.g,
        db=lambda v: 0 * v.b,
    ),
    wrong(
        "gain forgotten",
        "The gain is missing: y = g * xhat + b.",
        y=lambda v: v.xhat + v.b,
        dxhat=lambda v: v.dy,
    ),
    wrong(
        "shift forgotten",
        "The shift is missing: y = g * xhat + b.",
        y=lambda v: v.g * v.xhat,
    ),
    wrong(
        "shift before gain",
        "The shift is added before the gain multiplies here. The gain is for xhat alone: g * xhat + b.",
        y=lambda v: v.g * (v.xhat + v.b),
        dg=lambda v: total(v.dy * (v.xhat + v.b)),
        db=lambda v: total(v.dy * v.g),
    ),
    wrong(
        "mean treated as a constant",
        "This is what comes out when the mean is treated as a constant. x moves the mean too: the term mean(dxhat) "
        "is missing.",
        dx=lambda v: v.rstd * (v.dxhat - v.xhat * mean(v.dxhat * v.xhat)),
    ),
    wrong(
        "variance treated as a constant",
        "This is what comes out when the variance is treated as a constant. x moves rstd too: the term "
        "xhat * mean(dxhat * xhat) is missing.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat)),
    ),
    wrong(
        "mean and variance treated as constants",
        "This is what comes out when mean and variance are treated as constants. x moves both, and each has a term.",
        dx=lambda v: v.rstd * v.dxhat,
    ),
    wrong(
        "gain forgotten on the way back",
        "The gain is missing on the way back: xhat was multiplied by g, so dxhat = dy * g.",
        dxhat=lambda v: v.dy,
    ),
    wrong(
        "gain forgotten in the variance term",
        "In the variance term stands dy where dxhat = dy * g belongs.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat) - v.xhat * mean(v.dy * v.xhat)),
    ),
    wrong(
        "rstd forgotten on the way back",
        "rstd is missing in dx: a step in x is rstd times as large in xhat.",
        dx=lambda v: v.dxhat - mean(v.dxhat) - v.xhat * mean(v.dxhat * v.xhat),
    ),
    wrong(
        "rstd squared on the way back",
        "rstd multiplies dx twice here. Once is right.",
        dx=lambda v: v.rstd**2 * (v.dxhat - mean(v.dxhat) - v.xhat * mean(v.dxhat * v.xhat)),
    ),
    wrong(
        "variance term added",
        "The variance term has the wrong sign: it is subtracted, like the mean term.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat) + v.xhat * mean(v.dxhat * v.xhat)),
    ),
    wrong(
        "mean term added",
        "The mean term has the wrong sign: it is subtracted, like the variance term.",
        dx=lambda v: v.rstd * (v.dxhat + mean(v.dxhat) - v.xhat * mean(v.dxhat * v.xhat)),
    ),
    wrong(
        "sums where means are due",
        "The two terms of dx are sums over the channels here. They are means: each sum is divided by C.",
        dx=lambda v: everywhere(v, lambda z: z.sum(-1, keepdims=True)),
    ),
    wrong(
        "gain after the means on the way back",
        "The gain is multiplied in after the two means here. dy passes the gain first: the means are those of "
        "dxhat = g * dy.",
        dx=lambda v: v.g * v.rstd * (v.dy - mean(v.dy) - v.xhat * mean(v.dy * v.xhat)),
    ),
    wrong(
        "half of the variance term",
        "Half of the variance term is missing. The square in the variance brings a 2, and the root a 1/2: together "
        "they are 1.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat) - v.xhat * mean(v.dxhat * v.xhat) / 2),
    ),
    wrong(
        "rstd on a part of the bracket",
        "rstd does not multiply the variance term here. It multiplies the whole bracket.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat)) - v.xhat * mean(v.dxhat * v.xhat),
    ),
    wrong(
        "means over the whole array on the way back",
        "The two means of dx run over the whole array here. They are those of each position, over its channels.",
        dx=lambda v: everywhere(v, lambda z: z.mean()),
    ),
    wrong(
        "means over the batch on the way back",
        "The two means of dx are taken over axis 0 here. They are over the channels, as those of the way there.",
        dx=lambda v: everywhere(v, over_batch),
    ),
    wrong(
        "x for xhat in dx",
        "In the variance term stands x where xhat belongs.",
        dx=lambda v: v.rstd * (v.dxhat - mean(v.dxhat) - v.x * mean(v.dxhat * v.x)),
    ),
    wrong(
        "x for xhat in dg",
        "g multiplied xhat, not x: dg is the sum of dy * xhat.",
        dg=lambda v: total(v.dy * v.x),
    ),
    wrong(
        "xhat forgotten in dg",
        "g multiplied xhat: dg is the sum of dy * xhat, and not of dy alone.",
        dg=lambda v: total(v.dy),
    ),
    wrong(
        "dxhat for dy in dg",
        "dg is made of dxhat = g * dy here. It is the sum of dy * xhat, with dy as it arrived.",
        dg=lambda v: total(v.dxhat * v.xhat),
    ),
    wrong(
        "mean for sum in dg",
        "dg is a mean over the positions here. The same g served every position, so their blame adds up: a sum.",
        dg=lambda v: total(v.dy * v.xhat) / (v.x.size // len(v.g)),
    ),
    wrong(
        "mean for sum in db",
        "db is a mean over the positions here. The same b served every position, so their blame adds up: a sum.",
        db=lambda v: total(v.dy) / (v.x.size // len(v.b)),
    ),
    wrong(
        "summed over one axis",
        "dg and db are summed over the first axis alone. b served every position of every sequence: sum over all axes "
        "but the last.",
        large=True,
        dg=lambda v: over_batch_sum(v.dy * v.xhat),
        db=lambda v: over_batch_sum(v.dy),
    ),
    wrong(
        "summed over axes 0 and 1",
        "dg and db are summed over axes 0 and 1 here, but x may have fewer axes, or more. Sum over all axes but the "
        "last, for instance with reshape(-1, C).sum(0).",
        large=True,
        dg=lambda v: (v.dy * v.xhat).sum((0, 1)),
        db=lambda v: v.dy.sum((0, 1)),
    ),
    wrong(
        "db not summed",
        "db is dy itself here. The same b served every position, so their blame adds up: sum over all axes but the "
        "last.",
        db=lambda v: v.dy,
    ),
    wrong(
        "dg and db exchanged",
        "dg and db stand in each other's place: gradients come back in the order of the arguments, dx, dg, db.",
        grads=lambda v: (v.dx, v.db, v.dg),
    ),
    wrong(
        "dx returned last",
        "The gradients are all there, but not in the order of the arguments: dx, dg, db.",
        grads=lambda v: (v.dg, v.db, v.dx),
    ),
    wrong(
        "x changed in place",
        "Others still need x as it was: in a GPT it is the residual stream, which also flows past the norm.",
        deviation=lambda v: in_place(v, "x", lambda x: x - v.mean),
    ),
    wrong(
        "dy changed in place",
        "Something like dy *= g, and the lines below it see another dy, as does whoever gave it.",
        dxhat=lambda v: in_place(v, "dy", lambda dy: dy * v.g),
    ),
    wrong(
        "xhat overwritten",
        "xhat was changed in place to make y, and the way back still needs it as it was: y = g * xhat + b makes a new "
        "array.",
        y=lambda v: in_place(v, "xhat", lambda xhat: v.g * xhat + v.b),
    ),
)
