"""A panel: what a bigram expects after a letter, and what it writes, at the temperature that you set."""

import functools
import math

import numpy as np

from .. import corpus, figures, plots, sample, tokenizer, widgets
from ..canvas import ORANGE
from ..describe import number

LETTERS = "t", "h", "q", " ", "\n"
SHOWN, WRITTEN = 16, 76  # letters in the picture, and in the text


@functools.cache
def bigram(name="shakespeare"):
    """(the tokenizer of a text, the scores (V, V) of its bigram): ln(n + 1), where n is how often x followed a."""
    text = corpus.load(name)
    tok = tokenizer.Characters(text.alphabet)
    ids, V = tok.encode(text.train).astype(np.int64), tok.vocab_size
    pairs = np.bincount(ids[:-1] * V + ids[1:], minlength=V * V)
    return tok, np.log(pairs.reshape(V, V) + 1)


def probabilities(scores, temperature):
    """What scores (..., V) stand for at a temperature: their softmax after a division.  (..., V)"""
    scores = sample.temperature(scores, temperature)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def entropy(p):
    """-sum p ln p, in nats.  p (V,) -> float"""
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


def written(tok, scores, temperature, first, n, seed=5):
    """`first`, and n letters that are drawn after it, one by one; a seed draws the same luck at each temperature."""
    steps = probabilities(scores, temperature).cumsum(-1)
    ids = [int(tok.encode(first)[-1])]
    for u in np.random.default_rng(seed).random(n):
        row = steps[ids[-1]]
        ids.append(int(np.searchsorted(row[:-1], u * row[-1], side="right")))
    return first + tok.decode(ids[1:])


def draw(temperature, after):
    """The figure of the panel for one temperature and one letter that went before, and sentences with its numbers."""
    tok, scores = bigram()
    row = scores[tok.encode(after)[0]]
    at_1, p = probabilities(row, 1.0), probabilities(row, temperature)
    order = np.argsort(-at_1, kind="stable")[:SHOWN]
    name, t = figures.visible(after), number(temperature)
    with plots.style():
        figure, ax = plots.canvas(height=3.4, places=[[0.09, 0.17, 0.89, 0.71]])
        heights = {tok.decode([i]): 100 * p[i] for i in order}
        look = {"x_label": f"next letter, the {SHOWN} likeliest at temperature 1", "y_label": "probability (%)"}
        figures.bars(heights, title=f"What follows {name}, at temperature {t}", ax=ax, **look)
        ax.containers[0].set_label(f"at temperature {t}")
        dashes = {"marker": "_", "markersize": 25, "markeredgewidth": 1.6, "linestyle": "", "color": ORANGE}
        ax.plot(range(len(order)), 100 * at_1[order], label="the same at temperature 1", **dashes)
        ax.set_ylim(0, 108)
        ax.legend(loc="upper right")
    best, spread = int(p.argmax()), entropy(p)
    return figure, (
        f"After {name}, at temperature {t}: {figures.visible(tok.decode([best]))} comes with "
        f"{number(100 * p[best])} %. The entropy is {number(spread)} nats, as for a choice among "
        f"{number(math.exp(spread))} letters that are equally likely.\n"
        f"It writes: {figures.visible(written(tok, scores, temperature, after, WRITTEN))}"
    )


def show():
    """A slider for the temperature, and a choice of the letter that went before."""
    import ipywidgets

    temperature = ipywidgets.FloatLogSlider(0.5, base=2, min=-3, max=3, step=0.25, readout_format=".2f")
    names = [(figures.visible(letter), letter) for letter in LETTERS]
    after = ipywidgets.ToggleButtons(options=names, value="t", style={"button_width": "auto"})
    widgets.panel(draw, temperature=temperature, after=after)
