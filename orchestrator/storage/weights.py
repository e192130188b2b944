"""Weights of confirm runs: safetensors files that carry a checksum, which that format has not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

SHA256 = "sha256"  # of the arrays, in the file's metadata


def pack(weights: Mapping[str, np.ndarray]) -> bytes:
    """A run's parameters as the bytes of a file."""
    arrays = {name: np.asarray(value, order="C") for name, value in weights.items()}
    return safetensors.numpy.save(arrays, metadata={SHA256: _digest(arrays)})


def is_whole(path: Path) -> bool:
    """Whether a file of weights is as it was written."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            known = (file.metadata() or {}).get(SHA256)
            return known == _digest({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no mapping
    except (safetensors.SafetensorError, UnicodeDecodeError, ValueError):
        return False


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Of names, types, shapes and values."""
    result = hashlib.sha256()
    for name in sorted(arrays):
        result.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        result.update(arrays[name].tobytes())
    return result.hexdigest()
