"""A page to hand to a colleague: words, tables, figures and predictions in one HTML file that needs nothing else."""

import base64
import html
import pathlib

from . import atomic
from .canvas import png
from .describe import describe

STYLE = """body{font:16px/1.55 Georgia,serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem;color:#1a1a1a}
h1,h2{font-family:Helvetica,Arial,sans-serif;line-height:1.25}
img{max-width:100%;height:auto}figure{margin:1.5rem 0}
table{border-collapse:collapse;font:14px/1.4 Helvetica,Arial,sans-serif;margin:1rem 0}
th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #ddd;overflow-wrap:anywhere}"""


def page(title, parts):
    """The HTML, a str.  What the parts are decides what becomes of them:

    a str       a paragraph, or a heading if it begins with "# "
    a Figure    a picture, inside the page, with its words (describe) for those who cannot see it
    a list      a table; its rows are lists, the first is the head
    a dict      a registered prediction: what it says, how it was fitted, and its whole SHA-256
    TypeError for something else.
    """
    body = "\n".join(map(_part, parts))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def write(path, title, parts):
    """Write the page to path, whole or not at all, and make its folder; returns the path."""
    path, text = pathlib.Path(path), page(title, parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.writing(path, "w") as file:
        file.write(text)
    return path


def facts(told):
    """A registered prediction as the rows of a table."""
    law, method = told["law"], told["method"]
    constants = ", ".join(f"{name} {law[name]:.6g}" for name in ("E", "A", "B", "alpha", "beta"))
    left_out = "; ".join(f"{each['runs']} runs: {each['why']}" for each in told["exclusions"])
    floor = "left free" if method["floor"] is None else f"fixed at {method['floor']:.6g}"
    rows = [
        ["registered", told["registered"]],
        ["N, D, C", f"{told['N']:,.0f} parameters, {told['D']:,.0f} tokens, {told['C']:.4g} FLOPs"],
        ["median", f"{told['median']:.4f}"],
        *([f"{level} % interval", "{:.4f} to {:.4f}".format(*ends)] for level, ends in told["intervals"].items()),
        ["law", f"{law['name']}: {constants}"],
        ["method", f"{method['estimator']}, delta {method['delta']}, floor {floor}"],
        ["runs fitted", str(len(told["data"]["rows"]))],
        ["left out", left_out or "nothing"],
        ["flags", " ".join(method["flags"]) or "none"],
        ["SHA-256 of the runs", told["data"]["rows_sha256"]],
        ["SHA-256 of the code", told["code"]["sha256"]],
        ["SHA-256", told["sha256"]],
    ]
    return [["registered prediction", ""], *rows]


def _part(part):
    if isinstance(part, str):
        kind, text = ("h2", part[2:]) if part.startswith("# ") else ("p", part)
        return f"<{kind}>{html.escape(text)}</{kind}>"
    if isinstance(part, dict):
        return _table(facts(part))
    if isinstance(part, list):
        return _table(part)
    if hasattr(part, "savefig"):
        data, words = base64.b64encode(png(part)).decode("ascii"), html.escape(describe(part))
        return f'<figure><img src="data:image/png;base64,{data}" alt="{words}"></figure>'
    raise TypeError(f"a page is made of texts, tables, predictions and figures, not of {type(part).__name__}.")


def _table(rows):
    made = []
    for i, row in enumerate(rows):
        cell = "td" if i else "th"
        made.append("<tr>" + "".join(f"<{cell}>{html.escape(str(text))}</{cell}>" for text in row) + "</tr>")
    return "<table>\n" + "\n".join(made) + "\n</table>"
