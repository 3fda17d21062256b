"""Answers by somebody who had not seen the bank of mistakes: sixteen bits, the scale of a loss, and hidden copies."""

import bisect
import math
import struct
from collections import OrderedDict

import numpy as np

from minillm.trees import leaves, map_leaves

# To bfloat16.  `bits_of` are the bits, rounded to the nearest with ties to even, and not yet cut.


def bits_of(x):
    bits = x.view(np.uint32)
    return bits + 0x7FFF + (bits >> 16 & 1)


def usual(x):
    return np.where(np.isnan(x), 0x7FC0, bits_of(x) >> 16).astype(np.uint16)


def cut(x):
    return np.where(np.isnan(x), 0x7FC0, x.view(np.uint32) >> 16).astype(np.uint16)


def half_up(x):
    return np.where(np.isnan(x), 0x7FC0, (x.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def half_down(x):
    return np.where(np.isnan(x), 0x7FC0, (x.view(np.uint32) + 0x7FFF) >> 16).astype(np.uint16)


def nan_carried_on(x):
    return (bits_of(x) >> 16).astype(np.uint16)


def odd_bit_of_the_wrong_half(x):
    bits = x.view(np.uint32)
    return np.where(np.isnan(x), 0x7FC0, (bits + 0x7FFF + (bits >> 15 & 1)) >> 16).astype(np.uint16)


def ties_to_odd(x):
    bits = x.view(np.uint32)
    return np.where(np.isnan(x), 0x7FC0, (bits + 0x8000 - (bits >> 16 & 1)) >> 16).astype(np.uint16)


def wide_bits(x):
    return np.where(np.isnan(x), 0x7FC0, bits_of(x) >> 16)


def not_cut(x):
    return np.where(np.isnan(x), np.uint32(0x7FC00000), bits_of(x) & np.uint32(0xFFFF0000))


def rounded_float32(x):
    return (bits_of(x) & np.uint32(0xFFFF0000)).view(np.float32)


def float16_bits(x):
    with np.errstate(over="ignore"):
        return x.astype(np.float16).view(np.uint16)


def bits_in_place(x):
    nan, bits = np.isnan(x), x.view(np.uint32)
    bits += 0x7FFF + (bits >> 16 & 1)
    return np.where(nan, 0x7FC0, bits >> 16).astype(np.uint16)


def nan_with_its_sign(x):
    signs = np.where(np.signbit(x), 0xFFC0, 0x7FC0)
    return np.where(np.isnan(x), signs, bits_of(x) >> 16).astype(np.uint16)


def nan_made_quiet(x):
    return np.where(np.isnan(x), x.view(np.uint32) >> 16 | 0x40, bits_of(x) >> 16).astype(np.uint16)


def cast_to_a_number(x):
    with np.errstate(invalid="ignore"):
        return (x.astype(np.uint32) >> 16).astype(np.uint16)


def ones_in_the_exponent(x):
    bits = x.view(np.uint32)
    no_number = (bits >> 23 & 0xFF) == 0xFF
    return np.where(no_number, 0x7FC0, bits_of(x) >> 16).astype(np.uint16)


def never_infinite(x):
    y = bits_of(np.clip(x, -3.3895e38, 3.3895e38)) >> 16
    return np.where(np.isnan(x), 0x7FC0, y).astype(np.uint16)


def zero_for_subnormals(x):
    return usual(np.where(np.abs(x) < 2.0**-126, x * 0, x).astype(np.float32))


def sign_by_comparison(x):
    return np.where(np.isnan(x), 0x7FC0, (bits_of(np.abs(x)) >> 16) + 0x8000 * (x < 0)).astype(np.uint16)


def all_in_one_row(x):
    return usual(x).ravel()


def nan_equals_nan(x):
    return np.where(x == np.nan, 0x7FC0, bits_of(x) >> 16).astype(np.uint16)


def lower_halves(x):
    return np.where(np.isnan(x), 0x7FC0, bits_of(x) & 0xFFFF).astype(np.uint16)


def fifteen_to_go(x):
    bits = x.view(np.uint32)
    return np.where(np.isnan(x), 0x7FC0, (bits + 0x3FFF + (bits >> 15 & 1)) >> 15).astype(np.uint16)


def carries_lost(x):
    bits = x.view(np.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    up = (low > 0x8000) | (low == 0x8000) & (high & 1 == 1)
    fraction = np.minimum((high & 0x7F) + up, 0x7F)
    return np.where(np.isnan(x), 0x7FC0, high & 0xFF80 | fraction).astype(np.uint16)


def added_before_the_cut(x):
    bits = np.asarray(x).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    out = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), out)


def halves_compared(x):
    bits = x.view(np.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    up = (low > 0x8000) | ((low == 0x8000) & (high % 2 == 1))
    return np.where(np.isnan(x), 0x7FC0, high + up).astype(np.uint16)


def a_fraction_of_the_pattern(x):
    pattern = np.rint(x.view(np.uint32) / 65536)  # exact in float64, and rint goes to even
    return np.where(np.isnan(x), 0x7FC0, pattern).astype(np.uint16)


def one_by_one(x):
    out = np.empty(x.shape, np.uint16)
    for i in np.ndindex(x.shape):
        if math.isnan(x[i]):
            out[i] = 0x7FC0
            continue
        (bits,) = struct.unpack("<I", struct.pack("<f", x[i]))
        high, low = divmod(bits, 65536)
        out[i] = high + (low > 32768 or (low == 32768 and high % 2))
    return out


def signed_bits(x):
    bits = x.view(np.int32).astype(np.int64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    bits[np.isnan(x)] = 0x7FC0
    return (bits & 0xFFFF).astype(np.uint16)


def by_its_value(x):
    z = np.abs(x.astype(np.float64))
    _, e = np.frexp(np.where(np.isfinite(z), z, 1))
    gap = np.exp2(np.maximum(e - 1, -126) - 7.0)
    with np.errstate(invalid="ignore", over="ignore"):
        y = np.copysign(np.rint(z / gap) * gap, x).astype(np.float32)
    return np.where(np.isnan(x), 0x7FC0, y.view(np.uint32) >> 16).astype(np.uint16)


def nearer_neighbour(x):
    low = x.view(np.uint32) >> 16
    half = (x.view(np.uint32) & 0xFFFF).astype(np.int64)
    down, up = half, 65536 - half
    out = np.where((up < down) | ((up == down) & (low & 1 == 1)), low + 1, low).astype(np.uint16)
    out[np.isnan(x)] = 0x7FC0
    return out


def from_lists(x):
    table = [*range(0x7F81)]
    signs = np.signbit(x).ravel().tolist()
    out = []
    for bits, negative in zip((x.view(np.uint32) & 0x7FFFFFFF).ravel().tolist(), signs, strict=True):
        i = bisect.bisect_right(table, bits / 65536) - 1
        rest = bits - table[i] * 65536
        i += rest > 32768 or (rest == 32768 and i % 2)
        out.append(0x7FC0 if bits > 0x7F800000 else i + 0x8000 * negative)
    return np.array(out, dtype=np.uint16).reshape(x.shape)


# The scale of the loss.  `finite` looks at all numbers, `count` does what is due after a good step.


def finite(grads):
    return all(np.isfinite(g).all() for _, g in leaves(grads))


def refuse(state):
    state["scale"] /= 2
    state["good"] = 0
    return False


def count(state, patience):
    state["good"] += 1
    if state["good"] == patience:
        state["scale"] *= 2
        state["good"] = 0
    return True


def divide(grads, scale):
    for _, g in leaves(grads):
        g /= scale


def divided_by_the_new(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    count(state, patience)
    divide(grads, state["scale"])
    return True


def multiplied(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, 1 / state["scale"])
    return count(state, patience)


def not_divided(grads, state, *, patience=1000):
    return count(state, patience) if finite(grads) else refuse(state)


def still_counting(grads, state, *, patience=1000):
    if not finite(grads):
        state["scale"] /= 2
        return False
    divide(grads, state["scale"])
    return count(state, patience)


def no_new_count(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    state["good"] += 1
    if state["good"] >= patience:
        state["scale"] *= 2
    return True


def multiples_of_patience(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    state["good"] += 1
    if state["good"] % patience == 0:
        state["scale"] *= 2
    return True


def one_step_late(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    state["good"] += 1
    if state["good"] > patience:
        state.update(scale=state["scale"] * 2, good=0)
    return True


def looked_before_counting(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    if state["good"] == patience:
        state.update(scale=state["scale"] * 2, good=0)
    state["good"] += 1
    return True


def always_a_thousand(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, 1000)


def only_nan(grads, state, *, patience=1000):
    if any(np.isnan(g).any() for _, g in leaves(grads)):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def only_infinite(grads, state, *, patience=1000):
    if any(np.isinf(g).any() for _, g in leaves(grads)):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def only_above(grads, state, *, patience=1000):
    if any((g == np.inf).any() or np.isnan(g).any() for _, g in leaves(grads)):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def one_is_enough(grads, state, *, patience=1000):
    if not all(np.isfinite(g).any() for _, g in leaves(grads)):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def last_array_decides(grads, state, *, patience=1000):
    for _, g in leaves(grads):
        good = np.isfinite(g).all()
    if not good:
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def first_array_decides(grads, state, *, patience=1000):
    for _, g in leaves(grads):
        if np.isfinite(g).all():
            divide(grads, state["scale"])
            return count(state, patience)
        return refuse(state)


def halved_for_each(grads, state, *, patience=1000):
    good = True
    for _, g in leaves(grads):
        if not np.isfinite(g).all():
            good = refuse(state)
    if good:
        divide(grads, state["scale"])
        count(state, patience)
    return good


def a_sum_of_all(grads, state, *, patience=1000):
    with np.errstate(over="ignore", invalid="ignore"):
        total = sum(g.sum() for _, g in leaves(grads))
    if not np.isfinite(total):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def a_norm_of_all(grads, state, *, patience=1000):
    with np.errstate(over="ignore", invalid="ignore"):
        norm = math.sqrt(sum(float((g * g).sum()) for _, g in leaves(grads)))
    if not math.isfinite(norm):
        return refuse(state)
    divide(grads, state["scale"])
    return count(state, patience)


def new_arrays(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    grads = map_leaves(lambda g: g / state["scale"], grads)
    return count(state, patience)


def names_bound_anew(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    for _, g in leaves(grads):
        g = g / state["scale"]
    return count(state, patience)


def new_state(grads, state, *, patience=1000):
    if not finite(grads):
        state = {"scale": state["scale"] / 2, "good": 0}
        return False
    divide(grads, state["scale"])
    good = state["good"] + 1
    state = {"scale": state["scale"] * 2, "good": 0} if good == patience else state | {"good": good}
    return True


def never_below_one(grads, state, *, patience=1000):
    if not finite(grads):
        state.update(scale=max(state["scale"] / 2, 1.0), good=0)
        return False
    divide(grads, state["scale"])
    return count(state, patience)


def whole_scales(grads, state, *, patience=1000):
    if not finite(grads):
        state.update(scale=state["scale"] // 2, good=0)
        return False
    divide(grads, state["scale"])
    return count(state, patience)


def always_taken(grads, state, *, patience=1000):
    if finite(grads):
        divide(grads, state["scale"])
        count(state, patience)
    else:
        refuse(state)
    return True


def answer_turned(grads, state, *, patience=1000):
    if finite(grads):
        divide(grads, state["scale"])
        return not count(state, patience)
    return not refuse(state)


def nothing_returned(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    count(state, patience)


def dicts_only(grads, state, *, patience=1000):
    def arrays(tree):
        for g in tree.values():
            if isinstance(g, dict):
                yield from arrays(g)
            elif isinstance(g, np.ndarray):
                yield g

    if not all(np.isfinite(g).all() for g in arrays(grads)):
        return refuse(state)
    for g in arrays(grads):
        g /= state["scale"]
    return count(state, patience)


def zeros_for_the_bad(grads, state, *, patience=1000):
    good = finite(grads)
    for _, g in leaves(grads):
        g[~np.isfinite(g)] = 0
    divide(grads, state["scale"])
    if not good:
        refuse(state)
        return True
    return count(state, patience)


def doubled_each_time(grads, state, *, patience=1000):
    if not finite(grads):
        return refuse(state)
    divide(grads, state["scale"])
    state["scale"] *= 2
    state["good"] += 1
    return True


def a_tenth(grads, state, *, patience=1000):
    if not finite(grads):
        state.update(scale=state["scale"] / 10, good=0)
        return False
    divide(grads, state["scale"])
    return count(state, patience)


def look_divide_count(grads, state, *, patience=1000):
    arrays = [g for _, g in leaves(grads)]
    if not all(np.all(np.isfinite(g)) for g in arrays):
        state["scale"] *= 0.5
        state["good"] = 0
        return False
    for g in arrays:
        g /= state["scale"]
    state["good"] += 1
    if state["good"] >= patience:
        state["scale"] *= 2
        state["good"] = 0
    return True


def own_recursion(grads, state, *, patience=1000):
    def visit(tree, work):
        if isinstance(tree, np.ndarray):
            return [work(tree)]
        inside = tree.values() if isinstance(tree, dict) else tree
        return [found for part in inside for found in visit(part, work)]

    good = not any(visit(grads, lambda g: bool(np.isnan(g).any() or np.isinf(g).any())))
    if good:
        scale = state["scale"]
        visit(grads, lambda g: np.divide(g, scale, out=g))
    state["good"] = state["good"] + 1 if good else 0
    if not good:
        state["scale"] = state["scale"] / 2
    elif state["good"] == patience:
        state["scale"], state["good"] = state["scale"] * 2, 0
    return good


def stopped_on_the_way(grads, state, *, patience=1000):
    old = state["scale"]
    for _, g in leaves(grads):
        g *= 1 / old
        if not np.isfinite(g).all():
            state.update(scale=old / 2, good=0)
            return False
    streak = (state["good"] + 1) % patience
    state.update(scale=old if streak else 2 * old, good=streak)
    return True


def one_long_vector(grads, state, *, patience=1000):
    flat = np.concatenate([g.ravel() for _, g in leaves(grads)])
    ok = np.isfinite(flat).all()
    if ok:
        flat = (flat.astype(np.float64) / state["scale"]).astype(flat.dtype)
        start = 0
        for _, g in leaves(grads):
            g[...] = flat[start : start + g.size].reshape(g.shape)
            start += g.size
        count(state, patience)
    else:
        refuse(state)
    return ok


def a_stack_of_trees(grads, state, *, patience=1000):
    stack, arrays = [grads], []
    while stack:
        tree = stack.pop()
        if isinstance(tree, dict):
            stack.extend(tree.values())
        elif isinstance(tree, list):
            stack.extend(tree)
        else:
            arrays.append(tree)
    largest = max(float(np.max(np.abs(g), initial=0)) for g in arrays)
    worst = math.nan if any(np.isnan(g).any() for g in arrays) else largest
    if not math.isfinite(worst):
        return refuse(state)
    for g in arrays:
        g[:] = g / state["scale"]
    return count(state, patience)


def zero_times(grads, state, *, patience=1000):
    with np.errstate(invalid="ignore"):
        good = sum(int(np.sum(0 * g != 0)) for _, g in leaves(grads)) == 0
    if good:
        map_leaves(lambda g: g.__itruediv__(state["scale"]), grads)
    if good and state["good"] + 1 < patience:
        state["good"] += 1
    else:
        state["scale"] *= 2 if good else 0.5
        state["good"] = 0
    return good


def number_by_number(grads, state, *, patience=1000):
    for _, g in leaves(grads):
        for value in g.ravel().tolist():
            if value != value or value in (math.inf, -math.inf):
                return refuse(state)
    for _, g in leaves(grads):
        for i in np.ndindex(g.shape):
            g[i] = float(g[i]) / state["scale"]
    return count(state, patience)


TO_BFLOAT16 = {
    "wrong": [
        ("cut off, not rounded", cut),
        ("ties always go up", half_up),
        ("ties always go down", half_down),
        ("NaN is rounded like a number", nan_carried_on),
        ("bit 15 decides about ties", odd_bit_of_the_wrong_half),
        ("ties go to the odd pattern", ties_to_odd),
        ("an array of uint32", wide_bits),
        ("the lower half is zero, and still there", not_cut),
        ("float32 is returned", rounded_float32),
        ("float16's bits", float16_bits),
        ("bits += works on x", bits_in_place),
        ("NaN keeps its sign", nan_with_its_sign),
        ("NaN keeps its bits and becomes quiet", nan_made_quiet),
        ("astype in place of view", cast_to_a_number),
        ("infinity taken for NaN", ones_in_the_exponent),
        ("clipped to the largest", never_infinite),
        ("subnormals become 0", zero_for_subnormals),
        ("the sign of -0 is lost", sign_by_comparison),
        ("the shape is lost", all_in_one_row),
        ("x == nan", nan_equals_nan),
        ("the lower half", lower_halves),
        ("15 bits are cut", fifteen_to_go),
        ("a carry stops below the exponent", carries_lost),
    ],
    "right": [
        ("the usual sum before the cut", added_before_the_cut),
        ("halves compared", halves_compared),
        ("the pattern as a fraction, and rint", a_fraction_of_the_pattern),
        ("struct, one by one", one_by_one),
        ("signed bits", signed_bits),
        ("by its value, with frexp", by_its_value),
        ("the nearer neighbour", nearer_neighbour),
        ("lists and bisect", from_lists),
    ],
}
UNSCALE = {
    "wrong": [
        ("divided by the new scale", divided_by_the_new),
        ("multiplied by the scale", multiplied),
        ("not divided", not_divided),
        ("a bad step does not end the count", still_counting),
        ("no new count after doubling", no_new_count),
        ("doubled at multiples of patience, and counted on", multiples_of_patience),
        ("doubled one step late", one_step_late),
        ("looks at the count before it counts", looked_before_counting),
        ("patience is always 1000", always_a_thousand),
        ("only NaN is bad", only_nan),
        ("only infinity is bad", only_infinite),
        ("minus infinity is good", only_above),
        ("one finite number is enough", one_is_enough),
        ("the last array decides", last_array_decides),
        ("the first array decides", first_array_decides),
        ("halved for each bad array", halved_for_each),
        ("the sum decides, and can overflow", a_sum_of_all),
        ("the norm decides, and can overflow", a_norm_of_all),
        ("a new tree", new_arrays),
        ("g = g / scale", names_bound_anew),
        ("a new state", new_state),
        ("the scale stays above 1", never_below_one),
        ("the scale is halved to whole numbers", whole_scales),
        ("True for bad steps too", always_taken),
        ("True and False swapped", answer_turned),
        ("None for good steps", nothing_returned),
        ("lists are not entered", dicts_only),
        ("bad numbers become 0, and the step is taken", zeros_for_the_bad),
        ("doubled after each good step", doubled_each_time),
        ("a tenth in place of a half", a_tenth),
    ],
    "right": [
        ("look, divide, count", look_divide_count),
        ("its own recursion", own_recursion),
        ("divides on the way, and stops at a bad one", stopped_on_the_way),
        ("one long vector, and NumPy's True", one_long_vector),
        ("a stack of trees, and the largest size", a_stack_of_trees),
        ("zero times everything is zero", zero_times),
        ("number by number", number_by_number),
    ],
}
FOUND = {
    "A": "a constant is sent again",
    "B": "a mask is counted",
    "C": "the clock stops too early",
    "D": "nothing crosses",
    "E": "a condition waits",
    "F": "noise comes from the computer",
    "G": "the end of a slice is fetched",
    "H": "a kernel for each row",
}
HIDDEN_COPIES = {
    "wrong": [
        ("the norm in the log taken for a fetch", FOUND | {"D": "the loss is fetched"}),
        ("int() taken for a condition", FOUND | {"G": "a condition waits"}),
        (
            "a clock that copies nothing, and the log that does",
            FOUND | {"C": "nothing crosses", "D": "the loss is fetched"},
        ),
        ("a loop that copies nothing", FOUND | {"H": "nothing crosses"}),
        ("the mask taken for a list of indices", FOUND | {"B": "an index list is sent"}),
        ("np.tri taken for float64", FOUND | {"A": "float64 creeps in"}),
        ("the noise taken for a constant", FOUND | {"F": "a constant is sent again"}),
        ("constant and noise swapped", FOUND | {"A": FOUND["F"], "F": FOUND["A"]}),
        ("a mask in the noise", FOUND | {"B": FOUND["F"], "F": FOUND["B"]}),
        ("the pattern of all weights", FOUND | {"E": "all weights are fetched"}),
        ("one left out", {letter: FOUND[letter] for letter in "ABCDEFG"}),
        ("one question mark left", FOUND | {"H": "?"}),
        ("a word with a capital", FOUND | {"D": "Nothing crosses."}),
        ("nothing anywhere", dict.fromkeys(FOUND, "nothing crosses")),
        ("letters and words the wrong way round", {word: letter for letter, word in FOUND.items()}),
        ("a list in place of a dict", list(FOUND.values())),
    ],
    "right": [
        ("the cell, filled in", FOUND),
        ("from H to A", dict(sorted(FOUND.items(), reverse=True))),
        ("an OrderedDict", OrderedDict(FOUND)),
        ("letters and words zipped", dict(zip("ABCDEFGH", FOUND.values(), strict=True))),
        ("NumPy's strings", dict(zip("ABCDEFGH", np.array([*FOUND.values()]), strict=True))),
        ("a copy of the question marks, updated", dict.fromkeys("ABCDEFGH", "?") | FOUND),
    ],
}
ANSWERS = {"to_bfloat16": TO_BFLOAT16, "unscale": UNSCALE, "hidden_copies": HIDDEN_COPIES}
NAMED = {"to_bfloat16": 16, "unscale": 26, "hidden_copies": 11}
