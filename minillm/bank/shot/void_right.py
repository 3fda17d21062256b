"""Right answers to `void`, written in other ways than ours."""

import copy
import datetime
import hashlib
import json


def with_a_copy(registration, run):
    """A copy without the hash, an encoder, and times as seconds."""
    body = copy.deepcopy(registration)
    stamp = body.pop("sha256")
    data = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode(body).encode("utf-8")
    seconds = lambda text: datetime.datetime.fromisoformat(text).timestamp()
    if stamp != hashlib.sha256(data).hexdigest():
        return "changed"
    elif body["N"] != run["N"] or body["D"] != run["D"]:
        return "other run"
    elif any(row == [run[key] for key in ("N", "D", "loss")] for row in body["data"]["rows"]):
        return "fitted"
    elif not seconds(body["registered"]) < seconds(run["finished"]):
        return "too late"


def as_a_table(registration, run):
    """All four answers, and the first that is true."""
    rest = dict(registration)
    del rest["sha256"]
    ordered = json.dumps({key: rest[key] for key in sorted(rest)}, separators=(",", ":"), sort_keys=True)
    begun = datetime.datetime.fromisoformat(registration["registered"]).astimezone(datetime.UTC)
    ended = datetime.datetime.fromisoformat(run["finished"]).astimezone(datetime.UTC)
    tests = {
        "changed": hashlib.sha256(bytes(ordered, "ascii")).hexdigest() != registration["sha256"],
        "other run": abs(run["N"] / rest["N"] - 1) > 1e-9 or abs(run["D"] / rest["D"] - 1) > 1e-9,
        "fitted": (run["N"], run["D"], run["loss"]) in {tuple(row) for row in rest["data"]["rows"]},
        "too late": ended <= begun,
    }
    return next((why for why, holds in tests.items() if holds), None)


ANSWERS = (("a copy without the hash", with_a_copy), ("a table of four answers", as_a_table))
