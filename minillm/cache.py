"""The KV cache: keys and values of the positions read so far, so that each token is computed once."""

from .backend import array_module


class Cache:
    """What a model remembers of a sequence while it writes; gpt(..., cache=cache) reads and extends it."""

    def __init__(self):
        self._layers = []

    @property
    def length(self):
        """How many positions it holds."""
        return self._layers[0].length if self._layers else 0

    @property
    def batch_size(self):
        """How many sequences it remembers."""
        return self._layers[0].k.shape[0] if self.length else 0

    def layer(self, i):
        """The memory of block i, made when it is first asked for."""
        while len(self._layers) <= i:
            self._layers.append(LayerCache())
        return self._layers[i]


class LayerCache:
    """Keys and values of one block, in arrays that double when they are full."""

    def __init__(self):
        self.length = 0
        self.k = self.v = None

    def extend(self, k, v):
        """Append k and v (B, H, T, K); returns all so far, (B, H, S, K), as views that later calls may extend."""
        start, end = self.length, self.length + k.shape[2]
        self.k, self.v = grown(self.k, k, start, end), grown(self.v, v, start, end)
        self.k[:, :, start:end], self.v[:, :, start:end] = k, v
        self.length = end
        return self.k[:, :, :end], self.v[:, :, :end]


def grown(store, new, start, end):
    """A store with room for `end` positions that keeps its first `start`."""
    if store is not None and store.shape[2] >= end:
        return store
    B, H, _, K = new.shape
    room = array_module(new).empty((B, H, max(end, 2 * start), K), new.dtype)
    if store is not None:
        room[:, :, :start] = store[:, :, :start]
    return room
