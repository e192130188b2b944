"""The rule of the adaptive seeds: at which looks arms stop, as the study declares it before it is run."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.plan.phase import SeedRule, no_more_seeds
from orchestrator.process.installed import installed
from orchestrator.study.study import Study


def with_looks(study: Study) -> tuple[Study, SeedRule]:
    """The study with its looks, and the rule that decides at them; a study of fixed seeds as it is.

    Raises:
        ValueError: the study compares no arms, or has so few seeds that there is no room for the looks.
    """
    if not study.adaptive:
        return study, no_more_seeds
    if study.design.factors:
        raise ValueError(
            "--seeds auto decides arms, and not the effects of a factorial study or the steps of a path; give it "
            "--seeds N"
        )
    num_arms = len(study.running) - 1
    if not num_arms:
        raise ValueError("--seeds auto decides arms against the reference; this study has no arm beside it")
    rule = installed("seed_rule")(
        num_arms=num_arms,
        max_seeds=study.budget.seeds,
        reference=study.reference,
        margin=study.smallest_effect,
        splits=study.splits,
        searches=study.budget.searches,
        lower_is_better=study.metrics.modes[study.metrics.primary] == "min",
        overlap=float(study.about.get("test_to_train", 0)),
    )
    looks = tuple(look.num_pairs for look in rule.looks)
    return replace(study, looks=looks, about={**study.about, "rule": rule.declared}), rule
