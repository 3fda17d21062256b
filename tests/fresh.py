"""Notebook 18 with FRESH = True: a ladder that nobody has trained, a prediction, and then the larger model.

python tests/fresh.py [seed]      (without one: the number of this week since 1970)

Two to five minutes on two cores.  What its cells print is printed; 1 if one of them fails.
CI does it once a week, so that the notebook is known to work for a reader who does not take our runs.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from execute_notebooks import ROOT, execute

NAME = "18_call_your_shot.ipynb"


def fresh(source, seed):
    """The source of the notebook's cells with other runs.  ValueError if it does not say FRESH = False once."""
    for said, instead in {"FRESH = False": "FRESH = True", "SEED = 3 if": f"SEED = {seed} if"}.items():
        if source.count(said) != 1:
            raise ValueError(f"{NAME} should say {said!r} once.")
        source = source.replace(said, instead)
    return source


def main(words):
    seed = int(words[0]) if words else int(time.time()) // (7 * 86400)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / NAME
        copy.write_text(fresh((ROOT / "notebooks" / NAME).read_text(encoding="utf-8"), seed), encoding="utf-8")
        try:
            execute(copy)
        except ValueError as error:
            print(error)
            return 1
        for cell in nbformat.read(copy, 4).cells:
            for output in cell.get("outputs", []):
                print(output.get("text", ""), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
