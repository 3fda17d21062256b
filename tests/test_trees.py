"""Trees: every leaf once, in order, there and back, in memory and on disk."""

import os

import numpy as np
import pytest

from minillm import trees


@pytest.fixture
def tree(rng):
    blocks = [{"g": rng.normal(size=4), "w": rng.normal(size=(3, 4))} for _ in range(11)]
    return {"tokens": rng.normal(size=(5, 4)), "blocks": blocks, "norm": {"g": rng.normal(size=4)}}


def same(a, b):
    a, b = list(trees.leaves(a)), list(trees.leaves(b))
    return [p for p, _ in a] == [p for p, _ in b] and all((x == y).all() for (_, x), (_, y) in zip(a, b, strict=True))


def test_leaves_come_in_order_with_paths_that_say_where_they_are(tree):
    paths = [path for path, _ in trees.leaves(tree)]
    assert paths[0] == "tokens" and paths[1:3] == ["blocks.0.g", "blocks.0.w"] and paths[-1] == "norm.g"
    assert len(paths) == len(set(paths)) == 2 * 11 + 2


def test_build_is_the_way_back_from_leaves_also_past_ten_blocks(tree):
    assert same(trees.build(trees.leaves(tree)), tree)


def test_map_leaves_goes_through_several_trees_at_once_and_refuses_unequal_ones(tree):
    doubled = trees.map_leaves(lambda a, b: a + b, tree, tree)
    assert same(doubled, trees.map_leaves(lambda a: 2 * a, tree))
    with pytest.raises(ValueError):
        trees.map_leaves(lambda a, b: a, tree["blocks"], tree["blocks"][:-1])


def test_count_counts_numbers():
    assert trees.count({"a": np.zeros((2, 3)), "b": [np.zeros(5), np.zeros(())]}) == 12


def test_a_flat_vector_and_its_views_are_the_same_memory(tree):
    vector, views = trees.flatten(tree)
    assert same(views, tree) and vector.size == trees.count(tree)
    vector += 1
    assert same(views, trees.map_leaves(lambda a: a + 1, tree))
    views["blocks"][10]["w"][...] = 7
    assert (vector == 7).sum() == 12


def test_the_chosen_leaves_come_first_in_the_vector_and_the_keys_stay_in_order(tree):
    vector, views = trees.flatten(tree, first=lambda path, a: a.ndim >= 2)
    n = sum(a.size for _, a in trees.leaves(tree) if a.ndim >= 2)
    assert same(views, tree)
    assert sorted(vector[:n]) == sorted(np.concatenate([a.ravel() for _, a in trees.leaves(tree) if a.ndim >= 2]))


def test_one_vector_holds_one_dtype(tree):
    tree["norm"]["g"] = tree["norm"]["g"].astype(np.float32)
    with pytest.raises(ValueError, match="float32, float64"):
        trees.flatten(tree)


def test_what_is_saved_is_what_is_loaded(tree, tmp_path):
    tree["half"] = np.arange(3, dtype=np.float16)
    trees.save(tmp_path / "model.npz", tree, {"step": 3, "name": "Ⅷ"})
    back, meta = trees.load(tmp_path / "model.npz")
    assert same(back, tree) and back["half"].dtype == np.float16 and meta == {"step": 3, "name": "Ⅷ"}
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused_in_one_sentence(tree, tmp_path, share):
    trees.save(tmp_path / "model.npz", tree, {})
    whole = (tmp_path / "model.npz").read_bytes()
    (tmp_path / "model.npz").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="model.npz cannot be read: it is cut short"):
        trees.load(tmp_path / "model.npz")


def test_a_file_with_a_changed_byte_is_refused(tree, tmp_path):
    trees.save(tmp_path / "model.npz", tree, {})
    whole = bytearray((tmp_path / "model.npz").read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "model.npz").write_bytes(whole)
    with pytest.raises(ValueError, match="cannot be read"):
        trees.load(tmp_path / "model.npz")


def test_whatever_byte_of_a_file_is_damaged_the_file_is_read_or_refused_in_one_sentence(tmp_path):
    trees.save(tmp_path / "model.npz", {"w": np.zeros(2, np.float32)}, {})
    whole, refused = (tmp_path / "model.npz").read_bytes(), 0
    for place in range(len(whole)):
        for change in (1, 255):
            (tmp_path / "model.npz").write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
            try:
                trees.load(tmp_path / "model.npz")
            except ValueError as error:
                assert "model.npz cannot be read: it is cut short, or is not a minillm file." in str(error)
                refused += 1
    assert refused > len(whole) / 2


def test_one_array_alone_is_no_tree(tmp_path):
    np.save(tmp_path / "train.npy", np.arange(3))
    with pytest.raises(ValueError, match="train.npy cannot be read: .* not a minillm file"):
        trees.load(tmp_path / "train.npy")


@pytest.mark.parametrize("content", [{"meta": np.array([{"a": 1}], dtype=object)}, None])
def test_a_pickle_is_never_opened_and_nobody_is_told_to(tmp_path, content):
    path = tmp_path / "evil.npz"
    np.savez(path, **content) if content else path.write_bytes(b"\x80\x04N.")
    with pytest.raises(ValueError, match="cannot be read") as caught:
        trees.load(path)
    assert "pickle" not in str(caught.value).replace(str(path), "")


def test_a_save_that_fails_leaves_the_old_file_alone(tree, tmp_path, monkeypatch):
    trees.save(tmp_path / "model.npz", tree, {"step": 1})

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        trees.save(tmp_path / "model.npz", tree, {"step": 2})
    assert trees.load(tmp_path / "model.npz")[1] == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
