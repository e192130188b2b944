"""A study whose training costs nothing: what is left is orchestration."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any

from optuna.distributions import FloatDistribution

from orchestrator.study.model import Model
from orchestrator.study.objective import PlainEpoch, PlainOutcome
from orchestrator.study.runs import Pack, Run
from orchestrator.study.study import Study

EPOCHS, PACK = 10, 10
NAMES = tuple(f"arm_{i:02d}" for i in range(20))
PARAMS = ("a", "b", "c", "d")


class NoOp:
    """Reports a number for every run and epoch, without training."""

    data_sha256 = "no data"
    code_sha256 = "no code"

    def describe(self) -> Mapping[str, str]:
        """Nothing of note."""
        return {"device": "none"}

    def train(
        self, pack: Pack, state: Mapping[str, Any] | None = None
    ) -> Generator[PlainEpoch, Collection[str] | None, Mapping[str, PlainOutcome]]:
        """All epochs of a pack."""
        assert state is None, "it keeps no checkpoints"
        for epoch in range(1, pack.epochs + 1):
            yield PlainEpoch(metrics={run.run_id: {"valid_loss": loss_of(run, epoch)} for run in pack})
        last = {run.run_id: loss_of(run, pack.epochs) for run in pack}
        return {i: PlainOutcome(best_epoch=EPOCHS, metrics=_metrics(pack, loss)) for i, loss in last.items()}


def loss_of(run: Run, epoch: int) -> float:
    """The distance to a point, nearer with every epoch; a seed shifts it a little."""
    return sum((float(run.params[param]) - 0.3) ** 2 for param in PARAMS) + 1 / epoch + 1e-3 * run.seed


def _metrics(pack: Pack, loss: float) -> dict[str, float]:
    return {"valid_loss": loss} | ({"test_loss": loss} if pack.phase == "confirm" else {})


def fixed(num_runs: int, names: Sequence[str] = NAMES) -> Study:
    """A fixed list of configurations, 20 where they are not named, all with equally many seeds."""
    return _study(names, trials=0, seeds=num_runs // len(names))


def searched(num_runs: int) -> Study:
    """Four arms, nine in ten of whose runs a sampler suggests and a pruner watches."""
    an_arm = num_runs // 4
    return _study(NAMES[:4], trials=an_arm - an_arm // 10, seeds=an_arm // 10)


def _study(names: Sequence[str], *, trials: int, seeds: int) -> Study:
    return Study(
        name="noop", title="What does orchestration cost?", params={**dict.fromkeys(PARAMS, 0.5), "part": names[0]},
        arms={name: {"part": name} if i else {} for i, name in enumerate(names)},
        space={param: FloatDistribution(0, 1) for param in PARAMS}, model=Model(fusable=frozenset(PARAMS)),
        minimise=("valid_loss", "test_loss"), smallest_effect=0.1, trials=trials, seeds=seeds, epochs=EPOCHS,
        pack_size=PACK, completions=PACK,
    )  # fmt: skip
