"""Where a ladder's tokens come from: by description, fresh at every step, and the same ones for everybody."""

import numpy as np
import pytest

from minillm import corpus, sources

TEXT = "the quick brown fox jumps over the lazy dog. " * 40


@pytest.mark.parametrize("description", [{"kind": "markov", "seed": 3}, {"kind": "facts", "noise": 0.1}])
def test_a_description_makes_the_source_that_describes_itself_so(description):
    source = sources.make(description)
    whole = source.describe()
    assert whole.items() >= description.items()
    assert sources.make(whole).checksum() == source.checksum()


@pytest.mark.parametrize(
    "description, message",
    [
        ({"kind": "klingon"}, "no language of kind 'klingon'; there are spectral, facts, markov, zipf, text"),
        ({}, "no language of kind None"),
        (
            {"kind": "zipf", "spread": 2},
            "a language of kind zipf cannot be made from {'spread': 2}: .*unexpected.*spread",
        ),
    ],
)
def test_what_is_no_language_gets_a_sentence(description, message):
    with pytest.raises(ValueError, match=message):
        sources.make(description)


def test_batches_depend_on_seed_and_step_alone_and_no_two_are_equal(monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 12)
    make = lambda seed: sources.training(sources.make({"kind": "markov"}), batch_size=4, n_ctx=8, seed=seed)
    one, other = make(0), make(1)
    inorder = [one.batch(step) for step in range(7)]
    for step in (5, 0, 6, 1):
        ids, targets = make(0).batch(step)
        assert (ids == inorder[step][0]).all() and (targets == inorder[step][1]).all()
    ids, targets = inorder[2]
    assert ids.shape == targets.shape == (4, 8) and (ids[:, 1:] == targets[:, :-1]).all()
    assert len({ids.tobytes() for ids, _ in inorder}) == 7
    assert (other.batch(0)[0] != inorder[0][0]).any()


def test_what_is_held_out_is_the_same_for_all_and_no_seed_trains_on_it(monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 50)
    source = sources.make({"kind": "markov"})
    exam = sources.held_out(source, 50, 8)
    assert exam.shape == (50, 9) and (exam == sources.held_out(source, 50, 8)).all()
    train = sources.training(source, batch_size=50, n_ctx=8, seed=0).batch(0)[0]
    assert not {row.tobytes() for row in exam[:, :8]} & {row.tobytes() for row in train}


@pytest.fixture
def prose(monkeypatch):
    text = corpus.Text("fox", TEXT, "lazy foxes. " * 20, "a test")
    monkeypatch.setattr(corpus, "load", lambda name: text)
    return sources.make({"kind": "text", "name": "fox"})


def test_a_text_is_a_source_whose_floor_nobody_knows(prose):
    assert prose.floor(8) is None and prose.law([[1, 2]]) is None
    assert prose.describe() == {"kind": "text", "name": "fox"}
    assert prose.vocab_size == len({*TEXT, *"lazy foxes. "})
    ids, targets = sources.training(prose, batch_size=4, n_ctx=8, seed=0).batch(0)
    assert ids.shape == (4, 8) and (ids[:, 1:] == targets[:, :-1]).all()
    exam = sources.held_out(prose, 5, 8)
    assert exam.shape == (5, 9) and np.isin(exam, prose.validation).all()
    assert (exam[0] == prose.validation[:9]).all()


def test_a_text_that_another_one_stands_in_for_is_refused(monkeypatch):
    def load(name):
        import warnings

        warnings.warn("No network.", stacklevel=2)
        return corpus.Text("pydocs", TEXT, TEXT, "")

    monkeypatch.setattr(corpus, "load", load)
    with pytest.raises(ValueError, match="the text shakespeare is not at hand: No network."):
        sources.make({"kind": "text", "name": "shakespeare"})
