"""Exercise 01: the logarithms of a softmax, the loss of a counted n-gram, the entropy rate of a Markov language."""

NAMES = ("log_softmax", "ngram_loss", "entropy_rate")
