"""The grader graded: does it refuse all the wrong answers that we know, and by name, and none of the right ones?"""

from .. import bank, grading


def self_test(names=None, seeds=(0, 1, 2)):
    """{"exercises": {name: figures}, "all": figures}; names are those of exercises, all of them if not given.

    wrong_answers  of the bank               named          those that get their own name, with every seed
    accepted       those with all points     right_answers  minillm's own, and others in other styles
    refused        right answers that lose a point with some seed
    """
    known = bank.exercises()
    figures = {name: of(known[grading.known(name)], seeds) for name in (known if names is None else names)}
    total = {key: sum(one[key] for one in figures.values()) for key in KEYS}
    return {"exercises": figures, "all": total}


KEYS = ("wrong_answers", "named", "accepted", "right_answers", "refused")


def of(exercise, seeds):
    """The figures of one exercise."""
    scores = lambda answer: [grading.score(exercise.name, answer, seed=seed, strict=False, checks="") for seed in seeds]
    right = [answer for _, answer in exercise.right] + ([] if exercise.answer is None else [exercise.answer])
    wrong = [(mistake.name, scores(mistake.answer)) for mistake in exercise.mistakes]
    says = lambda score, name: any(row.mistake == name for row in score.rows)
    return {
        "wrong_answers": len(wrong),
        "named": sum(all(says(score, name) for score in found) for name, found in wrong),
        "accepted": sum(any(score.full for score in found) for _, found in wrong),
        "right_answers": len(right),
        "refused": sum(not all(score.full for score in scores(answer)) for answer in right),
    }
