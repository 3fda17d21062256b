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
        "the hash in the hash",
        "The hash itself is hashed too, and it cannot know itself. It is of the rest, without its own key.",
        changed=hashed(text_of),
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
        "times as text",
        "The times are compared letter by letter. With two time zones, 12:30 in one can be earlier than 12:00 in the "
        "other.",
        late=lambda told, run: run["finished"] <= told["registered"],
    ),
    wrong(
        "time zone cut off",
        "The time zones are cut off, so clocks of different zones are compared as if they were one.",
        late=lambda told, run: time(run["finished"][:19]) <= time(told["registered"][:19]),
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
    wrong("yes or no", "This says whether, and not why. Return the word, or None.", word=lambda why: why is not None),
)
