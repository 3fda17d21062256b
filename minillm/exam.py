"""How well a model does on windows that nobody learns from: as an expected loss, where the true law is known."""

import numpy as np

from . import gpt, sources


class Exam:
    """The windows that are held out, and what is known about them.

    Where the law P of the language is known, the loss is expected, not sampled: the exact floor of a window, and above
    it the mean over the windows of KL(P | model) at every place.  It has a third of the noise.
    """

    def __init__(self, source, n, n_ctx):
        self.ids = sources.held_out(source, n, n_ctx)
        self.floor, self.law = source.floor(n_ctx), source.law(self.ids)
        if self.law is not None:
            logs = np.log(self.law, out=np.zeros_like(self.law), where=self.law > 0)
            self.entropies = -(self.law * logs).sum(-1)  # (N, T)

    def mark(self, params, config, at_once=64):
        """The loss of the model, and its plain negative log-likelihood on the same windows, in nats per token."""
        losses, nlls = [], []
        for i in range(0, len(self.ids), at_once):
            ids = self.ids[i : i + at_once]
            logits = gpt.gpt(params, ids=ids[:, :-1], config=config)[0].astype(np.float64)
            logits -= logits.max(-1, keepdims=True)
            logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            nlls.append(-np.take_along_axis(logs, ids[:, 1:, None], -1)[..., 0])
            if self.law is not None:
                losses.append(-(self.law[i : i + at_once] * logs).sum(-1) - self.entropies[i : i + at_once])
        nll = float(np.concatenate(nlls).mean())
        return (nll if self.law is None else self.floor + float(np.concatenate(losses).mean())), nll
