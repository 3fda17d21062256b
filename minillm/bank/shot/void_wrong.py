"""Wrong answers to `void` that people write, and what each of them does."""

import datetime
import hashlib
import json
import types

from ...grader.exercise import Mistake


def rest(registration):
    """All keys but the hash."""
    return {key: value for key, value in registration.items() if key != "sha256"}


def text_of(body):
    """The one text that is hashed."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def whole_hash(registration):
    """Whether the hash is not that of the rest."""
    return hashlib.sha256(text_of(rest(registration)).encode()).hexdigest() != registration["sha256"]


def time(text):
    """A time with its zone."""
    return datetime.datetime.fromisoformat(text)


# The steps of a right answer.
STEPS = types.SimpleNamespace(
    changed=whole_hash,
    other=lambda told, run: (run["N"], run["D"]) != (told["N"], told["D"]),
    fitted=lambda told, run: [run["N"], run["D"], run["loss"]] in told["data"]["rows"],
    late=lambda told, run: time(run["finished"]) <= time(told["registered"]),
    order=("changed", "other run", "fitted", "too late"),
    word=lambda why: why,
)


def wrong(name, says, **steps):
    """The Mistake of an answer in which these steps are written differently."""
    do = types.SimpleNamespace(**{**vars(STEPS), **steps})

    def void(registration, run):
        tests = {
            "changed": do.changed(registration),
            "other run": do.other(registration, run),
            "fitted": do.fitted(registration, run),
            "too late": do.late(registration, run),
        }
        return do.word(next((why for why in do.order if tests[why]), None))

    return Mistake(name, says, void)


def hashed(write):
    """The test of the hash, with another text."""
    return lambda told: hashlib.sha256(write(told).encode()).hexdigest() != told["sha256"]


MISTAKES = (
    wrong(
        "order of the keys",
        "The keys are written in the order in which they came. Sort them: a dict that says the same in another order "
        "is the same registration.",
        changed=hashed(lambda told: json.dumps(rest(told), separators=(",", ":"))),
    ),
    wrong(
        "spaces",
        'json.dumps puts spaces after commas and colons. They belong to the text that is hashed; separators=(",", ":") '
        "leaves them out.",
        changed=hashed(lambda told: json.dumps(rest(told), sort_keys=True)),
    ),
    wrong(
        "Python's text",
        "str() of a dict is not JSON: it has single quotes and spaces. The hash is of the text of json.dumps.",
        changed=hashed(lambda told: str(rest(told))),
    ),
    wrong(
        "no hash is right",
        "No hash is ever the right one here, so nothing is believed. The hash cannot know itself: it is of the rest, "
        "without its own key. And it is compared as hexadecimal digits.",
        changed=hashed(text_of),
    ),
    wrong(
        "keys sorted outside alone",
        "Only the outer keys are sorted. A dict within the dict has keys too, and sort_keys=True sorts them all.",
        changed=hashed(lambda told: json.dumps(dict(sorted(rest(told).items())), separators=(",", ":"))),
    ),
    wrong(
        "spaces of the words",
        "All spaces are taken out of the text, those within words that were registered as well. separators=(',', ':') "
        "leaves out only those between the entries.",
        changed=hashed(lambda told: text_of(rest(told)).replace(" ", "")),
    ),
    wrong(
        "letters as they are",
        "Letters beyond ASCII are written as they are. json.dumps writes them as \\u and four digits, unless it is "
        "told otherwise, and that is the text that is hashed.",
        changed=hashed(
            lambda told: json.dumps(rest(told), sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        ),
    ),
    wrong(
        "changed if the hash is right",
        "The comparison is turned round: a registration was changed if its hash is not the one that it has.",
        changed=lambda told: not whole_hash(told),
    ),
    wrong(
        "first digits of the hash",
        "Only the beginning of the hash is compared. Compare all 64 digits: the beginning alone can be hit by trying.",
        changed=lambda told: hashlib.sha256(text_of(rest(told)).encode()).hexdigest()[:8] != told["sha256"][:8],
    ),
    wrong(
        "numbers alone",
        "Only the prediction is hashed here. Then the time or the rows could be changed and nobody would know; the "
        "hash is of everything but itself.",
        changed=hashed(lambda told: text_of({key: told[key] for key in ("N", "D", "median", "intervals")})),
    ),
    wrong(
        "hash not looked at",
        "The hash is never compared, so a prediction can be rewritten afterwards.",
        changed=lambda told: False,
    ),
    wrong(
        "another hash",
        "This is not SHA-256.",
        changed=lambda told: hashlib.sha1(text_of(rest(told)).encode()).hexdigest() != told["sha256"],
    ),
    wrong(
        "D not compared",
        "Only N is compared. A run of twice the tokens is another run.",
        other=lambda told, run: run["N"] != told["N"],
    ),
    wrong(
        "N not compared",
        "Only D is compared. A larger model is another run.",
        other=lambda told, run: run["D"] != told["D"],
    ),
    wrong(
        "N and D both",
        "N and D must both differ here before the run is another. One of them is enough.",
        other=lambda told, run: run["N"] != told["N"] and run["D"] != told["D"],
    ),
    wrong(
        "N times D",
        "The product of N and D is compared. Twice the N on half the D is another run of the same cost.",
        other=lambda told, run: run["N"] * run["D"] != told["N"] * told["D"],
    ),
    wrong(
        "about the same N and D",
        "N and D are compared with some tolerance. They are whole numbers, which are the same or are not.",
        other=lambda told, run: any(abs(run[key] / told[key] - 1) > 0.01 for key in ("N", "D")),
    ),
    wrong(
        "run not compared",
        "Neither N nor D is compared, so any run would do.",
        other=lambda told, run: False,
    ),
    wrong(
        "rows not looked at",
        "A run that was fitted is predicted here. A law that has seen a run predicts nothing about it.",
        fitted=lambda told, run: False,
    ),
    wrong(
        "N and D in the rows",
        "A row with the same N and D is taken for the run. Another seed has the same N and D, and another loss.",
        fitted=lambda told, run: [run["N"], run["D"]] in [row[:2] for row in told["data"]["rows"]],
    ),
    wrong(
        "the loss in the rows",
        "A row with the same loss is taken for the run. N and D must be the same as well.",
        fitted=lambda told, run: run["loss"] in [row[2] for row in told["data"]["rows"]],
    ),
    wrong(
        "about the same loss",
        "Losses that are nearly the same are taken for the same. Another seed may come as near as that.",
        fitted=lambda told, run: any(
            row[:2] == [run["N"], run["D"]] and abs(row[2] - run["loss"]) < 0.005 for row in told["data"]["rows"]
        ),
    ),
    wrong(
        "the first row alone",
        "Only the first of the rows is looked at.",
        fitted=lambda told, run: [run["N"], run["D"], run["loss"]] == told["data"]["rows"][0],
    ),
    wrong(
        "the last row alone",
        "Only the last of the rows is looked at.",
        fitted=lambda told, run: [run["N"], run["D"], run["loss"]] == told["data"]["rows"][-1],
    ),
    wrong(
        "columns for rows",
        "N, D and loss are looked for one by one. They must stand in one and the same row.",
        fitted=lambda told, run: all(
            any(row[i] == run[key] for row in told["data"]["rows"]) for i, key in enumerate(("N", "D", "loss"))
        ),
    ),
    wrong(
        "times as text",
        "The times are compared letter by letter. With two time zones, 12:30 in one can be earlier than 12:00 in the "
        "other.",
        late=lambda told, run: run["finished"] <= told["registered"],
    ),
    wrong(
        "time zone cut off",
        "The time zones are cut off, so clocks of different zones are compared as if they were one.",
        late=lambda told, run: (
            time(run["finished"]).replace(tzinfo=None) <= time(told["registered"]).replace(tzinfo=None)
        ),
    ),
    wrong(
        "cut after the seconds",
        "The texts are cut after the seconds, and the time zone is cut off with the rest.",
        late=lambda told, run: time(run["finished"][:19]) <= time(told["registered"][:19]),
    ),
    wrong(
        "whole seconds",
        "The times are compared in whole seconds. A run that ends less than a second later has ended later.",
        late=lambda told, run: int(time(run["finished"]).timestamp()) <= int(time(told["registered"]).timestamp()),
    ),
    wrong(
        "the other way round",
        "What is refused here is the prediction that came first. It must be older than the end of the run.",
        late=lambda told, run: time(run["finished"]) > time(told["registered"]),
    ),
    wrong(
        "the same moment",
        "A prediction of the very moment at which the run ended does not count either: it has to be earlier.",
        late=lambda told, run: time(run["finished"]) < time(told["registered"]),
    ),
    wrong("order not looked at", "Which came first is never asked.", late=lambda told, run: False),
    wrong(
        "time first",
        "The reasons are asked for in another order: changed, other run, fitted, too late. A file that was changed "
        "cannot be believed about its time either.",
        order=("too late", "changed", "other run", "fitted"),
    ),
    wrong(
        "time before rows",
        "The time is asked before the rows here: changed, other run, fitted, too late is the order.",
        order=("changed", "other run", "too late", "fitted"),
    ),
    wrong(
        "rows before N and D",
        "The rows are asked before N and D here: changed, other run, fitted, too late is the order.",
        order=("changed", "fitted", "other run", "too late"),
    ),
    wrong("yes or no", "This says whether, and not why. Return the word, or None.", word=lambda why: why is not None),
)
