"""What one reader checks, all check: every check against every form of file, or the reason why it cannot arise there.

The same small corpus is spoilt in one way, written in a reader's form, and read.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfm.data.corpora import classification, regression
from mfm.data.dataset import FOLDS, Dataset

STEPS = 3
OFFICIAL = {"train": "03bSnISJMiM", "valid": "WKA5OygbEKI", "test": "c7UH_rxdZv4"}  # names of videos in MOSI's folds


@dataclass(kw_only=True)
class Item:
    """A segment; a fold's first two are of one video."""

    fold: str
    video: str
    number: int
    label: float
    values: dict[str, np.ndarray]
    odd: str = ""  # in place of its id


@dataclass(kw_only=True)
class Content:
    items: list[Item]
    names: dict[str, str] = field(default_factory=lambda: {fold: fold for fold in FOLDS})  # of the folds in files
    without_ids: tuple[str, ...] = ()

    def of(self, fold: str) -> list[Item]:
        return [item for item in self.items if item.fold == fold]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A form of files: how it is written and read, and which checks have no meaning for it."""

    write: Callable[[Path, Content, Callable, Callable], None]
    read: Callable[[Path], Dataset]
    widths: dict[str, int]
    cannot: dict[str, str]
    label: Callable[[int], float] = lambda number: float(number % 3) + 1
    official: bool = False  # folds follow from the names of videos
    items: dict[str, int] = field(default_factory=lambda: {"train": 6, "valid": 4, "test": 4})
    video: str = "{fold}v{number}"
    many: int = 94  # videos, or items where files name no videos: one more than the corpus has


def content(reader: Reader) -> Content:
    rng = np.random.default_rng(0)
    items = []
    for fold, number in reader.items.items():
        for n in range(number):
            form = f"{OFFICIAL[fold]}x{{number}}" if reader.official else reader.video
            video = form.format(fold=fold, number=n // 2)
            values = {m: rng.normal(size=(STEPS, width)) for m, width in reader.widths.items()}
            items.append(Item(fold=fold, video=video, number=n % 2, label=reader.label(n), values=values))
    return Content(items=items)


# How a corpus is spoilt


def duplicate(it: Content) -> None:
    it.items[1].video, it.items[1].number = it.items[0].video, it.items[0].number


def shared_video(it: Content) -> None:
    it.items[-1].video, it.items[-1].number = it.items[0].video, 7


def odd_id(it: Content) -> None:
    it.items[-1].odd = "extra"


def ids_of_one_split_missing(it: Content) -> None:
    it.without_ids = ("test",)


def label_off_the_scale(it: Content) -> None:
    it.items[2].label = 1e4


def label_missing(it: Content) -> None:
    it.items[2].label = np.nan


def too_many(it: Content, most: int) -> None:
    first = it.of("train")[0]
    it.items = [replace(first, video=f"{first.video}{n}") for n in range(most)] + it.of("valid") + it.of("test")


def empty_fold(it: Content) -> None:
    it.items = [item for item in it.items if item.fold != "valid"]


def no_steps(it: Content) -> None:
    for item in it.items:
        item.values["acoustic"] = item.values["acoustic"][:0]


def other_steps_in_one_fold(it: Content) -> None:
    for item in it.of("train"):
        item.values["visual"] = item.values["visual"][:-1]


def other_width(it: Content) -> None:
    item = it.items[3]
    item.values["acoustic"] = np.pad(item.values["acoustic"], ((0, 0), (0, 1)), constant_values=1)


def modality_zero(it: Content) -> None:
    for item in it.items:
        item.values["acoustic"] = 0 * item.values["acoustic"]


def all_zero(it: Content) -> None:
    for item in it.items:
        item.values = {name: 0 * array for name, array in item.values.items()}


def modality_zero_in_train(it: Content) -> None:
    for item in it.of("train"):
        item.values["acoustic"] = 0 * item.values["acoustic"]


def extra_dimension(it: Content) -> None:
    for item in it.items:
        item.values["acoustic"] = item.values["acoustic"][..., None]


def wrong_split_name(it: Content) -> None:
    it.names["valid"] = "dev"


def absurd_value(it: Content) -> None:
    it.items[4].values["acoustic"][0, 0] = 1e30


def not_finite(it: Content) -> None:
    it.items[4].values["acoustic"][0, 0] = np.inf


CHECKS: dict[str, tuple[Callable, str]] = {
    "duplicate item": (duplicate, r"an item must stand once; .* stands 2 times"),
    "shared video": (shared_video, r"a video must lie in one split only; train and test share"),
    "odd id": (odd_id, r"segment ids must have one form, which tells the video; 'extra' is not like"),
    "label off the scale": (label_off_the_scale, r"labels of .* lie from|labels must be one-hot|digits must be 0 to 9"),
    "label missing": (label_missing, r"finite|labels must be one-hot"),
    "too many": (too_many, r"which has \d+ (videos|items); it holds \d+"),
    "empty fold": (empty_fold, r"at least one|has none|it lacks|no item"),
    "no steps": (no_steps, r"at least one step|one row for each of its|aligned|must be \(items|words"),
    "other steps in one fold": (other_steps_in_one_fold, r"aligned|one row for each of its"),
    "other width": (other_width, r"must have \d+ features, as the others|all of one width|item 3 has the shape"),
    "modality zero": (modality_zero, r"acoustic must have data; it is zero for every item"),
    "all zero": (all_zero, r"must have data; it is zero for every item"),
    "modality zero in train": (modality_zero_in_train, r"acoustic must have data; it is zero for every item of train"),
    "extra dimension": (extra_dimension, r"must be \(.*\)|must have one row for each|must be numbers \(steps"),
    "wrong split name": (
        wrong_split_name,
        r"splits must be named train, valid, test; got \['dev'\]|it lacks|splits \['tr|it holds \['",
    ),
    "absurd value": (absurd_value, r"holds 1e\+30, and no measurement is beyond 1e\+08"),
    "value not finite": (not_finite, r"must be finite"),
}


# The forms


def _padded(items: list[Item], name: str) -> Any:
    """(N, T, D); a list where rows differ."""
    arrays = [item.values[name] for item in items]
    return np.stack(arrays) if len({a.shape for a in arrays}) == 1 else [a.tolist() for a in arrays]


def _ids(it: Content, fold: str, form: str) -> list[str]:
    return [item.odd or form.format(item.video, item.number) for item in it.of(fold)]


def write_splits(folder: Path, it: Content, _h5: Callable, _csd: Callable) -> None:
    splits = {}
    for fold, name in it.names.items():
        items = it.of(fold)
        split = {
            theirs: _padded(items, m)
            for m, theirs in (("language", "text"), ("acoustic", "audio"), ("visual", "vision"))
        }
        split["labels"] = np.array([item.label for item in items])
        splits[name] = split if fold in it.without_ids else {**split, "id": _ids(it, fold, "{}$_${}")}
    (folder / "mosi_data.pkl").write_bytes(pickle.dumps(splits))


def write_iemocap(folder: Path, it: Content, _h5: Callable, _csd: Callable) -> None:
    splits = {}
    for fold, name in it.names.items():
        items = it.of(fold)
        split = {
            theirs: _padded(items, m)
            for m, theirs in (("language", "text"), ("acoustic", "audio"), ("visual", "vision"))
        }
        split["labels"] = np.array([[[1 - item.label, item.label]] * 4 for item in items]).reshape(-1, 4, 2)
        splits[name] = split if fold in it.without_ids else {**split, "id": _ids(it, fold, "{}$_${}")}
    (folder / "iemocap_data.pkl").write_bytes(pickle.dumps(splits))


def write_lists(folder: Path, it: Content, _h5: Callable, _csd: Callable) -> None:
    for fold, file in zip(FOLDS, ("train", "dev", "test"), strict=True):
        if it.names[fold] != fold:
            continue
        rows = [
            ((np.arange(STEPS), i.values["visual"], i.values["acoustic"], ["w"] * STEPS), np.array([[i.label]]), name)
            for i, name in zip(it.of(fold), _ids(it, fold, "{}[{}]"), strict=True)
        ]
        (folder / f"{file}.pkl").write_bytes(pickle.dumps(rows))


def write_tables(folder: Path, it: Content, h5: Callable, _csd: Callable) -> None:
    for fold, name in it.names.items():
        items = it.of(fold)
        parts = [np.stack([i.values[m] for i in items] or [np.zeros((STEPS, w))]) for m, w in WIDE.items()]
        parts = parts if items else [part[:0] for part in parts]
        joined = np.concatenate(parts, axis=2) if len({p.shape[1] for p in parts}) == 1 else parts[1]
        h5(folder / f"X_{name}.h5", joined, name="data")
        h5(folder / f"y_{name}.h5", np.array([i.label for i in items]), name="data")


def write_h5_folder(folder: Path, it: Content, h5: Callable, _csd: Callable) -> None:
    for fold, name in it.names.items():
        items = it.of(fold)
        for modality, file in (("acoustic", "audio"), ("visual", "video")):
            arrays = [i.values[modality] for i in items]
            h5(folder / f"{file}_{name}.h5", np.stack(arrays) if arrays else np.zeros((0, STEPS, 4)))
        h5(folder / f"y_{name}.h5", np.array([[i.label] * (17 if "pom" in folder.name else 1) for i in items]))


def write_utterances(folder: Path, it: Content, _h5: Callable, _csd: Callable) -> None:
    items = it.items
    glove = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) * (it.items[0].values["language"].any() > 0)
    np.savez(
        folder / "mosi.npz",
        token_ids=np.full((len(items), 5), 3), length=np.full(len(items), 2), glove=glove,
        covarep_mean=np.array([i.values["acoustic"][0] if len(i.values["acoustic"]) else [] for i in items]),
        label=np.array([i.label for i in items]), fold=np.array([it.names[i.fold] for i in items]),
        segment_id=np.array([f"{i.video}_{i.number}" for i in items]), video_id=np.array([i.video for i in items]),
    )  # fmt: skip


def write_csds(folder: Path, it: Content, _h5: Callable, csd: Callable) -> None:
    videos: dict[str, list[Item]] = {}
    for item in it.items:
        videos.setdefault(item.video, []).append(item)
    spans = {v: [(10 * n, 10 * n + STEPS) for n in range(len(own))] for v, own in videos.items()}
    csd(folder / "Labels.csd", "Opinion Labels", {v: (spans[v], [[i.label] for i in own]) for v, own in videos.items()})
    for modality, name in (("language", "WordVectors"), ("acoustic", "COVAREP"), ("visual", "FACET")):
        entries = {}
        for video, own in videos.items():
            rows = [row for item in own for row in item.values[modality]]
            times = [
                (a + k, a + k + 1)
                for (a, _), item in zip(spans[video], own, strict=True)
                for k in range(len(item.values[modality]))
            ]
            if rows and len({len(row) for row in rows}) == 1:
                entries[video] = (times, np.array(rows))
        csd(folder / f"{name}.csd", name, entries or {"none": (np.zeros((0, 2)), np.zeros((0, 4)))})


def write_moud(folder: Path, it: Content, _h5: Callable, _csd: Callable) -> None:
    for modality, file in (("language", "text"), ("acoustic", "audio"), ("visual", "video")):
        features: dict[str, dict[str, Any]] = {}
        for i in it.items:
            features.setdefault(i.video, {})[str(i.number)] = i.values[modality]
        (folder / f"{file}_dict.p").write_bytes(pickle.dumps(features))
    word = {0.0: "negative", 1.0: "positive"}
    lines = [f"{i.video}_{i.number} {word.get(i.label, i.label)}" for i in it.items]
    (folder / "cats.txt").write_text("\n".join(lines))
    (folder / "spanish_text.csv").write_text("".join(f"{i.video}.mp4_{i.number},a\n" for i in it.items))


WIDE = {"language": 300, "acoustic": 5, "visual": 20}
SMALL = {"language": 4, "acoustic": 3, "visual": 2}
TWO = {"acoustic": 3, "visual": 2}
NO_NAMES = dict.fromkeys(("duplicate item", "shared video", "odd id"), "files name no items and no videos")
ONE_ARRAY = "an array of numbers has one width and no more dimensions than it is read with"
BY_NAME = "the fold follows from the video's name"
PADDED = "each modality's sequences are padded, item by item"
BY_PLACE = "the fold follows from the video's place in the file"
CLIPPED = "values are clipped to 255, as in the official experiments"
WORDS = "labels are words: test_classes has a line that names no class"

READERS: dict[str, Reader] = {
    "mosi .npz": Reader(
        write=write_utterances, read=regression.mosi, widths=SMALL,
        cannot={
            "odd id": "the file names the videos beside the segments", "other width": ONE_ARRAY,
            "other steps in one fold": "one vector an item", "no steps": "one vector an item",
        },
    ),
    "mosi X and y": Reader(
        write=write_tables, read=regression.mosi, widths=WIDE, many=2200,
        cannot={
            **NO_NAMES, "other width": ONE_ARRAY, "other steps in one fold": "all modalities are columns of one array",
            "extra dimension": ONE_ARRAY,
        },
    ),
    "mosi pickle of splits": Reader(write=write_splits, read=regression.mosi, widths=SMALL, cannot={}),
    "mosi lists of segments": Reader(write=write_lists, read=regression.mosi, widths=SMALL, cannot={}),
    "mosi .csd": Reader(
        write=write_csds, read=regression.mosi, widths=SMALL, official=True,
        cannot={
            "duplicate item": "items are numbered within their video", "shared video": BY_NAME, "odd id": BY_NAME,
            "other steps in one fold": "features are averaged over words", "extra dimension": "rows of features",
            "wrong split name": BY_NAME, "value not finite": "not finite averages become 0, as in the SDK's use",
            "other width": "rows of one video are one array, and test_csd has a video of another width",
        },
    ),
    "mmmo .h5": Reader(
        write=write_h5_folder, read=regression.mmmo, widths=TWO, many=341, cannot={**NO_NAMES, "other width": ONE_ARRAY}
    ),
    "pom .h5": Reader(
        write=write_h5_folder, read=regression.pom, widths=TWO, many=904, cannot={**NO_NAMES, "other width": ONE_ARRAY}
    ),
    "youtube .h5": Reader(
        write=write_h5_folder, read=classification.youtube, widths=TWO, many=270, label=lambda n: float(n % 3),
        cannot={**NO_NAMES, "other width": ONE_ARRAY},
    ),
    "moud .h5": Reader(
        write=write_h5_folder, read=classification.moud, widths=TWO, label=lambda n: float(n % 2),
        cannot={**NO_NAMES, "other width": ONE_ARRAY, "too many": "copies differ in how many they hold"},
    ),
    "moud pickles": Reader(
        write=write_moud, read=classification.moud, widths=SMALL, label=lambda n: float(n % 2),
        video="{fold}_v{number}", items={"train": 96, "valid": 20, "test": 4},
        cannot={
            "shared video": BY_PLACE, "wrong split name": BY_PLACE, "label off the scale": WORDS,
            "label missing": WORDS,
            "odd id": "a line of another form is refused: see test_classes", "other steps in one fold": PADDED,
            "too many": "copies differ in how many they hold", "absurd value": CLIPPED, "value not finite": CLIPPED,
        },
    ),
    "iemocap pickle": Reader(
        write=write_iemocap, read=lambda path: classification.iemocap(path, emotion="sad"), widths=SMALL,
        label=lambda n: float(n % 2), cannot={"too many": "copies differ in how many they hold"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_what_is_not_spoilt_is_read(reader: str, tmp_path: Path, write_h5: Callable, write_csd: Callable) -> None:
    form = READERS[reader]
    folder = tmp_path / reader.split(maxsplit=1)[0]
    folder.mkdir()
    it = content(form)
    form.write(folder, it, write_h5, write_csd)
    assert len(form.read(folder).item) == len(it.items)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("reader", READERS)
def test_what_one_reader_checks_all_check(
    reader: str, check: str, tmp_path: Path, write_h5: Callable, write_csd: Callable
) -> None:
    form, (spoil, words) = READERS[reader], CHECKS[check]
    if check in form.cannot:
        assert form.cannot[check]
        return
    folder = tmp_path / reader.split(maxsplit=1)[0]
    folder.mkdir()
    it = content(form)
    spoil(it, form.many) if check == "too many" else spoil(it)
    form.write(folder, it, write_h5, write_csd)
    with pytest.raises(ValueError, match=r".") as caught:
        form.read(folder)
    text = str(caught.value)
    assert re.search(words, text), text
    assert "\n" not in text
    assert folder.name in text or "mosi" in text, f"the file is not named: {text}"
    assert re.search(r"[.] [A-Z][a-z]+ \w+", text), f"no remedy: {text}"


@pytest.mark.parametrize("reader", ["mosi X and y", "mosi pickle of splits", "mmmo .h5", "youtube .h5"])
def test_as_many_items_as_the_corpus_has_are_read_where_no_video_is_named(
    reader: str, tmp_path: Path, write_h5: Callable[..., None], write_csd: Callable[..., None]
) -> None:
    form = READERS[reader]
    it = content(form)
    it.without_ids = FOLDS
    most = 2199 if reader.startswith("mosi") else form.many - 1
    too_many(it, most)
    it.items = it.items[-most:]
    form.write(tmp_path, it, write_h5, write_csd)
    assert len(form.read(tmp_path).item) == most


def test_a_split_without_ids_is_read_and_the_source_says_what_is_not_seen(tmp_path: Path) -> None:
    it = content(READERS["mosi pickle of splits"])
    ids_of_one_split_missing(it)
    write_splits(tmp_path, it, lambda: None, lambda: None)
    data = regression.mosi(tmp_path)
    assert "no ids in test, so each segment stands as a video of its own and a shared video is not seen" in data.source
    assert data.group[-1] == "test-0003"
