"""The panels work where readers use them: in JupyterLab, in a browser, by keyboard and by mouse."""

import importlib.util
import re
import time
from pathlib import Path

import lab
import nbformat
import psutil
import pytest
from lab_server import Failure, wait_for

import course

ROOT = Path(__file__).resolve().parent.parent
PANEL = re.compile(r"^[^#\n]*\bwidgets\.\w", re.MULTILINE)  # a cell that shows a panel
FRAME = """cell => {
    const outputs = cell.querySelector(".jp-OutputArea").cloneNode(true);
    outputs.querySelectorAll(".jupyter-widgets.widget-inline-hbox").forEach(control => control.remove());
    return {pictures: [...outputs.querySelectorAll("img")].map(picture => picture.src),
            text: outputs.textContent.replace(/\\s+/g, " ").trim()};
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not course.chromium(), reason="no Chromium or Chrome on PATH, or none where CHROMIUM says"),
    pytest.mark.skipif(not importlib.util.find_spec("playwright"), reason="Playwright is not installed"),
]


def with_panels(folder):
    """The notebooks in which a panel is shown."""

    def code(path):
        return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    return [path for path in sorted(folder.glob("*.ipynb")) if any(map(PANEL.search, code(path)))]


def frame(notebook, cell):
    """What the panel in this cell shows, apart from its controls, once it stands still: its pictures and its text."""
    seen, since = None, 0

    def settled():
        nonlocal seen, since
        now = cell.evaluate(FRAME), notebook.state()["kernel"]
        if now != seen:
            seen, since = now, time.monotonic()
        return now[1] == "idle" and time.monotonic() - since > 0.7

    wait_for(settled, "picture that stands still", 60, notebook.pause)
    return seen[0]


def moved(notebook, cell, before, how, patience):
    """The new frame of a panel whose control was moved so.  Failure if the picture or the text is the old one."""

    def changed():
        now = frame(notebook, cell)  # not what flashes up while the kernel is at work
        return now if now["pictures"] and all(now[part] != before[part] for part in now) else None

    try:
        return wait_for(changed, "new picture with a new text", patience, notebook.pause)
    except Failure as error:
        raise Failure(f"{how}: the panel shows {cell.evaluate(FRAME)['text']!r}. {error}") from None


def drive(notebook, place, patience=30):
    """Move each slider of the panel in this cell, by keyboard there and back, and by mouse; each may take so long."""
    cell, page = notebook.cell(place), notebook.page
    sliders = cell.locator(".noUi-target")
    sliders.first.wait_for(timeout=60_000)
    for i in range(sliders.count()):
        start, slider = frame(notebook, cell), sliders.nth(i)
        handle = slider.locator(".noUi-handle").first
        low, high, now = (float(handle.get_attribute(f"aria-value{name}")) for name in ("min", "max", "now"))
        there, back = ("ArrowRight", "ArrowLeft") if now < high else ("ArrowLeft", "ArrowRight")
        handle.focus()
        page.keyboard.press(there)
        step = moved(notebook, cell, start, f"slider {i + 1}, {there}", patience)
        page.keyboard.press(back)
        again = moved(notebook, cell, step, f"slider {i + 1}, {back}", patience)
        assert again == start, "there and back is another picture"
        slider.scroll_into_view_if_needed()
        bar, grip = slider.bounding_box(), handle.bounding_box()
        x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
        end = 0.9 if now < (low + high) / 2 else 0.1
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(bar["x"] + end * bar["width"], y, steps=8)
        page.mouse.up()
        moved(notebook, cell, start, f"slider {i + 1}, dragged", patience)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in with_panels(ROOT / "notebooks")])
def test_every_panel_follows_its_sliders_and_no_cell_fails_and_nothing_leaves_the_machine(path, tmp_path):
    with lab.opened(path, tmp_path, stored=False) as notebook:
        notebook.run_all()
        for cell in notebook.state()["code"]:
            if PANEL.search(cell["source"]):
                drive(notebook, cell["place"])
        notebook.check_cells()
        assert notebook.outside == [], "these requests were meant for another machine"
        assert notebook.page_errors == []


# The instruments themselves: each of them notices what it is there for

LIVE = """
%matplotlib inline
import ipywidgets
from IPython.display import HTML, display
from matplotlib.figure import Figure

def panel(draws, first=1):
    slider, output = ipywidgets.IntSlider(first, min=0, max=4), ipywidgets.Output()
    def draw(change=None):
        with output:
            output.clear_output(wait=True)
            draws(slider.value)
    slider.observe(draw, names="value")
    draw()
    display(slider, output)

def picture(height):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar(["a"], [height])
    display(figure)
"""
CELLS = [
    LIVE,
    "panel(lambda x: (picture(x), print('height', x)), first=4)",
    "panel(lambda x: (picture(1), print('height', x)))  # the picture stays",
    "panel(lambda x: (picture(x), print('height')))  # the text stays",
    "drawn = []\npanel(lambda x: (picture(10 * x + len(drawn)), print(drawn), drawn.append(0)))  # never the same",
    "display(HTML('<img src=\"https://example.com/picture.png\"><script>setTimeout(() => planted())</script>'))",
    "# a comment\n",
    "1 / 0",
    "print('never reached')",
]


def write(path, cells):
    """A notebook with these cells, for the kernel python3: without one, JupyterLab would ask for it."""
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_instruments_notice_what_they_are_there_for_and_leave_nothing_behind(tmp_path):
    path, work = write(tmp_path / "planted.ipynb", CELLS), tmp_path / "lab"
    before = path.read_bytes()
    with pytest.raises(Failure, match="planted, too") as failed, lab.opened(path, work, stored=False) as notebook:
        with pytest.raises(Failure, match="A cell failed with ZeroDivisionError"):
            notebook.run_all()
        drive(notebook, 1)
        with pytest.raises(Failure, match="slider 1, ArrowRight: .*height 2.* no new picture with a new text"):
            drive(notebook, 2, patience=3)
        with pytest.raises(Failure, match="slider 1, ArrowRight: .*height.* no new picture with a new text"):
            drive(notebook, 3, patience=3)
        with pytest.raises(AssertionError, match="there and back is another picture"):
            drive(notebook, 4)
        assert set(notebook.outside) == {"https://example.com/picture.png"}
        assert notebook.page_errors and all("planted" in error for error in notebook.page_errors)
        family = psutil.Process().children(recursive=True)
        assert {"jupyterlab", "ipykernel_launcher"} <= {word for process in family for word in process.cmdline()}
        raise Failure("planted, too")
    assert not any(alive(process) for process in family)
    assert path.read_bytes() == before
    notes = "".join(failed.value.__notes__)
    assert str(work / "failure.png") in notes and (work / "failure.png").stat().st_size > 10_000
    assert str(work / "server.log") in notes and "Shutting down 1 kernel" in notes
