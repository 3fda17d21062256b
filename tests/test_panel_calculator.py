"""panels/calculator.py: the panel's sums are those of counts.py, and every slider changes the picture and the text."""

import pytest

from minillm.counts import count_bytes, count_parameters, flops_per_token
from minillm.describe import describe
from minillm.panels import calculator

FIRST = {"layers": 12, "width": 768, "vocabulary": 50257, "context": 1024}
OTHERS = {"layers": 13, "width": 832, "vocabulary": 16384, "context": 512}
ENDS = [
    {"layers": 1, "width": 64, "vocabulary": 78, "context": 64},
    {"layers": 96, "width": 4096, "vocabulary": 128000, "context": 8192},
    {"layers": 1, "width": 64, "vocabulary": 128000, "context": 8192},
]


def test_it_begins_with_gpt2_small():
    figure, text = calculator.draw(**FIRST)
    assert "124,439,808 parameters" in text and "heads: 12" in text
    assert "Parameters. Millions" in describe(figure)


@pytest.mark.parametrize("values", [FIRST, *ENDS])
def test_the_parts_are_all_of_what_is_counted(values):
    config = calculator.model(**values)
    parameters, flops, held = calculator.costs(config)
    total = flops_per_token(config)["total"]
    assert sum(parameters.values()) == count_parameters(config)["total"]
    assert sum(flops.values()) == total["forward"] + total["backward"]
    assert held == count_bytes(config)
    assert [*parameters] == ["tables", "projections", "ffn", "norms"]


@pytest.mark.parametrize("slider", FIRST)
def test_every_slider_changes_the_picture_and_the_text(slider):
    figure, text = calculator.draw(**FIRST)
    other, words = calculator.draw(**FIRST | {slider: OTHERS[slider]})
    assert text != words and describe(figure) != describe(other)


@pytest.mark.parametrize("values", ENDS)
def test_at_every_end_of_the_sliders_there_is_a_picture_and_no_number_is_huge(values):
    figure, text = calculator.draw(**values)
    for ax in figure.axes:
        heights = [bar.get_height() for bar in ax.patches]
        assert 1 <= max(heights) < 1000 and min(heights) >= 0
    assert len(text.splitlines()) == 3 and "e+" not in text


def test_the_sliders_begin_and_end_where_they_should(monkeypatch):
    asked = {}
    monkeypatch.setattr(calculator.widgets, "panel", lambda draw, **controls: asked.update(controls, draw=draw))
    calculator.show()
    draw = asked.pop("draw")
    assert {name: control.value for name, control in asked.items()} == FIRST | {
        "vocabulary": "50,257",
        "context": "1,024",
    }
    assert draw(**{name: control.value for name, control in asked.items()})[1] == calculator.draw(**FIRST)[1]
    last = {name: getattr(control, "max", None) or control.options[-1] for name, control in asked.items()}
    assert draw(**last)[1] == calculator.draw(**ENDS[1])[1]
    assert asked["width"].step == calculator.HEAD  # so that the heads share it evenly
