"""What a study stands on: real data, planted data of its size, or the small planted set of the quick preset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mfm.data.dataset import Dataset
from mfm.params.config import ParamValue
from orchestrator.command.arguments import Arguments
from studies.mfm_study import planted_data, space
from studies.mfm_study.data_advice import advice

# The official sizes (MFM.md 1.8), rounded to the grid of the search. Other modalities have those of the model.
WIDTHS: Mapping[str, Mapping[str, int]] = {
    "language": {"z": 32, "f": 32, "hidden": 64},
    "acoustic": {"z": 16, "f": 16, "hidden": 32},
    "visual": {"z": 32, "f": 32, "hidden": 32},
}


class Stand(Protocol):
    """Draws the planted data of a study."""

    def __call__(self, *, quick: bool) -> Dataset:
        """Small, or of the size of the real data."""
        ...


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Data, and the defaults and space that fit it."""

    dataset: Dataset
    suffix: str  # of the study's name: studies on other data are other studies
    where: str  # the data in a title
    params: Mapping[str, ParamValue]
    encoder: str
    space: space.Space
    notes: tuple[str, ...]

    @property
    def is_quick(self) -> bool:
        """Whether this is the small planted set."""
        return self.suffix == "_quick"


def ground(arguments: Arguments, *, name: str, corpus: Callable[[Path], Dataset], stand: Stand) -> Ground:
    """What the arguments ask for.

    Args:
        name: of the real data, as a title has it.
        corpus: reads the real data from a folder.
        stand: draws planted data in its place.
    """
    if arguments.data is not None:
        return real(_read(arguments.data, corpus, name), name=name)
    if arguments.preset == "quick":
        return _quick(stand(quick=True))
    return real(stand(quick=False), name="planted data", suffix="_planted", notes=(planted_data.NOTE,))


def _read(path: Path, corpus: Callable[[Path], Dataset], name: str) -> Dataset:
    """The data set; of what cannot be read, the error says what it looks like."""
    try:
        return corpus(path)
    except ValueError as error:
        raise ValueError(f"{error}. {advice(path, name=name)}") from error


def real(dataset: Dataset, *, name: str, suffix: str = "", notes: Sequence[str] = ()) -> Ground:
    """Data of full size, with the official model's widths."""
    modalities = dataset.modality_names
    return Ground(
        dataset=dataset,
        suffix=suffix,
        where=name,
        params={f"{what}_{m}": width for m in modalities for what, width in WIDTHS.get(m, {}).items()},
        encoder="mfn",
        space=space.standard(modalities),
        notes=tuple(notes),
    )


def _quick(dataset: Dataset) -> Ground:
    modalities = dataset.modality_names
    return Ground(
        dataset=dataset,
        suffix="_quick",
        where="planted data (quick)",
        params=planted_data.quick_params(modalities),
        encoder="ef_lstm",
        space=space.quick(modalities),
        notes=(planted_data.NOTE_QUICK,),
    )
