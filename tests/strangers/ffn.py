"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import math

import numpy as np
from scipy import special

from minillm import gpt, layers

A, K = 0.044715, math.sqrt(2 / math.pi)

# GELU.  `parts` is what most of the wrong answers have right: the share below x, and its slope.


def parts(x, approximate):
    if approximate == "none":
        return (1 + layers.erf(x / math.sqrt(2))) / 2, np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    t = np.tanh(K * (x + A * x**3))
    return (1 + t) / 2, (1 - t**2) / 2 * K * (1 + 3 * A * x**2)


def with_parts(change):
    """A gelu whose share and slope of the share go through change(x, share, pdf, approximate) first."""

    def gelu(x, *, approximate="tanh"):
        share, pdf = change(x, *parts(x, approximate), approximate)
        return x * share, lambda dy: dy * (share + x * pdf)

    return gelu


def only_tanh(old, new, approximate):
    return new if approximate == "tanh" else old


half_lost = with_parts(lambda x, share, pdf, form: (share, only_tanh(pdf, 2 * pdf, form)))
inner_slope_lost = with_parts(lambda x, share, pdf, form: (share, only_tanh(pdf, pdf / (1 + 3 * A * x**2), form)))
three_lost = with_parts(
    lambda x, share, pdf, form: (share, only_tanh(pdf, pdf / (1 + 3 * A * x**2) * (1 + A * x**2), form))
)
root_lost = with_parts(lambda x, share, pdf, form: (share, only_tanh(pdf, pdf / K, form)))
bell_not_scaled = with_parts(
    lambda x, share, pdf, form: (share, pdf if form == "tanh" else pdf * math.sqrt(2 * math.pi))
)
bell_without_half = with_parts(
    lambda x, share, pdf, form: (share, pdf if form == "tanh" else np.exp(-x * x) / math.sqrt(2 * math.pi))
)
minus_for_plus = with_parts(lambda x, share, pdf, form: (share, -pdf))


def erf_of_x(x, *, approximate="tanh"):
    if approximate == "tanh":
        return with_parts(lambda x, share, pdf, form: (share, pdf))(x)
    share, pdf = (1 + layers.erf(x)) / 2, np.exp(-x * x) / math.sqrt(math.pi)
    return x * share, lambda dy: dy * (share + x * pdf)


def no_root(x, *, approximate="tanh"):
    if approximate == "none":
        return with_parts(lambda x, share, pdf, form: (share, pdf))(x, approximate="none")
    c = 2 / math.pi
    t = np.tanh(c * (x + A * x**3))
    return x * (1 + t) / 2, lambda dy: dy * ((1 + t) / 2 + x * (1 - t**2) / 2 * c * (1 + 3 * A * x**2))


def squared(x, *, approximate="tanh"):
    if approximate == "none":
        return with_parts(lambda x, share, pdf, form: (share, pdf))(x, approximate="none")
    t = np.tanh(K * (x + A * x**2))
    return x * (1 + t) / 2, lambda dy: dy * ((1 + t) / 2 + x * (1 - t**2) / 2 * K * (1 + 2 * A * x))


def tails_swapped(x, *, approximate="tanh"):
    share, pdf = parts(x, "none" if approximate == "tanh" else "tanh")
    return x * share, lambda dy: dy * (share + x * pdf)


def any_word_is_true(x, *, approximate="tanh"):
    share, pdf = parts(x, "tanh" if approximate else "none")
    return x * share, lambda dy: dy * (share + x * pdf)


def none_by_default(x, *, approximate="none"):
    share, pdf = parts(x, approximate)
    return x * share, lambda dy: dy * (share + x * pdf)


def swish(x, *, approximate="tanh"):
    if approximate == "none":
        return with_parts(lambda x, share, pdf, form: (share, pdf))(x, approximate="none")
    s = 1 / (1 + np.exp(-1.702 * x))
    return x * s, lambda dy: dy * (s + 1.702 * x * s * (1 - s))


def no_dy(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    return x * share, lambda dy: share + x * pdf


def dy_for_x(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    return x * share, lambda dy: dy * share + x * pdf


def second_term_only(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    return x * share, lambda dy: dy * x * pdf


def slope_of_dy(x, *, approximate="tanh"):
    def backward(dy):
        share, pdf = parts(dy, approximate)
        return share + dy * pdf

    return x * parts(x, approximate)[0], backward


def slope_at_y(x, *, approximate="tanh"):
    y = x * parts(x, approximate)[0]

    def backward(dy):
        share, pdf = parts(y, approximate)
        return dy * (share + y * pdf)

    return y, backward


def relu_slope(x, *, approximate="tanh"):
    return x * parts(x, approximate)[0], lambda dy: dy * (x > 0)


def in_place(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    slope = share + x * pdf
    x *= share
    return x, lambda dy: dy * slope


def blame_in_place(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    slope = share + x * pdf

    def backward(dy):
        dy *= slope
        return dy

    return x * share, backward


def kept_on_the_function(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    kept_on_the_function.slope = share + x * pdf
    return x * share, lambda dy: dy * kept_on_the_function.slope


def one_axis(x, *, approximate="tanh"):
    y, slope = np.zeros_like(x), np.zeros_like(x)
    for i in range(len(x)):
        if approximate == "none":
            share, pdf = (1 + math.erf(x[i] / math.sqrt(2))) / 2, math.exp(-(x[i] ** 2) / 2) / math.sqrt(2 * math.pi)
        else:
            t = math.tanh(K * (x[i] + A * x[i] ** 3))
            share, pdf = (1 + t) / 2, (1 - t * t) / 2 * K * (1 + 3 * A * x[i] ** 2)
        y[i], slope[i] = x[i] * share, share + x[i] * pdf
    return y, lambda dy: dy * slope


def two_digits_swapped(x, *, approximate="tanh"):
    a = 0.044175
    share, pdf = parts(x, approximate)
    if approximate == "tanh":
        t = np.tanh(K * (x + a * x**3))
        share, pdf = (1 + t) / 2, (1 - t**2) / 2 * K * (1 + 3 * a * x**2)
    return x * share, lambda dy: dy * (share + x * pdf)


def rounded(x, *, approximate="tanh"):
    k = 0.798
    share, pdf = parts(x, approximate)
    if approximate == "tanh":
        t = np.tanh(k * (x + A * x**3))
        share, pdf = (1 + t) / 2, (1 - t**2) / 2 * k * (1 + 3 * A * x**2)
    return x * share, lambda dy: dy * (share + x * pdf)


def capped(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    y = np.where(x > 6, x, x * share)
    return np.where(x < -3, 0, y), lambda dy: np.where(x < -3, 0, dy * (share + x * pdf))


def python_math(x, *, approximate="tanh"):
    if approximate == "none":
        share = (1 + math.erf(x / math.sqrt(2))) / 2
    else:
        share = (1 + math.tanh(K * (x + A * x**3))) / 2
    return x * share, None


def tanh_by_hand(x, *, approximate="tanh"):
    if approximate == "none":
        return with_parts(lambda x, share, pdf, form: (share, pdf))(x, approximate="none")
    up, down = np.exp(K * (x + A * x**3)), np.exp(-K * (x + A * x**3))
    t = (up - down) / (up + down)
    return x * (1 + t) / 2, lambda dy: dy * ((1 + t) / 2 + x * (1 - t**2) / 2 * K * (1 + 3 * A * x**2))


def in_a_tuple(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    return x * share, lambda dy: (dy * (share + x * pdf),)


def slope_not_function(x, *, approximate="tanh"):
    share, pdf = parts(x, approximate)
    return x * share, share + x * pdf


def one_after_the_other(x, *, approximate="tanh"):
    y, dx = np.empty_like(x), np.empty_like(x)
    for i in np.ndindex(x.shape):
        v = float(x[i])
        if approximate == "none":
            share = (1 + math.erf(v / math.sqrt(2))) / 2
        else:
            share = (1 + math.tanh(K * (v + A * v * v * v))) / 2
        y[i] = v * share

    def backward(dy):
        for i in np.ndindex(x.shape):
            v = float(x[i])
            if approximate == "none":
                slope = math.erfc(-v / math.sqrt(2)) / 2 + v * math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
            else:
                t = math.tanh(K * (v + A * v**3))
                slope = 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * K * (1 + 3 * A * v * v)
            dx[i] = dy[i] * slope
        return dx.copy()

    return y, backward


def lists(x, *, approximate="tanh"):
    def share(v):
        z = v / math.sqrt(2) if approximate == "none" else K * (v + A * v**3)
        return 0.5 + 0.5 * (math.erf(z) if approximate == "none" else math.tanh(z))

    def pdf(v):
        if approximate == "none":
            return math.exp(-0.5 * v * v) / math.sqrt(2 * math.pi)
        return 2 * share(v) * (1 - share(v)) * K * (1 + 3 * A * v * v)

    flat = x.ravel().tolist()
    fold = lambda numbers: np.array(numbers, dtype=x.dtype).reshape(x.shape)

    def backward(dy):
        return fold([d * (share(v) + v * pdf(v)) for d, v in zip(dy.ravel().tolist(), flat, strict=True)])

    return fold([v * share(v) for v in flat]), backward


def decimals(x, *, approximate="tanh"):
    inner = x * 0.7071067811865476
    t = layers.erf(inner)
    rate = 0.7978845608028654 * np.exp(-inner * inner)
    if approximate == "tanh":
        x2 = np.power(x, 2)
        t = np.tanh(0.7978845608028654 * x * (1 + 0.044715 * x2))
        rate = (1 - t * t) * (0.7978845608028654 + 0.1070322243 * x2)
    return 0.5 * x * (1 + t), lambda dy: 0.5 * ((1 + t) * dy + x * rate * dy)


def sigmoid(x, *, approximate="tanh"):
    if approximate == "none":
        s = special.ndtr(x)
        return x * s, lambda dy: dy * (s + x * np.exp(-np.square(x) / 2) / np.sqrt(2 * np.pi).astype(x.dtype))
    z = 2 * K * (x + A * x * x * x)
    s = special.expit(z)
    return x * s, lambda dy: dy * (s + s * (1 - s) * 2 * K * (x + 3 * A * x * x * x))


def expanded(x, *, approximate="tanh"):
    if approximate == "none":
        r = 0.5**0.5
        slope = lambda: 0.5 * special.erfc(-x * r) + x * np.exp(-0.5 * x**2) * r / math.sqrt(math.pi)
        return 0.5 * x + 0.5 * x * layers.erf(x * r), lambda dy: dy * slope()
    t = np.tanh(x * (K + K * A * x**2))
    return 0.5 * x + 0.5 * x * t, lambda dy: 0.5 * dy + 0.5 * dy * (t + x * (1 - t) * (1 + t) * (K + 3 * K * A * x**2))


def complex_step(x, *, approximate="tanh"):
    def f(z):
        return z / 2 * (1 + (np.tanh(K * (z + A * z**3)) if approximate == "tanh" else special.erf(z / np.sqrt(2))))

    def backward(dy):
        wide = x.astype(np.float64)
        return dy * (f(wide + 1e-20j).imag / 1e-20).astype(x.dtype)

    return f(x.astype(np.float64)).astype(x.dtype), backward


class Bent:
    def __init__(self, x, approximate):
        self.x = np.array(x)
        self.share, self.pdf = parts(self.x, approximate)

    def __call__(self, dy):
        total = np.einsum("...,...->...", dy, self.share)
        total += np.einsum("...,...,...->...", dy, self.x, self.pdf)
        return total


def small_class(x, approximate="tanh"):
    bent = Bent(x, approximate)
    return np.multiply(bent.x, bent.share), bent


SHARES = {
    "none": (lambda x: 0.5 * special.erfc(-x / np.sqrt(2)), lambda x: np.exp(-(x**2) / 2 - np.log(2 * np.pi) / 2)),
    "tanh": (
        lambda x: 0.5 * (1 + np.tanh(K * (x + A * x**3))),
        lambda x: 0.5 * K * (1 + 3 * A * x**2) / np.cosh(np.clip(K * (x + A * x**3), -300, 300)) ** 2,
    ),
}


def table(x, *, approximate="tanh"):
    cdf, pdf = SHARES[approximate]
    wide = np.asarray(x, np.float64)

    def backward(dy):
        return np.asarray(dy * (cdf(wide) + wide * pdf(wide)), x.dtype)

    return np.asarray(wide * cdf(wide), x.dtype), backward


def mirrored(x, *, approximate="tanh"):
    """gelu(x) = relu(x) - what is lost, and the loss is the same on both sides."""
    size = np.abs(x)
    lost, pdf = parts(-size, approximate)

    def backward(dy):
        slope = np.where(x > 0, 1 - lost, lost) + x * pdf
        return slope * dy

    return np.maximum(x, 0) - size * lost, backward


# The feed-forward layer.  `linears` is what most of the wrong answers have right.


def linears(x, p, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h, back_bend = gpt.ACTIVATIONS[config.activation](u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return u, h, y, back_up, back_bend, back_down


def walk(dy, back_up, back_bend, back_down):
    dh, dw_down, db_down = back_down(dy)
    dx, dw_up, db_up = back_up(back_bend(dh))
    return dx, {"w_up": dw_up, "b_up": db_up, "w_down": dw_down, "b_down": db_down}


def no_bend_back(x, p, *, config):
    u, h, y, back_up, _, back_down = linears(x, p, config)
    return y, lambda dy: walk(dy, back_up, lambda dh: dh, back_down)


def always_gelu(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h, back_bend = layers.gelu(u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return y, lambda dy: walk(dy, back_up, back_bend, back_down)


def always_relu(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h, back_bend = layers.relu(u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return y, lambda dy: walk(dy, back_up, back_bend, back_down)


def one_gelu_for_two(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h, back_bend = (layers.relu if config.activation == "relu" else layers.gelu)(u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return y, lambda dy: walk(dy, back_up, back_bend, back_down)


def no_bend_at_all(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    y, back_down = layers.linear(u, p["w_down"], p["b_down"])
    return y, lambda dy: walk(dy, back_up, lambda dh: dh, back_down)


def bend_first(x, p, *, config):
    h, back_bend = gpt.ACTIVATIONS[config.activation](x)
    u, back_up = layers.linear(h, p["w_up"], p["b_up"])
    y, back_down = layers.linear(u, p["w_down"], p["b_down"])

    def backward(dy):
        dh, dp = walk(dy, back_up, lambda du: du, back_down)
        return back_bend(dh), dp

    return y, backward


def bend_at_the_end_too(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)
    y, back_last = gpt.ACTIVATIONS[config.activation](y)
    return y, lambda dy: walk(back_last(dy), *backs)


def own_residual(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx + dy, dp

    return x + y, backward


def no_b_up(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"])
    h, back_bend = gpt.ACTIVATIONS[config.activation](u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return y, lambda dy: walk(dy, back_up, back_bend, back_down)


def no_b_down(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)
    return y - p["b_down"], lambda dy: walk(dy, *backs)


def forward_order(x, p, *, config):
    u, h, y, back_up, back_bend, back_down = linears(x, p, config)

    def backward(dy):
        du, dw_up, db_up = back_up(dy)
        dx, dw_down, db_down = back_down(back_bend(du))
        return dx, {"w_up": dw_up, "b_up": db_up, "w_down": dw_down, "b_down": db_down}

    return y, backward


def bend_after_up(x, p, *, config):
    u, h, y, back_up, back_bend, back_down = linears(x, p, config)

    def backward(dy):
        dh, dw_down, db_down = back_down(dy)
        _, dw_up, db_up = back_up(dh)
        return back_up(back_bend(dh))[0], {"w_up": dw_up, "b_up": db_up, "w_down": dw_down, "b_down": db_down}

    return y, backward


def times_h(x, p, *, config):
    u, h, y, back_up, _, back_down = linears(x, p, config)
    return y, lambda dy: walk(dy, back_up, lambda dh: dh * h, back_down)


def bend_of_dh(x, p, *, config):
    u, h, y, back_up, _, back_down = linears(x, p, config)
    return y, lambda dy: walk(dy, back_up, lambda dh: gpt.ACTIVATIONS[config.activation](dh)[0], back_down)


def slope_at_h(x, p, *, config):
    u, h, y, back_up, _, back_down = linears(x, p, config)
    _, back_bend = gpt.ACTIVATIONS[config.activation](h)
    return y, lambda dy: walk(dy, back_up, back_bend, back_down)


def keys_with_d(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx, {f"d{name}": grad for name, grad in dp.items()}

    return y, backward


def dp_first(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)
    return y, lambda dy: walk(dy, *backs)[::-1]


def five_results(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx, *dp.values()

    return y, backward


def weights_crossed(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx, {"w_up": dp["w_down"], "b_up": dp["b_down"], "w_down": dp["w_up"], "b_down": dp["b_up"]}

    return y, backward


def weights_only(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx, {name: dp[name] for name in ("w_up", "w_down")}

    return y, backward


def mean_over_texts(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        return dx, {name: grad / len(x) for name, grad in dp.items()}

    return y, backward


def kept_per_text(x, p, *, config):
    u, h, y, back_up, back_bend, back_down = linears(x, p, config)

    def backward(dy):
        du = back_bend(dy @ p["w_down"].T)
        dp = {"w_up": np.swapaxes(x, 1, 2) @ du, "b_up": du.sum(1)}
        dp |= {"w_down": np.swapaxes(h, 1, 2) @ dy, "b_down": dy.sum(1)}
        return du @ p["w_up"].T, dp

    return y, backward


def first_text_only(x, p, *, config):
    u, h, y, back_up, back_bend, back_down = linears(x, p, config)

    def backward(dy):
        du = back_bend(dy @ p["w_down"].T)
        dp = {"w_up": x[0].T @ du[0], "b_up": du[0].sum(0), "w_down": h[0].T @ dy[0], "b_down": dy[0].sum(0)}
        return du @ p["w_up"].T, dp

    return y, backward


def u_for_h(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        dp["w_down"] = np.einsum("btf,btc->fc", u, dy)
        return dx, dp

    return y, backward


def gradients_into_p(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, *backs)
        p.update(dp)
        return dx, p

    return y, backward


def bends_in_place(x, p, *, config):
    u, h, y, back_up, back_bend, back_down = linears(x, p, config)

    def backward(dy):
        dx, dp = walk(dy, back_up, back_bend, back_down)
        dy -= dy
        return dx, dp

    return y, backward


def forgets_to_unpack(x, p, *, config):
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h = gpt.ACTIVATIONS[config.activation](u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])
    return y, None


def three_calls(x, p, *, config):
    u, h, y, *backs = linears(x, p, config)
    return y, lambda dy: walk(dy, *backs)


def by_name(x, p, *, config):
    u, back_up = gpt.project(x, p, "up")
    h, back_bend = gpt.ACTIVATIONS[config.activation](u)
    y, back_down = gpt.project(h, p, "down")

    def backward(dy):
        dh, late = back_down(dy)
        dx, early = back_up(back_bend(dh))
        return dx, {**late, **early}

    return y, backward


def rows_and_matrices(x, p, *, config):
    C = x.shape[-1]
    rows = x.reshape(-1, C)
    h, slope = gpt.ACTIVATIONS[config.activation](rows @ p["w_up"] + p["b_up"])

    def backward(dy):
        d = dy.reshape(-1, C)
        du = slope(d @ p["w_down"].T)
        dp = {"w_up": rows.T @ du, "b_up": np.ones(len(du), du.dtype) @ du, "w_down": h.T @ d, "b_down": d.sum(axis=0)}
        return (du @ p["w_up"].T).reshape(dy.shape), dp

    return (h @ p["w_down"] + p["b_down"]).reshape(x.shape), backward


def einsums(x, p, *, config):
    u = np.einsum("btc,cf->btf", x, p["w_up"]) + p["b_up"]
    h, back = gpt.ACTIVATIONS[config.activation](u)

    def backward(dy):
        du = back(np.einsum("btd,fd->btf", dy, p["w_down"]))
        dp = {"b_down": np.einsum("btd->d", dy), "w_down": np.einsum("btf,btd->fd", h, dy)}
        dp |= {"b_up": np.einsum("btf->f", du), "w_up": np.einsum("btc,btf->cf", x, du)}
        return np.einsum("btf,cf->btc", du, p["w_up"]), dp

    return np.einsum("btf,fd->btd", h, p["w_down"]) + p["b_down"], backward


def position_by_position(x, p, *, config):
    y, backs = np.empty_like(x), {}
    for b, t in np.ndindex(x.shape[:2]):
        h, back = gpt.ACTIVATIONS[config.activation](x[b, t] @ p["w_up"] + p["b_up"])
        y[b, t] = h @ p["w_down"] + p["b_down"]
        backs[b, t] = h, back

    def backward(dy):
        dx, dp = np.empty_like(x), {name: np.zeros_like(a) for name, a in p.items()}
        for at, (h, back) in backs.items():
            du = back(p["w_down"] @ dy[at])
            dx[at] = p["w_up"] @ du
            dp["w_up"] += np.outer(x[at], du)
            dp["b_up"] += du
            dp["w_down"] += np.outer(h, dy[at])
            dp["b_down"] += dy[at]
        return dx, dp

    return y, backward


def neuron_by_neuron(x, p, *, config):
    neurons = []
    y = np.zeros_like(x) + p["b_down"]
    for f in range(len(p["b_up"])):
        h, back = gpt.ACTIVATIONS[config.activation]((x * p["w_up"][:, f]).sum(-1) + p["b_up"][f])
        y = y + h[..., None] * p["w_down"][f]
        neurons.append((h, back))

    def backward(dy):
        dx, found = np.zeros_like(x), {name: [] for name in ("w_up", "b_up", "w_down")}
        for f, (h, back) in enumerate(neurons):
            du = back((dy * p["w_down"][f]).sum(-1))
            dx = dx + du[..., None] * p["w_up"][:, f]
            found["w_up"].append((x * du[..., None]).sum((0, 1)))
            found["b_up"].append(du.sum())
            found["w_down"].append((h[..., None] * dy).sum((0, 1)))
        dp = {name: np.array(rows) for name, rows in found.items()}
        return dx, dp | {"w_up": dp["w_up"].T.copy(), "b_down": dy.sum((0, 1))}

    return y, backward


def list_of_steps(x, p, *, config):
    steps = [("up", None), (None, gpt.ACTIVATIONS[config.activation]), ("down", None)]
    tape, z = [], x
    for name, bend in steps:
        z, back = bend(z) if bend else layers.linear(z, p[f"w_{name}"], p[f"b_{name}"])
        tape.append((name, back))

    def backward(d):
        dp = {}
        for name, back in reversed(tape):
            if name is None:
                d = back(d)
            else:
                d, dp[f"w_{name}"], dp[f"b_{name}"] = back(d)
        return d, dp

    return z, backward


def shift_as_a_row(x, p, *, config):
    """One more channel that is always 1 carries the shift."""
    with_one = lambda z: np.concatenate([z, np.ones_like(z[..., :1])], axis=-1)
    up, down = np.vstack([p["w_up"], p["b_up"]]), np.vstack([p["w_down"], p["b_down"]])
    x1 = with_one(x)
    h, back = gpt.ACTIVATIONS[config.activation](x1 @ up)
    h1 = with_one(h)

    def backward(dy):
        ddown = np.tensordot(h1, dy, axes=([0, 1], [0, 1]))
        du = back((dy @ down.T)[..., :-1])
        dup = np.tensordot(x1, du, axes=([0, 1], [0, 1]))
        dp = {"w_up": dup[:-1], "b_up": dup[-1], "w_down": ddown[:-1], "b_down": ddown[-1]}
        return (du @ up.T)[..., :-1], dp

    return h1 @ down, backward


def remembers_nothing(x, p, *, config):
    def there(z):
        u, h, y, *backs = linears(z, p, config)
        return y, backs

    return there(x)[0], lambda dy: walk(dy, *there(x)[1])


def own_bends(x, p, *, config):
    ways = {"relu": lambda u: (np.where(u > 0, u, 0), np.heaviside(u, 0))}
    for name, form in (("gelu", "none"), ("gelu_tanh", "tanh")):
        ways[name] = lambda u, form=form: (lambda share, pdf: (u * share, share + u * pdf))(*parts(u, form))
    u = np.matmul(x, p["w_up"]) + p["b_up"]
    h, slope = ways[config.activation](u)

    def backward(dy):
        du = np.matmul(dy, p["w_down"].T) * slope
        sums = lambda a, b: sum(one.T @ two for one, two in zip(a, b, strict=True))
        dp = {"w_up": sums(x, du), "w_down": sums(h, dy), "b_up": du.sum(0).sum(0), "b_down": dy.sum(0).sum(0)}
        return np.matmul(du, p["w_up"].T), dp

    return np.matmul(h, p["w_down"]) + p["b_down"], backward


GELU = {
    "wrong": [
        ("the half before 1 - tanh squared is lost", half_lost),
        ("the slope of x + 0.044715 x^3 is left out", inner_slope_lost),
        ("x^3 has the slope x^2, the 3 is lost", three_lost),
        ("sqrt(2/pi) is lost on the way back", root_lost),
        ("the bell curve without 1/sqrt(2 pi)", bell_not_scaled),
        ("the bell curve is exp(-x^2), without the half", bell_without_half),
        ("the two terms of the product rule are subtracted", minus_for_plus),
        ("erf of x, not of x/sqrt(2), there and back", erf_of_x),
        ("2/pi without its root, there and back", no_root),
        ("x^2 for x^3, there and back", squared),
        ("the two forms have changed places", tails_swapped),
        ('if approximate: "none" is a word like any other', any_word_is_true),
        ("the default is the form with erf", none_by_default),
        ("x sigmoid(1.702 x) where tanh is asked for", swish),
        ("backward returns the slope without dy", no_dy),
        ("dy reaches the first term only", dy_for_x),
        ("the first term of the product rule is missing", second_term_only),
        ("the slope at dy, not at x", slope_of_dy),
        ("the slope at y, not at x", slope_at_y),
        ("the slope of relu", relu_slope),
        ("y is made in the array x", in_place),
        ("dx is made in the array dy", blame_in_place),
        ("what backward keeps is overwritten by the next call", kept_on_the_function),
        ("a loop over the first axis, as if there were no other", one_axis),
        ("math.erf and math.tanh on arrays", python_math),
        ("0.044175 for 0.044715", two_digits_swapped),
        ("sqrt(2/pi) rounded to 0.798", rounded),
        ("what is below -3 becomes 0", capped),
        ("tanh by hand out of two exponentials, which overflow", tanh_by_hand),
        ("backward returns dx in a tuple", in_a_tuple),
        ("the slope is returned in place of a function", slope_not_function),
    ],
    "right": [
        ("number by number", one_after_the_other),
        ("lists of Python numbers, turned into an array", lists),
        ("constants written as decimals", decimals),
        ("the sigmoid and ndtr of SciPy", sigmoid),
        ("multiplied out, with erfc", expanded),
        ("the slope by a complex step", complex_step),
        ("a small class with einsum", small_class),
        ("a table of functions, in double and cast back, with cosh", table),
        ("relu minus what is lost, by symmetry", mirrored),
    ],
}
FFN = {
    "wrong": [
        ("the activation is passed by on the way back", no_bend_back),
        ("gelu, whatever the config says", always_gelu),
        ("relu, whatever the config says", always_relu),
        ("gelu_tanh where the config says gelu", one_gelu_for_two),
        ("no activation at all", no_bend_at_all),
        ("the activation comes before the first map", bend_first),
        ("a second activation at the end", bend_at_the_end_too),
        ("the layer adds x itself", own_residual),
        ("b_up is not handed to linear", no_b_up),
        ("b_down is left out", no_b_down),
        ("back through up first, then down", forward_order),
        ("the gradients of w_up and b_up are taken before the activation", bend_after_up),
        ("dh times h, where the slope belongs", times_h),
        ("the activation of dh, in place of its backward", bend_of_dh),
        ("the slope at h, not at u", slope_at_h),
        ("the keys of dp are dw_up and so on", keys_with_d),
        ("backward returns dp, dx", dp_first),
        ("backward returns five arrays", five_results),
        ("up and down are confused in dp", weights_crossed),
        ("dp has the weights and not the shifts", weights_only),
        ("dp is the mean over the texts", mean_over_texts),
        ("dp keeps the axis of the texts", kept_per_text),
        ("dp of the first text only", first_text_only),
        ("dw_down is made of u, not of h", u_for_h),
        ("the gradients are written into p", gradients_into_p),
        ("dy is emptied after use", bends_in_place),
        ("the activation's pair is not unpacked", forgets_to_unpack),
    ],
    "right": [
        ("three calls there, three back", three_calls),
        ("gpt.project, and two dicts joined", by_name),
        ("rows and matrix products", rows_and_matrices),
        ("einsum", einsums),
        ("position by position, with outer products", position_by_position),
        ("neuron by neuron", neuron_by_neuron),
        ("a list of steps, walked backwards", list_of_steps),
        ("the shift as one more row of the weights", shift_as_a_row),
        ("everything again on the way back", remembers_nothing),
        ("activations of its own, text by text", own_bends),
    ],
}
ANSWERS = {"gelu": GELU, "ffn": FFN}
NAMED = {"gelu": 15, "ffn": 12}
