"""parcel.py: what comes back is what was sent, and it is never code."""

import json

import numpy as np
import pytest

from minillm.grader import parcel
from minillm.grader.exercise import Row, Sighting
from minillm.grader.guard import Trouble


def sent(value):
    return parcel.unpack(json.loads(json.dumps(parcel.pack(value))))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "bool", ">f4"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 4)])
def test_an_array_arrives_to_the_last_bit(rng, dtype, shape):
    array = np.asarray(rng.normal(size=shape)).astype(dtype)
    if array.dtype.kind == "f" and array.size:
        array[(0,) * array.ndim] = np.nan
    for view in (array, array.T, array[..., ::-1] if shape else array):
        got = sent(view)
        assert (got.dtype, got.shape) == (view.dtype, view.shape)
        assert got.tobytes() == view.tobytes()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -0.5,
        float("inf"),
        "text\nof two lines",
        ...,
        [1, (2, [3]), {}],
        {"A": ..., 4: {"x": (1,)}, None: "?"},
        Row("y", 1.0, 0.0, "FAIL", "wrong", "a name"),
        Sighting({"y": [Trouble("timeout", "was stopped")]}, ("it printed",), True),
        ([Row("y", 1.0, 1.0, "ok")], []),
    ],
    ids=repr,
)
def test_values_arrive_as_they_are(value):
    assert sent(value) == value and type(sent(value)) is type(value)


KINDS = {"built in": max, "object": object(), "set": {1, 2}, "bytes": b"code", "array": np.array([max]), "complex": 2j}
KINDS["function"] = lambda: 0


@pytest.mark.parametrize("value", KINDS.values(), ids=KINDS)
def test_of_anything_else_only_the_name_of_its_type_arrives(value):
    got = sent([value])[0]
    assert type(got).__name__ == type(value).__name__ and not callable(got) and vars(got) == {}


def test_a_number_of_numpys_arrives_as_a_number():
    assert sent(np.float32(0.5)) == 0.5 and sent(np.int64(3)) == 3


def test_a_class_that_claims_to_be_ours_is_not_taken_for_it():
    class Row:
        check = "forged"

    assert type(sent(Row())).__module__ != "minillm.grader.exercise"


@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"array": ["<f8", [2], ""]},
        {"array": ["O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [-1, -1], "AAAAAAAAAAA="]},
        {"array": [3]},
        {"dict": [[{"list": []}, 1]]},
        {"dict": 5},
        {"Row": ["y"]},
        {"Popen": ["ls"]},
        {"__import__": ["os"]},
        {"list": [], "tuple": []},
        [1],
    ],
    ids=str,
)
def test_what_was_not_packed_is_refused(packed):
    with pytest.raises(ValueError, match="not what was packed"):
        parcel.unpack(packed)


def test_text_is_fit_for_a_terminal():
    assert parcel.plain("\x1b[2J\x07ä\n汉\u202e") == "\\x1b[2J\\x07ä\n汉\\u202e"
    assert parcel.plain("a" * 1000) == "a" * 400 + " ..."
    assert sent({"\x1b": ["\x1b"]}) == {"\\x1b": ["\\x1b"]}
