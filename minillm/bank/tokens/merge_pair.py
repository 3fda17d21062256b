"""merge_pair, a plain function: the one step that training and encoding share."""

from ... import bpe
from ...grader.exercise import Mistake, Part
from ...grader.values import Question, Values


def merge_pair(ids, pair, new):
    """Replace each occurrence of pair in ids by new, from left to right.  Returns a new list."""
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def by_the_library(ids, pair, new):
    """What training merges with; it also says which neighbours were lost and gained."""
    merged, _, _ = bpe.merge([*ids], tuple(pair), new)
    return merged


# Two other right ones.


def with_a_stack(ids, pair, new):
    """Look back instead of ahead; `new` is no id of the pair, so it is never taken for one."""
    merged = []
    for token in ids:
        if merged and (merged[-1], token) == (pair[0], pair[1]):
            merged[-1] = new
        else:
            merged.append(token)
    return merged


def with_an_iterator(ids, pair, new):
    """One token is held back until its neighbour has been seen."""
    merged, held = [], None
    for token in [*ids, None]:
        if held is not None and token is not None and [held, token] == [*pair]:
            merged.append(new)
            held = None
            continue
        if held is not None:
            merged.append(held)
        held = token
    return merged


# Wrong ones.


def from_the_right(ids, pair, new):
    """Walks from the right end."""
    return merge_pair([*ids][::-1], [*pair][::-1], new)[::-1]


def overlapping(ids, pair, new):
    """A token in the middle of three belongs to two merges."""
    starts = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == tuple(pair)]
    covered = {*starts, *(i + 1 for i in starts)}
    return [new if i in starts else token for i, token in enumerate(ids) if i in starts or i not in covered]


def second_kept(ids, pair, new):
    """Goes on one place to the right after a merge, not two."""
    return [new if (token, *ids[i + 1 : i + 2]) == tuple(pair) else token for i, token in enumerate(ids)]


def first_only(ids, pair, new):
    """Stops after one merge."""
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == tuple(pair):
            return [*ids[:i], new, *ids[i + 2 :]]
    return [*ids]


def last_lost(ids, pair, new):
    """The loop ends one token early."""
    merged, i = [], 0
    while i < len(ids) - 1:
        found = (ids[i], ids[i + 1]) == tuple(pair)
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def any_order(ids, pair, new):
    """The pair as a set."""
    merged, i = [], 0
    while i < len(ids):
        found = sorted(ids[i : i + 2]) == sorted(pair)
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def one_compared(ids, pair, new):
    """Only the first id of the pair is looked at."""
    merged, i = [], 0
    while i < len(ids):
        found = ids[i] == pair[0] and i + 1 < len(ids)
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def backwards(ids, pair, new):
    """Looks for the second before the first."""
    return merge_pair(ids, pair[::-1], new)


def left_out(ids, pair, new):
    """The pair goes, nothing comes."""
    return [token for token in merge_pair(ids, pair, None) if token is not None]


def beside(ids, pair, new):
    """The new token is added, and the pair stays."""
    return [t for token in merge_pair(ids, pair, None) for t in ([*pair, new] if token is None else [token])]


def as_digits(ids, pair, new):
    """Searches in a string of digits and spaces."""
    row = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new))
    return [int(word) for word in row.split()]


def same_object(ids, pair, new):
    """`is` where == is due."""
    merged, i = [], 0
    while i < len(ids):
        found = i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]
        merged.append(new if found else ids[i])
        i += 2 if found else 1
    return merged


def itself_if_nothing_to_do(ids, pair, new):
    """Makes a new list only if the pair is there."""
    merged = merge_pair(ids, pair, new)
    return ids if merged == ids else merged


def in_place(ids, pair, new):
    """Shortens the list that it was given."""
    ids[:] = merge_pair(ids, pair, new)
    return ids


def anew(*ids):
    """The same numbers as objects of their own, which those above 256 need not be."""
    return [int(str(i)) for i in ids]


def draw(rng):
    """Rows of few different tokens, so that the pair occurs; and rows of one token only."""
    for size in (1, 2, 5, 12, 30, 60):
        yield Question("ids", {"ids": rng.integers(0, 4, size).tolist(), "pair": (1, 2), "new": 300})
        yield Question("ids", {"ids": rng.choice([65, 66, 256, 1300], size).tolist(), "pair": (1300, 66), "new": 2000})
        yield Question("repeats", {"ids": rng.choice([7, 7, 7, 8], size + 2).tolist(), "pair": (7, 7), "new": 256})


EXERCISE = Values(
    name="merge_pair",
    notebook="02_tokens",
    answer=merge_pair,
    spec=by_the_library,
    parts=(
        Part("ids", 1, "equals the definition on {drawn} random rows"),
        Part("repeats", 0.5, "three in a row make one pair, and one is left"),
        Part("arguments", 0.5, "ids is left alone, and the result is new", needs=("ids",)),
    ),
    by_hand=(
        Question("ids", {"ids": [1, 2, 3], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [3, 1, 2], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [1, 2, 3, 1, 2], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [2, 1, 1, 3], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [1, 3, 1], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": [11, 2], "pair": (1, 2), "new": 9}),
        Question("ids", {"ids": anew(300, 301), "pair": tuple(anew(300, 301)), "new": 302}),
        Question("repeats", {"ids": [1, 1, 1], "pair": (1, 1), "new": 9}),
        Question("repeats", {"ids": [1, 1, 1, 1], "pair": (1, 1), "new": 9}),
    ),
    draw=draw,
    mistakes=(
        Mistake(
            "from the right",
            "It goes from right to left: three in a row become one, pair. Go from the left.",
            from_the_right,
        ),
        Mistake(
            "overlapping",
            "In three equal tokens the middle one was merged twice. A token that was merged is used up: go on two "
            "places further.",
            overlapping,
        ),
        Mistake(
            "second of the pair kept",
            "The second token of the pair is still there. After a merge go on two places, not one.",
            second_kept,
        ),
        Mistake("first pair only", "Only the first pair was merged. Go on to the end of the row.", first_only),
        Mistake(
            "last token lost",
            "A last token that has no right neighbour gets lost. It belongs into the result too.",
            last_lost,
        ),
        Mistake("any order", "The pair was taken in either order, but (1, 2) is not (2, 1).", any_order),
        Mistake(
            "one id compared",
            "Only the first id of the pair was compared. Its right neighbour must be the second.",
            one_compared,
        ),
        Mistake("pair reversed", "It looks for the second id before the first. The pair is (left, right).", backwards),
        Mistake("new token missing", "The pair was taken out, and `new` was not put in its place.", left_out),
        Mistake(
            "pair kept beside the new token",
            "`new` was added, and the pair is still there: it must take the pair's place.",
            beside,
        ),
        Mistake(
            "digits of another id",
            "The pair was searched for in a string of digits, and 1 2 is found in 11 2 too. Compare whole ids.",
            as_digits,
        ),
        Mistake(
            "`is` for ==",
            "`is` asks whether two numbers are the same object, and that is sure only up to 256. For equal numbers "
            "write ==.",
            same_object,
        ),
        Mistake(
            "ids itself if nothing is to be done",
            "Where the pair does not occur, the list that was given came back. Whoever changes one changes both: "
            "return a new list there too.",
            itself_if_nothing_to_do,
        ),
        Mistake("ids changed in place", "The list that was given has become shorter. Build a new list.", in_place),
    ),
    right=(("a stack that looks back", with_a_stack), ("one token held back", with_an_iterator)),
    hints=(
        "A `for` loop takes one step each time. Here a step is sometimes one place long and sometimes two, so a "
        "`while` loop with an index of its own is easier.",
        "At place i there are two cases. If ids[i] and ids[i + 1] are the pair, the new token goes into the result, "
        "and you go on two places. Otherwise ids[i] goes into the result, and you go on one.",
        "ids[i : i + 2] is the pair of neighbours at i, and at the last place it is shorter, so that it equals no "
        "pair: tuple(ids[i : i + 2]) == tuple(pair).",
    ),
    lines=9,
    minutes=10,
    difficulty=1,
)
