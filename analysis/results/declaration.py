"""What a study declared about itself before it ran: `study.json` as a value."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from analysis.results.distributions import Distribution, distribution
from analysis.statistics.differences import Look
from analysis.statistics.sequential_looks import planned_looks

ParamValue = bool | int | float | str
Mode = Literal["min", "max"]
Conditions = Mapping[str, Sequence[tuple[str, Sequence[ParamValue]]]]

PLANTED, CONTROLS = "planted", "controls"  # in `about`: arm -> its truth; hyperparameter -> why it cannot matter
REQUIRED = ("reference_arm", "primary_metric", "modes", "smallest_effect", "arms")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of an ablation path."""

    arm: str  # what is left
    removed: str | None  # the component that went with this step; None: the reference, before the first
    folds: float | None  # the mean of the search metric over folds, by which it was decided
    compared: Mapping[str, float | None]  # the same without each component that could have gone


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the declaration after the study's first call."""

    at: pd.Timestamp  # UTC
    what: tuple[str, ...]  # in words
    values: Mapping[str, tuple[Any, Any]]  # key of study.json -> before and after


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true of an arm, because the data was made so."""

    verdict: str  # worse, better or equivalent
    because: str  # of the data, in a sentence


@dataclass(frozen=True, kw_only=True)
class Study:
    """What the tables cannot say of themselves.

    >>> load("results/first").study.primary_metric
    'test_loss'

    Raises:
        ValueError: the declaration contradicts itself.
    """

    name: str
    title: str
    reference: str  # name of the arm that all others are compared with
    primary_metric: str  # a metric of the test items, without the prefix `metric:`
    search_metric: str  # the validation metric that the searches looked at
    modes: Mapping[str, Mode]  # metric -> the side that is better
    smallest_effect: float  # in units of the primary metric: smaller differences do not matter
    arms: Mapping[str, Mapping[str, ParamValue]]  # every planned arm -> its pins; the family of the correction
    # Components of a factorial design -> the pins that switch each off; arms are combinations of them.
    factors: Mapping[str, Mapping[str, ParamValue]] = field(default_factory=dict)
    selected: tuple[str, ...] = ()  # arms that the latest call runs; empty: all
    space: Mapping[str, Distribution] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=dict)  # hyperparameter -> what must hold for it to have a meaning
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # arm -> config_id of each of its searches
    notes: tuple[str, ...] = ()  # sentences for the report
    about: Mapping[str, Any] = field(default_factory=dict)  # facts for the report: data, preset
    trials: int | None = None  # planned search runs per arm
    repeats: Mapping[str, int] = field(default_factory=dict)  # arm -> suggestions that were a known run: no new row
    seeds: int | None = None  # planned confirm seeds per arm; with looks, the most
    looks: tuple[Look, ...] = ()  # adaptive seeds: the planned looks
    asked_seeds: Mapping[str, int] = field(default_factory=dict)  # with looks: arm -> the seeds it was given so far
    # Arm -> the config_id, of each search, that it has with the hyperparameters that the reference's search chose.
    frozen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uniform_runs: Mapping[str, frozenset[str]] = field(default_factory=dict)  # arm -> search runs no sampler has chosen
    is_path: bool = False  # whether the components go one after another; then only the reference is searched
    path: tuple[Step, ...] = ()  # the reference, and the steps that are decided
    # What later calls of the study changed of this declaration, in order.
    changes: tuple[Change, ...] = ()
    # What a run must share with the declaration to count; None: it is not on record.
    data_sha256: str | None = None
    code_sha256: str | None = None
    unconfirmed: Mapping[str, str] = field(default_factory=dict)  # arm -> why it has no confirm runs
    first_seed: int | None = None  # of the confirm runs, which count on from it
    epochs: int | None = None
    sampler: str = ""  # of the searches; empty: not on record
    pruner: str = ""
    searches: int = 1  # independent searches per arm
    splits: float = math.inf  # of the data; inf: not on record
    # Items tested / items trained on, where seeds meet several overlapping splits (Nadeau and Bengio 2003).
    test_to_train: float | None = None
    # Of runs that were made elsewhere: where they come from, arms whose runs are not paired with the reference's, and
    # what such a record cannot show, by arm (names of cautions).
    source: str = ""
    unpaired: frozenset[str] = frozenset()
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def groups(self) -> str:
        """What the test items come in, in the plural: "groups", unless the study's `about` says what a group is."""
        return f"{self.about.get('group', 'group')}s"

    @property
    def planted(self) -> Mapping[str, Truth]:
        """Arm -> what is true of it by the construction of synthetic data; empty for real data."""
        return {arm: Truth(**told) for arm, told in self.about.get(PLANTED, {}).items()}

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the declaration says about the study, beside what is planted."""
        return {name: value for name, value in self.about.items() if name not in (PLANTED, CONTROLS)}

    @property
    def controls(self) -> Mapping[str, str]:
        """Searched hyperparameters that cannot matter -> why: their importance is what chance gives."""
        return {param: why for param, why in self.about.get(CONTROLS, {}).items() if param in self.space}

    def __post_init__(self) -> None:
        if self.reference not in self.arms:
            raise ValueError(f"the reference arm must be one of the arms {list(self.arms)}; got {self.reference!r}")
        if self.mode(self.primary_metric) is None:
            raise ValueError(
                f"modes must say 'min' or 'max' for the primary metric {self.primary_metric!r}; got {dict(self.modes)}"
            )
        if not self.smallest_effect > 0:
            raise ValueError(f"the smallest effect of interest must be positive; got {self.smallest_effect}")

    @property
    def paired_runs(self) -> str:
        """What differences are made of, in the plural."""
        if not self.unpaired:
            return "paired seeds"
        return "runs, not paired" if self.unpaired >= set(self.others) else "seeds, paired where both have them"

    @property
    def interval(self) -> str:
        """The kind of the intervals of differences."""
        if not self.unpaired:
            return "paired-t"
        return "Welch t" if self.unpaired >= set(self.others) else "paired-t or Welch t"

    @property
    def test(self) -> str:
        """The kind of the tests for a difference."""
        if not self.unpaired:
            return "sign-flip"
        return "Welch" if self.unpaired >= set(self.others) else "sign-flip or Welch"

    @property
    def level(self) -> str:
        """Of the intervals of differences: with looks it is 1 - alpha w_k for an arm that stopped at look k."""
        return "at least 95 %" if self.looks else "95 %"

    @property
    def others(self) -> list[str]:
        """The arms that are compared with the reference: the family of the correction."""
        return [arm for arm in self.arms if arm != self.reference]

    @property
    def tuned(self) -> list[str]:
        """The arms that have a search of their own."""
        return [self.reference] if self.is_path else list(self.arms)

    def planned(self, also: Collection[str]) -> Study:
        """The study with the arms that it runs, and those that were run by an earlier call; of a path, those on it."""
        kept = {self.reference, *(self.selected or self.arms), *also}
        if self.is_path:
            kept = {self.reference, *(step.arm for step in self.path)}
        return replace(self, arms={arm: pins for arm, pins in self.arms.items() if arm in kept})

    def mode(self, metric: str) -> Mode | None:
        """The side of a metric that is better; None where the study does not say."""
        return self.modes.get(metric) or self.modes.get(metric.removeprefix("test_").removeprefix("valid_"))

    def is_better_low(self, metric: str) -> bool:
        """Whether a metric is to be minimised."""
        return self.mode(metric) == "min"


def read_study(path: Path) -> Study:
    """Reads `study.json`.

    Raises:
        ValueError: the file is missing, is not JSON, or lacks what the analysis needs.
    """
    declared = _read_json(path)
    if missing := [key for key in REQUIRED if key not in declared]:
        raise ValueError(
            f"{path} must have the keys {list(REQUIRED)}; it lacks {missing}. Run the study's command again"
        )
    try:
        return _study(declared)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} must describe a study: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"{path.parent} must hold the study.json that a study writes when it starts; there is none. "
            "Give the folder that the study writes to"
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must be readable JSON: {error}. Run the study's command again to write it") from error
    if not isinstance(declared, dict):
        raise ValueError(f"{path} must hold one JSON object; got {type(declared).__name__}")
    return declared


def _study(declared: Mapping[str, Any]) -> Study:
    primary = str(declared["primary_metric"]).removeprefix("metric:")
    name = str(declared.get("study", "study"))
    about = dict(declared.get("about") or {})
    return Study(
        name=name,
        title=str(declared.get("title") or name),
        reference=declared["reference_arm"],
        primary_metric=primary,
        search_metric=str(declared.get("search_metric") or "valid_" + primary.removeprefix("test_")),
        modes={metric.removeprefix("metric:"): _mode(metric, mode) for metric, mode in declared["modes"].items()},
        smallest_effect=float(declared["smallest_effect"]),
        arms={arm: dict(pins) for arm, pins in declared["arms"].items()},
        factors={name: dict(pins) for name, pins in (declared.get("factors") or {}).items()},
        selected=tuple(declared.get("selected") or ()),
        space={param: distribution(d) for param, d in (declared.get("space") or {}).items()},
        conditions=_conditions(declared.get("conditions") or {}),
        chosen={arm: _ids(ids) for arm, ids in (declared.get("chosen") or {}).items() if ids},
        notes=tuple(str(note) for note in declared.get("notes") or ()),
        about=about,
        trials=declared.get("trials"),
        seeds=_count(declared.get("seeds")),
        looks=_looks(declared.get("rule") or {}),
        repeats=dict(declared.get("repeats") or {}),
        asked_seeds=dict(declared.get("asked_seeds") or {}),
        frozen={arm: _ids(ids) for arm, ids in (declared.get("frozen") or {}).items()},
        uniform_runs={arm: frozenset(ids) for arm, ids in (declared.get("uniform_runs") or {}).items()},
        is_path=bool(declared.get("is_path")),
        path=tuple(Step(**step) for step in declared.get("path") or ()),
        changes=tuple(_change(change) for change in declared.get("changes") or ()),
        data_sha256=declared.get("data_sha256"),
        code_sha256=declared.get("code_sha256"),
        unconfirmed=dict(declared.get("unconfirmed") or {}),
        first_seed=declared.get("first_seed"),
        epochs=declared.get("epochs"),
        sampler=str(declared.get("sampler") or ""),
        pruner=str(declared.get("pruner") or ""),
        searches=int(declared.get("searches") or 1),
        splits=declared.get("splits") or math.inf,
        test_to_train=declared.get("test_to_train", about.get("test_to_train")),
    )


def _change(written: Mapping[str, Any]) -> Change:
    values = {key: (before, after) for key, (before, after) in (written.get("values") or {}).items()}
    at = pd.Timestamp(written["at"]).tz_convert("UTC").tz_localize(None)
    return Change(at=at, what=tuple(written["what"]), values=values)


def _mode(metric: str, mode: str) -> Mode:
    if mode not in ("min", "max"):
        raise ValueError(f"the mode of metric {metric!r} must be 'min' or 'max'; got {mode!r}")
    return cast(Mode, mode)


def _conditions(written: Mapping[str, Any]) -> dict[str, list[tuple[str, list[ParamValue]]]]:
    return {param: [(parent, list(values)) for parent, values in parents] for param, parents in written.items()}


def _looks(rule: Mapping[str, Any]) -> tuple[Look, ...]:
    if not rule:
        return ()
    return planned_looks(rule["looks"], rule["weights"], rule["equivalence_weights"])


def _ids(written: str | Sequence[str]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else tuple(written)


def _count(written: Any) -> int | None:
    """A number of seeds; None where the study decides as it goes ('auto')."""
    return written if isinstance(written, int) else None
