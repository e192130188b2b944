"""Studies in a notebook: the tour in docs, its display, and an interrupted cell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: the notebook in docs is NOT tested")
nbformat = pytest.importorskip("nbformat")

TOUR = Path(__file__).parent.parent.parent / "docs" / "tour.ipynb"
pytestmark = pytest.mark.filterwarnings("ignore")  # Jupyter's own


def executed(cells: list[Any], folder: Path, **settings: Any) -> list[Any]:
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, kernel_name="python3", resources=resources, **settings).execute()
    return notebook.cells


def text_of(cell: Any) -> str:
    return "\n".join((o.get("data") or {}).get("text/plain") or o.get("text") or "" for o in cell.get("outputs", []))


def code(text: str) -> Any:
    return nbformat.v4.new_code_cell(text)


def words(cell: Any) -> list[str]:
    found = "\n".join(o["data"]["text/plain"] for o in cell["outputs"] if o["output_type"] == "execute_result")
    return re.findall(r"^(\w+) .*?\b(worse|better|equivalent|undecided)\b", found, re.MULTILINE)


def test_the_tour_runs_and_says_what_it_shows(tmp_path: Path) -> None:
    tour = nbformat.read(TOUR, as_version=4)
    shown = [words(cell) for cell in tour.cells if cell.cell_type == "code"]
    cells = [cell for cell in executed(tour.cells, tmp_path, timeout=300) if cell.cell_type == "code"]
    assert [words(cell) for cell in cells] == shown
    assert ("no_momentum", "undecided") in shown[2]
    assert ("no_momentum", "worse") in shown[4]
    pictures = [cell for cell in cells if any("image/png" in (o.get("data") or {}) for o in cell.outputs)]
    assert [cell.source for cell in pictures] == ['result.figure("forest")'] * 2
    told = text_of(cells[1])
    assert told.count("best valid_loss") == 1, "progress is one table, in place"
    assert "10/10" in told
    assert "Complete. What was returned has verdicts, figure(...) and page" in told


STUDY = """
import time
from orchestrator import Study, run
STEP = 0.2
def slow(params, seed):
    time.sleep(STEP)
    return {"valid_loss": 1.0, "test_loss": params["x"] + 0.01 * (seed % 3)}
study = Study(name="slow", params={"x": 1.0}, arms={"full": {}, "far": {"x": 2.0}},
              minimise=("valid_loss", "test_loss"), smallest_effect=0.1, seeds=40, pack_size=1)
"""


def test_an_interrupted_cell_ends_in_good_order_and_goes_on(tmp_path: Path) -> None:
    cells = [
        code(STUDY),
        code("result = run(study, slow, serial=True)"),
        code("print(result.complete, result.interruption.signal.name)"),
        code("STEP = 0.3\ntry:\n    run(study, slow, serial=True)\nexcept ValueError as error:\n    print(error)"),
        code("STEP = 0.2\nprint(run(study, slow, serial=True).complete)"),
    ]
    # Cells are given 10 seconds, and then the kernel is interrupted, as by the button.
    _, first, seen, changed, last = executed(cells, tmp_path, timeout=10, interrupt_on_timeout=True)
    assert "Interrupted in good order by SIGINT" in text_of(first)
    assert "False SIGINT" in text_of(seen)
    assert "the model's code changed" in text_of(changed), "a constant that the function names"
    assert "finished runs are kept" in text_of(last)
    assert "True" in text_of(last)


@pytest.mark.ray
def test_a_notebook_trains_on_ray(tmp_path: Path) -> None:
    text = STUDY.replace("STEP = 0.2", "STEP = 0.0").replace("seeds=40", "seeds=6")
    _, cell = executed([code(text), code("run(study, slow).verdicts.verdict.to_dict()")], tmp_path, timeout=200)
    assert "'far': 'worse'" in text_of(cell)
    assert text_of(cell).count("running") == 1, "progress is one table, in place"
