"""Figures of a scaling law: the runs beside it and what it leaves over, and the bowls of IsoFLOP profiles."""

import numpy as np

from . import isoflop, runs
from .canvas import GREY, canvas, style
from .describe import number
from .plots import LOOKS


def fitted(N, D, loss, law, *, title, token="token"):
    """Runs and their law: the reducible loss, loss - E, against the tokens with a line for each N; below, residuals.

    N, D, loss (rows,) of at most six sizes, law a scaling.Law.  Both axes of the upper picture are logarithmic: where
    one term rules, its lines are straight.  Residuals are ln loss - ln law, in per cent.  Runs at or below E are left
    out above.  Returns the Figure.  ValueError if there are too many sizes to be told apart.
    """
    N, D, loss = runs.columns(N=N, D=D, loss=loss)
    sizes = np.unique(N)
    if len(sizes) > len(LOOKS):
        raise ValueError(f"lawplot: at most {len(LOOKS)} sizes can be told apart, not {len(sizes)}.")
    with style():
        figure, (above, below) = canvas(2, 1, height=5.6)
        above.get_gridspec().set_height_ratios([3, 1.3])
        along = np.geomspace(D.min(), D.max(), 60)
        for size, (colour, dashes, marker) in zip(sizes, LOOKS, strict=False):
            mine, name = N == size, f"N = {size:,.0f}"
            dots = {"color": colour, "marker": marker, "s": 34, "edgecolor": "white", "linewidth": 0.6, "zorder": 3}
            above.plot(along, law.loss(size, along) - law.E, color=colour, linestyle=dashes, label=f"law, {name}")
            above.scatter(D[mine], loss[mine] - law.E, label=name, **dots)
            residual = 100 * np.log(loss[mine] / law.loss(size, D[mine]))
            below.scatter(D[mine], residual, label=f"residuals, {name}", **dots)
        above.set(title=title, xscale="log", yscale="log", ylabel=f"loss above E (nats per {token})")
        handles = [h for h in above.get_legend_handles_labels()[0] if not h.get_label().startswith("law")]
        above.legend(handles, [h.get_label() for h in handles], loc="upper right")
        below.axhline(0, color=GREY, linewidth=1, label="_zero")
        below.set(xscale="log", xlabel=f"D, {token}s trained on", ylabel="residual (%)")
        ticks = np.unique(D) if len(np.unique(D)) <= 6 else np.geomspace(D.min(), D.max(), 4)
        for ax in (above, below):
            ax.set_xticks(ticks, [_short(t) for t in ticks], minor=False)
            ax.xaxis.minorticks_off()
        low, high = above.get_ylim()
        marks = [y for y in (m * 10.0**e for e in range(-4, 3) for m in range(1, 10)) if low <= y <= high]
        above.set_yticks(marks, [number(y, 2) for y in marks])
        above.yaxis.minorticks_off()
    return figure


def bowls(C, N, loss, *, title, token="token"):
    """IsoFLOP profiles: the loss against N for each budget, its parabola, and the minima with the line through them.

    C in FLOPs, N and loss (rows,), of two to six budgets.  Returns the Figure.  ValueError as isoflop.profile.
    """
    C, N, loss = runs.columns(C=C, N=N, loss=loss)
    places, profiles = isoflop.profiles(C, N, loss)
    if not 2 <= len(places) <= len(LOOKS):
        raise ValueError(f"lawplot: from 2 to {len(LOOKS)} budgets can be told apart, not {len(places)}.")
    which = isoflop.budgets(C)
    with style():
        figure, (left, right) = canvas(1, 2, height=4.2)
        for i, (colour, _, marker) in enumerate(LOOKS[: len(places)]):
            mine, bowl = which == i, profiles[i]
            along = np.geomspace(N[mine].min(), N[mine].max(), 60)
            parabola = bowl.loss + bowl.curvature / 2 * np.log(along / bowl.N) ** 2
            left.plot(along, parabola, color=colour, label="_parabola")
            dots = {"color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.6, "zorder": 3}
            left.scatter(N[mine], loss[mine], s=26, label=f"{number(places[i], 2)} FLOPs", **dots)
            left.scatter([bowl.N], [bowl.loss], s=130, marker="*", color=colour, edgecolor="black", zorder=4, label="_")
            right.scatter([places[i]], [bowl.N], s=60, label=f"minimum, {number(places[i], 2)} FLOPs", **dots)
        line = isoflop.fit_minima(places, [bowl.N for bowl in profiles])
        label = f"N* ~ C^{line.exponent:.3f}"
        right.plot(places, line.N(places), color=GREY, label=label, zorder=1)
        left.set(title=title, xscale="log", xlabel="N, parameters", ylabel=f"loss (nats per {token})")
        right.set(xscale="log", yscale="log", xlabel="C, FLOPs", ylabel="N* (parameters)", title=label)
        left.legend(fontsize=8)
    return figure


def _short(number):
    """131072 is 131k, 2e9 is 2G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"
