"""Computational sequences: the HDF5 files (.csd) of the CMU-MultimodalSDK.

Layout, as the SDK's `computational_sequence/file_ops.py` writes it: one group, named after the sequence, that holds
`data/<id>/features` (n, D) and `data/<id>/intervals` (n, 2), in seconds, and `metadata`. An id is a video, or a
video with a segment's number, `video[3]`, in files that were aligned before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mfm.data.formats.array_files import open_h5


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """What one file says of one video, in the order of the file: the rows of labels are the clips' numbers.

    Raises:
        ValueError: the numbers of intervals and features differ, or a time is not finite.
    """

    # float64 (n, 2): start and end in seconds.
    intervals: np.ndarray
    # (n, D): numbers, or byte strings in files of words.
    features: np.ndarray

    def __post_init__(self) -> None:
        if self.intervals.ndim != 2 or self.intervals.shape[1] != 2 or self.features.ndim != 2:
            raise ValueError(
                f"intervals must be (n, 2) and features (n, D); got {self.intervals.shape} and {self.features.shape}"
            )
        if len(self.intervals) != len(self.features):
            raise ValueError(
                f"each interval must have its features; got {len(self.intervals)} and {len(self.features)}"
            )
        if not np.isfinite(self.intervals).all():
            raise ValueError("intervals must be finite; a start or an end is NaN or infinite")


@dataclass(frozen=True, kw_only=True, eq=False)
class Csd:
    """One .csd file: its tracks are read one at a time, for COVAREP of a corpus does not fit everywhere."""

    path: Path
    # The name of the sequence, e.g. 'Opinion Segment Labels'.
    name: str
    # By video, the ids that hold its data.
    entries: Mapping[str, tuple[str, ...]]

    @property
    def videos(self) -> list[str]:
        """The videos, sorted."""
        return sorted(self.entries)

    def track(self, video: str) -> Track:
        """The data of a video.

        Raises:
            ValueError: an array is missing or of the wrong shape, or the file is damaged.
        """
        with _data(self.path) as (_, data):
            try:
                return _joined([_track(data, entry) for entry in self.entries[video]])
            except (KeyError, ValueError, TypeError) as error:
                raise ValueError(
                    f"{self.path}: {video!r} must have features and intervals of one length: {error}. "
                    "Fetch the file again"
                ) from error


def read_csd(path: Path) -> Csd:
    """Opens a .csd file: finds its name and its videos, and reads no features yet.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not HDF5, or not of the SDK's layout.
    """
    entries: dict[str, tuple[str, ...]] = {}
    with _data(path) as (name, data):
        for entry in map(str, data):
            video = entry.split("[")[0]
            entries[video] = (*entries.get(video, ()), entry)
        return Csd(path=path, name=name, entries=entries)


@contextmanager
def _data(path: Path) -> Iterator[tuple[str, h5py.Group]]:
    with open_h5(path) as file:
        names = [name for name, group in file.items() if isinstance(group, h5py.Group) and "data" in group]
        data = file[names[0]]["data"] if len(names) == 1 else None  # pyright: ignore[reportIndexIssue] (a group)
        if not isinstance(data, h5py.Group) or not len(data):
            raise ValueError(
                f"{path} must be a computational sequence: one group with data/<id>/features and intervals; "
                f"it holds {sorted(file)}. Fetch the .csd file with the CMU-MultimodalSDK"
            )
        yield names[0], data


def _track(data: h5py.Group, entry: str) -> Track:
    group = data[entry]
    intervals = np.asarray(group["intervals"][()], np.float64)  # pyright: ignore[reportIndexIssue] (a group)
    features = np.asarray(group["features"][()])  # pyright: ignore[reportIndexIssue] (a group)
    # The SDK accepts a single interval without its leading axis.
    return Track(intervals=np.atleast_2d(intervals), features=np.atleast_2d(features))


def _joined(tracks: list[Track]) -> Track:
    """One track as it is; several, which are the pieces of an aligned file, in order of their start."""
    if len(tracks) == 1:
        return tracks[0]
    intervals = np.concatenate([track.intervals for track in tracks])
    order = np.argsort(intervals[:, 0], kind="stable")
    return Track(intervals=intervals[order], features=np.concatenate([track.features for track in tracks])[order])
