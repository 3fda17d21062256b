"""Parameters are a tree: dicts and lists, with arrays at the leaves."""

import errno
import json
import math
import zipfile

import numpy as np

from . import atomic
from .backend import array_module

# What zipfile and NumPy raise for a file that is no .npz, or a damaged one; RuntimeError where it seems to be encrypted
# or packed in an unknown way, OSError where it points outside of itself.
DAMAGE = (zipfile.BadZipFile, zipfile.zlib.error, KeyError, EOFError, ValueError, TypeError, RuntimeError, OSError)


def leaves(tree, path=""):
    """Yield (path, array) pairs, for example ("blocks.0.attn.w_q", array)."""
    if not isinstance(tree, (dict, list)):
        yield path, tree
        return
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from leaves(value, f"{path}.{key}" if path else str(key))


def map_leaves(f, *trees):
    """A tree of f(a, b, ...) over the matching leaves of trees that have the same shape."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: map_leaves(f, *(tree[key] for tree in trees)) for key in first}
    if isinstance(first, list):
        return [map_leaves(f, *branches) for branches in zip(*trees, strict=True)]
    return f(*trees)


def count(tree):
    """How many numbers the tree holds."""
    return sum(a.size for _, a in leaves(tree))


def build(pairs):
    """The tree whose leaves are these (path, array) pairs: the way back from leaves()."""
    root = {}
    for path, array in pairs:
        *branches, last = path.split(".")
        node = root
        for key in branches:
            node = node.setdefault(key, {})
        node[last] = array
    return _lists(root)


def _lists(node):
    """Dicts whose keys are 0, 1, 2, ... become lists."""
    if not isinstance(node, dict):
        return node
    if node and all(key.isdecimal() for key in node):
        return [_lists(node[str(i)]) for i in range(len(node))]
    return {key: _lists(value) for key, value in node.items()}


def flatten(tree, *, first=None, vector=None):
    """Copy a tree into one vector; returns the vector and a tree of views into it, with the same keys.

    Leaves for which first(path, array) is true come first, so that one slice of the vector holds them all.
    All leaves must have one dtype and live on one device.  vector, if given, is the memory to copy into:
    (count(tree),), of the same dtype.
    """
    order = in_order(tree, first)
    dtypes = {str(a.dtype) for _, a in order}
    if len(dtypes) != 1:
        raise ValueError(f"one vector holds one dtype, but the tree has {', '.join(sorted(dtypes))}; convert it first.")
    if vector is None:
        vector = array_module(order[0][1]).empty(count(tree), order[0][1].dtype)
    views = cut(vector, [(path, a.shape) for path, a in order])
    for path, a in order:
        views[path][...] = a
    return vector, _like(tree, views)


def in_order(tree, first=None):
    """The (path, array) pairs of a tree in the order in which flatten() puts them into its vector."""
    pairs = list(leaves(tree))
    return sorted(pairs, key=lambda pair: not first(*pair)) if first else pairs  # sorted() keeps ties in order


def cut(vector, shapes):
    """Views into a vector, one after the other, by name: {path: view} for (path, shape) pairs."""
    views, start = {}, 0
    for path, shape in shapes:
        size = math.prod(shape)
        views[path] = vector[start : start + size].reshape(shape)
        start += size
    return views


def _like(tree, by_path, path=""):
    """A tree with the keys of `tree` and the leaves of `by_path`."""
    join = lambda key: f"{path}.{key}" if path else str(key)
    if isinstance(tree, dict):
        return {key: _like(value, by_path, join(key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_like(value, by_path, join(key)) for key, value in enumerate(tree)]
    return by_path[path]


def save(path, tree, meta):
    """Write a tree and its description to one .npz file: arrays by path, and `meta` as JSON.  No pickle.

    The file is complete or absent: see atomic.py.
    """
    note = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with atomic.writing(path) as f:
        np.savez(f, meta=note, **{f"tree/{name}": a for name, a in leaves(tree)})


def load(path):
    """Read what save() wrote; returns (tree, meta).  ValueError if the file is cut short or is something else."""
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("no .npz file")
            file.seek(0)
            with np.load(file, allow_pickle=False) as f:
                meta = json.loads(bytes(f["meta"]))
                return build((name.removeprefix("tree/"), f[name]) for name in f.files if name != "meta"), meta
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{path} cannot be read: it is cut short, or is not a minillm file.") from error
