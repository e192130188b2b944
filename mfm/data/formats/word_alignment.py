"""Word-level alignment of computational sequences, as the CMU-MultimodalSDK does it.

Source: `full_examples/process_mosi.py` and `mmdataset.align` of the SDK: every sequence is averaged over each word's
interval, then the words that touch a labelled segment become the segment's steps. Touching means sharing more than
EPSILON seconds; a word on the border of two segments is in both. Segments without a word, and videos that a file
lacks, are left out, as the SDK leaves them out; the source sentence counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mfm.data.formats.array_files import as_float32
from mfm.data.formats.csd import Csd, Track, read_csd
from mfm.data.prepare import stack
from mfm.data.recordings import Recordings, describe

# Seconds (the SDK's own constant): shorter intersections are rounding.
EPSILON = 1e-5

# What the SDK's file and sequence names say (lower case, letters only): a file is what it first fits.
ROLES: Mapping[str, tuple[str, ...]] = {
    "labels": ("label",),
    "language": ("wordvector", "glove"),
    "acoustic": ("covarep", "opensmile"),
    "visual": ("facet", "openface"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """A labelled stretch of a video with its words."""

    video: str
    # The row of the label in its file, from 1 on: the corpus's own clip number.
    clip: int
    label: np.ndarray  # float32 (C,)
    features: Mapping[str, np.ndarray]  # by modality, float32 (words, D)

    @property
    def name(self) -> str:
        """video_clip."""
        return f"{self.video}_{self.clip}"


def align(files: Sequence[Path], *, fold_of: Callable[[str], str], max_steps: int) -> Recordings:
    """Recordings from the .csd files of a corpus: labels, word vectors, and acoustic or visual features or both.

    Each segment keeps the last `max_steps` words. Of averaged features NaN and -inf become 0, as in the official
    preprocessing (MFM.md 5.3); any other infinity is an error.

    Args:
        files: the .csd files; their names tell what they hold, see ROLES. Others are left unread.
        fold_of: from a video's id to train, valid or test.
        max_steps: the words to keep of each segment.

    Raises:
        ValueError: a file is missing, is there twice, is broken, or no segment is left.
    """
    csds = find_roles(files)
    videos = sorted(set.intersection(*(set(csd.entries) for csd in csds.values())))
    segments = [segment for video in videos for segment in _segments(csds, video, max_steps)]
    kept = [segment for segment in segments if len(segment.features["language"])]
    if not kept:
        raise ValueError(
            f"{describe(files[0].parent)}: the .csd files must share videos whose labelled segments have words; found "
            f"{len(videos)} shared videos with {len(segments)} segments, none with a word. Fetch files of one corpus "
            "and version"
        )
    return Recordings(
        source=_source(csds, num_videos=len(videos), num_empty=len(segments) - len(kept)),
        values={
            name: stack([s.features[name] for s in kept], names=[f"{csd.path}, {s.name}," for s in kept])
            for name, csd in csds.items()
            if name != "labels"
        },
        label=np.stack([segment.label for segment in kept]),
        item=np.array([segment.name for segment in kept]),
        group=np.array([segment.video for segment in kept]),
        fold=np.array([fold_of(segment.video) for segment in kept]),
    )


def find_roles(files: Sequence[Path]) -> dict[str, Csd]:
    """The files by what they hold, in the order of ROLES.

    Raises:
        ValueError: labels, word vectors, or both acoustic and visual features are missing, or one is there twice.
    """
    found: dict[str, Csd] = {}
    for csd in map(read_csd, files):
        role = _role(csd)
        if role in found:
            raise ValueError(f"one file must hold {role}; found {found[role].path} and {csd.path}. Remove one")
        if role:
            found[role] = csd
    missing = [role for role in ("labels", "language") if role not in found]
    if missing or not {"acoustic", "visual"} & set(found):
        raise ValueError(
            "csd files must hold labels, word vectors (language), and acoustic (COVAREP, openSMILE) or visual "
            f"(FACET, OpenFace) features; found {sorted(found)} in {[path.name for path in files]}. "
            "Fetch the others with the CMU-MultimodalSDK"
        )
    return {role: found[role] for role in ROLES if role in found}


def _role(csd: Csd) -> str | None:
    name = "".join(filter(str.isalpha, f"{csd.path.stem}{csd.name}".lower()))
    return next((role for role, words in ROLES.items() if any(word in name for word in words)), None)


def _segments(csds: Mapping[str, Csd], video: str, max_steps: int) -> list[Segment]:
    labels = csds["labels"].track(video)
    scores = as_float32(labels.features, where=f"{csds['labels'].path}, {video!r},")
    words, features = _words(csds, video)
    segments = []
    for clip, interval in enumerate(labels.intervals, start=1):
        kept = _touching(words, interval)[-max_steps:]
        of_segment = {name: array[kept] for name, array in features.items()}
        segments.append(Segment(video=video, clip=clip, label=scores[clip - 1], features=of_segment))
    return segments


def _words(csds: Mapping[str, Csd], video: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The words that last: intervals (n, 2), ordered by start, and, by modality, features (n, D)."""
    language = csds["language"].track(video)
    order = np.argsort(language.intervals[:, 0], kind="stable")
    lasting = order[np.ptp(language.intervals[order], axis=1) > EPSILON]
    intervals = language.intervals[lasting]
    raw = {"language": language.features[lasting]}
    for name in csds:
        if name in ("acoustic", "visual"):
            raw[name] = _averaged(_numbers(csds[name], video), intervals)
    return intervals, {name: as_float32(raw[name], where=f"{csds[name].path}, {video!r},") for name in raw}


def _numbers(csd: Csd, video: str) -> Track:
    track = csd.track(video)
    if track.features.dtype.kind not in "biuf":
        raise ValueError(f"{csd.path}, {video!r}, must hold numbers; got the type {track.features.dtype}")
    return track


def _averaged(track: Track, intervals: np.ndarray) -> np.ndarray:
    """The mean features (n, D) of what touches each interval; zeros where nothing does, as the SDK imputes."""
    averages = np.zeros((len(intervals), track.features.shape[1]))
    # A mean over +inf and -inf is NaN, on purpose.
    with np.errstate(invalid="ignore"):
        for average, interval in zip(averages, intervals, strict=True):
            if len(touching := _touching(track.intervals, interval)):
                average[:] = track.features[touching].mean(axis=0, dtype=np.float64)
    return np.where(np.isnan(averages) | np.isneginf(averages), 0, averages)


def _touching(intervals: np.ndarray, interval: np.ndarray) -> np.ndarray:
    """The rows of `intervals` (n, 2) that share more than EPSILON seconds with `interval` (2,)."""
    shared = np.minimum(intervals[:, 1], interval[1]) - np.maximum(intervals[:, 0], interval[0])
    return np.flatnonzero(shared > EPSILON)


def _source(csds: Mapping[str, Csd], *, num_videos: int, num_empty: int) -> str:
    all_videos = set.union(*(set(csd.entries) for csd in csds.values()))
    return (
        f"word-aligned here from {', '.join(describe(csd.path) for csd in csds.values())} (CMU-MultimodalSDK); "
        f"left out: {len(all_videos) - num_videos} videos that a file lacks, {num_empty} segments without words"
    )
