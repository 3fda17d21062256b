"""The page for a colleague: it holds what it was given, and asks nobody for anything."""

import base64
import html.parser
import io
import re

import matplotlib.image
import pytest

from minillm import handout, plan, plots, registration
from minillm.canvas import png
from minillm.describe import describe

TOLD = registration.read(plan.SHELF / "registered" / "spectral-width-64-seed-0.json")
FIGURE = plots.curves([1, 2, 3], {"a <b>": [3.0, 2.0, 1.0]}, title="t", x_label="x", y_label="y")
PAGE = handout.page("A & B", ["# Heads", "Two < three.", FIGURE, TOLD, [["run", "loss"], ["<i>", 2.5]]])


class Reader(html.parser.HTMLParser):
    """Its tags with attributes, its text, and what is still open at the end."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open += [] if tag in ("meta", "img") else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_nothing_is_asked_for_from_outside():
    read = Reader(PAGE)
    for tag, attributes in read.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        for name in ("href", "src", "srcset", "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r'"data:[^"]*"', "", PAGE))
    assert read.open == []


def test_the_figure_is_inside_with_its_words():
    ((_, image),) = [each for each in Reader(PAGE).tags if each[0] == "img"]
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
    assert pixels.shape == matplotlib.image.imread(io.BytesIO(png(FIGURE))).shape and pixels[..., :3].std() > 0.05
    assert image["alt"] == describe(FIGURE)


def test_the_prediction_stands_there_with_its_whole_hash():
    text = Reader(PAGE).text
    assert TOLD["sha256"] in text and TOLD["registered"] in text and f"{TOLD['median']:.4f}" in text
    for low, high in TOLD["intervals"].values():
        assert f"{low:.4f} to {high:.4f}" in text
    assert "60 runs: not of this prediction's language and seed" in text


def test_text_is_text_and_not_tags():
    text = Reader(PAGE).text
    assert {"A & B", "Heads", "Two < three.", "<i>", "2.5"} <= set(text)
    assert [tag for tag, _ in Reader(PAGE).tags].count("h2") == 1 and "i" not in [tag for tag, _ in Reader(PAGE).tags]


def test_the_file_is_written_into_a_folder_that_is_made(tmp_path):
    path = handout.write(tmp_path / "new" / "page.html", "A & B", ["Größe α"])
    assert "Größe α" in path.read_bytes().decode("utf-8")
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]


def test_what_is_no_part_is_a_sentence():
    with pytest.raises(TypeError, match="not of int"):
        handout.page("t", [3])
