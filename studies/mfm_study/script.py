"""From a question to its report: what every study script does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mfm.cost_estimate import seconds_per_epoch, seconds_per_run
from mfm.objective import MFMObjective
from mfm.params.config import Config
from orchestrator.command.arguments import Arguments
from orchestrator.command.prepared import Prepared, leave_nothing
from orchestrator.command.study_command import StudyCommand
from orchestrator.study.model import Cost
from orchestrator.study.objective import Objective
from orchestrator.study.runs import RERANK_FOLDS
from orchestrator.study.study import Study
from studies.mfm_study.generated_items import leave
from studies.mfm_study.presets import Preset
from studies.mfm_study.question import Question


def script(
    ask: Callable[[Arguments], Question],
    *,
    description: str | None,
    presets: Mapping[str, Preset],
    hints: Sequence[str],
    extend: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> StudyCommand:
    """The script that asks a question of MFM.

    Args:
        hints: lines that end its output: what to do next.
    """
    return StudyCommand(
        description=description or "",
        presets={name: preset.words for name, preset in presets.items()},
        prepare=lambda arguments: _prepare(ask(arguments), presets, arguments, hints),
        extend=extend,
    )


def _prepare(question: Question, presets: Mapping[str, Preset], arguments: Arguments, hints: Sequence[str]) -> Prepared:
    study = arguments.adjusted(question.study(arguments.preset, presets[arguments.preset]))
    study = replace(study, model=replace(study.model, costs=_costs(question, study)))
    _check_folds(question, study)
    return Prepared(
        study=study,
        objective=lambda: _objective(question, study),
        seconds_per_run=_seconds_per_run(question, study),
        hints=hints,
        leave=(lambda folder: leave(question, folder)) if question.generates else leave_nothing,
    )


def _check_folds(question: Question, study: Study) -> None:
    num_groups = question.num_groups("train", "valid")
    if study.budget.rerank and num_groups < RERANK_FOLDS:
        raise ValueError(
            f"--rerank needs at least {RERANK_FOLDS} groups (videos) of train and valid items; this data has "
            f"{num_groups}. Give --rerank 0"
        )


def _configs(question: Question, study: Study) -> dict[str, Config]:
    """Every arm as it is by default."""
    names = question.dataset.modality_names
    return {arm.name: Config.from_params(study.configuration(arm.name, {}), names) for arm in study.running}


def _costs(question: Question, study: Study) -> dict[str, Cost]:
    guesses = {name: seconds_per_epoch(question.dataset, c) for name, c in _configs(question, study).items()}
    return {name: Cost(pack=pack, run=run) for name, (pack, run) in guesses.items()}


def _seconds_per_run(question: Question, study: Study) -> float:
    """The guess for an arm as it is by default, mean over the arms: encoders differ in it by an order of magnitude.

    Scoring without some modalities trains networks for every subset of them, which takes about as long as the run each.
    """
    data, pack_size = question.dataset, min(study.budget.pack_size, study.budget.seeds)
    guesses = [
        seconds_per_run(data, config, epochs=study.budget.epochs, pack_size=pack_size)
        for config in _configs(question, study).values()
    ]
    share = study.budget.seeds / (study.budget.trials + RERANK_FOLDS * study.budget.rerank + study.budget.seeds)
    extra = share * 2 ** len(data.modality_names) if question.robustness else 0.0
    return sum(guesses) / len(guesses) * (1 + extra)


def _objective(question: Question, study: Study) -> Objective:
    return MFMObjective(
        question.dataset,
        folds=question.folds,
        metric=study.metrics.search,
        mode=study.metrics.modes[study.metrics.search],
        robustness=question.robustness,
        rerank_folds=RERANK_FOLDS,
    )
