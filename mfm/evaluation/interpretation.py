"""What the shared factor has to do with each generated modality (paper, section 2.4 and research question 3).

Information: the dependence of the generated modality X_i on F_y and on its own F_ai, as normalised HSIC,

    nHSIC(A, B) = HSIC(A, B) / sqrt(HSIC(A, A) HSIC(B, B))

with Gaussian kernels of the items, as wide as the median distance (Gretton et al. 2005; Cortes, Mohri and Rostamizadeh
2012), and the unbiased estimate of HSIC (Song et al. 2012, eq. 5): the usual one is far above 0 for independent things
of many features, which would draw every ratio towards 1. It is 1 for a thing with itself and about 0, on either side,
for independent ones: `null` is what 5 % of the permutations of the items exceed, `p` the share of permutations that
reach it. Of two sequences, the distance is the mean over the steps that both have: with padding in it, their lengths
alone would make them depend. The paper's ratio is nHSIC with F_y over nHSIC with F_ai.

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

from mfm.inputs.batch import Batch
from mfm.inputs.batch_loader import Feed, Rows
from mfm.layers.random_streams import Quiet, derive
from mfm.model.mfm import MFM, SHARED

CONDITION = "interpretation"
LEAST_ITEMS = 4
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


def evaluations(
    model: MFM, feed: Feed, rows: Sequence[np.ndarray], *, generates: Sequence[bool]
) -> list[dict[str, np.ndarray]]:
    """By member, columns condition, modality, level, metric and value.

    No rows for a model without F_y or decoders, or whose decoders learn nothing, and of fewer than four items.

    Metrics are hsic_y, hsic_own, hsic_ratio, hsic_null and hsic_p, whose level is 0, and gradient, whose level is the
    step, from 1 on; of vectors and images, 0.

    Args:
        rows: test items of every member.
        generates: whether a member's decoders have learned.
    """
    found: list[list[tuple[str, str, float, str, float]]] = [[] for _ in rows]
    are_enough = any(generates) and min(map(len, rows)) >= LEAST_ITEMS
    generated = _generate(model, feed.batch(Rows.of([_some(own) for own in rows]))) if are_enough else None
    if generated is not None:
        factors, x_hat, batch = generated
        norms = gradient_norms(model, factors, batch)
        for k in (k for k, own in enumerate(generates) if own):
            num = min(len(rows[k]), MOST_ITEMS)
            found[k] += _dependences(k, num, factors, x_hat)
            found[k] += [
                (CONDITION, name, float(t + 1 if len(norm_KT[k]) > 1 else 0), "gradient", float(value))
                for name, norm_KT in norms.items()
                for t, value in enumerate(norm_KT[k])
            ]
    names = ("condition", "modality", "level", "metric", "value")
    return [{name: np.array([row[i] for row in own]) for i, name in enumerate(names)} for own in found]


def _some(own: np.ndarray) -> np.ndarray:
    """Items from anywhere, in any order: neighbours are of one video."""
    return np.random.default_rng(derive(0, CONDITION)).permutation(own)[:MOST_ITEMS]


def _dependences(
    k: int, num: int, factors: Mapping[str, Tensor], x_hat: Mapping[str, tuple[Tensor, Tensor]]
) -> list[tuple[str, str, float, str, float]]:
    rows = []
    for name, (x, there) in x_hat.items():
        generated = distances(x[k].double().numpy()[:num], there[k].double().numpy()[:num])
        on_y = dependence(distances(factors["y"][k].double().numpy()[:num]), generated, site=name)
        values = {"hsic_y": on_y.value, "hsic_null": on_y.null, "hsic_p": on_y.p}
        if (own := name if name in factors else SHARED) in factors:
            on_own = normalised_hsic(distances(factors[own][k].double().numpy()[:num]), generated)
            values |= {"hsic_own": on_own, "hsic_ratio": on_y.value / on_own if on_own > 0 else float("nan")}
        rows += [(CONDITION, name, 0.0, metric, value) for metric, value in values.items()]
    return rows


@torch.no_grad()
def _generate(model: MFM, batch: Batch) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]], Batch] | None:
    """Factors (K, N, F); what is generated (K, N, T, D), and the steps that are there (K, N, T), T = 1 without steps.

    None: without F_y or decoders.
    """
    output = model(batch, Quiet())
    if "y" not in output.factors or not output.reconstructions:
        return None
    generated = {}
    for name, x in output.reconstructions.items():
        there = batch.weight(name)
        there = torch.ones_like(x[..., 0]) if there is None else there
        items_first = (x.transpose(1, 2), there.transpose(1, 2)) if x.ndim == 4 else (x[:, :, None], there[:, :, None])
        generated[name] = (items_first[0].cpu(), items_first[1].cpu())
    return {name: f.cpu() for name, f in output.factors.items()}, generated, batch


def dependence(a_NN: np.ndarray, b_NN: np.ndarray, *, site: str = "") -> Dependence:
    """NHSIC with its permutation null, from distances."""
    k_NN, l_NN = unit_kernel(a_NN), unit_kernel(b_NN)
    value = float((k_NN * l_NN).sum())
    if np.isnan(value):
        return Dependence(value=value, null=value, p=value)
    rng = np.random.default_rng(derive(0, "permutations", site))
    orders = (rng.permutation(len(k_NN)) for _ in range(PERMUTATIONS))
    drawn = np.array([(k_NN * l_NN[np.ix_(order, order)]).sum() for order in orders])
    p = float((1 + (drawn >= value).sum()) / (1 + len(drawn)))
    return Dependence(value=value, null=float(np.quantile(drawn, 0.95)), p=p)


def normalised_hsic(a_NN: np.ndarray, b_NN: np.ndarray) -> float:
    """NHSIC from the distances of the same items; NaN where nothing varies or something is not finite."""
    return float((unit_kernel(a_NN) * unit_kernel(b_NN)).sum())


def distances(x: np.ndarray, there_NT: np.ndarray | None = None) -> np.ndarray:
    """Squared distances (N, N) of vectors (N, F), or of sequences (N, T, D) over the steps that both have.

    NaN: two sequences without a common step.
    """
    x_NTD = x if x.ndim == 3 else x[:, None]
    there = np.ones(x_NTD.shape[:2]) if there_NT is None else there_NT
    kept_NF = (x_NTD * there[..., None]).reshape(len(x), -1)
    squares_NT = (x_NTD**2).sum(axis=2) * there
    half = squares_NT @ there.T
    total = np.maximum(half + half.T - 2 * kept_NF @ kept_NF.T, 0.0)
    common = there @ there.T
    return np.divide(total, common, out=np.full_like(total, np.nan), where=common > 0)


def unit_kernel(distance_NN: np.ndarray) -> np.ndarray:
    """exp(-distance / (2 s^2)) (N, N) of pairs, centred without bias, of norm 1; s^2 is the median.

    Two items that cannot be compared are as far apart as the median. NaN: nothing varies.
    """
    num = len(distance_NN)
    apart = distance_NN[np.triu_indices(num, 1)]
    median = np.nanmedian(apart) if np.isfinite(apart).any() else np.nan
    if np.isinf(apart).any() or not median > 0:
        return np.full_like(distance_NN, np.nan)
    k_NN = np.exp(-np.where(np.isnan(distance_NN), median, distance_NN) / (2 * median))
    np.fill_diagonal(k_NN, 0.0)
    rows = k_NN.sum(axis=0) / (num - 2)
    centred = k_NN - rows - rows[:, None] + k_NN.sum() / ((num - 1) * (num - 2))
    np.fill_diagonal(centred, 0.0)
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
