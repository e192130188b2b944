"""Generated items that a study has left beside its tables (RESULTS/generated/<run>.parquet), as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

FOLDER = "generated"
COLUMNS = ("name", "shape", "values")


@dataclass(frozen=True, kw_only=True, eq=False)
class Generated:
    """What one run generated. Arrays are (N, C, H, W) of images, (N, T, D) of sequences, (N, D) of vectors."""

    run_id: str
    arrays: Mapping[str, np.ndarray]  # by "<modality>/<what>"

    @property
    def modalities(self) -> list[str]:
        """In the order in which they were written."""
        return list(dict.fromkeys(name.split("/")[0] for name in self.arrays))

    def of_kind(self, num_axes: int) -> list[str]:
        """The modalities whose items are images (4 axes) or sequences (3)."""
        observed = {m: self.arrays.get(f"{m}/observed") for m in self.modalities}
        return [m for m, values in observed.items() if values is not None and values.ndim == num_axes]

    def has(self, modalities: Sequence[str], *what: str) -> bool:
        """Whether all of these arrays are there for all of these modalities."""
        return bool(modalities) and all(f"{m}/{name}" in self.arrays for m in modalities for name in what)


def read_generated(folder: Path, *, runs: Sequence[str]) -> Generated | None:
    """What the first of `runs` that has left something generated; None: none has.

    Raises:
        ValueError: the file is damaged.
    """
    for run_id in runs:
        path = folder / FOLDER / f"{run_id}.parquet"
        if path.is_file():
            return Generated(run_id=run_id, arrays=_arrays(path))
    return None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        table = pd.read_parquet(path, columns=list(COLUMNS))
        return {
            row["name"]: np.asarray(row["values"], dtype=np.float32).reshape([int(n) for n in row["shape"]])
            for row in table.to_dict("records")
        }
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} must be an undamaged file of generated items; reading it failed: {error}. "
            "Delete it and run the study's command again to restore it"
        ) from error
