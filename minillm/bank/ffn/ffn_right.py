"""Right answers to ffn, each written in another way: none of them may be refused."""

import numpy as np

from ... import gpt, layers


def three_calls(x, p, *, config):
    """linear, activation, linear, each with its own way back."""
    u, back_up = layers.linear(x, p["w_up"], p["b_up"])
    h, back_activation = gpt.ACTIVATIONS[config.activation](u)
    y, back_down = layers.linear(h, p["w_down"], p["b_down"])

    def backward(dy):
        dh, dw_down, db_down = back_down(dy)
        dx, dw_up, db_up = back_up(back_activation(dh))
        return dx, {"w_up": dw_up, "b_up": db_up, "w_down": dw_down, "b_down": db_down}

    return y, backward


def with_einsum(x, p, *, config):
    """Every sum spelled out in letters."""
    u = np.einsum("btc,cf->btf", x, p["w_up"]) + p["b_up"]
    h, bend = gpt.ACTIVATIONS[config.activation](u)

    def backward(dy):
        grads = {"w_down": np.einsum("btf,btc->fc", h, dy), "b_down": np.einsum("btc->c", dy)}
        du = bend(np.einsum("btc,fc->btf", dy, p["w_down"]))
        grads |= {"b_up": np.einsum("btf->f", du), "w_up": np.einsum("btc,btf->cf", x, du)}
        return np.einsum("btf,cf->btc", du, p["w_up"]), grads

    return np.einsum("btf,fc->btc", h, p["w_down"]) + p["b_down"], backward


def neuron_by_neuron(x, p, *, config):
    """The sum over the neurons, one after the other."""
    y = np.zeros_like(x) + p["b_down"]
    neurons = []
    for f in range(len(p["b_up"])):
        h, bend = gpt.ACTIVATIONS[config.activation](x @ p["w_up"][:, f] + p["b_up"][f])
        y = y + h[..., None] * p["w_down"][f]
        neurons.append((h, bend))

    def backward(dy):
        grads = {name: np.zeros_like(a) for name, a in p.items()}
        grads["b_down"] += dy.sum((0, 1))
        dx = np.zeros_like(x)
        for f, (h, bend) in enumerate(neurons):
            du = bend(dy @ p["w_down"][f])
            grads["w_down"][f] = (h[..., None] * dy).sum((0, 1))
            grads["b_up"][f] = du.sum()
            grads["w_up"][:, f] = (du[..., None] * x).sum((0, 1))
            dx += du[..., None] * p["w_up"][:, f]
        return [dx, grads]

    return y, backward


ANSWERS = (
    ("three calls there, three calls back", three_calls),
    ("einsum", with_einsum),
    ("neuron by neuron", neuron_by_neuron),
)
