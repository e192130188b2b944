"""Every figure of a report: drawn, saved, and described for those who cannot see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import figures
from analysis.formatting import count, join, metric_name, spaced
from analysis.reporting.sentences import finding, headline, importance_in_words
from analysis.results.declaration import Study
from analysis.sensitivity.importance import FANOVA, leading, missing
from analysis.sensitivity.random_forest import fit
from analysis.sensitivity.search_runs import chosen_numbers
from analysis.sensitivity.tolerance import ranges
from analysis.tables.ablation_path import headline as path_headline
from analysis.tables.all_tables import Findings

LEADING = 12  # hyperparameters in the slices for a column
MOST_RUNS = 400  # behind the interaction map; beyond, so many are drawn
AXES, COLUMN_AXES = 13, 6  # hyperparameters in the parallel coordinates of a page, of a column


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on disk."""

    name: str  # files: <name>.svg, <name>.png and, if it has several panels, <name>_column.svg
    alt: str  # what it shows, for those who do not see it
    has_column: bool = False  # whether a version for a narrow column exists


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The figures of one study. What cannot be drawn is a sentence that says why."""

    found: Findings
    folder: Path

    def draw(self) -> dict[str, Picture | str]:
        """Draws all figures into the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        drawn = {
            "forest": self._forest, "seeds": self._seeds, "effects": self._effects,
            "path": self._path, "frozen": self._frozen, "importance": self._importance,
            "sensitivity": self._sensitivity, "interaction": self._interaction, "parallel": self._parallel,
            "missing": self._missing, "noise": self._noise,
            "dependence": self._dependence, "gradients": self._gradients,
            "curves": self._curves, "history": self._history,
        }  # fmt: skip
        return {name: draw() for name, draw in drawn.items()} | self._generated()

    def _save(self, name: str, drawn: Figure | Axes, *, alt: str, column: Callable[[], Any] | None = None) -> Picture:
        figures.save(_figure(drawn), self.folder / name)
        if column is not None:
            figures.save(_figure(column()), self.folder / f"{name}_column", formats=("svg",))
        return Picture(name=name, alt=alt, has_column=column is not None)

    def _forest(self) -> Picture | str:
        if not len(self.found.compared):
            return "There is no arm to compare with the reference."
        if not self.found.compared["n_seeds"].sum():
            return "There are no pairs of confirm runs so far, so no differences can be drawn."
        study = self.found.results.study
        said = " ".join(f"{spaced(row['arm'])}: {finding(row, study)}" for _, row in self.found.compared.iterrows())
        alt = f"Differences to {study.reference} with intervals. {headline(self.found.ablation, study)} {said}"
        return self._save("forest", figures.forest(self.found.ablation, study), alt=alt)

    def _seeds(self) -> Picture | str:
        if self.found.paired.empty:
            return "There are no pairs of confirm runs so far."
        study = self.found.results.study
        alt = f"The difference of every arm to {study.reference}, seed by seed; the numbers are in tables/seeds.csv."
        return self._save("seeds", figures.seed_differences(self.found.paired, self.found.ablation, study), alt=alt)

    def _effects(self) -> Picture | str:
        table, study = self.found.effects, self.found.results.study
        if table.empty or not table["n_seeds"].sum():
            return "There are no seeds so far that all arms of the design have."
        said = " ".join(f"{row['effect']}: {row['verdict']}." for _, row in table.iterrows())
        alt = f"Main effects and interactions of {count(len(study.factors), 'component')} with intervals. {said}"
        return self._save("effects", figures.effects(table, study), alt=alt)

    def _path(self) -> Picture | str:
        table, study = self.found.path, self.found.results.study
        if len(table) < 2 or not np.isfinite(table["mean"]).any():
            return "No step of a path is confirmed so far."
        return self._save("path", figures.path(table, study), alt=path_headline(table, study))

    def _frozen(self) -> Picture | str:
        table, study = self.found.frozen, self.found.results.study
        if table.empty:
            return "No arm was confirmed with the hyperparameters of the reference."
        said = " ".join(f"{spaced(row['arm'])}: {row['reading']}." for _, row in table.iterrows())
        alt = f"Differences to {study.reference}, tuned and with frozen hyperparameters. {said}"
        return self._save("frozen", figures.frozen(table, study), alt=alt)

    def _importance(self) -> Picture | str:
        if why_not := missing(self.found.trials):
            return why_not
        return self._save(
            "importance", figures.importance(self.found.importance), alt=importance_in_words(self.found.importance)
        )

    def _sensitivity(self) -> Picture | str:
        trials = self.found.trials
        if not len(trials) or not trials.axes:
            return (
                f"Sensitivity needs search runs of a hyperparameter; arm {trials.arm} has {len(trials)} with a value."
            )
        every = {one.axis.param: one for one in self.found.slices}
        order = [every[param] for param in self._by_importance()]
        chosen = chosen_numbers(self.found.results, trials.arm, trials.axes)
        told = trials.describe()
        params = join([one.axis.param for one in order])
        room = ranges(self.found.tolerance)
        few = (
            f"{told}. The {LEADING} of {len(order)} hyperparameters that matter most" if len(order) > LEADING else told
        )
        return self._save(
            "sensitivity",
            figures.sensitivity(order, chosen=chosen, room=room, runs=told, columns=5, width=figures.PAGE),
            alt=f"{metric_name(trials.metric)} of the search runs along each hyperparameter: {params}.",
            column=lambda: figures.sensitivity(order[:LEADING], chosen=chosen, room=room, runs=few, columns=2),
        )

    def _by_importance(self) -> list[str]:
        """All hyperparameters, those that exceed chance most first."""
        first = leading(self.found.importance)
        return [*first, *(axis.param for axis in self.found.trials.axes if axis.param not in first)]

    def _interaction(self) -> Picture | str:
        if why_not := missing(self.found.trials):
            return why_not
        params = leading(self.found.importance[self.found.importance["method"] == FANOVA])
        if len(params) < 2:
            return "An interaction map needs two hyperparameters that every run has."
        x, y = params[:2]
        some = self.found.trials.common().at_most(MOST_RUNS, seed=self.found.seed)
        forest = fit(some.unit_NK, some.capped_N, seed=self.found.seed)
        drawn = figures.interaction(some, forest, some.index(x), some.index(y))
        alt = f"Predicted {metric_name(some.metric)} over the two leading hyperparameters, {x} and {y}, with the runs."
        return self._save("interaction", drawn, alt=alt)

    def _parallel(self) -> Picture | str:
        trials = self.found.trials
        if len(trials) < 2 or not trials.axes:
            return f"Parallel coordinates need at least two search runs with a value; there are {len(trials)}."
        order = [trials.index(param) for param in self._by_importance()]
        return self._save(
            "parallel",
            figures.parallel_coordinates(trials, order[:AXES], width=figures.PAGE),
            alt=f"Every search run, a line through {join([trials.axes[k].param for k in order[:AXES]])} to its result.",
            column=lambda: figures.parallel_coordinates(trials, order[:COLUMN_AXES]),
        )

    def _generated(self) -> dict[str, Picture | str]:
        """Generated items, where a run has left any; else there is no such figure at all."""
        generated = self.found.generated
        if generated is None:
            return {}
        arrays, drawn = generated.arrays, {}
        images, sequences = generated.of_kind(4), generated.of_kind(3)
        run = f"Of run {generated.run_id}."
        if generated.has(images, "observed", "style", "exchanged"):
            alt = f"Images of {join(images)}: rows have F_y of one item, columns F_a of another. {run}"
            drawn["exchanged"] = self._save("exchanged", figures.exchanged(arrays, images), alt=alt)
        if generated.has(images, "reconstructed"):
            alt = f"Test images of {join(images)}, reconstructed, and generated from the other modality alone. {run}"
            drawn["reconstructed"] = self._save("reconstructed", figures.reconstructed(arrays, images), alt=alt)
        if generated.has(images, "observed", "restyled", "sampled"):
            alt = f"Images of {join(images)}: fixed F_y with F_a from the prior, and all codes from the prior. {run}"
            drawn["sampled"] = self._save("sampled", figures.sampled(arrays, images), alt=alt)
        if generated.has(sequences, "reconstructed", "present"):
            alt = f"Sequences of {join(sequences)}: the truth and what the model reconstructs. {run}"
            drawn["sequences"] = self._save("sequences", figures.curves(arrays, sequences), alt=alt)
        return drawn

    def _dependence(self) -> Picture | str:
        if self._is_reference_silent:
            return "No finished run of the reference has a shared factor and decoders."
        study, table = self.found.results.study, self.found.interpretation
        alt = "Dependence of each generated modality on F_y and on its own factor: tables/interpretation.csv."
        return self._save("dependence", figures.dependence(table, study), alt=alt)

    def _gradients(self) -> Picture | str:
        if self._is_reference_silent:
            return "No finished run of the reference has a shared factor and decoders."
        study, table = self.found.results.study, self.found.interpretation
        alt = "Norm of the gradient of each generated step by F_y: tables/interpretation.csv."
        return self._save("gradients", figures.gradients(table, study), alt=alt)

    @property
    def _is_reference_silent(self) -> bool:
        """Whether there is nothing to interpret."""
        table = self.found.interpretation
        return not (table["arm"] == self.found.results.study.reference).any()

    def _missing(self) -> Picture | str:
        study = self.found.results.study
        if self.found.missing.empty:
            return "There are no finished runs with missing modalities so far."
        metric = _shown(self.found.missing, study)
        return self._save(
            "missing",
            figures.missing(self.found.missing, study, metric=metric),
            alt=f"{metric_name(metric)} for every subset of missing modalities, by method: tables/missing.csv.",
        )

    def _noise(self) -> Picture | str:
        study, table = self.found.results.study, self.found.noise
        if table.empty:
            return "There are no finished runs with noise so far."
        metric = _shown(table, study)
        return self._save(
            "noise",
            figures.noise_curves(table, study, metric=metric, columns=4, width=figures.PAGE),
            alt=f"{metric_name(metric)} over the level of noise; the numbers are in tables/robustness.csv.",
            column=lambda: figures.noise_curves(table, study, metric=metric),
        )

    def _curves(self) -> Picture | str:
        study = self.found.results.study
        if self.found.curves.empty:
            return "There are no finished confirm runs with a curve so far."
        metric = metric_name(study.search_metric)
        return self._save(
            "curves",
            figures.learning_curves(self.found.curves, study, columns=4, width=figures.PAGE),
            alt=f"{metric} by epoch for each arm, beside {study.reference}; the numbers are in tables/curves.csv.",
            column=lambda: figures.learning_curves(self.found.curves, study),
        )

    def _history(self) -> Picture | str:
        study = self.found.results.study
        if self.found.history.empty:
            return "No search was run, so there is no history."
        return self._save(
            "history",
            figures.search_history(self.found.history, study, columns=4, width=figures.PAGE),
            alt="The search runs of each arm in order, with the best so far; the numbers are in tables/history.csv.",
            column=lambda: figures.search_history(self.found.history, study),
        )


def _shown(table: pd.DataFrame, study: Study) -> str:
    """The metric of the claims, or the first that was evaluated."""
    measured = list(table["metric"].unique())
    return study.primary_metric if study.primary_metric in measured else measured[0]


def _figure(drawn: Figure | Axes) -> Figure:
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure
