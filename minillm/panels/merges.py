"""A panel: how a text is cut into tokens by the first merges of a byte pair encoding.

from minillm.panels import merges
merges.show()
"""

import collections
import functools

from .. import bpe, corpus, tokenizer
from ..canvas import BLUE, GREY, ORANGE, canvas, style

TEXTS = {
    "English": "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer",
    "Chinese": "道可道，非常道。名可名，非常名。無名天地之始；有名萬物之母。",
}
MOST = 2000  # merges
ROW = 30  # bytes in a row of the picture: a multiple of 3, so that no Chinese character is cut by its end
SIGNS = {" ": "␣", "\n": "↵"}


@functools.cache
def learned(language):
    """The tokenizer with the first merges of a language, at most MOST.

    English: from a quarter of a million characters of Shakespeare, without Hamlet.  Chinese: from the chapters 2 to 20
    of the Dao De Jing, which soon have no pair left.  So neither has seen the text that is shown.
    """
    if language == "English":
        text = corpus.load("shakespeare").train[:250_000]
    else:
        whole = corpus.load("daodejing")
        text = (whole.train + whole.validation).partition("\n\n")[2]
    words = collections.Counter(bpe.split(text))
    return tokenizer.BPE(bpe.learn({word.encode(): times for word, times in words.items()}, MOST))


def cut(text, language, n_merges):
    """The tokens of a text under the first n_merges of a language: a list of (id, its bytes)."""
    tok = first(language, n_merges)
    return [(int(i), tok.token_bytes(int(i))) for i in tok.encode(text)]


@functools.lru_cache(64)
def first(language, n_merges):
    """The tokenizer with no more than the first n_merges of a language."""
    return tokenizer.BPE(learned(language).merges[:n_merges])


def readable(token):
    """Bytes as they would be printed: a space as ␣, a line end as ↵, what is no whole character as <E9>."""
    text = "".join(SIGNS.get(c, c) for c in token.decode("utf-8", "surrogateescape"))
    return "".join(f"<{ord(c) - 0xDC00:02X}>" if "\udc80" <= c <= "\udcff" else c for c in text)


def draw(text, learned_from, merges):
    """The figure of the panel, byte by byte, and the same text with a bar between its tokens."""
    tokens = cut(TEXTS[text], learned_from, merges)
    n_bytes, tok = len(TEXTS[text].encode()), first(learned_from, merges)
    last = tok.vocab_size - 1 if tok.merges else None
    n_rows = -(-n_bytes // ROW)
    from matplotlib.collections import PolyCollection

    with style():
        figure, ax = canvas(height=0.55 + 0.55 * n_rows, places=[[0.01, 0.02, 0.98, 1 - 0.4 / (0.55 + 0.55 * n_rows)]])
        named = f"{merges} merge{'s' * (merges != 1)} learned from {learned_from}"
        ax.set_title(f"{text}, {named}: {len(tokens)} tokens for {n_bytes} bytes")
        ax.set(xlim=(0, ROW), ylim=(n_rows, 0))
        ax.set_axis_off()
        frames, colours, place = [], [], 0
        for i, (token, data) in enumerate(tokens):
            pieces = _write_token(ax, place, token, data)
            frames += pieces
            colours += [ORANGE if token == last else BLUE if i % 2 else GREY] * len(pieces)
            place += len(data)
        look = {"facecolors": colours, "alpha": 0.22, "edgecolors": "none", "label": "_tokens"}
        ax.add_collection(PolyCollection(frames, **look))
        made = sum(token == last for token, _ in tokens)
        words = f"{made} of them made by the last merge, in orange. Ids: {' '.join(str(token) for token, _ in tokens)}"
        ax.text(0, 0, words, visible=False, label="ids")  # for those who cannot see the picture
    return figure, "\n".join([_news(tok, merges, learned_from), "|".join(readable(data) for _, data in tokens)])


def _write_token(ax, place, token, data):
    """Write the bytes of a token and its id below them.  Returns its frame, in pieces where a row ends."""
    frames, start, end = [], place, place + len(data)
    while start < end:
        row, column = divmod(start, ROW)
        width = min(end - start, ROW - column)
        left, right, top, bottom = column + 0.05, column + width - 0.05, row + 0.06, row + 0.88
        frames.append([(left, top), (right, top), (right, bottom), (left, bottom)])
        if start == place:
            look = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "#333333", "label": "_id"}
            ax.text(column + width / 2, row + 0.74, str(token), **look)
        start += width
    for i, byte in enumerate(data, place):
        sign = SIGNS.get(chr(byte), chr(byte)) if byte < 128 else f"{byte:02X}"
        look = {"ha": "center", "va": "center", "fontsize": 10 if byte < 128 else 8, "label": "_byte"}
        ax.text(i % ROW + 0.5, i // ROW + 0.36, sign, **look)
    return frames


def _news(tok, merges, language):
    """A sentence about the merge that was made last."""
    if not merges:
        return "No merge yet: every byte is a token, and its id is its value."
    a, b = tok.merges[-1]
    parts = [readable(tok.token_bytes(i)) for i in (a, b, tok.vocab_size - 1)]
    there = f"{language} has {len(tok.merges)} merges here, and all are made" if len(tok.merges) < merges else ""
    made = f"merge {len(tok.merges)} joined {parts[0]} and {parts[1]} to {parts[2]}, token {tok.vocab_size - 1}"
    return f"{there}; {made}." if there else f"{made[0].upper()}{made[1:]}."


def show():
    """A slider for the number of merges; whether the text, and what the merges were learned from, is Chinese."""
    import ipywidgets

    from ..widgets import panel

    steps = [*range(21), *range(25, 100, 5), *range(100, 500, 20), *range(500, MOST + 1, 100)]
    slider = ipywidgets.SelectionSlider(options=steps, value=50)
    panel(draw, merges=slider, text=["English", "Chinese"], learned_from=["English", "Chinese"])
