"""A hash of values: the same for equal ones, in any process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def value_sha256(data: Any) -> str:
    """A hash of plain values and arrays (whatever NumPy makes one of numbers of), in mappings and sequences.

    Raises:
        ValueError: it is made of something else.
    """
    digest = hashlib.sha256()
    _feed(digest, data)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, data: Any) -> None:
    if isinstance(data, Mapping):
        for name in sorted(data, key=str):
            digest.update(f"{name}:".encode())
            _feed(digest, data[name])
    elif isinstance(data, list | tuple):
        digest.update(f"{len(data)}[".encode())
        for value in data:
            _feed(digest, value)
    elif data is None or isinstance(data, bool | int | float | str | bytes | Path):
        digest.update(f"{type(data).__name__} {data!r};".encode())
    elif (array := np.asarray(data)).dtype.kind in "biufcSUM":
        digest.update(f"{array.dtype} {array.shape};".encode() + np.ascontiguousarray(array).tobytes())
    else:
        raise ValueError(
            "data must be plain values and arrays, in mappings and sequences, to be hashed; got "
            f"{type(data).__name__}. "
            "Give it a name that you change with it: run(study, FunctionObjective(train, data=..., data_sha256='v1'))"
        )
