"""sample.py: what a filter keeps, what a draw is, and a cache that changes nothing but the time."""

import math

import numpy as np
import pytest

from minillm import gpt, sample

INF = math.inf
KEPT = np.log([0.1, 0.4, 0.2, 0.3])  # logits whose softmax we know


def kept(logits):
    return np.flatnonzero(np.isfinite(logits)).tolist()


# --- the filters, by hand


def test_temperature_divides_the_logits():
    assert sample.temperature(np.array([1.0, -2.0, 4.0]), 0.5).tolist() == [2, -4, 8]
    assert sample.temperature(np.array([1.0, -2.0, -INF]), 2).tolist() == [0.5, -1, -INF]


def test_temperature_0_leaves_the_likeliest_and_of_two_equals_the_first():
    assert sample.temperature(np.array([1.0, 3.0, 3.0]), 0).tolist() == [-INF, 3, -INF]
    assert sample.temperature(np.array([[0.0, -1.0], [-3.0, -2.0]]), 0).tolist() == [[0, -INF], [-INF, -2]]


@pytest.mark.parametrize("t", [1e-38, 1e-45, 1e-300])
def test_a_temperature_too_small_for_float32_is_as_good_as_0(t):
    logits = np.array([[1, 50, 2], [0, 0, 0]], np.float32)
    assert sample.temperature(logits, t)[0].argmax() == 1
    assert not np.isnan(sample.temperature(logits, t)).any()
    assert kept(sample.temperature(logits[0], t)) == [1]


def test_a_row_that_overflows_takes_no_other_row_with_it():
    logits = np.array([[1, 50, 2], [0, 1, -1]], np.float32)
    assert kept(sample.temperature(logits, 1e-37)[0]) == [1]
    assert kept(sample.temperature(logits, 1e-37)[1]) == [0, 1, 2]


def test_top_k_keeps_the_k_largest_and_the_lower_id_in_a_tie():
    assert sample.top_k(np.array([1.0, 4.0, 2.0, 3.0]), 2).tolist() == [-INF, 4, -INF, 3]
    assert sample.top_k(np.array([2.0, 1.0, 2.0, 2.0]), 2).tolist() == [2, -INF, 2, -INF]
    assert sample.top_k(np.array([1.0, 2.0]), 99).tolist() == [1, 2]


@pytest.mark.parametrize("p, ids", [(0.01, [1]), (0.39, [1]), (0.41, [1, 3]), (0.8, [1, 2, 3]), (0.91, [0, 1, 2, 3])])
def test_top_p_keeps_the_token_that_crosses_p(p, ids):
    y = sample.top_p(KEPT, p)
    assert kept(y) == ids
    assert y[ids].tolist() == KEPT[ids].tolist()


def test_top_p_keeps_only_as_many_equal_tokens_as_p_needs():
    assert kept(sample.top_p(np.zeros(8), 0.25)) == [0, 1]
    assert kept(sample.top_p(np.zeros(8), 0.26)) == [0, 1, 2]


def test_top_p_1_keeps_every_token_however_unlikely():
    logits = np.array([0, -80, 5, -INF], np.float32)
    assert sample.top_p(logits, 1).tolist() == logits.tolist()


def test_penalty_divides_positive_logits_and_multiplies_negative_ones_once():
    y = sample.penalise(np.array([2.0, -2.0, 0.0, 6.0, -INF]), [0, 1, 1, 0, 0, 4], 2)
    assert y.tolist() == [1, -4, 0, 6, -INF]
    y = sample.penalise(np.array([[2.0, -2.0], [2.0, -2.0]]), [[0], [1]], 4)
    assert y.tolist() == [[0.5, -2], [2, -8]]


# --- prompts of unequal length


def test_pad_left_ends_every_prompt_in_the_last_column():
    ids, positions, padding = sample.pad_left([[5, 6, 0], [7]], fill=9)
    assert ids.tolist() == [[5, 6, 0], [9, 9, 7]]
    assert positions.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert padding.tolist() == [[False, False, False], [True, True, False]]


@pytest.mark.parametrize("prompts", [[], [[1, 2], []]])
def test_pad_left_wants_a_token_in_every_prompt(prompts):
    with pytest.raises(ValueError, match="at least one prompt and no empty one"):
        sample.pad_left(prompts)


@pytest.mark.parametrize("kind", ["rotary", "learned"])
def test_a_batch_of_padded_prompts_gives_the_logits_of_each_alone_and_goes_on_with_a_cache(rng, kind):
    config = gpt.Config(vocab_size=11, n_ctx=16, n_layer=2, n_head=2, width=8, positions=kind)
    params = gpt.init(config, rng, np.float64)
    params["tokens"] *= 50  # so that what a token says can be seen
    prompts = [rng.integers(0, 11, size=n).tolist() for n in (7, 3, 1)]
    ids, positions, padding = sample.pad_left(prompts)
    cache = gpt.Cache()
    for _ in range(4):
        options = {"positions": positions, "key_padding_mask": padding, "cache": cache}
        logits, _ = gpt.gpt(params, ids=ids, config=config, **options)
        for row, prompt in zip(logits[:, -1], prompts, strict=True):
            alone, _ = gpt.gpt(params, ids=np.array([prompt]), config=config)
            np.testing.assert_allclose(row, alone[0, -1], rtol=1e-9, atol=1e-9)
        ids = rng.integers(0, 11, size=(3, 1))
        prompts = [[*prompt, int(i)] for prompt, i in zip(prompts, ids[:, 0], strict=True)]
        positions, padding = positions[:, -1:] + 1, np.pad(padding, ((0, 0), (0, 1)))


# --- the filters, against loops


def top_k_in_loops(row, k):
    y = [-INF] * len(row)
    for i in sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]:
        y[i] = row[i]
    return y


def top_p_in_loops(row, p):
    y, mass, total = [-INF] * len(row), 0.0, math.fsum(math.exp(z) for z in row)
    for i in sorted(range(len(row)), key=lambda i: (-row[i], i)):
        if mass < p:
            y[i] = row[i]
        mass += math.exp(row[i]) / total
    return y


def test_filters_equal_loops_on_many_rows_at_once(rng):
    logits = rng.normal(0, 3, (4, 5, 17))
    logits[0] = logits[0].round()  # ties
    logits[1, :, ::3] = -INF
    for k in (1, 2, 9, 17, 30):
        expected = [[top_k_in_loops(row, k) for row in rows] for rows in logits.tolist()]
        assert sample.top_k(logits, k).tolist() == expected
    for p in (0.031, 0.5012, 0.93, 0.9999):
        expected = [[top_p_in_loops(row, p) for row in rows] for rows in logits.tolist()]
        assert sample.top_p(logits, p).tolist() == expected


def test_filters_keep_float32_and_leave_their_argument_alone(rng):
    logits = rng.normal(size=(2, 9)).astype(np.float32)
    before = logits.copy()
    for f, option in ((sample.temperature, 0.7), (sample.temperature, np.float64(0.7)), (sample.temperature, 0)):
        assert f(logits, option).dtype == np.float32
    for f, option in ((sample.top_k, 3), (sample.top_p, 0.5), (sample.top_p, 1)):
        y = f(logits, option)
        assert y.dtype == np.float32 and not np.shares_memory(y, logits)
    assert sample.penalise(logits, [1, 2], np.float64(1.3)).dtype == np.float32
    assert (logits == before).all()


@pytest.mark.parity
def test_filters_equal_those_of_hugging_face(rng):
    torch = pytest.importorskip("torch")
    hf = pytest.importorskip("transformers.generation.logits_process")
    logits = rng.normal(0, 4, (6, 211))
    ids = rng.integers(0, 211, (6, 40))
    theirs = lambda processor: processor(torch.tensor(ids), torch.tensor(logits)).numpy()
    for t in (0.3, 1.7):
        assert np.array_equal(sample.temperature(logits, t), theirs(hf.TemperatureLogitsWarper(t)))
    for k in (1, 7, 211, 500):
        assert np.array_equal(sample.top_k(logits, k), theirs(hf.TopKLogitsWarper(k)))
    for p in (0.001, 0.5, 0.9, 0.999):
        assert np.array_equal(sample.top_p(logits, p), theirs(hf.TopPLogitsWarper(p)))
    for penalty in (0.7, 1.2, 5.0):
        ours = sample.penalise(logits, ids, penalty)
        assert np.allclose(ours, theirs(hf.RepetitionPenaltyLogitsProcessor(penalty)), rtol=1e-15, atol=0)


# --- the draw


def test_choose_draws_each_token_as_often_as_its_probability(rng):
    n = 40_000
    drawn = sample.choose(np.broadcast_to(KEPT, (n, 4)), rng)
    expected = n * np.exp(KEPT)
    chi2 = ((np.bincount(drawn, minlength=4) - expected) ** 2 / expected).sum()
    assert chi2 < 16.3  # 3 degrees of freedom: one seed in a thousand exceeds this


def test_choose_never_draws_an_excluded_token(rng):
    logits = np.array([-INF, 0, -INF, -3, -INF], np.float32)
    assert set(sample.choose(np.broadcast_to(logits, (3000, 5)), rng).tolist()) == {1, 3}


@pytest.mark.parametrize("u, token", [(0.0, 1), (0.4999, 1), (0.5, 3), (0.9999999, 3)])
def test_choose_looks_its_number_up_in_the_running_sum(u, token):
    class Fixed:
        random = staticmethod(lambda shape: np.full(shape, u))

    assert sample.choose(np.array([-INF, 2.0, -INF, 2.0, -INF]), Fixed) == token


def test_choose_stays_inside_when_rounding_leaves_the_running_sum_short_of_1(rng):
    class AlmostOne:
        random = staticmethod(lambda shape: np.full(shape, np.nextafter(1, 0)))

    for V in range(2, 60):
        logits = rng.normal(size=V)
        logits[-1] = -INF
        assert sample.choose(logits, AlmostOne) == V - 2


def test_choose_takes_one_number_for_a_draw_and_one_seed_gives_one_result():
    draw = lambda: [int(sample.choose(KEPT, rng)) for rng in [np.random.default_rng(7)] for _ in range(50)]
    assert draw() == draw()
    assert draw() == sample.choose(np.broadcast_to(KEPT, (50, 4)), np.random.default_rng(7)).tolist()


def test_choose_refuses_nan_and_a_row_where_nothing_is_left(rng):
    with pytest.raises(ValueError, match="NaN"):
        sample.choose(np.array([0.0, np.nan, 1.0]), rng)
    with pytest.raises(ValueError, match="largest logit is -inf"):
        sample.choose(np.array([[0.0, 1.0], [-INF, -INF]]), rng)


# --- the model writes


def tiny(rng, **options):
    config = gpt.Config(**{"vocab_size": 11, "n_ctx": 8, "n_layer": 2, "n_head": 2, "width": 8} | options)
    params = gpt.init(config, rng, dtype=np.float64)
    for key in ("tokens", "positions"):  # larger than at the start of a training, so that context matters
        if key in params:
            params[key] *= 40
    return {"params": params, "config": config}


def generate(model, ids, seed=0, **options):
    options = {"rng": np.random.default_rng(seed), "max_tokens": 30} | options
    return list(sample.generate(model["params"], np.array(ids), config=model["config"], **options))


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
@pytest.mark.parametrize("n_prompt", [1, 7, 8, 9, 21])
def test_the_cache_changes_nothing_also_when_the_window_slides(rng, positions, n_prompt):
    model = tiny(rng, positions=positions)
    prompt = rng.integers(0, 11, n_prompt)
    for options in ({}, {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "penalty": 1.3}):
        with_cache = generate(model, prompt, **options)
        assert with_cache == generate(model, prompt, use_cache=False, **options)
        assert len(with_cache) == 30


@pytest.mark.parametrize("n_ctx, n_prompt", [(8, 3), (8, 8), (8, 20), (7, 3), (1, 2), (2, 1)])
def test_a_full_window_keeps_its_last_half(rng, monkeypatch, n_ctx, n_prompt):
    model, read, gpt_ = tiny(rng, n_ctx=n_ctx), [], gpt.gpt
    monkeypatch.setattr(gpt, "gpt", lambda params, **o: read.append(o["ids"][0].tolist()) or gpt_(params, **o))
    prompt = [i % 11 for i in range(n_prompt)]
    text = prompt + generate(model, prompt, use_cache=False, max_tokens=20)
    size = min(n_prompt, n_ctx)
    for i, window in enumerate(read):
        assert window == text[n_prompt + i - size : n_prompt + i]
        size = size + 1 if size < n_ctx else max(1, n_ctx // 2)


def test_with_a_cache_the_model_reads_each_token_once(rng, monkeypatch):
    model, lengths, gpt_ = tiny(rng), [], gpt.gpt
    monkeypatch.setattr(gpt, "gpt", lambda params, **o: lengths.append(o["ids"].shape[1]) or gpt_(params, **o))
    generate(model, [1, 2, 3], max_tokens=12)
    assert lengths == [3, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 4]


def test_each_token_is_drawn_from_the_filtered_logits_of_the_whole_text(rng):
    model, ids, draws = tiny(rng, n_ctx=40), [3, 1, 4], np.random.default_rng(5)
    for i in generate(model, ids, seed=5, temperature=0.8, top_k=7, top_p=0.8, penalty=1.5):
        logits, _ = gpt.gpt(model["params"], ids=np.array([ids]), config=model["config"])
        logits = sample.penalise(logits[0, -1], ids, 1.5)
        logits = sample.top_p(sample.top_k(sample.temperature(logits, 0.8), 7), 0.8)
        assert i == sample.choose(logits, draws)
        ids.append(i)


def test_temperature_0_and_top_k_1_are_greedy_whatever_the_seed(rng):
    model = tiny(rng)
    greedy = generate(model, [1, 2], temperature=0)
    assert greedy == generate(model, [1, 2], seed=9, temperature=0) == generate(model, [1, 2], seed=3, top_k=1)
    logits, _ = gpt.gpt(model["params"], ids=np.array([[1, 2]]), config=model["config"])
    assert greedy[0] == logits[0, -1].argmax()


def test_one_seed_writes_one_text_and_another_seed_another(rng):
    model = tiny(rng)
    assert generate(model, [1]) == generate(model, [1]) != generate(model, [1], seed=1)


def test_generate_leaves_the_prompt_alone_and_streams(rng):
    model, ids = tiny(rng), np.array([1, 2, 3])
    stream = sample.generate(model["params"], ids, config=model["config"], rng=rng, max_tokens=10**9)
    assert isinstance(next(stream), int) and isinstance(next(stream), int)
    assert ids.tolist() == [1, 2, 3]


# --- text in pieces


class Words:
    """A tokenizer of given byte strings, to put any boundary anywhere."""

    def __init__(self, *words):
        self.words, self.vocab_size = words, len(words)

    def token_bytes(self, i):
        return self.words[i]

    def encode(self, text):
        return np.array([self.words.index(text.encode())], np.int32)


def pieces(*words, stop=()):
    return list(sample.cut(sample.characters(range(len(words)), Words(*words)), stop))


def test_a_character_split_across_tokens_waits_until_it_is_whole():
    data = "né汉😀".encode()
    assert pieces(*[data[i : i + 1] for i in range(len(data))]) == ["n", "é", "汉", "😀"]
    assert pieces("né汉".encode()[:2], "né汉".encode()[2:5], "né汉".encode()[5:]) == ["n", "é", "汉"]


def test_bytes_that_make_no_character_are_shown_as_replacement_as_in_one_decode(rng):
    assert pieces(b"a", b"\xff", b"b", b"\xe6\xb1") == ["a", "\ufffd", "b", "\ufffd"]
    for _ in range(200):
        data = bytes(rng.choice([0x41, 0x80, 0xC3, 0xA9, 0xE6, 0xB1, 0x89, 0xF0, 0x9F, 0xFF], 12).tolist())
        assert "".join(pieces(*[data[i : i + 1] for i in range(12)])) == data.decode("utf-8", errors="replace")


def test_a_stop_string_that_spans_tokens_is_neither_missed_nor_shown():
    assert pieces(b"to be", b"\n", b"\nHAM", b"LET.", stop=["\n\n"]) == ["to be"]
    assert pieces(b"aa", b"b", b"a", b"ab", b"c", b"d", stop=["abc"]) == ["a", "ab", "a"]
    assert pieces(b"so be it", stop=["be"]) == ["so "]
    assert pieces(b"stop", stop=["stop"]) == []
    assert pieces("汉".encode()[:1], "汉".encode()[1:], b"x", stop=["汉"]) == []


def test_what_could_have_become_a_stop_string_is_shown_when_it_did_not():
    assert pieces(b"a", b"\n", b"b", stop=["\n\n"]) == ["a", "\nb"]
    assert pieces(b"a", b"\n", stop=["\n\n"]) == ["a", "\n"]


def test_the_stop_string_that_is_complete_first_decides_however_the_text_is_cut_into_tokens(rng):
    for text in ((b"x", b"a", b"b", b"c"), (b"xabc",)):
        assert "".join(pieces(*text, stop=["abc", "b"])) == "xa"
    for _ in range(300):
        text = "".join(rng.choice(list("ab"), 14))
        stop = ["".join(rng.choice(list("ab"), n)) for n in rng.integers(1, 5, 3)]
        end = next((n for n in range(15) if any(text[:n].endswith(s) for s in stop)), None)
        expected = text if end is None else text[: end - max(len(s) for s in stop if text[:end].endswith(s))]
        cuts = [0, *sorted(rng.integers(0, 15, 4).tolist()), 14]
        parts = [text[a:b].encode() for a, b in zip(cuts, cuts[1:], strict=False)]
        assert "".join(pieces(*parts, stop=stop)) == expected


def write(model, prompt, words, **options):
    options = {"rng": np.random.default_rng(0), "max_tokens": 30} | options
    return sample.write(model["params"], prompt, tokenizer=words, config=model["config"], **options)


def test_write_is_generate_made_readable(rng):
    model = tiny(rng)
    words = Words(*[bytes([i]) for i in "né汉 bc.!".encode()])
    assert words.vocab_size == 11
    ids = generate(model, [0], temperature=0.9)
    expected = b"".join(map(words.token_bytes, ids)).decode("utf-8", errors="replace")
    assert "".join(write(model, "n", words, temperature=0.9)) == expected
    assert "".join(write(model, "n", words, temperature=0.9, stop="..")) == expected.split("..")[0]
    assert ".." in expected


# --- bad input


BAD = [
    ({"temperature": -0.1}, "temperature is -0.1"),
    ({"temperature": math.nan}, "temperature is nan"),
    ({"top_k": 0}, "top_k is 0"),
    ({"top_k": 2.5}, "top_k is 2.5"),
    ({"top_p": 0}, "top_p is 0"),
    ({"top_p": 1.01}, "top_p is 1.01"),
    ({"penalty": 0}, "penalty is 0"),
    ({"penalty": -2}, "penalty is -2"),
    ({"max_tokens": 0}, "max_tokens is 0"),
    ({"max_tokens": 1.5}, "max_tokens is 1.5"),
    ({"stop": ["a", ""]}, "stop string is empty"),
]


@pytest.mark.parametrize("options, sentence", BAD)
def test_bad_options_get_a_sentence_before_anything_is_computed(rng, options, sentence):
    model = tiny(rng)
    with pytest.raises(ValueError, match=sentence):
        write(model, "a", Words(*[bytes([97 + i]) for i in range(11)]), **options)  # never iterated


@pytest.mark.parametrize("f, option", [("temperature", -1), ("top_k", 0), ("top_p", 1.5), ("top_p", 0)])
def test_the_filters_themselves_refuse_the_same_options(f, option):
    with pytest.raises(ValueError, match=f"{f} is {option}"):
        getattr(sample, f)(KEPT, option)
    with pytest.raises(ValueError, match="penalty is 0"):
        sample.penalise(KEPT, [1], 0)


def test_an_empty_prompt_and_ids_outside_the_vocabulary_get_a_sentence(rng):
    model = tiny(rng)
    with pytest.raises(ValueError, match="the prompt is empty"):
        write(model, "", Words(b"a"))
    start = lambda ids: sample.generate(model["params"], ids, config=model["config"], rng=rng, max_tokens=1)
    for ids in (np.empty(0, int), np.array([[1, 2]])):
        with pytest.raises(ValueError, match="at least one"):
            start(ids)
    for ids in ([1, 11], [-1, 2], [0.5, 1]):
        with pytest.raises(ValueError, match=r"0 to 10.*tokenizer"):
            start(ids)


def test_what_the_tokenizer_says_about_the_prompt_passes_through(rng):
    class Picky(Words):
        def encode(self, text):
            raise ValueError("the character 'ß' was never seen")

    with pytest.raises(ValueError, match="'ß' was never seen"):
        write(tiny(rng), "ß", Picky(b"a"))
