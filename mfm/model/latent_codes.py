"""What stands for a code Z_k: its mean, its mean with noise, or a sample of its own distribution.

Shapes: K members, B items, Z the width of a code.

"deterministic"     z = mu(X), as in the official code.
"noisy"             z = mu(X) + sigma e, with one sigma for all entries (the hyperparameter `latent_noise`).
"reparameterised"   z = mu(X) + exp(log_variance(X) / 2) e, so that Q(Z_k | X) = N(mu, diag(exp(log_variance))) (Kingma
                    and Welling 2014, section 2.4).

e ~ N(0, I) is drawn anew for every item and step of training; at evaluation predictions are those of the means. The
official KL variants (MFM.md 1.6) put mu itself where the sample belongs: their KL then only shrinks the codes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mfm.layers.random_streams import Noise


class Posterior(NamedTuple):
    """Q(Z_k | X): a normal distribution with independent entries."""

    mean_KBZ: Tensor
    log_variance_KBZ: Tensor

    def at(self, normal_KBZ: Tensor) -> Tensor:
        """The sample (K, B, Z) that a standard normal sample becomes."""
        return self.mean_KBZ + torch.exp(0.5 * self.log_variance_KBZ) * normal_KBZ


def sampled(name: str, posterior: Posterior, noise: Noise) -> Tensor:
    """A reparameterised sample of the code (K, B, Z); its mean where nothing is drawn."""
    normal = noise.latent(name, posterior.mean_KBZ)
    return posterior.mean_KBZ if normal is None else posterior.at(normal)


def noisy(name: str, mean_KBZ: Tensor, noise: Noise) -> Tensor:
    """The code with noise of the member's own size (K, B, Z); its mean where nothing is drawn."""
    added = noise.latent(name, mean_KBZ, param="latent_noise")
    return mean_KBZ if added is None else mean_KBZ + added
