"""The ladder of n-grams as a flight of stairs: one step for each order, and below it the floor, where that is known."""

import numpy as np

from . import ngram
from .canvas import BLUE, GREY, ORANGE, canvas, style
from .describe import number


def staircase(ladders, *, title="", y_label="loss (nats per letter)"):
    """One flight of stairs beside the other, on one scale.

    ladders {name: (losses, floor)}, at most three: losses (n,) of order 0 (uniform), 1 (unigram) and so on, in nats;
    floor is the lowest loss that any model can reach, or None where nobody knows it.  Returns the Figure.  ValueError
    if there are none or too many, or if a loss is no number.
    """
    if not 1 <= len(ladders) <= 3:
        raise ValueError(f"staircase: from 1 to 3 ladders fit side by side, not {len(ladders)}.")
    flights = {name: (np.asarray(losses, float), floor) for name, (losses, floor) in ladders.items()}
    for name, (losses, _) in flights.items():
        if losses.ndim != 1 or not len(losses) or not np.isfinite(losses).all():
            raise ValueError(f"staircase: the losses of {name!r} must be (n,) numbers, one for each order.")
    with style():
        figure, axes = canvas(1, len(flights), height=4.4)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        top = 1.12 * max(losses.max() for losses, _ in flights.values())
        for ax, (name, (losses, floor)) in zip(np.ravel(axes), flights.items(), strict=True):
            edges = np.arange(len(losses) + 1) - 0.5
            ax.stairs(losses, edges, fill=True, facecolor="#DCEBF5", label="_below")
            ax.stairs(losses, edges, color=BLUE, linewidth=1.8, baseline=None, label="loss")
            digits = 2 if floor is None else 3  # close to the floor, each counts
            for order, loss in enumerate(losses):
                ax.text(order, loss + 0.012 * top, f"{loss:.{digits}f}", ha="center", va="bottom", fontsize=8.5)
            if floor is None:
                ax.text(edges[0] + 0.15, 0.04 * top, "the floor: unknown", fontsize=9, color=GREY)
            else:
                ax.axhspan(0, floor, facecolor="#F4F4F4", edgecolor="#C8C8C8", hatch="////", linewidth=0, zorder=2)
                ax.axhline(floor, color=ORANGE, linewidth=1.8, zorder=3, label="floor (level)")
                box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
                words = f"the floor, {number(floor, 4)}"
                ax.text(edges[0] + 0.15, 0.9 * floor, words, va="top", fontsize=9, color="#A34700", bbox=box, zorder=4)
            names = [ngram.name_of(order) for order in range(len(losses))]
            ax.set_xticks(range(len(losses)), names, rotation=40, ha="right", rotation_mode="anchor")
            ax.tick_params(axis="x", length=0)
            ax.set(title=name, ylim=(0, top), xlim=(edges[0], edges[-1]), xlabel="model", ylabel=y_label)
    return figure
