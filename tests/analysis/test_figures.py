"""Figures: what they state, what they hold, and that their words do not collide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis import figures
from analysis.figures.style import GREY, TEXT, Grid, of_own_scale, one_scale
from analysis.results.load import Results
from analysis.sensitivity.importance import leading
from analysis.sensitivity.param_slices import slices
from analysis.sensitivity.random_forest import fit
from analysis.sensitivity.search_runs import Trials, chosen_numbers, trials
from analysis.tables import overview

Draw = Callable[..., Figure | Axes]


@pytest.fixture(scope="module")
def table(mosi: Results) -> pd.DataFrame:
    return overview.ablation(mosi)


@pytest.fixture(scope="module")
def found(mosi: Results) -> Trials:
    return trials(mosi, "full")


@pytest.fixture(scope="module")
def importance(found: Trials) -> pd.DataFrame:
    return overview.importance([found])


@pytest.fixture(scope="module")
def drawn(mosi: Results, table: pd.DataFrame, found: Trials, importance: pd.DataFrame) -> dict[str, Figure]:
    """Every figure of a study of 13 arms and 20 hyperparameters, for a column and for a page."""
    study, paired = mosi.study, overview.paired(mosi)
    curves, history = overview.curves(mosi), overview.history(mosi)
    order = [found.index(param) for param in leading(importance)]
    cut, chosen = slices(found), chosen_numbers(mosi, "full", found.axes)
    common = found.common()
    page = figures.PAGE
    all_of_them: dict[str, Figure | Axes] = {
        "forest": figures.forest(table, study),
        "seeds": figures.seed_differences(paired, table, study),
        "importance": figures.importance(importance),
        "interaction": figures.interaction(common, fit(common.unit_NK, common.capped_N, num_trees=8), 0, 2),
        "sensitivity": figures.sensitivity(cut, chosen=chosen, runs=found.describe(), columns=5, width=page),
        "sensitivity for a column": figures.sensitivity(cut[:12], chosen=chosen, runs=found.describe(), columns=2),
        "parallel": figures.parallel_coordinates(found, order[:13], width=page),
        "parallel for a column": figures.parallel_coordinates(found, order[:6]),
        "curves": figures.learning_curves(curves, study, columns=4, width=page),
        "curves for a column": figures.learning_curves(curves, study),
        "history": figures.search_history(history, study, columns=4, width=page),
        "history for a column": figures.search_history(history, study),
    }
    return {name: figure_of(one) for name, one in all_of_them.items()}


def figure_of(one: Figure | Axes) -> Figure:
    figure = one if isinstance(one, Figure) else one.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def words(figure: Figure) -> list[Text]:
    """The visible texts of a laid-out figure."""
    FigureCanvasAgg(figure).draw()
    off = {label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in _off(ax, axis)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in off]


def _off(ax: Axes, axis: Axis) -> list[Text]:
    """The labels of ticks that are not drawn: those beyond the limits, and all where the axes are off."""
    drawn = axis._update_ticks() if ax.axison else []
    ticks = [*axis.majorTicks, *axis.minorTicks]
    return [label for tick in ticks if tick not in drawn for label in (tick.label1, tick.label2)]


@pytest.mark.parametrize(
    "name",
    ["forest", "seeds", "importance", "interaction", "sensitivity", "sensitivity for a column", "curves",
     "curves for a column", "history", "history for a column"],
)  # fmt: skip
def test_no_words_collide_and_none_leaves_the_figure(drawn: dict[str, Figure], name: str) -> None:
    figure = drawn[name]
    boxes = [(text.get_text(), text.get_window_extent()) for text in words(figure)]
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= height + 1, text
    for (first, a), (second, b) in combinations(boxes, 2):
        shared = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(shared) < 1.5, f"{first!r} collides with {second!r}"


def test_no_word_is_smaller_than_a_column_of_a_paper_takes(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        small = [text.get_text() for text in words(figure) if text.get_fontsize() < TEXT]
        assert not small, name


def test_every_figure_states_n_and_its_interval(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        note = " ".join(text.get_text() for text in words(figure) if text.get_color() == GREY).replace("\n", " ")
        assert any(word in note for word in ("n =", "n: ", "paired seeds")), name
        assert any(word in note for word in ("interval", "band", "not confidence")), name


def test_panels_share_a_scale_unless_one_would_squeeze_the_others() -> None:
    wanted = {"full": (0.6, 0.7), "near": (0.5, 0.7), "far": (0.6, 1.5), "wide": (0.6, 0.75)}
    limits = one_scale(wanted, "full")
    assert limits == {"full": (0.5, 0.75), "near": (0.5, 0.75), "far": (0.6, 1.5), "wide": (0.5, 0.75)}
    assert of_own_scale(limits, "full") == "All panels have one scale; another one: far."


def test_a_grid_has_as_few_empty_panels_as_can_be() -> None:
    assert [Grid.of(n, columns=4, width=7.0).columns for n in (1, 3, 4, 5, 6, 9, 13)] == [1, 3, 4, 3, 3, 3, 4]


@pytest.mark.parametrize("count", [4, 6, 7, 9])
def test_the_first_panel_of_every_row_of_slices_and_no_other_has_numbers(found: Trials, count: int) -> None:
    figure = figures.sensitivity(slices(found)[:count], columns=5, width=figures.PAGE)
    figure.draw_without_rendering()
    panels = [ax for ax in figure.axes if ax.axison]
    left = min(ax.get_position().x0 for ax in panels)
    for ax in panels:
        numbers = [label for label in ax.get_yticklabels() if label.get_visible() and label.get_text()]
        assert bool(numbers) == (ax.get_position().x0 < left + 1e-6)


def test_figures_for_a_column_are_as_wide_as_a_column(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        width = figure.get_size_inches()[0]
        assert width == (figures.PAGE if name in ("sensitivity", "parallel", "curves", "history") else figures.COLUMN)
        assert figure.get_size_inches()[1] < 9.5


def test_the_forest_shows_every_arm_its_verdict_and_its_pairs(drawn: dict[str, Figure], table: pd.DataFrame) -> None:
    said = {text.get_text() for text in words(drawn["forest"])}
    assert "no generative\nfactors wide" in said
    assert any("undecided" in text and text.endswith("(8)") for text in said)
    rows = table[(table["role"] == "primary") & (table["arm"] != "full")]
    assert {f"{row['delta']:+.3f} {row['verdict']}" for _, row in rows.iterrows() if row["n_seeds"] == 12} <= {
        text.removesuffix("*") for text in said
    }
    assert len(drawn["forest"].axes[0].get_yticklabels()) == len(rows)


def test_an_arm_far_from_the_others_is_an_arrow_with_its_numbers(drawn: dict[str, Figure], table: pd.DataFrame) -> None:
    row = table[(table["arm"] == "only_acoustic") & (table["role"] == "primary")].iloc[0]
    low, high = drawn["forest"].axes[0].get_xlim()
    assert high < row["delta"]
    assert any(text.get_text().startswith(f"[{row['ci_low']:.2f}, ") for text in words(drawn["forest"]))
    assert low < 0


def test_no_interval_is_cut_off(drawn: dict[str, Figure], table: pd.DataFrame) -> None:
    low, high = drawn["forest"].axes[0].get_xlim()
    rows = table[(table["role"] == "primary") & (table["delta"].abs() < high)]
    assert len(rows) == 11
    assert rows[["ci_low", "ci_items_low"]].min(axis=None) > low
    assert rows[["ci_high", "ci_items_high"]].max(axis=None) < high


def test_an_arm_without_pairs_is_shown_as_such(small: Results) -> None:
    runs = small.runs.copy()
    runs.loc[(runs["phase"] == "confirm") & (runs["arm"] == "no_prior"), "status"] = "failed"
    gone = replace(small, runs=runs)
    said = [text.get_text() for text in words(figure_of(figures.forest(overview.ablation(gone), gone.study)))]
    assert "no pair (10 failed)" in said


def in_given_axes(results: Results, found: Trials) -> dict[str, Callable[[Axes | None], Figure | Axes]]:
    """Every figure of one panel."""
    study, table = results.study, overview.ablation(results)
    common = found.common()
    return {
        "forest": lambda ax: figures.forest(table, study, ax=ax),
        "seeds": lambda ax: figures.seed_differences(overview.paired(results), table, study, ax=ax),
        "importance": lambda ax: figures.importance(overview.importance([found]), ax=ax),
        "interaction": lambda ax: figures.interaction(
            common, fit(common.unit_NK, common.capped_N, num_trees=8), 0, 2, ax=ax
        ),
        "curve": lambda ax: figures.learning_curve(overview.curves(results), study, study.others[0], ax=ax),
        "history": lambda ax: figures.history(overview.history(results), study, study.others[0], ax=ax),
        "slice": lambda ax: figures.sensitivity_slice(slices(found)[0], ax=ax),
        "parallel": lambda ax: figures.parallel_coordinates(found, [0, 1], ax=ax),
    }


@pytest.mark.parametrize(
    "name", ["forest", "seeds", "importance", "interaction", "curve", "history", "slice", "parallel"]
)
def test_a_figure_stays_inside_the_axes_it_is_given(name: str, mosi: Results, found: Trials) -> None:
    draw = in_given_axes(mosi, found)[name]
    figure = Figure(figsize=(10, 5))
    ax, neighbour = figure.subplots(1, 2)
    place, beside = ax.get_position(), neighbour.get_tightbbox()
    assert draw(ax) is ax
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    to_figure = figure.transFigure.inverted()
    parts = [*(one for one in figure.axes if one is not neighbour), *figure.texts]
    for part in parts:
        box = part.get_tightbbox() if isinstance(part, Axes) else part.get_window_extent()
        seen = box.transformed(to_figure)
        assert seen.x0 > place.x0 - 0.01, "nothing of it lies left of its place"
        assert seen.x1 < place.x1 + 0.01
        assert seen.y0 > place.y0 - 0.01
        assert seen.y1 < place.y1 + 0.01
    assert neighbour.get_tightbbox().bounds == beside.bounds
    assert ax.get_position().width > 0.25 * place.width, "and something of it is left to see"
    told = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert told, "what n and the interval are"
    assert isinstance(draw(None), Axes | Figure)


def test_where_the_figure_has_a_layout_it_makes_the_room(mosi: Results, table: pd.DataFrame) -> None:
    figure = Figure(figsize=(10, 5), layout="constrained")
    ax, _ = figure.subplots(1, 2)
    assert figures.forest(table, mosi.study, ax=ax) is ax
    assert "paired-t interval" in ax.get_xlabel().replace("\n", " ")


def test_a_slice_is_drawn_on_the_scale_that_was_searched(found: Trials) -> None:
    axes = {one.axis.param: figures.sensitivity_slice(one) for one in slices(found)}
    assert axes["lr"].get_xscale() == "log"
    assert axes["dropout_y"].get_xscale() == "linear"
    assert [label.get_text() for label in axes["label_decoder"].get_xticklabels()] == ["mlp", "linear", "identity"]


def test_a_run_passes_through_a_lane_of_its_own_where_a_param_has_no_meaning(found: Trials) -> None:
    order = [found.index("lr_schedule"), found.index("patience")]
    ax = figures.parallel_coordinates(found, order)
    assert "no meaning" in [text.get_text() for text in ax.texts]
    lines = ax.collections[0].get_segments()
    heights = np.array([line[1, 1] for line in lines])
    assert (heights < -0.1).sum() == (~found.active_NK[:, order[1]]).sum()


def test_names_with_dollars_and_braces_are_drawn_as_they_are(small: Results) -> None:
    table = overview.ablation(small).replace({"arm": {"no_prior": r"cost_$x_{^$"}})
    ax = figures.forest(table, small.study)
    assert r"cost $x {^$" in [label.get_text() for label in ax.get_yticklabels()]
    FigureCanvasAgg(figure_of(ax)).draw()


def test_drawing_leaves_the_users_settings_alone(small: Results, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    ax = figures.forest(overview.ablation(small), small.study)
    figures.save(figure_of(ax), tmp_path / "forest")
    assert dict(mpl.rcParams) == before


def test_a_figure_is_saved_as_png_and_as_the_same_svg_every_time(small: Results, tmp_path: Path) -> None:
    for name in ("one", "two"):
        figures.save(figure_of(figures.forest(overview.ablation(small), small.study)), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
