"""A function of one run as an objective: the shortest way from a model to a study."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Collection, Generator, Mapping
from functools import partial
from typing import Any

import numpy as np

from orchestrator.objectives import random_states
from orchestrator.objectives.reporting_function import epochs_of
from orchestrator.process.source_hash import code_sha256
from orchestrator.process.value_hash import value_sha256
from orchestrator.study.objective import PlainEpoch, PlainOutcome, State
from orchestrator.study.params import require_known
from orchestrator.study.runs import Pack, Run

ARGUMENTS = (
    "params",
    "seed",
    "epochs",
    "split",
    "fold",
    "phase",
    "state",
    "data",
    "report",
    "report_items",
    "keep_weights",
    "run_id",
)
HOW = "a function of one run yields its metrics after every epoch, and returns those of the test items"


class FunctionObjective:
    """Trains the runs of a pack by calls of one function, in turn an epoch each.

    >>> def halving(params, seed, epochs):
    ...     loss = 1.0
    ...     for _ in range(epochs):
    ...         loss -= params["lr"] * loss
    ...         yield {"valid_loss": loss}
    ...     return {"test_loss": loss + 0.001 * (seed % 3)}
    >>> halving.code_sha256 = "1"  # typed, not in a file, whose hash would say which runs are of the same code
    >>> check_objective(study, FunctionObjective(halving))

    A function that has an argument `report` calls `report(metrics)` after every epoch instead of yielding, from a
    callback of a framework for instance. One that does neither is a run of one epoch; it returns the metrics of both.
    The global generators of random numbers (of Python, NumPy, and PyTorch where it is loaded) are seeded with `seed`,
    and every run has them to itself.

    Args:
        function: what trains one run. It is given what it has arguments for: `params` (every hyperparameter by name),
            `seed`, `epochs`, `split` and `fold` (of the data; None: no fold), `phase` ("search", "rerank", "confirm"),
            `run_id`, `data`, `report_items(item=..., group=..., target=..., y=..., prediction=...)` for the predictions
            of the test items, `keep_weights(mapping of names to arrays or tensors)` for what `Result.best` hands back
            (the last ones count, of confirm runs alone), `report`, and `state`: what it has yielded as the second of
            two values, `yield metrics, state` (or `report(metrics, state)`), when it was cut off; None at the
            beginning. A state is a mapping of names to arrays and plain values.
        data: handed to the function as it is; it travels to every node once.
        data_sha256: a name or hash of the data; None: its hash, where it is made of plain values and arrays.

    Raises:
        ValueError: the function has an argument that is not known, or lacks `params`; or data of another kind has no
            name.
    """

    def __init__(self, function: Callable[..., Any], *, data: Any = None, data_sha256: str | None = None) -> None:
        self.function, self.data = function, data
        self.names = _arguments_of(function, has_data=data is not None)
        self.code_sha256 = code_sha256(function)
        self.data_sha256 = data_sha256 or ("none" if data is None else value_sha256(data))

    def describe(self) -> Mapping[str, str]:
        """Facts about this process; a function does not say what it computes on."""
        return {"device": "cpu", "python": platform.python_version(), "numpy": np.__version__}

    def train(self, pack: Pack, state: State | None = None) -> Generator[PlainEpoch, Collection[str] | None, Any]:
        """See `Objective.train`.

        Raises:
            ValueError: the function yields what is no metrics, or its runs are of unequal length.
        """
        trainings = {run.run_id: _Training(self, run, pack, _of_run(state, run.run_id)) for run in pack}
        going = list(trainings)
        while True:
            over = [run_id for run_id in going if not trainings[run_id].advance()]
            if over and len(over) < len(going):
                raise ValueError(
                    f"runs of one pack must have the same number of epochs; {over} ended before the others"
                )
            if over:
                return {run_id: trainings[run_id].outcome() for run_id in going}
            kept = yield PlainEpoch(
                metrics={run_id: trainings[run_id].metrics for run_id in going},
                state=partial(_joined, {run_id: trainings[run_id].state for run_id in going}),
            )
            for run_id in [] if kept is None else [i for i in going if i not in kept]:
                trainings[run_id].close()
                going.remove(run_id)

    def call(self, run: Run, pack: Pack, state: State | None, told: Mapping[str, Callable[..., None]]) -> Any:
        """The function's answer for a run: a generator, or what it returns. `told`: what it may call, by name."""
        known = {
            "params": dict(run.params), "seed": run.seed, "epochs": pack.epochs, "split": run.split, "fold": run.fold,
            "phase": pack.phase, "state": state, "data": self.data, "run_id": run.run_id, **told,
        }  # fmt: skip
        given = {name: known[name] for name in self.names if name != "report"}
        if "report" not in self.names:
            return self.function(**given)
        return epochs_of(lambda report: self.function(**given, report=report))


class _Training:
    """One run: its generator, what it said last, and what it returned."""

    def __init__(self, objective: FunctionObjective, run: Run, pack: Pack, state: State | None) -> None:
        known: State = {_EPOCHS: 0, _LAST: {}} if state is None else state
        self._num_epochs, self.metrics = int(known[_EPOCHS]), known[_LAST]
        self.state: State = {}
        self._pack, self._items = pack, None
        self._weights: Mapping[str, Any] | None = None
        own = None if state is None else {name: value for name, value in state.items() if not _is_ours(name)}
        told = {"report_items": self._report_items, "keep_weights": self._keep_weights}
        random_states.start(run.seed)
        if (kept := random_states.of_plain(known)) is not None:
            random_states.put(kept)
        self._answer = objective.call(run, pack, own, told)
        self._random = random_states.take()
        self._returned: Any = None

    def advance(self) -> bool:
        """Trains for an epoch; returns whether there was one."""
        random_states.put(self._random)
        try:
            return self._advance()
        finally:
            self._random = random_states.take()

    def _advance(self) -> bool:
        if not inspect.isgenerator(self._answer):
            return self._return_at_once()
        try:
            said = next(self._answer)
        except StopIteration as stop:
            self._returned = stop.value
            return False
        metrics, state = said if isinstance(said, tuple) and len(said) == 2 else (said, {})
        if not isinstance(metrics, Mapping):
            raise ValueError(f"{HOW}: yield a mapping of names to numbers; got {type(metrics).__name__} {metrics!r}")
        self._num_epochs += 1
        self.metrics, self.state = metrics, {}
        if state:
            last = {name: float(value) for name, value in metrics.items()}
            drawn = random_states.plain(random_states.take())
            self.state = {**state, **drawn, _EPOCHS: self._num_epochs, _LAST: last}
        return True

    def _return_at_once(self) -> bool:
        if self._num_epochs:
            return False
        if not isinstance(self._answer, Mapping):
            raise ValueError(f"{HOW}; this one gave {type(self._answer).__name__} {self._answer!r}")
        self._returned, self._num_epochs = self._answer, 1
        self.metrics = {name: value for name, value in self._answer.items() if not name.startswith("test_")}
        return True

    def outcome(self) -> PlainOutcome:
        """What counts is the state at the end; the test items are looked at in confirm runs only."""
        returned = {} if self._returned is None else self._returned
        if not isinstance(returned, Mapping):
            raise ValueError(f"{HOW}: return a mapping of names to numbers; got {type(returned).__name__}")
        is_tested = self._pack.phase == "confirm"
        metrics = {n: v for n, v in {**self.metrics, **returned}.items() if is_tested or not n.startswith("test_")}
        items, weights = (self._items, self._weights) if is_tested else (None, None)
        return PlainOutcome(best_epoch=self._num_epochs, metrics=metrics, items=items, weights=weights)

    def close(self) -> None:
        """Ends a run that is given up."""
        if inspect.isgenerator(self._answer):
            self._answer.close()

    def _keep_weights(self, weights: Mapping[str, Any]) -> None:
        self._weights = {name: _array(value) for name, value in weights.items()}

    def _report_items(self, **columns: Any) -> None:
        self._items = columns


def _array(value: Any) -> np.ndarray:
    """Of an array, or of a tensor of PyTorch wherever it lies."""
    return value.detach().cpu().numpy().copy() if hasattr(value, "detach") else np.array(value)


# What is kept beside a run's own state: the function may be cut off after its last epoch.
_EPOCHS, _LAST = "epochs trained", "metrics of the last"


def _is_ours(name: str) -> bool:
    return name in (_EPOCHS, _LAST) or name.startswith(random_states.PREFIX)


def _of_run(state: State | None, run_id: str) -> State | None:
    """A run's part of a pack's state."""
    own = {name.partition("/")[2]: v for name, v in (state or {}).items() if name.partition("/")[0] == run_id}
    return own or None


def _joined(states: Mapping[str, State]) -> State:
    """The state of a pack; empty where a run has none, for then the pack begins again."""
    if not all(states.values()):
        return {}
    return {f"{run_id}/{name}": value for run_id, own in states.items() for name, value in own.items()}


def _arguments_of(function: Callable[..., Any], *, has_data: bool) -> list[str]:
    """The arguments that the function is given; a default of its own stands where there is no data."""
    names = []
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind is argument.VAR_KEYWORD:
            return [known for known in ARGUMENTS if known != "report"]
        if name == "data" and not has_data and argument.default is not argument.empty:
            continue
        if name in ARGUMENTS:
            names.append(name)
        elif argument.default is argument.empty:
            require_known("argument", name, ARGUMENTS, where=f" of {getattr(function, '__qualname__', function)}")
    if "params" not in names:
        raise ValueError(f"a function of one run needs the argument params, its hyperparameters; got {names}")
    return names
