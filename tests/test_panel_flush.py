"""The panel about gradients in 16 bits: its numbers, and that every control changes the picture and the text."""

import numpy as np
import pytest

from minillm import precision
from minillm.panels import flush
from minillm.plots import describe


def test_the_gradients_are_those_of_a_mean_over_a_large_batch():
    sizes = flush.gradients()
    assert len(sizes) == 50_000 and (sizes > 0).all() and sizes.dtype == np.float32
    assert np.median(sizes) < precision.FORMATS["fp16"].smallest / 2 and sizes.max() < 1


def test_shares_are_what_numpys_own_float16_makes_of_them():
    sizes = np.array([2.0**-26, 2.0**-25, 2.0**-24, 2.0**-20, 1.0, 65504.0, 65520.0, 1e6])
    zero, coarse, infinite = flush.shares("fp16", 1.0, sizes)
    with np.errstate(over="ignore"):
        theirs = sizes.astype(np.float16)
    assert (zero, infinite) == ((theirs == 0).mean(), np.isinf(theirs).mean()) == (2 / 8, 2 / 8)
    assert coarse == 2 / 8
    assert flush.shares("bf16", 1.0, sizes) == (0, 0, 0)


def test_a_scale_saves_what_would_become_zero_until_it_overflows():
    zeros, _, infinite = zip(
        *(flush.shares("fp16", 2.0**k, flush.gradients()) for k in (0, 8, 16, 24, 40)), strict=True
    )
    assert list(zeros) == sorted(zeros, reverse=True) and zeros[0] > 0.5 > 0.05 > zeros[3]
    assert infinite[0] == infinite[2] == 0 < infinite[-1]


def test_the_histogram_moves_by_one_place_for_each_power_of_two():
    values = [flush.draw("fp16", k)[0].axes[0].patches[0].get_data().values for k in (0, 7)]
    assert values[0].max() > 5 and np.allclose(values[1][7:-1], values[0][:-8])


@pytest.mark.parametrize("format", ["fp16", "bf16"])
def test_every_control_changes_the_picture_and_the_text(format):
    figure, text = flush.draw(format, 4)
    for other in ((format, 12), ("bf16" if format == "fp16" else "fp16", 4)):
        picture, said = flush.draw(*other)
        assert said != text and describe(picture) != describe(figure)
