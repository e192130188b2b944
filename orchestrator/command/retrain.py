"""Training finished runs again, from what its results folder says alone."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.runners.study_script import Found, looking_for
from orchestrator.storage import weights
from orchestrator.study.objective import Objective, Outcome
from orchestrator.study.runs import Pack, Run


def retrain(study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Outcome]:
    """What runs of one pack give when they are trained once more, together and in this process; by run id.

    Args:
        study: the contents of `study.json`; the script that it names is run again, up to its call of `run`.
        rows: theirs; those that were pruned leave the pack when they did.

    Raises:
        ValueError: the script is not there, or gives other data or code than the runs were trained with.
    """
    found = _found(study["program"], study["study"])
    for name in ("data_sha256", "code_sha256"):
        if any(getattr(found.fingerprint, name) != row[name] for row in rows):
            raise ValueError(f"the run was trained with another {name.removesuffix('_sha256')} than is there now")
    epochs = max(row["epochs"] for row in rows)
    pack = Pack(pack_id="again", runs=tuple(_run(found.study.params, row, epochs=epochs) for row in rows))
    return dict(_train(found.objective, pack, {row["run_id"]: row["epochs"] for row in rows}))


def _found(program: Mapping[str, Any], name: str) -> Found:
    """Runs the script as it was run, up to its call of `run`.

    Its folder stays among the places of modules: training may import more.
    """
    if not program:
        raise ValueError("runs can be trained again where a script has made the study; this one came of a notebook")
    path, module = Path(program["script"]), program.get("module")
    if not path.is_file():
        raise ValueError(f"the study's script must be there to train a run again; {path} is not")
    words, sys.argv = sys.argv, [str(path), *program["arguments"]]
    sys.path.insert(0, program["folder"] if module else str(path.parent))
    try:
        with looking_for(name, program.get("results", "")):
            if module:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(str(path), run_name="__main__")
    except Found as found:
        return found
    except SystemExit:
        pass
    finally:
        sys.argv = words
    raise ValueError(f"{path} must run the study {name!r} again as it did before; it ended without it")


def save_weights(outcome: Outcome, path: Path) -> None:
    """Writes the parameters of a run (safetensors)."""
    path.write_bytes(weights.pack(outcome.weights or {}))


def deviation(outcome: Outcome, row: Mapping[str, Any]) -> float:
    """The largest difference of a metric to what the row says; infinite, if one is missing."""
    known = {name: row.get(f"metric:{name}") for name in outcome.metrics}
    if None in known.values():
        return np.inf
    return max(abs(value - float(known[name] or 0)) for name, value in outcome.metrics.items())


def _run(base: Mapping[str, Any], row: Mapping[str, Any], *, epochs: int) -> Run:
    return Run(
        run_id=row["run_id"],
        arm=row["arm"],
        phase=row["phase"],
        search=row["search"],
        config_id=row["config_id"],
        params={param: _known(row[f"param:{param}"], default) for param, default in base.items()},
        seed=row["seed"],
        split=row["split"],
        fold=row["fold"],
        epochs=epochs,
        retry=row["retry"],
    )


def _known(value: Any, default: Any) -> Any:
    """A hyperparameter without a meaning is null in the row; any value of it will do."""
    return default if value is None else value


def _train(objective: Objective, pack: Pack, last_epoch: Mapping[str, int]) -> Mapping[str, Outcome]:
    """Trains a pack whose runs leave it when they did."""
    training = objective.train(pack)
    try:
        next(training)
        for epoch in count(1):
            training.send({run_id for run_id, last in last_epoch.items() if last >= min(epoch + 1, pack.epochs)})
    except StopIteration as stop:
        return stop.value
    raise AssertionError("unreachable: training ends")
