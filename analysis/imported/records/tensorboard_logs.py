"""TensorBoard's event files, read with the package `tensorboard`.

A run is a folder of event files; its arm and seed are its hyperparameters (`add_hparams`), or parts of its name:
`full/seed_3`, `full-s3`. The files do not say whether a run has ended, and of a damaged one what comes after the damage
is lost in silence. Seen with tensorboard 2.21.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.imported.records.record_builder import Builder
from analysis.imported.records.recorded import UNFINISHED, UNKNOWN, Recorded

PATTERN = "*tfevents*"
HPARAMS = re.compile(r"\d{9,}\.\d+")  # the folder that add_hparams makes inside that of a run
SEED = re.compile(r"^(?P<arm>.*?)[-_/. ]*(?:seed|s|run|rep)[-_=]?(?P<seed>\d+)$", re.IGNORECASE)


def is_folder(address: str) -> bool:
    """Whether event files lie below an address."""
    return Path(address).is_dir() and any(Path(address).rglob(PATTERN))


def read(address: str) -> Recorded:
    """Reads all runs below a folder.

    Raises:
        ValueError: the package tensorboard is not installed.
    """
    root, builder = Path(address), Builder()
    every = sorted(root.rglob(PATTERN), key=lambda path: path.name)  # names begin with the time of their start
    holding = {path.parent for path in every}
    found: dict[Path, list[Path]] = {}
    for path in every:
        found.setdefault(_run_of(path.parent, holding), []).append(path)
    for folder, paths in sorted(found.items()):
        name = folder.relative_to(root).as_posix()
        params, values = _of(folder, paths)
        builder.run(name, UNKNOWN if values else UNFINISHED, {"run_name": name, **_named(name), **params})
        for metric, step, _, value in sorted(values, key=lambda one: one[:3]):  # the later of two values counts
            builder.score(name, step, metric, value)
    return builder.recorded("TensorBoard logs", has_end=False)


def _run_of(folder: Path, holding: set[Path]) -> Path:
    """The outermost folder with event files: add_hparams and add_scalars make further ones inside that of a run."""
    outer = [above for above in folder.parents if above in holding]
    if outer:
        return outer[-1]
    return folder.parent if HPARAMS.fullmatch(folder.name) else folder


def _tag(tag: str, folder: Path, inside: Path) -> str:
    """The name of a metric: add_scalars has the last part of it in the name of a folder."""
    within = inside.relative_to(folder).as_posix()
    return (
        tag if within == "." or HPARAMS.fullmatch(within) else within if within.startswith(tag) else f"{within}/{tag}"
    )


def _named(name: str) -> dict[str, Any]:
    match = SEED.match(name)
    return {"arm": match["arm"].strip("/"), "seed": int(match["seed"])} if match and match["arm"] else {}


def _of(folder: Path, paths: list[Path]) -> tuple[dict[str, Any], list[tuple[str, int, float, float]]]:
    """Hyperparameters, and (metric, step, time, value) of every scalar."""
    try:
        from tensorboard.plugins.hparams import plugin_data_pb2
        from tensorboard.util import tensor_util

        read_hparams = getattr(plugin_data_pb2, "HParamsPluginData").FromString  # noqa: B009 - made when it is imported
    except ImportError as error:
        raise ValueError(
            "to read event files takes the package tensorboard; it is not installed here: pip install tensorboard"
        ) from error
    params: dict[str, Any] = {}
    values = []
    events = [(file.parent, event) for file in paths for event in _events(file)]
    for inside, event in events:
        for one in event.summary.value:
            name, data = _tag(one.tag, folder, inside), one.metadata.plugin_data
            if data.plugin_name == "hparams":
                start = read_hparams(data.content).session_start_info
                params |= {key: _kind(value) for key, value in start.hparams.items()}
            elif one.HasField("simple_value"):
                values.append((name, event.step, event.wall_time, one.simple_value))
            elif one.HasField("tensor"):  # as the writer of TensorFlow 2 has it
                array = tensor_util.make_ndarray(one.tensor)
                if array.size == 1 and array.dtype.kind in "fiu":
                    values.append((name, event.step, event.wall_time, array.item()))
    return params, values


def _events(path: Path) -> Iterator[Any]:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    events = LegacyEventFileLoader(str(path)).Load()
    while True:
        try:
            yield next(events)
        except StopIteration:
            return
        except Exception:
            return


def _kind(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind else None
