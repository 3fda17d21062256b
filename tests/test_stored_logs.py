"""The stored logs are of the recipes beside them, and the README says what they say."""

import re

import numpy as np
import pytest
from test_project import ROOT

from minillm import recipe, runlog

LOGS = sorted((recipe.SHELF / "logs").glob("*.txt"))


def ladder(log):
    """What stands at the end of a log: {name: (nats per token, bits per byte)}."""
    rows = re.findall(r"^(?:-> )? *(\S+) +(\d\.\d{4}) +(\d\.\d{4})$", "\n".join(log.notes), re.MULTILINE)
    return {name: (nats, bits) for name, nats, bits in rows}


def test_both_runs_on_shakespeare_are_stored():
    assert {path.stem for path in LOGS} == {"shakespeare", "shakespeare-long"}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_stored_log_is_of_the_recipe_as_it_stands(path):
    log = runlog.read(path)
    assert recipe.differences(recipe.make(log.recipe).to_dict(), recipe.load(path.stem).to_dict()) == {}
    assert log["step"][-1] == log.recipe["steps"] and np.isfinite(log["loss"]).all()


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_the_readme_quotes_the_stored_log(path):
    log, readme = runlog.read(path), (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = {name: (nats, bits) for name, nats, bits in re.findall(r"\| (\S+) \| (\d\.\d+) \| (\d\.\d+) \|", readme)}
    said = ladder(log)
    assert path.stem in said and len(said) == 8
    for name, (nats, bits) in said.items():
        assert quoted[name] == (f"{float(nats):.2f}", f"{float(bits):.2f}"), name


def test_each_trained_model_is_better_than_counting():
    for path in LOGS:
        said = {name: float(nats) for name, (nats, _) in ladder(runlog.read(path)).items()}
        assert said.pop(path.stem) < min(said.values())


def test_the_sample_in_the_readme_is_what_a_model_wrote():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sample = re.search(r"```\n(.*?)\n```", readme, re.DOTALL)[1]
    written = "\n".join(runlog.read(recipe.SHELF / "logs" / "shakespeare-long.txt").notes)
    assert sample.startswith("ROMEO.") and len(sample) > 200 and sample in written
