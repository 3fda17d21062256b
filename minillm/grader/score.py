"""A score: the points that were reached, as a number, with the rows that add up to it and the lines that say so."""

import dataclasses
import re
import textwrap

WIDTH = 88
INDENT = " " * 8
ARRAY = r"\[[^\[\]]{,60}\]"  # and up to three deep:
for _ in range(3):
    ARRAY = rf"\[(?:[^\[\]]|{ARRAY}){{,60}}\]"
TEXT = r"'(?:[^'\\]|\\.)*'"
# What is not broken between two lines, if it has room on one: a name and what it is.
WHOLE = re.compile(rf"([\w.]+ = |expected |yours |give )({ARRAY}|{TEXT}|an array \([^)]*\)|\[|[^\s\[]+)")


class Score(float):
    """A number, the points reached, so that nbgrader can read it; it prints as that number alone."""

    def __new__(cls, got=0.0, *, exercise=None, points=0.0, rows=(), notes=(), seed=None, drawn=False, tried=False):
        self = super().__new__(cls, got)
        self.exercise, self.points, self.rows, self.notes = exercise, float(points), tuple(rows), tuple(notes)
        self.seed, self.drawn = seed, drawn  # drawn: whether a probe that was drawn with the seed told against it
        self.tried = tried  # whether the learner's own work was judged: not a stub, and not minillm's own function
        return self

    def __repr__(self):
        return f"{float(self):g}"

    __str__ = __repr__

    @property
    def full(self):
        """Whether everything is right."""
        return bool(self.rows) and all(row.status == "ok" for row in self.rows)

    def to_dict(self):
        """The same as plain values, for JSON."""
        head = {"exercise": self.exercise, "score": float(self), "points": self.points, "seed": self.seed}
        return {**head, "checks": [dataclasses.asdict(row) for row in self.rows], "notes": list(self.notes)}

    def lines(self):
        """What a learner reads: the score, a line or a few for each row, the remarks."""
        total = f"{float(self):g} / {self.points:g}"
        lines = [f"{self.exercise}{total:>{WIDTH - len(self.exercise)}}"]
        width = max((len(row.check) for row in self.rows), default=0)
        for row in self.rows:
            mark = "..." if row.status == "todo" else row.status
            lines += fold(row.message, f"  {mark:4}  {row.check:{width}}  {row.got:>3g} / {row.points:<3g}  ")
        for note in self.notes:
            lines += fold(note, "  ")
        if self.drawn:
            lines += fold(
                f"The random arrays are of seed {self.seed}: %env MINILLM_SEED={self.seed} brings them back.",
                "  ",
            )
        if any(row.status == "FAIL" for row in self.rows):
            lines.append(f'  hint("{self.exercise}") says more.')
        return lines


def fold(text, head="", indent=INDENT):
    """Lines of at most WIDTH characters; the first begins with the head, the others are indented.

    A line is broken between  x = [[1. 3.]]  and  dy = [[1. 0.]],  and inside neither unless it has no room on a line.
    """
    glued = lambda words: words.replace(" ", "\xa0")
    whole = lambda found: glued(found[0]) if len(found[0]) <= WIDTH - len(indent) else glued(found[1]) + found[2]
    lines = []
    for i, line in enumerate(text.split("\n")):
        begin = indent if i else head
        room = {"initial_indent": begin if begin.isspace() else "", "subsequent_indent": indent}
        before = "" if begin.isspace() or not begin else f"{glued(begin.removesuffix(' '))} "  # a head is one word
        lines += textwrap.wrap(before + WHOLE.sub(whole, line), WIDTH, **room) or [begin]
    return [line.replace("\xa0", " ").rstrip() for line in lines]
