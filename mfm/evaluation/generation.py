"""Generation from a trained model: factors exchanged, codes drawn from the prior, and modalities reconstructed.

X_i is generated from F_y and F_ai (paper section 2.1). Fixing F_y and varying F_a should change how an item looks and
not what it is; fixing F_a and varying F_y the converse. What is generated comes back in the units of the data:
(N, C, H, W) of an image, (N, T, D) of a sequence, (N, D) of a vector.

Shapes: N items, I items that give F_y, J items that give F_a, T steps, D features, Z the width of a code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mfm.data.dataset import Dataset
from mfm.inputs.batch import Batch
from mfm.inputs.batch_loader import Feed, Rows
from mfm.inputs.input_shape import Shape
from mfm.layers.random_streams import Quiet, derive
from mfm.model.matched_capacity import matched
from mfm.model.mfm import MFM, Output
from mfm.params.config import Config

Arrays = dict[str, np.ndarray]  # by modality


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """One trained model with the data that it was trained on."""

    model: MFM  # of one member
    feed: Feed
    shape: Shape


def trained(dataset: Dataset, config: Config, *, fold: np.ndarray, weights: Mapping[str, np.ndarray]) -> Trained:
    """The model of a finished run.

    Args:
        fold: of every item, as in the run: what is standardised depends on it.
        weights: by parameter, as the run left them.

    Raises:
        ValueError: the weights are not those of such a model.
    """
    shape = Shape.of(dataset, config.used)
    model = MFM(1, matched(config, shape), shape)
    parameters = dict(model.named_parameters())
    if set(parameters) != set(weights):
        odd = sorted(set(parameters) ^ set(weights))
        raise ValueError(f"the weights must be those of the configuration's parameters; these differ: {odd[:5]}")
    for name, parameter in parameters.items():
        parameter.data.copy_(torch.from_numpy(np.array(weights[name])).unsqueeze(0))
    rows = [np.flatnonzero(fold == "train")]
    feed = Feed(dataset, config.used, rows, mask_padding=config.mask_padding, device=torch.device("cpu"))
    return Trained(model=model, feed=feed, shape=shape)


@torch.no_grad()
def reconstructed(of: Trained, rows: np.ndarray, *, without: Collection[str] = ()) -> Arrays:
    """Items from their own factors.

    Args:
        without: modalities that the model does not see. F_y is inferred as of an item that lacks them; of their own
            codes nothing is known, so that these are at the mean of the prior, 0.
    """
    batch = _lacking(_batch(of, rows), without)
    known = _infer(of, batch).latents
    codes = {name: torch.zeros_like(z) if name in without else z for name, z in known.items()}
    return _restored(of, of.model.generate(of.model.factors(codes, Quiet()), batch.num_steps))


@torch.no_grad()
def exchanged(of: Trained, *, content: np.ndarray, style: np.ndarray) -> Arrays:
    """Items from F_y of one item and F_a of another: I J of them, those of the first content first."""
    batch = [_batch(of, rows) for rows in (content, style)]
    what, how = (_infer(of, b).factors for b in batch)
    pairs = [np.repeat(np.arange(len(content)), len(style)), np.tile(np.arange(len(style)), len(content))]
    factors = {name: (what if name == "y" else how)[name][:, pairs[0] if name == "y" else pairs[1]] for name in what}
    return _restored(of, of.model.generate(factors, max(b.num_steps for b in batch)))


@torch.no_grad()
def restyled(of: Trained, content: np.ndarray, *, num: int, seed: int) -> Arrays:
    """Items from F_y of an item and every F_a of codes drawn from the prior N(0, I): `num` of each, side by side."""
    batch = _batch(of, content)
    output = _infer(of, batch)
    known = {name: z.repeat_interleave(num, dim=1) for name, z in output.latents.items()}
    codes = {name: z if name == "y" else _normal(name, z, seed) for name, z in known.items()}
    return _restored(of, of.model.generate(of.model.factors(codes, Quiet()), batch.num_steps))


@torch.no_grad()
def sampled(of: Trained, *, num: int, seed: int) -> Arrays:
    """Items whose codes are all drawn from the prior N(0, I), one for all modalities; sequences of full length."""
    batch = _batch(of, np.zeros(1, dtype=np.int64))
    known = {name: z.expand(-1, num, -1) for name, z in _infer(of, batch).latents.items()}
    codes = {name: _normal(name, z, seed) for name, z in known.items()}
    return _restored(of, of.model.generate(of.model.factors(codes, Quiet()), of.feed.num_steps))


def observed(of: Trained, rows: np.ndarray) -> Arrays:
    """The items themselves, as long as what is generated beside them."""
    return _restored(of, _batch(of, rows).x)


def present(of: Trained, rows: np.ndarray) -> Arrays:
    """Which steps of the sequences hold data, (N, T), 1 or 0."""
    batch = _batch(of, rows)
    masks = {name: mask for name, mask in batch.mask.items() if batch.x[name].ndim == 4}
    return {
        name: np.ones((len(rows), batch.num_steps), np.float32)
        if mask is None
        else mask[0].T.float().numpy()
        for name, mask in masks.items()
    }  # fmt: skip


def _batch(of: Trained, rows: np.ndarray) -> Batch:
    return of.feed.batch(Rows.of([np.asarray(rows, dtype=np.int64)]))


def _infer(of: Trained, batch: Batch) -> Output:
    return of.model(batch, Quiet())


def _lacking(batch: Batch, without: Collection[str]) -> Batch:
    """The batch with modalities that no item has."""
    if unknown := set(without) - set(batch.x):
        raise ValueError(f"a modality to do without must be one of {list(batch.x)}; got {sorted(unknown)}")
    x = {name: torch.zeros_like(x) if name in without else x for name, x in batch.x.items()}
    absent = {m: torch.zeros(batch.x[m].shape[:-1], dtype=torch.bool) for m in without}
    return replace(batch, x=x, mask={**batch.mask, **absent})


def _normal(name: str, like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(derive(seed, "generate", name))
    return torch.randn(like.shape, generator=generator)


def _restored(of: Trained, values: Mapping[str, Tensor]) -> Arrays:
    """In the units of the data, without the members' axis, items first."""
    result = {}
    for name, x in values.items():
        own = of.feed.restored(name, x)[0]
        if name in of.shape.images:
            own = own.unflatten(-1, of.shape.images[name])
        result[name] = (own.transpose(0, 1) if of.shape.kinds[name] == "sequence" else own).numpy()
    return result
