"""What a model must know of its data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mfm.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Modalities and outputs."""

    num_features: Mapping[str, int]  # by modality, in order
    kinds: Mapping[str, str]  # "sequence", "vector" or "image", by modality
    num_outputs: int
    images: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # channels, rows, columns of the images

    @classmethod
    def of(cls, dataset: Dataset, used: tuple[str, ...]) -> Shape:
        """The shape of a data set, restricted to the modalities in use."""
        modalities = [m for m in dataset.modalities if m.name in used]
        return cls(
            num_features={m.name: m.num_features for m in modalities},
            kinds={m.name: m.kind for m in modalities},
            num_outputs=dataset.task.num_outputs,
            images={m.name: m.image_shape for m in modalities if m.image_shape is not None},
        )

    def only(self, names: Collection[str]) -> Shape:
        """The shape with these modalities alone."""
        return Shape(
            num_features={name: width for name, width in self.num_features.items() if name in names},
            kinds={name: kind for name, kind in self.kinds.items() if name in names},
            num_outputs=self.num_outputs,
            images={name: sizes for name, sizes in self.images.items() if name in names},
        )
