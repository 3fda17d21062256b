"""What figures are drawn on: one style, whatever Matplotlib's settings are, and words beside each picture."""

import base64
import contextlib
import functools
import io
import threading

from .describe import describe

# Okabe and Ito's colours, which colour-blind readers can tell apart (jfly.uni-koeln.de/color); each curve also differs
# in form, for print in grey.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#666666"
STYLE = {
    "figure.facecolor": "white",
    "figure.figsize": (7.2, 4.2),  # inches: the width of a page of print, and of a notebook
    "figure.dpi": 110,
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib, so a figure is the same on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fancybox": False,
}
_TURN = threading.RLock()


@contextlib.contextmanager
def style():
    """A context in which Matplotlib draws in the style of the course; earlier settings neither count nor change.

    Matplotlib has one set of settings for all threads, and a panel draws in a thread of its own, so they take turns.
    """
    import matplotlib.style

    with _TURN, matplotlib.style.context(["default", STYLE]):
        yield


def canvas(n_rows=1, n_columns=1, *, height=4.2, places=None):
    """A Figure in the style of the course, `height` inches high, and its axes.

    A Matplotlib Figure made without pyplot, which a notebook shows as a picture with describe() beside it.  Room is
    made for all names and numbers; with places, one [left, bottom, width, height] for each axes in parts of the figure,
    they stay where they are, and the figure is drawn once instead of twice: that is for panels.
    """
    with style():
        figure = _figure()(figsize=(STYLE["figure.figsize"][0], height), layout=None if places else "constrained")
        axes = figure.subplots(n_rows, n_columns)
        for ax, place in zip(figure.axes, places, strict=True) if places else ():
            ax.set_position(place)
        return figure, axes


@functools.cache
def _figure():
    """The class of our figures, made when the first is drawn, so that Matplotlib is not loaded before."""
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A Figure that is saved in the style of the course, and tells a notebook what it shows."""

        def savefig(self, *arguments, **options):
            with style():  # ticks are made as late as this
                super().savefig(*arguments, **options)

        def _repr_mimebundle_(self, include=None, exclude=None):
            words = describe(self)
            data = {"image/png": base64.b64encode(png(self)).decode("ascii"), "text/plain": words}
            width, height = (round(inches * self.dpi) for inches in self.get_size_inches())
            return data, {"image/png": {"alt": words, "width": width, "height": height}}

    return Picture


def png(figure):
    """The figure as the bytes of a PNG file; its description is stored inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Description": describe(figure), "Software": None})
    return buffer.getvalue()
