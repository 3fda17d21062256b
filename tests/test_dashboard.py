"""The dashboard draws the columns of a run where a reader looks for them."""

import numpy as np

from minillm.dashboard import dashboard, filled

STEPS = [10, 20, 30, 40]


def run(factor=1.0):
    nan = float("nan")
    columns = {"train": [4, 3, 2, 1], "validation": [nan, 3, nan, 2], "norm": [2, 1, 1, 1], "norm after": [1, 1, 1, 1]}
    columns |= {"moved": [0.1, 0.2, 0.1, 0.05], "gains": [1, 1.1, 1.2, 1.3]}
    return {"step": STEPS} | {name: [factor * value for value in column] for name, column in columns.items()}


def lines(figure):
    """{(title of the axes, name of the curve): y}"""
    return {(ax.get_title("left"), line.get_label()): line.get_ydata() for ax in figure.axes for line in ax.lines}


def test_each_column_stands_in_its_figure():
    found = lines(dashboard(run(), title="Mine"))
    assert list(found["Loss", "training"]) == [4, 3, 2, 1]
    assert list(found["Gradient, before and after clipping", "before"]) == [2, 1, 1, 1]
    assert list(found["How far a step moves the weights", "this run"]) == [0.1, 0.2, 0.1, 0.05]
    assert list(found["Mean gain of the norms", "this run"]) == [1, 1.1, 1.2, 1.3]


def test_the_run_beside_it_is_drawn_too():
    found = lines(dashboard(run(), run(2.0), title="Mine"))
    assert list(found["Loss", "healthy, training"]) == [8, 6, 4, 2]
    assert list(found["Mean gain of the norms", "healthy"]) == [2, 2.2, 2.4, 2.6]


def test_what_was_not_measured_lies_on_a_straight_line_and_nothing_is_made_up_outside():
    y = filled(np.array(STEPS, float), run()["validation"])
    assert np.isnan(y[0]) and list(y[1:]) == [3, 2.5, 2]


def test_the_loss_axis_ends_where_it_is_told_to():
    figure = dashboard(run(), title="Mine", limit=5)
    assert figure.axes[0].get_ylim() == (0, 5)
