"""A panel: the quick ladder's runs, and the law that one gets out of them, by what one does with floor, sizes and runs.

from minillm.panels import fitlab
fitlab.show()
"""

import functools

import numpy as np

from .. import plan, runs, scaling, widgets
from ..canvas import GREY, ORANGE, canvas, style
from ..plots import LOOKS

FLOORS, COUNTS = ("known", "free", "left out"), ("blocks alone", "all weights")
CHOICES = ("all", "without the fewest tokens", "two small sizes", "one seed")
STARTS, AXES = ("many", "one"), ("logarithmic", "linear")
TIMES = 1000  # how far beyond the largest run the picture goes, in N and D


@functools.cache
def ladder():
    """The runs of the spectral language in the quick ladder that is stored, and their floor."""
    found = runs.read(plan.SHELF / "quick.jsonl")
    other = [row["language"]["kind"] != "spectral" for row in found.rows]
    found = found.without(other, "another language")
    return found, found.rows[0]["floor"]


def chosen(which):
    """Which runs are fitted, (rows,) of bool."""
    found, _ = ladder()
    seeds = np.array([row["seed"] for row in found.rows])
    keep = {
        "all": np.ones(len(found), bool),
        "without the fewest tokens": found.D > found.D.min(),
        "two small sizes": found.N < found.N.max(),
        "one seed": seeds == 0,
    }
    return keep[which]


@functools.cache
def fitted(floor, counted, which, starts):
    """(N, D, loss) of the runs that are fitted, the Law, its largest residual in per cent, and its flags."""
    found, truth = ladder()
    keep = chosen(which)
    N = np.array([row["N" if counted == COUNTS[0] else "N_all"] for row in found.rows], float)[keep]
    D, loss = found.D[keep], found.loss[keep]
    E = {"known": truth, "free": None, "left out": 0.0}[floor]
    if starts == "many":
        fit = scaling.fit(N, D, loss, floor=E, second=False)
        law, flags = fit.law, fit.flags
    else:
        law, flags = from_one_start(N, D, loss, E), ()
    worst = float(100 * abs(np.log(loss / law.loss(N, D))).max())
    return (N, D, loss), law, worst, flags


def from_one_start(N, D, loss, floor):
    """The Law where an optimizer stops that is left at its usual settings, with the mean of Huber's losses."""
    from scipy.optimize import minimize

    from .. import surface

    def law(theta):
        E = np.exp(theta[4]) if floor is None else floor
        return scaling.Law(float(E), float(np.exp(theta[0])), float(np.exp(theta[1])), float(theta[2]), float(theta[3]))

    def mean(theta):
        with np.errstate(all="ignore"):
            value = surface.total(np.log(loss) - np.log(law(theta).loss(N, D)), "huber", 1e-3) / len(loss)
        return value if np.isfinite(value) else 1e3

    start = [5.0, 5.0, 0.5, 0.5] + [0.0] * (floor is None)
    return law(minimize(mean, start, method="L-BFGS-B").x)


def draw(floor, starts, N, runs, axes):
    """The figure of the panel, and what it shows in words."""
    (sizes, tokens, loss), law, worst, flags = fitted(floor, N, runs, starts)
    _, truth = ladder()
    with style():
        figure, ax = canvas(height=4.0, places=[[0.1, 0.14, 0.86, 0.76]])
        times = np.geomspace(1, TIMES, 40)
        for size, (colour, dashes, marker) in zip(np.unique(sizes), LOOKS, strict=False):
            mine = sizes == size
            along = np.geomspace(tokens.min(), tokens.max(), 20)
            ax.plot(along * size, law.loss(size, along), color=colour, linestyle=dashes, label=f"law, N = {size:,.0f}")
            dots = {"color": colour, "marker": marker, "s": 26, "edgecolor": "white", "linewidth": 0.5, "zorder": 3}
            ax.scatter(tokens[mine] * size, loss[mine], label=f"runs, N = {size:,.0f}", **dots)
        beyond = law.loss(sizes.max() * times, tokens.max() * times)
        ax.plot(
            sizes.max() * tokens.max() * times**2, beyond, color=GREY, linewidth=2.2, label="the law beyond the runs"
        )
        ax.axhline(truth, color=ORANGE, linestyle=(0, (4, 3)), linewidth=1.5, label="the true floor (level)")
        scale = "log" if axes == AXES[0] else "linear"
        low, high = min(truth, beyond.min()) - 0.1, loss.max() + 0.05
        ax.set(xscale="log", yscale=scale, ylim=(max(low, 0.3), high), xlabel="N · D", ylabel="loss (nats per token)")
        ax.set_title("The law, and where it goes: N and D grow together to the right")
        ticks = [t for t in (0.5, 0.75, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0) if max(low, 0.3) <= t <= high]
        ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
        ax.yaxis.minorticks_off()
        ax.legend(ax.lines, [line.get_label() for line in ax.lines], loc="upper right", fontsize=8)
    words = f"L = {law.E:.2f} + {law.A:.3g} / N^{law.alpha:.2f} + {law.B:.3g} / D^{law.beta:.2f}. "
    words += f"The largest residual is {worst:.2f} %, on a {axes} axis. "
    under = f"Far out it promises {beyond[-1]:.2f}, and no model comes below {truth:.2f}."
    return figure, words + under + "".join(f"\n{flag}." for flag in flags)


def show():
    """The panel, with the floor left free at first."""
    import ipywidgets

    choice = lambda options, value: ipywidgets.ToggleButtons(
        options=options, value=value, style={"button_width": "auto"}
    )
    widgets.panel(
        draw,
        floor=choice(FLOORS, "left out"),
        starts=choice(STARTS, "many"),
        N=choice(COUNTS, COUNTS[0]),
        runs=choice(CHOICES, "all"),
        axes=choice(AXES, "linear"),
    )
