"""A file is complete or absent, and what was there before stays until the new one is."""

import os

import pytest

from minillm import atomic


def test_the_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "a.txt"
    with atomic.writing(path, "w") as f:
        f.write("é\n")
        assert not path.exists()
    assert path.read_bytes() == "é\n".encode() and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_whatever_goes_wrong_the_old_file_stays_whole_and_nothing_else_is_left(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic.writing(path) as f:
        f.write(b"new, but not all of it")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.bin"]


def test_a_disk_that_fills_up_at_the_very_end_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), atomic.writing(path) as f:
        f.write(b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.bin"]
