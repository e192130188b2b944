"""An ablation study of MFM on one data set: arms, space and budget put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from optuna.distributions import BaseDistribution

from mfm.data.dataset import FOLDS, Dataset
from mfm.data.folds import Folds
from mfm.evaluation import metrics
from mfm.params import conditions, config
from mfm.params.config import ParamValue
from orchestrator.study.design import Arm, Design
from orchestrator.study.metrics import Metrics
from orchestrator.study.model import Model
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study
from studies.mfm_study import arms
from studies.mfm_study.arms import REFERENCE
from studies.mfm_study.data_choice import Ground
from studies.mfm_study.presets import Preset

# Validation sets of fewer items, or groups (videos), are small: the best of a search are ranked again by k-fold.
ENOUGH_ITEMS, ENOUGH_GROUPS = 1000, 30


@dataclass(frozen=True, kw_only=True)
class Question:
    """What one study script asks."""

    name: str
    title: str
    dataset: Dataset
    folds: Folds
    params: Mapping[str, ParamValue]  # defaults that differ from the model's own
    arms: Sequence[Arm]
    space: Mapping[str, BaseDistribution]
    smallest_effect: float  # in units of the primary metric
    design: Design = field(default_factory=Design)  # components of which the arms are made
    notes: Sequence[str] = ()
    reference: str = REFERENCE
    search_metric: str = "valid_mae"
    primary_metric: str = "test_mae"
    num_splits: int = 1
    robustness: bool = False  # confirm runs are scored with missing and noisy modalities, too
    nested: bool = False  # one search per split: no test item of a split is chosen by
    group: str = "video"  # what items come in, that stay together
    generates: bool = False  # whether generated items are left for the report (studies.mfm_study.generated_items)

    def study(self, preset_name: str, preset: Preset) -> Study:
        """The study with a preset's budget."""
        modalities, task = self.dataset.modality_names, self.dataset.task
        budget = replace(
            preset.budget,
            searches=self.num_splits if self.nested else preset.searches,
            rerank=preset.rerank if self._is_small else 0,
        )
        return Study(
            name=self.name,
            title=self.title,
            params=config.base(modalities, **self.params),
            arms=tuple(self.arms),
            reference=self.reference,
            design=self.design,
            space=self.space,
            model=Model(
                conditions=conditions.conditions(modalities),
                fusable=conditions.fusable(modalities),
                structure=conditions.structure,
            ),
            metrics=Metrics(
                modes=metrics.outcome_modes(task, modalities, styled=bool(self.dataset.style)),  # type: ignore[arg-type]
                epoch=tuple(metrics.epoch_modes(task, modalities)),
                search=self.search_metric,
                primary=self.primary_metric,
            ),
            smallest_effect=self.smallest_effect,
            splits=self.num_splits,
            budget=budget,
            notes=tuple(self.notes),
            about=self._about(preset_name, preset),
        )

    def num_groups(self, *folds: str) -> int:
        """Groups (videos) with items in these folds of the first split."""
        return len(np.unique(self.dataset.group[np.isin(self.folds.of(self.dataset, 0), folds)]))

    @property
    def _is_small(self) -> bool:
        """Whether one validation set ranks configurations mostly by chance."""
        items = int((self.folds.of(self.dataset, 0) == "valid").sum())
        few = items < ENOUGH_ITEMS or self.num_groups("valid") < ENOUGH_GROUPS
        return few and self.num_groups("train", "valid") >= RERANK_FOLDS

    @property
    def _group_word(self) -> str:
        """What test items come in; where files name no videos, every segment stands for itself."""
        is_alone = self.group == "video" and (self.dataset.group == self.dataset.item).all()
        return "segment" if is_alone else self.group

    def _planted(self) -> dict[str, dict[str, str]]:
        """The arms of which synthetic data decides what is true, for the report to hold its words against."""
        lost = {
            arm.name: [need.because for need in self.dataset.needs if arm.pins.get(need.param) == need.value]
            for arm in self.arms
        }
        return {name: {"verdict": "worse", "because": "; ".join(why)} for name, why in lost.items() if why}

    def _about(self, preset_name: str, preset: Preset) -> dict[str, object]:
        folds = [self.folds.of(self.dataset, split) for split in range(self.num_splits)]
        items = {name: round(float(np.mean([(f == name).sum() for f in folds]))) for name in FOLDS}
        about: dict[str, object] = {
            "data": self.dataset.source,
            "items": items,
            "modalities": {m.name: m.kind for m in self.dataset.modalities},
            "group": self._group_word,
            "preset": f"{preset_name}: {preset.words}",
            "controls": {"inert": "no part of the model reads it"},
        }
        if planted := self._planted():
            about["planted"] = planted
        if self.num_splits > 1:
            about["test_to_train"] = items["test"] / items["train"]  # for Nadeau and Bengio's factor
        return about


def ablation(
    name: str,
    here: Ground,
    *,
    smallest_effect: float,
    quick_arms: Sequence[str],
    folds: Folds | None = None,
    num_splits: int = 1,
    search_metric: str = "valid_mae",
    primary_metric: str = "test_mae",
) -> Question:
    """What carries MFM on this ground? Every arm; on the quick ground, those of `quick_arms`.

    Args:
        smallest_effect: in units of `primary_metric`.
        folds: with `num_splits` splits, each of which has a search of its own; None: the official folds.
    """
    every = arms.ablation(here.dataset.modality_names, encoder=here.encoder)
    return Question(
        name=f"{name}{here.suffix}",
        title=f"What carries MFM on {here.where}?",
        dataset=here.dataset,
        folds=folds or Folds(),
        params=here.params,
        arms=arms.named(every, (REFERENCE, *quick_arms)) if here.is_quick else every,
        space=here.space,
        smallest_effect=smallest_effect,
        notes=here.notes,
        search_metric=search_metric,
        primary_metric=primary_metric,
        num_splits=num_splits,
        nested=folds is not None,
        generates=True,
    )
