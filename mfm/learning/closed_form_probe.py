"""A linear probe: the last layer of the label decoder, fitted in closed form on frozen factors.

Shapes: K members, B items, R what the layer reads, C outputs.

With f the features of the training items (the factors that D reads, or its hidden layer where it has two) and y their
targets, minimise sum_n |W f_n + b - y_n|^2 + N RIDGE |W|^2; classes are one column each, 1 or 0, as in least-squares
classification. How well a linear map of frozen codes does is the common measure of what they hold (Alain and Bengio
2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mfm.inputs.batch_loader import Feed, Rows
from mfm.layers.linear import Linear, Mlp
from mfm.layers.random_streams import Quiet
from mfm.model.mfm import MFM

RIDGE = 1e-3
BATCH_SIZE = 128


@torch.no_grad()
def fit(model: MFM, feed: Feed, rows: Sequence[np.ndarray]) -> None:
    """Sets the last layer of `model`'s label decoder to the probe of these items, one array of them per member."""
    last = model.label.second if isinstance(model.label, Mlp) else model.label
    num_members, num_read, num_outputs = last.weight_KIO.shape
    options = {"dtype": torch.float64, "device": last.weight_KIO.device}
    gram_KRR = torch.zeros(num_members, num_read + 1, num_read + 1, **options)
    cross_KRC = torch.zeros(num_members, num_read + 1, num_outputs, **options)
    for part in Rows.of(rows).batches(BATCH_SIZE):
        batch = feed.batch(part)
        features = _read(model.label, model(batch, Quiet()).label_input).double()
        features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
        weighted = features if batch.weight_KB is None else features * batch.weight_KB.unsqueeze(-1)
        gram_KRR += weighted.transpose(1, 2) @ features
        cross_KRC += weighted.transpose(1, 2) @ _columns(batch.target, num_outputs)
    solution_KRC = solve(gram_KRR, cross_KRC)
    last.weight_KIO.copy_(solution_KRC[:, :-1])
    last.bias_K1O.copy_(solution_KRC[:, -1:])


def solve(gram_KRR: Tensor, cross_KRC: Tensor) -> Tensor:
    """The ridge solution (K, R, C), whose last row is the bias. A member that has diverged gets NaN."""
    num_items_K = gram_KRR[:, -1, -1]
    penalty_KR = RIDGE * num_items_K.unsqueeze(-1).expand(gram_KRR.shape[:2]).clone()
    penalty_KR[:, -1] = 0.0
    return torch.linalg.solve_ex(gram_KRR + torch.diag_embed(penalty_KR), cross_KRC).result


def _read(label: Mlp | Linear, label_input: Tensor) -> Tensor:
    """What the last layer reads, without dropout."""
    return torch.relu(label.first(label_input)) if isinstance(label, Mlp) else label_input


def _columns(target: Tensor, num_outputs: int) -> Tensor:
    return target.double() if target.is_floating_point() else one_hot(target, num_outputs).double()
