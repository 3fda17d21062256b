"""Runs: what a file says is read, what it lacks is told with the line, and nothing is dropped in silence."""

import hashlib
import json

import numpy as np
import pytest

from minillm import runs

TABLE = "N,D,loss,seed\n1000,2000,3.5,0\n4000,2000,3.25,1\n4000,8000,3.0,0\n"


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_is_read_with_its_hash(tmp_path):
    path = write(tmp_path, "a.csv", TABLE)
    found = runs.read(path)
    assert len(found) == 3 and found.exclusions == ()
    assert found.N.tolist() == [1000, 4000, 4000] and found.D.tolist() == [2000, 2000, 8000]
    assert found.loss.tolist() == [3.5, 3.25, 3.0] and found["seed"].tolist() == [0, 1, 0]
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.C.tolist() == [12e6, 48e6, 192e6]  # 6 N D


def test_a_spreadsheets_mark_windows_line_ends_and_spaces_are_no_matter(tmp_path):
    text = "\ufeff" + TABLE.replace("\n", "\r\n").replace(",", ", ")
    assert runs.read(write(tmp_path, "a.csv", text)).loss.tolist() == [3.5, 3.25, 3.0]
    mixed = runs.read(write(tmp_path, "b.csv", "loss,C,D,N\n3,1e9,20,10\n2,,30,10\n"))
    assert mixed.C.tolist() == [1e9, 1800] and mixed.N.tolist() == [10, 10]


def test_runs_that_did_not_end_well_are_left_out_and_counted(tmp_path):
    rows = [
        {"N": 10, "D": 20, "loss": 3.0, "status": "done", "C": 7},
        {"N": 10, "D": 30, "loss": None, "status": "failed", "why": "no memory"},
        {"N": 10, "D": 40, "loss": float("nan"), "status": "diverged"},
        {"N": 10, "D": 50, "loss": 2.5},
        {"N": 10, "D": 60, "loss": 9.5, "status": "diverged"},
    ]
    found = runs.read(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n"))
    assert found.D.tolist() == [20, 50] and found.C.tolist() == [7, 3000]
    assert [left["runs"] for left in found.exclusions] == [2, 1]
    assert "'diverged'" in found.exclusions[0]["why"] and "'failed'" in found.exclusions[1]["why"]


def test_what_one_leaves_out_is_kept_with_its_reason(tmp_path):
    found = runs.read(write(tmp_path, "a.csv", TABLE))
    fewer = found.without(found.D < 5000, "a third of the run is warm-up")
    assert fewer.D.tolist() == [8000] and fewer.sha256 == found.sha256 and len(found) == 3
    assert fewer.exclusions == ({"why": "a third of the run is warm-up", "runs": 2},)
    with pytest.raises(ValueError, match="say why"):
        found.without(found.D < 5000, " ")
    with pytest.raises(ValueError, match="shape"):
        found.without([True], "why not")


def test_groups_are_equal_where_all_their_columns_are(tmp_path):
    rows = [
        {"N": 1, "D": d, "loss": 3, "seed": s, "language": {"kind": k}} for d in (1, 2) for s in (0, 1) for k in "ab"
    ]
    found = runs.read(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    numbers = found.groups("seed", "language")
    assert len(set(numbers)) == 4
    for i in range(8):
        for j in range(8):
            same = rows[i]["seed"] == rows[j]["seed"] and rows[i]["language"] == rows[j]["language"]
            assert (numbers[i] == numbers[j]) == same
    assert found.has("seed") and not found.has("width")


@pytest.mark.parametrize(
    "name, text, sentence",
    [
        ("a.csv", "", "a.csv has no column 'N'"),
        ("a.csv", "N,D\n1,2\n", "a.csv has no column 'loss'"),
        ("a.csv", "N,D,loss\n", "a.csv holds no finished run"),
        ("a.csv", "N,D,loss\n1,2,3\n1,2\n", "a.csv, line 3: 3 columns were expected"),
        ("a.csv", "N,D,loss\n1,2,3,4\n", "a.csv, line 2: 3 columns were expected"),
        ("a.csv", "N,D,loss\n1,2,three\n", "a.csv, line 2: loss is 'three', but must be a number"),
        ("a.csv", "N,D,loss\n1,2,3\n1,2,nan\n", "a.csv, line 3: loss is nan, but must be a number above 0"),
        ("a.csv", "N,D,loss\n1,inf,3\n", "a.csv, line 2: D is inf"),
        ("a.csv", "N,D,loss\n-1,2,3\n", "a.csv, line 2: N is -1"),
        ("a.csv", "N,D,loss,C\n1,2,3,0\n", "a.csv, line 2: C is 0"),
        ("a.csv", b"\xff\xfe\x00", "a.csv is no text in UTF-8"),
        ("a.jsonl", '{"N": 1}\n', "a.jsonl, line 1: D is None"),
        ("a.jsonl", '{"N": true, "D": 1, "loss": 1}\n', "a.jsonl, line 1: N is True"),
        ("a.jsonl", '{"N": 1, "D": 2, "loss": 3}\n{"N": 1,', "a.jsonl, line 2: this is no JSON"),
        ("a.jsonl", "[1, 2, 3]\n", "a.jsonl, line 1: a run is an object"),
        ("a.jsonl", '{"status": "failed"}\n', "holds no finished run"),
    ],
)
def test_what_is_no_table_of_runs_is_refused_with_its_line(tmp_path, name, text, sentence):
    with pytest.raises(ValueError) as refusal:
        runs.read(write(tmp_path, name, text))
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_columns_are_float64_whatever_they_were():
    N, D = runs.columns(N=np.array([[1, 2], [3, 4]], np.int32), D=[2**62, 2**80, 3, 4.5])
    assert N.dtype == D.dtype == np.float64 and N.shape == D.shape == (4,) and D[1] == 2.0**80
