"""Wrong answers to attention_weights that people really write; each has a step that is not the right one."""

from .attention_steps import softmax, swapped, wrong_weights
from .masks_wrong import ALL, MORE


def scaled_in_place(v):
    """The scaled scores, with the scale written into q."""
    v.q *= v.scale
    return v.q @ swapped(v.k)


MISTAKES = (
    *[wrong_weights(name, says, **steps) for name, says, steps in ALL + MORE],
    wrong_weights(
        "scores for weights",
        "These are the scores. The weights are their softmax.",
        weights=lambda v: v.total + 0.0,
    ),
    wrong_weights(
        "keys and queries exchanged",
        "This is k q^T, where a row belongs to a key. In q k^T a row belongs to a query.",
        raw=lambda v: v.k @ swapped(v.q),
    ),
    wrong_weights(
        "a softmax of the softmax",
        "The softmax is taken twice.",
        weights=lambda v: softmax(softmax(v.total)),
    ),
    wrong_weights(
        "q changed in place",
        "q is written into. Others still need it as it was.",
        scores=scaled_in_place,
    ),
)
