"""Writing with a cache: the likeliest token after the likeliest token, by three implementations of one model."""

import threadpoolctl
from cases import FAST, WRITERS, Row
from measure import in_turns

from minillm import gpt, machine, sample

HAND, HUGGING = "PyTorch, cache by hand", "Hugging Face generate"
PROMPT = [5, 1, 60, 33]


def measure(*, sizes=WRITERS, quick=False, say=print):
    """The rows of all sizes, on one thread."""
    import numpy as np
    import torch

    machine.keep_memory()
    torch.set_num_threads(1)
    rows = []
    with threadpoolctl.threadpool_limits(1):
        for size in sizes:
            params = gpt.init(size.config(), np.random.default_rng(0))
            rows += measure_one(size, params, 8 if quick else tokens_for(size), say)
    return rows


def tokens_for(size):
    """How many tokens are written: fewer by the model that needs longest."""
    return 16 if size.width > 384 else 200


def measure_one(size, params, n_tokens, say):
    """The rows of one size.  ValueError, before anything is timed, unless all three write the same tokens."""
    import numpy as np
    import peers

    config, rng = size.config(), np.random.default_rng(0)
    theirs, hf = peers.copy_of(params, config), peers.hugging_face(params, config)
    options = {"config": config, "rng": rng, "max_tokens": n_tokens, "temperature": 0}
    writers = {
        "ours": lambda: list(sample.generate(params, PROMPT, **options)),
        HAND: lambda: peers.write(theirs, PROMPT, n_tokens),
        HUGGING: lambda: peers.hugging_face_write(hf, PROMPT, n_tokens),
    }
    written = {name: write() for name, write in writers.items()}
    for name, ids in written.items():
        if ids != written["ours"]:
            raise ValueError(f"nothing is timed: {name} does not write the tokens that ours writes.")
    timing = in_turns(writers, seconds=0.0, warm_up=0)
    ms = {name: 1e3 * seconds / n_tokens for name, seconds in timing.seconds.items()}
    say(f"  {size.name}: {', '.join(f'{name} {value:.2f} ms a token' for name, value in ms.items())}")
    case = f"{size.name}: {size.n_layer} layers, width {size.width}, {n_tokens} tokens"
    level = size.width > 384
    targets = {HAND: ">= 1.0" if level else ">= 1.5", HUGGING: "" if level else ">= 2.0"}
    return [
        Row("generation", case, 1, FAST, peer, "ms a token", ms["ours"], ms[peer], ms[peer] / ms["ours"], target)
        for peer, target in targets.items()
    ]
