"""A configuration that cannot be is refused in one sentence."""

import json

import pytest

from minillm.config import Config


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"width": 30, "n_head": 4}, "width 30 cannot be shared evenly by n_head 4"),
        ({"width": 12, "n_head": 4, "positions": "rotary"}, "an odd number"),
        ({"n_layer": 0}, "n_layer must be at least 1, but it is 0"),
        ({"n_ctx": -5}, "n_ctx must be at least 1"),
        ({"width": 64.0}, "width must be int, but it is 64.0"),
        ({"width": "64"}, "width must be int, but it is '64'"),
        ({"tied": 1}, "tied must be bool"),
        ({"n_layer": True}, "n_layer must be int"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": float("nan")}, "dropout must be at least 0"),
        ({"eps": -1e-5}, "eps must not be negative"),
        ({"positions": "sinusoidal"}, "positions must be one of learned, rotary, none, not 'sinusoidal'"),
        ({"rotary_base": 0}, "rotary_base must be above 0"),
        ({"norm": "rms"}, "norm must be one of pre, post"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"ffn_width": 0}, "ffn_width must be at least 1"),
    ],
)
def test_an_impossible_model_is_refused_in_one_sentence(wrong, message):
    with pytest.raises(ValueError, match=message):
        Config(**wrong)


def test_a_config_survives_json():
    config = Config(width=96, positions="rotary", dropout=0, eps=1e-6)
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config


def test_the_feed_forward_layer_is_four_times_as_wide_unless_told():
    assert Config(width=96).ffn_width == 384 and Config(width=96, ffn_width=100).ffn_width == 100
