"""The table of minutes in the README and in notebook 00: what each notebook takes to read and to run.

A row of the table begins with a link to a notebook, and its last two columns are written here: by the command that
executes the notebooks, and never by hand.  What is read is counted at WORDS words a minute, slow enough to guess and to
look; what is run was measured when the notebook was last executed, and stands in its first cell.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = [ROOT / "README.md", ROOT / "notebooks" / "00_start_here.ipynb"]
TOOK = r"(?<=Running it took )\d+(?= seconds?\b)"
WORDS = 100
ROW = re.compile(r"^(\| \[[^\]|]*\]\((?:notebooks/)?(\d\d_\w+\.ipynb)\) \|.*\|)[^|\n]*\|[^|\n]*\|$", re.MULTILINE)


def minutes(path):
    """(minutes to read, seconds to run) of a notebook, whole numbers."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    return max(1, round(words / WORDS)), int(re.search(TOOK, "".join(cells[0]["source"]))[0])


def filled(text, folder=ROOT / "notebooks"):
    """The text, in which each row of a table that links to a notebook says how long that takes."""

    def row(found):
        read, run = minutes(folder / found[2])
        return f"{found[1]} {read} min | {run} s |"

    return ROW.sub(row, text)


def write(places=PLACES):
    """Fill in the tables where they stand; what says the same already is left alone."""
    for path in places:
        old = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            book = json.loads(old)
            for cell in book["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = filled("".join(cell["source"])).splitlines(keepends=True)
            new = json.dumps(book, indent=1, ensure_ascii=False) + "\n"
        else:
            new = filled(old)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")
