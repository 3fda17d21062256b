"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import math
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import linalg, stats

from minillm import gpt, layers

# Split and merge.


def split(z, n_head):
    B, T, C = z.shape
    return z.reshape(B, T, n_head, C // n_head).swapaxes(1, 2)


def merge(h):
    B, H, T, K = h.shape
    return h.swapaxes(1, 2).reshape(B, T, H * K)


def split_by_reshape(z, n_head):
    B, T, C = z.shape
    return z.reshape(B, n_head, T, C // n_head)


def split_without_swap(z, n_head):
    B, T, C = z.shape
    return z.reshape(B, T, n_head, C // n_head)


def split_every_nth(z, n_head):
    B, T, C = z.shape
    return z.reshape(B, T, C // n_head, n_head).transpose(0, 3, 1, 2)


def split_swapped_first(z, n_head):
    B, T, C = z.shape
    return z.swapaxes(1, 2).reshape(B, n_head, T, C // n_head)


def split_channels_first(z, n_head):
    B, T, C = z.shape
    return z.swapaxes(1, 2).reshape(B, n_head, C // n_head, T)


def split_number_for_width(z, n_head):
    return z.reshape(*z.shape[:2], -1, n_head).swapaxes(1, 2)


def split_positions(z, n_head):
    return np.stack(np.split(z, n_head, axis=1), axis=1)


def split_heads_before_batch(z, n_head):
    return np.stack(np.split(z, n_head, axis=-1))


def split_heads_last(z, n_head):
    return np.stack(np.split(z, n_head, axis=-1), axis=-1)


def split_folded(z, n_head):
    B, T, C = z.shape
    return split(z, n_head).reshape(B * n_head, T, C // n_head)


def split_sliding(z, n_head):
    K = z.shape[-1] // n_head
    return np.stack([z[:, :, h : h + K] for h in range(n_head)], axis=1)


def split_all_for_all(z, n_head):
    return np.repeat(z[:, None], n_head, axis=1)


def split_with_way_back(z, n_head):
    return split(z, n_head), merge


def split_slices(z, n_head):
    K = z.shape[2] // n_head
    y = np.empty((z.shape[0], n_head, z.shape[1], K), dtype=z.dtype)
    for h in range(n_head):
        y[:, h] = z[..., h * K : (h + 1) * K]
    return y


def split_stack(z, n_head):
    return np.stack(np.split(z, n_head, axis=2), axis=1)


def split_lists(z, n_head):
    K = z.shape[-1] // n_head
    return np.array([[[row[h * K :][:K] for row in text] for h in range(n_head)] for text in z.tolist()])


def split_einsum(z, n_head):
    C = z.shape[-1]
    pick = np.eye(C).reshape(C, n_head, C // n_head)
    return np.einsum("btc,chk->bhtk", z, pick)


def split_strides(z, n_head):
    B, T, C = z.shape
    K = C // n_head
    b, t, c = z.strides
    return as_strided(z, (B, n_head, T, K), (b, K * c, t, c)).copy()


def split_index(z, n_head):
    channels = np.arange(z.shape[-1]).reshape(n_head, 1, -1)
    return z[:, np.arange(z.shape[1])[:, None], channels]


def merge_by_reshape(h):
    B, H, T, K = h.shape
    return h.reshape(B, T, H * K)


def merge_channels_first(h):
    B, H, T, K = h.shape
    return h.transpose(0, 2, 3, 1).reshape(B, T, H * K)


def merge_sum(h):
    return h.sum(1)


def merge_mean(h):
    return h.mean(axis=1)


def merge_batch(h):
    return np.concatenate(h, axis=-1)


def merge_along_positions(h):
    return np.concatenate([h[:, i] for i in range(h.shape[1])], axis=1)


def merge_swap_only(h):
    return h.swapaxes(1, 2)


def merge_positions_first(h):
    B, H, T, K = h.shape
    return h.transpose(2, 0, 1, 3).reshape(T, B, H * K)


def merge_wrong_swap(h):
    B, H, T, K = h.shape
    return h.swapaxes(2, 3).reshape(B, T, H * K)


def merge_wrong_names(h):
    B, T, H, K = h.shape
    return h.swapaxes(1, 2).reshape(B, T, H * K)


def merge_last_first(h):
    return np.concatenate([h[:, i] for i in reversed(range(h.shape[1]))], axis=-1)


def merge_concatenate(h):
    return np.concatenate([h[:, i] for i in range(h.shape[1])], axis=-1)


def merge_transpose(h):
    return np.reshape(np.transpose(h, (0, 2, 1, 3)), (h.shape[0], h.shape[2], -1))


def merge_lists(h):
    out = [[[z for head in text for z in head[t]] for t in range(h.shape[2])] for text in h.tolist()]
    return np.array(out)


def merge_einsum(h):
    H, K = h.shape[1], h.shape[3]
    return np.einsum("bhtk,hkc->btc", h, np.eye(H * K).reshape(H, K, H * K))


def merge_number_by_number(h):
    B, H, T, K = h.shape
    y = np.zeros((B, T, H * K), h.dtype)
    for b, i, t, j in np.ndindex(B, H, T, K):
        y[b, t, i * K + j] = h[b, i, t, j]
    return y


def merge_sequence_by_sequence(h):
    return np.stack([np.hstack(list(text)) for text in h])


# Rotary.  A wrong answer has what it does not change from `angles` and `turn`.


def angles(x, positions, base):
    K = x.shape[-1]
    theta = positions[..., None] * base ** (-2.0 * np.arange(K // 2) / K)
    while positions.ndim == 2 and theta.ndim < x.ndim:
        theta = theta[:, None]
    return theta


def turn(x, theta):
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * np.cos(theta) - b * np.sin(theta), b * np.cos(theta) + a * np.sin(theta)], axis=-1)


def turned_by(change):
    """A rotary whose angles go through change(theta, x, positions, base) first."""

    def rotary(x, *, positions, base=10_000):
        theta = change(angles(x, positions, base), x, positions, base)
        return turn(x, theta), lambda dy: turn(dy, -theta)

    return rotary


def turned_back_by(back):
    """A rotary whose way back is back(dy, theta)."""

    def rotary(x, *, positions, base=10_000):
        theta = angles(x, positions, base)
        return turn(x, theta), lambda dy: back(dy, theta)

    return rotary


other_way = turned_by(lambda theta, x, positions, base: -theta)
degrees = turned_by(lambda theta, x, positions, base: np.deg2rad(theta))
own_base = turned_by(lambda theta, x, positions, base: angles(x, positions, 10_000))
own_positions = turned_by(lambda theta, x, positions, base: angles(x, np.arange(x.shape[-2]), base))
from_zero = turned_by(lambda theta, x, positions, base: angles(x, positions - positions[..., :1], base))
from_one = turned_by(lambda theta, x, positions, base: angles(x, positions + 1, base))
first_for_all = turned_by(
    lambda theta, x, positions, base: angles(x, positions if positions.ndim == 1 else positions[0], base)
)
without_two = turned_by(lambda theta, x, positions, base: angles(x, positions, base**0.5))
half_for_width = turned_by(lambda theta, x, positions, base: angles(x, positions, base**2))
plus_for_minus = turned_by(lambda theta, x, positions, base: angles(x, positions, 1 / base))
one_speed = turned_by(lambda theta, x, positions, base: angles(x, positions, 1))
same_way = turned_back_by(turn)
not_back = turned_back_by(lambda dy, theta: dy)
cosine_only = turned_back_by(lambda dy, theta: dy * np.cos(np.concatenate([theta, theta], axis=-1)))


def counted_from_one(x, *, positions, base=10_000):
    K = x.shape[-1]
    theta = angles(x, positions, base) * base ** (-2 / K)
    return turn(x, theta), lambda dy: turn(dy, -theta)


def whole_division(x, *, positions, base=10_000):
    K = x.shape[-1]
    theta = (
        angles(x, positions, base) / base ** (-2 * np.arange(K // 2) / K) * base ** (-2 * np.arange(K // 2) // K * 1.0)
    )
    return turn(x, theta), lambda dy: turn(dy, -theta)


def neighbours(x, *, positions, base=10_000):
    theta = angles(x, positions, base)

    def turn_neighbours(z, theta):
        y = np.empty(z.shape)
        y[..., ::2] = z[..., ::2] * np.cos(theta) - z[..., 1::2] * np.sin(theta)
        y[..., 1::2] = z[..., 1::2] * np.cos(theta) + z[..., ::2] * np.sin(theta)
        return y

    return turn_neighbours(x, theta), lambda dy: turn_neighbours(dy, -theta)


def halves_with_repeated_angles(x, *, positions, base=10_000):
    theta = np.repeat(angles(x, positions, base), 2, axis=-1)

    def other_half(z):
        a, b = np.split(z, 2, axis=-1)
        return np.concatenate([-b, a], axis=-1)

    def backward(dy):
        return dy * np.cos(theta) - other_half(dy * np.sin(theta))

    return x * np.cos(theta) + other_half(x) * np.sin(theta), backward


def already_turned(x, *, positions, base=10_000):
    def turn_in_steps(z, theta):
        y, half = z.copy(), z.shape[-1] // 2
        y[..., :half] = y[..., :half] * np.cos(theta) - y[..., half:] * np.sin(theta)
        y[..., half:] = y[..., half:] * np.cos(theta) + y[..., :half] * np.sin(theta)
        return y

    theta = angles(x, positions, base)
    return turn_in_steps(x, theta), lambda dy: turn_in_steps(dy, -theta)


def two_pluses(x, *, positions, base=10_000):
    theta = angles(x, positions, base)

    def mix(z):
        a, b = np.split(z, 2, axis=-1)
        return np.concatenate([a * np.cos(theta) + b * np.sin(theta), b * np.cos(theta) + a * np.sin(theta)], axis=-1)

    return mix(x), mix


def aligned_from_the_right(x, *, positions, base=10_000):
    theta = positions[..., None] * base ** (-2.0 * np.arange(x.shape[-1] // 2) / x.shape[-1])
    return turn(x, theta), lambda dy: turn(dy, -theta)


def one_axis_more(x, *, positions, base=10_000):
    theta = positions[..., None] * base ** (-2.0 * np.arange(x.shape[-1] // 2) / x.shape[-1])
    if positions.ndim == 2:
        theta = theta[:, None]
    return turn(x, theta), lambda dy: turn(dy, -theta)


def x_in_place(x, *, positions, base=10_000):
    theta = angles(x, positions, base)
    x[:] = turn(x, theta)
    return x, lambda dy: turn(dy, -theta)


def views_of_x(x, *, positions, base=10_000):
    theta = angles(x, positions, base)
    a, b = np.split(x, 2, axis=-1)
    old = a.copy()
    a *= np.cos(theta)
    a -= b * np.sin(theta)
    b *= np.cos(theta)
    b += old * np.sin(theta)
    return x.copy(), lambda dy: turn(dy, -theta)


def dy_in_place(x, *, positions, base=10_000):
    theta = angles(x, positions, base)

    def backward(dy):
        dy[...] = turn(dy, -theta)
        return dy

    return turn(x, theta), backward


def gradient_for_positions(x, *, positions, base=10_000):
    theta = angles(x, positions, base)
    return turn(x, theta), lambda dy: (turn(dy, -theta), None)


def halves(x, *, positions, base=10_000):
    K = x.shape[-1]
    theta = positions[..., None] * base ** (-2 * np.arange(K // 2) / K)
    if positions.ndim == 2:
        theta = theta.reshape(len(theta), *[1] * (x.ndim - 3), *theta.shape[1:])
    cos, sin = np.cos(theta), np.sin(theta)

    def backward(dy):
        da, db = dy[..., : K // 2], dy[..., K // 2 :]
        return np.concatenate([da * cos + db * sin, db * cos - da * sin], axis=-1)

    a, b = x[..., : K // 2], x[..., K // 2 :]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1), backward


def complex_numbers(x, *, positions, base=10_000):
    half = x.shape[-1] // 2
    hand = np.exp(1j * angles(x, positions, base))

    def times(z, hand):
        w = (z[..., :half] + 1j * z[..., half:]) * hand
        return np.concatenate([w.real, w.imag], axis=-1)

    return times(x, hand), lambda dy: times(dy, hand.conj())


def half_turned(x, *, positions, base=10_000):
    theta = np.tile(angles(x, positions, base), 2)
    half = x.shape[-1] // 2
    sign = np.repeat([-1.0, 1.0], half)
    other = lambda z: sign * np.roll(z, half, axis=-1)
    return np.cos(theta) * x + np.sin(theta) * other(x), lambda dy: np.cos(theta) * dy - other(np.sin(theta) * dy)


def matrices_of_two(x, *, positions, base=10_000):
    theta = angles(x, positions, base)
    R = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])  # (2, 2, ..., T, K/2)
    pairs = lambda z: np.array(np.split(z, 2, axis=-1))
    join = lambda z: np.concatenate(list(z), axis=-1)
    there = join(np.einsum("ij...,j...->i...", R, pairs(x)))
    return there, lambda dy: join(np.einsum("ij...,i...->j...", R, pairs(dy)))


def a_matrix_for_each_position(x, *, positions, base=10_000):
    theta = angles(x, positions, base)
    half = theta.shape[-1]
    C, S = np.cos(theta)[..., None] * np.eye(half), np.sin(theta)[..., None] * np.eye(half)
    M = np.concatenate([np.concatenate([C, -S], axis=-1), np.concatenate([S, C], axis=-1)], axis=-2)
    return (M @ x[..., None])[..., 0], lambda dy: (M.swapaxes(-1, -2) @ dy[..., None])[..., 0]


def skewed(x, *, positions, base=10_000):
    half = x.shape[-1] // 2
    A = np.zeros((2 * half, 2 * half))
    A[np.arange(half), np.arange(half) + half] = [-math.exp(-math.log(base) * i / half) for i in range(half)]
    A = A - A.T
    R = np.array([linalg.expm(p * A) for p in positions.ravel()])
    R = R.reshape(positions.shape + A.shape)
    while positions.ndim == 2 and R.ndim < x.ndim + 1:
        R = R[:, None]
    return np.einsum("...ij,...j->...i", R, x), lambda dy: np.einsum("...ij,...i->...j", R, dy)


def number_by_number(x, *, positions, base=10_000):
    half = x.shape[-1] // 2

    def turned(z, sign):
        y = np.zeros(z.shape)
        for place in np.ndindex(z.shape[:-1]):
            p = positions[place[-1]] if positions.ndim == 1 else positions[place[0], place[-1]]
            for i in range(half):
                angle = sign * float(p) / float(base) ** (i / half)
                a, b = z[(*place, i)], z[(*place, i + half)]
                y[(*place, i)] = a * math.cos(angle) - b * math.sin(angle)
                y[(*place, i + half)] = b * math.cos(angle) + a * math.sin(angle)
        return y

    return turned(x, 1), lambda dy: turned(dy, -1)


# Dropout.


def checked(rate):
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: the rate is {rate}, but it must be at least 0 and below 1.")


def masked_by(draw):
    """A dropout whose mask comes from draw(x, rate, rng)."""

    def dropout(x, *, rate, rng):
        checked(rate)
        if rate == 0:
            return x.copy(), lambda dy: dy.copy()
        mask = draw(x, rate, rng)
        return x * mask, lambda dy: dy * mask

    return dropout


plain_mask = masked_by(lambda x, rate, rng: (rng.random(x.shape) >= rate) / (1 - rate))
kept_for_dropped = masked_by(lambda x, rate, rng: (rng.random(x.shape) < rate) / (1 - rate))
kept_for_dropped_and_small = masked_by(lambda x, rate, rng: rng.random(x.shape) < rate)
kept_for_dropped_over_rate = masked_by(lambda x, rate, rng: (rng.random(x.shape) < rate) / rate)
not_grown = masked_by(lambda x, rate, rng: rng.random(x.shape) >= rate)
shrunk = masked_by(lambda x, rate, rng: (rng.random(x.shape) >= rate) * (1 - rate))
over_the_rate = masked_by(lambda x, rate, rng: (rng.random(x.shape) >= rate) / rate)
whole_channels = masked_by(lambda x, rate, rng: (rng.random(x.shape[-1]) >= rate) / (1 - rate))
whole_rows = masked_by(lambda x, rate, rng: (rng.random((*x.shape[:-1], 1)) >= rate) / (1 - rate))
all_or_nothing = masked_by(lambda x, rate, rng: float(rng.random() >= rate) / (1 - rate))
half_always = masked_by(lambda x, rate, rng: rng.integers(0, 2, x.shape) / (1 - rate))
bell = masked_by(lambda x, rate, rng: (rng.standard_normal(x.shape) >= rate) / (1 - rate))
own_generator = masked_by(lambda x, rate, rng: (np.random.default_rng().random(x.shape) >= rate) / (1 - rate))
own_seed = masked_by(lambda x, rate, rng: (np.random.default_rng(0).random(x.shape) >= rate) / (1 - rate))
noise = masked_by(lambda x, rate, rng: 1 + rng.standard_normal(x.shape) * math.sqrt(rate / (1 - rate)))


def exact_number(x, rate, rng):
    mask = np.ones(x.size)
    mask[rng.permutation(x.size)[: round(rate * x.size)]] = 0
    return mask.reshape(x.shape) / (1 - rate)


def own_mean(x, rate, rng):
    mask = rng.random(x.shape) >= rate
    return mask / max(mask.mean(), 1e-9)


exact_number, own_mean = masked_by(exact_number), masked_by(own_mean)


def new_mask(x, *, rate, rng):
    checked(rate)
    draw = lambda: 1.0 if rate == 0 else (rng.random(x.shape) >= rate) / (1 - rate)
    return x * draw(), lambda dy: dy * draw()


def not_grown_back(x, *, rate, rng):
    checked(rate)
    mask = np.ones(x.shape) if rate == 0 else rng.random(x.shape) >= rate
    return x * mask / (1 - rate), lambda dy: dy * mask


def grown_but_not_masked_back(x, *, rate, rng):
    checked(rate)
    mask = np.ones(x.shape) if rate == 0 else rng.random(x.shape) >= rate
    return x * mask / (1 - rate), lambda dy: dy / (1 - rate)


def dy_as_it_is(x, *, rate, rng):
    return plain_mask(x, rate=rate, rng=rng)[0], lambda dy: dy


def grown_twice_back(x, *, rate, rng):
    y, back = plain_mask(x, rate=rate, rng=rng)
    return y, lambda dy: back(dy) / (1 - rate)


def mask_from_y(x, *, rate, rng):
    y, _ = plain_mask(x, rate=rate, rng=rng)
    return y, lambda dy: dy * (y != 0) / (1 - rate)


def mask_by_quotient(x, *, rate, rng):
    y, _ = plain_mask(x, rate=rate, rng=rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        mask = np.nan_to_num(y / x)
    return y, lambda dy: dy * mask


def no_check(x, *, rate, rng):
    if rate == 0:
        return x, lambda dy: dy
    mask = (rng.random(x.shape) >= rate) / (1 - rate)
    return x * mask, lambda dy: dy * mask


def one_is_allowed(x, *, rate, rng):
    if rate < 0 or rate > 1:
        raise ValueError("rate must be between 0 and 1")
    if rate == 1:
        return np.zeros_like(x), np.zeros_like
    return plain_mask(x, rate=rate, rng=rng)


def an_assertion(x, *, rate, rng):
    assert 0 <= rate < 1
    return plain_mask(x, rate=rate, rng=rng)


def error_returned(x, *, rate, rng):
    if not 0 <= rate < 1:
        return ValueError("0 <= rate < 1")
    return plain_mask(x, rate=rate, rng=rng)


def draws_at_zero(x, *, rate, rng):
    checked(rate)
    mask = (rng.random(x.shape) >= rate) / (1 - rate)
    return x * mask, lambda dy: dy * mask


def drops_in_place(x, *, rate, rng):
    checked(rate)
    if rate == 0:
        return x, lambda dy: dy
    gone = rng.random(x.shape) < rate
    x[gone] = 0
    return x / (1 - rate), lambda dy: np.where(gone, 0, dy / (1 - rate))


def drops_dy_in_place(x, *, rate, rng):
    checked(rate)
    if rate == 0:
        return x, lambda dy: dy
    gone = rng.random(x.shape) < rate

    def backward(dy):
        dy[gone] = 0
        dy /= 1 - rate
        return dy

    return np.where(gone, 0, x / (1 - rate)), backward


def kept_where(x, *, rate, rng):
    checked(rate)
    if rate == 0:
        return x, lambda dy: dy
    keep = rng.uniform(0, 1, size=x.shape) > rate
    there = lambda z: np.where(keep, z / (1 - rate), 0.0)
    return there(x), there


def coin_by_coin(x, *, rate, rng):
    checked(rate)
    coins = [0.0 if rate > 0 and rng.random() < rate else 1 / (1 - rate) for _ in range(x.size)]

    def times(z):
        return np.array([a * coin for a, coin in zip(z.ravel().tolist(), coins, strict=True)]).reshape(z.shape)

    return times(x), times


def some_places(x, *, rate, rng):
    checked(rate)
    gone = np.flatnonzero(rng.binomial(1, rate, size=x.size)) if rate else []

    def without(z):
        z = np.array(z, dtype=float) / (1.0 - rate)
        np.put(z, gone, 0.0)
        return z

    return without(x), without


class Chance:
    def __init__(self, shape, rate, rng):
        kept = 1 / (1 - rate)
        self.mask = rng.choice([0.0, kept], size=shape, p=[rate, 1 - rate]) if rate > 0 else np.ones(shape)

    def __call__(self, z):
        return np.multiply(z, self.mask)


def a_class(x, *, rate, rng):
    if rate < 0 or rate >= 1:
        raise ValueError(rate)
    chance = Chance(np.shape(x), rate, rng)
    return chance(x), chance


def scipys_bernoulli(x, *, rate, rng):
    checked(rate)
    kept = stats.bernoulli(1 - rate).rvs(size=x.shape, random_state=rng) if rate else 1
    return x * kept * (1 / (1 - rate)), lambda dy: dy * kept * (1 / (1 - rate))


def in_float32(x, *, rate, rng):
    if rate != 0:
        checked(rate)
        mask = np.floor(rng.random(x.shape, dtype=np.float32) + np.float32(1 - rate)).astype(x.dtype)
        mask /= 1 - rate
        return mask * x, lambda dy: mask * dy
    return +x, lambda dy: +dy


# Self-attention.  A wrong answer changes one of these parts, and has the rest as it should be.


def whole(
    split=split,
    merge=merge,
    attend=layers.attention,
    turned="qk",
    turn_back=True,
    rotary=lambda config: config.positions == "rotary",
    project=gpt.project,
    gather=lambda dx: dx["q"] + dx["k"] + dx["v"],
    after=lambda dx, dp, dy: (dx, dp),
    result=lambda x, y: y,
):
    """A self-attention with its parts as arguments."""

    def self_attention(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
        z, backs, unturn = {}, {}, {}
        for name in "qkv":
            z[name], backs[name] = project(x, p, name)
            z[name] = split(z[name], config.n_head)
            if rotary(config) and name in turned:
                z[name], unturn[name] = layers.rotary(z[name], positions=positions)
        h, back_attention = attend(*z.values(), causal=True, key_padding_mask=key_padding_mask)
        y, back_o = project(merge(h), p, "o")

        def backward(dy):
            dh, dp = back_o(dy)
            dz = dict(zip("qkv", back_attention(split(dh, config.n_head)), strict=True))
            dx = {}
            for name in "qkv":
                if name in unturn and turn_back:
                    dz[name] = unturn[name](dz[name])
                dx[name], more = backs[name](merge(dz[name]))
                dp = dp | more
            return after(gather(dx), dp, dy)

        return result(x, y), backward

    return self_attention


def not_causal(q, k, v, *, causal, key_padding_mask):
    return layers.attention(q, k, v, key_padding_mask=key_padding_mask)


def padding_not_handed_on(q, k, v, *, causal, key_padding_mask):
    return layers.attention(q, k, v, causal=True)


def keys_and_queries_exchanged(q, k, v, *, causal, key_padding_mask):
    return layers.attention(k, q, v, causal=True, key_padding_mask=key_padding_mask)


def gradients_exchanged(q, k, v, *, causal, key_padding_mask):
    y, back = layers.attention(q, k, v, causal=True, key_padding_mask=key_padding_mask)
    return y, lambda dy: tuple(back(dy)[i] for i in (1, 0, 2))


def no_biases(x, p, name):
    y, back = layers.linear(x, p[f"w_{name}"])
    return y, lambda dy: (lambda dx, dw: (dx, {f"w_{name}": dw}))(*back(dy))


def biases_without_blame(x, p, name):
    y, back = gpt.project(x, p, name)
    return y, lambda dy: (lambda dx, dp: (dx, {f"w_{name}": dp[f"w_{name}"]}))(*back(dy))


def turned_before_split(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    def project(x, p, name):
        y, back = gpt.project(x, p, name)
        if name not in "qk" or config.positions != "rotary":
            return y, back
        y, unturn = layers.rotary(y, positions=positions)
        return y, lambda dy: back(unturn(dy))

    layer = whole(rotary=lambda config: False, project=project)
    return layer(x, p, config=config, positions=positions, key_padding_mask=key_padding_mask)


def turned_twice(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    def attend(q, k, v, **options):
        y, back = layers.attention(q, k, v, **options)
        if config.positions != "rotary":
            return y, back
        again = lambda dz: layers.rotary(dz, positions=positions)[0]
        return y, lambda dy: (lambda dq, dk, dv: (again(dq), again(dk), dv))(*back(dy))

    layer = whole(turn_back=False, attend=attend)
    return layer(x, p, config=config, positions=positions, key_padding_mask=key_padding_mask)


def counted_anew(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    return whole()(x, p, config=config, positions=np.arange(x.shape[1]), key_padding_mask=key_padding_mask)


def one_way_back_for_three(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    heads, backs = [], []
    for name in "qkv":
        z, back = gpt.project(x, p, name)
        heads.append(split(z, config.n_head))
        backs.append(lambda dz: back(merge(dz)))  # noqa: B023 (that is the mistake)
    unturn = [lambda dz: dz] * 3
    if config.positions == "rotary":
        for i in (0, 1):
            heads[i], unturn[i] = layers.rotary(heads[i], positions=positions)
    h, back_attention = layers.attention(*heads, causal=True, key_padding_mask=key_padding_mask)
    y, back_o = gpt.project(merge(h), p, "o")

    def backward(dy):
        dh, dp = back_o(dy)
        dx = 0
        for dz, turned, home in zip(back_attention(split(dh, config.n_head)), unturn, backs, strict=True):
            part, more = home(turned(dz))
            dx, dp = dx + part, dp | more
        return dx, dp

    return y, backward


def no_last_projection(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    project = lambda x, p, name: (x, lambda dy: (dy, {})) if name == "o" else gpt.project(x, p, name)
    return whole(project=project)(x, p, config=config, positions=positions, key_padding_mask=key_padding_mask)


def dy_not_split(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    def attend(q, k, v, **options):
        y, back = layers.attention(q, k, v, **options)
        return y, lambda dy: back(merge(dy))

    return whole(attend=attend)(x, p, config=config, positions=positions, key_padding_mask=key_padding_mask)


def one_head(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    layer = whole(split=lambda z, n_head: split(z, 1))
    return layer(x, p, config=config, positions=positions, key_padding_mask=key_padding_mask)


def name_by_name(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    H = config.n_head
    xq, back_q = gpt.project(x, p, "q")
    xk, back_k = gpt.project(x, p, "k")
    xv, back_v = gpt.project(x, p, "v")
    q, k, v = split(xq, H), split(xk, H), split(xv, H)
    rotary = config.positions == "rotary"
    if rotary:
        q, unturn_q = layers.rotary(q, positions=positions)
        k, unturn_k = layers.rotary(k, positions=positions)
    h, back_attention = layers.attention(q, k, v, causal=True, key_padding_mask=key_padding_mask)
    y, back_o = gpt.project(merge(h), p, "o")

    def backward(dy):
        dh, dp_o = back_o(dy)
        dq, dk, dv = back_attention(split(dh, H))
        if rotary:
            dq, dk = unturn_q(dq), unturn_k(dk)
        dx_q, dp_q = back_q(merge(dq))
        dx_k, dp_k = back_k(merge(dk))
        dx_v, dp_v = back_v(merge(dv))
        return dx_q + dx_k + dx_v, {**dp_q, **dp_k, **dp_v, **dp_o}

    return y, backward


def head_by_head(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    H = config.n_head
    K = x.shape[-1] // H
    shift = lambda name: p.get(f"b_{name}", 0.0)
    z = {name: x @ p[f"w_{name}"] + shift(name) for name in "qkv"}
    found, backs = [], []
    for h in range(H):
        mine = slice(h * K, (h + 1) * K)
        q, k, v = (z[name][:, None, :, mine] for name in "qkv")
        uq = uk = lambda d: d
        if config.positions == "rotary":
            q, uq = layers.rotary(q, positions=positions)
            k, uk = layers.rotary(k, positions=positions)
        y, back = layers.attention(q, k, v, causal=True, key_padding_mask=key_padding_mask)
        found.append(y[:, 0])
        backs.append((mine, back, uq, uk))
    side_by_side = np.concatenate(found, axis=-1)

    def backward(dy):
        rows = lambda a: a.reshape(-1, a.shape[-1])
        dp = {"w_o": rows(side_by_side).T @ rows(dy), "b_o": rows(dy).sum(0)}
        dfound = dy @ p["w_o"].T
        dz = {name: np.zeros_like(z[name]) for name in "qkv"}
        for mine, back, uq, uk in backs:
            dq, dk, dv = back(dfound[:, None, :, mine])
            dz["q"][..., mine], dz["k"][..., mine], dz["v"][..., mine] = uq(dq)[:, 0], uk(dk)[:, 0], dv[:, 0]
        dx = np.zeros_like(x)
        for name in "qkv":
            dx += dz[name] @ p[f"w_{name}"].T
            dp[f"w_{name}"], dp[f"b_{name}"] = rows(x).T @ rows(dz[name]), rows(dz[name]).sum(0)
        return dx, {name: dp[name] for name in p}

    return side_by_side @ p["w_o"] + shift("o"), backward


def four_axes_from_the_start(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    C, H = x.shape[-1], config.n_head
    w = {name: p[f"w_{name}"].reshape(C, H, C // H) for name in "qkv"}
    w_o = p["w_o"].reshape(H, C // H, C)
    shift = lambda name: p[f"b_{name}"].reshape(H, 1, -1) if f"b_{name}" in p else 0
    z = {name: np.einsum("btc,chk->bhtk", x, w[name]) + shift(name) for name in "qkv"}
    unturn = {"v": lambda d: d, "q": lambda d: d, "k": lambda d: d}
    if config.positions == "rotary":
        for name in "qk":
            z[name], unturn[name] = layers.rotary(z[name], positions=positions)
    h, back = layers.attention(z["q"], z["k"], z["v"], causal=True, key_padding_mask=key_padding_mask)
    y = np.einsum("bhtk,hkc->btc", h, w_o) + (p["b_o"] if "b_o" in p else 0)

    def backward(dy):
        blame = dict(zip("qkv", back(np.einsum("btc,hkc->bhtk", dy, w_o)), strict=True))
        blame = {name: unturn[name](d) for name, d in blame.items()}
        dp = {f"w_{name}": np.einsum("btc,bhtk->chk", x, d).reshape(C, C) for name, d in blame.items()}
        dp["w_o"] = np.einsum("bhtk,btc->hkc", h, dy).reshape(C, C)
        if "b_o" in p:
            dp |= {f"b_{name}": d.sum((0, 2)).ravel() for name, d in blame.items()}
            dp["b_o"] = dy.sum((0, 1))
        dx = sum(np.einsum("bhtk,chk->btc", d, w[name]) for name, d in blame.items())
        return dx, dp

    return y, backward


def one_wide_projection(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    (B, T, C), H = x.shape, config.n_head
    biased = "b_q" in p
    W = np.concatenate([p["w_q"], p["w_k"], p["w_v"]], axis=1)
    b = np.concatenate([p["b_q"], p["b_k"], p["b_v"]]) if biased else np.zeros(3 * C)
    wide, back_wide = layers.linear(x, W, b)
    q, k, v = wide.reshape(B, T, 3, H, C // H).transpose(2, 0, 3, 1, 4)
    both, back_both = np.concatenate([q, k], axis=1), lambda d: d  # 2 H heads, turned at once
    if config.positions == "rotary":
        both, back_both = layers.rotary(both, positions=positions)
    h, back = layers.attention(both[:, :H], both[:, H:], v, causal=True, key_padding_mask=key_padding_mask)
    y, back_o = gpt.project(merge(h), p, "o")

    def backward(dy):
        dh, dp = back_o(dy)
        dq, dk, dv = back(split(dh, H))
        turned = back_both(np.concatenate([dq, dk], axis=1))
        dwide = np.concatenate([merge(turned[:, :H]), merge(turned[:, H:]), merge(dv)], axis=-1)
        dx, dW, db = back_wide(dwide)
        for i, name in enumerate("qkv"):
            dp[f"w_{name}"] = dW[:, i * C : (i + 1) * C]
            if biased:
                dp[f"b_{name}"] = db[i * C : (i + 1) * C]
        return dx, dp

    return y, backward


def on_a_tape(x, p, *, config, positions=None, key_padding_mask=None, cache=None, rng=None):
    found = {}

    def linear(name):
        def step(z):
            y, back = gpt.project(z, p, name)

            def home(dy):
                dz, dp = back(dy)
                found.update(dp)
                return dz

            return y, home

        return step

    cut = lambda z: (split(z, config.n_head), merge)
    join = lambda z: (merge(z), lambda dy: split(dy, config.n_head))
    rotate = lambda z: layers.rotary(z, positions=positions)

    def run(z, steps):
        backs = []
        for step in steps:
            z, back = step(z)
            backs.insert(0, back)

        def home(dz):
            for back in backs:
                dz = back(dz)
            return dz

        return z, home

    turning = [rotate] if config.positions == "rotary" else []
    q, home_q = run(x, [linear("q"), cut, *turning])
    k, home_k = run(x, [linear("k"), cut, *turning])
    v, home_v = run(x, [linear("v"), cut])
    attend = partial(layers.attention, causal=True, key_padding_mask=key_padding_mask)
    h, back = attend(q, k, v)
    y, home_o = run(h, [join, linear("o")])

    def backward(dy):
        dx = np.zeros(x.shape)
        for home, d in zip((home_q, home_k, home_v), back(home_o(dy)), strict=True):
            dx += home(d)
        return dx, dict(found)

    return y, backward


SPLIT = {
    "wrong": [
        ("reshape alone", split_by_reshape),
        ("heads and positions are not exchanged", split_without_swap),
        ("head h gets every H-th channel", split_every_nth),
        ("swapped first, then reshaped", split_swapped_first),
        ("(B, H, K, T): swapped first, and the channels before the positions", split_channels_first),
        ("n_head is taken for the width of a head", split_number_for_width),
        ("the positions are dealt out", split_positions),
        ("the heads come before the batch", split_heads_before_batch),
        ("the heads come last", split_heads_last),
        ("heads and batch in one axis", split_folded),
        ("head h begins at channel h", split_sliding),
        ("every head gets all channels", split_all_for_all),
        ("a way back is returned too", split_with_way_back),
    ],
    "right": [
        ("reshape and swapaxes", split),
        ("slices into an empty array", split_slices),
        ("np.split and np.stack", split_stack),
        ("lists of lists", split_lists),
        ("einsum with a cut identity", split_einsum),
        ("strides", split_strides),
        ("one index", split_index),
    ],
}
MERGE = {
    "wrong": [
        ("reshape alone", merge_by_reshape),
        ("the heads of one channel lie side by side", merge_channels_first),
        ("the heads are added up", merge_sum),
        ("the heads are averaged", merge_mean),
        ("concatenate runs over the batch", merge_batch),
        ("the heads follow one another along the positions", merge_along_positions),
        ("swapped, and not joined", merge_swap_only),
        ("positions before the batch", merge_positions_first),
        ("positions and channels are exchanged", merge_wrong_swap),
        ("the shape is read as (B, T, H, K)", merge_wrong_names),
        ("the last head comes first", merge_last_first),
    ],
    "right": [
        ("swapaxes and reshape", merge),
        ("concatenate", merge_concatenate),
        ("transpose and -1", merge_transpose),
        ("lists of lists", merge_lists),
        ("einsum with a cut identity", merge_einsum),
        ("number by number", merge_number_by_number),
        ("hstack, sequence by sequence", merge_sequence_by_sequence),
    ],
}
ROTARY = {
    "wrong": [
        ("neighbouring channels make a pair", neighbours),
        ("halves make pairs, but each angle is repeated for neighbours", halves_with_repeated_angles),
        ("turned by the opposite angle", other_way),
        ("the angles are taken for degrees", degrees),
        ("the base is 10,000 whatever is said", own_base),
        ("positions are counted anew from 0", own_positions),
        ("positions count from the first one that is given", from_zero),
        ("positions are counted from 1", from_one),
        ("the positions of the first sequence hold for all", first_for_all),
        ("base^(-i/K), without the 2", without_two),
        ("K is the number of pairs in the exponent", half_for_width),
        ("base^(2i/K), without the minus", plus_for_minus),
        ("all pairs at one speed", one_speed),
        ("pairs are counted from 1", counted_from_one),
        ("// in the exponent", whole_division),
        ("the second half is made of the first after its turn", already_turned),
        ("plus in both lines", two_pluses),
        ("positions of (B, T) are left to broadcasting", aligned_from_the_right),
        ("one axis more for positions of (B, T), whatever x has", one_axis_more),
        ("the way back turns the same way", same_way),
        ("the way back hands dy on", not_back),
        ("the way back multiplies by the cosine", cosine_only),
        ("x is turned in place", x_in_place),
        ("the halves of x are views, and written into", views_of_x),
        ("dy is turned in place", dy_in_place),
        ("backward returns dx and None", gradient_for_positions),
    ],
    "right": [
        ("two halves, and the way back written out", halves),
        ("complex numbers", complex_numbers),
        ("np.roll with signs, tiled angles", half_turned),
        ("matrices of two by two, einsum", matrices_of_two),
        ("a matrix of K by K for each position", a_matrix_for_each_position),
        ("the exponential of a skew matrix", skewed),
        ("number by number", number_by_number),
    ],
}
DROPOUT = {
    "wrong": [
        ("kept with the probability rate, divided by 1 - rate", kept_for_dropped),
        ("kept with the probability rate, and not divided", kept_for_dropped_and_small),
        ("kept with the probability rate, divided by the rate", kept_for_dropped_over_rate),
        ("what is kept does not grow", not_grown),
        ("what is kept is multiplied by 1 - rate", shrunk),
        ("what is kept is divided by the rate", over_the_rate),
        ("whole channels are dropped", whole_channels),
        ("whole rows are dropped", whole_rows),
        ("one draw for all", all_or_nothing),
        ("half are dropped whatever the rate", half_always),
        ("normal numbers are compared with the rate", bell),
        ("a generator of its own", own_generator),
        ("a seed of its own", own_seed),
        ("noise of the right mean and spread", noise),
        ("an exact number is dropped", exact_number),
        ("divided by the share that was kept", own_mean),
        ("a new mask on the way back", new_mask),
        ("not divided on the way back", not_grown_back),
        ("divided, but not masked on the way back", grown_but_not_masked_back),
        ("dy is handed on", dy_as_it_is),
        ("divided twice on the way back", grown_twice_back),
        ("the mask is read off y, where 0 may have been kept", mask_from_y),
        ("the mask is y / x, where x may be 0", mask_by_quotient),
        ("the rate is not checked", no_check),
        ("a rate of 1 is allowed", one_is_allowed),
        ("an assertion in place of the ValueError", an_assertion),
        ("the ValueError is returned", error_returned),
        ("draws where the rate is 0", draws_at_zero),
        ("x is dropped in place", drops_in_place),
        ("dy is dropped in place", drops_dy_in_place),
    ],
    "right": [
        ("one mask", plain_mask),
        ("np.where, there and back the same function", kept_where),
        ("coin by coin, in lists", coin_by_coin),
        ("places that are put to 0, binomial", some_places),
        ("a small class, choice", a_class),
        ("scipy's Bernoulli", scipys_bernoulli),
        ("floor of float32 numbers", in_float32),
    ],
}
SELF_ATTENTION = {
    "wrong": [
        ("split by reshape alone", whole(split=split_by_reshape)),
        ("merged by reshape alone", whole(merge=merge_by_reshape)),
        ("both by reshape alone", whole(split=split_by_reshape, merge=merge_by_reshape)),
        ("every H-th channel for a head, there and back", whole(split=split_every_nth, merge=merge_channels_first)),
        ("the future is seen", whole(attend=not_causal)),
        ("key_padding_mask is not handed on", whole(attend=padding_not_handed_on)),
        ("queries and keys are exchanged", whole(attend=keys_and_queries_exchanged)),
        ("dq and dk are exchanged", whole(attend=gradients_exchanged)),
        ("nothing is turned", whole(turned="")),
        ("queries are turned, keys are not", whole(turned="q")),
        ("keys are turned, queries are not", whole(turned="k")),
        ("values are turned too", whole(turned="qkv")),
        ("turned whatever config says", whole(rotary=lambda config: True)),
        ("turned before the split", turned_before_split),
        ("not turned back", whole(turn_back=False)),
        ("turned once more, not back", turned_twice),
        ("positions are counted anew", counted_anew),
        ("dx is that of the queries", whole(gather=lambda dx: dx["q"])),
        ("dx is that of the values, which came last", whole(gather=lambda dx: dx["v"])),
        ("dx without the keys", whole(gather=lambda dx: dx["q"] + dx["v"])),
        ("dx is a mean of three", whole(gather=lambda dx: (dx["q"] + dx["k"] + dx["v"]) / 3)),
        ("x is added, there and back", whole(result=lambda x, y: x + y, after=lambda dx, dp, dy: (dx + dy, dp))),
        ("the last projection is forgotten", no_last_projection),
        ("dp without w_o", whole(after=lambda dx, dp, dy: (dx, {k: dp[k] for k in dp if k[2] != "o"}))),
        ("biases are left out", whole(project=no_biases)),
        ("biases get no blame", whole(project=biases_without_blame)),
        ("a lambda in a loop: all three go back by the values", one_way_back_for_three),
        ("the blame of the heads is not split", dy_not_split),
        ("one head, whatever config says", one_head),
        ("backward returns dp, dx", whole(after=lambda dx, dp, dy: (dp, dx))),
    ],
    "right": [
        ("name by name", name_by_name),
        ("a loop over the names", whole()),
        ("head by head, products written out", head_by_head),
        ("einsum, heads from the start", four_axes_from_the_start),
        ("one wide projection, queries and keys turned at once", one_wide_projection),
        ("lists of steps, walked backwards", on_a_tape),
    ],
}
ANSWERS = {
    "split_heads": SPLIT,
    "merge_heads": MERGE,
    "rotary": ROTARY,
    "dropout": DROPOUT,
    "self_attention": SELF_ATTENTION,
}
NAMED = {"split_heads": 8, "merge_heads": 8, "rotary": 25, "dropout": 27, "self_attention": 27}
