"""A panel: the gradients of a model that learns, and what a format of 16 bits makes of them.

from minillm.panels import flush
flush.show()
"""

import functools

import numpy as np

from .. import batches, corpus, figures, gpt, layers, optim, plots, precision, tokenizer, widgets
from ..canvas import GREY, ORANGE
from ..check import using
from ..describe import number

BATCH = 2**22  # tokens that the loss is the mean of, in a large training run
LOW, HIGH = -60, 24  # exponents of 2 at the ends of the picture
LAYERS = "linear embedding layer_norm gelu attention softmax rotary".split()


@functools.cache
def gradients(steps=40, seed=0):
    """The sizes of 50,000 of the gradients that layers send back in a small GPT after some steps on Shakespeare.

    All numbers but zeros that a layer's backward returns, to the layer below and to the weights, for a loss that is the
    mean over BATCH tokens: each pass of 256 has its share of it.  Float32.
    """
    text = corpus.load("shakespeare")
    tok = tokenizer.Characters(text.alphabet)
    data = batches.Batches(tok.encode(text.train), batch_size=8, n_ctx=32, seed=seed)
    config = gpt.Config(vocab_size=tok.vocab_size, n_ctx=32, n_layer=2, n_head=4, width=32, positions="rotary")
    optimizer = optim.AdamW(gpt.init(config, np.random.default_rng(seed)), betas=(0.9, 0.98))
    for step in range(steps):
        _, backward = gpt.loss(optimizer.params, **_batch(data, step), config=config)
        optimizer.add(backward())
        optimizer.step(0.01)
    seen = []
    with using(layers, **{name: _watched(getattr(layers, name), seen) for name in LAYERS}):
        _, backward = gpt.loss(optimizer.params, **_batch(data, steps), config=config)
        backward(8 * 32 / BATCH)
    sizes = np.abs(np.concatenate([a.ravel() for a in seen]))
    return np.random.default_rng(seed).choice(sizes[sizes > 0], 50_000)


def _batch(data, step):
    ids, targets = data.batch(step)
    return {"ids": ids, "targets": targets}


def _watched(layer, seen):
    """The same layer; the gradients that it sends back are kept in `seen`, too."""

    def watched(*arrays, **options):
        y, back = layer(*arrays, **options)

        def backward(dy):
            grads = back(dy)
            seen.extend(grads if isinstance(grads, tuple) else (grads,))
            return grads

        return y, backward

    return watched


def shares(name, scale, sizes):
    """What becomes of numbers of these sizes, times the scale, in a format: shares of 0, of subnormal, of infinite."""
    form = precision.FORMATS[name]
    y = form.round(np.asarray(sizes * scale, np.float32))
    return np.mean(y == 0), np.mean((y > 0) & (y < form.normal)), np.mean(np.isinf(y))


def draw(format, log2_scale):
    """The figure of the panel, and a sentence with its numbers."""
    form, sizes, scale = precision.FORMATS[format], gradients(), 2.0**log2_scale
    zero, coarse, infinite = shares(format, scale, sizes)
    with plots.style():
        figure, ax = plots.canvas(1, 1, height=3.4, places=[[0.09, 0.15, 0.87, 0.66]])
        exponents = np.clip(np.log2(sizes) + log2_scale, LOW, HIGH)
        figures.histogram(
            {f"times {number(scale)}": exponents},
            title=f"Gradients of a GPT that learns, and what {format} can hold",
            x_label="size, as an exponent of 2",
            bins=np.arange(LOW, HIGH + 1, 1.0),
            ax=ax,
        )
        ax.set(xlim=(LOW, HIGH), ylim=(0, 14))
        edges = [np.log2(form.smallest) - 1, np.log2(form.normal), np.log2(form.largest)]
        zones = [(LOW, edges[0], "becomes 0"), (edges[0], edges[1], "coarse"), (edges[2], HIGH, "infinite")]
        for (low, high, word), colour in zip(zones, (ORANGE, GREY, ORANGE), strict=True):
            low, high = max(low, LOW), min(high, HIGH)
            if high > low:
                ax.axvspan(low, high, color=colour, alpha=0.15, zorder=0, label=f"_{word}")
                ax.text((low + high) / 2, 13.1, word, ha="center", va="center", fontsize=8.5, color="#444444")
    ends = f"It holds numbers from {number(form.smallest)} to {form.largest:.5g}."
    return figure, (
        f"{format}, loss times {number(scale)}: of the gradients that layers send back, {zero:.1%} become 0, "
        f"{coarse:.1%} lose digits, {infinite:.1%} become infinite. {ends}"
    )


def show():
    """A choice of the format, and a slider for the scale of the loss, which begins with no scale at all."""
    import ipywidgets

    scale = ipywidgets.IntSlider(0, min=0, max=40, description="log2 of scale")
    widgets.panel(draw, format=["fp16", "bf16"], log2_scale=scale)
