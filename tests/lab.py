"""JupyterLab in headless Chromium, 1280 x 800: notebooks as a reader meets them, for tests and for looking at them.

python tests/lab.py shots NOTEBOOK FOLDER [--run]

    NOTEBOOK from its top to its end, one window after the other, as FOLDER/NAME-01.png, FOLDER/NAME-02.png, ...
    Each window begins a little above the end of the one before.  What is shown is what the file holds;
    with --run all cells are run first, and if one fails, that is said, and the pictures show it.

The notebook is copied, so the file itself is never saved over.  Needed are Chromium (or Chrome) and Playwright:
`python course.py test` puts Playwright into .venv where it finds a Chromium.
"""

import argparse
import contextlib
import importlib.util
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import nbformat
from execute_notebooks import read
from lab_server import Failure, course, server, wait_for

WINDOW = {"width": 1280, "height": 800}
OVERLAP = 60  # of the end of a window, shown again at the top of the next
BOX = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"  # what scrolls
STATE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget, cells = panel?.content?.widgets;
    if (!cells || !panel.context?.isReady) return null;
    const kernel = panel.sessionContext.session?.kernel, code = [];
    cells.forEach((cell, place) => {
        cell.node.dataset.place = place;
        if (cell.model.type !== "code") return;
        const outputs = cell.model.outputs.toJSON();
        const error = outputs.find(output => output.output_type === "error");
        code.push({place, source: cell.model.sharedModel.getSource(), count: cell.model.executionCount,
                   error: error ? `${error.ename}: ${error.evalue}` : null});
    });
    return {code, kernel: kernel?.connectionStatus === "connected" ? kernel.status : "not connected",
            dialog: document.querySelector(".jp-Dialog")?.innerText ?? null};
}"""
RUN = """place => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = place;
    return window.jupyterapp.commands.execute("notebook:run-cell");
}"""
STILL = """box => {
    const pictures = [...box.querySelectorAll("img")], there = pictures.every(picture => picture.complete);
    return [there, box.scrollHeight, box.scrollTop, pictures.length, box.querySelectorAll("mjx-container").length];
}"""


class Notebook:
    """One notebook, open in JupyterLab on a page of Chromium.

    page is Playwright's; outside lists the requests that were meant for another machine, page_errors what went
    wrong in the page's own program.
    """

    def __init__(self, page, address):
        self.page, self.outside, self.page_errors = page, [], []
        self.here = (f"{address}/", f"{address.replace('http:', 'ws:', 1)}/", "data:", "blob:")
        page.on("request", lambda request: self.note(request.url))
        page.on("websocket", lambda channel: self.note(channel.url))
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))

    def note(self, url):
        if not url.startswith(self.here):
            self.outside.append(url)

    def pause(self, seconds):
        self.page.wait_for_timeout(1000 * seconds)  # the page's events are taken in meanwhile

    def state(self):
        """What JupyterLab knows: the code cells, the kernel's state.  None until the notebook is open."""
        state = self.page.evaluate(STATE)
        if state and state["dialog"]:
            raise Failure(f"JupyterLab asks the reader: {state['dialog']!r}")
        return state

    def idle(self, seconds=120):
        """Wait until the notebook is open and its kernel attached and idle."""
        # The tool bar says "idle" before there is a kernel, and Run All then asks which one to take.
        wait_for(lambda: (self.state() or {}).get("kernel") == "idle", "kernel that is idle", seconds, self.pause)

    def run_all(self, seconds=300):
        """Run All Cells from the menu, and wait for the end.  Failure if a cell fails, or if that takes longer."""
        self.page.get_by_role("menuitem", name="Run", exact=True).first.click()
        self.page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()

        def done():
            self.check_cells()
            return all(cell["count"] for cell in self.state()["code"] if cell["source"].strip())

        wait_for(done, "end of Run All Cells", seconds, self.pause)
        self.idle()
        self.check_cells()

    def run(self, place, seconds=120):
        """Run the cell at this place alone, and wait for its end.  Failure if it fails."""
        self.page.evaluate(RUN, place)
        done = lambda: next(cell for cell in self.state()["code"] if cell["place"] == place)["count"]
        wait_for(done, f"end of cell {place}", seconds, self.pause)
        self.idle()
        self.check_cells()

    def check_cells(self):
        """Failure if a cell holds an error."""
        for cell in self.state()["code"]:
            if cell["error"]:
                raise Failure(f"A cell failed with {cell['error']}\n{cell['source']}")

    def cell(self, place):
        """The cell at this place of the notebook, from 0."""
        return self.page.locator(f".jp-Notebook-cell[data-place='{place}']")

    def still(self, seconds=60):
        """Wait until nothing has moved for half a second: pictures are there, equations are set."""
        box, end = self.page.locator(BOX), time.monotonic() + seconds
        seen, since = None, time.monotonic()
        while time.monotonic() < end:
            now = box.evaluate(STILL)
            if now != seen:
                seen, since = now, time.monotonic()
            elif now[0] and time.monotonic() - since > 0.5:
                return
            self.pause(0.1)
        raise Failure(f"The page had not come to rest after {seconds} seconds.")

    def shots(self, folder, name):
        """Pictures of the whole notebook, window after window: their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-[0-9][0-9].png"):
            old.unlink()
        box = self.page.locator(BOX)
        paths, top, ended = [], 0, False
        while not ended:
            box.evaluate("(box, top) => box.scrollTo({top, behavior: 'instant'})", top)
            self.still()
            paths.append(folder / f"{name}-{len(paths) + 1:02}.png")
            self.page.screenshot(path=paths[-1], animations="disabled")
            reached, height, total = box.evaluate("box => [box.scrollTop, box.clientHeight, box.scrollHeight]")
            ended, top = reached + height >= total - 1, reached + height - OVERLAP
        return paths


def lacking():
    """What is not here and is needed, as a few words with what to do; "" if all is."""
    if not course.chromium():
        return "there is no Chromium or Chrome on PATH, or none where CHROMIUM says (Debian: apt install chromium)"
    if not importlib.util.find_spec("playwright"):
        return "Playwright is not installed (python course.py test --all installs it into .venv)"
    return ""


@contextlib.contextmanager
def opened(path, work, *, stored=True):
    """A copy of this notebook, open in JupyterLab in Chromium, as a Notebook; without stored outputs if you like.

    All files go into the folder `work`.  If anything fails inside, a picture of the page and the server's log are
    left there, and the error says where.
    """
    from playwright.sync_api import sync_playwright

    root, picture, log = work / "course", work / "failure.png", work / "server.log"
    path = Path(path).resolve()
    place = f"{path.parent.name or 'notebooks'}/{path.name}"
    (root / place).parent.mkdir(parents=True)
    contents = read(path)
    for cell in contents.cells if not stored else []:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(contents, root / place)
    try:
        with server(root, work) as (address, token), sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=course.chromium(),
                args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],  # no other machine has a name
            )
            page = browser.new_page(viewport=WINDOW)
            notebook = Notebook(page, address)
            try:
                page.goto(f"{address}/lab/tree/{quote(place)}?token={token}", timeout=120_000)
                notebook.idle()
                yield notebook
            except BaseException:
                with contextlib.suppress(Exception):
                    page.screenshot(path=picture)
                raise
            finally:
                browser.close()
    except Exception as error:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:] if log.exists() else []
        error.add_note(f"The page as it was: {picture if picture.exists() else 'no picture could be taken'}")
        error.add_note("\n".join([f"The server's log, {log}, ends:", *lines]))
        raise


def main(words):
    parser = argparse.ArgumentParser(prog="python tests/lab.py", description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(required=True)
    job = jobs.add_parser("shots", help="pictures of a notebook in JupyterLab, window after window")
    job.add_argument("notebook", type=Path)
    job.add_argument("folder", type=Path, help="where the pictures are written")
    job.add_argument("--run", action="store_true", help="run all cells first")
    given = parser.parse_args(words)
    try:
        read(given.notebook)
    except (OSError, ValueError) as error:
        return str(error)
    if missing := lacking():
        return f"That needs a browser: {missing}."
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that JupyterLab is ended too
    work, failed = Path(tempfile.mkdtemp(prefix="minillm-lab-")), None
    with opened(given.notebook, work, stored=not given.run) as notebook:
        if given.run:
            try:
                notebook.run_all()
            except Failure as error:
                failed = error
        for path in notebook.shots(given.folder, given.notebook.stem):
            print(path)
    shutil.rmtree(work)
    return str(failed) if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
