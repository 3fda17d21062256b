"""The dashboard of a training run: four figures in one, to be read beside those of a healthy run."""

import numpy as np

from . import plots

PLACES = [[x, y, 0.26, 0.315] for y in (0.57, 0.085) for x in (0.09, 0.59)]  # names stand at the right of each


def dashboard(run, beside=None, *, title, limit=None):
    """Losses, the length of the gradient, how far each step moves the weights, and the mean gain; returns the Figure.

    run is a dict of columns, all as long as run["step"]: "train" and "validation" (losses in nats per token; validation
    may be NaN where it was not measured), "norm" and "norm after" (the gradient's length before and after clipping),
    "moved" (the length of the change of the weights, over their length), "gains" (the mean of all gains).  beside is
    another such run with the same steps, drawn in grey.  limit, if given, is where the loss axis ends.
    """
    step = np.asarray(run["step"], float)
    panels = (
        ("Loss", "nats per token", {"train": "training", "validation": "validation"}, False),
        ("Gradient, before and after clipping", "length", {"norm": "before", "norm after": "after"}, False),
        ("How far a step moves the weights", "share of their length", {"moved": "this run"}, True),
        ("Mean gain of the norms", "gain", {"gains": "this run"}, False),
    )
    with plots.style():
        figure, axes = plots.canvas(2, 2, height=6.2, places=PLACES)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        for ax, (name, label, columns, log) in zip(axes.flat, panels, strict=True):
            ys = {}
            if beside is not None:
                ys = {f"healthy, {said}": filled(step, beside[column]) for column, said in columns.items()}
                if len(columns) == 1:
                    ys = {"healthy": filled(step, beside[next(iter(columns))])}
            grey = tuple(ys)
            ys |= {said: filled(step, run[column]) for column, said in columns.items()}
            look = {"x_label": "step", "y_label": label, "log_y": log, "beside": grey}
            plots.curves(step, ys, title=name, ax=ax, **look)
            if name == "Loss" and limit is not None:
                ax.set_ylim(0, limit)
    return figure


def filled(step, column):
    """A column with straight lines across what was not measured."""
    column = np.asarray(column, float)
    known = np.isfinite(column)
    return np.interp(step, step[known], column[known], left=np.nan, right=np.nan) if known.any() else column
