"""timetable.py: the minutes in the README and in notebook 00 are those that the notebooks say themselves."""

import json

import pytest
import timetable

NOTEBOOKS = sorted((timetable.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def book(seconds, words):
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", f"Running it took {seconds} seconds when it was last executed."]},
        {"cell_type": "code", "source": ["these words are not read"]},
        {"cell_type": "markdown", "source": ["word " * words]},
    ]
    return json.dumps({"cells": cells})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "01_a.ipynb").write_text(book(41, 290), encoding="utf-8")
    (tmp_path / "02_b.ipynb").write_text(book(1, 1), encoding="utf-8")
    return tmp_path


def test_a_row_gets_its_minutes_and_all_else_stays(folder):
    table = (
        "Words.\n\n| notebook | has | read | run |\n| --- | --- | --- | --- |\n"
        "| [01 · a](notebooks/01_a.ipynb) | a thing | ? | ? |\n| [02 · b](02_b.ipynb) | [x](y) | 9 min | 9 s |\nEnd.\n"
    )
    full = timetable.filled(table, folder)
    assert "| [01 · a](notebooks/01_a.ipynb) | a thing | 3 min | 41 s |\n" in full
    assert "| [02 · b](02_b.ipynb) | [x](y) | 1 min | 1 s |\n" in full
    assert full.startswith("Words.\n\n| notebook | has | read | run |\n| --- |") and full.endswith("End.\n")
    assert timetable.filled(full, folder) == full


@pytest.mark.parametrize("path", timetable.PLACES, ids=lambda path: path.name)
def test_the_tables_say_what_the_notebooks_say(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    assert timetable.filled(text) == text
    assert [found[2] for found in timetable.ROW.finditer(text)] == [p.name for p in NOTEBOOKS if p.name[:2] != "00"]


def test_writing_a_second_time_changes_nothing(tmp_path):
    for place in timetable.PLACES:
        (tmp_path / place.name).write_bytes(place.read_bytes())
    places = [tmp_path / place.name for place in timetable.PLACES]
    timetable.write(places)
    assert [path.read_bytes() for path in places] == [place.read_bytes() for place in timetable.PLACES]
