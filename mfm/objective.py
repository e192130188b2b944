"""MFM as what a study trains: it meets the orchestrator's `Objective` by its shape and imports nothing of it.

PyTorch is imported where packs are trained: a driver that only reads the data and sends it to workers does without.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mfm.data.dataset import Dataset
from mfm.data.folds import Folds
from mfm.fingerprint import code_sha256, data_sha256
from mfm.params.config import Config, ParamValue

if TYPE_CHECKING:
    import torch

    from mfm.pack_training import Outcome, State
    from mfm.training import Epoch

# A sum that is split among threads has other bits; and workers have one core each.
NUM_THREADS = 1


class Run(Protocol):
    """What of a run is read here."""

    @property
    def run_id(self) -> str:
        """Its name."""
        ...

    @property
    def params(self) -> Mapping[str, ParamValue]:
        """Every hyperparameter."""
        ...

    @property
    def seed(self) -> int:
        """Of its initial weights and its draws."""
        ...

    @property
    def split(self) -> int:
        """Of the data."""
        ...

    @property
    def fold(self) -> int | None:
        """The fold that is valid; None: the official one."""
        ...


class Pack(Protocol):
    """What of a pack is read here."""

    @property
    def runs(self) -> Sequence[Run]:
        """Its runs."""
        ...

    @property
    def epochs(self) -> int:
        """Of every run."""
        ...

    @property
    def phase(self) -> str:
        """Of every run."""
        ...


class MFMObjective:
    """Trains packs of MFM runs on one data set: what `orchestrator.run` takes.

    >>> dataset, _ = planted(Plan(num_items={"train": 60, "valid": 20, "test": 20}), seed=0)
    >>> objective = MFMObjective(dataset, folds=Folds(), metric="valid_mae", mode="min")
    >>> len(objective.data_sha256)
    64

    Args:
        folds: which items are train, valid and test in each split.
        metric: the validation metric whose best epoch is kept, e.g. "valid_mae"; `mode` says which side is better.
        robustness: whether confirm runs are scored with missing and noisy modalities, too.
        rerank_folds: parts of the items that are not tested, in which the best of a search are ranked again.
        device: "auto" takes a GPU where there is one.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        folds: Folds,
        metric: str,
        mode: str,
        rerank_folds: int = 5,
        robustness: bool = False,
        device: str = "auto",
    ) -> None:
        self._dataset, self._folds = dataset, folds
        self._metric, self._mode, self._device_name = metric, mode, device
        self._rerank_folds, self._robustness = rerank_folds, robustness

    @property
    def data_sha256(self) -> str:
        """A hash of the data and of how it is split."""
        return data_sha256(self._dataset, self._folds)

    @property
    def code_sha256(self) -> str:
        """A hash of this package's code."""
        return code_sha256()

    def describe(self) -> dict[str, str]:
        """The device, and what the numbers depend on beside the code: versions, and settings of determinism."""
        import torch

        device = _device(self._device_name)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        return {
            "device": name,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "threads": str(NUM_THREADS),
            "deterministic algorithms": str(torch.are_deterministic_algorithms_enabled()),
            "float32 products": torch.get_float32_matmul_precision(),
        }

    def train(
        self, pack: Pack, state: State | None = None
    ) -> Generator[Epoch, Collection[str] | None, dict[str, Outcome]]:
        """Trains a pack; test items are looked at in confirm runs only. See `mfm.training.train`."""
        import torch

        from mfm.pack_training import Member, Task
        from mfm.training import train

        torch.set_num_threads(NUM_THREADS)
        names = self._dataset.modality_names
        members = [
            Member(
                name=run.run_id,
                config=Config.from_params(run.params, names),
                seed=run.seed,
                fold=self._fold(run),
            )
            for run in pack.runs
        ]
        task = Task(
            epochs=pack.epochs,
            metric=self._metric,
            mode=self._mode,
            test=pack.phase == "confirm",
            robustness=self._robustness,
        )
        return train(self._dataset, members, task=task, device=_device(self._device_name), state=state)

    def _fold(self, run: Run) -> np.ndarray:
        """The fold of every item (N,); of a rerank run, its part of the items that are not tested is valid."""
        if run.fold is None:
            return self._folds.of(self._dataset, run.split)
        return self._folds.inner(self._dataset, run.split, part=run.fold, num_parts=self._rerank_folds)


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)
