"""Batches from a data set: gathered, standardised and masked on the device, for K members at once.

Shapes: K members, N items, T steps, B items of a batch, D features.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mfm.data.dataset import Dataset, Modality
from mfm.data.prepare import scale, to_back
from mfm.inputs.batch import Batch


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The items that each member reads, in order; members with fewer are filled up with repeats of weight 0."""

    index_KN: np.ndarray  # int64
    weight_KN: np.ndarray | None  # float32 1 or 0; None: all ones

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> Rows:
        """From one array of item indices per member."""
        longest = max(len(r) for r in rows)
        index = np.stack([np.resize(r, longest) for r in rows])
        if all(len(r) == longest for r in rows):
            return cls(index_KN=index, weight_KN=None)
        weight = np.stack([np.arange(longest) < len(r) for r in rows]).astype(np.float32)
        return cls(index_KN=index, weight_KN=weight)

    def batches(self, size: int, *, drop_last: bool = False) -> Iterator[Rows]:
        """Consecutive parts of at most `size` items."""
        num_items = self.index_KN.shape[1]
        last = num_items - num_items % size if drop_last and num_items >= size else num_items
        for start in range(0, last, size):
            part = slice(start, min(start + size, last))
            weight = None if self.weight_KN is None else self.weight_KN[:, part]
            yield Rows(index_KN=self.index_KN[:, part], weight_KN=weight)


class Feed:
    """A data set on a device, with every member's own standardisation (its own training items only).

    Args:
        used: names of the modalities to read.
        train_rows: one array of training items per member.
        mask_padding: False reads padding as data, and puts it in front (what the official code does).
    """

    def __init__(
        self,
        dataset: Dataset,
        used: Sequence[str],
        train_rows: Sequence[np.ndarray],
        *,
        mask_padding: bool,
        device: torch.device,
    ) -> None:
        modalities = [m for m in dataset.modalities if m.name in used]
        _check_aligned(modalities)
        self.num_steps = max(m.num_steps for m in modalities)
        self._device = device
        self._target = _tensor(dataset.target, device)
        clock = _anywhere(modalities)
        self._channels = {
            m.name: _Channel(m, _statistics(m, train_rows), back=None if mask_padding else clock, device=device)
            for m in modalities
        }
        self._lengths_N = _lengths(clock) if mask_padding else None

    def restored(self, name: str, x: Tensor) -> Tensor:
        """Values of a modality in its own units: the inverse of the standardisation."""
        return self._channels[name].restored(x)

    def batch(self, rows: Rows) -> Batch:
        """The batch of these rows."""
        steps = None if self._lengths_N is None else int(self._lengths_N[rows.index_KN].max())
        index_KB = torch.from_numpy(rows.index_KN).to(self._device)
        weight = None if rows.weight_KN is None else torch.from_numpy(rows.weight_KN).to(self._device)
        read = {name: channel.read(index_KB, steps) for name, channel in self._channels.items()}
        return Batch(
            x={name: x for name, (x, _) in read.items()},
            mask={name: mask for name, (_, mask) in read.items()},
            target=self._target[index_KB],
            weight_KB=weight,
        )

    @property
    def zeros(self) -> dict[str, Tensor]:
        """What a value of 0 in the file becomes, by modality: (K, 1, 1, D) of a sequence, (K, 1, D) of a vector."""
        return {name: channel.zero for name, channel in self._channels.items()}


class _Channel:
    """One modality, step-major, so that a gathered batch is (K, T, B, D) without a copy.

    Args:
        back: the steps (N, T) at which an item has data, to put its padding in front and read it as data; None: masked.
    """

    def __init__(
        self,
        modality: Modality,
        statistics: tuple[np.ndarray, np.ndarray],
        *,
        back: np.ndarray | None,
        device: torch.device,
    ) -> None:
        self._sequence = modality.kind == "sequence"
        shape = (len(statistics[0]), 1, 1, -1) if self._sequence else (len(statistics[0]), 1, -1)
        mean, factor = (torch.from_numpy(s).to(device).view(shape) for s in statistics)
        values, data = modality.values, modality.mask
        if modality.kind == "image":
            values = values.reshape(len(values), -1)
        if self._sequence and back is not None:
            values, data = to_back(values, data, clock=back)
        self._num_items = len(values)
        self._full = bool(data.all())
        self._masked = back is None and not self._full
        self._same = bool((mean == mean[:1]).all() and (factor == factor[:1]).all())
        swap = (lambda a: np.ascontiguousarray(a.swapaxes(0, 1))) if self._sequence else (lambda a: a)
        self._values = _tensor(swap(values), device).flatten(0, -2)
        self._data = _tensor(swap(data), device).flatten()
        if self._same:  # one standardisation for all: it is done once, here
            self._values = ((self._values - mean[0].flatten()) * factor[0].flatten()).mul_(self._data.unsqueeze(-1))
        self._mean, self._factor = mean, factor
        self._num_steps = modality.num_steps

    def restored(self, x: Tensor) -> Tensor:
        return x / self._factor + self._mean

    @property
    def zero(self) -> Tensor:
        """What a value of 0 in the file becomes."""
        return -self._mean * self._factor

    def read(self, index_KB: Tensor, steps: int | None) -> tuple[Tensor, Tensor | None]:
        place = index_KB
        if self._sequence:
            steps = self._num_steps if steps is None else min(max(steps, 1), self._num_steps)
            offsets = torch.arange(steps, device=index_KB.device).view(1, -1, 1) * self._num_items
            place = index_KB.unsqueeze(1) + offsets
        x = self._values.index_select(0, place.flatten()).unflatten(0, place.shape)
        if not self._same:
            x.sub_(self._mean).mul_(self._factor)
        if self._full:
            return x, None
        data = self._data[place]
        return (x if self._same else x.mul_(data.unsqueeze(-1))), data if self._masked else None


def _statistics(modality: Modality, train_rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1 / standard deviation (K, D); equal training items are computed once."""
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    pairs = []
    for rows in train_rows:
        key = rows.tobytes()
        if key not in known:
            known[key] = scale(modality, rows)
        pairs.append(known[key])
    mean, sd = (np.stack(parts).astype(np.float32) for parts in zip(*pairs, strict=True))
    return mean, (1 / sd).astype(np.float32)


def _anywhere(modalities: Sequence[Modality]) -> np.ndarray:
    """The steps at which some sequence has data (N, T); without sequences, T = 1."""
    sequences = [m.mask for m in modalities if m.kind == "sequence"]
    if not sequences:
        return np.ones((len(modalities[0].values), 1), dtype=bool)
    return np.asarray(np.stack(sequences).any(axis=0))


def _lengths(anywhere_NT: np.ndarray) -> np.ndarray:
    """Steps until the last one with data (N,)."""
    num_steps = anywhere_NT.shape[1]
    return np.where(anywhere_NT.any(axis=1), num_steps - anywhere_NT[:, ::-1].argmax(axis=1), 1)


def _check_aligned(modalities: Sequence[Modality]) -> None:
    steps = {m.name: m.num_steps for m in modalities if m.kind == "sequence"}
    if len(set(steps.values())) > 1:
        raise ValueError(
            f"sequences must be aligned, with one number of steps for all modalities; got {steps}. "
            "Align the files to words, or use one modality (an arm only_<modality>)"
        )


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        # Arrays from Ray's object store are read-only; nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)
