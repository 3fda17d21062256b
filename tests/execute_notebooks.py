"""Execute notebooks in place, as nbval will see them, so that a second run changes nothing.

python course.py notebooks [--fresh] [notebook ...]     (all of notebooks/ and exercises/ if none is named)

Stored: what a reader sees and nbval compares.  Not stored: times, the state of widgets, paths of this machine.
What differs from run to run (a match of nbval_sanitize.cfg, a cell tagged nbval-ignore-output, a figure under such a
cell) is kept from the last run as long as no code of the notebook has changed; --fresh renews it.  So is the sentence
"Running it took 42 seconds" in the first cell, whose number is measured here and goes into the tables of timetable.py.
A notebook with a cell that fails is left as it was.
"""

import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path

import ipykernel.kernelspec
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from timetable import TOOK
from timetable import write as write_timetables

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
VIEW = "application/vnd.jupyter.widget-view+json"  # holds a random id


class ThisPython(KernelSpecManager):
    """Knows one kernel: the Python that runs this file, whatever else is installed for the user."""

    def get_kernel_spec(self, kernel_name):
        return self.kernel_spec_class(
            resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict()
        )


class Client(NotebookClient):
    """Takes in what nbval takes in: no messages of widgets, no clearing, no updates of what is displayed.

    Nor a history: so a semicolon at the end of a cell hides nothing, here as there.
    """

    async def async_execute_cell(self, cell, cell_index, execution_count=None, store_history=False):
        return await super().async_execute_cell(cell, cell_index, execution_count, store_history=False)

    def handle_comm_msg(self, outs, msg, cell_index):
        pass

    def clear_output(self, outs, msg, cell_index):
        pass

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data":
            return None
        return super().process_message(msg, cell, cell_index)


def read(path):
    """The notebook, every cell with an id that stays the same.  ValueError if it is no notebook."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        cells = raw["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a notebook of format 4: {error!r}.") from None
    raw["nbformat"], raw["nbformat_minor"] = 4, 5
    taken = {cell.get("id") for cell in cells}
    for place, cell in enumerate(cells):
        if not cell.get("id"):
            words = f"{path.name} {place} {''.join(cell['source'])}"
            cell["id"] = hashlib.sha256(words.encode()).hexdigest()[:8]
            assert cell["id"] not in taken, f"{path}: two cells would have the id {cell['id']}."
            taken.add(cell["id"])
    return nbformat.from_dict(nbformat.v4.reads(json.dumps(raw)))


def fingerprint(notebook):
    """A hash of all the code in the notebook."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def patterns():
    """(regex, replacement) pairs, read as nbval reads them."""
    return re.findall(r"^regex: (.*)$\n^replace: (.*)$", SANITIZE.read_text(encoding="ascii"), re.MULTILINE)


def sanitized(value, rules):
    """The same outputs with all that may differ replaced."""
    if isinstance(value, str):
        for regex, replacement in rules:
            value = re.sub(regex, replacement, value)
        return value
    if isinstance(value, list):
        return [sanitized(item, rules) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "image/png" else sanitized(item, rules) for key, item in value.items()}
    return value


def without_paths(value):
    """The same outputs, with no path of this machine in them."""
    if isinstance(value, str):
        value = re.sub(r"""[^\s"'(]*ipykernel_\d+[/\\]\d+\.py""", "<cell>", value)
        value = re.sub(r"""[^\s"'(]*[/\\](?:site-packages|lib[/\\]python3\.\d+)[/\\]""", "", value)
        return value.replace(f"{ROOT}{os.sep}", "").replace(str(ROOT), ".")
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "image/png" else without_paths(item) for key, item in value.items() if key != VIEW}
    return value


def tidy(notebook, before, *, seconds, fresh=False):
    """Drop what belongs to this run only, and keep the old output of a cell where the new one says the same."""
    same_code = notebook.metadata.get("minillm", {}).get("code") == fingerprint(notebook)
    rules, place = patterns(), 0
    if fresh or not same_code:
        notebook.cells[0].source = re.sub(TOOK, str(max(1, round(seconds))), notebook.cells[0].source)
    for cell, old in zip(notebook.cells, before.cells, strict=True):
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        place += 1
        cell.execution_count = place
        cell.outputs = [nbformat.from_dict(without_paths(output)) for output in cell.outputs]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = place
        random = NOT_COMPARED & set(cell.metadata.get("tags", []))
        if (
            same_code
            and not fresh
            and old.outputs
            and (random or sanitized(cell.outputs, rules) == sanitized(old.outputs, rules))
        ):
            cell.outputs = old.outputs
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "minillm": {"code": fingerprint(notebook)},
        }
    )


def execute(path, *, fresh=False):
    """Execute one notebook and write it back; True if that changed it.  ValueError if a cell fails or is too slow."""
    path = Path(path).resolve()
    notebook, before = read(path), read(path)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    client = Client(
        notebook,
        km=manager,
        timeout=600,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ValueError(f"{path.name} was left as it was, since a cell did not end well.\n{error}") from None
    tidy(notebook, before, seconds=time.perf_counter() - start, fresh=fresh)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    if text.encode() == path.read_bytes():
        return False
    draft = path.with_suffix(".ipynb.part")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)
    return True


def main(words):
    fresh = "--fresh" in words
    named = [Path(word) for word in words if word != "--fresh"]
    paths = named or sorted(path for folder in ("notebooks", "exercises") for path in (ROOT / folder).glob("*.ipynb"))
    failed = 0
    for path in paths:
        start = time.perf_counter()
        try:
            news = "written" if execute(path, fresh=fresh) else "unchanged"
        except (ValueError, OSError) as error:
            failed, news = 1, f"FAILED\n{error}"
        print(f"{path.name}: {time.perf_counter() - start:.1f} seconds, {news}", flush=True)
    write_timetables()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
