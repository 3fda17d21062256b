"""Right answers to attend_next, each written in another way: none of them may be refused."""

import numpy as np

from ... import layers


def with_the_librarys_attention(x, w_q, w_k, w_v, keys, values):
    """layers.attention on a batch of one sequence with one head: causal, and the query is the last position."""
    n = len(keys)
    q, k, v = (np.array([[[x @ w]]]) for w in (w_q, w_k, w_v))  # (1, 1, 1, K)
    q, _ = layers.rotary(q, positions=np.array([n]))
    k, _ = layers.rotary(k, positions=np.array([n]))
    keys, values = np.vstack([keys, k[0, 0]]), np.vstack([values, v[0, 0]])
    y, _ = layers.attention(q, keys[None, None], values[None, None], causal=True)
    return y[0, 0, 0], keys, values


def turned_by_hand(x, w_q, w_k, w_v, keys, values):
    """A rotation of its own, and an einsum."""
    n, K = keys.shape
    angles = n * 10_000.0 ** (-2 * np.arange(K // 2) / K)

    def turn(z):
        left, right = np.split(z, 2)
        return np.r_[left * np.cos(angles) - right * np.sin(angles), right * np.cos(angles) + left * np.sin(angles)]

    keys = np.append(keys, turn(w_k.T @ x)[None], axis=0)
    values = np.append(values, (w_v.T @ x)[None], axis=0)
    scores = np.einsum("k,sk->s", turn(w_q.T @ x), keys) * K**-0.5
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    return np.einsum("s,sk->k", shares, values), keys, values


def token_by_token(x, w_q, w_k, w_v, keys, values):
    """Room for one more row, and a loop over what came before."""
    n, K = keys.shape
    room, more = np.empty((n + 1, K)), np.empty((n + 1, K))
    room[:n], more[:n] = keys, values
    both, _ = layers.rotary(np.stack([x @ w_q, x @ w_k])[:, None], positions=np.array([n]))
    q, room[n], more[n] = both[0, 0], both[1, 0], x @ w_v
    scores = [q.dot(key) / np.sqrt(K) for key in room]
    e = [np.exp(score - max(scores)) for score in scores]
    y = np.zeros(K)
    for share, value in zip(e, more, strict=True):
        y += share / sum(e) * value
    return y, room, more


ANSWERS = (
    ("the library's attention", with_the_librarys_attention),
    ("a rotation of its own", turned_by_hand),
    ("token by token", token_by_token),
)
