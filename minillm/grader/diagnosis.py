"""The exercise "diagnosis": some things each have a fault, or none, and the answer is a dict that says which."""

import collections
import dataclasses
import difflib
import hashlib
import typing

from .exercise import Exercise, Judgement, Mistake, Row, article
from .sink import shorten

UNSAID = ("", "?", "...")  # what stands for a diagnosis that was not made yet
TWICE = "the same diagnosis twice"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diagnosis(Exercise):
    """Its parts are named like the cases.  No two cases have the same fault, so that one word for all earns nothing."""

    cases: dict  # {"A": the word that is right for it, ...}
    words: tuple  # all that may be said
    evidence: typing.Any  # evidence(case, word) -> what speaks against this word for this case, as one line or two

    def solution(self):
        """The right words."""
        return "\n".join(f"{case}: {word}" for case, word in self.cases.items())

    def unfit(self, answer):
        """One sentence if the answer is no dict, else None."""
        example = f'{{"{[*self.cases][0]}": "{self.words[0]}", ...}}'
        if not issubclass(type(answer), dict):
            return f"it must be a dict like {example}, but it is {article(answer)}"
        keys = {plain(key).lower() for key in dict.keys(answer)}
        if keys and keys <= {*self.words}:
            return f"it must be a dict like {example}; here cases and words stand in each other's place"
        return None

    def judge(self, answer, seed):
        """The Judgement of a dict of diagnoses; nothing is drawn, so the seed does not matter."""
        given = {plain(case).upper(): word for case, word in dict.items(answer)}
        said = {case: plain(word).lower() for case, word in given.items() if issubclass(type(word), str)}
        times = collections.Counter(said[case] for case in self.cases if case in said)
        rows, told = [], set()
        for part in self.parts:
            row = self.row(part, given.get(part.name), said.get(part.name), times)
            rows.append(dataclasses.replace(row, message="" if row.message in told else row.message))
            if row.status != "ok":
                told.add(row.message)
        strange = [shorten(repr(case), 40) for case in dict.keys(answer) if plain(case).upper() not in self.cases]
        names = ", ".join(self.cases)
        notes = (f"Passed over, since the cases are {names}: {shorten(', '.join(strange), 80)}.",) if strange else ()
        return Judgement(tuple(rows), notes)

    def row(self, part, given, word, times):
        """The Row of one case."""
        no = lambda says, name=None: Row(part.name, part.points, 0.0, "FAIL", says, name)
        if given is None or given is ... or word in UNSAID:
            return Row(part.name, part.points, 0.0, "todo", "no diagnosis yet")
        if word is None:
            return no(f"a diagnosis is a few words, but this is {article(given)}")
        if word not in self.words:
            near = difflib.get_close_matches(word[:100], self.words, 1)
            return no(
                f"{shorten(repr(word), 50)} is none of the diagnoses"
                + (f"; did you mean {near[0]!r}?" if near else f"; they are: {'; '.join(self.words)}")
            )
        if times[word] > 1:
            return no(f"{word!r} was said of {times[word]} cases, but no two are alike", TWICE)
        if word != self.cases[part.name]:
            return no(self.evidence(part.name, word), f"{part.name} is not {word}")
        return Row(part.name, part.points, part.points, "ok", part.says)


def confused(cases, evidence, **words):
    """The Mistake of a dict that is right but for these words: confused(CASES, evidence, A="no warm-up")."""
    letter, word = next(iter(words.items()))
    twice = len(set((cases | words).values())) < len(cases)
    name = TWICE if twice else f"{letter} is not {word}"
    return Mistake(name, "" if twice else evidence(letter, word), cases | words)


def exchanged(cases, evidence, one, other):
    """The Mistake of a dict in which two words are taken for each other."""
    letters = {word: letter for letter, word in cases.items()}
    return confused(cases, evidence, **{letters[one]: other, letters[other]: one})


def sealed(words, salt=""):
    """The words, shuffled once and for all, so that nobody reads the answer in passing."""
    return sorted(words, key=lambda word: hashlib.sha256(f"{salt}{word}".encode()).digest())


def in_other_ways(cases):
    """Right answers, as (name, dict), that are written in other ways than the cases are."""
    return (
        ("in another order", dict(sorted(cases.items(), reverse=True))),
        ("in capitals, with spaces", {f" {letter.lower()}": f" {word.upper()} " for letter, word in cases.items()}),
    )


def plain(words):
    """A text without needless spaces, NumPy's texts too; "" for what is no text."""
    return " ".join(str.__str__(words).split()) if issubclass(type(words), str) else ""
