"""The seam between a study and a model: one method, met by shape. A model imports nothing of this package.

A state is a flat mapping of names to arrays and plain values, so that a checkpoint never needs pickle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from orchestrator.study.runs import Pack

State = Mapping[str, Any]


class Epoch(Protocol):
    """What an epoch gave: of every run of a pack that goes on.

    >>> epoch: Epoch = PlainEpoch(metrics={"a run's id": {"valid_loss": 0.5}})
    """

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """By run id: the metrics of this epoch."""
        ...

    @property
    def state(self) -> Callable[[], State]:
        """What training needs to go on after this epoch."""
        ...

    @property
    def memory(self) -> float | None:
        """How much of the GPU's memory this process has needed so far, from 0 to 1; None: it is on no GPU."""
        ...


class Outcome(Protocol):
    """What a run left behind at its end.

    >>> outcome: Outcome = PlainOutcome(best_epoch=3, metrics={"valid_loss": 0.5, "test_loss": 0.6})
    """

    @property
    def best_epoch(self) -> int:
        """The epoch whose parameters count."""
        ...

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the best epoch, those of the test items included (confirm runs only)."""
        ...

    @property
    def items(self) -> Mapping[str, np.ndarray] | None:
        """Test predictions as columns item, group, target, y, prediction; None where there are none."""
        ...

    @property
    def evaluations(self) -> Mapping[str, np.ndarray] | None:
        """Test scores under other conditions, as columns condition, modality, level, metric, value; None: none."""
        ...

    @property
    def weights(self) -> Mapping[str, np.ndarray] | None:
        """Parameters by name; None: not to be kept."""
        ...


Training = Generator[Epoch, Collection[str] | None, Mapping[str, Outcome]]


class Objective(Protocol):
    """What trains packs. It is sent to the workers, so that it must pickle; big arrays travel once per node.

    It may have a text `code_sha256`, a hash of the code that makes the numbers: runs of other code are other runs.
    Without, the sources of its module and of what that imports from its project are hashed.

    >>> class Parabola:
    ...     data_sha256 = "none"
    ...
    ...     def describe(self):
    ...         return {"device": "cpu"}
    ...
    ...     def train(self, pack, state=None):
    ...         loss = {run.run_id: (run.params["lr"] - 0.03) ** 2 for run in pack}
    ...         yield PlainEpoch(metrics={run_id: {"valid_loss": value} for run_id, value in loss.items()})
    ...         return {
    ...             run_id: PlainOutcome(best_epoch=1, metrics={"valid_loss": value, "test_loss": value})
    ...             for run_id, value in loss.items()
    ...         }
    >>> short = Study(
    ...     name="parabola",
    ...     params={"lr": 0.01},
    ...     arms={"full": {}, "slow": {"lr": 0.001}},
    ...     minimise=("valid_loss", "test_loss"),
    ...     smallest_effect=0.01,
    ...     trials=0,
    ...     seeds=2,
    ...     epochs=1,
    ... )
    >>> check_objective(short, Parabola())
    """

    @property
    def data_sha256(self) -> str:
        """A hash of the data: runs on other data are other runs."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Facts about this process for the rows: "device", and versions of packages by name."""
        ...

    def train(self, pack: Pack, state: State | None = None) -> Training:
        """Trains a pack, as a generator over epochs.

        After each epoch it is sent the ids of the runs that go on; it may stop training the others (or ignore it).
        It returns the outcomes of the runs that went on to the end.

        Args:
            state: of an earlier epoch of the same pack, to go on after it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PlainEpoch:
    """An `Epoch` as a value, for objectives that have no class of their own.

    >>> PlainEpoch(metrics={"a run's id": {"valid_loss": 0.5}}, state=lambda: {"weights": np.zeros(3)}).state()
    {'weights': array([0., 0., 0.])}

    Args:
        metrics: by run id, the metrics of this epoch.
        state: what training needs to go on after this epoch; by default nothing is kept, and a pack begins again.
        memory: share of the GPU's memory that this process has needed so far, from 0 to 1; None: it is on no GPU.
    """

    metrics: Mapping[str, Mapping[str, float]]
    state: Callable[[], State] = dict
    memory: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlainOutcome:
    """An `Outcome` as a value.

    >>> items = {"item": ["a", "b"], "group": ["v", "v"], "target": ["", ""], "y": [1.0, 0.0], "prediction": [0.8, 0.1]}
    >>> PlainOutcome(best_epoch=3, metrics={"valid_loss": 0.5, "test_loss": 0.15}, items=items).best_epoch
    3

    Args:
        best_epoch: whose parameters count, from 1.
        metrics: of that epoch; of confirm runs those of the test items too.
        items: columns item, group, target, y, prediction of the test items; None: none.
        weights: parameters by name; None: not to be kept.
        evaluations: columns condition, modality, level, metric, value: scores under other conditions; None: none.
    """

    best_epoch: int
    metrics: Mapping[str, float]
    items: Mapping[str, np.ndarray] | None = None
    weights: Mapping[str, np.ndarray] | None = None
    evaluations: Mapping[str, np.ndarray] | None = None
