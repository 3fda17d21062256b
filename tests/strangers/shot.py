"""Answers by somebody who had not seen the bank of mistakes: the grader's second witness."""

import bisect
import copy
import datetime
import functools
import hashlib
import heapq
import hmac
import itertools
import json
import operator

import numpy as np

time_of = datetime.datetime.fromisoformat

# Why a prediction does not count.  Most of the answers are right but for one of the four reasons, or for their order.


def rest_of(registration):
    return {key: value for key, value in registration.items() if key != "sha256"}


def text_of(rest):
    return json.dumps(rest, sort_keys=True, separators=(",", ":"))


def sha_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def changed(registration, run):
    return sha_of(text_of(rest_of(registration))) != registration["sha256"]


def other(registration, run):
    return run["N"] != registration["N"] or run["D"] != registration["D"]


def fitted(registration, run):
    return [run["N"], run["D"], run["loss"]] in registration["data"]["rows"]


def late(registration, run):
    return time_of(run["finished"]) <= time_of(registration["registered"])


def judge(changed=changed, other=other, fitted=fitted, late=late, order=(0, 1, 2, 3), good=None):
    """An answer in which one of the reasons, their order or the word for a good one is written differently."""
    reasons = [("changed", changed), ("other run", other), ("fitted", fitted), ("too late", late)]

    def answer(registration, run):
        for i in order:
            word, is_so = reasons[i]
            if is_so(registration, run):
                return word
        return good

    return answer


def with_text(text):
    """An answer that is right but for the text that is hashed."""
    return judge(changed=lambda registration, run: sha_of(text(registration)) != registration["sha256"])


def with_hash(digest):
    """An answer that is right but for the hash of the text."""
    return judge(changed=lambda told, run: digest(text_of(rest_of(told)).encode()) != told["sha256"])


def with_times(earlier):
    """An answer that is right but for the comparison of the texts of two times: finished, registered."""
    return judge(late=lambda registration, run: earlier(run["finished"], registration["registered"]))


def with_row(is_it):
    """An answer that is right but for what makes a row the run."""
    return judge(fitted=lambda told, run: any(is_it(row, run) for row in told["data"]["rows"]))


KEYS = ("registered", "N", "D", "median", "intervals", "data")

v_seal_in_the_text = with_text(text_of)
v_empty_seal = with_text(lambda told: text_of({**told, "sha256": ""}))
v_unsorted = with_text(lambda told: json.dumps(rest_of(told), separators=(",", ":")))
v_spaces = with_text(lambda told: json.dumps(rest_of(told), sort_keys=True))
v_indented = with_text(lambda told: json.dumps(rest_of(told), sort_keys=True, indent=2))
v_sorted_outside = with_text(lambda told: json.dumps(dict(sorted(rest_of(told).items())), separators=(",", ":")))
v_str = with_text(lambda told: str(rest_of(told)))
v_no_ascii = with_text(
    lambda told: json.dumps(rest_of(told), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
)
v_known_keys = with_text(lambda told: text_of({key: told[key] for key in KEYS}))
v_no_spaces_at_all = with_text(lambda told: json.dumps(rest_of(told), sort_keys=True).replace(" ", ""))
v_digest = with_hash(lambda data: hashlib.sha256(data).digest())
v_sha1 = with_hash(lambda data: hashlib.sha1(data).hexdigest())
v_python_hash = with_hash(hash)
v_object = with_hash(hashlib.sha256)
v_first_digits = judge(changed=lambda told, run: sha_of(text_of(rest_of(told)))[:8] != told["sha256"][:8])
v_not_the_seal = judge(changed=lambda told, run: False)
v_length_only = judge(changed=lambda told, run: len(told["sha256"]) != 64)
v_seal_is_right = judge(changed=lambda told, run: not changed(told, run))

v_N_only = judge(other=lambda told, run: run["N"] != told["N"])
v_D_only = judge(other=lambda told, run: run["D"] != told["D"])
v_and = judge(other=lambda told, run: run["N"] != told["N"] and run["D"] != told["D"])
v_product = judge(other=lambda told, run: run["N"] * run["D"] != told["N"] * told["D"])
v_about = judge(
    other=lambda told, run: not np.allclose([run["N"], run["D"]], [told["N"], told["D"]], rtol=0.01),
)
v_median_too = judge(other=lambda told, run: other(told, run) or run["loss"] != told["median"])

v_dict_in_rows = judge(fitted=lambda told, run: run in told["data"]["rows"])
v_tuple_in_rows = judge(fitted=lambda told, run: (run["N"], run["D"], run["loss"]) in told["data"]["rows"])
v_sizes_of_a_row = with_row(lambda row, run: row[:2] == [run["N"], run["D"]])
v_loss_of_a_row = with_row(lambda row, run: row[2] == run["loss"])
v_any_of_a_row = with_row(lambda row, run: row[0] == run["N"] or row[1] == run["D"] or row[2] == run["loss"])
v_row_turned = with_row(lambda row, run: row == [run["D"], run["N"], run["loss"]])
v_rounded = with_row(lambda row, run: row[:2] == [run["N"], run["D"]] and round(row[2], 2) == round(run["loss"], 2))
v_median_of_a_row = judge(fitted=lambda told, run: [told["N"], told["D"], told["median"]] in told["data"]["rows"])
v_last_row = judge(fitted=lambda told, run: [run["N"], run["D"], run["loss"]] == told["data"]["rows"][-1])
v_first_row = judge(fitted=lambda told, run: [run["N"], run["D"], run["loss"]] == told["data"]["rows"][0])
v_columns = judge(
    fitted=lambda told, run: all(
        run[key] in column
        for key, column in zip(("N", "D", "loss"), zip(*told["data"]["rows"], strict=True), strict=True)
    )
)
v_never_fitted = judge(fitted=lambda told, run: False)

v_texts = with_times(operator.le)
v_clocks = with_times(lambda a, b: time_of(a).replace(tzinfo=None) <= time_of(b).replace(tzinfo=None))
v_cut = with_times(lambda a, b: a[:19] <= b[:19])
v_strictly = with_times(lambda a, b: time_of(a) < time_of(b))
v_turned = with_times(lambda a, b: time_of(a) >= time_of(b))
v_days = with_times(lambda a, b: time_of(a).date() <= time_of(b).date())
v_time_of_day = with_times(lambda a, b: time_of(a).time() <= time_of(b).time())
v_whole_seconds = with_times(lambda a, b: int(time_of(a).timestamp()) <= int(time_of(b).timestamp()))
v_never_late = with_times(lambda a, b: False)
v_since_now = with_times(lambda a, b: time_of(a) <= time_of("2100-01-01T00:00:00+00:00"))
v_zone_added = with_times(
    lambda a, b: (
        time_of(a).replace(tzinfo=None) + time_of(a).utcoffset()
        <= time_of(b).replace(tzinfo=None) + time_of(b).utcoffset()
    )
)

v_late_first = judge(order=(3, 0, 1, 2))
v_seal_last = judge(order=(1, 2, 3, 0))
v_late_before_fitted = judge(order=(0, 1, 3, 2))
v_fitted_before_other = judge(order=(0, 2, 1, 3))
v_last_reason = judge(order=(3, 2, 1, 0))
v_false = judge(good=False)
v_empty = judge(good="")
v_counts = judge(good="counts")


def v_all_reasons(registration, run):
    found = [(changed, "changed"), (other, "other run"), (fitted, "fitted"), (late, "too late")]
    return [word for is_so, word in found if is_so(registration, run)] or None


def v_raises(registration, run):
    if changed(registration, run):
        raise ValueError("changed")
    return judge()(registration, run)


def v_pops(registration, run):
    seal = registration.pop("sha256")
    if sha_of(text_of(registration)) != seal:
        return "changed"
    return judge(changed=lambda told, run: False)(registration, run)


def v_same_dict(registration, run):
    rest = registration
    seal = rest["sha256"]
    del rest["sha256"]
    why = "changed" if sha_of(text_of(rest)) != seal else judge(changed=lambda told, run: False)(rest, run)
    rest["sha256"] = seal
    rest["registered"] = time_of(rest["registered"]).astimezone(datetime.UTC).isoformat()
    return why


def v_plain(registration, run):
    rest = dict(registration)
    sha = rest.pop("sha256")
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != sha:
        return "changed"
    if (run["N"], run["D"]) != (registration["N"], registration["D"]):
        return "other run"
    if [run["N"], run["D"], run["loss"]] in registration["data"]["rows"]:
        return "fitted"
    if datetime.datetime.fromisoformat(run["finished"]) <= datetime.datetime.fromisoformat(registration["registered"]):
        return "too late"


def v_deep_copy(registration, run):
    rest = copy.deepcopy(registration)
    del rest["sha256"]
    seal = hashlib.sha256()
    for piece in json.JSONEncoder(sort_keys=True, separators=(",", ":")).iterencode(rest):
        seal.update(piece.encode("ascii"))
    if not hmac.compare_digest(seal.hexdigest(), registration["sha256"]):
        return "changed"
    elif not (run["N"] == rest["N"] and run["D"] == rest["D"]):
        return "other run"
    elif any(tuple(row) == (run["N"], run["D"], run["loss"]) for row in rest["data"]["rows"]):
        return "fitted"
    elif (time_of(rest["registered"]) - time_of(run["finished"])).total_seconds() >= 0:
        return "too late"
    else:
        return None


def v_next(registration, run):
    reasons = {"changed": changed, "other run": other, "fitted": fitted, "too late": late}
    return next((word for word, is_so in reasons.items() if is_so(registration, run)), None)


def v_array(registration, run):
    """Everything is asked first, and the first that is so is taken."""
    rows = np.array(registration["data"]["rows"]).reshape(-1, 3)
    times = [time_of(text).astimezone(datetime.UTC) for text in (run["finished"], registration["registered"])]
    bad = [
        bytes.fromhex(registration["sha256"]) != hashlib.sha256(text_of(rest_of(registration)).encode()).digest(),
        bool({key: run[key] for key in "ND"} != {key: registration[key] for key in "ND"}),
        bool((rows == [run["N"], run["D"], run["loss"]]).all(1).any()),
        times[0] <= times[1],
    ]
    return ["changed", "other run", "fitted", "too late", None][bad.index(True) if True in bad else 4]


def v_backwards(registration, run):
    """The last reason is written first, and the earlier ones write over it."""
    why = None
    if not time_of(registration["registered"]).timestamp() < time_of(run["finished"]).timestamp():
        why = "too late"
    for N, D, loss in registration["data"]["rows"]:
        if N == run["N"] and D == run["D"] and loss == run["loss"]:
            why = "fitted"
    if run["N"] - registration["N"] or run["D"] - registration["D"]:
        why = "other run"
    kept = json.loads(json.dumps(registration))
    seal = kept.pop("sha256")
    return "changed" if sha_of(text_of(kept)) != seal else why


def v_by_hand(registration, run):
    """The zones are taken off by hand: UTC is what the clock says, less the offset."""

    def utc(text):
        moment = time_of(text)
        return moment.replace(tzinfo=None) - moment.utcoffset()

    rest = {key: registration[key] for key in sorted(registration) if key != "sha256"}
    matches = sha_of(text_of(rest)) == registration["sha256"]
    if matches:
        if run["N"] == rest["N"] and run["D"] == rest["D"]:
            if (run["N"], run["D"], run["loss"]) not in {tuple(row) for row in rest["data"]["rows"]}:
                return None if utc(run["finished"]) > utc(rest["registered"]) else "too late"
            return "fitted"
        return "other run"
    return "changed"


# The score of an interval.


def missed(low, high, truth):
    return np.maximum(low - truth, 0) + np.maximum(truth - high, 0)


def fined(fine):
    """An answer with another fine for what lies outside, of the level."""
    return lambda low, high, level, truth: high - low + fine(level) * missed(low, high, truth)


def outside(how):
    """An answer with another measure of what lies outside."""
    return lambda low, high, level, truth: high - low + 2 / (1 - level) * how(low, high, truth)


s_one = fined(lambda level: 1 / (1 - level))
s_over_level = fined(lambda level: 2 / level)
s_times = fined(lambda level: 2 * (1 - level))
s_half = fined(lambda level: (1 - level) / 2)
s_percent = fined(lambda level: 2 / (100 - level))
s_always_95 = fined(lambda level: 40)
s_no_fine = fined(lambda level: 0)
s_precedence = fined(lambda level: 2 / 1 - level)
s_integer = fined(lambda level: 2 // (1 - level))
s_below_only = outside(lambda low, high, truth: np.maximum(low - truth, 0))
s_above_only = outside(lambda low, high, truth: np.maximum(truth - high, 0))
s_signs = outside(lambda low, high, truth: np.maximum(truth - low, 0) + np.maximum(high - truth, 0))
s_flat = outside(lambda low, high, truth: (truth < low) | (truth > high))
s_squares = outside(lambda low, high, truth: missed(low, high, truth) ** 2)
s_middle = outside(lambda low, high, truth: np.where(missed(low, high, truth) > 0, abs(truth - (low + high) / 2), 0))
s_farther = outside(
    lambda low, high, truth: np.where(missed(low, high, truth) > 0, np.maximum(abs(truth - low), abs(truth - high)), 0)
)
s_no_maximum = outside(lambda low, high, truth: (low - truth) + (truth - high))
s_nearer_end = outside(lambda low, high, truth: np.minimum(abs(truth - low), abs(truth - high)))
s_crossed = outside(lambda low, high, truth: np.maximum(low - truth, 0) - np.maximum(truth - high, 0))
s_larger_of_all = outside(lambda low, high, truth: np.max([np.max(low - truth), np.max(truth - high), 0]))
s_builtin = outside(lambda low, high, truth: max(low - truth, 0) + max(truth - high, 0))


def s_no_width(low, high, level, truth):
    return 2 / (1 - level) * missed(low, high, truth)


def s_width_or_fine(low, high, level, truth):
    return np.where((truth >= low) & (truth <= high), high - low, 2 / (1 - level) * missed(low, high, truth))


def s_fine_on_all(low, high, level, truth):
    return 2 / (1 - level) * (high - low + missed(low, high, truth))


def s_reward(low, high, level, truth):
    return -(high - low) - 2 / (1 - level) * missed(low, high, truth)


def s_width_turned(low, high, level, truth):
    return low - high + 2 / (1 - level) * missed(low, high, truth)


def s_mean(low, high, level, truth):
    return np.mean(high - low + 2 / (1 - level) * missed(low, high, truth))


def s_sum(low, high, level, truth):
    return np.sum(high - low + 2 / (1 - level) * missed(low, high, truth))


def s_relative(low, high, level, truth):
    return (high - low + 2 / (1 - level) * missed(low, high, truth)) / truth


def s_half_width(low, high, level, truth):
    return (high - low) / 2 + 2 / (1 - level) * missed(low, high, truth)


def s_inside(low, high, level, truth):
    return (low <= truth) & (truth <= high)


def s_if(low, high, level, truth):
    if truth < low:
        return high - low + 2 / (1 - level) * (low - truth)
    if truth > high:
        return high - low + 2 / (1 - level) * (truth - high)
    return high - low


def s_pinball(low, high, level, truth):
    """The two quantile losses, not multiplied by 2 / (1 - level)."""
    tail = (1 - level) / 2
    loss = lambda end, q: np.maximum(q * (truth - end), (q - 1) * (truth - end))
    return loss(low, tail) + loss(high, 1 - tail)


def s_like_truth(low, high, level, truth):
    """One interval and many truths only."""
    score = np.zeros(len(truth))
    for i, y in enumerate(truth):
        score[i] = high - low + 2 / (1 - level) * (max(low - y, 0) + max(y - high, 0))
    return score


def s_zip(low, high, level, truth):
    return np.array([s_if(l, u, level, y) for l, u, y in zip(*np.atleast_1d(low, high, truth), strict=False)])


def s_raveled(low, high, level, truth):
    return np.ravel(high - low + 2 / (1 - level) * missed(low, high, truth))


def s_in_place(low, high, level, truth):
    width = high - low
    low -= truth
    high -= truth
    return width + 2 / (1 - level) * (np.maximum(low, 0) + np.maximum(-high, 0))


def s_formula(low, high, level, truth):
    return (high - low) + 2 / (1 - level) * np.maximum(low - truth, 0) + 2 / (1 - level) * np.maximum(truth - high, 0)


def s_clip(low, high, level, truth):
    return high - low + abs(truth - np.clip(truth, low, high)) * 2 / (1 - level)


def s_where(low, high, level, truth):
    low, high, truth = map(np.asarray, (low, high, truth))
    tail = (1 - level) / 2
    return np.where(truth < low, (low - truth) / tail, np.where(truth > high, (truth - high) / tail, 0)) + (high - low)


def s_absolute(low, high, level, truth):
    """|y - l| + |y - u| is the width, and twice what lies outside."""
    ways = np.abs(np.subtract(truth, low)) + np.abs(np.subtract(truth, high))
    return np.subtract(high, low) + (ways - np.subtract(high, low)) / (1 - level)


def s_quantile_losses(low, high, level, truth):
    tail = (1 - level) / 2
    loss = lambda end, q: (np.heaviside(truth - end, 0.5) - (1 - q)) * (truth - end)
    return (loss(low, tail) + loss(high, 1 - tail)) / tail


s_vectorized = np.vectorize(s_if, otypes=[float])


def s_broadcast(low, high, level, truth):
    both = np.broadcast(low, high, truth)
    score = np.empty(both.shape)
    score.flat = [float(u - l) + max(l - y, y - u, 0) / (0.5 * (1 - level)) for l, u, y in both]
    return score


def s_masks(low, high, level, truth):
    l, u, y = (x.astype(float) for x in np.broadcast_arrays(low, high, truth))
    score = np.array(u - l)
    score[y < l] += (l - y)[y < l] * (2 / (1 - level))
    score[y > u] += (y - u)[y > u] * (2 / (1 - level))
    return score


def s_dot(low, high, level, truth):
    parts = np.broadcast_arrays(high - low, np.maximum(low - truth, 0), np.maximum(truth - high, 0))
    return np.einsum("k...,k->...", np.array(parts, float), [1, 2 / (1 - level), 2 / (1 - level)])


def s_nested(low, high, level, truth):
    """Lists inside, one axis at a time."""
    if max(map(np.ndim, (low, high, truth))) == 0:
        return float(s_if(low, high, level, truth))
    rows = zip(*(list(x) for x in np.broadcast_arrays(low, high, truth)), strict=True)
    return np.array([s_nested(l, u, level, y) for l, u, y in rows])


# What a budget pays for.


def steps_of(steps, cooldown):
    branches = [round(cooldown * n) for n in steps]
    return max(n - b for n, b in zip(steps, branches, strict=True)) + sum(branches)


def bought(steps_of=steps_of, key=None, fits=operator.le, names=lambda taken: taken):
    """An answer in which the steps of a rung, the order, the comparison or the result is written differently."""

    def answer(budget, rungs, cooldown=0.25):
        costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
        taken, spent = [], 0
        for i in sorted(range(len(rungs)), key=lambda i: costs[i] if key is None else key(i, costs, rungs)):
            spent += costs[i]
            if not fits(spent, budget):
                break
            taken.append(i)
        return names(taken)

    return answer


def longest(steps, cooldown):
    return max(steps) - round(cooldown * max(steps))


b_alone = bought(lambda steps, c: sum(steps))
b_longest_only = bought(lambda steps, c: max(steps))
b_whole_trunk = bought(lambda steps, c: max(steps) + sum(round(c * n) for n in steps))
b_trunk_only = bought(longest)
b_branches_only = bought(lambda steps, c: sum(round(c * n) for n in steps))
b_trunk_each = bought(lambda steps, c: sum(n - round(c * n) for n in steps) + sum(round(c * n) for n in steps))
b_last_of_list = bought(lambda steps, c: steps[-1] - round(c * steps[-1]) + sum(round(c * n) for n in steps))
b_first_of_list = bought(lambda steps, c: steps[0] - round(c * steps[0]) + sum(round(c * n) for n in steps))
b_shortest = bought(lambda steps, c: min(steps) - round(c * min(steps)) + sum(round(c * n) for n in steps))
b_shares_turned = bought(lambda steps, c: round(c * max(steps)) + sum(n - round(c * n) for n in steps))
b_one_branch_more = bought(lambda steps, c: longest(steps, c) + len(steps) * round(c * max(steps)))
b_one_branch_less = bought(lambda steps, c: longest(steps, c) + sum(round(c * n) for n in sorted(steps)[:-1]))
b_no_rounding = bought(lambda steps, c: (1 - c) * max(steps) + c * sum(steps))
b_int = bought(lambda steps, c: max(n - int(c * n) for n in steps) + sum(int(c * n) for n in steps))
b_sum_rounded = bought(lambda steps, c: longest(steps, c) + round(c * sum(steps)))
b_always_quarter = bought(lambda steps, c: steps_of(steps, 0.25))
b_product = bought(lambda steps, c: max(steps) * len(steps))

b_as_in_plan = bought(key=lambda i, costs, rungs: i)
b_dearest = bought(key=lambda i, costs, rungs: -costs[i])
b_by_flops = bought(key=lambda i, costs, rungs: rungs[i][0])
b_by_steps = bought(key=lambda i, costs, rungs: max(rungs[i][1]))
b_by_alone = bought(key=lambda i, costs, rungs: rungs[i][0] * sum(rungs[i][1]))
b_later_first = bought(key=lambda i, costs, rungs: (costs[i], -i))
b_smaller_model_first = bought(key=lambda i, costs, rungs: (costs[i], rungs[i][0]))
b_strictly = bought(fits=operator.lt)
b_from_one = bought(names=lambda taken: [i + 1 for i in taken])
b_sorted = bought(names=sorted)
b_how_many = bought(names=len)
b_set = bought(names=set)
b_range = bought(names=lambda taken: list(range(len(taken))))


def b_skips_in_plan(budget, rungs, cooldown=0.25):
    taken, spent = [], 0
    for i, (flops, steps) in enumerate(rungs):
        cost = flops * steps_of(steps, cooldown)
        if spent + cost <= budget:
            taken, spent = [*taken, i], spent + cost
    return taken


def b_each_alone(budget, rungs, cooldown=0.25):
    costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
    return [i for i in sorted(range(len(costs)), key=costs.__getitem__) if costs[i] <= budget]


def b_one_too_many(budget, rungs, cooldown=0.25):
    costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
    taken, spent = [], 0
    for i in sorted(range(len(costs)), key=costs.__getitem__):
        if spent > budget:
            break
        taken.append(i)
        spent += costs[i]
    return taken


def b_index(budget, rungs, cooldown=0.25):
    costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
    sums = np.cumsum(sorted(costs))
    return [costs.index(cost) for cost, total in zip(sorted(costs), sums, strict=True) if total <= budget]


def b_dict(budget, rungs, cooldown=0.25):
    by_cost = {flops * steps_of(steps, cooldown): i for i, (flops, steps) in enumerate(rungs)}
    taken, left = [], budget
    for cost in sorted(by_cost):
        if cost <= left:
            taken.append(by_cost[cost])
            left -= cost
    return taken


def b_fullest(budget, rungs, cooldown=0.25):
    """The choice that uses most of the budget."""
    costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
    every = itertools.chain.from_iterable(itertools.combinations(range(len(costs)), k) for k in range(len(costs) + 1))
    paid = [some for some in every if sum(costs[i] for i in some) <= budget]
    return sorted(max(paid, key=lambda some: sum(costs[i] for i in some)), key=costs.__getitem__)


def b_costs(budget, rungs, cooldown=0.25):
    taken = bought()(budget, rungs, cooldown)
    return [rungs[i][0] * steps_of(rungs[i][1], cooldown) for i in taken]


def b_rungs(budget, rungs, cooldown=0.25):
    return [rungs[i] for i in bought()(budget, rungs, cooldown)]


def b_sorts_steps(budget, rungs, cooldown=0.25):
    for _, steps in rungs:
        steps.sort()
    return b_last_of_list(budget, rungs, cooldown)


def b_sorts_rungs(budget, rungs, cooldown=0.25):
    rungs.sort(key=lambda rung: rung[0] * steps_of(rung[1], cooldown))
    return bought()(budget, rungs, cooldown)


def b_loop(budget, rungs, cooldown=0.25):
    costs = []
    for number, (flops, steps) in enumerate(rungs):
        branch = sum(round(cooldown * n) for n in steps)
        costs.append((flops * (max(steps) - round(cooldown * max(steps)) + branch), number))
    costs.sort()
    taken = []
    for cost, number in costs:
        if cost > budget:
            break
        budget -= cost
        taken.append(number)
    return taken


def b_cumulated(budget, rungs, cooldown=0.25):
    costs = np.array([flops * steps_of(steps, cooldown) for flops, steps in rungs], dtype=float)
    order = np.argsort(costs, kind="stable")
    return order[np.cumsum(costs[order]) <= budget].tolist()


def b_itertools(budget, rungs, cooldown=0.25):
    costs = [flops * steps_of(steps, cooldown) for flops, steps in rungs]
    order = sorted(range(len(rungs)), key=costs.__getitem__)
    sums = itertools.accumulate(costs[i] for i in order)
    return [i for i, _ in zip(order, itertools.takewhile(lambda total: total <= budget, sums), strict=False)]


def b_bisect(budget, rungs, cooldown=0.25):
    cost = lambda rung: rung[0] * steps_of(rung[1], cooldown)
    order = sorted(enumerate(rungs), key=lambda pair: cost(pair[1]))
    sums = list(itertools.accumulate(cost(rung) for _, rung in order))
    return [i for i, _ in order[: bisect.bisect_right(sums, budget)]]


def b_heap(budget, rungs, cooldown=0.25):
    """The longest run is the trunk with its end; only the others add a branch."""
    heap = []
    for i, (flops, steps) in enumerate(rungs):
        *others, last = sorted(steps)
        heapq.heappush(heap, (flops * last + sum(flops * round(cooldown * n) for n in others), i))
    taken = []
    while heap and heap[0][0] <= budget:
        cost, i = heapq.heappop(heap)
        taken.append(i)
        budget = budget - cost
    return taken


def b_goes_on(budget, rungs, cooldown=0.25):
    """It looks at the dearer ones too, which cannot fit when a cheaper one did not."""
    steps = [np.array(steps) for _, steps in rungs]
    ends = [np.rint(cooldown * n).astype(int) for n in steps]
    costs = [int(f) * int((n - e).max() + e.sum()) for (f, _), n, e in zip(rungs, steps, ends, strict=True)]
    taken = []
    for _, i in sorted(zip(costs, range(len(costs)), strict=True)):
        if sum(costs[j] for j in taken) + costs[i] <= budget:
            taken.append(i)
    return taken


def b_one_at_a_time(budget, rungs, cooldown=0.25):
    left = {i: flops * steps_of(steps, cooldown) for i, (flops, steps) in enumerate(rungs)}
    taken = []
    while left:
        i = min(left, key=left.get)
        if left[i] > budget:
            return taken
        taken.append(i)
        budget -= left.pop(i)
    return taken


def b_reduced(budget, rungs, cooldown=0.25):
    pairs = sorted((flops * steps_of(steps, cooldown), i) for i, (flops, steps) in enumerate(rungs))
    add = lambda so, pair: (so[0] + pair[0], [*so[1], pair[1]] if so[0] + pair[0] <= budget else so[1])
    return functools.reduce(add, pairs, (0, []))[1]


VOID = {
    "wrong": [
        ("the seal is in the text", v_seal_in_the_text),
        ("the seal is emptied, not taken out", v_empty_seal),
        ("the keys are not sorted", v_unsorted),
        ("with spaces", v_spaces),
        ("indented", v_indented),
        ("only the outer keys are sorted", v_sorted_outside),
        ("str, not JSON", v_str),
        ("ensure_ascii is off", v_no_ascii),
        ("only the keys that are known", v_known_keys),
        ("spaces are taken out of the values too", v_no_spaces_at_all),
        ("bytes, not hexadecimal digits", v_digest),
        ("SHA-1", v_sha1),
        ("Python's hash", v_python_hash),
        ("the hash object", v_object),
        ("the first digits of the seal", v_first_digits),
        ("the seal is not looked at", v_not_the_seal),
        ("the seal's length", v_length_only),
        ("changed if the seal is right", v_seal_is_right),
        ("N only", v_N_only),
        ("D only", v_D_only),
        ("another run if N and D differ", v_and),
        ("N times D", v_product),
        ("N and D within one per cent", v_about),
        ("another run if it is not the median", v_median_too),
        ("the dict among the rows", v_dict_in_rows),
        ("a tuple among the rows", v_tuple_in_rows),
        ("N and D of a row, not its loss", v_sizes_of_a_row),
        ("the loss of a row alone", v_loss_of_a_row),
        ("any number of a row", v_any_of_a_row),
        ("D before N in a row", v_row_turned),
        ("the loss to two decimals", v_rounded),
        ("the median among the rows", v_median_of_a_row),
        ("the last row alone", v_last_row),
        ("the first row alone", v_first_row),
        ("three columns, each for itself", v_columns),
        ("never fitted", v_never_fitted),
        ("times compared as text", v_texts),
        ("clocks without their zones", v_clocks),
        ("the first 19 letters", v_cut),
        ("finished at that very moment counts", v_strictly),
        ("too late is turned round", v_turned),
        ("days", v_days),
        ("the time of the day", v_time_of_day),
        ("whole seconds", v_whole_seconds),
        ("never too late", v_never_late),
        ("finished before now", v_since_now),
        ("the zone is added, not taken off", v_zone_added),
        ("too late comes first", v_late_first),
        ("the seal comes last", v_seal_last),
        ("too late before fitted", v_late_before_fitted),
        ("fitted before other run", v_fitted_before_other),
        ("the last reason that is so", v_last_reason),
        ("False if it counts", v_false),
        ("an empty text if it counts", v_empty),
        ("a word if it counts", v_counts),
        ("a list of the reasons", v_all_reasons),
        ("an error when it was changed", v_raises),
        ("the seal is popped from the registration", v_pops),
        ("the time is rewritten in the registration", v_same_dict),
    ],
    "right": [
        ("one if after the other", v_plain),
        ("a deep copy, a hash in pieces, a difference of times", v_deep_copy),
        ("the first of a dict of reasons", v_next),
        ("an array of rows, times in UTC", v_array),
        ("backwards, with timestamps", v_backwards),
        ("nested, with zones by hand", v_by_hand),
    ],
}
SCORE = {
    "wrong": [
        ("1 / (1 - level)", s_one),
        ("2 / level", s_over_level),
        ("times 1 - level", s_times),
        ("the tail itself as the fine", s_half),
        ("the level in per cent", s_percent),
        ("always 40", s_always_95),
        ("no fine", s_no_fine),
        ("2 / 1 - level", s_precedence),
        ("a whole-number division", s_integer),
        ("below only", s_below_only),
        ("above only", s_above_only),
        ("the differences are turned", s_signs),
        ("one fine, however far outside", s_flat),
        ("squares of the distance", s_squares),
        ("the distance to the middle", s_middle),
        ("the distance to the farther end", s_farther),
        ("no maximum with 0", s_no_maximum),
        ("the nearer end, inside as well", s_nearer_end),
        ("above is subtracted", s_crossed),
        ("np.max over all", s_larger_of_all),
        ("Python's max", s_builtin),
        ("no width", s_no_width),
        ("the width or the fine", s_width_or_fine),
        ("the fine on the width too", s_fine_on_all),
        ("a reward, not a bill", s_reward),
        ("l - u", s_width_turned),
        ("the mean", s_mean),
        ("the sum", s_sum),
        ("as a share of the truth", s_relative),
        ("half the width", s_half_width),
        ("whether the truth is inside", s_inside),
        ("if, for numbers only", s_if),
        ("quantile losses as they are", s_pinball),
        ("a loop over the truths", s_like_truth),
        ("zip, so one interval meets one truth", s_zip),
        ("flat", s_raveled),
        ("the ends are moved in place", s_in_place),
    ],
    "right": [
        ("the formula", s_formula),
        ("clip", s_clip),
        ("where in where", s_where),
        ("absolute values", s_absolute),
        ("two quantile losses", s_quantile_losses),
        ("np.vectorize", s_vectorized),
        ("broadcast, and a list", s_broadcast),
        ("masks", s_masks),
        ("einsum of three parts", s_dot),
        ("nested lists", s_nested),
    ],
}
BUDGET = {
    "wrong": [
        ("every run from its first step", b_alone),
        ("the longest run only", b_longest_only),
        ("the longest run whole, and its branch again", b_whole_trunk),
        ("the trunk only", b_trunk_only),
        ("the branches only", b_branches_only),
        ("a trunk for each run", b_trunk_each),
        ("the last of the list is taken for the longest", b_last_of_list),
        ("the first of the list is taken for the longest", b_first_of_list),
        ("the trunk of the shortest", b_shortest),
        ("trunk and branch are confused", b_shares_turned),
        ("all branches as long as the longest", b_one_branch_more),
        ("no branch for the longest", b_one_branch_less),
        ("no rounding", b_no_rounding),
        ("int for round", b_int),
        ("the sum of the branches is rounded", b_sum_rounded),
        ("always a quarter", b_always_quarter),
        ("as many longest runs", b_product),
        ("in the order of the plan", b_as_in_plan),
        ("the dearest first", b_dearest),
        ("sorted by the FLOPs of a step", b_by_flops),
        ("sorted by the longest run", b_by_steps),
        ("sorted by the cost of runs that share nothing", b_by_alone),
        ("of two that cost the same the later one", b_later_first),
        ("of two that cost the same the smaller model", b_smaller_model_first),
        ("less than the budget", b_strictly),
        ("counted from 1", b_from_one),
        ("in the order of the plan, at the end", b_sorted),
        ("how many", b_how_many),
        ("a set", b_set),
        ("numbers among the sorted", b_range),
        ("in the order of the plan, those that still fit", b_skips_in_plan),
        ("each against the whole budget", b_each_alone),
        ("one too many", b_one_too_many),
        ("list.index, which finds one of two equals twice", b_index),
        ("a dict by cost, which loses one of two equals", b_dict),
        ("the choice that spends most", b_fullest),
        ("the costs", b_costs),
        ("the rungs themselves", b_rungs),
        ("the steps are sorted in place", b_sorts_steps),
        ("the rungs are sorted in place", b_sorts_rungs),
    ],
    "right": [
        ("a loop and a break", b_loop),
        ("cumsum and a stable argsort", b_cumulated),
        ("accumulate and takewhile", b_itertools),
        ("bisect", b_bisect),
        ("a heap, the longest run as the trunk", b_heap),
        ("arrays, and no break", b_goes_on),
        ("the cheapest that is left, again and again", b_one_at_a_time),
        ("reduce", b_reduced),
    ],
}
ANSWERS = {"void": VOID, "interval_score": SCORE, "within_budget": BUDGET}
NAMED = {"void": 45, "interval_score": 18, "within_budget": 27}
