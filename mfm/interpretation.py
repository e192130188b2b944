"""What the shared factor has to do with each generated modality (paper, section 2.4 and research question 3).

Information: the dependence of the generated modality X_i on F_y and on its own F_ai, as normalised HSIC,

    nHSIC(A, B) = HSIC(A, B) / sqrt(HSIC(A, A) HSIC(B, B)),   HSIC(A, B) = tr(K H L H)

with Gaussian kernels K, L of the items, as wide as the median distance, and H = I - 1/N (Gretton et al. 2005; Cortes,
Mohri and Rostamizadeh 2012). It is 0 for kernels that have nothing in common and 1 for equal ones, and of few items it
is above 0 for independent ones: `null` is its mean over permutations of the items, `p` the share of permutations that
reach it. The paper's ratio is that to F_y over that to F_ai.

Gradients: how far F_y moves a generated step, as the Frobenius norm of its Jacobian,

    |d x_{i,t} / d F_y| = sqrt(1/D sum_d sum_j (s_j d x_{i,t,d} / d F_{y,j})^2)

with s_j the standard deviation of F_{y,j} over the items and x standardised: by how many standard deviations of a
feature one of F_y moves the step. Derivatives are central differences of a twentieth of s_j.

Shapes: K members, N items, T steps, B items of a batch, D features, F the width of a factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mfm.batch import Batch
from mfm.feed import Feed, Rows
from mfm.model import MFM, SHARED
from mfm.streams import Quiet, derive

CONDITION = "interpretation"
LEAST_ITEMS = 3
MOST_ITEMS = 128  # whose dependence is measured; kernels have all their pairs
MOVED_ITEMS = 32  # whose gradients are measured
PERMUTATIONS = 100
STEP = 0.05  # of a central difference, in standard deviations of F_y


@dataclass(frozen=True, kw_only=True, eq=False)
class Dependence:
    """Of a generated modality on a factor."""

    value: float
    null: float
    p: float


def evaluations(model: MFM, feed: Feed, rows: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """By member, columns condition, modality, level, metric and value.

    No rows for a model without F_y or decoders, and of fewer than three items.

    Metrics are hsic_y, hsic_own, hsic_ratio, hsic_null and hsic_p, whose level is 0, and gradient, whose level is the
    step, from 1 on; of vectors and images, 0.

    Args:
        rows: test items of every member.
    """
    generated = _generate(model, feed.batch(Rows.of([own[:MOST_ITEMS] for own in rows])))
    found: list[list[tuple[str, str, float, str, float]]] = [[] for _ in rows]
    if generated is not None and min(map(len, rows)) >= LEAST_ITEMS:
        factors, x_hat, batch = generated
        norms = gradient_norms(model, factors, batch)
        for k, own in enumerate(rows):
            num = min(len(own), MOST_ITEMS)
            found[k] += _dependences(k, num, factors, x_hat)
            found[k] += [
                (CONDITION, name, float(t + 1 if len(norm_KT[k]) > 1 else 0), "gradient", float(value))
                for name, norm_KT in norms.items()
                for t, value in enumerate(norm_KT[k])
            ]
    names = ("condition", "modality", "level", "metric", "value")
    return [{name: np.array([row[i] for row in own]) for i, name in enumerate(names)} for own in found]


def _dependences(
    k: int, num: int, factors: Mapping[str, Tensor], x_hat: Mapping[str, Tensor]
) -> list[tuple[str, str, float, str, float]]:
    rows = []
    for name, x in x_hat.items():
        generated = x[k].double().numpy()[:num]
        on_y = dependence(factors["y"][k].double().numpy()[:num], generated, site=name)
        values = {"hsic_y": on_y.value, "hsic_null": on_y.null, "hsic_p": on_y.p}
        if (own := name if name in factors else SHARED) in factors:
            on_own = normalised_hsic(factors[own][k].double().numpy()[:num], generated)
            values |= {"hsic_own": on_own, "hsic_ratio": on_y.value / on_own if on_own else float("nan")}
        rows += [(CONDITION, name, 0.0, f"{metric}", value) for metric, value in values.items()]
    return rows


@torch.no_grad()
def _generate(model: MFM, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor], Batch] | None:
    """Factors (K, N, F); what is generated (K, N, T D), 0 where an item has no data; None: without F_y or decoders."""
    output = model(batch, Quiet())
    if "y" not in output.factors or not output.reconstructions:
        return None
    flat = {}
    for name, x in output.reconstructions.items():
        weight = batch.weight(name)
        kept = x if weight is None else x * weight.unsqueeze(-1)
        flat[name] = (kept.transpose(1, 2) if x.ndim == 4 else kept).flatten(2).cpu()
    return {name: f.cpu() for name, f in output.factors.items()}, flat, batch


def dependence(a_NF: np.ndarray, b_NF: np.ndarray, *, site: str = "") -> Dependence:
    """NHSIC with its permutation null."""
    k_NN, l_NN = unit_kernel(a_NF), unit_kernel(b_NF)
    value = float((k_NN * l_NN).sum())
    if np.isnan(value):
        return Dependence(value=value, null=value, p=value)
    rng = np.random.default_rng(derive(0, "permutations", site))
    orders = (rng.permutation(len(k_NN)) for _ in range(PERMUTATIONS))
    drawn = np.array([(k_NN * l_NN[np.ix_(order, order)]).sum() for order in orders])
    return Dependence(value=value, null=float(drawn.mean()), p=float((1 + (drawn >= value).sum()) / (1 + len(drawn))))


def normalised_hsic(a_NF: np.ndarray, b_NF: np.ndarray) -> float:
    """NHSIC of two sets of features of the same items; NaN where one of them is constant or not finite."""
    return float((unit_kernel(a_NF) * unit_kernel(b_NF)).sum())


def unit_kernel(x_NF: np.ndarray) -> np.ndarray:
    """exp(-|x_i - x_j|^2 / (2 s^2)) (N, N), centred, of norm 1; s^2 is the median over pairs. NaN: nothing varies."""
    squares = (x_NF**2).sum(axis=1)
    distance_NN = np.maximum(squares[:, None] + squares[None, :] - 2 * x_NF @ x_NF.T, 0.0)
    apart = distance_NN[np.triu_indices(len(x_NF), 1)]
    if not np.isfinite(apart).all() or not np.median(apart) > 0:
        return np.full_like(distance_NN, np.nan)
    k_NN = np.exp(-distance_NN / (2 * np.median(apart)))
    centred = k_NN - k_NN.mean(axis=0) - k_NN.mean(axis=1, keepdims=True) + k_NN.mean()
    return centred / np.linalg.norm(centred)


@torch.no_grad()
def gradient_norms(model: MFM, factors: Mapping[str, Tensor], batch: Batch) -> dict[str, np.ndarray]:
    """|d x_{i,t} / d F_y| by modality, mean over the items with data at that step (K, T); (K, 1) without steps.

    Args:
        factors: of the items of `batch`, (K, N, F); the first items are moved.
    """
    device = batch.target.device
    held = {name: f[:, :MOVED_ITEMS].to(device) for name, f in factors.items()}
    sd_KF = factors["y"].to(device).std(dim=1)
    squares: dict[str, Tensor] = {}
    for j in range(sd_KF.shape[-1]):
        moved = torch.zeros_like(held["y"])
        moved[..., j] = STEP * sd_KF[:, None, j]
        up, down = (model.generate({**held, "y": held["y"] + sign * moved}, batch.num_steps) for sign in (1.0, -1.0))
        for name in up:
            change = ((up[name] - down[name]) / (2 * STEP)).square().mean(dim=-1)
            squares[name] = squares.get(name, torch.zeros_like(change)) + change
    return {name: _mean_over_items(total.sqrt(), batch, name) for name, total in squares.items()}


def _mean_over_items(norm: Tensor, batch: Batch, name: str) -> np.ndarray:
    """(K, T) of (K, T, B), or (K, 1) of (K, B); NaN where no item has data."""
    weight = batch.weight(name)
    weight = torch.ones_like(norm) if weight is None else weight[..., : norm.shape[-1]]
    mean = (norm * weight).sum(dim=-1) / weight.sum(dim=-1)
    return (mean if mean.ndim == 2 else mean.unsqueeze(-1)).double().cpu().numpy()
