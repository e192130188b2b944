"""What an arm and the reference reached: over the same seeds and splits, or over runs that share none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.results.load import Results
from analysis.statistics.differences import Differences, Look, Sides
from analysis.statistics.paired_tests import ALPHA, LEVEL, Array
from analysis.statistics.sequential_looks import reached
from analysis.statistics.two_samples import Unpaired, welch_variance
from analysis.statistics.variance_components import Variance, seeds_variance

PAIR = ["seed", "split"]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """One arm's results beside the reference's: pair by pair, unless they are not paired."""

    arm: str
    arm_S: Array
    reference_S: Array
    arm_ids: pd.Series  # run ids, in the order of the values
    reference_ids: pd.Series
    num_lost: int  # pairs of which a run failed
    num_failed: int  # failed runs of the arm
    overlap: float  # see statistics.standard_error
    sides: Sides | None = None  # whose run failed, of the lost pairs
    is_constant: bool = False  # see verdict.Differences
    looks: tuple[Look, ...] | None = None  # with adaptive seeds, those that it reached
    frozen_S: Array | None = None  # see verdict.Differences
    num_frozen_lost: int = 0
    is_paired: bool = True  # else the two have runs, as many as they have, that belong to no other

    @cached_property
    def d_S(self) -> Array:
        """Arm minus reference; where they are not paired, minus the reference's mean."""
        if self.is_paired:
            return self.arm_S - self.reference_S
        return self.arm_S - (self.reference_S.mean() if len(self.reference_S) else np.nan)

    @property
    def variance(self) -> Variance | None:
        """Of the mean difference, for retraining; None: there are too few runs to know it."""
        if self.is_paired:
            return seeds_variance(self.d_S, overlap=self.overlap)
        return welch_variance(self.arm_S, self.reference_S)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the mean difference, for retraining on the same test items."""
        known = self.variance
        return known.interval(float(self.d_S.mean()), level=self.level) if known else (np.nan, np.nan)

    @property
    def spread(self) -> float:
        """The standard deviation of a difference over seeds."""
        if self.variance is None:
            return float("nan")
        both = (self.d_S,) if self.is_paired else (self.arm_S, self.reference_S)
        return float(np.sqrt(sum(values.var(ddof=1) for values in both)))

    @property
    def differences(self) -> Differences:
        """What a verdict needs of it."""
        if not self.is_paired:
            return Unpaired.of(self.arm_S, self.reference_S, sides=self.sides, is_constant=self.is_constant)
        return Differences(
            d_S=self.d_S, frozen_S=self.frozen_S, num_lost=self.num_lost, num_frozen_lost=self.num_frozen_lost,
            sides=self.sides, is_constant=self.is_constant, overlap=self.overlap, looks=self.looks,
        )  # fmt: skip

    @property
    def share(self) -> float:
        """The share of alpha at the look at which it is."""
        return self.looks[-1].weight if self.looks else 1.0

    @property
    def level(self) -> float:
        """Of its intervals."""
        return LEVEL if self.looks is None else 1 - ALPHA * self.share


def pairs(results: Results, arm: str, metric: str) -> Pairs:
    """The pairs of one arm with the reference, and of the primary metric those with the reference's hyperparameters."""
    own, reference = (scored(results, a, metric) for a in (arm, results.study.reference))
    if arm in results.study.unpaired:
        return unpaired(own, reference, arm=arm)
    found = paired(own, reference, arm=arm, test_to_train=results.study.test_to_train)
    done = own["run_id"].isin(found.arm_ids)
    found = replace(found, looks=_looks(results, seeds=own["seed"], pairs=own.loc[done, "seed"]))
    if metric != results.study.primary_metric or arm not in results.study.frozen:
        return found
    cold = scores(results, results.of(arm, results.frozen), metric).set_index(PAIR)
    cold = cold.reindex(pd.MultiIndex.from_frame(own.set_index("run_id").loc[list(found.arm_ids), PAIR]))
    is_lost = cold["failed"].eq(True).to_numpy()
    frozen_S = np.where(is_lost, np.nan, cold["value"].to_numpy(float) - found.reference_S)
    return replace(found, frozen_S=frozen_S, num_frozen_lost=int(is_lost.sum()))


def paired(own: pd.DataFrame, reference: pd.DataFrame, *, arm: str, test_to_train: float | None) -> Pairs:
    """The pairs of two sets of runs, each as `scored` gives it."""
    both = own.merge(reference, on=PAIR, suffixes=("_arm", "_reference"), how="inner")
    done = both.dropna(subset=["value_arm", "value_reference"]).sort_values(PAIR, kind="stable")
    return Pairs(
        arm=arm,
        arm_S=done["value_arm"].to_numpy(float),
        reference_S=done["value_reference"].to_numpy(float),
        arm_ids=done["run_id_arm"],
        reference_ids=done["run_id_reference"],
        num_lost=int((both["failed_arm"] | both["failed_reference"]).sum()),
        sides=Sides(
            arm=int((both["failed_arm"] & ~both["failed_reference"]).sum()),
            reference=int((~both["failed_arm"] & both["failed_reference"]).sum()),
            both=int((both["failed_arm"] & both["failed_reference"]).sum()),
        ),
        is_constant=all(is_constant(done, side) for side in ("_arm", "_reference")),
        num_failed=int(own["failed"].sum()),
        overlap=(test_to_train or 0.0) if done["split"].nunique() > 1 else 0.0,
        looks=None,
    )


def unpaired(own: pd.DataFrame, reference: pd.DataFrame, *, arm: str) -> Pairs:
    """All runs of two sets that belong to no other, each as `scored` gives it."""
    done = [runs.dropna(subset=["value"]).sort_values(PAIR, kind="stable") for runs in (own, reference)]
    return Pairs(
        arm=arm,
        arm_S=done[0]["value"].to_numpy(float),
        reference_S=done[1]["value"].to_numpy(float),
        arm_ids=done[0]["run_id"],
        reference_ids=done[1]["run_id"],
        num_lost=int(own["failed"].sum() + reference["failed"].sum()),
        sides=Sides(arm=int(own["failed"].sum()), reference=int(reference["failed"].sum())),
        is_constant=all(is_constant(runs) for runs in done),
        num_failed=int(own["failed"].sum()),
        overlap=0.0,
        is_paired=False,
    )


def is_constant(runs: pd.DataFrame, side: str = "") -> bool:
    """Whether seeds give equal numbers, bit for bit: those of one split, and one configuration.

    Args:
        runs: as `scored` gives them, of one arm.
        side: the ending of its columns.
    """
    found = runs.groupby(["split", f"config_id{side}"])[f"value{side}"].agg(["nunique", "count"])
    several = found[found["count"] > 1]
    return len(several) > 0 and bool((several["nunique"] == 1).all())


def _looks(results: Results, *, seeds: pd.Series, pairs: pd.Series) -> tuple[Look, ...] | None:
    if not results.study.looks:
        return None
    order = sorted(results.confirm["seed"].unique())
    return reached(results.study.looks, order, seeds.tolist(), pairs.tolist())


def scored(results: Results, arm: str, metric: str) -> pd.DataFrame:
    """Seed, split, run id and value of an arm's confirm runs, and whether a run failed."""
    return scores(results, results.of(arm, results.confirm), metric)


def scores(results: Results, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The same of any tested runs.

    A run without a finite value of the primary metric has failed. One without another metric may have none: an arm
    without a modality does not reconstruct it.
    """
    completed = runs["status"] == "completed"
    value = results.values(runs, metric).where(completed)
    failed = ~(completed & np.isfinite(results.values(runs, results.study.primary_metric)))
    return runs[["run_id", "config_id", *PAIR]].assign(value=value.where(np.isfinite(value)), failed=failed)
