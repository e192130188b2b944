"""Training a finished run again, from what its results folder says alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import safetensors.numpy

from orchestrator.cli import Script
from orchestrator.objective import Outcome
from orchestrator.study import Pack, Run


def retrain(study: Mapping[str, Any], row: Mapping[str, Any], *, weights: Path | None = None) -> dict[str, float]:
    """The metrics of a run that is trained once more, alone and in this process.

    Args:
        study: the contents of `study.json`; the script that it names must have a `SCRIPT`.
        row: the run's row.
        weights: a file to write its parameters to.

    Raises:
        ValueError: the script is not there, or gives other data or code than the run was trained with.
    """
    program = study["program"]
    script: Script = _load(Path(program["script"])).SCRIPT
    prepared = script.prepare(script.parse(program["arguments"]))
    for name in ("data_sha256", "code_sha256"):
        if getattr(prepared.fingerprint, name) != row[name]:
            raise ValueError(f"the run was trained with another {name.removesuffix('_sha256')} than is there now")
    run = Run(
        run_id=row["run_id"],
        arm=row["arm"],
        phase=row["phase"],
        search=row["search"],
        config_id=row["config_id"],
        knobs={knob: _known(row[f"param:{knob}"], default) for knob, default in prepared.study.base.items()},
        seed=row["seed"],
        split=row["split"],
        epochs=row["epochs"],
        retry=row["retry"],
    )
    outcome = _train(prepared.objective(), Pack(pack_id="again", runs=(run,)))
    if weights is not None and outcome.weights is not None:
        arrays = {name: np.ascontiguousarray(value) for name, value in outcome.weights.items()}
        safetensors.numpy.save_file(arrays, weights)
    return dict(outcome.metrics)


def _known(value: Any, default: Any) -> Any:
    """A knob without a meaning is null in the row; any value of it will do."""
    return default if value is None else value


def _train(objective: Any, pack: Pack) -> Outcome:
    training = objective.train(pack)
    try:
        while True:
            next(training)
    except StopIteration as stop:
        return stop.value[pack.runs[0].run_id]


def _load(script: Path) -> ModuleType:
    if not script.is_file():
        raise ValueError(f"the study's script must be there to train a run again; {script} is not")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
