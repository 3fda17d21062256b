"""The counts are those of the real object, to the last parameter and the last product."""

import numpy as np
import pytest
from test_gpt import VARIANTS, name, tiny_config

from minillm import gpt, optim, trees
from minillm.backend import plain
from minillm.counts import count_by_convention, count_bytes, count_parameters, flops_per_token, training_flops


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_parameters_are_counted_to_the_last_one_part_by_part(rng, variant):
    config = tiny_config(ffn_width=20, **variant)
    sizes = dict.fromkeys(["embedding", "projections", "ffn", "norms", "output"], 0)
    for path, a in trees.leaves(gpt.init(config, rng)):
        part = (
            "projections" if ".attn." in path
            else "ffn" if ".ffn." in path
            else "norms" if "norm" in path
            else "output" if path == "unembed"
            else "embedding"
        )  # fmt: skip
        sizes[part] += a.size
    counted = count_parameters(config)
    assert counted.pop("total") == sum(sizes.values())
    assert counted == sizes


def test_gpt2_small_has_the_published_number_of_parameters():
    config = gpt.Config(vocab_size=50257, n_ctx=1024, n_layer=12, n_head=12, width=768)
    assert count_parameters(config)["total"] == 124_439_808


class Counted(np.ndarray):
    """An array that counts the multiplications and additions of every matrix product it takes part in."""

    flops = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = lambda a: a.view(np.ndarray) if isinstance(a, Counted) else a
        if "out" in kwargs:
            kwargs["out"] = tuple(plain(a) for a in kwargs["out"])
        result = getattr(ufunc, method)(*(plain(a) for a in inputs), **kwargs)
        if ufunc is np.matmul:
            Counted.flops += 2 * result.size * inputs[0].shape[-1]
        return result.view(Counted) if isinstance(result, np.ndarray) else result


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_flops_are_those_of_the_products_that_really_happen(rng, tied, positions):
    config = tiny_config(ffn_width=20, tied=tied, positions=positions)
    B, T = 3, 6
    params = trees.map_leaves(lambda a: a.view(Counted), gpt.init(config, rng))
    ids, targets = rng.integers(0, 11, (2, B, T))
    Counted.flops = 0
    with plain():  # kernels/ makes sums by products, too
        _, backward = gpt.loss(params, ids=ids, targets=targets, config=config)
        forward_flops, Counted.flops = Counted.flops, 0
        backward()
    looked_up = 2 * B * T * 11 * 8  # the embedding adds its gradients up by a product of its own ...
    if positions == "learned":
        looked_up += 2 * T * 12 * 8  # ... and so do the positions; both are additions, not products, on paper
    counted = flops_per_token(config, T)
    assert forward_flops == B * T * counted["total"]["forward"]
    assert Counted.flops - looked_up == B * T * counted["total"]["backward"]


def test_the_parts_add_up_and_the_default_length_is_the_whole_context():
    config = tiny_config()
    counted = flops_per_token(config)
    for way in ("forward", "backward"):
        assert sum(n[way] for part, n in counted.items() if part != "total") == counted["total"][way]
    assert counted == flops_per_token(config, 12) != flops_per_token(config, 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_bytes_are_those_that_the_arrays_of_a_training_run_and_of_a_cache_really_take(rng, variant, dtype):
    config = tiny_config(ffn_width=20, **variant)
    params = gpt.init(config, rng, dtype)
    ids = rng.integers(0, config.vocab_size, (1, 8))  # eight, since the arrays of a cache double when they are full
    _, backward = gpt.loss(params, ids=ids, targets=ids, config=config)
    optimizer, cache = optim.AdamW(params), gpt.Cache()
    gpt.gpt(params, ids=ids, config=config, cache=cache)
    nbytes = lambda tree: sum(a.nbytes for _, a in trees.leaves(tree))
    kept = [cache.layer(i) for i in range(config.n_layer)]
    assert count_bytes(config, 8, itemsize=np.dtype(dtype).itemsize) == {
        "weights": nbytes(params),
        "gradients": nbytes(backward()),
        "averages": optimizer.m.nbytes + optimizer.v.nbytes,
        "cache": sum(layer.k.nbytes + layer.v.nbytes for layer in kept),
    }
    assert count_bytes(config) == count_bytes(config, config.n_ctx, 4)


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_the_three_ways_to_count_n_are_sums_over_the_real_arrays(rng, variant):
    config = tiny_config(ffn_width=20, **variant)
    sizes = {path: a.size for path, a in trees.leaves(gpt.init(config, rng))}
    tables = sum(size for path, size in sizes.items() if path in ("tokens", "positions", "unembed"))
    read_out = sizes.get("unembed", sizes["tokens"])  # tied models read out with the token table
    inner = sum(sizes.values()) - tables
    assert count_by_convention(config) == {"N": inner, "N_readout": inner + read_out, "N_all": sum(sizes.values())}


def test_the_flops_of_training_are_those_of_its_steps(rng):
    config = tiny_config(ffn_width=20, positions="rotary", tied=False)
    B, T, steps = 3, 6, 2
    params = trees.map_leaves(lambda a: a.view(Counted), gpt.init(config, rng))
    Counted.flops = 0
    with plain():
        for _ in range(steps):
            ids, targets = rng.integers(0, 11, (2, B, T))
            gpt.loss(params, ids=ids, targets=targets, config=config)[1]()
    looked_up = steps * 2 * B * T * 11 * 8  # additions, which the embedding writes as a product
    assert training_flops(config, steps * B * T, T) == Counted.flops - looked_up
    assert training_flops(config, 12) == training_flops(config, 12, config.n_ctx)


def test_parts_can_be_left_out_as_some_papers_do():
    config = tiny_config(bias=False, norm="post")
    parts = flops_per_token(config)
    both = lambda part: parts[part]["forward"] + parts[part]["backward"]
    whole = training_flops(config, 1000)
    assert whole - training_flops(config, 1000, without=["attention"]) == 1000 * both("attention") > 0
    matrices = count_parameters(config)["projections"] + count_parameters(config)["ffn"]
    assert training_flops(config, 1000, without=["attention", "output"]) == 6 * matrices * 1000
    for part in ("heads", "total"):
        with pytest.raises(ValueError, match=f"there is no part '{part}'; there are embedding, projections"):
            training_flops(config, 1000, without=[part])
    assert training_flops(config, np.int64(2**62)) == 2**62 * both("total")
