"""Which terms of the objective an epoch learns from, and what it leaves as it is.

"joint"        the hybrid objective, all terms at once (the paper).
"generative"   reconstructions and prior. The label decoder learns nothing: its last layer is a linear probe, fitted
               in closed form after every epoch on the frozen factors of the training items.
"label"        the label term alone. Trained is what the label is read from (Q(Z_y|X), Z_y -> F_y and D; without F_y
               the modalities' encoders and maps); everything else is frozen, decoders included.

schedule="two_stage" is "generative" for a share of the epochs and then "label", which starts from the probe and from a
fresh optimiser: representation first, then fine-tuning. The best epoch may lie in either. The official two-stage
trainer (MFM.md 1.6) goes on to train all parameters under the prior, and its summed KL drives the codes to zero;
neither is repeated. label_loss=False, the purely generative end of the objective, is "generative" for all epochs; the
purely discriminative end is generative_loss=False with prior="none".
"""

from __future__ import annotations

from typing import Literal

from mfm.params.config import Config

Stage = Literal["joint", "generative", "label"]


def stage_of(config: Config, *, epoch: int, epochs: int) -> Stage:
    """The stage of an epoch, counted from 1."""
    if not config.label_loss:
        return "generative"
    if not config.is_two_stage:
        return "joint"
    return "generative" if epoch <= num_generative(config, epochs) else "label"


def num_generative(config: Config, epochs: int) -> int:
    """Epochs of the first of two stages: at least one, and at least one is left."""
    return min(epochs - 1, max(1, round(config.generative_share * epochs)))
