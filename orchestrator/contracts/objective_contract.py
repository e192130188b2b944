"""What every objective must keep, as a check that whoever writes one can run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.history.events import Began
from orchestrator.plan.plan import Done, Plan, Wait
from orchestrator.runners import seam
from orchestrator.runners.seam import Refused
from orchestrator.study.objective import Objective, PlainOutcome, State
from orchestrator.study.runs import Fingerprint, Pack
from orchestrator.study.study import Study

Metrics = Mapping[str, Mapping[str, float]]


class ContractError(AssertionError):
    """An objective does not keep what a study relies on.

    >>> calls = iter(range(1000))
    >>> def drifting(params):
    ...     return {"valid_loss": float(next(calls)), "test_loss": 0.0}
    >>> drifting.code_sha256 = "1"
    >>> try:
    ...     check_objective(study, FunctionObjective(drifting))
    ... except ContractError as error:
    ...     print(str(error).partition(";")[0])
    trained again, a pack must give the same
    """


def check_objective(study: Study, objective: Objective, *, tolerance: float = 0.0) -> None:
    """Trains some runs of a study again and again, and compares.

    >>> check_objective(study, FunctionObjective(train))

    The same pack gives the same numbers again; each run gives alone what it gives in a pack; from the state of every
    epoch training goes on as if it had not been cut; and a run that is given up changes nothing for the others.

    Args:
        study: whose runs are trained: the first pack of every phase, of every arm in turn, without its rows.
        objective: what is checked.
        tolerance: largest difference of two metrics that counts as none; other hardware or batches may need more.

    Raises:
        ContractError: with the first thing that does not hold, the run, and what came instead.
    """
    for pack in _packs(study):
        whole = _trained(objective, pack, None)
        _compare(whole, _trained(objective, pack, None), pack, tolerance, "trained again, a pack must give the same")
        for run in pack if len(pack.runs) > 1 else ():
            alone = _trained(objective, Pack(pack_id=pack.pack_id, runs=(run,)), None)
            words = "a run must give alone what it gives beside others"
            _compare(whole.of([run.run_id]), alone, pack, tolerance, words)
        for epoch, state in enumerate(whole.states, start=1):
            if state:
                rest = _trained(objective, pack, state)
                words = f"from its state after epoch {epoch}, training must go on as if it had not been cut"
                _compare(whole.after(epoch), rest, pack, tolerance, words)
        if len(pack.runs) > 1:
            kept = [run.run_id for run in pack][1:]
            words = "a run that is given up must change nothing for the others"
            _compare(whole.of(kept), _trained(objective, pack, None, kept=kept).of(kept), pack, tolerance, words)


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What a training said: the metrics and the state of each epoch, and the outcomes."""

    epochs: list[Metrics]
    states: list[State]
    outcomes: Mapping[str, PlainOutcome]

    def of(self, run_ids: list[str]) -> _Course:
        return _Course(
            epochs=[{i: by_run[i] for i in run_ids} for by_run in self.epochs],
            states=[],
            outcomes={i: self.outcomes[i] for i in run_ids},
        )

    def after(self, epoch: int) -> _Course:
        return _Course(epochs=self.epochs[epoch:], states=[], outcomes=self.outcomes)


def _packs(study: Study) -> list[Pack]:
    """The first search packs and confirm packs, as a plan asks for them where every run gives the same."""
    plan = Plan(study, Fingerprint(data_sha256="", code_sha256=""))
    found: dict[tuple[str, str], Pack] = {}
    while not isinstance(event := plan.next(), Wait | Done):
        plan.apply(event)
        if isinstance(event, Began):
            pack = plan.pack(event.pack_id)
            found.setdefault((pack.phase, pack.runs[0].arm), pack)
            _finish(plan, pack)
    return list(found.values())


def _finish(plan: Plan, pack: Pack) -> None:
    """Every run ends with the same value; a search needs one that was reported."""
    values = {run.run_id: 1.0 for run in pack}
    reported = plan.reported(pack.pack_id, attempt=pack.attempt, epoch=1, values=values)
    told = [plan.told(run.run_id, "completed", value=1.0) for run in pack]
    for event in [reported, *told]:
        if event is not None:
            plan.apply(event)
    for event in plan.ended(pack.pack_id, attempt=pack.attempt, kind="done"):
        plan.apply(event)


def _trained(objective: Objective, pack: Pack, state: State | None, *, kept: list[str] | None = None) -> _Course:
    epochs, states = list[Metrics](), list[State]()
    training, going = objective.train(pack, state), [run.run_id for run in pack]
    try:
        epoch = next(training)
        while True:
            epochs.append(seam.metrics_of(epoch, number=len(epochs) + 1, pack=pack, going=going))
            plain, arrays = seam.state_of(epoch)
            states.append({**plain, **arrays})
            going = going if kept is None else kept
            epoch = training.send(going)
    except StopIteration as stop:
        outcomes = seam.outcomes_of(stop.value, going, num_epochs=pack.epochs)
    except seam.SeamError as error:
        raise ContractError(str(error)) from error
    for run_id, outcome in outcomes.items():
        if isinstance(outcome, Refused):
            raise ContractError(f"run {run_id}: {outcome.error}")
    return _Course(
        epochs=epochs, states=states, outcomes={i: o for i, o in outcomes.items() if isinstance(o, PlainOutcome)}
    )


def _compare(one: _Course, other: _Course, pack: Pack, tolerance: float, words: str) -> None:
    if len(one.epochs) != len(other.epochs):
        raise ContractError(f"{words}; got {len(other.epochs)} epochs where {len(one.epochs)} were left")
    for number, (ours, theirs) in enumerate(zip(one.epochs, other.epochs, strict=True), start=1):
        for run_id, metrics in ours.items():
            _same(metrics, theirs[run_id], f"{words}; {_name(pack, run_id)}, epoch {number} of these", tolerance)
    for run_id, outcome in one.outcomes.items():
        _same(outcome.metrics, other.outcomes[run_id].metrics, f"{words}; {_name(pack, run_id)}, outcome", tolerance)


def _same(ours: Mapping[str, float], theirs: Mapping[str, float], where: str, tolerance: float) -> None:
    if set(ours) != set(theirs):
        raise ContractError(f"{where}: the metrics {sorted(theirs)} are not {sorted(ours)}")
    for name, value in ours.items():
        both_nan = math.isnan(value) and math.isnan(theirs[name])
        if not (both_nan or math.isclose(value, theirs[name], rel_tol=0, abs_tol=tolerance)):
            raise ContractError(f"{where}: {name} {theirs[name]!r} is not {value!r}")


def _name(pack: Pack, run_id: str) -> str:
    run = next(run for run in pack if run.run_id == run_id)
    return f"arm {run.arm}, phase {run.phase}, seed {run.seed}"
