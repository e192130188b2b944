"""From a question to its report: what every study script does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.statistics.paired_tests import pairs_in_reach, reachable_p
from analysis.statistics.sequential_looks import Rule, looks
from mfm.cost_estimate import seconds_per_epoch, seconds_per_run
from mfm.fingerprint import code_sha256, data_sha256
from mfm.objective import MFMObjective
from mfm.params.config import Config
from orchestrator.command.arguments import Arguments
from orchestrator.command.prepared import Prepared, leave_nothing
from orchestrator.command.script import Script
from orchestrator.plan.plan import no_more_seeds
from orchestrator.study.model import Cost
from orchestrator.study.objective import Objective
from orchestrator.study.runs import RERANK_FOLDS, Fingerprint
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
) -> Script:
    """The script that asks a question of MFM.

    Args:
        hints: lines that end its output: what to do next.
    """
    return Script(
        description=description or "",
        presets={name: preset.words for name, preset in presets.items()},
        prepare=lambda arguments: _prepare(ask(arguments), presets, arguments, hints),
        report=_report,
        extend=extend,
    )


def _prepare(question: Question, presets: Mapping[str, Preset], arguments: Arguments, hints: Sequence[str]) -> Prepared:
    study = arguments.adjusted(question.study(arguments.preset, presets[arguments.preset]))
    study = replace(study, model=replace(study.model, costs=_costs(question, study)))
    _check_folds(question, study)
    rule = _rule(study) if arguments.is_adaptive else None
    if rule is not None:
        looks = tuple(look.num_pairs for look in rule.looks)
        study = replace(study, looks=looks, about={**study.about, "rule": rule.declared})
    return Prepared(
        study=study,
        fingerprint=Fingerprint(data_sha256=data_sha256(question.dataset, question.folds), code_sha256=code_sha256()),
        objective=lambda: _objective(question, study),
        seconds_per_run=_seconds_per_run(question, study),
        foresight=_foresight(study),
        hints=hints,
        seed_rule=rule or no_more_seeds,
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


def _rule(study: Study) -> Rule:
    if study.design.factors:
        raise ValueError(
            "--seeds auto decides arms, and not the effects of a factorial study or the steps of a path; give it "
            "--seeds N"
        )
    num_arms = len(study.running) - 1
    if not num_arms:
        raise ValueError("--seeds auto decides arms against the reference; this study has no arm beside it")
    return Rule(
        looks=looks(num_arms, study.budget.seeds),
        reference=study.reference,
        margin=study.smallest_effect,
        splits=study.splits,
        searches=study.budget.searches,
        lower_is_better=study.metrics.modes[study.metrics.primary] == "min",
        overlap=float(study.about.get("test_to_train", 0)),
    )


def _objective(question: Question, study: Study) -> Objective:
    return MFMObjective(
        question.dataset,
        folds=question.folds,
        metric=study.metrics.search,
        mode=study.metrics.modes[study.metrics.search],
        robustness=question.robustness,
        rerank_folds=RERANK_FOLDS,
    )


def _foresight(study: Study) -> list[str]:
    """Whether a verdict is in reach, before anything is run."""
    if study.design.path:
        return [_steps_in_reach(study)]
    if study.design.factors:
        return [_effects_in_reach(study)]
    num_arms = len(study.running) - 1
    if not num_arms:
        return []
    if study.budget.looks:
        numbers = [str(n) for n in study.budget.looks]
        return [
            f"Adaptive seeds: an arm stops at the first of {', '.join(numbers[:-1])} or {numbers[-1]} seeds at which "
            f"it is decided, or at which more would hardly decide it{_both(study)}"
        ]
    least = reachable_p(study.budget.seeds, num_arms)
    if least <= 0.05:
        return [
            f"With {study.budget.seeds} seeds the smallest possible p after Holm's correction over {num_arms} arms is "
            f"{least:.2g}{_both(study)}"
        ]
    return [
        f"No arm can be called worse or better: with {study.budget.seeds} seeds the smallest possible p after Holm's "
        f"correction over {num_arms} arms is {least:.2g}; --seeds {pairs_in_reach(num_arms)} is the least that can"
    ]


def _both(study: Study) -> str:
    """Which runs must show a difference."""
    return "; worse or better must be shown by both tunings (docs/statistics.md)" if study.budget.frozen else ""


def _steps_in_reach(study: Study) -> str:
    k = len(study.design.factors)
    least, fewest = reachable_p(study.budget.seeds, k), pairs_in_reach(k)
    in_reach = "" if least <= 0.05 else f": none can be told, --seeds {fewest} is the least that can"
    return (
        f"{k} components are removed one after another, {k} steps; with {study.budget.seeds} seeds the smallest p in "
        f"reach after Holm's correction over the steps is {least:.2g}{in_reach}"
    )


def _effects_in_reach(study: Study) -> str:
    k = len(study.design.factors)
    num_effects = k + k * (k - 1) // 2
    least, fewest = reachable_p(study.budget.seeds, num_effects), pairs_in_reach(num_effects)
    in_reach = "" if least <= 0.05 else f": none can be told, --seeds {fewest} is the least that can"
    return (
        f"{k} components in {len(study.arms)} arms: {k} main effects and interactions of two; with "
        f"{study.budget.seeds} seeds the smallest possible p after Holm's correction over these {num_effects} is "
        f"{least:.2g}{in_reach}"
    )


def _report(results: Path) -> list[str]:
    from analysis.reporting.report import write  # pandas and matplotlib are needed at the end only

    report = write(results)
    return ["", *report.text.splitlines(), "", f"Figures and tables: {report.page.parent}", f"Page: {report.page}", ""]
