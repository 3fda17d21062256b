"""flops_per_token: what it is asked, and what each part is worth."""

from ...counts import flops_per_token
from ...grader.exercise import Part
from ...grader.values import Values
from . import flops_per_token_right, flops_per_token_wrong
from .models import asked, drawn


def meaning(config, n_tokens=None):
    """All products of one sequence, one by one, divided by its tokens."""
    T = n_tokens or config.n_ctx
    C, F, K = config.width, config.ffn_width, config.width // config.n_head
    products = [("output", T, C, config.vocab_size)]  # (T, C) @ (C, V)
    for _ in range(config.n_layer):
        products += [("projections", T, C, C)] * 4
        products += [("attention", T, K, T), ("attention", T, T, K)] * config.n_head
        products += [("ffn", T, C, F), ("ffn", T, F, C)]
    names = ("embedding", "projections", "attention", "ffn", "output", "total")
    found = {name: {"forward": 0, "backward": 0} for name in names}
    for name, rows, inner, columns in products:
        for part in (name, "total"):
            found[part]["forward"] += 2 * rows * inner * columns
            found[part]["backward"] += 2 * rows * columns * inner  # the gradient of what came from the left
            found[part]["backward"] += 2 * inner * rows * columns  # and from the right
    return {name: {way: n // T for way, n in ways.items()} for name, ways in found.items()}


def draw(rng):
    """Models as GPT-2 is one and of every kind, on their whole context or on shorter texts."""
    yield from (asked("n_ctx tokens", **drawn(rng, usual=True)) for _ in range(6))
    for _ in range(10):
        settings = drawn(rng, usual=False)
        yield asked("n_tokens", n_tokens=int(rng.integers(1, settings["n_ctx"])), **settings)


EXERCISE = Values(
    name="flops_per_token",
    notebook="08_gpt",
    answer=flops_per_token,
    spec=meaning,
    parts=(
        Part("n_ctx tokens", 3, "every part, there and back, of texts as long as the context"),
        Part("n_tokens", 2, "shorter texts, and models of every kind: {drawn} in all"),
    ),
    by_hand=(
        asked("n_ctx tokens"),
        asked("n_ctx tokens", n_layer=2, n_head=2),
        asked("n_tokens", n_tokens=2, width=3),
        asked("n_tokens", n_tokens=2, width=3, tied=False, bias=False, positions="none"),
    ),
    draw=draw,
    mistakes=flops_per_token_wrong.MISTAKES,
    right=flops_per_token_right.ANSWERS,
    hints=(
        "Write down the products of one sequence of T tokens, with their shapes. A product of (m, k) and (k, n) takes "
        "2 m k n FLOPs. At the end divide by T.",
        "A map from C to F channels costs 2 C F for each token. The scores of one head are (T, K) times (K, T), the "
        "averages (T, T) times (T, K). There are H heads, and H times K is C.",
        "forward: projections L * 8 * C * C, attention L * 4 * T * C, ffn L * 4 * C * F, output 2 * C * V. On the way "
        "back a product becomes two of the same cost: one for either factor.",
    ),
    lines=14,
    minutes=20,
    difficulty=2,
)
