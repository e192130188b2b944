"""What an objective hands over is checked by value: what cannot be stored is a failed row with one line."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy import Toy, toy_study

from orchestrator.runners.attempt import Attempt
from orchestrator.runners.seam import SeamError
from orchestrator.storage.results_folder import Folder
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Fingerprint, Pack, make_run

COLUMNS = {"item": ["a", "b"], "group": ["g", "g"], "target": ["t", "t"], "y": [0.0, 1.0], "prediction": [1.0, 1.0]}
NOTHING: Mapping[str, Any] = {}


class Kind(enum.Enum):
    NOUN = 1
    VERB = 2


class Handing(Toy):
    """A toy that hands over what it is told to."""

    def __init__(self, *, epoch: Callable = lambda e: e, outcome: Callable = lambda o: o, described: Any = NOTHING):
        super().__init__()
        self._epoch, self._outcome_as, self._described = epoch, outcome, described

    def describe(self):
        return {**super().describe(), **self._described} if isinstance(self._described, dict) else self._described

    def train(self, pack, state=None):
        training = super().train(pack, state)
        try:
            epoch = next(training)
            while True:
                epoch = training.send((yield self._epoch(epoch)))
        except StopIteration as stop:
            return {run: self._outcome_as(outcome) for run, outcome in stop.value.items()}


def outcome(**changes: Any) -> Handing:
    def changed(known: PlainOutcome) -> PlainOutcome:
        values = {"best_epoch": 1, "metrics": {"valid_loss": 0.1, "test_loss": 0.1}, "items": None, **changes}
        return PlainOutcome(**values)

    return Handing(outcome=changed)


def items(**changes: Any) -> Handing:
    return outcome(items={name: np.array(column) for name, column in COLUMNS.items()} | changes)


def metrics(value: Any) -> Handing:
    return Handing(epoch=lambda e: PlainEpoch(metrics={run: {"valid_loss": value} for run in e.metrics}))


class Raising:
    best_epoch = 1

    @property
    def metrics(self):
        raise RuntimeError("not now")


class Silent(Toy):
    def train(self, pack, state=None):
        return {run.run_id: self._outcome(pack, run) for run in pack}
        yield


class NoGenerator(Toy):
    def train(self, pack, state=None):
        return {run.run_id: self._outcome(pack, run) for run in pack}


class Endless(Toy):
    def train(self, pack, state=None):
        while True:
            yield PlainEpoch(metrics={run.run_id: {"valid_loss": 0.1} for run in pack})


class Returning(Toy):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self._value = value

    def train(self, pack, state=None):
        yield PlainEpoch(metrics={run.run_id: {"valid_loss": 0.1} for run in pack})
        return self._value


def first_only(epoch):
    return PlainEpoch(metrics=dict(list(epoch.metrics.items())[1:]))


REFUSED = {
    "a metric is None": (outcome(metrics={"valid_loss": None}), "metric 'valid_loss' of the outcome must be a number"),
    "a metric is text": (outcome(metrics={"test_loss": "0.1"}), "must be a number; got str: '0.1'"),
    "a metric is an array": (outcome(metrics={"test_loss": np.zeros(2)}), "must be a number; got ndarray"),
    "metrics are a list": (outcome(metrics=[0.1]), "an outcome's metrics must be a mapping by name; got list"),
    "best_epoch is None": (outcome(best_epoch=None), "best_epoch must be a whole number from 1 to 6"),
    "best_epoch is beyond the last": (outcome(best_epoch=7), "best_epoch must be a whole number from 1 to 6"),
    "an outcome is a dict": (
        Handing(outcome=lambda o: dict(o.metrics)),
        "an outcome must have best_epoch and metrics, as PlainOutcome has; got dict",
    ),
    "nothing is returned": (Returning(None), "train must return the outcomes, a mapping by run id; it returned noth"),
    "outcomes of others": (Returning({"other": 1}), "train must return an outcome for each run, by its run_id"),
    "an epoch's metric is text": (metrics("low"), "metric 'valid_loss' of epoch 1 must be a number; got str: 'low'"),
    "an epoch's metric is None": (metrics(None), "must be a number; got nothing (None)"),
    "epochs by seed": (
        Handing(epoch=lambda e: PlainEpoch(metrics=dict(enumerate(e.metrics.values())))),
        "every epoch must have metrics for each run that goes on, by its run_id; epoch 1 lacks",
    ),
    "an epoch lacks a run": (Handing(epoch=first_only), "epoch 1 lacks"),
    "an epoch is a dict": (Handing(epoch=lambda e: dict(e.metrics)), "an epoch must have metrics, a mapping by run id"),
    "no yield is reached": (Silent(), "train must yield after every epoch, at least once"),
    "no generator": (NoGenerator(), "train must be a generator that yields after every epoch; it returned dict"),
    "too many epochs": (Endless(), "train must yield once an epoch, 6 times at the most; it yielded epoch 7"),
    "describe() is None": (Handing(described=None), "describe() must return a mapping of names to text; got nothing"),
    "describe() holds a list": (Handing(described={"gpus": [0]}), "describe()['gpus'] must be text or a number"),
    "labels are text": (items(y=np.array(["a", "b"])), "column 'y' of items must be numbers; got <U1"),
    "y has two columns": (items(y=np.zeros((2, 2))), "one value a row, and one length; got the shapes"),
    "an item without a name": (items(item=["a", None]), "column 'item' of items must be text or a number"),
    "a column too few": (outcome(items={"item": ["a"]}), "items must be the columns item, group, target, y, predict"),
    "too few columns of evaluations": (
        outcome(evaluations={"level": [1.0]}),
        "evaluations must be the columns condition, modality, level, metric, value; got ['level']",
    ),
    "weights are objects": (
        outcome(weights={"w": np.array([1, None], dtype=object)}),
        "weights['w'] must be an array of numbers of at most 64 bits; got the type object",
    ),
    "a weight is of 128 bits": (
        outcome(weights={"w": np.zeros(2, np.longdouble)}),
        "weights['w'] must be an array of numbers of at most 64 bits; got the type float128",
    ),
    "a weight has the name of the header": (outcome(weights={"__metadata__": np.zeros(2)}), "not '__metadata__'"),
    "weights that are ragged": (outcome(weights={"w": [[1.0], [1.0, 2.0]]}), "an outcome must be of plain numbers and"),
    "a metric that no float can hold": (outcome(metrics={"valid_loss": 10**400}), "a number that a float can hold"),
    "a property that raises": (Handing(outcome=lambda o: Raising()), "reading it failed: RuntimeError: not now"),
    "weights are a list": (outcome(weights=[1.0]), "weights must be a mapping of names to arrays of numbers"),
}  # fmt: skip


@pytest.mark.parametrize("runner", [{"serial": True}])  # both runners check in the same place
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_stored_is_a_failed_row_that_says_what_must_hold(case, run_study, runs) -> None:
    objective, words = REFUSED[case]
    ended = run_study(toy_study(trials=0, seeds=2, arms=toy_study().arms[:1]), objective)
    rows = runs()
    assert ended.complete
    assert rows.error_kind.eq("bug").sum() >= 1
    assert rows[rows.status == "failed"].error.map(lambda text: words in text and "\n" not in text).all(), rows.error
    assert run_study(toy_study(trials=0, seeds=2, arms=toy_study().arms[:1])).complete  # the mended one goes on


class Leaving(Toy):
    def train(self, pack, state=None):
        yield from ()
        sys.exit("no more")


def test_sys_exit_in_an_objective_ends_its_run_and_not_the_study(run_study, runs) -> None:
    assert run_study(toy_study(trials=0, seeds=2), Leaving()).complete
    assert runs().error.str.endswith("SystemExit: no more\n").all()


ACCEPTED = {
    "NumPy's numbers": outcome(best_epoch=np.int64(3), metrics={"valid_loss": np.float32(), "test_loss": np.ones(())}),
    "whole numbers as items": items(item=np.arange(2), group=np.arange(2) // 2),
    "enums as items": items(item=list(Kind)),
    "a device that is a number": Handing(described={"device": 0}),
    "half a character as the device": Handing(described={"device": "gpu\ud800"}),
    "half a character as an item": items(item=["a\udcff", "b"]),
    "a masked array": items(y=np.ma.masked_array([0.0, 1.0], mask=[True, False])),
    "numbers in describe()": Handing(described={"batch": np.int64(3)}),
    "numbers of NumPy in a state": Handing(
        epoch=lambda e: PlainEpoch(metrics=e.metrics, state=lambda: {**e.state(), "seen": np.int64(3), "all": (1, 2)})
    ),
    "an epoch without a state": Handing(epoch=lambda e: SimpleNamespace(metrics=e.metrics)),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_means_the_same_is_stored_as_text_and_numbers(case, run_study, runs, tmp_path) -> None:
    objective = ACCEPTED[case]
    assert run_study(toy_study(trials=0, seeds=2), objective, checkpoint_seconds=0).complete
    assert (runs().status == "completed").all(), runs().error
    stored = pd.read_parquet(tmp_path / "results" / "items")
    if case == "whole numbers as items":
        assert set(stored.item) == {"0", "1"}
    if case == "enums as items":
        assert set(stored.item) == {"NOUN", "VERB"}
    if case == "a device that is a number":
        assert set(runs().device) == {"0"}


STATES = {
    "an object": (lambda: {"model": object()}, "state['model'] must be an array of numbers, or plain"),
    "numbers as names": (lambda: {1: np.zeros(2)}, "the names of a state must be text"),
    "128 bits": (lambda: {"w": np.zeros(2, np.longdouble)}, "must be an array of numbers of at most 64 bits"),
    "no callable": (3, "a state must be a callable that gives arrays and plain values; it failed: TypeError"),
    "an exception": (lambda: 1 / 0, "it failed: ZeroDivisionError: division by zero"),
    "half a character": (lambda: {"a\ud800": 1}, "the names of a state must be text"),
}


@pytest.mark.parametrize("runner", [{"serial": True}])
@pytest.mark.parametrize("case", STATES)
def test_a_state_that_no_checkpoint_can_hold_fails_its_runs_and_ends_no_driver(case, run_study, runs) -> None:
    state, words = STATES[case]
    objective = Handing(epoch=lambda e: PlainEpoch(metrics=e.metrics, state=state))
    run_study(toy_study(trials=0, seeds=2), objective, checkpoint_seconds=0)
    assert runs().error.str.contains(words, regex=False).all(), runs().error.iloc[0]


@pytest.mark.parametrize("case", STATES)
def test_nor_does_it_when_the_study_is_drained(case, tmp_path) -> None:
    pack = Pack(pack_id="p000000", runs=(make_toy_run(),))
    objective = Handing(epoch=lambda e: PlainEpoch(metrics=e.metrics, state=STATES[case][0]))
    attempt = Attempt(objective, pack, Folder.at(tmp_path))
    attempt.step(None)
    with pytest.raises(SeamError):
        attempt.save()


def make_toy_run():
    study = toy_study()
    fingerprint = Fingerprint(data_sha256="d", code_sha256="c")
    params = study.configuration("full", {})
    return make_run(study, fingerprint, params, arm="full", phase="confirm", search=0, seed=1, split=0)


def test_what_every_run_hands_over_wrongly_stops_the_study_before_all_have_trained(run_study) -> None:
    from orchestrator.runners.coordinator import StudyError

    with pytest.raises(StudyError, match="10 attempts in a row ended in the same error"):
        run_study(toy_study(trials=0, seeds=40, pack_size=1), outcome(best_epoch=None))
