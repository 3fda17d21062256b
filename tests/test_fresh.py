"""What CI executes once a week is notebook 18 with another seed, and nothing else of it is changed."""

import fresh
import pytest
from execute_notebooks import ROOT


def test_two_places_are_changed_and_no_more():
    source = (ROOT / "notebooks" / fresh.NAME).read_text(encoding="utf-8")
    changed = fresh.fresh(source, 2951)
    lines = [(a, b) for a, b in zip(source.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert [(a.strip(' ",\\n'), b.strip(' ",\\n')) for a, b in lines] == [
        ("FRESH = False", "FRESH = True"),
        ("SEED = 3 if FRESH else 0", "SEED = 2951 if FRESH else 0"),
    ]


def test_a_notebook_that_says_something_else_is_refused():
    with pytest.raises(ValueError, match="should say 'FRESH = False' once"):
        fresh.fresh("FRESH = True; SEED = 3 if FRESH else 0", 1)
