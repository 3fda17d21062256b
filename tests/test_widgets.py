"""widgets.py: a panel shows what its plain function computes, in a kernel as JupyterLab drives it."""

import execute_notebooks
import nbformat
import pytest
from jupyter_client.manager import KernelManager

from minillm import widgets


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


DRAW = r"""
from minillm import plots, widgets
def draw(a, kind):
    if a == 3:
        raise ZeroDivisionError("three is too many")
    title = r"$\frac{$" if a == 1 else "Two"  # what is no formula fails as late as when it is rendered
    return plots.curves([0, 1], {kind: [a, a]}, title=title, x_label="x", y_label="y"), f"a is {a}"
"""
PANEL = DRAW + "widgets.panel(draw, a=(0, 4, 1), kind=['solid', 'liquid'])"


def words(a, kind):
    """What the words of the picture are, by our own count."""
    return f"Two. Y against x.\n  {kind}: {a} at 0, {a} at 1; lowest {a} at 0, highest {a} at 0, mean {a} (2 points)."


def test_a_panel_shows_its_controls_a_picture_and_a_sentence(kernel):
    knobs, picture, text = outputs(kernel.run(PANEL))
    assert "application/vnd.jupyter.widget-view+json" in knobs["data"]
    assert knobs["data"]["text/plain"] == "Run this cell in JupyterLab to move: a 2, kind solid."
    assert picture["data"]["text/plain"] == picture["metadata"]["image/png"]["alt"] == words(2, "solid")
    assert picture["data"]["image/png"].startswith("iVBOR")
    assert text["data"] == {"text/plain": "a is 2"}


def test_a_long_sentence_is_said_on_several_lines(kernel):
    code = "widgets.panel(lambda a: (draw(a, 'solid')[0], 'all the same ' * 40), a=(0, 4, 1))"
    _, _, text = outputs(kernel.run(DRAW + code))
    lines = text["data"]["text/plain"].splitlines()
    assert " ".join(lines).split() == ["all", "the", "same"] * 40 and 80 < max(map(len, lines)) <= 96


def test_moving_a_control_changes_the_one_picture_and_its_sentence(kernel):
    made = kernel.run(PANEL)
    _, picture, text = outputs(made)
    (a, _), (kind, _) = controls(made)["a"], controls(made)["kind"]
    for control, state, now in ((a, {"value": 4}, (4, "solid")), (kind, {"index": 1}, (4, "liquid"))):
        moved = kernel.move(control, **state)
        assert outputs(moved) == []  # nothing new below
        new_picture, new_text = outputs(moved, "update_display_data")
        assert (place(new_picture), place(new_text)) == (place(picture), place(text))
        assert new_picture["data"]["text/plain"] == words(*now)
        assert new_text["data"] == {"text/plain": "a is 4"}


def test_an_error_while_drawing_is_said_in_the_frame_and_the_next_value_draws_again(kernel):
    made = kernel.run(PANEL)
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
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in ("1 + 1", PANEL)])
    path = tmp_path / "panel.ipynb"
    nbformat.write(notebook, path)
    assert execute_notebooks.execute(path) and not execute_notebooks.execute(path)
    stored = nbformat.read(path, as_version=4).cells[1].outputs
    assert [sorted(output.data) for output in stored] == [["text/plain"], ["image/png", "text/plain"], ["text/plain"]]
    assert stored[1].data["text/plain"] == words(2, "solid")
    assert stored[2].data["text/plain"] == "a is 2"
