"""What a study leaves for the eye: generated items of the first confirm run of its reference arm, from its weights.

RESULTS/generated/<run_id>.parquet, one row an array: its name, its shape and its values. The report draws them, so that
it needs no PyTorch. Names are <modality>/<what>:

observed, reconstructed  test items and what the model makes of them
from_others              what it makes of them without having seen this modality
style, exchanged         other test items; every F_y of the observed with every F_a of these
restyled                 F_y of the observed, F_a of codes drawn from the prior
sampled                  all codes drawn from the prior
present                  of a sequence: which steps hold data
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mfm.fingerprint import code_sha256
from orchestrator.storage.results_folder import Folder
from studies.mfm_study.question import Question

if TYPE_CHECKING:
    import pandas as pd

    from mfm.evaluation.generation import Trained

ITEMS, STYLES, SAMPLES = 8, 8, 40
SEED = 0


def leave(question: Question, folder: Folder) -> None:
    """Writes what the first confirm run of the reference generates; nothing where there is no such run yet."""
    from analysis.results.load import load  # pandas and torch are needed at the end only

    results = load(folder.root)
    runs = results.of(question.reference, results.confirm)
    # Weights are of a run itself, not of a row that was copied, and mean something to the code that made them.
    own = (runs["status"] == "completed") & runs["reused_from"].isna() & (runs["code_sha256"] == code_sha256())
    runs = runs[own].sort_values(["split", "seed"])
    if runs.empty:
        return
    run = runs.iloc[0]
    path = folder.root / "generated" / f"{run['run_id']}.parquet"
    folder.fetch(path, folder.model(run["run_id"]))
    if not path.exists() and folder.model(run["run_id"]).exists():
        folder.write(path, _packed(_arrays(question, _trained(question, run, folder), split=int(run["split"]))))


def _trained(question: Question, run: pd.Series, folder: Folder) -> Trained:
    import safetensors.numpy

    from mfm.evaluation.generation import trained
    from mfm.params.config import Config, base

    names = question.dataset.modality_names
    known = base(names, **question.params)
    row = {param: run[f"param:{param}"] for param in known}
    # A hyperparameter without a meaning is null in the row; any value of it will do.
    params = {param: type(default)(row[param]) if row[param] == row[param] and row[param] is not None else default
             for param, default in known.items()}  # fmt: skip
    return trained(
        question.dataset,
        Config.from_params(params, names),
        fold=question.folds.of(question.dataset, int(run["split"])),
        weights=safetensors.numpy.load_file(folder.model(run["run_id"])),
    )


def _arrays(question: Question, of: Trained, *, split: int) -> dict[str, np.ndarray]:
    from mfm.evaluation import generation

    test = np.flatnonzero(question.folds.of(question.dataset, split) == "test")
    items, style = _items(question, test), test[-STYLES:]
    found = {
        "observed": generation.observed(of, items),
        "present": generation.present(of, items),
        "reconstructed": generation.reconstructed(of, items),
        "style": generation.observed(of, style),
        "exchanged": generation.exchanged(of, content=items, style=style),
        "restyled": generation.restyled(of, items, num=STYLES, seed=SEED),
        "sampled": generation.sampled(of, num=SAMPLES, seed=SEED),
    }
    arrays = {f"{m}/{what}": values for what, by in found.items() for m, values in by.items()}
    names = list(of.shape.num_features)
    for m in names if len(names) > 1 else ():
        arrays[f"{m}/from_others"] = generation.reconstructed(of, items, without=[m])[m]
    return arrays


def _items(question: Question, test: np.ndarray) -> np.ndarray:
    """The first test item of every class, in order; the first items, where there are no classes."""
    if question.dataset.task.kind != "classification":
        return test[:ITEMS]
    target = question.dataset.target[test]
    return np.array([test[target == label][0] for label in np.unique(target)])


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "name": pa.array(list(arrays), pa.string()),
            "shape": pa.array([list(a.shape) for a in arrays.values()], pa.list_(pa.int64())),
            "values": pa.array([a.ravel().astype(np.float32) for a in arrays.values()], pa.list_(pa.float32())),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
