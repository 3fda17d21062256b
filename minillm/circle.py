"""The circle on which three normalised channels lie, and what of a gradient keeps to it: layer norm in a picture."""

import numpy as np

from .canvas import BLUE, GREY, ORANGE, SKY, canvas, style
from .describe import number, settled

PLANE = np.array([[0, 1, -1], [2, -1, -1]]) / np.sqrt([[2], [6]])  # seen from (1, 1, 1); channel 0 is up, 1 right
LOOKS = {
    "dxhat": {"color": ORANGE, "linewidth": 1.8},
    "radial": {"color": GREY, "linewidth": 1.8, "linestyle": (0, (3, 1.5))},
    "tangent": {"color": BLUE, "linewidth": 3.2},
}


def circle(xhat, dxhat):
    """What layer norm's backward pass keeps of a gradient, for three channels: the part along the circle of all xhat.

    xhat (3,) has mean 0 and variance 1, so it lies in the plane of all vectors with mean 0, on a circle of radius
    sqrt(3), and a small change of x moves it only along that circle.  The picture is that plane, seen from (1, 1, 1).
    dxhat (3,) is the sum of a part along (1, 1, 1), which stands out of the plane, a part along xhat, which leaves the
    circle, and the tangent, which is what is left.  Returns a Figure.  ValueError if xhat is not normalised.
    """
    xhat, dxhat = np.asarray(xhat, float), np.asarray(dxhat, float)
    if xhat.shape != (3,) or dxhat.shape != (3,):
        raise ValueError(f"circle: xhat and dxhat must be (3,), not {xhat.shape} and {dxhat.shape}.")
    if not np.isfinite(dxhat).all():
        raise ValueError(f"circle: dxhat must be three finite numbers, not {dxhat}.")
    if not (abs(xhat.mean()) < 1e-3 and abs(xhat.var() - 1) < 1e-3):
        raise ValueError(f"circle: xhat must have mean 0 and variance 1, not {xhat.mean():.3g} and {xhat.var():.3g}.")
    mean, along = dxhat.mean(), xhat @ dxhat / (xhat @ xhat)
    mean, along, *tangent = settled(np.array([mean, along, *(dxhat - mean - along * xhat)]))
    words = {
        "xhat": f"xhat, free to move along the circle:\n{_vector(xhat)}",
        "dxhat": f"dxhat, the part of it in this plane:\n{_vector(settled(dxhat - dxhat.mean()))}",
        "radial": f"radial, leaves the circle, does nothing:\n{number(along)} times xhat",
        "tangent": f"tangent, what is left of dxhat:\n{_vector(tangent)}",
        "out": f"out of this plane, does nothing:\n{number(mean)} times (1, 1, 1)",
    }
    point, radial, tangent = PLANE @ xhat, PLANE @ (along * xhat), PLANE @ tangent
    arrows = {"dxhat": radial + tangent, "radial": radial, "tangent": tangent}
    with style():
        figure, ax = canvas(places=[[0.01, 0.02, 0.55, 0.88]])
        figure.suptitle("What is left of a gradient: the part along the circle", x=0.01, ha="left", fontsize=11)
        ax.set_aspect("equal")
        ax.set_axis_off()
        _draw_circle(ax, point)
        _draw_arrows(ax, point, arrows, words)
        _name_arrows(ax, point, arrows)
    return figure


def _vector(numbers):
    return f"({', '.join(number(value) for value in numbers)})"


def _draw_circle(ax, point):
    """The circle about 0 that goes through the point, and the way that the point can move."""
    radius, angle = np.linalg.norm(point), np.arctan2(*point[::-1])
    line, band = {"color": GREY, "linewidth": 1}, {"color": SKY, "linewidth": 6, "alpha": 0.5}
    for turn, look in ((np.linspace(0, 2 * np.pi, 361), line), (angle + np.linspace(-0.4, 0.4, 41), band)):
        ax.plot(radius * np.cos(turn), radius * np.sin(turn), label="_circle", zorder=1, **look)
    ax.plot([0, point[0]], [0, point[1]], color=GREY, linewidth=0.6, label="_radius")


def _draw_arrows(ax, point, arrows, words):
    """The arrows that start at the point, and a key to all that is drawn, with its numbers."""
    said = {name: text.replace("\n", " ") for name, text in words.items()}
    key = {"xhat": ax.scatter(*point, s=36, color="black", zorder=3, label=said["xhat"])}
    for name, arrow in arrows.items():
        if np.any(arrow):
            head = {"arrowstyle": "-|>", "mutation_scale": min(14, 60 * np.linalg.norm(arrow))}
            look = head | {"shrinkA": 0, "shrinkB": 0} | LOOKS[name]
            ax.annotate("", point + arrow, point, arrowprops=look, label=said[name], zorder=4)
        if name != "dxhat":  # the other two sides of the rectangle whose diagonal is dxhat
            (x0, y0), (x1, y1) = point + arrow, point + arrows["dxhat"]
            ax.plot([x0, x1], [y0, y1], ":", color=GREY, linewidth=0.8, label="_side")
        key[name] = ax.plot([], [], label="_key", **LOOKS[name])[0]
    key["out"] = ax.scatter(0, 0, s=110, color="black", linewidth=0.1, marker=r"$\odot$", zorder=3, label=said["out"])
    beside = {"loc": "center left", "bbox_to_anchor": (0.555, 0.48), "bbox_transform": ax.figure.transFigure}
    ax.legend(key.values(), [words[name] for name in key], labelspacing=1.2, fontsize=9.5, **beside)


def _name_arrows(ax, point, arrows):
    """Names at the corners of the rectangle, each pushed out along its own diagonal, so that no two can meet."""
    radius = np.linalg.norm(point)
    outwards, along = point / radius, np.array([-point[1], point[0]]) / radius
    outwards *= 1 if arrows["radial"] @ outwards >= 0 else -1
    along *= 1 if arrows["tangent"] @ along >= 0 else -1
    ways = {"radial": outwards - along, "tangent": along - outwards, "dxhat": outwards + along}
    corners = {"xhat": (point, -outwards - along)}
    corners |= {name: (point + arrow, ways[name]) for name, arrow in arrows.items() if np.any(arrow)}
    look = {"textcoords": "offset points", "ha": "center", "va": "center", "zorder": 2}
    look["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    places, reaches = [(-radius, -radius), (radius, radius)], [[(4, 4), (4, 4)]] * 2
    for name, (corner, way) in corners.items():
        text, way = ax.annotate(name, corner, (0, 0), **look), way / np.sqrt(2)
        half = 36 * np.array(text.get_window_extent().size) / ax.figure.dpi  # 72 points an inch
        text.xyann = way * (16 + half @ np.abs(way))
        places.append(corner)
        reaches.append([half - text.xyann, half + text.xyann])
    _fit(ax, np.array(places), np.array(reaches))


def _fit(ax, places, reaches):
    """Set the limits so that all places (n, 2) are as far apart as they can be, and what stands there is in sight.

    reaches (n, 2, 2) are the points that it takes up before its place (left, below) and after it (right, above).
    """
    room = 72 * ax.figure.get_size_inches() * ax.get_position().size
    apart = places[None] - places[:, None]
    free = room - reaches[:, None, 0] - reaches[None, :, 1]
    unit = (free[apart > 1e-9] / apart[apart > 1e-9]).min()  # points for a step of 1
    middle = ((unit * places - reaches[:, 0]).min(0) + (unit * places + reaches[:, 1]).max(0)) / 2
    low, high = (middle - room / 2) / unit, (middle + room / 2) / unit
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
