"""Exercise 12: ablation and induction."""

NAMES = ("induction_score", "ablate_head", "ablation_score", "logit_lens")
