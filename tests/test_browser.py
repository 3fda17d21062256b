"""The panels work where readers use them: in JupyterLab, in a browser, by keyboard and by mouse."""

import itertools
import re
import time
from pathlib import Path

import lab
import nbformat
import psutil
import pytest
import timetable
from lab_server import Failure, course, wait_for
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parent.parent
PANEL = re.compile(r"^[^#\n]*\bwidgets\.\w|^from minillm\.panels import", re.MULTILINE)  # a cell that shows a panel
ALONE = re.compile(r"from minillm\.panels import (\w+)\n\n\1\.show\(\)")  # a whole cell: it needs none of the others
LONG = 45  # seconds
SLIDER, CHOICE = ".noUi-target", ".widget-toggle-buttons"
FRAME = """cell => {
    const outputs = cell.querySelector(".jp-OutputArea").cloneNode(true);
    outputs.querySelectorAll(".widget-inline-hbox, .widget-toggle-buttons").forEach(control => control.remove());
    return {pictures: [...outputs.querySelectorAll("img")].map(picture => picture.src),
            text: outputs.textContent.replace(/\\s+/g, " ").trim()};
}"""

pytestmark = pytest.mark.browser
in_a_browser = pytest.mark.skipif(bool(lab.lacking()), reason=lab.lacking())


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
        return now[1] == "idle" and time.monotonic() - since > 0.5

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
    """Move each slider and each row of buttons of the panel in this cell; a new frame may take `patience` seconds."""
    cell = notebook.cell(place)
    wait_for(
        cell.locator(f"{SLIDER}, {CHOICE}").count, f"slider or row of buttons in cell {place}", patience, notebook.pause
    )
    for i, slider in enumerate(cell.locator(SLIDER).all(), 1):
        drive_slider(notebook, cell, slider, f"slider {i}", patience)
    for i, choice in enumerate(cell.locator(CHOICE).all(), 1):
        drive_choice(notebook, cell, choice, f"choice {i}", patience)


def drive_slider(notebook, cell, slider, name, patience):
    """By keyboard there and back, and by mouse."""
    start, handle, mouse = frame(notebook, cell), slider.locator(".noUi-handle").first, notebook.page.mouse
    low, high, now = (float(handle.get_attribute(f"aria-value{which}")) for which in ("min", "max", "now"))
    there, back = ("ArrowRight", "ArrowLeft") if now < high else ("ArrowLeft", "ArrowRight")
    handle.focus()
    notebook.page.keyboard.press(there)
    step = moved(notebook, cell, start, f"{name}, {there}", patience)
    notebook.page.keyboard.press(back)
    again = moved(notebook, cell, step, f"{name}, {back}", patience)
    assert again == start, f"{name}: there and back is another picture"
    slider.scroll_into_view_if_needed()
    bar, grip = slider.bounding_box(), handle.bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    end = 0.9 if now < (low + high) / 2 else 0.1
    mouse.move(x, y)
    mouse.down()
    mouse.move(bar["x"] + end * bar["width"], y, steps=8)
    mouse.up()
    moved(notebook, cell, start, f"{name}, dragged", patience)


def drive_choice(notebook, cell, choice, name, patience):
    """To the next button by keyboard, and back by mouse."""
    start, buttons = frame(notebook, cell), choice.locator(".widget-toggle-button")
    active = ["mod-active" in button.get_attribute("class") for button in buttons.all()].index(True)
    buttons.nth((active + 1) % buttons.count()).focus()
    notebook.page.keyboard.press("Space")
    other = moved(notebook, cell, start, f"{name}, Space", patience)
    buttons.nth(active).click()
    again = moved(notebook, cell, other, f"{name}, clicked", patience)
    assert again == start, f"{name}: there and back is another picture"


def run(notebook, path):
    """Run All; of a notebook that takes long, the panels alone, if they need no other cell: nbval runs those too."""
    panels = [cell for cell in notebook.state()["code"] if PANEL.search(cell["source"])]
    _, seconds = timetable.minutes(path)
    if seconds > LONG and all(ALONE.fullmatch(cell["source"]) for cell in panels):
        for cell in panels:
            notebook.run(cell["place"])
    else:
        notebook.run_all()


@pytest.mark.slow
@in_a_browser
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in with_panels(ROOT / "notebooks")])
def test_every_panel_follows_its_sliders_and_no_cell_fails_and_nothing_leaves_the_machine(path, tmp_path):
    with lab.opened(path, tmp_path, stored=False) as notebook:
        run(notebook, path)
        for cell in notebook.state()["code"]:
            if PANEL.search(cell["source"]):
                drive(notebook, cell["place"])
        notebook.check_cells()
        assert notebook.outside == [], "these requests were meant for another machine"
        assert notebook.page_errors == []


# The instruments themselves: each of them notices what it is there for

TOOLS = """
%matplotlib inline
import ipywidgets
from IPython.display import HTML, display
from matplotlib.figure import Figure

def panel(control, *draws):
    output = ipywidgets.Output()
    def draw(change=None):
        with output:
            output.clear_output(wait=True)
            for draw in draws:
                draw(control.value)
    control.observe(draw, names="value")
    draw()
    display(control, output)

def picture(height):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar(["a"], [height])
    display(figure)

slider = lambda value: ipywidgets.IntSlider(value, min=0, max=4)
choice = lambda: ipywidgets.ToggleButtons(options=[1, 2])
drawn = []
"""
CELLS = [
    TOOLS,
    "panel(slider(4), picture, print)",
    "panel(choice(), picture, print)",
    "panel(slider(1), lambda x: picture(1), print)",
    "panel(slider(1), picture, lambda x: print('same'))",
    "panel(slider(1), lambda x: picture(10 * x + len(drawn)), print, drawn.append)",
    "panel(choice(), picture, lambda x: print('same'))",
    "panel(slider(1), lambda x: x == 1 and picture(x), print)",
    "print('no control')",
    "display(HTML('<img src=\"https://example.com/picture.png\"><script>setTimeout(() => planted())</script>'))",
    "# a comment\n",
    "1 / 0",
    "print('never reached')",
]
PLANTED = {
    3: "slider 1, ArrowRight: .* no new picture with a new text",  # the picture stays
    4: "slider 1, ArrowRight: .*'same'.* no new picture with a new text",  # the text stays
    5: "slider 1: there and back is another picture",
    6: "choice 1, Space: .*'same'.* no new picture with a new text",
    7: "slider 1, ArrowRight: .* no new picture with a new text",  # the picture goes away
    8: "no slider or row of buttons in cell 8",
}


def write(path, cells):
    """A notebook with these cells, for the kernel python3: without one, JupyterLab would ask for it."""
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def check_shots(notebook, folder):
    """Each window is as large as said and shows something new, and none begins below the end of the one before."""
    folder.mkdir()
    (folder / "planted-99.png").touch()  # of an earlier, longer notebook
    paths = notebook.shots(folder, "planted")
    assert sorted(folder.iterdir()) == paths and len(paths) > 2
    box = notebook.page.locator(lab.BOX)
    place, step = box.bounding_box(), box.evaluate("box => box.clientHeight") - lab.OVERLAP
    top, columns = int(place["y"]) + 10, slice(int(place["x"]), int(place["x"]) + 600)  # below the tool bar's shadow
    windows = [imread(path) for path in paths]
    for window, after in itertools.pairwise(windows):
        assert window.shape[:2] == (800, 1280) and (window != after).any()
    for window, after in itertools.pairwise(windows[:-1]):  # the last one goes only as far as the page does
        again = slice(top, top + lab.OVERLAP - 20)
        assert (window[step:][again, columns] == after[again, columns]).all()
    last = notebook.page.locator(".jp-Notebook-cell").last.bounding_box()
    assert last["y"] + last["height"] <= place["y"] + place["height"]


def alive(process):
    """Is it still running, and not only waiting for its parent to ask how it ended?"""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@in_a_browser
def test_the_instruments_notice_what_they_are_there_for_and_leave_nothing_behind(tmp_path):
    path, work = write(tmp_path / "planted.ipynb", CELLS), tmp_path / "lab"
    before = path.read_bytes()
    others = set(psutil.Process().children(recursive=True))  # of earlier tests, such as Python's resource tracker
    with pytest.raises(Failure, match="planted, too") as failed, lab.opened(path, work, stored=False) as notebook:
        assert all(cell["count"] is None for cell in notebook.state()["code"])
        with pytest.raises(Failure, match="A cell failed with ZeroDivisionError"):
            notebook.run_all()
        drive(notebook, 1)
        drive(notebook, 2)
        for place, said in PLANTED.items():
            with pytest.raises(AssertionError, match=said):
                drive(notebook, place, patience=30 if "back" in said else 2)
        assert set(notebook.outside) == {"https://example.com/picture.png"}
        assert notebook.page_errors and all("planted" in error for error in notebook.page_errors)
        check_shots(notebook, tmp_path / "shots")
        family = set(psutil.Process().children(recursive=True)) - others
        assert {"jupyterlab", "ipykernel_launcher"} <= {word for process in family for word in process.cmdline()}
        raise Failure("planted, too")
    psutil.wait_procs(family, timeout=30)  # on a busy machine the last of them needs a moment to be gone
    assert [process for process in family if alive(process)] == []
    assert path.read_bytes() == before
    notes = "".join(failed.value.__notes__)
    assert str(work / "failure.png") in notes and (work / "failure.png").stat().st_size > 10_000
    assert str(work / "server.log") in notes and "Shutting down 1 kernel" in notes


def test_the_notebooks_with_panels_are_found(tmp_path):
    sources = {
        "bare": "from minillm import widgets\n\nwidgets.panel(draw, a=(0, 4))",
        "panel": "from minillm.panels import spread\n\nspread.show()",
        "import": "from minillm import widgets",
        "other": "import ipywidgets\nipywidgets.IntSlider()",
        "comment": "# widgets.panel(draw)\n# from minillm.panels import spread",
    }
    for name, source in sources.items():
        write(tmp_path / f"{name}.ipynb", ["1", source])
    assert with_panels(tmp_path) == [tmp_path / "bare.ipynb", tmp_path / "panel.ipynb"]


def test_pictures_of_what_is_no_notebook_are_a_sentence(tmp_path):
    path = tmp_path / "a.ipynb"
    assert "No such file" in lab.main(["shots", str(path), str(tmp_path)])
    path.write_text("not JSON", encoding="utf-8")
    assert lab.main(["shots", str(path), str(tmp_path)]).startswith(f"{path} is not a notebook")


def test_what_a_browser_needs_and_is_not_here_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.ipynb", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(course, "chromium", lambda: "/usr/bin/chromium")
    assert "Playwright is not installed" in lab.main(["shots", str(path), str(tmp_path)])
    monkeypatch.setattr(course, "chromium", lambda: None)
    assert "there is no Chromium" in lab.main(["shots", str(path), str(tmp_path)])
