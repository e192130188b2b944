"""What makes two runs of one configuration comparable, as hashes. Imports no torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from mfm.data.dataset import Dataset
from mfm.data.folds import Folds


@cache
def code_sha256() -> str:
    """A hash of every Python file of this package: the code that makes the numbers."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def data_sha256(dataset: Dataset, folds: Folds) -> str:
    """A hash of the data and of how it is split."""
    return hashlib.sha256(f"{dataset.sha256} {folds}".encode()).hexdigest()
