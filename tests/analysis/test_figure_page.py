"""docs/figures.md: every figure has an example there, and each draws."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from path_results import write
from test_effects import FACTORS, results_of
from test_generated import images

from analysis import figures
from analysis.results.load import Results
from analysis.sensitivity.param_slices import slices
from analysis.sensitivity.random_forest import fit
from analysis.sensitivity.search_runs import trials
from analysis.tables import ablation_path, frozen_params, overview, robustness
from orchestrator.study.factorial_designs import factorial

PAGE = (Path(__file__).parent.parent.parent / "docs" / "figures.md").read_text()
EXAMPLES = re.findall(r"`(figures\.\w+\([^`]*\))`", PAGE.partition("| it shows | example |")[2])
NAMES = {"ablation_path": ablation_path, "frozen_params": frozen_params, "overview": overview, "robustness": robustness}


@pytest.fixture(scope="module")
def evaluated(mosi: Results) -> Results:
    """With scores of noise, of missing modalities and of interpretation."""
    rows: list[tuple[Any, ...]] = []
    for number, run_id in enumerate(mosi.confirm["run_id"]):
        score = 1 + number / 100
        rows.append((run_id, "complete", "", 0.0, mosi.study.primary_metric, score))
        rows += [(run_id, "noise/drop", m, 0.5, mosi.study.primary_metric, score + 1) for m in ("a", "all")]
        rows.append((run_id, "missing/mean", "a", 1.0, mosi.study.primary_metric, score + 2))
        rows += [
            (run_id, "interpretation", "a", 0.0, metric, number / 100)
            for metric in ("hsic_y", "hsic_own", "hsic_null", "hsic_ratio")
        ]
        rows += [(run_id, "interpretation", "a", step, "gradient", step + number / 100) for step in (1.0, 2.0)]
    columns = pd.Index(["run_id", "condition", "modality", "level", "metric", "value"])
    return replace(mosi, evaluations=pd.DataFrame(rows, columns=columns))


@pytest.fixture(scope="module")
def known(evaluated: Results, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Results]:
    """The results that an example is about, by its function; "" for any."""
    arms = factorial(dict(list(FACTORS.items())[:2]))
    return {
        "": evaluated,
        "effects": results_of(tmp_path_factory.mktemp("effects"), arms, num_factors=2),
        "path": write(tmp_path_factory.mktemp("path")),
    }


def arrays() -> dict[str, np.ndarray]:
    steps = np.linspace(0, 1, 3 * 6 * 4).reshape(3, 6, 4)
    sequences = {f"language/{what}": steps for what in ("observed", "reconstructed", "from_others")}
    return sequences | {"language/present": np.ones((3, 6))} | {f"large/{k}": v for k, v in images(6).items()}


def test_every_figure_has_an_example() -> None:
    shown = {re.match(r"figures\.(\w+)", example)[1] for example in EXAMPLES}  # type: ignore[index]
    assert shown == set(figures.__all__) - {"COLUMN", "PAGE", "save"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_draws(example: str, known: Mapping[str, Results]) -> None:
    name = re.match(r"figures\.(\w+)", example)[1]  # type: ignore[index]
    results = known.get(name, known[""])
    values = {"results": results, "study": results.study, "figures": figures, "slices": slices, "fit": fit}
    if "found" in example:
        values["found"] = trials(results, results.study.reference)
    made = eval(example, NAMES | values | {"arrays": arrays()})
    figure = made if isinstance(made, Figure) else made.get_figure(root=True)
    assert isinstance(made, Figure | Axes)
    FigureCanvasAgg(figure).draw()
    assert any(ax.has_data() or ax.images for ax in figure.axes)
