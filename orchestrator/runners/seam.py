"""What an objective hands over, checked by value where it is trained: nothing else leaves a worker.

A value that cannot be stored fails its run with one line that says what must hold. What a worker sends on are plain
values of this package's own classes: text, whole numbers, floats and arrays of numbers.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from orchestrator.ledger.schema import EVALUATION_COLUMNS, ITEM_COLUMNS
from orchestrator.study.objective import Epoch, Objective, PlainOutcome, State, Training
from orchestrator.study.params import is_encodable
from orchestrator.study.runs import Pack

LARGEST_ITEM = 8  # bytes of a number
TEXT_COLUMNS = ("item", "group", "target", "condition", "modality", "metric")  # of items and evaluations
NOTHING_YIELDED = "train must yield after every epoch, at least once; it returned before the first yield"


class SeamError(ValueError):
    """An objective has handed over what it cannot; the message says what must hold."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """In place of an outcome: why it cannot be stored."""

    error: str


def description(objective: Objective) -> tuple[str, dict[str, str]]:
    """The device, and the versions by name, as text."""
    described = objective.describe()
    if not isinstance(described, Mapping):
        raise SeamError(f"describe() must return a mapping of names to text; got {_kind(described)}")
    plain = {str(name): _text(value, f"describe()[{name!r}]") for name, value in described.items()}
    return plain.pop("device", ""), plain


def training(objective: Objective, pack: Pack, state: State | None) -> Training:
    """The objective's generator."""
    begun = objective.train(pack, state)
    if not isinstance(begun, Generator):
        raise SeamError(f"train must be a generator that yields after every epoch; it returned {_kind(begun)}")
    return begun


def metrics_of(epoch: Epoch, *, number: int, pack: Pack, going: Collection[str]) -> dict[str, dict[str, float]]:
    """An epoch's metrics by run, as floats.

    Args:
        number: of the epoch, from 1.
        going: the runs that must be among them.
    """
    by_run = getattr(epoch, "metrics", None)
    if not isinstance(by_run, Mapping) or not all(isinstance(own, Mapping) for own in by_run.values()):
        raise SeamError(
            f"an epoch must have metrics, a mapping by run id, then by name; got {_kind(epoch)}: {by_run!r}"
        )
    if number > pack.epochs:
        raise SeamError(f"train must yield once an epoch, {pack.epochs} times at the most; it yielded epoch {number}")
    if missing := sorted(set(going) - set(by_run)):
        raise SeamError(
            f"every epoch must have metrics for each run that goes on, by its run_id; epoch {number} lacks {missing}, "
            f"and has {sorted(map(str, by_run))[:4]}"
        )
    known = {run.run_id for run in pack}
    return {run: _numbers(own, f"epoch {number}") for run, own in by_run.items() if run in known}


def outcomes_of(returned: Any, going: Collection[str], *, num_epochs: int) -> dict[str, PlainOutcome | Refused]:
    """What a training returned, by run, for those that went on to its end."""
    if not isinstance(returned, Mapping):
        raise SeamError(f"train must return the outcomes, a mapping by run id; it returned {_kind(returned)}")
    return {run: _outcome_or_refusal(returned, run, num_epochs) for run in going}


def state_of(epoch: Epoch) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What training needs to go on after an epoch: plain values that JSON has, and arrays of numbers, by name."""
    try:
        state = getattr(epoch, "state", dict)()
        if not isinstance(state, Mapping):
            raise SeamError(f"a state must be a mapping of names to arrays and plain values; got {_kind(state)}")
        for name in state:
            _require_name(name, "a state")
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        for name, value in arrays.items():
            _require_numbers(value, f"state[{name!r}]")
        return {name: _plain(v, f"state[{name!r}]") for name, v in state.items() if name not in arrays}, arrays
    except SeamError:
        raise
    except Exception as error:
        raise SeamError(
            f"a state must be a callable that gives arrays and plain values; it failed: {_of(error)}"
        ) from error


def _outcome_or_refusal(returned: Mapping[str, Any], run: str, num_epochs: int) -> PlainOutcome | Refused:
    try:
        return _outcome(returned, run, num_epochs)
    except SeamError as error:
        return Refused(error=str(error))
    except Exception as error:  # of the objective's own classes, or of a conversion
        return Refused(error=f"an outcome must be of plain numbers and arrays; reading it failed: {_of(error)}")


def _outcome(returned: Mapping[str, Any], run: str, num_epochs: int) -> PlainOutcome:
    outcome = returned.get(run)
    if outcome is None:
        have = sorted(map(str, returned))[:4]
        raise SeamError(f"train must return an outcome for each run, by its run_id; it lacks {run}, and has {have}")
    if not (hasattr(outcome, "best_epoch") and hasattr(outcome, "metrics")):
        raise SeamError(f"an outcome must have best_epoch and metrics, as PlainOutcome has; got {_kind(outcome)}")
    best = outcome.best_epoch
    if isinstance(best, bool) or not isinstance(best, int | np.integer) or not 1 <= best <= num_epochs:
        raise SeamError(f"best_epoch must be a whole number from 1 to {num_epochs}, the epochs trained; got {best!r}")
    if not isinstance(outcome.metrics, Mapping):
        raise SeamError(f"an outcome's metrics must be a mapping by name; got {_kind(outcome.metrics)}")
    return PlainOutcome(
        best_epoch=int(best),
        metrics=_numbers(outcome.metrics, "the outcome"),
        items=_columns("items", getattr(outcome, "items", None), ITEM_COLUMNS),
        evaluations=_columns("evaluations", getattr(outcome, "evaluations", None), EVALUATION_COLUMNS),
        weights=_weights(getattr(outcome, "weights", None)),
    )


def _numbers(metrics: Mapping[str, Any], where: str) -> dict[str, float]:
    return {str(name): _number(value, f"metric {name!r} of {where}") for name, value in metrics.items()}


def _number(value: Any, what: str) -> float:
    """A number as a float: Python's, NumPy's, or whatever has the shape () and says what it is as a float."""
    is_scalar = getattr(value, "shape", None) == () and not isinstance(value, np.ndarray | np.generic)
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, numbers.Real | np.bool_) or is_scalar:
        try:
            return float(value)
        except (OverflowError, TypeError, ValueError, RuntimeError) as error:
            raise SeamError(
                f"{what} must be a number that a float can hold; got {_kind(value)}: {_of(error)}"
            ) from error
    raise SeamError(f"{what} must be a number; got {_kind(value)}: {_short(value)}")


def _text(value: Any, what: str) -> str:
    if isinstance(value, Enum):
        value = value.name
    if isinstance(value, str | bytes | numbers.Number | np.generic):
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        return text.encode(errors="backslashreplace").decode()  # half of a surrogate pair is spelt out
    raise SeamError(f"{what} must be text or a number; got {_kind(value)}: {_short(value)}")


def _columns(table: str, columns: Any, names: tuple[str, ...]) -> dict[str, np.ndarray] | None:
    """Whole columns of one length; names of items become text, all else numbers."""
    if columns is None:
        return None
    if not isinstance(columns, Mapping) or set(columns) != set(names):
        have = list(columns) if isinstance(columns, Mapping) else _kind(columns)
        raise SeamError(f"{table} must be the columns {', '.join(names)}; got {have}")
    shapes = {name: np.shape(columns[name]) for name in names}
    if len(set(shapes.values())) != 1 or len(shapes[names[0]]) != 1:
        raise SeamError(f"the columns of {table} must have one value a row, and one length; got the shapes {shapes}")
    return {name: _column(columns[name], f"column {name!r} of {table}", name in TEXT_COLUMNS) for name in names}


def _column(values: Any, what: str, is_text: bool) -> np.ndarray:
    array = np.ma.filled(values.astype(float), np.nan) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    if is_text:
        known = [_text(value, what) for value in values]
        return np.array(known, dtype=object)
    if array.dtype.kind not in "biuf":
        raise SeamError(f"{what} must be numbers; got {array.dtype}: {_short(values)}")
    return array.astype(float)


def _weights(weights: Any) -> dict[str, np.ndarray] | None:
    if weights is None:
        return None
    if not isinstance(weights, Mapping):
        raise SeamError(f"weights must be a mapping of names to arrays of numbers; got {_kind(weights)}")
    for name in weights:
        _require_name(name, "weights")
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    for name, value in arrays.items():
        _require_numbers(value, f"weights[{name!r}]")
    return arrays


def _require_name(name: Any, what: str) -> None:
    """Raises a SeamError unless a file of arrays can hold the name."""
    if not isinstance(name, str) or name == "__metadata__" or not is_encodable(name):
        raise SeamError(f"the names of {what} must be text, and not '__metadata__'; got {_short(name)}")


def _require_numbers(array: np.ndarray, what: str) -> None:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > LARGEST_ITEM:
        raise SeamError(f"{what} must be an array of numbers of at most 64 bits; got the type {array.dtype}")


def _plain(value: Any, what: str) -> Any:
    """A value that JSON gives back as it was; NumPy's numbers become Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one, what) for one in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _plain(one, what) for name, one in value.items()}
    raise SeamError(f"{what} must be an array of numbers, or plain: text, numbers, lists; got {_kind(value)}")


def _of(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _kind(value: Any) -> str:
    return "nothing (None)" if value is None else type(value).__name__


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
