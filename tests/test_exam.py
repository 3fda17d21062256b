"""The held-out windows: the truth has the loss of the floor, and a guess that of a guess."""

import math

import numpy as np
import pytest

from minillm import gpt, sources
from minillm.exam import Exam

MARKOV = {"kind": "markov"}


@pytest.mark.parametrize("language", [MARKOV, {"kind": "facts", "vocab_size": 6, "keys": 30}])
def test_the_true_law_as_a_model_has_the_loss_of_the_floor_and_a_guess_that_of_its_entropy(language, monkeypatch):
    source = sources.make(language)
    exam = Exam(source, 200, 15)
    laws = iter(np.array_split(exam.law, range(64, 200, 64)))
    true = lambda params, *, ids, config: (np.log(next(laws) + 1e-300), None)
    monkeypatch.setattr(gpt, "gpt", true)
    loss, nll = exam.mark(None, None)
    assert loss == pytest.approx(exam.floor, abs=1e-12) and exam.floor == source.floor(15)
    monkeypatch.setattr(gpt, "gpt", lambda p, *, ids, config: (np.zeros((*ids.shape, source.vocab_size)), None))
    loss, nll = exam.mark(None, None)
    assert nll == pytest.approx(math.log(source.vocab_size))
    assert loss == pytest.approx(exam.floor + math.log(source.vocab_size) - exam.entropies.mean())
