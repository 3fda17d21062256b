"""Right answers to unscale, each written in another way: none of them may be refused."""

import numpy as np

from ...trees import flatten, leaves


def walk(tree):
    """Every array of a tree, without help."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return [a for branch in tree for a in walk(branch)]
    return [tree]


def divided_first(grads, state, *, patience=1000):
    """Divides at once, and looks afterwards: infinity stays infinite."""
    good = True
    for a in walk(grads):
        np.divide(a, state["scale"], out=a)
        good = good and bool(np.isfinite(a.sum()))  # a sum with an infinity or a NaN in it is not finite
    if not good:
        state["scale"], state["good"] = state["scale"] / 2, 0
        return False
    state["good"] = (state["good"] + 1) % patience
    state["scale"] *= 1 if state["good"] else 2
    return True


def by_flatten(grads, state, *, patience=1000):
    """The vector that flatten() makes tells whether all is well; the answer is NumPy's True or False."""
    vector, _ = flatten(grads)
    fine = ~(np.isnan(vector) | np.isinf(vector)).any()
    if fine:
        for _, a in leaves(grads):
            a *= 1 / state["scale"]  # exact, since it is a power of two
        state["good"] += 1
        if state["good"] >= patience:
            state.update(scale=2 * state["scale"], good=0)
    else:
        state.update(scale=0.5 * state["scale"], good=0)
    return fine


ANSWERS = (
    ("divided first, looked at afterwards", divided_first),
    ("by the flattened vector", by_flatten),
)
