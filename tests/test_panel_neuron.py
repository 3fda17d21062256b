"""panels/neuron.py: what a neuron fires on is counted rightly, and the panel shows it."""

import re

import numpy as np
import pytest

from minillm import tokenizer
from minillm.describe import describe
from minillm.panels import neuron

TOK = tokenizer.Characters("\n ab")
IDS = TOK.encode("ab a\nbab")  # two sequences of four
FIRING = np.array([[1, -1], [0, 3], [0, 0], [3, -2], [0, 0], [0, 5], [2, 0], [0, 1]], float)


def test_the_mean_over_a_character_is_over_all_places_where_it_stands():
    means = neuron.by_character(FIRING, IDS, 4)
    assert means.shape == (4, 2)
    np.testing.assert_allclose(means[2], [2, -1])  # a: 1, 3, 2 and -1, -2, 0
    np.testing.assert_allclose(means[3], [0, 3])  # b: 0, 0, 0 and 3, 5, 1
    assert (neuron.by_character(FIRING, IDS, 5)[4] == 0).all()


def test_what_a_character_explains_is_1_if_it_decides_and_0_if_it_says_nothing():
    decides = np.array([2.0, -1, 5, 0])[IDS]
    blind = np.array([1.0, 1, 0, -1, 0, -1, 0, 0])  # a: 1, -1, 0 and b: 1, -1, 0; nothing else
    still = np.ones(8)
    found = neuron.explained_by_character(np.stack([decides, blind, still, decides + blind], 1), IDS, 4)
    np.testing.assert_allclose(found, [1, 0, 0, decides.var() / (decides.var() + blind.var())], atol=1e-12)


def test_the_strongest_places_are_one_in_each_sequence():
    assert neuron.strongest(FIRING[:, 0], 4).tolist() == [3, 6]
    assert neuron.strongest(FIRING[:, 1], 4, n=1).tolist() == [5]


@pytest.fixture
def many():
    """Enough of each character to be shown."""
    return np.tile(FIRING, (12, 1)), np.tile(IDS, 12)


def test_the_panel_shows_the_means_and_the_places(many):
    figure, text = neuron.draw(*many, TOK, 4, 1, "most")
    assert "3 at b" in describe(figure)
    assert text.startswith("Neuron 1 fires most on the last character of:")
    assert re.search(r"On average it fires most on b, \S, \S\.$", text)
    assert "       5   ↵b" in text
    least, _ = neuron.draw(*many, TOK, 4, 1, "least")
    assert describe(least) != describe(figure)
    assert neuron.draw(*many, TOK, 4, 0, "most")[1] != text


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="must have the same N"):
        neuron.show(FIRING, IDS[:-1], TOK, n_ctx=4)
