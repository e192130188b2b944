"""Generated items: read from their file, and drawn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from results_folders import SMALL, write_results

from analysis import figures
from analysis.reporting import report
from analysis.results.generated_items import Generated, read_generated
from analysis.results.load import load

ITEMS, STYLES, SAMPLES = 3, 2, 4


def write(folder: Path, run_id: str, arrays: dict[str, np.ndarray]) -> None:
    (folder / "generated").mkdir(exist_ok=True)
    rows = [{"name": n, "shape": list(a.shape), "values": a.ravel().astype(np.float32)} for n, a in arrays.items()]
    pd.DataFrame(rows).to_parquet(folder / "generated" / f"{run_id}.parquet")


def images(side: int) -> dict[str, np.ndarray]:
    counts = {
        "observed": ITEMS, "reconstructed": ITEMS, "from_others": ITEMS, "style": STYLES,
        "exchanged": ITEMS * STYLES, "restyled": ITEMS * STYLES, "sampled": SAMPLES,
    }  # fmt: skip
    return {what: np.full((n, 1, side, side), number / 10) for number, (what, n) in enumerate(counts.items())}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return {f"{m}/{what}": a for m, side in (("large", 6), ("small", 4)) for what, a in images(side).items()}


def picture(figure: Figure, panel: int) -> np.ndarray:
    return np.asarray(figure.axes[panel].images[0].get_array())


def test_what_the_first_of_the_runs_has_left_is_read_as_it_was(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write(tmp_path, "second", arrays)
    found = read_generated(tmp_path, runs=["first", "second"])
    assert found is not None
    assert found.run_id == "second"
    assert found.of_kind(4) == ["large", "small"]
    for name, values in arrays.items():
        np.testing.assert_allclose(found.arrays[name], values, rtol=1e-6)
    assert read_generated(tmp_path, runs=["first"]) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated" / "run.parquet").write_text("not data")
    with pytest.raises(ValueError, match=r"run.parquet must be an undamaged file"):
        read_generated(tmp_path, runs=["run"])


def test_exchanged_factors_stand_in_the_row_of_their_content_and_the_column_of_their_style(
    arrays: dict[str, np.ndarray],
) -> None:
    arrays["large/exchanged"] = np.arange(6.0)[:, None, None, None] * np.ones((1, 1, 6, 6))
    drawn = picture(figures.exchanged(arrays, ["large", "small"]), 0)
    assert drawn.shape == ((ITEMS + 1) * 6, (STYLES + 1) * 6)
    cells = drawn[6:, 6:].reshape(ITEMS, 6, STYLES, 6)[:, 0, :, 0]
    np.testing.assert_array_equal(cells, np.arange(6.0).reshape(ITEMS, STYLES))
    assert np.isnan(drawn[:6, :6].astype(float)).all()


def test_reconstructions_stand_below_their_items(arrays: dict[str, np.ndarray]) -> None:
    drawn = picture(figures.reconstructed(arrays, ["large", "small"]), 1)
    np.testing.assert_allclose(drawn[::4, 0], [0.0, 0.1, 0.2])
    del arrays["large/from_others"], arrays["small/from_others"]
    assert picture(figures.reconstructed(arrays, ["large"]), 0).shape == (2 * 6, ITEMS * 6)


def test_draws_from_the_prior_stand_below_those_of_a_fixed_factor(arrays: dict[str, np.ndarray]) -> None:
    drawn = picture(figures.sampled(arrays, ["large"]), 0)
    assert drawn.shape == ((ITEMS + SAMPLES // STYLES) * 6, (STYLES + 1) * 6)
    np.testing.assert_allclose(drawn[:, -1][::6], [0.5] * ITEMS + [0.6] * 2)


def test_curves_show_the_steps_that_hold_data() -> None:
    rng = np.random.default_rng(0)
    values = {what: rng.standard_normal((2, 5, 4)) for what in ("observed", "reconstructed", "from_others")}
    present = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    arrays = {f"language/{what}": a for what, a in values.items()} | {"language/present": present}
    generated = Generated(run_id="run", arrays=arrays)
    assert generated.of_kind(3) == ["language"]
    figure = figures.curves(arrays, ["language"], columns=2)
    drawn = [ax for ax in figure.axes if ax.lines]
    assert len(drawn) == 2 * 2, "two items, of two features"
    assert [len(np.asarray(ax.lines[0].get_xdata())) for ax in drawn[:2]] == [3, 5]
    assert len(drawn[0].lines) == 3


def test_a_figure_made_for_a_page_is_as_wide_on_the_page(tmp_path: Path) -> None:
    folder = write_results(tmp_path, SMALL)
    results = load(folder)
    done = results.of("full", results.confirm).sort_values(["split", "seed"])
    steps = {name: np.random.default_rng(0).standard_normal((4, 6, 3)) for name in ("observed", "reconstructed")}
    made = {f"language/{name}": values for name, values in steps.items()}
    write(folder, done["run_id"].iloc[0], made | {"language/present": np.ones((4, 6))})
    page = report.write(folder).page.read_text()
    shown = dict(re.findall(r'<figure id="figure-(\w+)" class="(\w+)', page))
    assert shown["sequences"] == "wide"
    assert shown["sensitivity"] == "wide"
    assert shown["forest"] == "narrow"
