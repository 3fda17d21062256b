"""widgets.py: what a panel shows is what its plain functions compute, in a kernel as JupyterLab drives it."""

import re

import execute_notebooks
import nbformat
import numpy as np
import pytest
from jupyter_client.manager import KernelManager

from minillm import layers, plots, widgets
from minillm.check import check_gradients, using


def spreads(wiring, scale, **sizes):
    return widgets.spread_through_layers(wiring, scale, **sizes)


@pytest.mark.parametrize("wiring", widgets.WIRINGS)
def test_the_gradient_of_a_layer_is_right(wiring, rng):
    w = rng.normal(size=(8, 8))
    check_gradients(lambda x: widgets._layer(x, w, wiring), rng.normal(size=(3, 8)))


def test_plain_layers_multiply_the_spread_by_the_scale_each_time():
    one, three = spreads("plain", 1), spreads("plain", 3)
    k = np.arange(25.0)
    np.testing.assert_allclose(three[0], one[0] * 3**k, rtol=1e-10)
    np.testing.assert_allclose(three[1], one[1] * 3 ** k[::-1], rtol=1e-10)


@pytest.mark.parametrize(
    "wiring, expected",
    [
        ("plain", lambda scale, k: scale**k),
        ("residual", lambda scale, k: (1 + scale**2) ** (k / 2)),  # the variance of a sum of two unrelated parts
        ("pre-norm", lambda scale, k: np.sqrt(1 + scale**2 * k)),  # each layer adds the same
        ("post-norm", lambda scale, k: np.ones_like(k)),
    ],
)
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_a_wide_stack_spreads_as_variances_add(wiring, expected, scale):
    up, _ = spreads(wiring, scale, n_layer=6, C=400, T=40)
    np.testing.assert_allclose(up, expected(scale, np.arange(7.0)), rtol=0.06)


def test_a_layer_of_any_width_keeps_the_spread_at_scale_1():
    for C in (8, 32):
        stacks = [spreads("plain", 1, n_layer=1, C=C, seed=seed)[0] for seed in range(300)]
        assert np.mean([(up[1] / up[0]) ** 2 for up in stacks]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("wiring", widgets.WIRINGS)
@pytest.mark.parametrize("scale", [0.25, 1, 4])
def test_at_every_end_of_the_slider_the_numbers_are_within_the_axes(wiring, scale):
    for curve in spreads(wiring, scale):
        assert curve.shape == (25,) and (curve > 1e-16).all() and (curve < 1e16).all()


def test_every_stack_gets_the_same_input_below_and_the_same_gradient_above():
    stacks = [spreads(wiring, scale) for wiring in widgets.WIRINGS for scale in (0.25, 4)]
    assert len({up[0] for up, _ in stacks}) == len({down[-1] for _, down in stacks}) == 1
    assert abs(stacks[0][0][0] - 1) < 0.05 and abs(stacks[0][1][-1] - 1) < 0.05


def test_the_spread_is_over_the_channels_of_each_position():
    assert widgets.spread(np.array([[1.0, 3.0], [10.0, 14.0]])) == 1.5


def test_another_seed_draws_other_weights():
    assert spreads("plain", 1, seed=1)[0][-1] != spreads("plain", 1)[0][-1]


def test_an_unknown_wiring_gets_a_sentence():
    with pytest.raises(ValueError, match="must be one of plain, residual, pre-norm, post-norm, not 'norm'"):
        spreads("norm", 1)


def test_the_panel_runs_on_a_learners_own_layer_norm():
    calls = []
    with using(layers, layer_norm=lambda *arrays: calls.append(1) or (arrays[0], lambda dy: (dy, None, None))):
        up, _ = spreads("pre-norm", 1)
    assert len(calls) == 24 and up[-1] > 1000  # a norm that does nothing leaves a residual stack


def shown(figure, side):
    return {line.get_label(): line for line in figure.axes[side].lines if not line.get_label().startswith("_")}


def test_the_figure_shows_both_ways_and_the_plain_stack_beside():
    figure, text = widgets.draw_spread("pre-norm", 2.0)
    for side, order in ((0, 1), (1, -1)):
        curves, k = shown(figure, side), np.arange(25)
        assert list(curves) == ["plain", "pre-norm"] and curves["plain"].get_color() == "#666666"
        for name, line in curves.items():
            np.testing.assert_array_equal(line.get_data(), [k[::order], spreads(name, 2.0)[side][::order]])
    assert list(shown(widgets.draw_spread("plain", 2.0)[0], 0)) == ["plain"]


def test_nothing_but_the_curves_moves():
    looks = set()
    for wiring in widgets.WIRINGS:
        for scale in (0.25, 4):
            figure, _ = widgets.draw_spread(wiring, scale)
            plots.png(figure)
            looks.add(str([(ax.get_position().bounds, ax.get_xlim(), ax.get_ylim()) for ax in figure.axes]))
            boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text() != "float16"]
            assert max(box.x1 for box in boxes) < figure.axes[1].yaxis.get_tightbbox().x0
            assert max(text.get_window_extent().x1 for text in figure.axes[1].texts) <= 792
    assert len(looks) == 1


def test_the_sentence_has_the_ratios_from_end_to_end():
    up, down = spreads("residual", 4)
    _, text = widgets.draw_spread("residual", 4)
    said = [float(number) for number in re.findall(r"is (\S+) times", text)]
    np.testing.assert_allclose(said, [up[-1] / up[0], down[0] / down[-1]], rtol=0.005)
    assert said[0] > 1e14


class Kernel:
    """A live kernel, and the messages it sends."""

    def __init__(self):
        self.manager = KernelManager(kernel_name="python3", kernel_spec_manager=execute_notebooks.ThisPython())
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        features = self.client.kernel_info(reply=True, timeout=60)["content"].get("supported_features", [])
        self.subshell = self.new_subshell() if "kernel subshells" in features else None

    def new_subshell(self):
        """Where JupyterLab sends the messages of widgets: a thread of its own, if the kernel has them."""
        message = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(message)
        return self.client.get_control_msg(timeout=60)["content"]["subshell_id"]

    def answers(self, request):
        """All that the kernel publishes about this request."""
        found = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                found.append(message)
                if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    return found

    def run(self, code):
        found = self.answers(self.client.execute(code))
        assert not [message for message in found if message["msg_type"] == "error"], found
        return found

    def move(self, widget, **state):
        """What the page sends when a reader moves a control."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": widget, "data": data})
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)
        return self.answers(message["header"]["msg_id"])

    def end(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.end()


def outputs(messages, kind="display_data"):
    return [message["content"] for message in messages if message["msg_type"] == kind]


def controls(messages):
    """{name: (comm id, kind)} of the controls that a cell has made."""
    states = {}
    for message in messages:
        if message["msg_type"] in ("comm_open", "comm_msg"):
            states.setdefault(message["content"]["comm_id"], {}).update(message["content"]["data"]["state"])
    named = {comm: state for comm, state in states.items() if state.get("description")}
    return {state["description"]: (comm, state["_model_name"]) for comm, state in named.items()}


def place(output):
    return output["transient"]["display_id"]


def test_a_panel_shows_its_controls_a_picture_and_a_sentence(kernel):
    knobs, picture, text = outputs(kernel.run("from minillm import widgets\nwidgets.spread_panel()"))
    assert "application/vnd.jupyter.widget-view+json" in knobs["data"]
    assert knobs["data"]["text/plain"] == "Run this cell in JupyterLab to move: scale 1, wiring plain."
    figure, sentence = widgets.draw_spread("plain", 1.0)
    assert picture["data"]["text/plain"] == picture["metadata"]["image/png"]["alt"] == plots.describe(figure)
    assert picture["data"]["image/png"].startswith("iVBOR")
    assert text["data"]["text/plain"].split() == sentence.split()
    assert all(len(line) <= 96 for line in text["data"]["text/plain"].splitlines())


def test_moving_a_control_changes_the_one_picture_and_its_sentence(kernel):
    made = kernel.run("widgets.spread_panel()")
    _, picture, text = outputs(made)
    (scale, _), (wiring, _) = controls(made)["scale"], controls(made)["wiring"]
    for control, state, now in ((scale, {"value": 2.0}, ("plain", 2.0)), (wiring, {"index": 2}, ("pre-norm", 2.0))):
        moved = kernel.move(control, **state)
        assert outputs(moved) == []  # nothing new below
        new_picture, new_text = outputs(moved, "update_display_data")
        assert (place(new_picture), place(new_text)) == (place(picture), place(text))
        figure, sentence = widgets.draw_spread(*now)
        assert new_picture["data"]["text/plain"] == plots.describe(figure)
        assert new_text["data"]["text/plain"].split() == sentence.split()


DRAW = r"""
from minillm import plots, widgets
def draw(a, kind):
    if a == 3:
        raise ZeroDivisionError("three is too many")
    title = r"$\frac{$" if a == 1 else "Two"  # what is no formula fails as late as when it is rendered
    return plots.curves([0, 1], {kind: [a, a]}, title=title, x_label="x", y_label="y"), f"a is {a}"
"""


def test_an_error_while_drawing_is_said_in_the_frame_and_the_next_value_draws_again(kernel):
    made = kernel.run(DRAW + "widgets.panel(draw, a=(0, 4, 1), kind=['solid', 'liquid'])")
    a, _ = controls(made)["a"]
    frame, text = outputs(kernel.move(a, value=3), "update_display_data")
    assert frame["data"] == {"text/plain": "This cannot be drawn: ZeroDivisionError: three is too many"}
    assert text["data"] == {"text/plain": ""}
    frame, text = outputs(kernel.move(a, value=4), "update_display_data")
    assert "solid: 4 at 0" in frame["data"]["text/plain"] and text["data"] == {"text/plain": "a is 4"}


def test_an_error_in_the_first_frame_fails_the_cell_before_anything_is_shown(kernel):
    found = kernel.answers(kernel.client.execute(DRAW + "widgets.panel(draw, a=(3, 3, 1), kind=['solid'])"))
    assert [message["content"]["evalue"] for message in found if message["msg_type"] == "error"] == [
        "three is too many"
    ]
    assert outputs(found) == []


def test_an_error_while_the_picture_is_rendered_is_said_too(kernel):
    made = kernel.run(DRAW + "widgets.panel(draw, a=(0, 4, 1), kind=['solid'])")
    frame, _ = outputs(kernel.move(controls(made)["a"][0], value=1), "update_display_data")
    assert list(frame["data"]) == ["text/plain"] and "This cannot be drawn: ValueError" in frame["data"]["text/plain"]


def test_each_choice_is_a_button_and_other_controls_may_be_given_whole(kernel):
    code = "import ipywidgets\nwidgets.panel(draw, a=ipywidgets.IntText(2, description='how many'), kind=['x', 'y'])"
    made = kernel.run(DRAW + code)
    kinds = {name: kind for name, (_, kind) in controls(made).items()}
    assert kinds == {"how many": "IntTextModel", "kind": "ToggleButtonsModel"}


def test_what_is_no_control_gets_a_sentence():
    with pytest.raises(ValueError, match="panel: a must be a widget, a range or a list, not None"):
        widgets.panel(lambda a: None, a=None)


def test_a_stored_notebook_keeps_the_first_frame_and_a_second_run_changes_nothing(tmp_path):
    cells = ["from minillm import widgets", "widgets.spread_panel()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = tmp_path / "panel.ipynb"
    nbformat.write(notebook, path)
    assert execute_notebooks.execute(path) and not execute_notebooks.execute(path)
    stored = nbformat.read(path, as_version=4).cells[1].outputs
    figure, sentence = widgets.draw_spread("plain", 1.0)
    assert [sorted(output.data) for output in stored] == [["text/plain"], ["image/png", "text/plain"], ["text/plain"]]
    assert stored[1].data["text/plain"] == plots.describe(figure)
    assert stored[2].data["text/plain"].split() == sentence.split()
