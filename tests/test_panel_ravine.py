"""The ravine: what each optimiser does there, and that every control changes the picture and the text."""

import numpy as np
import pytest

from minillm.panels import ravine
from minillm.plots import describe


def test_without_momentum_it_is_gradient_descent():
    w = np.array(ravine.START)
    for place in ravine.path("momentum", 0.01, 0.0, steps=5)[1:]:
        w = w - 0.01 * ravine.gradient(w)
        assert np.allclose(place, w, rtol=1e-12)


def test_the_gradient_is_that_of_the_loss():
    w, h = np.array([1.3, -0.4]), 1e-6
    for i, d in enumerate(h * np.eye(2)):
        slope = (ravine.loss(w + d) - ravine.loss(w - d)) / (2 * h)
        assert slope == pytest.approx(ravine.gradient(w)[i], rel=1e-6)


def test_adams_first_step_has_the_length_of_the_rate_in_each_direction():
    first = np.diff(ravine.path("Adam", 0.3, 0.9, steps=1), axis=0)[0]
    assert abs(first) == pytest.approx([0.3, 0.3], rel=1e-6)
    uncorrected = np.diff(ravine.path("Adam, uncorrected", 0.3, 0.0, steps=1), axis=0)[0]
    assert abs(uncorrected) == pytest.approx([0.3 / 0.02**0.5] * 2, rel=1e-6)


def test_a_rate_above_two_over_the_steepness_runs_away():
    below, above = (ravine.loss(ravine.path("momentum", rate, 0.0))[-1] for rate in (1.9 / 50, 2.1 / 50))
    assert below < 1 < 100 < above
    assert np.isfinite(ravine.path("momentum", 2.5, 0.0)).all()


def test_another_optimiser_is_refused():
    with pytest.raises(ValueError, match="must be one of"):
        ravine.path("sgd", 0.1, 0.0)


@pytest.mark.parametrize("optimiser", ravine.WAYS)
def test_every_control_changes_the_picture_and_the_text(optimiser):
    figure, text = ravine.draw(optimiser, 0.02, 0.5)
    others = [(optimiser, 0.03, 0.5), (optimiser, 0.02, 0.8), (ravine.WAYS[optimiser == ravine.WAYS[0]], 0.02, 0.5)]
    for other in others:
        picture, said = ravine.draw(*other)
        assert said != text and describe(picture) != describe(figure)
