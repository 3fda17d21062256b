"""From the rows of several runs to one table, as Markdown and as JSON, and into the README."""

import json
import operator
import re
import statistics

PARTS = {  # title, what the last columns mean, decimals of the figures
    "step": (
        "A training step",
        "Ours is what training runs (fast); the definitions alone, inside plain(); or, on several cores, as many "
        "workers with one thread each. "
        "The ratio is how many times as fast as the peer ours is.",
        2,
    ),
    "sgemm": (
        "Share of the machine's own rate of products",
        "GFLOP/s of a training step, beside those of one large product in float32 alone; the ratio is the share. "
        "Counted are the products that a step needs (minillm/counts.py), without the half of attention that the "
        "causal mask hides.",
        1,
    ),
    "memory": (
        "Peak of memory of a training step",
        "Beyond what the process holds after imports and set-up (weights, optimizer, gradients), each side in a "
        "process of its own; of PyTorch with the C library as it is and as ours has it, the one that needs less. "
        "Ours takes some of the sequences at a time (minillm/passes.py), and PyTorch all, as it does by default. "
        "The ratio is ours divided by theirs: less is better.",
        1,
    ),
    "faults": ("Page faults of a training step", "", 0),
    "generation": (
        "Writing with a cache",
        "A prompt of four tokens, batch 1, always the likeliest token; all sides write the same ones. "
        "The ratio is how many times as fast as the peer ours is.",
        2,
    ),
    "bpe": (
        "Byte pair encoding",
        "Ours is pure Python; the target is ten times the plainest Python, and a twentieth of Rust. "
        "The ratio is how many times as fast as the peer ours is.",
        1,
    ),
}
KEYS = ("part", "case", "threads", "ours", "peer")
SIGNS = {">=": operator.ge, "<=": operator.le}
HEAD = ["case", "threads", "ours", "peer", "ours takes", "peer takes", "ratio", "lowest to highest", "target", "met"]


def collect(runs):
    """One row for each comparison: medians over the runs, and the lowest and highest ratio.

    runs is a list of lists of rows (dicts, see cases.Row).  ValueError if the runs do not compare the same things.
    """
    by_key = [{tuple(row[key] for key in KEYS): row for row in rows} for rows in runs]
    for other in by_key[1:]:
        if list(other) != list(by_key[0]):
            odd = sorted(set(other) ^ set(by_key[0]), key=str)
            raise ValueError(f"the runs do not compare the same things: {', '.join(map(str, odd)) or 'another order'}.")
    return [merged([rows[key] for rows in by_key]) for key in by_key[0]]


def merged(rows):
    """What several runs say about one comparison."""
    one = {key: rows[-1][key] for key in (*KEYS, "unit", "target", "note")}
    for key in ("mine", "theirs", "ratio"):
        values = [row[key] for row in rows if row[key] is not None]
        one[key] = statistics.median(values) if values else None
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    one["low"], one["high"] = (min(ratios), max(ratios)) if ratios else (None, None)
    return one | {"met": met(one)}


def met(row):
    """Whether the median over the runs reaches the target, and whether every run says so; "" where there is none."""
    if not row["target"] or row["ratio"] is None:
        return ""
    sign, limit = row["target"].split()
    reaches = lambda ratio: SIGNS[sign](round(ratio, 2), float(limit))  # as it is shown
    if reaches(row["ratio"]):
        return "yes" if reaches(row["low"]) and reaches(row["high"]) else "yes, but not in every run"
    return "no, but in some runs" if reaches(row["low"]) or reaches(row["high"]) else "no"


def cells(row):
    """A row as the words of a table."""
    figure = lambda x: "" if x is None else f"{x:,.{PARTS[row['part']][2]}f} {row['unit']}"
    ratio = lambda x: "" if x is None else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"
    spread = "" if row["low"] is None else f"{ratio(row['low'])} to {ratio(row['high'])}"
    target = row["target"].replace(">=", "≥").replace("<=", "≤")
    theirs = figure(row["theirs"]) or row["note"]
    figures = [figure(row["mine"]), theirs, ratio(row["ratio"]), spread, target, row["met"]]
    return [row["case"], str(row["threads"]), row["ours"], row["peer"], *figures]


def grid(head, lines):
    """A table in Markdown."""
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines)]


def page(results):
    """The whole Markdown file of a machine."""
    return "\n".join(["# Beside PyTorch and others, on one machine", "", *about(results), *sections(results), ""])


def about(results):
    """What was measured, where and how, as lines."""
    m = results["machine"]
    versions = ", ".join(
        f"{name} {m[name]}" for name in ("python", "numpy", "torch", "transformers", "tokenizers", "tiktoken")
    )
    return [
        f"Measured on {m['date']}: {m['processor']}, {m['cores']} cores, {m['system']}; minillm {m['minillm']} with "
        f"{m['blas']}; {versions}.",
        "",
        *([warning(results), ""] if warning(results) else []),
        f"Both sides take turns in one process, with the same float32 weights, batch and number of threads, dropout 0, "
        f"clipping at 1.0 and AdamW; what they compute is compared before anything is timed, every gradient by name. "
        f"A figure is the median over {results['runs']} run{'s' if results['runs'] > 1 else ''} in fresh processes, "
        f"each the median of at least 7 repetitions (3 where plain Python learns merges, 1 for memory); lowest and "
        f"highest are the ratios of the runs. The C library is asked to keep freed memory, as in training; PyTorch "
        f"gains by that too. Made by `python course.py bench`.",
        "",
    ]


def warning(results):
    """A sentence if the machine was not idle, or the run was a quick one; else ""."""
    words = []
    if not results["idle"]:
        company = results["company"]
        load, others = company["load before"], company["others"]
        share = "" if others is None else f", and other processes took {100 * others:.0f} % of the processors meanwhile"
        words.append(f"The machine was not idle (load {load} before{share}): take the figures as a rough guide.")
    if results["quick"]:
        words.append("This was a quick run, which shows that the benchmark works and measures little.")
    return " ".join(f"**{sentence}**" for sentence in words)


def sections(results):
    """One table for each part, as lines."""
    lines = []
    for part, (title, meaning, _) in PARTS.items():
        rows = [row for row in results["rows"] if row["part"] == part]
        if rows:
            lines += [f"## {title}", "", *([meaning, ""] if meaning else []), *grid(HEAD, map(cells, rows)), ""]
    return lines[:-1]


def dump(results):
    """The JSON file of a machine."""
    return json.dumps(results, indent=1, ensure_ascii=False) + "\n"


# The README

BEGIN, END = "<!-- from {} -->", "<!-- end of the table -->"
QUOTED = re.compile(
    r"<!-- (?:from (tests/bench/results/[\w.-]+\.json)|no table yet) -->\n(.*?)<!-- end of the table -->", re.DOTALL
)
SHORT = ["", "threads", "ours", "peer", "ratio", "lowest to highest", "target", "met"]


def quote(results):
    """What the README quotes: the rows that have a target, without their times."""
    lines = []
    for row in results["rows"]:
        if row["target"]:
            case, threads, ours, peer, _, _, ratio, spread, target, reached = cells(row)
            lines.append(
                [f"{row['part']}, {case.partition(':')[0]}", threads, ours, peer, ratio or "—", spread, target]
            )
            lines[-1].append(reached or row["note"])
    note = [warning(results), ""] if warning(results) else []
    return "\n".join([*note, *grid(SHORT, lines)]) + "\n"


def requote(readme, name, results):
    """The text of the README with the table between its markers made anew.  ValueError if the markers are not there."""
    table = f"{BEGIN.format(f'tests/bench/results/{name}.json')}\n{quote(results)}{END}"
    made, n = QUOTED.subn(lambda _: table, readme)
    if n != 1:
        raise ValueError(f"README.md must hold one pair of markers, {BEGIN.format('...')} and {END}, but it has {n}.")
    return made
