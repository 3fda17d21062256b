"""A panel: what a model of a given size costs, in parameters, in FLOPs and in bytes, part by part.

from minillm.panels import calculator
calculator.show()
"""

from .. import figures, plots, widgets
from ..config import Config
from ..counts import count_bytes, count_parameters, flops_per_token
from ..describe import number

VOCABULARIES = {f"{n:,}": n for n in (78, 256, 1024, 4096, 16384, 50257, 128000)}
CONTEXTS = {f"{n:,}": n for n in (64, 128, 256, 512, 1024, 2048, 4096, 8192)}
HEAD = 64  # channels of a head, as in GPT-2
UNITS = ((1e12, "T", "trillions"), (1e9, "G", "billions"), (1e6, "M", "millions"), (1e3, "k", "thousands"))


def model(layers, width, vocabulary, context):
    """The Config of a model as GPT-2 is one, with heads of 64 channels.  ValueError if that cannot be."""
    return Config(vocab_size=vocabulary, n_ctx=context, n_layer=layers, n_head=max(1, width // HEAD), width=width)


def costs(config):
    """Parameters, FLOPs per token of a training step, and bytes in training: three dicts, part by part.

    FLOPs are those of the way there and back, for texts as long as the context.  Bytes are float32.
    """
    parameters, flops, held = count_parameters(config), flops_per_token(config), count_bytes(config)
    flops = {part: ways["forward"] + ways["backward"] for part, ways in flops.items()}
    for counts in (parameters, flops):
        del counts["total"]
    return (
        {"tables": parameters.pop("embedding") + parameters.pop("output"), **parameters},
        {part: flops[part] for part in ("projections", "attention", "ffn", "output")},
        held,
    )


def scaled(counts):
    """The counts in a unit in which the largest is from 1 to 1000, and the unit as a word."""
    size, _, word = next(unit for unit in UNITS if max(counts.values()) >= unit[0])
    return {name: n / size for name, n in counts.items()}, word


def draw(layers, width, vocabulary, context):
    """The figure of the panel for one model, and its sums in words."""
    config = model(layers, width, vocabulary, context)
    counts = costs(config)
    parameters, flops, held = (sum(part.values()) for part in counts)
    with plots.style():
        places = [[x, 0.23, 0.25, 0.65] for x in (0.075, 0.41, 0.745)]
        figure, axes = plots.canvas(1, 3, height=3.3, places=places)
        for ax, part, title in zip(axes, counts, ("Parameters", "FLOPs a token", "Bytes"), strict=True):
            heights, unit = scaled(part)
            figures.bars(heights, title=title, y_label=unit, ax=ax)
    share = counts[1]["attention"] / flops
    return figure, (
        f"Blocks: {layers}, width: {width}, heads: {config.n_head}. That makes {parameters:,} parameters, of which the "
        f"tables hold {counts[0]['tables'] / parameters:.0%}.\n"
        f"A token costs {short(flops)}FLOP in a training step, {flops / parameters:.1f} a parameter; at {context} "
        f"tokens attention's scores and averages are {share:.0%} of it.\n"
        f"In float32, weights, gradients and AdamW's averages take {short(held - counts[2]['cache'])}B, and the keys "
        f"and values of one text of {context} tokens {short(counts[2]['cache'])}B."
    )


def short(n):
    """A number with a unit's letter:  124 M"""
    size, letter, _ = next(unit for unit in UNITS if n >= unit[0])
    return f"{number(n / size)} {letter}"


def show():
    """Sliders for the layers, the width, the vocabulary and the context, which begin with GPT-2 small."""
    import ipywidgets

    widgets.panel(
        lambda layers, width, vocabulary, context: draw(layers, width, VOCABULARIES[vocabulary], CONTEXTS[context]),
        layers=ipywidgets.IntSlider(12, 1, 96),
        width=ipywidgets.IntSlider(768, HEAD, 4096, HEAD),
        vocabulary=ipywidgets.SelectionSlider(options=[*VOCABULARIES], value="50,257"),
        context=ipywidgets.SelectionSlider(options=[*CONTEXTS], value="1,024"),
    )
