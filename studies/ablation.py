"""An ablation study of MFM on one data set: arms, space and budget put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution

from mfm import config, metrics
from mfm.config import Knob
from mfm.data.dataset import Dataset
from mfm.data.folds import Folds
from orchestrator.study import Arm, Study
from studies.presets import Preset


@dataclass(frozen=True, kw_only=True)
class Question:
    """What one study script asks."""

    name: str
    title: str
    dataset: Dataset
    folds: Folds
    num_splits: int
    knobs: Mapping[str, Knob]  # defaults that differ from the model's own
    arms: Sequence[Arm]
    reference: str
    space: Mapping[str, BaseDistribution]
    search_metric: str
    primary_metric: str
    smallest_effect: float  # in units of the primary metric
    notes: Sequence[str]

    def study(self, preset_name: str, preset: Preset) -> Study:
        """The study with a preset's budget."""
        modalities, task = self.dataset.modality_names, self.dataset.task
        return Study(
            name=self.name,
            title=self.title,
            base=config.base(modalities, **self.knobs),
            arms=tuple(self.arms),
            reference=self.reference,
            space=self.space,
            conditions=config.conditions(modalities),
            fusable=config.fusable(modalities),
            modes=metrics.outcome_modes(task, modalities),  # type: ignore[arg-type]
            epoch_metrics=tuple(metrics.epoch_modes(task, modalities)),
            search_metric=self.search_metric,
            primary_metric=self.primary_metric,
            smallest_effect=self.smallest_effect,
            trials=preset.trials,
            seeds=preset.seeds,
            epochs=preset.epochs,
            searches=preset.searches,
            splits=self.num_splits,
            pack_size=preset.pack_size,
            completions=preset.completions,
            notes=tuple(self.notes),
            about=self._about(preset_name, preset),
        )

    def _about(self, preset_name: str, preset: Preset) -> dict[str, object]:
        folds = {name: len(self.dataset.rows(name)) for name in ("train", "valid", "test")}
        return {
            "data": self.dataset.source,
            "items": folds,
            "modalities": {m.name: m.kind for m in self.dataset.modalities},
            "preset": f"{preset_name}: {preset.words}",
        }
