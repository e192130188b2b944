"""What a model must know of its data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mfm.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Modalities and outputs."""

    num_features: Mapping[str, int]  # by modality, in order
    kinds: Mapping[str, str]  # "sequence" or "vector", by modality
    num_outputs: int

    @classmethod
    def of(cls, dataset: Dataset, used: tuple[str, ...]) -> Shape:
        """The shape of a data set, restricted to the modalities in use."""
        modalities = [m for m in dataset.modalities if m.name in used]
        return cls(
            num_features={m.name: m.num_features for m in modalities},
            kinds={m.name: m.kind for m in modalities},
            num_outputs=dataset.task.num_outputs,
        )

    def only(self, names: Collection[str]) -> Shape:
        """The shape with these modalities alone."""
        return Shape(
            num_features={name: width for name, width in self.num_features.items() if name in names},
            kinds={name: kind for name, kind in self.kinds.items() if name in names},
            num_outputs=self.num_outputs,
        )
