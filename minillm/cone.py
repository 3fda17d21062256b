"""The cone and the star: what a law says about a larger run, and how that run came out."""

import numpy as np

from .canvas import BLUE, GREEN, GREY, ORANGE, canvas, style

STEPS = 25  # places between the largest fitted run and the one predicted


def path(made, N, D):
    """From the largest fitted run to one of N parameters and D tokens, in equal factors: (N, D), each (STEPS,)."""
    logs = made.fit.surface.logs
    largest = np.exp(logs[:, logs.sum(0).argmax()])
    return tuple(np.geomspace(start, end, STEPS) for start, end in zip(largest, (N, D), strict=True))


def cone(made, N, D, *, truth=None, title, token="token"):
    """The loss against compute, 6 N D: the runs of a Bootstrap, the law's frontier, and the way to a larger run.

    The frontier is the lowest loss that the law promises for each compute.  Along the path to (N, D) the 80 % and the
    95 % prediction interval open like a cone; truth, the loss that was measured there, is a star.  To the right the
    same, from near by.  A floor that was known is a line.  Returns the Figure.  ValueError if the run to come is no
    larger than those that were fitted.
    """
    logs, losses = made.fit.surface.logs, np.exp(made.fit.surface.y)
    C, law = 6 * np.exp(logs.sum(0)), made.fit.law
    if not 6 * N * D > C.max():
        raise ValueError(f"a cone opens towards a larger run, but 6 N D is {6 * N * D:.3g}, and was {C.max():.3g}.")
    sizes, tokens = path(made, N, D)
    along = 6 * sizes * tokens
    ends = np.quantile(made.new_runs(sizes, tokens), [0.025, 0.1, 0.5, 0.9, 0.975], axis=0)
    with style():
        figure, (left, right) = canvas(1, 2, height=3.9)
        for ax, hidden in ((left, "_"), (right, "")):
            for i, (alpha, level) in enumerate(((0.16, 95), (0.3, 80))):
                low, high = ends[i], ends[-1 - i]
                ax.fill_between(along, low, high, color=BLUE, alpha=alpha, linewidth=0, label=f"{level} % interval")
                for name, edge in () if hidden else (("low", low), ("high", high)):
                    ax.plot(along, edge, color=BLUE, linewidth=0.6, label=f"{level} % interval, {name} end")
            ax.plot(along, ends[2], color=BLUE, label=f"{hidden}median")
            wide = np.geomspace(C.min(), 1.6 * along[-1], 60)
            if min(law.alpha, law.beta) > 0:
                ax.plot(wide, law.allocation(wide)[2], color=GREEN, linestyle="--", label=f"{hidden}law's frontier")
            dots = {"color": GREY, "edgecolor": "white", "linewidth": 0.6, "zorder": 3}
            ax.scatter(C, losses, s=30, label="fitted runs" if hidden else "_runs", **dots)
            if made.fit.floor_fixed:
                ax.axhline(law.E, color="black", linewidth=1, linestyle=":", label=f"{hidden}floor (level)")
            if truth is not None:
                star = {"color": ORANGE, "edgecolor": "black", "linewidth": 0.7, "zorder": 5, "marker": "*"}
                ax.scatter([along[-1]], [truth], s=120 if hidden else 300, label=f"{hidden}the run itself", **star)
            ax.set(xscale="log", xlabel="6 N D (FLOPs)")
        shown = [*ends[:, 0], *ends[:, -1], *([] if truth is None else [truth])]
        room = 0.12 * (max(shown) - min(shown))
        right.set(
            xlim=(along[0] / 1.25, along[-1] * 1.25), ylim=(min(shown) - room, max(shown) + room), title="near by"
        )
        right.xaxis.set_minor_formatter("")
        left.set(title=title, ylabel=f"loss (nats per {token})")
        handles, names = left.get_legend_handles_labels()
        more = [each for each in zip(*right.get_legend_handles_labels(), strict=True) if " interval" not in each[1]]
        both = {name.removesuffix(" (level)"): handle for handle, name in [*zip(handles, names, strict=True), *more]}
        left.legend(both.values(), both, loc="upper right", fontsize=8)
    return figure
