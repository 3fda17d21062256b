"""void: what it is asked, and what each part is worth."""

import datetime
import hashlib
import json

from ...grader.exercise import Part
from ...grader.values import Question, Values
from . import void_right, void_wrong

UTC, PARIS, DENVER = (datetime.timezone(datetime.timedelta(hours=h)) for h in (0, 1, -7))


def void(registration, run):
    """Why a registered prediction does not count for this run, or None if it does.

    "changed" if its "sha256" is not that of the rest: of json.dumps(rest, sort_keys=True, separators=(",", ":")) in
    UTF-8; "other run" if N or D differ; "fitted" if the run's [N, D, loss] is among its rows; "too late" if the run
    had "finished" when it was "registered" (ISO 8601, each with its time zone), or at that moment.  The first.
    """
    rest = {key: value for key, value in registration.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(text.encode()).hexdigest() != registration["sha256"]:
        return "changed"
    if (run["N"], run["D"]) != (registration["N"], registration["D"]):
        return "other run"
    if [run["N"], run["D"], run["loss"]] in registration["data"]["rows"]:
        return "fitted"
    finished, registered = (
        datetime.datetime.fromisoformat(text) for text in (run["finished"], registration["registered"])
    )
    return "too late" if finished <= registered else None


def written_out(value):
    """A value in the one way that is hashed, without the json module: for strings of ASCII and of Greek letters."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{written_out(value[key])}' for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written_out, value)) + "]"
    return f'"{value.encode("ascii", "backslashreplace").decode()}"' if isinstance(value, str) else repr(value)


def step_by_step(registration, run):
    """The same, with the text written by hand and the times as seconds."""
    digest = hashlib.new("sha256")
    digest.update(written_out({key: registration[key] for key in registration if key != "sha256"}).encode("utf-8"))
    why = []
    if digest.hexdigest() != registration["sha256"]:
        why.append("changed")
    if any(run[name] != registration[name] for name in ("N", "D")):
        why.append("other run")
    if any(list(row) == [run["N"], run["D"], run["loss"]] for row in registration["data"]["rows"]):
        why.append("fitted")
    seconds = [datetime.datetime.fromisoformat(a).timestamp() for a in (registration["registered"], run["finished"])]
    if seconds[1] - seconds[0] <= 0:
        why.append("too late")
    return why[0] if why else None


def seal(body):
    """A registration with its hash, at the end as it is written."""
    return body | {"sha256": hashlib.sha256(written_out(body).encode()).hexdigest()}


SHOWN = {"hash": (), "run": ("N", "D", "loss", "data"), "order": ("registered", "finished")}  # (): all of them


def ask(
    part,
    *,
    more=None,
    change=None,
    run=None,
    label="",
    at="2026-03-01T12:00:00+00:00",
    loss=2.36,
    N=98944.0,
    D=2097152.0,
):
    """A registration, perhaps with more in it, or changed after it was sealed, and a run that ended two days later."""
    rows = [[6304.0, 131072.0, 2.88], [14064.0, 262144.0, 2.62]]
    body = {"registered": at, "N": N, "D": D, "median": 2.35, "intervals": {"95": [2.32, 2.39]}, "data": {"rows": rows}}
    told = seal(body | (more or {}))
    after = datetime.datetime.fromisoformat(at) + datetime.timedelta(days=2, hours=1)
    given = {
        "registration": told | (change or {}),
        "run": {"N": N, "D": D, "loss": loss, "finished": after.isoformat()} | (run or {}),
    }
    keys = {name: SHOWN[part] or tuple(asked) for name, asked in given.items()}
    if part == "run" and "finished" in (run or {}):
        keys = {name: (*of, "registered", "finished") for name, of in keys.items()}
    return Question(part, given, label=label, keys=keys)


def forged(label, seal):
    """A question about a registration with a hash of something else."""
    told = ask("hash").arguments["registration"]
    rest = {key: value for key, value in told.items() if key != "sha256"}
    return ask("hash", change={"sha256": seal(rest)}, label=label)


def digest(text, kind="sha256"):
    """The hash of a text."""
    return hashlib.new(kind, text.encode()).hexdigest()


def other_end(digits):
    """A hash with another last digit."""
    return digits[:-1] + f"{int(digits[-1], 16) ^ 1:x}"


def draw(rng):
    """Registrations of other sizes, times and zones, and what can be wrong with each."""
    for _ in range(3):
        N, D = float(rng.integers(10**4, 10**6)), float(rng.integers(10**5, 10**7))
        day = datetime.datetime(2026, 1, 1, tzinfo=UTC) + datetime.timedelta(minutes=int(rng.integers(0, 500_000)))
        at = day.astimezone([UTC, PARIS, DENVER][int(rng.integers(3))])
        zone = [PARIS, DENVER, UTC][int(rng.integers(3))]
        how = {"N": N, "D": D, "loss": round(float(rng.uniform(1, 3)), 4), "at": at.isoformat()}
        ended = lambda minutes, at=at, zone=zone: {
            "finished": (at + datetime.timedelta(minutes=minutes)).astimezone(zone).isoformat()
        }
        yield ask("hash", **how)
        yield ask("hash", change={"median": round(float(rng.uniform(2, 2.3)), 3)}, **how)
        yield ask("run", run={"N": N + 1}, **how)
        yield ask("run", run={"D": 2 * D}, **how)
        yield ask("order", run=ended(int(rng.integers(1, 400))), **how)
        yield ask("order", run=ended(-int(rng.integers(1, 400))), **how)


NUMBERS = ("N", "D", "median", "intervals")
BEFORE = {"finished": "2026-03-01T11:59:00+00:00"}
WIDER_FIRST = {"intervals": {"95": [2.32, 2.39], "80": [2.33, 2.37]}}
EXERCISE = Values(
    name="void",
    notebook="18_shot",
    answer=void,
    spec=step_by_step,
    parts=(
        Part("hash", 2, "what was changed after it was sealed does not count, and what was not is believed"),
        Part("run", 1.5, "the run is the one that was predicted, and not one of those that were fitted"),
        Part("order", 1.5, "the prediction was there before the run was finished"),
        Part("arguments", 0.5, "what was given is left alone", needs=("hash",)),
    ),
    by_hand=(
        ask("hash", label="as it was sealed"),
        ask("hash", change={"intervals": {"95": [2.32, 2.5]}}, label="the interval was changed"),
        ask("hash", change={"note": "seen"}, label="a note was added"),
        ask("hash", change={"registered": "2026-03-01T11:00:00+00:00"}, label="the time was changed"),
        ask("hash", change={"median": 2.36}, run={"N": 24896.0} | BEFORE, label="all is wrong at once"),
        forged("sealed with the keys as they came", lambda rest: digest(json.dumps(rest, separators=(",", ":")))),
        forged("sealed with spaces", lambda rest: digest(json.dumps(rest, sort_keys=True))),
        forged("sealed as Python writes a dict", lambda rest: digest(str(rest))),
        forged("sealed without time and rows", lambda rest: digest(written_out({key: rest[key] for key in NUMBERS}))),
        forged("sealed by SHA-1", lambda rest: digest(written_out(rest), "sha1")),
        forged("the hash ends in another digit", lambda rest: other_end(digest(written_out(rest)))),
        ask("hash", more=WIDER_FIRST, label="two intervals, 95 before 80"),
        ask("hash", more={"note": "one seed"}, label="with a note of two words, sealed"),
        ask("hash", more={"note": "\u03b1"}, label="with a Greek letter in a note, sealed"),
        ask("run", run={"N": 24896.0, "D": 1048576.0}, label="N and D differ"),
        ask("run", run={"N": 24896.0}, label="N differs"),
        ask("run", run={"N": 98945.0}, label="N differs by one"),
        ask("run", run={"D": 1048576.0}, label="D differs"),
        ask("run", run={"N": 197888.0, "D": 1048576.0}, label="twice the N, half the D"),
        ask("run", N=6304.0, D=131072.0, loss=2.88, label="the run was fitted"),
        ask("run", N=6304.0, D=131072.0, loss=2.87, label="another seed of a run that was fitted"),
        ask("run", N=6304.0, D=131072.0, loss=2.8801, label="another seed, and nearly the same loss"),
        ask("run", N=14064.0, D=262144.0, loss=2.62, label="the run was fitted"),
        ask("run", N=6304.0, D=262144.0, loss=2.62, label="each number stands in a row, in different ones"),
        ask("run", loss=2.88, label="another run was fitted, with the same loss"),
        ask("run", run={"N": 6304.0, "D": 131072.0, "loss": 2.88}, label="another run, and it was fitted"),
        ask("run", run={"D": 1048576.0} | BEFORE, label="D differs, and it is late"),
        ask("run", N=6304.0, D=131072.0, loss=2.88, run=BEFORE, label="it was fitted, and it is late"),
        ask("order", run=BEFORE, label="a minute too late"),
        ask("order", run={"finished": "2026-03-01T12:00:00+00:00"}, label="at the same moment"),
        ask("order", run={"finished": "2026-03-01T12:00:00.400000+00:00"}, label="less than a second later"),
        ask("order", run={"finished": "2026-03-01T12:30:00+01:00"}, label="the run's clock is one hour ahead"),
        ask("order", run={"finished": "2026-03-01T12:00:00+01:00"}, label="the run's clock is one hour ahead"),
        ask("order", run={"finished": "2026-03-01T12:00:00-01:00"}, label="the run's clock is one hour behind"),
        ask("order", run={"finished": "2026-03-01T06:00:00-07:00"}, label="the run's clock is seven hours behind"),
    ),
    draw=draw,
    mistakes=void_wrong.MISTAKES,
    right=void_right.ANSWERS,
    hints=(
        "Four questions in this order, each with an early return: is the hash that of the rest? Are N and D those of "
        "the run? Is the run among the rows? Which came first?",
        'The rest is a new dict of all keys but "sha256". Its text comes from json.dumps with keys sorted and without '
        "spaces; hashlib.sha256(text.encode()).hexdigest() is its hash.",
        "Two times with time zones are compared as times: datetime.datetime.fromisoformat(a) <= "
        "datetime.datetime.fromisoformat(b). As strings they are compared letter by letter.",
    ),
    lines=10,
    minutes=30,
    difficulty=3,
)
