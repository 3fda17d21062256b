"""Ways to cut a text into words that lose something: wrong in `train_bpe` and in `encode` alike."""

from ... import bpe

# name: (what it says, words(text))
CUTS = {
    "ends of lines lost": (
        "The text was cut into lines, and their ends are gone. They are bytes like any others: give all of the text to "
        "bpe.split.",
        lambda text: [word for line in text.splitlines() for word in bpe.split(line)],
    ),
    "capitals made small": (
        "Capitals were made small. 'A' and 'a' are different bytes: take the text as it is.",
        lambda text: bpe.split(text.lower()),
    ),
}
