"""Right answers to rotary, each written in another way: none of them may be refused."""

import numpy as np


def angles_of(x, positions, base):
    """The angles, (..., T, K/2), that fit to half of x."""
    half = x.shape[-1] // 2
    speeds = float(base) ** (-2 * np.arange(half) / x.shape[-1])
    angles = positions[..., None] * speeds
    if positions.ndim == 2:
        angles = angles.reshape(len(positions), *(1,) * (x.ndim - 3), *angles.shape[1:])
    return angles


def complex_numbers(x, *, positions, base=10_000):
    """A pair is one complex number, and turning is a multiplication."""
    half = x.shape[-1] // 2
    turn = np.exp(1j * angles_of(x, positions, base))

    def times(z, factor):
        z = (z[..., :half] + 1j * z[..., half:]) * factor
        return np.concatenate([z.real, z.imag], axis=-1).astype(x.dtype)

    return times(x, turn), lambda dy: times(dy, turn.conj())


def halves_exchanged(x, *, positions, base=10_000):
    """x cos + (x with its halves exchanged and one negated) sin, as in many libraries."""
    half = x.shape[-1] // 2
    angles = angles_of(x, positions, base)
    cos, sin = (np.concatenate([f(angles)] * 2, axis=-1) for f in (np.cos, np.sin))

    def backward(dy):
        s = dy * sin
        return dy * cos + np.concatenate([s[..., half:], -s[..., :half]], axis=-1)

    return x * cos + np.concatenate([-x[..., half:], x[..., :half]], axis=-1) * sin, backward


def matrices(x, *, positions, base=10_000):
    """A matrix of two by two for each pair; on the way back its transpose."""
    half = x.shape[-1] // 2
    angles = angles_of(x, positions, base)
    cos, sin = np.cos(angles), np.sin(angles)
    m = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)  # (..., T, K/2, 2, 2)

    def turned(z, m):
        pairs = np.stack([z[..., :half], z[..., half:]], axis=-1)[..., None]
        y = np.broadcast_to(m, (*pairs.shape[:-2], 2, 2)) @ pairs
        return np.concatenate([y[..., 0, 0], y[..., 1, 0]], axis=-1)

    return turned(x, m), lambda dy: turned(dy, m.swapaxes(-1, -2))


def in_loops(x, *, positions, base=10_000):
    """One pair at a time, there and back."""
    K = x.shape[-1]

    def turned(z, sign):
        y = np.empty_like(z)
        for *n, t, i in np.ndindex(*z.shape[:-1], K // 2):
            p = positions[t] if positions.ndim == 1 else positions[n[0], t]
            a = sign * p * base ** (-2 * i / K)
            one, two = z[*n, t, i], z[*n, t, i + K // 2]
            y[*n, t, i], y[*n, t, i + K // 2] = one * np.cos(a) - two * np.sin(a), two * np.cos(a) + one * np.sin(a)
        return y

    return turned(x, 1), lambda dy: turned(dy, -1)


ANSWERS = (
    ("complex numbers", complex_numbers),
    ("halves exchanged", halves_exchanged),
    ("a matrix for each pair", matrices),
    ("loops", in_loops),
)
