"""A panel: what a trained GPT expects after a text, what the filters leave of it, and what it writes then.

from minillm.panels import chances
chances.show()
"""

import functools
import math

import numpy as np

from .. import figures, gpt, plots, sample, stored, widgets
from ..canvas import ORANGE
from ..describe import number
from .temperature import entropy, probabilities

TEXTS = "To be, or not to ", "The q", "[Enter ", "ROMEO.\n"
SHOWN, WRITTEN = 16, 32  # letters in the picture, and letters that are written: so many that a redraw stays quick


@functools.cache
def expected(text):
    """The logits (V,) of the stored model for the letter after a text."""
    params, config, tok, _ = model()
    logits, _ = gpt.gpt(params, ids=tok.encode(text)[None], config=config)
    return logits[0, -1]


@functools.cache
def model():
    """The stored model, read once."""
    return stored.load("shakespeare")


def left(logits, temperature, top_k, top_p):
    """Probabilities (V,) after the three filters, in the order in which sample.generate applies them."""
    cooled = sample.temperature(logits, temperature)
    return probabilities(sample.top_p(sample.top_k(cooled, top_k), top_p), 1.0)


def written(text, temperature, top_k, top_p, seed=2):
    """What the model writes after a text with these settings; a seed draws the same luck with each."""
    params, config, tok, _ = model()
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    options = {"config": config, "rng": np.random.default_rng(seed), "max_tokens": WRITTEN}
    return "".join(sample.write(params, text, tokenizer=tok, **options, **settings))


def draw(temperature, top_k, top_p, after):
    """The figure of the panel for these settings and the text that went before, and sentences with its numbers."""
    tok, logits = model()[2], expected(after)
    at_1, p = probabilities(logits, 1.0), left(logits, temperature, top_k, top_p)
    order = np.argsort(-at_1, kind="stable")[:SHOWN]
    settings = f"temperature {number(temperature)}, top_k {top_k}, top_p {number(top_p)}"
    with plots.style():
        figure, ax = plots.canvas(height=3.4, places=[[0.09, 0.17, 0.89, 0.71]])
        heights = {tok.decode([i]): 100 * p[i] for i in order}
        look = {"x_label": f"next letter, the {SHOWN} likeliest", "y_label": "probability (%)"}
        figures.bars(heights, title=f"What may follow {figures.visible(after)}: {settings}", ax=ax, **look)
        ax.containers[0].set_label("with these settings")
        dashes = {"marker": "_", "markersize": 25, "markeredgewidth": 1.6, "linestyle": "", "color": ORANGE}
        ax.plot(range(SHOWN), 100 * at_1[order], label="what the model expects", **dashes)
        ax.set_ylim(0, 108)
        ax.legend(loc="upper right")
    n, spread = int((p > 0).sum()), entropy(p)
    return figure, (
        f"{settings}: {n} of {len(p)} letters can be drawn. The model gave them {number(100 * at_1[p > 0].sum())} %. "
        f"The entropy is {number(spread)} nats, as for a choice among {number(math.exp(spread))} letters that are "
        f"equally likely.\n"
        f"It writes: {figures.visible(after + written(after, temperature, top_k, top_p))}"
    )


def show():
    """Sliders for the temperature and the two filters, and a choice of the text that went before."""
    import ipywidgets

    temperature = ipywidgets.FloatLogSlider(1.0, base=2, min=-3, max=2, step=0.25, readout_format=".2f")
    top_p = ipywidgets.FloatSlider(0.7, min=0.05, max=1, step=0.05)
    names = [(figures.visible(text), text) for text in TEXTS]
    after = ipywidgets.ToggleButtons(options=names, value=TEXTS[0], style={"button_width": "auto"})
    top_k = ipywidgets.IntSlider(78, min=1, max=78)
    widgets.panel(draw, temperature=temperature, top_k=top_k, top_p=top_p, after=after)
